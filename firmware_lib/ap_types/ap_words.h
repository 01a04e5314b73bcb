// Two's complement integers of N 64-bit words, for ap_int beyond 128 bits. Only what ap_int.h uses.
#ifndef NN2HLS_AP_WORDS_H_
#define NN2HLS_AP_WORDS_H_

template <int N>
struct ap_words {
    typedef unsigned long long limb;
    limb w[N];  // least significant first

    ap_words() = default;
    explicit ap_words(int v) { extend(static_cast<limb>(v), v < 0); }
    explicit ap_words(unsigned v) { extend(v, false); }
    explicit ap_words(long v) { extend(static_cast<limb>(v), v < 0); }
    explicit ap_words(unsigned long v) { extend(v, false); }
    explicit ap_words(long long v) { extend(static_cast<limb>(v), v < 0); }
    explicit ap_words(unsigned long long v) { extend(v, false); }
    explicit ap_words(__int128 v) {
        extend(static_cast<limb>(v), v < 0);
        if (N > 1) w[N > 1] = static_cast<limb>(v >> 64);
    }
    template <int M>
    explicit ap_words(const ap_words<M>& v) {
        for (int i = 0; i < N; i++) w[i] = v.word(i);
    }

    bool negative() const { return w[N - 1] >> 63; }
    limb sign() const { return negative() ? ~limb(0) : 0; }
    limb word(int i) const { return i < 0 ? 0 : i < N ? w[i < N ? i : 0] : sign(); }
    explicit operator long long() const { return static_cast<long long>(w[0]); }
    explicit operator __int128() const { return static_cast<__int128>((static_cast<unsigned __int128>(word(1)) << 64) | w[0]); }
    explicit operator double() const {
        double v = negative() ? -1.0 : 0.0;  // the words above w, all ones or zero
        for (int i = N - 1; i >= 0; i--) v = v * 18446744073709551616.0 + static_cast<double>(w[i]);
        return v;
    }

    ap_words operator~() const {
        ap_words r;
        for (int i = 0; i < N; i++) r.w[i] = ~w[i];
        return r;
    }
    ap_words operator-() const { return ~*this + ap_words(1); }
    ap_words operator+(const ap_words& b) const {
        ap_words r;
        unsigned __int128 carry = 0;
        for (int i = 0; i < N; i++) {
            carry += w[i];
            carry += b.w[i];
            r.w[i] = static_cast<limb>(carry);
            carry >>= 64;
        }
        return r;
    }
    ap_words operator-(const ap_words& b) const { return *this + -b; }
    ap_words operator*(const ap_words& b) const {
        ap_words r(0);
        for (int i = 0; i < N; i++) {
            unsigned __int128 carry = 0;
            for (int j = 0; i + j < N; j++) {
                carry += static_cast<unsigned __int128>(w[i]) * b.w[j];
                carry += r.w[i + j];
                r.w[i + j] = static_cast<limb>(carry);
                carry >>= 64;
            }
        }
        return r;
    }
    ap_words operator&(const ap_words& b) const {
        ap_words r;
        for (int i = 0; i < N; i++) r.w[i] = w[i] & b.w[i];
        return r;
    }
    ap_words operator|(const ap_words& b) const { return ~(~*this & ~b); }
    ap_words operator^(const ap_words& b) const { return (*this | b) & ~(*this & b); }
    ap_words operator<<(int n) const {
        ap_words r;
        const int q = n / 64, s = n % 64;
        for (int i = 0; i < N; i++) r.w[i] = (word(i - q) << s) | (s ? word(i - q - 1) >> (64 - s) : 0);
        return r;
    }
    ap_words operator>>(int n) const {
        ap_words r;
        const int q = n / 64, s = n % 64;
        for (int i = 0; i < N; i++) r.w[i] = (word(i + q) >> s) | (s ? word(i + q + 1) << (64 - s) : 0);
        return r;
    }
    bool operator==(const ap_words& b) const {
        bool same = true;
        for (int i = 0; i < N; i++) same = same && w[i] == b.w[i];
        return same;
    }
    bool operator<(const ap_words& b) const {
        bool less = false;
        for (int i = 0; i < N; i++) less = w[i] < b.w[i] || (w[i] == b.w[i] && less);
        return negative() != b.negative() ? negative() : less;
    }
    bool operator!=(const ap_words& b) const { return !(*this == b); }
    bool operator>(const ap_words& b) const { return b < *this; }
    bool operator<=(const ap_words& b) const { return !(b < *this); }
    bool operator>=(const ap_words& b) const { return !(*this < b); }

  private:
    void extend(limb low, bool minus) {
        for (int i = 1; i < N; i++) w[i] = minus ? ~limb(0) : 0;
        w[0] = low;
    }
};

namespace ap_detail {

// Width of the result of + - *.
constexpr int result(int w, bool) { return w; }

template <int KIND, int BITS>
struct word_kind {
    typedef long long type;
};
template <int BITS>
struct word_kind<1, BITS> {
    typedef __int128 type;
};
template <int BITS>
struct word_kind<2, BITS> {
    typedef ap_words<(BITS + 63) / 64> type;
};
// The integer that holds W bits: always signed, so an unsigned value needs one bit more.
template <int W, bool S>
struct word {
    typedef typename word_kind<(W + !S > 64) + (W + !S > 128), W + !S>::type type;
};

// The low `width` bits as a signed or unsigned value.
constexpr long long wrap(long long v, int width, bool s) {
    return s ? static_cast<long long>(static_cast<unsigned long long>(v) << (64 - width)) >> (64 - width)
             : v & static_cast<long long>(~0ull >> (64 - width));
}
constexpr __int128 wrap(__int128 v, int width, bool s) {
    return s ? static_cast<__int128>(static_cast<unsigned __int128>(v) << (128 - width)) >> (128 - width)
             : v & static_cast<__int128>(~static_cast<unsigned __int128>(0) >> (128 - width));
}
constexpr long long left(long long v, int n) {
    return n > 63 ? 0 : static_cast<long long>(static_cast<unsigned long long>(v) << n);
}
constexpr __int128 left(__int128 v, int n) {
    return n > 127 ? 0 : static_cast<__int128>(static_cast<unsigned __int128>(v) << n);
}
constexpr long long right(long long v, int n) { return v >> (n > 63 ? 63 : n); }
constexpr __int128 right(__int128 v, int n) { return v >> (n > 127 ? 127 : n); }

template <int N>
ap_words<N> left(const ap_words<N>& v, int n) {
    return v << n;
}
template <int N>
ap_words<N> right(const ap_words<N>& v, int n) {
    return v >> n;
}
template <int N>
ap_words<N> wrap(const ap_words<N>& v, int width, bool s) {
    const int up = 64 * N - width;
    const ap_words<N> high = v << up;
    return s ? high >> up : (high >> up) & ~(up ? ap_words<N>(-1) << width : ap_words<N>(0));
}

}  // namespace ap_detail

#endif
