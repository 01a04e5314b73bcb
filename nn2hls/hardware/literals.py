"""Integers as C++ writes them."""

from __future__ import annotations

import numpy as np

from nn2hls.arith.ranges import width_of


def int_type(low: int, high: int) -> str:
    """The C++ type of the narrowest integer that holds ``low`` to ``high``."""
    return f"ap_{'int' if low < 0 else 'uint'}<{width_of(low, high)}>"


def c_integer(width: int, signed: bool) -> str:
    """The narrowest C integer of at least ``width`` bits; at most 64."""
    name = next(n for bits, n in _C_INTEGERS if bits >= width)
    return f"{'signed' if signed else 'unsigned'} {name}"


_C_INTEGERS = ((8, "char"), (16, "short"), (32, "int"), (64, "long long"))


def literal(value: int) -> str:
    """An integer literal of C++, with the suffix its size asks for."""
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    if value == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    return f"{value}{'ULL' if value >= 1 << 63 else 'LL'}"


def literals(values: np.ndarray) -> list[str]:
    """:func:`literal` of many values, flat."""
    listed = values.ravel().tolist()
    if not listed or (min(listed) > -(1 << 31) and max(listed) < 1 << 31):
        return list(map(str, listed))
    return list(map(literal, listed))


def constant_type(value: int) -> str:
    """The type of :func:`constant`."""
    return int_type(min(value, 0), max(value, 0))


def constant(value: int) -> str:
    """An ap_[u]int that holds exactly ``value``; wider than 64 bits in parts."""
    kind = constant_type(value)
    if -(1 << 63) <= value < 1 << 63:
        return f"{kind}({literal(value)})"
    high, low = value >> 32, value & 0xFFFFFFFF
    return f"{kind}(({kind}({constant(high)}) << 32) + {constant(low)})"
