// ap_axiu: a light stand-in for compiling generated code without a vendor tool (see ap_int.h). A width of zero has a bit that
// nobody reads.
#ifndef NN2HLS_AP_AXI_SDATA_H_
#define NN2HLS_AP_AXI_SDATA_H_

#include "ap_int.h"

template <int D, int U, int TI, int TD>
struct ap_axiu {
    ap_uint<D> data;
    ap_uint<(D + 7) / 8> keep;
    ap_uint<(D + 7) / 8> strb;
    ap_uint<(U ? U : 1)> user;
    ap_uint<1> last;
    ap_uint<(TI ? TI : 1)> id;
    ap_uint<(TD ? TD : 1)> dest;
};

#endif
