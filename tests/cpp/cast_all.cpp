// Every cast of every operand of OPERANDS to every small type, by nn2hls::cast with run-time arguments: one byte each.
#include <cstdio>

#include "nn2hls/cast.h"

int main(int, char** argv) {
    std::FILE* out = std::fopen(argv[1], "wb");
    for (int width = 1; width <= 6; width++)
        for (int is_signed = 0; is_signed <= 1; is_signed++)
            for (int shift = -8; shift <= 8; shift++)
                for (int rounding = 0; rounding <= 6; rounding++)
                    for (int overflow = 0; overflow <= 3; overflow++)
                        for (int m = -128; m <= 127; m++) {
                            const ap_int<24> wide = m;
                            const ap_int<24> y = nn2hls::cast<24>(wide, shift, width, is_signed != 0, rounding, overflow);
                            std::putc(y.to_int() & 255, out);
                        }
    return std::fclose(out);
}
