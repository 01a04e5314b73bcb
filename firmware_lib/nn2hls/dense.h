// Dense layers with reuse: one step of the packed schedule.
#ifndef NN2HLS_DENSE_H_
#define NN2HLS_DENSE_H_

#include "ap_int.h"
#include "common.h"

namespace nn2hls {

// x[index] of N registers. Bambu would put an array with a variable index into a memory, which has two ports, so it gets a tree
// of selections by the bits of the index.
template <int N, class X>
X choose(const X x[], int index) {
#ifdef __BAMBU__
    X level[N];
    NN2HLS_UNROLL
    for (int k = 0; k < N; k++) {
        level[k] = x[k];
    }
    NN2HLS_UNROLL
    for (int step = 1; step < N; step *= 2) {
        NN2HLS_UNROLL
        for (int k = 0; k < N - step; k += 2 * step) {
            level[k] = index & step ? level[k + step] : level[k];
        }
    }
    return level[0];
#else
    return x[index];
#endif
}

// A register that takes a value when it is told to. Bambu gets a selection, which needs no state of its own.
template <class ACC>
void keep(ACC& kept, bool take, const ACC& value) {
#ifdef __BAMBU__
    kept = take ? value : kept;
#else
    if (take) kept = value;
#endif
}

// Before the first step. The schedule writes every register before it is used; Bambu's selections also read it before.
template <class CONFIG, class ACC>
void dense_start(ACC acc[], ACC part[]) {
#ifdef __BAMBU__
    NN2HLS_UNROLL
    for (int m = 0; m < CONFIG::multipliers; m++) {
        acc[m] = 0;
    }
    NN2HLS_UNROLL
    for (int k = 0; k < CONFIG::multipliers * CONFIG::segments; k++) {
        part[k] = 0;
    }
#else
    (void)acc;
    (void)part;
#endif
}

// One step of multiplier m: it adds the product to its accumulator, which starts from zero where a segment starts, and keeps
// the running sum in the segment's register. The index counts from its own CONFIG::inputs inputs; all share x where that is 0.
template <class CONFIG, class X, class WORD, class ACC>
void dense_add(const X x[], const WORD& word, const ap_int<CONFIG::weight_bits>& weight, int m, ACC acc[], ACC part[]) {
    const int segment_low = 0, first_low = CONFIG::segment_bits, index_low = first_low + 1;
    ap_uint<CONFIG::index_bits> index = word.range(index_low + CONFIG::index_bits - 1, index_low);
    ap_uint<1> first = word.range(first_low, first_low);
    ap_uint<CONFIG::segment_bits> segment = word.range(first_low - 1, segment_low);
    const ACC before = first ? ACC(0) : acc[m];
    const ACC sum = before + choose<CONFIG::choices>(x + m * CONFIG::inputs, index.to_int()) * weight;
    acc[m] = sum;
    NN2HLS_UNROLL
    for (int s = 0; s < CONFIG::segments; s++) {
        keep(part[m * CONFIG::segments + s], segment == s, sum);
    }
}

// One step of all multipliers, each with its ROM word: weight, input index, first, segment, from the top bit down.
template <class CONFIG, class X, class ROM, class ACC>
void dense_step(const X x[], ROM rom, int step, ACC acc[], ACC part[]) {
    NN2HLS_UNROLL
    for (int m = 0; m < CONFIG::multipliers; m++) {
        const auto word = banked<CONFIG::multipliers>(rom, m, step);
        const int weight_low = CONFIG::segment_bits + 1 + CONFIG::index_bits;
        ap_int<CONFIG::weight_bits> weight = word.range(weight_low + CONFIG::weight_bits - 1, weight_low);
        dense_add<CONFIG>(x, word, weight, m, acc, part);
    }
}

// The same with weights in a memory: a row of a word for each multiplier in each step.
template <class CONFIG, class X, class ROM, class WEIGHT, class ACC>
void dense_step(const X x[], ROM rom, const WEIGHT weights[], int step, ACC acc[], ACC part[]) {
    NN2HLS_UNROLL
    for (int m = 0; m < CONFIG::multipliers; m++) {
        const auto word = banked<CONFIG::multipliers>(rom, m, step);
        ap_int<CONFIG::weight_bits> weight = weights[step * CONFIG::multipliers + m];
        dense_add<CONFIG>(x, word, weight, m, acc, part);
    }
}

}  // namespace nn2hls

#endif
