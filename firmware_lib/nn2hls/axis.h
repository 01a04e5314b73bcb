// Tokens as beats of AXI4-Stream: elements side by side in TDATA, the first in the low bits; TLAST is the last token of an
// event.
#ifndef NN2HLS_AXIS_H_
#define NN2HLS_AXIS_H_

#include "ap_axi_sdata.h"
#include "stream.h"

namespace nn2hls {

// Side channels that nobody reads: Vivado HLS has no widths of zero.
template <class BEAT>
void clear_sides(BEAT&) {}
template <int D>
void clear_sides(ap_axiu<D, 1, 1, 1>& beat) {
    beat.user = 0;
    beat.id = 0;
    beat.dest = 0;
}

template <class BEAT, class T, int N>
BEAT to_beat(const token<T, N>& from, bool last) {
#pragma HLS INLINE
    const int W = format<T>::W;
    BEAT beat;
    beat.data = 0;
    for (int i = 0; i < N; i++) {
#pragma HLS UNROLL
        const ap_uint<format<T>::W> bits = raw(from.v[i]);
        beat.data.range(i * W + W - 1, i * W) = bits;
    }
    beat.keep = -1;
    beat.strb = -1;
    beat.last = last;
    clear_sides(beat);
    return beat;
}

// An event is as long as its tokens: TLAST of what enters is not read.
template <class BEAT, class T, int N>
void from_beat(token<T, N>& to, const BEAT& beat) {
#pragma HLS INLINE
    const int W = format<T>::W;
    for (int i = 0; i < N; i++) {
#pragma HLS UNROLL
        const ap_uint<format<T>::W> bits = beat.data.range(i * W + W - 1, i * W);
        set_raw(to.v[i], bits);
    }
}

}  // namespace nn2hls

#endif
