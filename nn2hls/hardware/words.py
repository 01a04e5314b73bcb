"""Names that mean something already: in C++, its libraries or the generated code, in Verilog or VHDL."""

from __future__ import annotations

import re

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const constexpr const_cast
continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if
inline int long main mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public
register reinterpret_cast return short signed sizeof static static_assert static_cast struct switch template this
thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
"""
# Macros, types and variables of the C and C++ libraries that need no prefix; functions are merely overloaded.
_LIBRARY = """
assert daylight environ errno fd_set fpclassify half i386 isfinite isinf isnan isnormal linux major makedev minor offsetof
optarg opterr optind optopt setjmp signbit signgam std stderr stdin stdout timezone tzname u_char u_int u_long u_short
ulong unix ushort va_arg va_copy va_end va_start
"""
# What the generated files themselves declare.
_GENERATED = "defines read_port run_event write_port y"
RESERVED = frozenset(f"{_KEYWORDS} {_LIBRARY} {_GENERATED}".split())
# Words of Verilog, SystemVerilog and VHDL that C++ lacks.
_HARDWARE = """
abs access after alias all always architecture array assign assume attribute begin bind bit block body buf buffer bufif0
bufif1 bus byte casex casez cell chandle checker clocking cmos component config configuration constant constraint context
cover covergroup coverpoint cross deassign defparam design disable disconnect dist downto edge elsif end endcase
endfunction endgenerate endmodule endprimitive endspecify endtable endtask entity event exit expect extends file final
first_match force forever fork forkjoin function generate generic genvar group guarded highz0 highz1 iff ifnone impure in
incdir include inertial initial inout input inside instance integer interface intersect is join label large liblist
library linkage literal local localparam logic longint loop macromodule map matches medium mod modport module nand negedge
new next nmos nor noshowcancelled not notif0 notif1 null of on open or others out output package packed parameter pmos
port posedge postponed primitive priority procedure process program property pull0 pull1 pulldown pullup pure rand randc
randcase randsequence range rcmos real realtime record ref reg register reject release rem repeat report return rnmos rol
ror rpmos rtran rtranif0 rtranif1 scalared select sequence severity shared shortint shortreal signal sla sll small solve
specify specparam sra srl string strong0 strong1 subtype super supply0 supply1 table tagged task then this throughout time
timeprecision timeunit to tran tranif0 tranif1 transport tri tri0 tri1 triand trior trireg type unaffected units unique
until use var variable vectored virtual wait wait_order wand weak0 weak1 when while wildcard wire with within wor xnor xor
"""
HARDWARE = frozenset(_HARDWARE.split())
# Macros of the headers that generated sources include, by families, and single ones. test_cli_robust.py asks the compiler.
_FAMILIES = r"""
(?:ADJ|CLOCK|CLOCKS|CLONE|EXIT|FD|HUGE|LC|MATH|MOD|PTHREAD|RENAME|SCHED|SEEK|STA|TIMER)_[A-Z0-9_]+
CPU_(?:ALLOC|AND|CLR|COUNT|EQUAL|FREE|ISSET|OR|SET|SETSIZE|XOR|ZERO)(?:_SIZE|_S)?
FP_(?:ILOGB0|ILOGBNAN|INFINITE|INT_\w+|LLOGB0|LLOGBNAN|NAN|NORMAL|SUBNORMAL|ZERO)
U?INT(?:\d+|MAX|PTR|_FAST\d+|_LEAST\d+)_(?:C|MAX|MIN|WIDTH)
(?:PTRDIFF|SIG_ATOMIC|SIZE|WCHAR|WINT|RAND|TMP|FOPEN|FILENAME|MB_CUR)_(?:MAX|MIN|WIDTH)
M_(?:1_PI|2_PI|2_SQRTPI|E|LN10|LN2|LOG10E|LOG2E|PI|PI_2|PI_4|SQRT1_2|SQRT2)(?:f\w*|l)?
L_(?:ctermid|cuserid|tmpnam)
P_(?:tmpdir|ALL|PID|PGID|PIDFD)
"""
_SINGLE = """
BIG_ENDIAN BUFSIZ BYTE_ORDER CSIGNAL EOF FILE INFINITY LITTLE_ENDIAN MAXFLOAT NAN NFDBITS NULL PDP_ENDIAN SNAN SNANF SNANF128
SNANF32 SNANF32X SNANF64 SNANF64X SNANL TIME_UTC WCONTINUED WEOF WEXITED WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED
WIFSTOPPED WNOHANG WNOWAIT WSTOPPED WSTOPSIG WTERMSIG WUNTRACED alloca be16toh be32toh be64toh htobe16 htobe32 htobe64
htole16 htole32 htole64 issubnormal iseqsig iscanonical le16toh le32toh le64toh math_errhandling sched_priority
pthread_cleanup_pop pthread_cleanup_pop_restore_np pthread_cleanup_push pthread_cleanup_push_defer_np
"""
_ERRNO = """
2BIG ACCES ADDRINUSE ADDRNOTAVAIL ADV AFNOSUPPORT AGAIN ALREADY BADE BADF BADFD BADMSG BADR BADRQC BADSLT BFONT BUSY CANCELED
CHILD CHRNG COMM CONNABORTED CONNREFUSED CONNRESET DEADLK DEADLOCK DESTADDRREQ DOM DOTDOT DQUOT EXIST FAULT FBIG HOSTDOWN
HOSTUNREACH HWPOISON IDRM ILSEQ INPROGRESS INTR INVAL IO ISCONN ISDIR ISNAM KEYEXPIRED KEYREJECTED KEYREVOKED L2HLT L2NSYNC
L3HLT L3RST LIBACC LIBBAD LIBEXEC LIBMAX LIBSCN LNRNG LOOP MEDIUMTYPE MFILE MLINK MSGSIZE MULTIHOP NAMETOOLONG NAVAIL NETDOWN
NETRESET NETUNREACH NFILE NOANO NOBUFS NOCSI NODATA NODEV NOENT NOEXEC NOKEY NOLCK NOLINK NOMEDIUM NOMEM NOMSG NONET NOPKG
NOPROTOOPT NOSPC NOSR NOSTR NOSYS NOTBLK NOTCONN NOTDIR NOTEMPTY NOTNAM NOTRECOVERABLE NOTSOCK NOTSUP NOTTY NOTUNIQ NXIO
OPNOTSUPP OVERFLOW OWNERDEAD PERM PFNOSUPPORT PIPE PROTO PROTONOSUPPORT PROTOTYPE RANGE REMCHG REMOTE REMOTEIO RESTART RFKILL
ROFS SHUTDOWN SOCKTNOSUPPORT SPIPE SRCH SRMNT STALE STRPIPE TIME TIMEDOUT TOOMANYREFS TXTBSY UCLEAN UNATCH USERS WOULDBLOCK
XDEV XFULL
"""
_MACROS = re.compile("|".join([*_FAMILIES.split(), *_SINGLE.split(), *(f"E{word}" for word in _ERRNO.split())]))
_OURS = r"nn2hls|copy\d*_|write_"
# Also what no function may be called, the namespaces of the vendors, types of POSIX, and the ports of the top function.
_TOP = re.compile(rf"({_OURS}|ap_u?(int|fixed)\Z|(main|hls|ap|file|out\d*|layer\d+_out|\w+_t)\Z)")
# Also vendor types, namespaces and modes, and the ports of the top function.
_LAYER = re.compile(rf"({_OURS}|(ap|ac|sc|hls)_|out\d*\Z|u?int\d*\Z)")


def names_top(name: str) -> bool:
    """False for an identifier that must not name the project and its top function."""
    known = name.lower() in RESERVED | HARDWARE or _TOP.match(name.lower()) is not None
    return not known and _MACROS.fullmatch(name) is None


def names_layer(name: str) -> bool:
    """False for an identifier that must not name a layer; so are all without a small letter, which may be macros."""
    return name.lower() not in RESERVED and _LAYER.match(name.lower()) is None and name != name.upper()
