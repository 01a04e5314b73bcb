"""Types per element: a width, integer bits and a sign for each element of a tensor, the modes in common, and their cast."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast_to
from nn2hls.arith.ranges import Range, carrier, ints, lift

_LONG = 1 << 10  # elements of a row that NumPy's loops run over: short ones are slow
_BLOCK = 1 << 15  # elements that are cast before the next ones, to stay in cache
_FAR = 60  # bits that are dropped or appended in floats; beyond, nothing of a value or of a type is left

# What is added to a value, a whole number, so that rounding it to the nearest multiple of ``step`` >= 2 is the mode's rounding.
_OFFSETS: dict[Rounding, Callable[[np.ndarray], Any]] = {
    Rounding.TRN: lambda step: (1 - step) / 2,
    Rounding.RND: lambda step: 0.5,
    Rounding.RND_MIN_INF: lambda step: -0.5,
    Rounding.RND_CONV: lambda step: 0.0,
}


class Grid:
    """A fixed-point type for each element; width 0 is the constant zero.

    Args:
        width: Bits, sign included; 0 and more.
        integer: Bits left of the binary point, sign included.
        signed: Whether it is two's complement.
        rounding, overflow: Of all elements.

    The first three are arrays of integers that broadcast to the tensor, without batch axis.
    """

    def __init__(
        self, width: np.ndarray, integer: np.ndarray, signed: np.ndarray, rounding: Rounding, overflow: Overflow
    ) -> None:
        arrays = np.broadcast_arrays(*(np.asarray(a, dtype=np.int64) for a in (width, integer, signed)))
        self.width, self.integer, self.signed = arrays
        self.rounding, self.overflow = rounding, overflow

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the arrays."""
        return self.width.shape

    def groups(self) -> Iterator[tuple[FixedType | None, np.ndarray]]:
        """Each type that occurs, None for the constant zero, and a mask of the elements that have it."""
        rows = np.stack([self.width, self.integer, self.signed], axis=-1).reshape(-1, 3)
        rows[rows[:, 0] == 0] = 0
        kinds, which = np.unique(rows, axis=0, return_inverse=True)
        for k, (width, integer, signed) in enumerate(kinds.tolist()):
            kind = FixedType(width, integer, bool(signed), self.rounding, self.overflow) if width else None
            yield kind, (which.reshape(-1) == k).reshape(self.shape)

    @cached_property
    def hull(self) -> FixedType:
        """The narrowest type that holds what every element does; the mode of its overflow is that of all elements."""
        real = self.width > 0
        if not real.any():
            return FixedType(1, 1, False)
        fraction = int((self.width - self.integer)[real].max())
        signed = bool(self.signed[real].any())
        integer = int((self.integer + (signed & (self.signed == 0)))[real].max())
        return FixedType(integer + fraction, integer, signed, self.rounding, self.overflow)

    def bounds(self, x: Range) -> Range:
        """The bounds after the cast, as mantissas of the hull, with the zero bits that each element has."""
        shape = np.broadcast_shapes(x.shape, self.shape)
        same = x.broadcast(shape)
        lo, hi, zeros = np.zeros(shape, dtype=object), np.zeros(shape, dtype=object), np.zeros(shape, dtype=np.int64)
        for kind, mask in self.groups():
            if kind is not None:
                chosen = np.broadcast_to(mask, shape)
                up = self.hull.fraction - kind.fraction
                cast = same.flat(np.flatnonzero(chosen)).cast(kind)
                lo[chosen], hi[chosen] = cast.lo << up, cast.hi << up
                zeros[chosen] = up + (0 if cast.zeros is None else cast.zeros)
        return Range(ints(lo), ints(hi), self.hull.fraction, zeros)

    def cast(self, mantissas: Any, x: Range) -> Any:
        """Mantissas (events, *shape) within ``x``, each cast to its own type, as mantissas of the hull."""
        return self.prepared(x)(mantissas)

    def prepared(self, x: Range) -> Callable[[Any], Any]:
        """:meth:`cast` for any number of calls."""
        rows = self._rows(x)
        if rows is None:
            return lambda mantissas: self._in_groups(mantissas, x)
        return lambda mantissas: rows(mantissas) if isinstance(mantissas, np.ndarray) else self._in_groups(mantissas, x)

    def _in_groups(self, mantissas: Any, x: Range) -> np.ndarray:
        """Type by type, however wide they are."""
        out = np.zeros((len(mantissas), *x.shape), dtype=object)
        values = lift(mantissas, x.bound)
        for kind, mask in self.groups():
            if kind is not None:
                chosen = np.broadcast_to(mask, x.shape)
                out[:, chosen] = ints(cast_to(values[:, chosen], x.fraction, kind)) << (self.hull.fraction - kind.fraction)
        return out.astype(np.int64) if self.hull.width < 63 else out

    def _rows(self, x: Range) -> _Rows | None:
        """The cast in floats that hold all that is met on the way; None where they do not, or have no such rounding."""
        real = self.width > 0
        if self.rounding not in _OFFSETS or self.overflow is Overflow.SAT_ZERO or not real.any():
            return None
        shifts = np.where(real, x.fraction - (self.width - self.integer), 0)
        up = max(-int(shifts.min()), 0)
        if up > _FAR or int(shifts.max()) > _FAR or int(self.width.max()) > _FAR:
            return None
        # Truncation takes half a step off each value, and the smallest one below zero shall still be told from zero.
        coarsest = 1 << max(int(shifts.max()), 0) if self.rounding is Rounding.TRN else 1
        kind = carrier(4 * max(x.bound << up, 1 << self.hull.width, coarsest))
        if kind is None or kind.kind != "f":
            return None
        return _Rows(self, x, shifts, kind)


class _Rows:
    """The cast of a grid in floats of a kind, all elements at once, as mantissas of the operand until the end.

    Adding a number whose last bit is worth 2**k, and subtracting it, rounds to a multiple of 2**k, half to even. An offset of
    less than the operand's last bit makes of it each of the other roundings that nothing but the value decides.

    Args:
        grid, x: Types and operand.
        drop: How many low bits each element has to lose; negative: to get; 0 for the constant zero, which has no bits left.
        kind: Of floats, which have two bits more than any value needs.
    """

    def __init__(self, grid: Grid, x: Range, drop: np.ndarray, kind: np.dtype[Any]) -> None:
        self.kind, self.wraps = kind, grid.overflow is Overflow.WRAP
        self.up = kind.type(2.0 ** (grid.hull.fraction - x.fraction))
        tensor, self.drops = x.shape, bool((drop > 0).any())
        step, span = np.exp2(drop.astype(np.float64)), np.exp2((drop + grid.width).astype(np.float64))
        far = 1.5 * 2.0 ** (23 if kind == np.float32 else 52)
        last = np.minimum(step, 1.0)  # of the rounded value, in units of the operand's last bit
        half = np.where(drop > 0, _OFFSETS[grid.rounding](step), 0.0)
        real, negative = grid.width > 0, (grid.signed != 0) & (grid.width > 0)
        low = np.where(negative, -span / 2, 0.0)
        top = np.where(real, low + span - step, 0.0)
        if grid.overflow is Overflow.SAT_SYM:
            low = np.where(negative, -top, 0.0)
        rows = [half, np.where(drop > 0, far * step, 0.0)]
        rows += [last / 2 - low - span / 2, far * span] if self.wraps else [low, top]
        self.size = max(1, math.prod(tensor))
        self.repeat = max(1, _LONG // self.size)
        self.rows = [np.broadcast_to(a, tensor).reshape(-1).astype(kind) for a in rows]
        self.tiled = [np.tile(a, self.repeat) for a in self.rows]

    def __call__(self, mantissas: np.ndarray) -> np.ndarray:
        values = np.ascontiguousarray(mantissas, dtype=self.kind)
        out = np.empty(values.shape, dtype=self.kind)
        flat, result = (a.reshape(len(values), self.size) for a in (values, out))
        whole = len(values) - len(values) % self.repeat
        long = self.size * self.repeat
        block = max(1, _BLOCK // long)
        scratch = np.empty((block, long), dtype=self.kind)
        many, made = flat[:whole].reshape(-1, long), result[:whole].reshape(-1, long)
        for k in range(0, len(many), block):
            self._cast(many[k : k + block], self.tiled, made[k : k + block], scratch)
        if whole < len(values):
            rest = flat[whole:]
            self._cast(rest, self.rows, result[whole:], np.empty_like(rest))
        return out

    def _cast(self, values: np.ndarray, rows: Sequence[np.ndarray], out: np.ndarray, scratch: np.ndarray) -> None:
        half, far, third, fourth = rows
        t = scratch[: len(values)]
        if self.drops:
            np.add(values, half, out=out)
            out += far
            out -= far
            values = out
        if self.wraps:
            np.add(values, third, out=t)
            t += fourth
            t -= fourth
            np.subtract(values, t, out=out)
        else:
            np.maximum(values, third, out=out)
            np.minimum(out, fourth, out=out)
        if self.up != 1:
            out *= self.up
