// The same casts as cast_all.cpp by SystemC's sc_fix and sc_ufix (IEEE 1666).
#define SC_INCLUDE_FX
#include <cstdio>
#include <systemc>

using namespace sc_dt;

int sc_main(int, char** argv) {
    const sc_q_mode rounding[] = {SC_TRN, SC_TRN_ZERO, SC_RND, SC_RND_ZERO, SC_RND_INF, SC_RND_MIN_INF, SC_RND_CONV};
    const sc_o_mode overflow[] = {SC_WRAP, SC_SAT, SC_SAT_ZERO, SC_SAT_SYM};
    std::FILE* out = std::fopen(argv[1], "wb");
    for (int width = 1; width <= 6; width++)
        for (int is_signed = 0; is_signed <= 1; is_signed++)
            for (int shift = -8; shift <= 8; shift++)
                for (int r = 0; r < 7; r++)
                    for (int o = 0; o < 4; o++) {
                        sc_fix y(width, width, rounding[r], overflow[o]);
                        sc_ufix u(width, width, rounding[r], overflow[o]);
                        for (int m = -128; m <= 127; m++) {
                            const sc_fix x(m * (shift < 0 ? 1 << -shift : 1) * (1.0 / (1 << (shift > 0 ? shift : 0))), 32, 20);
                            if (is_signed)
                                y = x;
                            else
                                u = x;
                            std::putc((is_signed ? y.to_int() : u.to_int()) & 255, out);
                        }
                    }
    return std::fclose(out);
}
