// ap_int<W>, ap_uint<W> for designs all of whose integers fit 64 bits (nn2hls.emit.limits proves it): a long long each, and the
// operators are those of C++, so that a translation unit of thousands of additions compiles fast.
//
// A variable holds W bits, as in ap_int.h, and << keeps them; a sum, difference or product is a long long, exact because it
// fits. Only what generated code uses; what is missing does not compile.
#ifndef NN2HLS_AP_NATIVE_H_
#define NN2HLS_AP_NATIVE_H_

template <int W>
struct ap_int;
template <int W>
struct ap_uint;
template <int W, bool S>
struct ap_int_base {
    typedef ap_int<W> type;
};
template <int W>
struct ap_int_base<W, false> {
    typedef ap_uint<W> type;
};

namespace ap_detail {

constexpr long long left(long long v, int n) {
    return n > 63 ? 0 : static_cast<long long>(static_cast<unsigned long long>(v) << n);
}
constexpr long long right(long long v, int n) { return v >> (n > 63 ? 63 : n); }
constexpr long long low_bits(long long v, int width) { return v & static_cast<long long>(~0ull >> (64 - width)); }

}  // namespace ap_detail

// Part of an ap_[u]int; its bits are written.
template <class T>
struct ap_range_ref {
    T& d_bv;
    int high, low;

    void operator=(long long v) const {
        if (low == 0 && high == T::width - 1) {  // all bits: the old value, which may be unset, is not read
            d_bv.V = T::fit(v);
            return;
        }
        const long long mask = ap_detail::left(ap_detail::low_bits(-1, high - low + 1), low);
        d_bv.V = T::fit((d_bv.V & ~mask) | (ap_detail::left(v, low) & mask));
    }
};

#define NN2HLS_AP_NATIVE(NAME, MOST, FIT)                                                                                  \
    template <int W>                                                                                                       \
    struct NAME {                                                                                                          \
        static_assert(W >= 1 && W <= MOST, "ap_native.h: an integer does not fit 64 bits");                                \
        static const int width = W;                                                                                        \
        long long V;                                                                                                       \
                                                                                                                           \
        static constexpr long long fit(long long v) { return FIT; }                                                        \
        NAME() = default;                                                                                                  \
        constexpr NAME(long long v) : V(fit(v)) {}                                                                         \
        template <int W2>                                                                                                  \
        constexpr NAME(const ap_int<W2>& v) : V(fit(v.V)) {}                                                               \
        template <int W2>                                                                                                  \
        constexpr NAME(const ap_uint<W2>& v) : V(fit(v.V)) {}                                                              \
                                                                                                                           \
        constexpr operator long long() const { return V; }                                                                 \
        constexpr int to_int() const { return static_cast<int>(V); }                                                       \
        constexpr long long to_int64() const { return V; }                                                                 \
        constexpr NAME operator<<(int n) const { return NAME(ap_detail::left(V, n)); }                                     \
        constexpr NAME operator>>(int n) const { return NAME(ap_detail::right(V, n)); }                                    \
        constexpr NAME operator~() const { return NAME(~V); }                                                              \
        constexpr bool operator[](int i) const { return ap_detail::right(V, i) & 1; }                                      \
        NAME& operator+=(long long v) { return *this = NAME(V + v); }                                                      \
        NAME& operator-=(long long v) { return *this = NAME(V - v); }                                                      \
                                                                                                                           \
        ap_range_ref<NAME> range(int high, int low) { return ap_range_ref<NAME>{*this, high, low}; }                       \
        long long range(int high, int low) const { return ap_detail::low_bits(ap_detail::right(V, low), high - low + 1); } \
    };

NN2HLS_AP_NATIVE(ap_int, 64, ap_detail::right(ap_detail::left(v, 64 - W), 64 - W))
NN2HLS_AP_NATIVE(ap_uint, 63, ap_detail::low_bits(v, W))
#undef NN2HLS_AP_NATIVE

#endif
