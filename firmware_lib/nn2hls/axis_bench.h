// Between arrays and AXI4-Streams, for test benches.
#ifndef NN2HLS_AXIS_BENCH_H_
#define NN2HLS_AXIS_BENCH_H_

#include "axis.h"
#include "stream_bench.h"

namespace nn2hls {

// See `send` of streams of tokens.
template <class TOKEN, class BEAT, class T, int N>
void send_beats(hls::stream<BEAT>& to, const T (&values)[N], const int* order, int size) {
    for (int first = 0; first < N; first += size) {
        TOKEN token;
        for (int i = 0; i < size; i++) token.v[i] = values[order ? order[first + i] : first + i];
        to.write(to_beat<BEAT>(token, first + size >= N));
    }
}

// See `receive` of streams of tokens.
template <class TOKEN, class BEAT, class T, int N>
std::string receive_beats(hls::stream<BEAT>& from, T (&values)[N], const int* order, int size) {
    for (int first = 0; first < N; first += size) {
        if (from.empty()) return "The design has sent fewer tokens than its answer has.";
        const BEAT beat = from.read();
        TOKEN token;
        from_beat(token, beat);
        for (int i = 0; i < size; i++) values[order ? order[first + i] : first + i] = token.v[i];
        if ((beat.last != 0) != (first + size >= N))
            return "TLAST is not with the last token of the answer, or not there alone.";
    }
    return from.empty() ? "" : "The design has sent more tokens than its answer has.";
}

}  // namespace nn2hls

#endif
