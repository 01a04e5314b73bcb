// Arithmetic on several tensors and per channel; see nn2hls/ops/elementwise.py and scale.py for the equations.
#ifndef NN2HLS_ELEMENTWISE_H_
#define NN2HLS_ELEMENTWISE_H_

#include "common.h"

namespace nn2hls {

struct merge_add {
    template <int W>
    static ap_int<W> of(const ap_int<W>& a, const ap_int<W>& b) {
        return a + b;
    }
};
struct merge_sub {
    template <int W>
    static ap_int<W> of(const ap_int<W>& a, const ap_int<W>& b) {
        return a - b;
    }
};
struct merge_mul {
    template <int W>
    static ap_int<W> of(const ap_int<W>& a, const ap_int<W>& b) {
        return a * b;
    }
};
struct merge_max {
    template <int W>
    static ap_int<W> of(const ap_int<W>& a, const ap_int<W>& b) {
        return a < b ? b : a;
    }
};
struct merge_min {
    template <int W>
    static ap_int<W> of(const ap_int<W>& a, const ap_int<W>& b) {
        return a < b ? a : b;
    }
};

// Element i of the result needs this element of operand K, moved up to the common fraction.
template <class C, int K, class X>
ap_int<C::width> operand_at(int i, const X x[]) {
    typedef operand<C, K> at;
    const int row = (i / at::outer()) % at::rows();
    const int column = (i / at::inner()) % at::columns();
    const ap_int<C::width> m = raw(x[row * at::columns() + column]);
    return m << at::up();
}

template <class C, class F, int K>
struct merge_rest {
    template <class Y>
    static void run(int i, const ap_int<C::width>& total, Y y[]) {
        const ap_int<C::width> factor = C::factor();
        const ap_int<C::width> r = total * factor;
        store<C::shift>(y[i], r);
    }
    template <class X, class Next, class... Rest>
    static void run(int i, const ap_int<C::width>& total, const X x[], Next next, Rest... rest) {
        merge_rest<C, F, K + 1>::run(i, F::of(total, operand_at<C, K>(i, x)), next, rest...);
    }
};

template <class C, class F, class X, class... Rest>
void merge(const X x[], Rest... rest) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        merge_rest<C, F, 1>::run(i, operand_at<C, 0>(i, x), rest...);
    }
}

// name<C>(x0, x1, .., y)
#define NN2HLS_MERGE(NAME)                  \
    template <class C, class X, class... R> \
    void NAME(const X x[], R... rest) {     \
        merge<C, merge_##NAME>(x, rest...); \
    }
NN2HLS_MERGE(add)
NN2HLS_MERGE(sub)
NN2HLS_MERGE(mul)
NN2HLS_MERGE(max)
NN2HLS_MERGE(min)
#undef NN2HLS_MERGE

template <class C, class X, class Y, class S, class B>
void scale(const X x[], Y y[], S scale, B bias) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> product = raw(x[i]) * scale[(i / C::scale_inner) % C::scale_size];
        const ap_int<C::width> r = product + bias[(i / C::bias_inner) % C::bias_size];
        store<C::shift>(y[i], r);
    }
}

}  // namespace nn2hls

#endif
