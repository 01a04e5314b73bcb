// Additions that stay where they are written.
//
// LLVM makes a chain of a tree of additions, and a product of x << 2 and x << 5; Bambu builds both as they come, so the depth
// of a sum would grow with its terms. It does not look into a call, and Bambu builds an adder in the place of each.
#ifndef NN2HLS_ADDERS_H_
#define NN2HLS_ADDERS_H_

#define NN2HLS_ADDER __attribute__((noinline, unused)) static

NN2HLS_ADDER int nn2hls_add(int a, int b) { return a + b; }
NN2HLS_ADDER int nn2hls_subtract(int a, int b) { return a - b; }
NN2HLS_ADDER long long nn2hls_add_long(long long a, long long b) { return a + b; }
NN2HLS_ADDER long long nn2hls_subtract_long(long long a, long long b) { return a - b; }

namespace nn2hls {

inline int added(int a, int b) { return nn2hls_add(a, b); }
inline int subtracted(int a, int b) { return nn2hls_subtract(a, b); }
inline long long added(long long a, long long b) { return nn2hls_add_long(a, b); }
inline long long subtracted(long long a, long long b) { return nn2hls_subtract_long(a, b); }

// a + b and a - b of ap_[u]int.
template <class A, class B>
auto plus(const A& a, const B& b) -> decltype(a + b) {
    typedef decltype(a + b) result;
    typedef typename result::word word;
    return result{added(word(a.V), word(b.V))};
}
template <class A, class B>
auto minus(const A& a, const B& b) -> decltype(a - b) {
    typedef decltype(a - b) result;
    typedef typename result::word word;
    return result{subtracted(word(a.V), word(b.V))};
}

}  // namespace nn2hls

#endif
