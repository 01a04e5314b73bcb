// What every layer header needs: the cast, the loop marker and the names of operand members.
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

// The members of config C that belong to operand K: C::up0, C::up1, ... Only those that a layer asks for need to exist.
template <class C, int K>
struct operand;

#define NN2HLS_OPERAND(K)                                        \
    template <class C>                                           \
    struct operand<C, K> {                                       \
        static constexpr int up() { return C::up##K; }           \
        static constexpr int inner() { return C::inner##K; }     \
        static constexpr int columns() { return C::columns##K; } \
        static constexpr int outer() { return C::outer##K; }     \
        static constexpr int rows() { return C::rows##K; }       \
        static constexpr int size() { return C::size##K; }       \
        static constexpr int shift() { return C::shift##K; }     \
    };
// clang-format off
#define NN2HLS_OPERANDS(D)                                                                  \
    NN2HLS_OPERAND(D##0) NN2HLS_OPERAND(D##1) NN2HLS_OPERAND(D##2) NN2HLS_OPERAND(D##3) \
    NN2HLS_OPERAND(D##4) NN2HLS_OPERAND(D##5) NN2HLS_OPERAND(D##6) NN2HLS_OPERAND(D##7) \
    NN2HLS_OPERAND(D##8) NN2HLS_OPERAND(D##9)
NN2HLS_OPERANDS()
NN2HLS_OPERANDS(1)
NN2HLS_OPERANDS(2)
NN2HLS_OPERANDS(3)
NN2HLS_OPERANDS(4)
NN2HLS_OPERANDS(5)
NN2HLS_OPERAND(60) NN2HLS_OPERAND(61) NN2HLS_OPERAND(62) NN2HLS_OPERAND(63)
// clang-format on
#undef NN2HLS_OPERANDS
#undef NN2HLS_OPERAND

}  // namespace nn2hls

#endif
