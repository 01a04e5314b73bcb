"""The schedule of a Dense layer whose weights can be written: every product has its place, whatever its weight is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.hardware.casts import cast, cast_raised, raised
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Net
from nn2hls.ops.products.reused import ReusedPlan


@dataclass(frozen=True, eq=False)
class ReloadablePlan(ReusedPlan):
    """As ReusedPlan, for any weights of the shape and the types: zeros take their turn, biases are words too.

    Args:
        bias_t: Type of the biases.
        values: Their mantissas (n_out,).
        seen: (n_in, n_out): which inputs an output is computed of; all others are not there.
    """

    bias_t: FixedType
    values: np.ndarray
    seen: np.ndarray
    in_order: ClassVar[str] = (
        "Leave its accum type to nn2hls, which then is exact; or leave Weights: reloadable out, and set ReuseFactor: 1."
    )
    elsewhere: ClassVar[str] = "Make the layer narrower, or leave Weights: reloadable out for it."

    @property
    def counts(self) -> np.ndarray:
        return np.asarray(self.seen.sum(axis=0))

    @property
    def taken(self) -> np.ndarray:
        return self.seen

    @property
    def biased(self) -> np.ndarray:
        return np.ones(len(self.values), dtype=bool)

    @property
    def ends(self) -> tuple[int, int]:
        """The range of the weights' type."""
        return self.op.weight_t.min_mantissa, self.op.weight_t.max_mantissa

    def factors(self) -> tuple[np.ndarray, ...]:
        shape = (self.multipliers, self.steps)
        return tuple(np.full(shape, end, dtype=object) for end in self.ends)

    def hardware(self, result: FixedType) -> Hardware:
        found = super().hardware(result)
        step, join = found.loops
        body = step.body, step.reads, step.writes, step.ii, step.constants, step.sums
        return Hardware(
            (Loop(*body, written=True), join), found.operands, found.results, found.kept, found.equation, found.turns
        )

    def join(
        self, bounds: Sequence[tuple[int, int]], segment: np.ndarray, places: tuple[np.ndarray, np.ndarray], result: FixedType
    ) -> Loop:
        joined, count = Net(), len(bounds)
        words = [joined.input(k, lo, hi) for k, (lo, hi) in enumerate(bounds)]
        kind, n_out = self.bias_t, len(self.values)
        biases = [joined.input(count + j, kind.min_mantissa, kind.max_mantissa) for j in range(n_out)]
        joined.outputs = list(self._with_biases(joined, words, biases, segment, result))
        reads = np.concatenate([places[0], np.full(n_out, -1)])[None, None]
        held = {count + j: np.array([[value]]) for j, value in enumerate(self.values.tolist())}
        return Loop(joined, reads, places[1][None, None], constants=held, written=True)

    def _with_biases(
        self, net: Net, words: Sequence[int], biases: Sequence[int], segment: np.ndarray, result: FixedType
    ) -> Iterator[int]:
        """Each output: its segments and its bias, cast."""
        fraction, first = self.op.fraction, segment[:, 0]
        up = fraction - self.x.fraction - self.op.weight_t.fraction
        rounding = raised(fraction, result)
        for parts, bias in zip(self.parts, biases, strict=True):
            terms = [(net.shift(words[int(first[m]) + s], up), False) for m, s in parts]
            terms.append((net.shift(bias, fraction - self.bias_t.fraction), False))
            total = net.total([*terms, *([(net.const(rounding), False)] if rounding else [])])
            yield cast(net, total, fraction, result) if rounding is None else cast_raised(net, total, fraction, result)
