// log, roots, reciprocal and softsign of a normalised argument; see nn2hls/ops/inverse.py for the steps.
#ifndef NN2HLS_INVERSE_H_
#define NN2HLS_INVERSE_H_

#include "common.h"

namespace nn2hls {

// The argument: x or its magnitude, plus one for softsign; one step where that is not positive.
template <class C>
ap_uint<C::argument_width> argument(const ap_int<C::in_width>& m) {
    const ap_int<C::in_width> nothing = 0;
    const ap_int<C::in_width> minus = nothing - m;
    const ap_int<C::in_width> magnitude = C::odd && m < nothing ? minus : m;
    const ap_int<C::argument_width + 2> zero = 0;
    const ap_int<C::argument_width + 2> one = 1;
    const ap_int<C::argument_width + 2> wide = magnitude;
    const ap_int<C::argument_width + 2> more = C::plus_one ? ap_int<C::argument_width + 2>(one << C::one_at) : zero;
    const ap_int<C::argument_width + 2> sum = (wide << (C::plus_one ? C::argument_up : 0)) + more;
    return sum < one ? one : sum;
}

// The place of the leading one.
template <class C>
int leading_one(const ap_uint<C::argument_width>& a) {
    const ap_uint<C::argument_width> zero = 0;
    int place = 0;
    NN2HLS_UNROLL
    for (int k = 1; k < C::argument_width; k++) {
        const ap_uint<C::argument_width> above = a >> k;
        place = above != zero ? k : place;
    }
    return place;
}

// The function of s, and of the last bit of the exponent for roots: a tangent.
template <class C, class V, class S>
ap_int<C::entry_width> tangent(const ap_uint<C::kept>& s, int odd, int number, V value, S slope) {
    const ap_uint<C::kept> top = s >> C::below;
    const int j = top.to_int() - (1 << C::segments) + (C::roots ? odd << C::segments : 0);
    const ap_uint<C::kept> rest = s - (top << C::below);
    const ap_int<C::kept + 1> half = 1 << (C::below - 1);
    const ap_int<C::kept + 1> off = rest - half;
    const ap_int<C::slope_width + C::kept + 1> product = lookup(slope, number, j) * off;
    const ap_int<C::entry_width> change = product >> C::below;
    const ap_int<C::entry_width> entry = lookup(value, number, j);
    const ap_int<C::entry_width> plus = entry + change;
    const ap_int<C::entry_width> minus = entry - change;
    return C::rising ? plus : minus;
}

template <class C, class X, class Y, class V, class S, class P>
void normalised(const X x[], Y y[], V value, S slope, P power) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::in_width> m = raw(x[i]);
        const ap_int<C::in_width> nothing = 0;
        const ap_int<C::width> zero = 0;
        const ap_int<C::width> one = 1;
        const ap_uint<C::argument_width> a = argument<C>(m);
        const int place = leading_one<C>(a);
        const ap_uint<C::argument_width> shifted = a << (C::argument_width - 1 - place);
        const ap_uint<C::kept> s = shifted >> (C::argument_width - C::kept);
        const int halved = place + C::parity;
        const ap_int<C::entry_width> t = tangent<C>(s, halved & 1, i, value, slope);
        const int exponent = C::roots ? halved >> 1 : place;
        const int up = C::up_sign > 0 ? exponent : C::up_sign < 0 ? C::most_up - exponent : 0;
        const ap_int<C::entry_width + C::most_up> wide = t;
        const ap_int<C::entry_width + C::most_up> scaled = wide << up;
        const ap_int<C::width> share = cast_to<C::drop, C::width, true, RND, WRAP>(scaled);
        const ap_int<C::width> sum =
            C::logarithm ? ap_int<C::width>(share + lookup(power, i, C::logarithm ? place : 0)) : share;
        const ap_int<C::width> rest = C::plus_one ? ap_int<C::width>((one << C::one_share) - sum) : sum;
        const ap_int<C::width> minus = zero - rest;
        const ap_int<C::width> turned = C::odd && m < nothing ? minus : rest;
        const ap_int<C::width> r = C::zero_below && !(nothing < m) ? zero : turned;
        store<C::shift>(y[i], cast_to<0, C::clip_width, C::clip_signed, TRN, C::clip_overflow>(r));
    }
}

}  // namespace nn2hls

#endif
