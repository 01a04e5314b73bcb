"""Names that mean something in C++ already, in its libraries or in the generated code."""

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
_OURS = r"nn2hls|copy\d*_|write_"
_TOP = re.compile(rf"({_OURS}|ap_u?(int|fixed)\Z)")
# Also vendor types, namespaces and modes, and the ports of the top function.
_LAYER = re.compile(rf"({_OURS}|(ap|ac|sc|hls)_|out\d*\Z|u?int\d*\Z)")


def names_top(name: str) -> bool:
    """False for an identifier that must not name the project and its top function."""
    return name.lower() not in RESERVED and _TOP.match(name.lower()) is None


def names_layer(name: str) -> bool:
    """False for an identifier that must not name a layer; so are all without a small letter, which may be macros."""
    return name.lower() not in RESERVED and _LAYER.match(name.lower()) is None and name != name.upper()
