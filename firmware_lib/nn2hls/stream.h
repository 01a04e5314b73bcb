// What layers in streams share: tokens, delays, and how processes are called.
#ifndef NN2HLS_STREAM_H_
#define NN2HLS_STREAM_H_

#include "cast.h"
#include "hls_stream.h"

// NN2HLS_FIFO: a queue between two processes. NN2HLS_PROCESS: the call of one. NN2HLS_RUN: after the last of them.
#ifdef NN2HLS_CONCURRENT
#define NN2HLS_FIFO(type, name, depth) hls::stream<type> name(#name, depth)
#define NN2HLS_PROCESS(...) nn2hls::processes::all().add([&]() { __VA_ARGS__; })
#define NN2HLS_RUN() nn2hls::processes::all().run()
#else
#define NN2HLS_FIFO(type, name, depth) hls::stream<type> name(#name)
#define NN2HLS_PROCESS(...) __VA_ARGS__
#define NN2HLS_RUN()
#endif

namespace nn2hls {

// N neighbouring elements of a tensor, which travel together.
template <class T, int N>
struct token {
    T v[N];
};

// y = x, or zero where it is absent; both types hold the same mantissas.
template <class Y, class X>
void gather(Y& y, const X& x) {
    set_raw(y, raw(x));
}
template <class Y, class X>
void gather(Y& y, const X& x, bool absent) {
    ap_int<format<X>::W + 1> mantissa = raw(x);
    if (absent) mantissa = 0;
    set_raw(y, mantissa);
}

// sum = what is kept of it and of x, which alone is kept at first. Its type holds that.
template <class T>
void join_add(T& sum, const T& x, bool first) {
    ap_int<format<T>::W + 1> kept = raw(x);
    if (!first) kept = kept + raw(sum);
    set_raw(sum, kept);
}
template <class T>
void join_max(T& sum, const T& x, bool first) {
    if (first || raw(sum) < raw(x)) sum = x;
}
template <class T>
void join_min(T& sum, const T& x, bool first) {
    if (first || raw(x) < raw(sum)) sum = x;
}

// A delay of N tokens. What comes out before N went in is of an earlier event: nobody reads it.
template <class T, int N>
class delay {
  public:
    T next(const T& in) {
#pragma HLS INLINE
        const T out = words[at];
        words[at] = in;
        at = at == N - 1 ? 0 : at + 1;
        return out;
    }

  private:
    T words[N];
    int at;
};

}  // namespace nn2hls

#endif
