// Dense layers with reuse: one step of the packed schedule.
#ifndef NN2HLS_DENSE_H_
#define NN2HLS_DENSE_H_

#include "ap_int.h"
#include "common.h"

namespace nn2hls {

// One step: each multiplier reads its ROM word (weight, input index, first, segment, from the top bit down), adds the product
// to its accumulator, which starts from zero where a segment starts, and keeps the running sum in the segment's register.
// The index counts from the multiplier's own CONFIG::inputs inputs; all share x where that is 0.
template <class CONFIG, class X, class WORD, class ACC>
void dense_step(const X x[], const WORD rom[], int step, ACC acc[], ACC part[]) {
    NN2HLS_UNROLL
    for (int m = 0; m < CONFIG::multipliers; m++) {
        const WORD word = rom[step * CONFIG::multipliers + m];
        const int segment_low = 0, first_low = CONFIG::segment_bits, index_low = first_low + 1;
        const int weight_low = index_low + CONFIG::index_bits;
        ap_int<CONFIG::weight_bits> weight = word.range(weight_low + CONFIG::weight_bits - 1, weight_low);
        ap_uint<CONFIG::index_bits> index = word.range(index_low + CONFIG::index_bits - 1, index_low);
        ap_uint<1> first = word.range(first_low, first_low);
        ap_uint<CONFIG::segment_bits> segment = word.range(first_low - 1, segment_low);
        const ACC before = first ? ACC(0) : acc[m];
        const ACC sum = before + x[m * CONFIG::inputs + index.to_int()] * weight;
        acc[m] = sum;
        NN2HLS_UNROLL
        for (int s = 0; s < CONFIG::segments; s++)
            if (segment == s) part[m * CONFIG::segments + s] = sum;
    }
}

}  // namespace nn2hls

#endif
