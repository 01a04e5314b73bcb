// ap_int<W>, ap_uint<W>: a light stand-in for compiling generated code without a vendor tool.
//
// Written from the public description (AMD UG1399, "Arbitrary Precision Integer Library"); it offers only what generated code
// uses, so that a translation unit compiles fast. HLS tools use their own ap_int.h. Up to 64 bits the value sits in a long
// long, up to 128 in an __int128, beyond that in words (ap_words.h); a negative value is sign extended, so a word is the value.
#ifndef NN2HLS_AP_INT_H_
#define NN2HLS_AP_INT_H_

#ifdef NN2HLS_NATIVE
#include "ap_native.h"
#else
#ifdef __BAMBU__
#include "ap_narrow.h"
#else
#include "ap_words.h"
#endif

template <int W, bool S>
struct ap_int_base;
template <int W, bool S>
struct ap_range_ref;
template <int W>
struct ap_int;
template <int W>
struct ap_uint;

namespace ap_detail {

constexpr int max(int a, int b) { return a > b ? a : b; }

// Width of the sum before its carry, and of & | ^: an unsigned operand beside a signed one takes a bit more.
constexpr int common(int w1, bool s1, int w2, bool s2) { return max(w1 + (s2 && !s1), w2 + (s1 && !s2)); }

}  // namespace ap_detail

// Base of ap_int and ap_uint, and the type of every result, as in the vendor's headers. It has no constructors: compile time
// goes into calls, and an aggregate is built without any.
template <int W, bool S>
struct ap_int_base {
    static_assert(W >= 1 && W <= 4096, "ap_int: the width is out of range");
    typedef ap_int_base type;  // what an ap_fixed holds
    typedef typename ap_detail::word<W, S>::type word;
    static const int width = W;
    word V;

    // The word of this type for another number: its low W bits.
    template <int W2, bool S2>
    static constexpr word fit(const ap_int_base<W2, S2>& v) {
        return (S == S2 ? W >= W2 : S && W > W2) ? word(v.V) : ap_detail::wrap(word(v.V), W, S);
    }
    static constexpr word fit(int v) { return ap_detail::wrap(word(v), W, S); }
    static constexpr word fit(unsigned v) { return ap_detail::wrap(word(v), W, S); }
    static constexpr word fit(long v) { return ap_detail::wrap(word(v), W, S); }
    static constexpr word fit(unsigned long v) { return ap_detail::wrap(word(v), W, S); }
    static constexpr word fit(long long v) { return ap_detail::wrap(word(v), W, S); }
    static constexpr word fit(unsigned long long v) { return ap_detail::wrap(word(v), W, S); }

    constexpr int to_int() const { return static_cast<int>(static_cast<long long>(V)); }
    constexpr unsigned to_uint() const { return static_cast<unsigned>(static_cast<long long>(V)); }
    constexpr long long to_int64() const { return static_cast<long long>(V); }
    constexpr unsigned long long to_uint64() const { return static_cast<unsigned long long>(static_cast<long long>(V)); }
    explicit constexpr operator bool() const { return V != word(0); }
    explicit constexpr operator int() const { return to_int(); }
    explicit constexpr operator unsigned() const { return to_uint(); }
    explicit constexpr operator long long() const { return to_int64(); }
    explicit constexpr operator unsigned long long() const { return to_uint64(); }
    double to_double() const { return static_cast<double>(V); }

    ap_range_ref<W, S> range(int high, int low);
    ap_int_base<W, false> range(int high, int low) const {
        typedef typename ap_int_base<W, false>::word bits;
        return ap_int_base<W, false>{ap_detail::wrap(bits(ap_detail::right(V, low)), high - low + 1, false)};
    }
    bool operator[](int i) const { return (ap_detail::right(V, i) & word(1)) != word(0); }

    ap_int_base operator<<(int n) const { return ap_int_base{ap_detail::wrap(ap_detail::left(V, n), W, S)}; }
    ap_int_base operator>>(int n) const { return ap_int_base{ap_detail::right(V, n)}; }
    ap_int_base operator~() const { return ap_int_base{ap_detail::wrap(word(~V), W, S)}; }
    bool operator!() const { return V == word(0); }
    ap_int_base<ap_detail::result(ap_detail::max(W, 1 + S) + 1, true), true> operator-() const {
        typedef ap_int_base<ap_detail::result(ap_detail::max(W, 1 + S) + 1, true), true> result;
        return result{-typename result::word(V)};
    }
    template <class T>
    ap_int_base& operator+=(const T& b) {
        V = fit(*this + b);
        return *this;
    }
    template <class T>
    ap_int_base& operator-=(const T& b) {
        V = fit(*this - b);
        return *this;
    }
    ap_int_base& operator<<=(int n) { return *this = *this << n; }
    ap_int_base& operator>>=(int n) { return *this = *this >> n; }
};

// Part of an ap_[u]int; reads as an unsigned number, writes its bits.
template <int W, bool S>
struct ap_range_ref {
    ap_int_base<W, S>& d_bv;
    int high, low;

    ap_int_base<W, false> get() const { return static_cast<const ap_int_base<W, S>&>(d_bv).range(high, low); }
    template <class T>
    const ap_range_ref& operator=(const T& v) const {
        typedef typename ap_int_base<W, S>::word word;
        if (low == 0 && high == W - 1) {  // all bits: the old value, which may be unset, is not read
            d_bv.V = ap_int_base<W, S>::fit(v);
            return *this;
        }
        const word ones = ap_detail::left(word(-1), low);
        const word above = high == W - 1 ? word(0) : ap_detail::left(word(-1), high + 1);
        const word mask = ones & ~above;
        const word bits = ap_detail::left(ap_int_base<W, S>::fit(v), low);
        d_bv.V = ap_detail::wrap(word((d_bv.V & ~mask) | (bits & mask)), W, S);
        return *this;
    }
    unsigned to_uint() const { return get().to_uint(); }
    unsigned long long to_uint64() const { return get().to_uint64(); }
};

template <int W, bool S>
ap_range_ref<W, S> ap_int_base<W, S>::range(int high, int low) {
    ap_range_ref<W, S> part = {*this, high, low};
    return part;
}

template <int W>
struct ap_int : ap_int_base<W, true> {
    typedef ap_int_base<W, true> base;
    ap_int() = default;
    constexpr ap_int(int v) : base{base::fit(v)} {}
    constexpr ap_int(unsigned v) : base{base::fit(v)} {}
    constexpr ap_int(long v) : base{base::fit(v)} {}
    constexpr ap_int(unsigned long v) : base{base::fit(v)} {}
    constexpr ap_int(long long v) : base{base::fit(v)} {}
    constexpr ap_int(unsigned long long v) : base{base::fit(v)} {}
    template <int W2, bool S2>
    constexpr ap_int(const ap_int_base<W2, S2>& v) : base{base::fit(v)} {}
    template <int W2, bool S2>
    ap_int(const ap_range_ref<W2, S2>& v) : base{base::fit(v.get())} {}
};

template <int W>
struct ap_uint : ap_int_base<W, false> {
    typedef ap_int_base<W, false> base;
    ap_uint() = default;
    constexpr ap_uint(int v) : base{base::fit(v)} {}
    constexpr ap_uint(unsigned v) : base{base::fit(v)} {}
    constexpr ap_uint(long v) : base{base::fit(v)} {}
    constexpr ap_uint(unsigned long v) : base{base::fit(v)} {}
    constexpr ap_uint(long long v) : base{base::fit(v)} {}
    constexpr ap_uint(unsigned long long v) : base{base::fit(v)} {}
    template <int W2, bool S2>
    constexpr ap_uint(const ap_int_base<W2, S2>& v) : base{base::fit(v)} {}
    template <int W2, bool S2>
    ap_uint(const ap_range_ref<W2, S2>& v) : base{base::fit(v.get())} {}
};

// Results are wide enough for every value: W1 + W2 for a product, the wider one plus one for a sum. C integers count as 32 or
// 64 bits. & | ^ take the wider width. Comparisons are by value; the vendor's headers for simulation compare an ap_uint of 32
// and more bits with an ap_int as if both were unsigned, so that is refused here.
#define NN2HLS_AP_BINARY(OP, WIDTH, SIGN)                                                                        \
    template <int W1, bool S1, int W2, bool S2>                                                                  \
    constexpr ap_int_base<WIDTH, SIGN> operator OP(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) { \
        typedef typename ap_int_base<WIDTH, SIGN>::word word;                                                    \
        return ap_int_base<WIDTH, SIGN>{word(a.V) OP word(b.V)};                                                 \
    }                                                                                                            \
    NN2HLS_AP_WITH_C(OP, int, 32)                                                                                \
    NN2HLS_AP_WITH_C(OP, long long, 64)

#define NN2HLS_AP_COMPARE(OP)                                                                                              \
    template <int W1, bool S1, int W2, bool S2>                                                                            \
    constexpr bool operator OP(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {                               \
        static_assert(S1 == S2 || (S1 ? W2 : W1) < 32, "compare numbers of one sign: the vendor's headers go wrong here"); \
        return typename ap_int_base < ap_detail::common(W1, S1, W2, S2),                                                   \
               S1 || S2 > ::word(a.V) OP typename ap_int_base < ap_detail::common(W1, S1, W2, S2), S1 || S2 > ::word(b.V); \
    }                                                                                                                      \
    NN2HLS_AP_WITH_C(OP, int, 32)                                                                                          \
    NN2HLS_AP_WITH_C(OP, long long, 64)

#define NN2HLS_AP_WITH_C(OP, CTYPE, BITS)                                                     \
    template <int W, bool S>                                                                  \
    constexpr auto operator OP(const ap_int_base<W, S>& a, CTYPE b)                           \
        ->decltype(a OP ap_int_base<BITS, true>{typename ap_int_base<BITS, true>::word(b)}) { \
        return a OP ap_int_base<BITS, true>{typename ap_int_base<BITS, true>::word(b)};       \
    }                                                                                         \
    template <int W, bool S>                                                                  \
    constexpr auto operator OP(CTYPE a, const ap_int_base<W, S>& b)                           \
        ->decltype(ap_int_base<BITS, true>{typename ap_int_base<BITS, true>::word(a)} OP b) { \
        return ap_int_base<BITS, true>{typename ap_int_base<BITS, true>::word(a)} OP b;       \
    }

NN2HLS_AP_BINARY(*, (ap_detail::result(W1 + W2, S1 || S2)), (S1 || S2))
NN2HLS_AP_BINARY(+, (ap_detail::result(ap_detail::common(W1, S1, W2, S2) + 1, S1 || S2)), (S1 || S2))
NN2HLS_AP_BINARY(-, (ap_detail::result(ap_detail::common(W1, S1, W2, S2) + 1, true)), true)
NN2HLS_AP_BINARY(&, (ap_detail::common(W1, S1, W2, S2)), (S1 || S2))
NN2HLS_AP_BINARY(|, (ap_detail::common(W1, S1, W2, S2)), (S1 || S2))
NN2HLS_AP_BINARY(^, (ap_detail::common(W1, S1, W2, S2)), (S1 || S2))
NN2HLS_AP_COMPARE(==)
NN2HLS_AP_COMPARE(!=)
NN2HLS_AP_COMPARE(<)
NN2HLS_AP_COMPARE(<=)
NN2HLS_AP_COMPARE(>)
NN2HLS_AP_COMPARE(>=)

#undef NN2HLS_AP_BINARY
#undef NN2HLS_AP_COMPARE
#undef NN2HLS_AP_WITH_C

#endif  // NN2HLS_NATIVE
#endif
