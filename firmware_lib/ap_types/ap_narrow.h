// The integers that ap_int is made of under Bambu: int, and long long where 32 bits are too few. Only what ap_int.h uses.
//
// Bambu narrows every operator to the bits that its values need; what it cannot do is more than 64 bits.
#ifndef NN2HLS_AP_NARROW_H_
#define NN2HLS_AP_NARROW_H_

namespace ap_detail {

template <bool WIDE>
struct c_integer {
    typedef int type;
    typedef unsigned bits;
};
template <>
struct c_integer<true> {
    typedef long long type;
    typedef unsigned long long bits;
};
// The integer that holds W bits: always signed, so an unsigned value needs one bit more.
template <int W, bool S>
struct word {
    static_assert(W + !S <= 64, "Bambu: integers have at most 64 bits");
    typedef typename c_integer<(W + !S > 32)>::type type;
};

// Width of the result of + - *. Where 64 bits are too few for every value, they do for those that generated code computes:
// it keeps each result in a variable of its proven width, at most 64 bits (nn2hls.emit.limits).
constexpr int result(int w, bool s) { return w + !s > 64 ? 64 - !s : w; }

template <class V>
constexpr V left(V v, int n) {
    return n >= 8 * int(sizeof(V)) ? V(0) : static_cast<V>(static_cast<typename c_integer<(sizeof(V) > 4)>::bits>(v) << n);
}
template <class V>
constexpr V right(V v, int n) {
    return v >> (n >= 8 * int(sizeof(V)) ? 8 * int(sizeof(V)) - 1 : n);
}
// The low `width` bits as a signed or unsigned value.
template <class V>
constexpr V wrap(V v, int width, bool s) {
    return s ? right<V>(left<V>(v, 8 * int(sizeof(V)) - width), 8 * int(sizeof(V)) - width) : v & ~left<V>(V(-1), width);
}

}  // namespace ap_detail

#endif
