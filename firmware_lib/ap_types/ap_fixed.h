// ap_fixed, ap_ufixed: a light stand-in for compiling generated code without a vendor tool (see ap_int.h).
//
// Generated code names ports and layer results with these types and computes on their raw bits; so this is storage, the bits
// (`range`), and a value for people to look at. There is no arithmetic and no conversion.
#ifndef NN2HLS_AP_FIXED_H_
#define NN2HLS_AP_FIXED_H_

#include "ap_int.h"

enum ap_q_mode { AP_RND, AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, AP_TRN, AP_TRN_ZERO };
enum ap_o_mode { AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP, AP_WRAP_SM };

template <int W, int I, bool S>
struct ap_fixed_base {
    static const int width = W;
    static const int iwidth = I;
    typedef typename ap_int_base<W, S>::type bits;
    bits V;

    auto range(int high, int low) -> decltype(V.range(high, low)) { return V.range(high, low); }
    auto range() -> decltype(V.range(W - 1, 0)) { return V.range(W - 1, 0); }
    auto range(int high, int low) const -> decltype(V.range(high, low)) { return V.range(high, low); }
    auto range() const -> decltype(V.range(W - 1, 0)) { return V.range(W - 1, 0); }
    double to_double() const { return __builtin_ldexp(V.to_double(), I - W); }
};

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
struct ap_fixed : ap_fixed_base<W, I, true> {};

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int N = 0>
struct ap_ufixed : ap_fixed_base<W, I, false> {};

#endif
