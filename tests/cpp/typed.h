// Runs the arithmetic of ap_int on operands given as words, and prints the results as words; the widths are
// written by test_cast_cpp.py. A number is WORDS 64-bit words, least significant first, sign extended.
#include <cstdio>

#include "nn2hls/cast.h"

const int WORDS = 5;
typedef ap_int<64 * WORDS> any;

inline any read_any(const unsigned long long* words) {
    any v = 0;
    for (int i = WORDS - 1; i >= 0; i--) v.range(64 * i + 63, 64 * i) = ap_uint<64>(words[i]);
    return v;
}
template <class T>
void print(const T& v) {
    const any wide = v;
    for (int i = WORDS - 1; i >= 0; i--) {
        const ap_uint<64> word = wide.range(64 * i + 63, 64 * i);
        std::printf("%016llx", word.to_uint64());
    }
    std::printf("\n");
}

// Comparisons of numbers of two signs are offered for an ap_uint of less than 32 bits only.
template <bool OFFERED>
struct comparisons {
    template <class A, class B>
    static void print(const A& a, const B& b) {
        std::printf("%d%d%d%d%d%d\n", a<b, a <= b, a> b, a >= b, a == b, a != b);
    }
};
template <>
struct comparisons<false> {
    template <class A, class B>
    static void print(const A&, const B&) {
        std::printf("-\n");
    }
};

// The results of every operator, and their widths.
template <class A, class B, bool COMPARABLE>
void arithmetic(const unsigned long long (*operands)[WORDS], int count) {
    for (int i = 0; i + 1 < count; i += 2) {
        const A a = read_any(operands[i]);
        const B b = read_any(operands[i + 1]);
        std::printf("%d %d %d %d %d\n", (a * b).width, (a + b).width, (a - b).width, (a & b).width, (-a).width);
        print(a * b);
        print(a + b);
        print(a - b);
        print(a & b);
        print(a | b);
        print(a ^ b);
        print(-a);
        comparisons<COMPARABLE>::print(a, b);
        const int n = (int)(operands[i][0] % A::width);
        print(a << n);
        print(a >> n);
        A part = a;
        const ap_uint<A::width> low = a.range(n, 0);
        print(low);
        part.range(n, 0) = b;
        print(part);
        A sum = a;
        sum += b;
        print(sum);
        sum -= 3;
        print(sum);
    }
}
