// Layers that move values; see nn2hls/ops/shape.py.
#ifndef NN2HLS_SHAPE_H_
#define NN2HLS_SHAPE_H_

#include "common.h"

namespace nn2hls {

template <class C, class Y, class T>
void constant(Y y[], T value) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const ap_int<C::width> m = value[i];
        set_raw(y[i], m);
    }
}

template <class C, class X, class Y>
void copy(const X x[], Y y[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        store<C::shift>(y[i], raw(x[i]));
    }
}

// order: the element of x that each element of y is.
template <class C, class X, class Y, class T>
void transpose(const X x[], Y y[], const T order[]) {
    NN2HLS_UNROLL
    for (int i = 0; i < C::n; i++) {
        const int from = static_cast<int>(order[i]);
        store<C::shift>(y[i], raw(x[from]));
    }
}

// Blocks of size0, size1, .. values in turn, outer times.
template <class C, int K>
struct join {
    template <class X, class Y>
    static void part(int start, const X x[], Y y[]) {
        typedef operand<C, K> at;
        NN2HLS_UNROLL
        for (int o = 0; o < C::outer; o++) {
            NN2HLS_UNROLL
            for (int i = 0; i < at::size(); i++) {
                store<at::shift()>(y[o * C::total + start + i], raw(x[o * at::size() + i]));
            }
        }
    }
    // y comes last in the list of arrays, and is handed along in front as well.
    template <class Y>
    static void run(int, Y, Y) {}
    template <class Y, class X, class Next, class... Rest>
    static void run(int start, Y y, const X x[], Next next, Rest... rest) {
        part(start, x, y);
        join<C, K + 1>::run(start + operand<C, K>::size(), y, next, rest...);
    }
};

template <class... T>
struct last_type;
template <class T>
struct last_type<T> {
    typedef T type;
};
template <class T, class... Rest>
struct last_type<T, Rest...> : last_type<Rest...> {};
template <class T>
T last(T value) {
    return value;
}
template <class T, class Next, class... Rest>
typename last_type<Next, Rest...>::type last(T, Next next, Rest... rest) {
    return last(next, rest...);
}

// concatenate<C>(x0, x1, .., y)
template <class C, class X, class... Rest>
void concatenate(const X x[], Rest... rest) {
    join<C, 0>::run(0, last(rest...), x, rest...);
}

}  // namespace nn2hls

#endif
