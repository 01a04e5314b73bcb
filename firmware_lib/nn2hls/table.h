// A function of one variable: an exact linear part plus a table; see nn2hls/ops/table.py for the equation.
#ifndef NN2HLS_TABLE_H_
#define NN2HLS_TABLE_H_

#include "common.h"

namespace nn2hls {

// What the address is made of, and the exact part. The numbers are those of nn2hls.arith.functions.Fold and Linear.
enum fold_kind { FOLD_NONE = 0, FOLD_ABS = 1, FOLD_NEG = 2 };
enum linear_kind { LINEAR_NONE = 0, LINEAR_RELU = 1, LINEAR_MIN = 2, LINEAR_IDENTITY = 3 };

template <int KIND, int W>
ap_int<W> folded(const ap_int<W>& m) {
    const ap_int<W> zero = 0;
    const ap_int<W> minus = zero - m;
    const ap_int<W> other = KIND == FOLD_ABS ? m : zero;
    const ap_int<W> turned = m < zero ? minus : other;
    return KIND == FOLD_NONE ? m : turned;
}

template <int KIND, int W>
ap_int<W> linear_part(const ap_int<W>& m) {
    const ap_int<W> zero = 0;
    const bool minus = m < zero;
    const bool keep = KIND == LINEAR_IDENTITY || (KIND == LINEAR_RELU && !minus) || (KIND == LINEAR_MIN && minus);
    return keep ? m : zero;
}

// The address is the bits of the folded operand's mantissa in the address type.
template <class C, class X, class Y, class ROM>
void table(const X x[], Y y[], ROM rom) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::in_width> m = raw(x[i]);
        const ap_int<C::in_width> f = folded<C::fold>(m);
        const ap_uint<C::address_width> address = cast_to<C::address_shift, C::address_width, C::address_signed, RND, SAT>(f);
        const ap_int<C::width> entry = lookup(rom, i, address.to_int());
        const ap_int<C::width> product = linear_part<C::linear>(m) * ap_int<C::width>(C::slope);
        const ap_int<C::width> r = (entry << C::entry_up) + (product << C::slope_up);
        store<C::shift>(y[i], r);
    }
}

}  // namespace nn2hls

#endif
