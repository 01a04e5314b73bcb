"""Functions that a quantised model has as tables: a word for each value that the operand can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.arith.ranges import Range, carrier, compact, ints, lift, round_constant, width_of
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Hints, Kernel, Op
from nn2hls.hardware import casts
from nn2hls.hardware.net import Net
from nn2hls.ops.broadcast import fits
from nn2hls.ops.exact import given_or_derived
from nn2hls.ops.quantize import ModelType, quantised


@dataclass(frozen=True, eq=False)
class Lookup(Op):
    """y = cast(table[which][a]), a = x rounded and brought into ``kind`` by its modes: entry 0 is that of the lowest a.

    Entries are rounded half to even to ``table_t`` (config: ``table``).

    Args:
        table: (tables, values that ``kind`` has).
        kind: The type whose mantissas are the addresses.
        which: Places, the number of the table of each element, which broadcasts to x's shape without batch axis.
    """

    table: Const
    kind: ModelType
    which: Const
    table_t: FixedType | None = None
    called: ClassVar[tuple[str, ...]] = ("Activation", "UnaryLUT", "QUnaryFunctionLUT")
    activation: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    fresh: ClassVar[bool] = True
    per_channel: ClassVar[tuple[str, ...]] = ("which",)

    def types(self) -> dict[str, FixedType]:
        return {} if self.table_t is None else {"table": self.table_t}

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray:
        return self.table.array

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        words, which = self.table.array, self.which.array
        if words.ndim != 2 or words.shape[1] != self.kind.max_mantissa - self.kind.min_mantissa + 1:
            raise ModelError(f"A table of shape {words.shape} has no entry for each value of {self.kind}.", where=where)
        if not which.size or which.min() < 0 or which.max() >= len(words):
            raise ModelError(f"Elements choose among {len(words)} tables another one.", where=where)
        if not fits(which.shape, shapes[0]):
            raise ModelError(f"Choices of shape {which.shape} do not fit a tensor of {shapes[0]}.", where=where)
        return shapes[0]

    @property
    def enters_as(self) -> FixedType | None:
        return self.kind

    def evaluate_float(self, x: Any) -> Any:
        address = np.ldexp(quantised(x, self.kind), self.kind.fraction)
        return self.table.array[self.which.array.astype(np.intp), (address - self.kind.min_mantissa).astype(np.intp)]

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Lookup:
        kind = given_or_derived(hints, ("table",), self.table.array, hints.noise)
        resolved: Lookup = self.replace(table=Const(round_constant(self.table.array, kind)), table_t=kind)
        return resolved

    def exact(self, xs: Sequence[Range]) -> Range:
        assert self.table_t is not None
        address, first = xs[0].cast(self.kind), self.kind.min_mantissa
        steps = np.zeros(address.shape, dtype=np.int64) if address.zeros is None else address.zeros
        arrays = np.broadcast_arrays(address.least, address.most, self.which.array, steps)
        ends: dict[tuple[int, ...], tuple[int, int]] = {}
        lo, hi = (np.empty(address.shape, dtype=object) for _ in range(2))
        for k, key in enumerate(zip(*(a.reshape(-1).tolist() for a in arrays), strict=True)):
            if key not in ends:
                low, high, row, zeros = key
                reached = self.table.array[int(row), -(-low >> zeros << zeros) - first : high - first + 1 : 1 << zeros]
                ends[key] = int(reached.min()), int(reached.max())
            lo.flat[k], hi.flat[k] = ends[key]
        return Range(ints(lo), ints(hi), self.table_t.fraction)

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,), kind = xs, self.kind
        words = compact(self.table.array)
        held = carrier(int(np.abs(words).max(initial=0)))
        flat = np.ascontiguousarray(words if held is None else words.astype(held)).reshape(-1)
        start = self.which.array.astype(np.intp) * words.shape[1] - kind.min_mantissa
        bound = max(x.bound, x.rounded(kind).bound)

        def run(ops: Sequence[Any], watch: Any) -> Any:
            address = np.asarray(cast_to(lift(ops[0], bound), x.fraction, kind))
            return flat.take(address.astype(np.intp) + start)

        return run

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        """The address is what of the operand is left without the bits that are always zero, as an unsigned number."""
        assert self.table_t is not None
        a = casts.cast(net, wires[0], xs[0].fraction, self.kind)
        zeros, row = net.cells[a].zeros, self.table.array[int(self.which.array.item())]
        low, high = (end >> zeros for end in (net.cells[a].lo, net.cells[a].hi))
        width, first = width_of(low, high), self.kind.min_mantissa
        address = net.wrap(net.shift(a, -zeros), width, signed=False)
        signed = [k - (1 << width) if low < 0 and k >> (width - 1) else k for k in range(1 << width)]
        words = [int(row[(k << zeros) - first]) if low <= k <= high else 0 for k in signed]
        exact = self.exact(xs)
        return net.narrowed(net.lookup(address, words), exact.low, exact.high), exact.fraction
