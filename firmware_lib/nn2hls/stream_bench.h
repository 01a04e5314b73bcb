// Between arrays and streams, for test benches: the elements of a tensor travel in the order of the tokens.
#ifndef NN2HLS_STREAM_BENCH_H_
#define NN2HLS_STREAM_BENCH_H_

#include <string>

#include "stream.h"

namespace nn2hls {

// Element `order[n]` of the tensor is the n-th that travels; without an order, element n.
template <class TOKEN, class T, int N>
void send(hls::stream<TOKEN>& to, const T (&values)[N], const int* order, int size) {
    for (int first = 0; first < N; first += size) {
        TOKEN token;
        for (int i = 0; i < size; i++) token.v[i] = values[order ? order[first + i] : first + i];
        to.write(token);
    }
}

// What is wrong; empty when all tokens of the tensor were there.
template <class TOKEN, class T, int N>
std::string receive(hls::stream<TOKEN>& from, T (&values)[N], const int* order, int size) {
    for (int first = 0; first < N; first += size) {
        if (from.empty()) return "The design has sent fewer tokens than its answer has.";
        const TOKEN token = from.read();
        for (int i = 0; i < size; i++) values[order ? order[first + i] : first + i] = token.v[i];
    }
    return from.empty() ? "" : "The design has sent more tokens than its answer has.";
}

// What stopped the processes of the last event; empty: nothing.
inline std::string failure() {
#ifdef NN2HLS_CONCURRENT
    return processes::all().failure;
#else
    return "";
#endif
}

}  // namespace nn2hls

#endif
