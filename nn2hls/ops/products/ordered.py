"""A Dense layer whose accumulator the user narrowed: each neuron adds its products one after the other, casting every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.csd import digit_count
from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.arith.ranges import Range, ints, width_of
from nn2hls.errors import LimitError
from nn2hls.hardware.code import Code, Pragma
from nn2hls.hardware.literals import constant, int_type
from nn2hls.hardware.schedule import Kind, Operator, Schedule
from nn2hls.ops.cost import cast_operators
from nn2hls.ops.dense import Dense


@dataclass(frozen=True)
class NarrowedPlan:
    """No tree, no sharing: the answer depends on every addition and on their order, which is that of the inputs."""

    op: Dense
    x: Range
    positions: int

    @property
    def accum(self) -> FixedType:
        """The type every addition is cast to."""
        assert self.op.accum_t is not None
        return self.op.accum_t

    def check(self, most: int, where: str) -> None:
        """Refuse a neuron with more than ``most`` products, which no function may hold.

        Raises:
            LimitError: Names a setting that works.
        """
        products = int(np.count_nonzero(self.op.weight.array, axis=0).max(initial=0))
        if products > most:
            raise LimitError(
                f"One of its neurons adds {products:,} products in order, more than the {most:,} of one function.",
                where=where,
                fix="Leave its accum type to nn2hls, which then is exact.",
            )

    def _step(self, i: int, j: int) -> tuple[Range, int, int]:
        """Bounds of the sum before its cast, and how far accumulator and product move up to its fraction."""
        weight, _, f = self.op.aligned(self.x)
        grid = max(f, self.accum.fraction)
        up_a, up_p = grid - self.accum.fraction, grid - f
        ends = [b * int(weight[i, j]) << up_p for b in self.x.bounds(i)]
        low, high = min(ends) + (self.accum.min_mantissa << up_a), max(ends) + (self.accum.max_mantissa << up_a)
        return Range(ints(low), ints(high), grid), up_a, up_p

    def schedule(self, result: FixedType) -> Schedule:
        """A multiplier or shifts for each product, and a chain of additions and casts for each neuron."""
        weight, _, _ = self.op.aligned(self.x)
        found: Counter[Operator] = Counter()
        chains: dict[int, list[Operator]] = {}
        for i, j in np.argwhere(weight != 0):
            total, _, _ = self._step(int(i), int(j))
            each = [Operator(Kind.ADD, (total.width,)), *cast_operators(total, self.accum)]
            product = self._product(int(i), int(weight[i, j]))
            found.update([*product, *each])
            chains.setdefault(int(j), list(product)).extend(each)
        cast = cast_operators(Range.of_type(self.accum), result)
        longest = max(chains.values(), key=len, default=[])
        outputs = len(chains) * self.positions
        operators = [Operator(o.kind, o.widths, n * self.positions) for o, n in found.items()]
        return Schedule(
            operators=(*operators, *(Operator(o.kind, o.widths, outputs) for o in cast)),
            path=(*longest, *cast),
            results=result.width * outputs,
            products=int(np.count_nonzero(weight)) * self.positions,
        )

    def _product(self, i: int, w: int) -> tuple[Operator, ...]:
        digits = int(digit_count(np.array([w], dtype=object if abs(w) >= 1 << 61 else np.int64))[0])
        if digits < 2:
            return ()
        bits = width_of(*self.x.bounds(i))
        if digits == 2:
            return (Operator(Kind.ADD, (bits + abs(w).bit_length(),)),)
        return (Operator(Kind.MUL_CONST, (bits, width_of(min(w, 0), max(w, 0)))),)

    def code(self, result: FixedType, most: int) -> Code:
        """Straight-line code, in functions of at most ``most`` products."""
        weight, bias, f = self.op.aligned(self.x)
        start = ints(cast_to(ints(bias), f, self.accum))
        shift = self.accum.fraction - result.fraction
        groups: list[list[int]] = [[]]
        size = 0
        for j, count in enumerate(np.count_nonzero(weight, axis=0)):
            if size + count > most:
                groups.append([])
                size = 0
            groups[-1].append(j)
            size += int(count)
        parts = [list(self._group(group, weight, start, shift)) for group in groups]
        if len(parts) == 1:
            return Code(parts[0], headers=("cast.h",))
        helpers: list[str | Pragma] = []
        for n, part in enumerate(parts):
            helpers += [f"static void @_part{n}(const @T0 x0[], @TY y[]) {{", *part, "}"]
        return Code([f"@_part{n}(x0, y);" for n in range(len(parts))], helpers, ("cast.h",))

    def _group(self, outputs: list[int], weight: np.ndarray, start: np.ndarray, shift: int) -> Iterator[str]:
        kind = f"ap_{'int' if self.accum.signed else 'uint'}<{self.accum.width}>"
        for i in np.flatnonzero((weight[:, outputs] != 0).any(axis=1)):
            yield f"const {int_type(*self.x.bounds(int(i)))} x_{i} = nn2hls::raw(x0[{i}]);"
        for j in outputs:
            yield f"{kind} a{j} = {constant(int(start[j]))};"
            for i in np.flatnonzero(weight[:, j]):
                yield from self._addition(int(i), j, int(weight[i, j]))
            yield f"nn2hls::store<{shift}>(y[{j}], a{j});"

    def _addition(self, i: int, j: int, w: int) -> Iterator[str]:
        """acc = cast(acc + product); both are moved to the finer of the two fractions first."""
        total, up_a, up_p = self._step(i, j)
        accum = self.accum
        acc = f"(ap_int<{accum.width + 1 + up_a}>(a{j}) << {up_a})" if up_a else f"a{j}"
        modes = f"{accum.width}, {str(accum.signed).lower()}, {int(accum.rounding)}, {int(accum.overflow)}"
        yield f"const {int_type(total.low, total.high)} s{j}_{i} = {acc} + x_{i} * {constant(w << up_p)};"
        yield f"a{j} = nn2hls::cast_to<{total.fraction - accum.fraction}, {modes}>(s{j}_{i});"
