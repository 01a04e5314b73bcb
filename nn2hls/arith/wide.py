"""Exact integers beyond int64, as limbs of NumPy arrays, and matrix products whose sums need them.

Sums of wide products stay in BLAS: mantissas are split into limbs so narrow that every float64 product sum is exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nn2hls.arith import fixed
from nn2hls.arith.fixed import Overflow, Rounding
from nn2hls.arith.parallel import matmul

_BASE = 32
_MASK = (1 << _BASE) - 1
_INT64 = (1 << 63) - 1


class Wide:
    """An array of integers: the sum of ``limbs[i] << 32 * i``.

    All limbs but the last hold 0 to 2**32 - 1; the last one carries the sign and may hold up to 63 bits.
    """

    def __init__(self, limbs: Sequence[np.ndarray]) -> None:
        self.limbs = list(limbs)
        self.shape = self.limbs[0].shape
        self.size = self.limbs[0].size
        self.dtype = np.dtype(object)  # what it would be as a plain array

    @classmethod
    def from_parts(cls, parts: Iterable[tuple[Any, int]]) -> Wide:
        """The sum of ``array << shift`` over the parts; int64, or float64 with integers below 2**63; arrays broadcast."""
        pieces: list[tuple[np.ndarray, int]] = []
        for array, shift in parts:
            at, up = divmod(shift, _BASE)
            whole = np.asarray(array).astype(np.int64)
            pieces += [((whole & _MASK) << up, at), ((whole >> _BASE) << up, at + 1)]
        shape = np.broadcast_shapes(*(p.shape for p, _ in pieces))
        limbs = [np.zeros(shape, dtype=np.int64) for _ in range(max(at for _, at in pieces) + 3)]
        for piece, at in pieces:
            limbs[at] += piece & _MASK
            limbs[at + 1] += piece >> _BASE
        for low, high in itertools.pairwise(limbs):
            high += low >> _BASE
            low &= _MASK
        while len(limbs) > 1 and (limbs[-1].size == 0 or max(limbs[-1].max(), -limbs[-1].min()) < 1 << 30):
            top = limbs.pop()
            limbs[-1] += top << _BASE
        return cls(limbs)

    @classmethod
    def product(cls, a: np.ndarray, b: np.ndarray) -> Wide:
        """The element-wise product of two int64 arrays."""
        return cls.from_parts((x * y, i + j) for x, i in _split(a, 32, 2) for y, j in _split(b, 22, 3))

    def _parts(self, sign: int = 1, up: int = 0) -> list[tuple[np.ndarray, int]]:
        return [(sign * limb, _BASE * i + up) for i, limb in enumerate(self.limbs)]

    def __add__(self, other: Wide) -> Wide:
        return Wide.from_parts(self._parts() + other._parts())

    def __sub__(self, other: Wide) -> Wide:
        return Wide.from_parts(self._parts() + other._parts(-1))

    def __neg__(self) -> Wide:
        return Wide.from_parts(self._parts(-1))

    def __lt__(self, other: int) -> np.ndarray:
        less = np.zeros(self.shape, dtype=bool)
        top = len(self.limbs) - 1
        for i, limb in enumerate(self.limbs):
            word = min(max(other >> _BASE * i, -_INT64 - 1), _INT64) if i == top else (other >> _BASE * i) & _MASK
            less = (limb < word) | ((limb == word) & less)
        # Where the last word had to be brought into int64, `other` lies beyond every number here.
        return np.full(self.shape, other > 0) if other >> _BASE * top != word else less

    def __gt__(self, other: int) -> np.ndarray:
        return ~(self < other + 1)

    def min(self) -> int:
        """The smallest number of the array."""
        return -(-self).max()

    def max(self) -> int:
        """The largest number of the array."""
        value, left = 0, np.ones(self.shape, dtype=bool)
        for limb in reversed(self.limbs):
            largest = limb[left].max()
            left &= limb == largest
            value = (value << _BASE) + int(largest)
        return value

    def astype(self, kind: Any, *, copy: bool = True) -> np.ndarray:
        """Another kind of array; the caller knows that the numbers fit."""
        del copy  # the result never shares memory
        if np.dtype(kind) == np.int64:
            return self._low_word()
        exact = sum((limb.astype(object) << _BASE * i for i, limb in enumerate(self.limbs)), np.zeros((), dtype=object))
        return np.asarray(exact, dtype=object).astype(kind)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.astype(object if dtype is None else dtype)

    def cast(self, shift: int, width: int, signed: bool, rounding: Rounding, overflow: Overflow, *, fits: bool = False) -> Any:
        """As :func:`nn2hls.arith.fixed.cast`: int64 up to 63 bits, else object.

        With ``fits``, numbers that do not fit int64 after all come back as Wide, only rounded.
        """
        if width > 63:
            return fixed.cast(self.astype(object), shift, width, signed, rounding, overflow, fits=fits)
        # Beyond `width` bits up nothing is left, or everything is out of range.
        rounded = (
            self._round(shift, rounding)
            if shift > 0
            else Wide.from_parts(self._parts(up=-shift if fits else min(-shift, width)))
        )
        low, high = fixed._limits(width, signed, overflow)
        if fits:
            inside = not rounded.size or -_INT64 - 1 <= rounded.min() <= rounded.max() <= _INT64
            return rounded._low_word() if inside else rounded
        word = rounded._low_word()
        if overflow is Overflow.WRAP:
            return fixed.cast(word, 0, width, signed, rounding, overflow)
        over, under = rounded > high, rounded < low
        if overflow is Overflow.SAT_ZERO:
            low = high = 0
        return np.where(over, high, np.where(under, low, word))

    def _low_word(self) -> np.ndarray:
        """The low 64 bits, as int64."""
        if len(self.limbs) == 1:
            return self.limbs[0].copy()
        return np.asarray(self.limbs[0] + (self.limbs[1] << _BASE))

    def _bits_at(self, position: int) -> tuple[int, np.ndarray, int]:
        """Which limb holds a bit, that limb, and the place of the bit in it; beyond the last limb its sign."""
        at = min(position // _BASE, len(self.limbs) - 1)
        return at, self.limbs[at], min(position - _BASE * at, 63)

    def _round(self, shift: int, rounding: Rounding) -> Wide:
        """Drop ``shift`` > 0 bits: the floor, plus one where the half bit, the bits below it (sticky) and the mode say so."""
        at, limb, place = self._bits_at(shift)
        floor = [(limb >> place, 0)]
        floor += [(above, _BASE * i - shift) for i, above in enumerate(self.limbs) if i > at]
        at, limb, place = self._bits_at(shift - 1)
        half = ((limb >> place) & 1) != 0
        sticky = (limb & ((1 << place) - 1)) != 0
        for below in self.limbs[:at]:
            sticky |= below != 0
        minus = self.limbs[-1] < 0
        up = {
            Rounding.TRN: np.zeros(self.shape, dtype=bool),
            Rounding.TRN_ZERO: minus & (half | sticky),
            Rounding.RND: half,
            Rounding.RND_ZERO: half & (sticky | minus),
            Rounding.RND_INF: half & (sticky | ~minus),
            Rounding.RND_MIN_INF: half & sticky,
            Rounding.RND_CONV: half & (sticky | ((sum(p for p, s in floor if s == 0) & 1) != 0)),
        }[rounding]
        return Wide.from_parts([*floor, (up, 0)])


def product(a: Any, b: Any, bound: int) -> Any:
    """The element-wise product of integers, of magnitude up to ``bound``: int64 where that holds it, else a Wide.

    Two int64 arrays, or of Python integers, whose product is one.
    """
    if object in (a.dtype, b.dtype):
        return np.asarray(a.astype(object) * b.astype(object))
    return a * b if bound <= _INT64 else Wide.product(a, b)


def added(a: Any, constants: np.ndarray, bound: int) -> Any:
    """``a + constants`` for Python integers as constants, where no product or sum exceeds ``bound``."""
    if isinstance(a, Wide):
        limbs = -(-max(1, bound.bit_length()) // _BASE)
        return a + Wide.from_parts(_split(constants, _BASE, limbs))
    return a + (constants.astype(np.int64) if a.dtype != object and bound <= _INT64 else constants)


def _split(array: Any, bits: int, count: int) -> list[tuple[np.ndarray, int]]:
    """``count`` limbs of integers, each below 2**bits in magnitude, and their places; the last one has the sign."""
    mask = (1 << bits) - 1
    limbs = [(array >> bits * k) & mask if k < count - 1 else array >> bits * k for k in range(count)]
    return [(np.asarray(limb).astype(np.int64), bits * k) for k, limb in enumerate(limbs)]


def _limb_counts(x_bits: int, w_bits: int, sum_bits: int) -> tuple[int, int]:
    """How many limbs of x and w make every product sum exact in float64, with the fewest products."""
    choices = [
        (i * j, i, j)
        for i in range(1, x_bits + 1)
        for j in range(1, w_bits + 1)
        if -(-x_bits // i) - (-w_bits // j) + sum_bits <= 53
    ]
    return min(choices)[1:]


def matmul_exact(
    x: Any, w: np.ndarray, bias: Any = 0, x_bound: int | None = None, bound: int | None = None
) -> np.ndarray | Wide:
    """``x @ w + bias`` on integers, exact.

    Args:
        x: (.., n), integer-valued: float32, float64, int64, object or Wide.
        w: (n, m) constants, int64 or object.
        bias: (m,) constants, int64 or object, or 0.
        x_bound: The largest magnitude in ``x``; looked up without.
        bound: The largest magnitude of any sum of products and bias; derived without.

    Returns:
        int64 when ``bound`` allows, else Wide.
    """
    whole = x.astype(np.int64) if isinstance(x, np.ndarray) and x.dtype.kind != "O" else x.astype(object)
    bias = np.asarray(bias)
    w_bound = _bound(w)
    x_bound = _bound(whole) if x_bound is None else x_bound
    bound = x_bound * w_bound * w.shape[0] + _bound(bias) if bound is None else bound
    x_bits, w_bits = max(1, x_bound.bit_length()), max(1, w_bound.bit_length())
    i, j = _limb_counts(x_bits, w_bits, math.ceil(math.log2(max(1, w.shape[0]))))
    rows, columns = _split(whole, -(-x_bits // i), i), _split(w, -(-w_bits // j), j)
    as_floats = [(b.astype(np.float64), s) for b, s in columns]
    parts: list[tuple[Any, int]] = [(matmul(a.astype(np.float64), b), s + t) for a, s in rows for b, t in as_floats]
    parts += _split(bias, 32, -(-max(1, _bound(bias).bit_length()) // 32))
    if bound > _INT64:
        return Wide.from_parts(parts)
    # Parts may leave int64, their sum does not: arithmetic modulo 2**64 gives it.
    return np.asarray(sum(part.astype(np.int64) << shift for part, shift in parts if shift < 64))


def _bound(array: np.ndarray) -> int:
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0
