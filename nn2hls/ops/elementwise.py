"""Arithmetic on several tensors, element by element."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints, lift, round_constant
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware.net import Net
from nn2hls.ops.broadcast import aligned, common_shape
from nn2hls.ops.exact import given_or_derived, hull, operand_rms, scaled


class Merge(enum.Enum):
    """The operations of :class:`Elementwise`."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    AVERAGE = "average"
    MAX = "max"
    MIN = "min"


_BINARY = {
    Merge.ADD: np.add,
    Merge.SUB: np.subtract,
    Merge.MUL: np.multiply,
    Merge.AVERAGE: np.add,
    Merge.MAX: np.maximum,
    Merge.MIN: np.minimum,
}

_JOINED = {Merge.MUL: Net.mul, Merge.MAX: Net.maximum, Merge.MIN: Net.minimum}


@dataclass(frozen=True, eq=False)
class Elementwise(Op):
    """y = cast(x0 o x1 o ...), exact before the cast, with NumPy's broadcasting of shapes without batch axis.

    o is +, - (exactly two operands), *, max, min; AVERAGE is the exact sum times 1/n, where 1/n is rounded half to even to
    ``factor_t`` when n is not a power of two (config: ``factor``), and exact when it is.
    """

    merge: Merge
    factor_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("Merge",)
    arity: ClassVar[int | None] = None
    pointwise: ClassVar[bool] = True

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        if self.merge is Merge.SUB and len(shapes) != 2:
            raise ModelError(f"Subtraction takes two operands, not {len(shapes)}.", where=where)
        return common_shape(shapes, where)

    def identity(self, shapes: Sequence[Shape]) -> bool:
        return len(shapes) == 1 and self.merge is not Merge.SUB

    @property
    def homogeneous(self) -> bool:
        return self.merge is not Merge.MUL

    @property
    def multilinear(self) -> bool:
        return self.merge is Merge.MUL

    def evaluate_float(self, *xs: Any) -> Any:
        total = reduce(_BINARY[self.merge], aligned(xs))
        return total / len(xs) if self.merge is Merge.AVERAGE else total

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Elementwise:
        n = len(xs)
        if self.merge is not Merge.AVERAGE or n & (n - 1) == 0:
            kind = FixedType(1, 2 - n.bit_length(), False)  # holds 1/n exactly when n is a power of two
        else:
            total = math.sqrt(sum(operand_rms(x, hints, k) ** 2 for k, x in enumerate(xs)))
            kind = given_or_derived(hints, ("factor",), [1 / n], hints.noise / total)
        resolved: Elementwise = self.replace(factor_t=kind)
        return resolved

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray:
        return np.array(1 / len(xs) if self.merge is Merge.AVERAGE else 0.0)  # no other merge reads its factor

    def _factor(self, n: int) -> tuple[int, int]:
        """(mantissa, fraction bits) of what the sum is multiplied with."""
        if self.merge is not Merge.AVERAGE:
            return 1, 0
        assert self.factor_t is not None
        return int(round_constant(np.array(1 / n), self.factor_t)), self.factor_t.fraction

    def _ups(self, xs: Sequence[Range]) -> tuple[list[int], int]:
        """(bits that each operand moves up so that all have one fraction, exact fraction)."""
        if self.merge is Merge.MUL:
            return [0] * len(xs), sum(x.fraction for x in xs)
        common = max(x.fraction for x in xs)
        return [common - x.fraction for x in xs], common + self._factor(len(xs))[1]

    def exact(self, xs: Sequence[Range]) -> Range:
        ups, fraction = self._ups(xs)
        factor = self._factor(len(xs))[0]
        lo, hi = xs[0].lo << ups[0], xs[0].hi << ups[0]
        for x, up in zip(xs[1:], ups[1:], strict=True):
            a, b = ints(x.lo << up), ints(x.hi << up)
            if self.merge is Merge.MUL:
                both = hull([lo * a, lo * b, hi * a, hi * b], 0)
                lo, hi = both.lo, both.hi
            elif self.merge is Merge.SUB:
                lo, hi = lo - b, hi - a
            else:
                lo, hi = _BINARY[self.merge](lo, a), _BINARY[self.merge](hi, b)
        return Range(ints(lo * factor), ints(hi * factor), fraction)

    def _bound(self, xs: Sequence[Range]) -> int:
        """The largest magnitude of any partial result."""
        sizes = [max(1, x.bound << up) for x, up in zip(xs, self._ups(xs)[0], strict=True)]
        return math.prod(sizes) if self.merge is Merge.MUL else sum(sizes) * max(1, abs(self._factor(len(xs))[0]))

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        ups, _ = self._ups(xs)
        bound, (factor, _) = self._bound(xs), self._factor(len(xs))

        def run(ops: Sequence[Any], watch: Any) -> Any:
            ready = [scaled(lift(x, bound), up) for x, up in zip(aligned(ops), ups, strict=True)]
            total = reduce(_BINARY[self.merge], ready)
            return total if factor == 1 else total * factor

        return run

    def bit_operations(self, xs: Sequence[Range]) -> int:
        if self.merge is not Merge.MUL:
            return 0
        return int(np.sum(reduce(np.multiply, (x.bits for x in xs))))

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        ups, fraction = self._ups(xs)
        ready = [net.shift(a, up) for a, up in zip(wires, ups, strict=True)]
        if self.merge is Merge.SUB:
            return net.sub(*ready), fraction
        if self.merge in _JOINED:
            return net.tree(partial(_JOINED[self.merge], net), ready), fraction
        total = net.total([(a, False) for a in ready])
        return net.scale(total, self._factor(len(xs))[0]), fraction
