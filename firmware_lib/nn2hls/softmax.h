// Softmax and its logarithm; see nn2hls/ops/softmax.py for the steps and their guarantees.
#ifndef NN2HLS_SOFTMAX_H_
#define NN2HLS_SOFTMAX_H_

#include "common.h"

namespace nn2hls {

// exp of minus the distances from the maximum, and their sum, as trees over the classes. `stride` elements lie between classes.
template <class C, class X, class H, class L>
ap_uint<C::sum_width> exponentials(const X x[], int row, int stride, H high, L low, ap_uint<C::distance_width> distance[],
                                   ap_uint<C::exp_width> e[]) {
    ap_int<C::x_width> largest[C::n];
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        largest[i] = raw(x[i * stride]);
    }
    NN2HLS_UNROLL
    for (int step = 1; step < C::n; step *= 2) {
        NN2HLS_UNROLL
        for (int i = 0; i < C::n - step; i += 2 * step) {
            largest[i] = largest[i] < largest[i + step] ? largest[i + step] : largest[i];
        }
    }
    ap_uint<C::sum_width> sum[C::n];
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        distance[i] = largest[0] - raw(x[i * stride]);
        const ap_uint<C::address_width> address = cast_to<C::distance_shift, C::address_width, false, RND, SAT>(distance[i]);
        const int at = address.to_int();
        const auto coarse = lookup(high, row * C::n + i, at >> C::low_bits);
        const auto fine = lookup(low, row * C::n + i, at & ((1 << C::low_bits) - 1));
        e[i] = (coarse * fine) >> C::exp_drop;
        sum[i] = e[i];
    }
    NN2HLS_UNROLL
    for (int step = 1; step < C::n; step *= 2) {
        NN2HLS_UNROLL
        for (int i = 0; i < C::n - step; i += 2 * step) {
            sum[i] = sum[i] + sum[i + step];
        }
    }
    return sum[0];
}

// The left shift that brings the leading one of the sum to bit exp_fraction + most.
template <class C>
int headroom(const ap_uint<C::sum_width>& sum) {
    const ap_uint<C::sum_width> zero = 0;
    int up = C::most;
    NN2HLS_UNROLL
    for (int k = 1; k <= C::most; k++) {
        const ap_uint<C::sum_width> above = sum >> (C::exp_fraction + k);
        up = above != zero ? C::most - k : up;
    }
    return up;
}

// value[j] + sign * floor(slope[j] * (s - middle of segment j)) for the shifted sum s.
template <class C, int SIGN, class V, class S>
ap_int<C::inverse_width> segment_value(const ap_uint<C::sum_width>& s, int row, V value, S slope) {
    static const int below = C::exp_fraction + C::most - C::segments;
    static const int down = C::slope_drop > 0 ? C::slope_drop : 0;
    static const int up = C::slope_drop < 0 ? -C::slope_drop : 0;
    const ap_uint<C::sum_width> top = s >> below;
    const int j = top.to_int() - (1 << C::segments);
    const ap_uint<C::sum_width> rest = s - (top << below);
    const ap_int<C::sum_width + 1> off = rest - (ap_int<C::sum_width + 1>(1) << below >> 1);
    const ap_int<C::slope_width + C::sum_width + 1 + up> product = lookup(slope, row, C::tangent ? j : 0) * off;
    const ap_int<C::inverse_width> floored = (product << up) >> down;
    const ap_int<C::inverse_width> zero = 0;
    const ap_int<C::inverse_width> change = C::tangent ? floored : zero;
    const ap_int<C::inverse_width> entry = lookup(value, row, j);
    const ap_int<C::inverse_width> plus = entry + change;
    const ap_int<C::inverse_width> minus = entry - change;
    return SIGN > 0 ? plus : minus;
}

template <class C, class X, class Y, class H, class L, class V, class S>
void softmax(const X x[], Y y[], H high, L low, V inverse, S slope) {
    NN2HLS_UNROLL
    for (int row = 0; row < C::outer * C::inner; row++) {
        const int start = row / C::inner * C::n * C::inner + row % C::inner;
        ap_uint<C::distance_width> distance[C::n];
        ap_uint<C::exp_width> e[C::n];
        const ap_uint<C::sum_width> sum = exponentials<C>(x + start, row, C::inner, high, low, distance, e);
        const int up = headroom<C>(sum);
        const ap_uint<C::sum_width> s = sum << up;
        const ap_int<C::inverse_width + C::most> r = segment_value<C, -1>(s, row, inverse, slope);
        const ap_int<C::inverse_width + C::most> factor = r << up;
        NN2HLS_UNROLL
        for (int i = 0; i < C::n; i++) {
            const ap_int<C::exp_width + C::inverse_width + C::most + 2> product = e[i] * factor;
            const ap_int<C::exp_width + C::inverse_width + C::most + 2> share =
                cast_to<C::drop, C::exp_width + C::inverse_width + C::most + 2, true, RND, WRAP>(product);
            const ap_int<C::exp_width + C::inverse_width + C::most + 2> top = C::top;
            const ap_int<C::exp_width + C::inverse_width + C::most + 2> r = share > top ? top : share;
            store<C::shift>(y[start + i * C::inner], r);
        }
    }
}

template <class C, class X, class Y, class H, class L, class V, class S, class P>
void log_softmax(const X x[], Y y[], H high, L low, V value, S slope, P power) {
    NN2HLS_UNROLL
    for (int row = 0; row < C::outer * C::inner; row++) {
        const int start = row / C::inner * C::n * C::inner + row % C::inner;
        ap_uint<C::distance_width> distance[C::n];
        ap_uint<C::exp_width> e[C::n];
        const ap_uint<C::sum_width> sum = exponentials<C>(x + start, row, C::inner, high, low, distance, e);
        const int up = headroom<C>(sum);
        const ap_uint<C::sum_width> s = sum << up;
        const ap_int<C::width> part = segment_value<C, 1>(s, row, value, slope);
        const ap_int<C::width> whole = part + lookup(power, row, C::most - up);
        const ap_int<C::width> zero = 0;
        const ap_int<C::width> total = whole < zero ? zero : whole;
        NN2HLS_UNROLL
        for (int i = 0; i < C::n; i++) {
            const ap_int<C::width> d = distance[i];
            const ap_int<C::width> r = zero - (d << C::distance_up) - (total << C::sum_up);
            store<C::shift>(y[start + i * C::inner], r);
        }
    }
}

}  // namespace nn2hls

#endif
