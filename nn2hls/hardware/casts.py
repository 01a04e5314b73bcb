"""The one cast, in a net: rounding and overflow as cells."""

from __future__ import annotations

from collections.abc import Callable

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.hardware.net import Net


def cast(net: Net, a: int, fraction: int, kind: FixedType) -> int:
    """The wire ``a``, of mantissas with ``fraction`` fraction bits, cast to a type.

    The same answers as :func:`nn2hls.arith.fixed.cast_to` in every mode.
    """
    return _fold(net, rounded(net, a, fraction - kind.fraction, kind.rounding), kind)


def raised(fraction: int, kind: FixedType) -> int | None:
    """What rounding to a type adds to every value before the low bits are dropped; None where that depends on the value."""
    drop = fraction - kind.fraction
    if drop <= 0:
        return 0
    constant = _CONSTANT.get(kind.rounding)
    return None if constant is None else constant(drop)


def cast_raised(net: Net, a: int, fraction: int, kind: FixedType) -> int:
    """The cast of a wire to which :func:`raised` was added."""
    return _fold(net, net.shift(a, kind.fraction - fraction), kind)


# What modes add before the low bits are dropped that add the same to every value.
_CONSTANT: dict[Rounding, Callable[[int], int]] = {
    Rounding.TRN: lambda drop: 0,
    Rounding.RND: lambda drop: 1 << (drop - 1),
    Rounding.RND_MIN_INF: lambda drop: (1 << (drop - 1)) - 1,
}


def rounded(net: Net, a: int, drop: int, rounding: Rounding) -> int:
    """a / 2**drop, rounded to a whole number."""
    if drop <= 0 or net.cells[a].zeros >= drop:
        return net.shift(a, -drop)
    added = _ADDED[rounding](net, a, drop)
    return net.shift(a if added is None else net.add(a, added), -drop)


def _half(net: Net, a: int, drop: int) -> int:
    return net.const(1 << (drop - 1))


def _less_than_half(net: Net, a: int, drop: int) -> int:
    return net.const((1 << (drop - 1)) - 1)


def _negative(net: Net, a: int) -> int:
    return net.less(a, net.const(0))


def _to_even(net: Net, a: int, drop: int) -> int:
    """Just below a half, and one more where the floor is odd."""
    return net.add(_less_than_half(net, a, drop), net.wrap(net.shift(a, -drop), 1, signed=False))


# What is added before the low bits are dropped.
_ADDED: dict[Rounding, Callable[[Net, int, int], int | None]] = {
    Rounding.TRN: lambda net, a, drop: None,
    Rounding.TRN_ZERO: lambda net, a, drop: net.select(_negative(net, a), net.const((1 << drop) - 1), net.const(0)),
    Rounding.RND: _half,
    Rounding.RND_ZERO: lambda net, a, drop: net.select(_negative(net, a), _half(net, a, drop), _less_than_half(net, a, drop)),
    Rounding.RND_INF: lambda net, a, drop: net.select(_negative(net, a), _less_than_half(net, a, drop), _half(net, a, drop)),
    Rounding.RND_MIN_INF: _less_than_half,
    Rounding.RND_CONV: _to_even,
}


def _fold(net: Net, a: int, kind: FixedType) -> int:
    """Whole numbers into the range of a type."""
    if kind.overflow is Overflow.WRAP:
        return net.wrap(a, kind.width, kind.signed)
    low, high = kind.min_mantissa, kind.max_mantissa
    if kind.overflow is not Overflow.SAT_ZERO:
        return net.clip(a, low, high)
    zero = net.const(0)
    above, below = net.less(net.const(high), a), net.less(a, net.const(low))
    x = net.cells[a]
    inside = net.select(above, zero, a, min(x.lo, 0), min(x.hi, high) if x.hi >= 0 else x.hi)
    x = net.cells[inside]
    return net.select(below, zero, inside, max(x.lo, low) if x.lo <= 0 else x.lo, max(x.hi, 0))
