// The mantissas of ports and layers, and the mirror of nn2hls.arith.fixed.cast in Python, by which the test bench rounds
// decimals.
//
// Mantissas are ap_int or ap_uint; a value is mantissa / 2^fraction. The casts of a design are written out where they stand, as
// additions, shifts and comparisons of integers: the ap_fixed conversions of the tools differ from each other.
#ifndef NN2HLS_CAST_H_
#define NN2HLS_CAST_H_

#include "ap_fixed.h"
#include "ap_int.h"

namespace nn2hls {

// The numbers are those of nn2hls.arith.fixed.Rounding and nn2hls.arith.fixed.Overflow.
enum rounding_mode {
    TRN = 0,          // toward minus infinity: the bits are dropped
    TRN_ZERO = 1,     // toward zero
    RND = 2,          // to nearest, ties toward plus infinity
    RND_ZERO = 3,     // to nearest, ties toward zero
    RND_INF = 4,      // to nearest, ties away from zero
    RND_MIN_INF = 5,  // to nearest, ties toward minus infinity
    RND_CONV = 6      // to nearest, ties to even
};
enum overflow_mode {
    WRAP = 0,      // the upper bits are dropped
    SAT = 1,       // the nearest end of the range
    SAT_ZERO = 2,  // zero
    SAT_SYM = 3    // the nearest end of the symmetric range -max..max
};

// Rounds m / 2^shift to an integer and brings it into `width` bits. T must leave room: T >= width + 2; for shift > 0 m fits
// T - 2 bits and shift < T; for shift < 0 m * 2^-shift fits T bits. The result fits T bits as a signed number.
template <int T>
inline ap_int<T> cast(ap_int<T> m, int shift, int width, bool is_signed, int rounding, int overflow) {
    const ap_int<T> zero = 0;
    const ap_int<T> one = 1;
    const int up = shift < 0 ? -shift : 0;
    const int down = shift > 0 ? shift : 0;
    const int below = down > 0 ? down - 1 : 0;  // the number of bits below the half
    const ap_int<T> whole = (m >> down) << up;
    const ap_int<T> half_bit = (m >> below) & one;
    const ap_int<T> low_bits = m & ((one << below) - one);
    const ap_int<T> odd_bit = whole & one;

    const bool minus = m < zero;
    const bool odd = odd_bit != zero;
    const bool half = down > 0 ? half_bit != zero : false;
    const bool more = low_bits != zero;
    const bool tie_up = rounding == RND        ? true
                        : rounding == RND_ZERO ? minus
                        : rounding == RND_INF  ? !minus
                        : rounding == RND_CONV ? odd
                                               : false;
    const bool inexact = half ? true : more;
    const bool toward_zero = minus ? inexact : false;
    const bool nearest = half ? (more ? true : tie_up) : false;
    const bool up_one = rounding == TRN ? false : rounding == TRN_ZERO ? toward_zero : nearest;
    // To nearest with ties up is one addition before the shift: the constant joins that of a bias.
    const ap_int<T> raised = m + (down > 0 ? ap_int<T>(one << below) : zero);
    const ap_int<T> added = whole + (up_one ? one : zero);
    const ap_int<T> shifted = (raised >> down) << up;
    const ap_int<T> rounded = rounding == RND ? shifted : added;

    const ap_int<T> max = (one << (is_signed ? width - 1 : width)) - one;
    const ap_int<T> signed_min = overflow == SAT_SYM ? ap_int<T>(zero - max) : ap_int<T>(zero - max - one);
    const ap_int<T> min = is_signed ? signed_min : zero;
    const ap_int<T> signed_wrap = (rounded << (T - width)) >> (T - width);
    const ap_int<T> unsigned_wrap = rounded & max;
    const ap_int<T> wrapped = is_signed ? signed_wrap : unsigned_wrap;
    const bool over = rounded > max;
    const bool under = rounded < min;
    const bool outside = over ? true : under;
    const ap_int<T> zeroed = outside ? zero : rounded;
    const ap_int<T> at_most = over ? max : rounded;  // a maximum after a minimum: that of a ReLU which follows takes its place
    const ap_int<T> clamped = at_most < min ? min : at_most;
    return overflow == WRAP ? wrapped : overflow == SAT_ZERO ? zeroed : clamped;
}

// ap_int<W> or ap_uint<W>.
template <int W, bool SIGNED>
struct integer {
    typedef ap_int<W> type;
};
template <int W>
struct integer<W, false> {
    typedef ap_uint<W> type;
};

// What a port or layer type is made of: ap_fixed or ap_ufixed with N = 0.
template <int W_, bool SIGNED_, int Q, int O>
struct format_of {
    static const int W = W_;
    static const bool SIGNED = SIGNED_;
    static const int ROUNDING = Q == int(AP_TRN)           ? int(TRN)
                                : Q == int(AP_TRN_ZERO)    ? int(TRN_ZERO)
                                : Q == int(AP_RND)         ? int(RND)
                                : Q == int(AP_RND_ZERO)    ? int(RND_ZERO)
                                : Q == int(AP_RND_INF)     ? int(RND_INF)
                                : Q == int(AP_RND_MIN_INF) ? int(RND_MIN_INF)
                                                           : int(RND_CONV);
    static const int OVERFLOW = O == int(AP_WRAP)       ? int(WRAP)
                                : O == int(AP_SAT)      ? int(SAT)
                                : O == int(AP_SAT_ZERO) ? int(SAT_ZERO)
                                                        : int(SAT_SYM);
    typedef typename integer<W_, SIGNED_>::type mantissa;
};
template <class Y>
struct format;
template <int W, int I, ap_q_mode Q, ap_o_mode O>
struct format<ap_fixed<W, I, Q, O, 0> > : format_of<W, true, int(Q), int(O)> {};
template <int W, int I, ap_q_mode Q, ap_o_mode O>
struct format<ap_ufixed<W, I, Q, O, 0> > : format_of<W, false, int(Q), int(O)> {};

// The mantissa of an ap_fixed as ap_int<W>, of an ap_ufixed as ap_uint<W>.
template <class Y>
inline typename format<Y>::mantissa raw(const Y& y) {
    const typename format<Y>::mantissa m = y.range(format<Y>::W - 1, 0);
    return m;
}

// Writes a mantissa of any ap_int or ap_uint type; bits beyond the width of y are dropped.
template <class Y, class M>
inline void set_raw(Y& y, const M& m) {
    const typename integer<format<Y>::W, false>::type bits = m;
    y.range(format<Y>::W - 1, 0) = bits;
}

}  // namespace nn2hls

#endif
