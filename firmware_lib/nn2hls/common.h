// What every layer needs: mantissas of ports, the loop markers, tables.
#ifndef NN2HLS_COMMON_H_
#define NN2HLS_COMMON_H_

#include "cast.h"

// Written before a loop whose iterations are hardware side by side. Bambu takes it here; the other tools unroll by the pragmas
// of the plain functions that call these templates.
#ifdef __BAMBU__
#define NN2HLS_UNROLL _Pragma("clang loop unroll(full)")
#define NN2HLS_ROLLED _Pragma("clang loop unroll(disable)")  // steps that share their hardware
#else
#define NN2HLS_UNROLL
#define NN2HLS_ROLLED
#endif

namespace nn2hls {

// What stands beyond the border of an image.
template <class T>
T zero() {
    T y;
    set_raw(y, ap_uint<1>(0));
    return y;
}

// Word `at` of a table. Lookups that run side by side are numbered: where a tool needs an array for each of them, the table is
// a struct whose at(number, at) reads the array of that number.
template <class T>
T lookup(const T* table, int, int at) {
    return table[at];
}
template <class TABLE>
typename TABLE::word lookup(const TABLE&, int number, int at) {
    return TABLE::at(number, at);
}

// Word `bank` of row `at`, where each row has N words that are read side by side.
template <int N, class T>
T banked(const T* table, int bank, int at) {
    return table[at * N + bank];
}
template <int N, class TABLE>
typename TABLE::word banked(const TABLE&, int bank, int at) {
    return TABLE::at(bank, at);
}

}  // namespace nn2hls

#endif
