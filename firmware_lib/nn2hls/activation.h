// Activations that are exact in fixed point; see nn2hls/ops/activation.py and hard.py for the equations.
//
// Every config C has n (elements) and shift (fraction bits of the exact result minus those of y). width is the width of the
// signed integer that holds the operand and every value computed from it.
#ifndef NN2HLS_ACTIVATION_H_
#define NN2HLS_ACTIVATION_H_

#include "common.h"

namespace nn2hls {

template <class C, class X, class Y>
void relu(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> m = raw(x[i]);
        const ap_int<C::width> zero = 0;
        const ap_int<C::width> r = m < zero ? zero : m;
        store<C::shift>(y[i], r);
    }
}

// slope: one entry for each (i / inner) % size; up: fraction bits of the slope.
template <class C, class X, class Y, class T>
void leaky_relu(const X x[], Y y[], T slope) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> m = raw(x[i]);
        const ap_int<C::width> zero = 0;
        const ap_int<C::width> product = m * slope[(i / C::inner) % C::size];
        const ap_int<C::width> up = m << C::up;
        const ap_int<C::width> r = m < zero ? product : up;
        store<C::shift>(y[i], r);
    }
}

// low, high: the ends, moved up by bound_up; the operand by up.
template <class C, class X, class Y>
void clip(const X x[], Y y[]) {
    const ap_int<C::width> low = ap_int<C::width>(C::low()) << C::bound_up;
    const ap_int<C::width> high = ap_int<C::width>(C::high()) << C::bound_up;
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> wide = raw(x[i]);
        const ap_int<C::width> m = wide << C::up;
        const ap_int<C::width> above = C::has_low && m < low ? low : m;
        const ap_int<C::width> r = C::has_high && above > high ? high : above;
        store<C::shift>(y[i], r);
    }
}

template <class C, class X, class Y>
void abs(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> m = raw(x[i]);
        const ap_int<C::width> zero = 0;
        const ap_int<C::width> minus = zero - m;
        const ap_int<C::width> r = m < zero ? minus : m;
        store<C::shift>(y[i], r);
    }
}

template <class C, class X, class Y>
void neg(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> m = raw(x[i]);
        const ap_int<C::width> zero = 0;
        const ap_int<C::width> r = zero - m;
        store<C::shift>(y[i], r);
    }
}

template <class C, class X, class Y>
void square(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const typename format<X>::mantissa m = raw(x[i]);
        const ap_int<C::width> r = m * m;
        store<C::shift>(y[i], r);
    }
}

template <class C, class X, class Y>
void sign(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> m = raw(x[i]);
        const ap_int<C::width> zero = 0;
        const ap_int<2> one = 1;
        const ap_int<2> minus = -1;
        const ap_int<2> none = 0;
        const ap_int<2> r = m < zero ? minus : (m == zero ? none : one);
        store<C::shift>(y[i], r);
    }
}

// theta, value: moved up by bound_up; the operand by up.
template <class C, class X, class Y>
void threshold(const X x[], Y y[]) {
    const ap_int<C::width> theta = ap_int<C::width>(C::theta()) << C::bound_up;
    const ap_int<C::width> value = ap_int<C::width>(C::value()) << C::bound_up;
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> wide = raw(x[i]);
        const ap_int<C::width> m = wide << C::up;
        const ap_int<C::width> r = m > theta ? m : value;
        store<C::shift>(y[i], r);
    }
}

// min(max(x * slope + offset, 0), 1) with one_up fraction bits, in line_width bits.
template <class C, class M>
ap_int<C::line_width> hard_line(const M& m) {
    const ap_int<C::line_width> slope = ap_int<C::line_width>(C::slope()) << C::slope_up;
    const ap_int<C::line_width> offset = ap_int<C::line_width>(C::offset()) << C::offset_up;
    const ap_int<C::line_width> zero = 0;
    const ap_int<C::line_width> one = ap_int<C::line_width>(1) << C::one_up;
    const ap_int<C::line_width> line = m * slope + offset;
    const ap_int<C::line_width> above = line < zero ? zero : line;
    return above > one ? one : above;
}

template <class C, class X, class Y>
void hard_sigmoid(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::line_width> r = hard_line<C>(raw(x[i]));
        store<C::shift>(y[i], r);
    }
}

template <class C, class X, class Y>
void hard_swish(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> r = raw(x[i]) * hard_line<C>(raw(x[i]));
        store<C::shift>(y[i], r);
    }
}

}  // namespace nn2hls

#endif
