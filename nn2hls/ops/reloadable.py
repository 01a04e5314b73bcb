"""Sums of products whose weights and biases are memories: a design is built once, and takes other weights of the same types."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints, width_of
from nn2hls.errors import LimitError, TypeResolutionError
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Node
from nn2hls.graph.op import Hints, Op
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.schedule import Schedule
from nn2hls.ops.dense import Dense
from nn2hls.ops.products.affine import Strategy
from nn2hls.ops.products.reloadable import ReloadablePlan

LEAST = 2  # ReuseFactor: a memory has a word for each step
STATED = ("weight", "bias", "result")  # types that must not follow from the weights


@dataclass(frozen=True, eq=False)
class Reloadable(Dense):
    """y[.., j] = cast(bias[j] + sum over i of x[.., i] * weight[i, j]), of weights and biases in memories.

    As Dense, with multipliers that are shared. Nothing is made of the weights' values: a zero takes its turn as any other
    weight, no channel is removed, and all bounds hold for every weight and bias of their types. Only where the layer has
    groups the zeros between them, which are none of its weights, are no products.
    """

    uses: ClassVar[tuple[str, ...]] = (*Dense.uses, "weights")
    written: ClassVar[bool] = True

    @property
    def linear(self) -> None:
        return None

    def channels(self, shapes: Sequence[Shape]) -> None:
        return None

    def absorbed(self, xs: Sequence[Range]) -> tuple[Dense, np.ndarray]:
        return self, np.zeros(self.weight.shape[0], dtype=bool)

    def memory(self) -> tuple[Shape, str, str]:
        weight, bias = self.memory_types()
        return self.weight.shape, str(weight), str(bias)

    def memory_types(self) -> tuple[FixedType, FixedType]:
        assert self.weight_t is not None
        assert self.bias_t is not None
        return self.weight_t, self.bias_t

    def built_in(self) -> Dense:
        return Dense(**{f.name: getattr(self, f.name) for f in dataclasses.fields(self)})

    # ---- types -------------------------------------------------------------------------------------------------------------

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Dense:
        open_types = [word for word in STATED if word not in hints.given]
        if open_types:
            words = ", ".join(f"{word}: ap_fixed<..>" for word in open_types)
            what = f"Its weights are reloadable, so its types must be stated, and not follow from these weights: {words}."
            raise TypeResolutionError(what, fix="Name them under Precision of this layer.")
        return super().resolve(xs, hints)

    def fraction(self, x: Range) -> int:
        assert self.weight_t is not None
        assert self.bias_t is not None
        return max(x.fraction + self.weight_t.fraction, self.bias_t.fraction)

    def aligned_bias(self, x: Range) -> np.ndarray:
        return ints(self.bias.array) << self._bias_up(x)

    def _bias_up(self, x: Range) -> int:
        assert self.bias_t is not None
        return self.fraction(x) - self.bias_t.fraction

    def _products(self, x: Range) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest product with each element of the operand, whatever its weight is: (n_in,) each."""
        kind, n = self.weight_t, self.weight.shape[0]
        assert kind is not None
        ends = [ints(np.broadcast_to(a, (*x.shape[:-1], n))).reshape(-1, n) for a in (x.least, x.most)]
        least, most = ends[0].min(axis=0), ends[1].max(axis=0)
        every = [w * e << self._up(x) for w in (kind.min_mantissa, kind.max_mantissa) for e in (least, most)]
        return np.minimum.reduce(every), np.maximum.reduce(every)

    def _bias_ends(self, x: Range) -> tuple[int, int]:
        assert self.bias_t is not None
        return self.bias_t.min_mantissa << self._bias_up(x), self.bias_t.max_mantissa << self._bias_up(x)

    def _sums(self, products: np.ndarray) -> np.ndarray:
        """The sum of what each output sees of them: (n_out,)."""
        return np.asarray(products @ ints(self.seen))

    def exact_accumulator(self, x: Range) -> FixedType:
        (low, high), (least, most) = self._products(x), self._bias_ends(x)
        lowest = int(self._sums(np.minimum(low, 0)).min(initial=0)) + min(least, 0)
        highest = int(self._sums(np.maximum(high, 0)).max(initial=0)) + max(most, 0)
        width = width_of(lowest, highest)
        return FixedType(width, width - self.fraction(x), lowest < 0)

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        assert self.accum_t is not None
        if self.narrowed([x]):
            return Range.of_type(self.accum_t)
        (low, high), (least, most) = self._products(x), self._bias_ends(x)
        shape = (*x.shape[:-1], self.weight.shape[1])
        lo, hi = (np.broadcast_to(self._sums(a) + b, shape) for a, b in ((low, least), (high, most)))
        return Range(lo, hi, self.fraction(x))

    def exact_bound(self, x: Range) -> int:
        (low, high), bias = self._products(x), self._bias_ends(x)
        return int(self._sums(np.maximum(abs(low), abs(high))).max(initial=0)) + max(map(abs, bias))

    # ---- hardware ----------------------------------------------------------------------------------------------------------

    def products(self, *, zeros: bool = False) -> int:
        return int(self.seen.sum())

    def idle(self) -> tuple[int, int]:
        return 0, 0

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        zeros, all_weights = int(np.count_nonzero(self.weight.array[self.seen] == 0)), self.products()
        return [f"Its weights are reloadable: zeros, {zeros:,} of {all_weights:,} here, cost like all others."]

    def hardware(self, xs: Sequence[Range], result: FixedType, most_digits: int | None = None) -> Hardware:
        return self._plan(xs[0]).hardware(result)

    def counted(self, xs: Sequence[Range], result: FixedType) -> Schedule:
        return self._plan(xs[0]).schedule(result)

    def _plan(self, x: Range) -> ReloadablePlan:
        assert self.bias_t is not None
        if self.reuse < LEAST:
            what = f"Weights lie in memories with a ReuseFactor of {LEAST} or more, not {self.reuse}."
            raise LimitError(what, fix=f"Set ReuseFactor: {LEAST} or more for this layer.")
        plan = ReloadablePlan(self.affine_sums(x), self.bias_t, self.bias.array, self.seen)
        plan.check()
        return plan


def reloadable(node: Node, reuse: int, strategy: str) -> Op:
    """The op of a node with weights that can be written.

    Raises:
        TypeResolutionError: It cannot have them; the message says what can.
    """
    op, fix = node.op, "Leave Weights: reloadable out for this layer."
    if not isinstance(op, Dense):
        what = f"A {type(op).__name__} has no weights that can be reloaded: Dense layers and convolutions have."
        raise TypeResolutionError(what, fix=fix)
    if node.tied or node.turn is not None:
        what = "Its weights belong to the steps of a recurrent layer; those of Dense layers and convolutions can be reloaded."
        raise TypeResolutionError(what, fix=fix)
    if Strategy(strategy) is not Strategy.RESOURCE or reuse < LEAST:
        what = (
            f"Weights lie in memories with Strategy: Resource and a ReuseFactor of {LEAST} or more, not {strategy} and {reuse}."
        )
        raise TypeResolutionError(what, fix=f"Set Strategy: Resource and ReuseFactor: {LEAST} or more for this layer.")
    return Reloadable(**{f.name: getattr(op, f.name) for f in dataclasses.fields(op)})
