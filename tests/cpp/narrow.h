// Runs the arithmetic of ap_int as Bambu, and native integers, compile them, on operands of at most 64 bits,
// and prints the results.
#include <cstdio>

#include "nn2hls/cast.h"

template <class T>
void print(const T& v) {
    std::printf("%lld ", v.to_int64());
}

// What + - * of native integers make (ap_native.h).
inline void print(long long v) { std::printf("%lld ", v); }

// Every operator, on all pairs.
template <class A, class B>
void arithmetic(const long long (*operands)[2], int count) {
    for (int i = 0; i < count; i++) {
        const A a = operands[i][0];
        const B b = operands[i][1];
        const int n = (int)((unsigned long long)(operands[i][0]) % A::width);
        print(a * b);
        print(a + b);
        print(a - b);
        print(a & b);
        print(a | b);
        print(a ^ b);
        print(-a);
        print(~a);
        std::printf("%d%d%d%d%d%d%d ", a<b, a <= b, a> b, a >= b, a == b, a != b, !a);
        const int far = (int)((unsigned long long)(operands[i][0]) % 71);  // also beyond all bits
        print(a << far);
        print(a >> far);
        const ap_uint<A::width> low = a.range(n, 0);
        print(low);
        A part = a;
        part.range(n, 0) = b;
        print(part);
        A sum = a;
        sum += b;
        print(sum);
        sum -= 3;
        print(sum);
        print(B(a));
        std::printf("%d\n", a[n] ? 1 : 0);
    }
}
