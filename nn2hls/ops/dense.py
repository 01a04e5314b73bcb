"""Dense: the product with a constant matrix over the last axis."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType, Rounding, cast_to
from nn2hls.arith.parallel import matmul
from nn2hls.arith.ranges import (
    FLOAT64_EXACT,
    INT64_EXACT,
    MAX_AUTO_ACCUMULATOR,
    Range,
    carrier,
    constant_type,
    enclosed,
    ints,
    round_constant,
    width_of,
)
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.op import Accumulation, Hints, Kernel, Op, Watch
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part, slices
from nn2hls.hardware.schedule import Schedule
from nn2hls.ops.exact import operand_rms
from nn2hls.ops.products.accumulated import accumulated, factors
from nn2hls.ops.products.affine import Affine, Strategy
from nn2hls.ops.products.bounds import column_counts, product_bounds
from nn2hls.ops.products.distributed import distributed_terms
from nn2hls.ops.products.reused import ReusedPlan, check_straight
from nn2hls.ops.products.straight import ordered, product_terms, sums

_ROW = 4096  # elements of a row of biases
_HALVES = {Rounding.TRN: 0.0, Rounding.RND: 0.5}  # what is added before the floor, in steps of the result


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """y[.., j] = cast(bias[j] + sum over i of x[.., i] * weight[i, j]), over the last axis, any leading axes.

    Products and sum are exact; the one rounding is the cast to the result type. When the user names an ``accum`` type that
    does not hold the exact sum, the accumulator starts at cast(bias[j]) and the product of each non-zero weight is added in
    ascending i, with a cast to ``accum_t`` after every addition; without one, ``accum_t`` holds every partial sum exactly.

    Args:
        weight: (n_in, n_out).
        bias: (n_out,); zeros where the framework has none.
        reuse: Products that share one multiplier.
        adder_depth: Additions beyond the fewest on the longest way, where all sums are one graph.
        grouped: (groups, channels of each), where inputs are places of groups of channels and outputs groups of filters: a
            filter sees the channels of its own group, all other weights are zeros by the layer's meaning. None: it sees all.
    """

    weight: Const
    bias: Const
    weight_t: FixedType | None = None
    bias_t: FixedType | None = None
    accum_t: FixedType | None = None
    reuse: int = 1
    strategy: Strategy = Strategy.LATENCY
    adder_depth: int = 0
    grouped: tuple[int, int] | None = None
    fresh: ClassVar[bool] = True
    uses: ClassVar[tuple[str, ...]] = ("reuse", "strategy", "adder_depth")

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        n_in, n_out = self.weight.shape
        if not shapes[0] or shapes[0][-1] != n_in:
            raise ModelError(f"Its weights take {n_in} values, its operand has shape {shapes[0]}.", where=where)
        if self.bias.shape != (n_out,):
            raise ModelError(f"Its bias has shape {self.bias.shape} and must have ({n_out},).", where=where)
        return (*shapes[0][:-1], n_out)

    def positions(self, shapes: Sequence[Shape]) -> int:
        return len(shapes[0]) - 1

    def evaluate_float(self, x: Any) -> Any:
        return matmul(x, self.weight.array) + self.bias.array

    def accumulating(self, xs: Sequence[Range]) -> tuple[int, ...]:
        return () if self.written or self.narrowed(xs) else factors(self.weight)

    def accumulation(self, x: Range) -> Accumulation | None:
        if len(x.shape) != 1 or self.reuse not in self.accumulating([x]):
            return None
        assert self.weight_t is not None
        assert self.bias_t is not None
        return accumulated(self.weight, self.weight_t, self.bias, self.bias_t, x, self.reuse)

    # ---- rewrites --------------------------------------------------------------------------------------------------------

    @property
    def linear(self) -> tuple[np.ndarray, np.ndarray] | None:
        return self.weight.array, self.bias.array

    def folded(self, scale: np.ndarray, shift: np.ndarray) -> Dense | None:
        if not (_per_channel(scale) and _per_channel(shift)):
            return None
        scale, shift = (np.broadcast_to(np.ravel(a), self.bias.shape) for a in (scale, shift))
        return self.replace(weight=Const(self.weight.array * scale), bias=Const(self.bias.array * scale + shift))

    def absorbed(self, xs: Sequence[Range]) -> tuple[Dense, np.ndarray]:
        (x,), n = xs, self.weight.shape[0]
        lo, hi = (np.broadcast_to(a, np.broadcast_shapes(a.shape, (n,))).reshape(-1, n) for a in (x.lo, x.hi))
        constant = np.asarray(np.all((lo == hi) & (lo == lo[:1]), axis=0)) & np.any(self.weight.array != 0, axis=1)
        if not constant.any() or self.narrowed(xs):
            return self, np.zeros(n, dtype=bool)
        weight, bias, fraction = self.aligned(x)
        total = ints(bias) + np.dot(ints(lo[0][constant]), ints(weight[constant]))
        low, high = int(total.min(initial=0)), int(total.max(initial=0))
        width = width_of(low, high)
        changed = self.replace(
            weight=Const(np.where(constant[:, None], 0, self.weight.array)),
            bias=Const(total.astype(np.int64) if width < 63 else total),
            bias_t=FixedType(width, width - fraction, low < 0),
        )
        return changed.widened(xs), constant

    def rewired(self, weights: np.ndarray, kept: np.ndarray, idle: np.ndarray) -> Dense:
        assert self.weight_t is not None
        weight, bias = (np.where(idle, 0, a)[..., kept] for a in (weights, self.bias.array))
        weight_t = _holding(self.weight_t, weight)
        return self.replace(weight=Const(weight), bias=Const(bias), weight_t=weight_t, grouped=None)

    @property
    def seen(self) -> np.ndarray:
        """(n_in, n_out): of each weight whether it is one of the layer's."""
        n_in, n_out = self.weight.shape
        if self.grouped is None:
            return np.ones((n_in, n_out), dtype=bool)
        groups, channels = self.grouped
        return np.asarray((np.arange(n_in) // channels % groups)[:, None] == np.arange(n_out) // (n_out // groups))

    # ---- types -----------------------------------------------------------------------------------------------------------

    def configured(self, *, reuse: int = 1, strategy: str = "Latency", adder_depth: int = 0) -> Dense:
        return self.replace(reuse=reuse, strategy=Strategy(strategy), adder_depth=adder_depth)

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Dense:
        weight, bias = self.weight.array, self.bias.array
        fan_in = max(1, int(column_counts(self.weight).max(initial=0)))
        rms = operand_rms(xs[0], hints)
        # Rounding a weight by a uniform error of one step has variance step**2 / 12 (Widrow); fan_in of them add up.
        weight_step = hints.noise / math.sqrt(2) * math.sqrt(12 / fan_in) / rms
        weight_t = hints.given.get("weight") or constant_type(weight, weight_step, hints.max_width)
        bias_t = hints.given.get("bias") or constant_type(bias, hints.noise / math.sqrt(2) * math.sqrt(12), hints.max_width)
        op = self.replace(
            weight=Const(round_constant(weight, weight_t)),
            bias=Const(round_constant(bias, bias_t)),
            weight_t=weight_t,
            bias_t=bias_t,
        )
        exact_t = op.exact_accumulator(xs[0])
        while exact_t.width > MAX_AUTO_ACCUMULATOR and "weight" not in hints.given and weight_t.width > 2:
            weight_t = FixedType(weight_t.width - 1, weight_t.integer, weight_t.signed)
            op = op.replace(weight=Const(round_constant(weight, weight_t)), weight_t=weight_t)
            exact_t = op.exact_accumulator(xs[0])
        return op.replace(accum_t=hints.given.get("accum") or exact_t)

    def fraction(self, x: Range) -> int:
        """Fraction bits of the exact sum."""
        assert self.weight_t is not None
        assert self.bias_t is not None
        product = x.fraction + self.weight_t.fraction
        return max(product, self.bias_t.fraction) if np.any(self.bias.array) else product

    def aligned(self, x: Range) -> tuple[np.ndarray, np.ndarray, int]:
        """Weights and biases as mantissas such that x @ weights + biases has ``fraction(x)``: (weights, biases, fraction)."""
        return _shift_left(self.weight.array, self._up(x)), self.aligned_bias(x), self.fraction(x)

    def aligned_bias(self, x: Range) -> np.ndarray:
        """Biases as mantissas of ``fraction(x)``."""
        assert self.bias_t is not None
        if not np.any(self.bias.array):
            return np.zeros_like(self.bias.array)
        return _shift_left(self.bias.array, self.fraction(x) - self.bias_t.fraction)

    def _up(self, x: Range) -> int:
        """Bits that the products are moved up by to meet the biases."""
        assert self.weight_t is not None
        return self.fraction(x) - x.fraction - self.weight_t.fraction

    def exact_accumulator(self, x: Range) -> FixedType:
        """The narrowest type that holds every partial sum in any order, biases and single products included."""
        bounds, up, bias = product_bounds(self.weight, x), self._up(x), ints(self.aligned_bias(x))
        low = min(0, int(((bounds.least << up) + np.minimum(bias, 0)).min(initial=0)))
        high = max(0, int(((bounds.most << up) + np.maximum(bias, 0)).max(initial=0)))
        width = width_of(low, high)
        return FixedType(width, width - self.fraction(x), low < 0)

    def widened(self, xs: Sequence[Range]) -> Dense:
        return self.replace(accum_t=self.exact_accumulator(xs[0]))

    def narrowed(self, xs: Sequence[Range]) -> bool:
        assert self.accum_t is not None
        exact = self.exact_accumulator(xs[0])
        covers = self.accum_t.integer - self.accum_t.signed >= exact.integer - exact.signed
        return not (covers and self.accum_t.fraction >= exact.fraction and (self.accum_t.signed or not exact.signed))

    # ---- values ----------------------------------------------------------------------------------------------------------

    def exact(self, xs: Sequence[Range]) -> Range:
        (x,) = xs
        assert self.accum_t is not None
        if self.narrowed([x]):
            return Range.of_type(self.accum_t)
        bounds, up, bias = product_bounds(self.weight, x), self._up(x), ints(self.aligned_bias(x))
        lo, hi = (bounds.everywhere((end << up) + bias) for end in (bounds.lo, bounds.hi))
        return Range(lo, hi, self.fraction(x))

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        (x,) = xs
        if self.narrowed(xs):
            return self._narrow_kernel(x)
        weight, bias, _ = self.aligned(x)
        bound = max(self.exact_bound(x), x.bound)
        reach = max(bound, _largest(weight))
        kind = carrier(reach) if reach <= FLOAT64_EXACT else None
        if kind is None:
            from nn2hls.arith.wide import matmul_exact

            return lambda ops, watch: matmul_exact(ops[0], weight, bias, x.bound, bound)
        w, b = weight.astype(kind), bias.astype(kind)
        has_bias = bool(b.any())

        def run(ops: Sequence[Any], watch: Watch) -> Any:
            y = matmul(ops[0].astype(kind, copy=False), w)
            if has_bias:
                y += b
            return y

        return run

    def rounding_kernel(self, xs: Sequence[Range], result: FixedType) -> Kernel | None:
        """The scaling of the cast is done to the constants, and the half that rounding adds to the bias; then floor rounds."""
        (x,) = xs
        shift = self.fraction(x) - result.fraction
        if result.rounding not in _HALVES or not 0 < shift <= 64 or self.narrowed([x]):
            return None
        weight, bias, _ = self.aligned(x)
        kind = carrier(max(self.exact_bound(x), _largest(weight)) + (1 << shift))
        if kind is None or kind.kind != "f":
            return None
        step = kind.type(2.0**-shift)
        w, b = weight.astype(kind) * step, bias.astype(kind) * step + kind.type(_HALVES[result.rounding])
        b = np.tile(b, max(1, _ROW // max(len(b), 1)))

        def run(ops: Sequence[Any], watch: Watch) -> Any:
            y = matmul(ops[0].astype(kind, copy=False), w)
            _add_rows(y, b)
            return np.floor(y, out=y)

        return run

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        # A sum of zeros and ones is positive in float32 whatever it rounds to.
        return [(needed.astype(np.float32) @ (self.weight.array != 0).T.astype(np.float32)) > 0]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        return [None]

    def exact_bound(self, x: Range) -> int:
        """The largest magnitude that any partial sum in any order can have: the sum of absolute products and the bias."""
        total = product_bounds(self.weight, x).size << self._up(x)
        return int((total + np.abs(ints(self.aligned_bias(x)))).max(initial=0))

    def _narrow_kernel(self, x: Range) -> Kernel:
        accum = self.accum_t
        assert accum is not None
        weight, bias, f = self.aligned(x)
        grid = max(f, accum.fraction)  # the accumulator and the products as mantissas of one fraction
        start = ints(cast_to(ints(bias), f, accum)) << (grid - accum.fraction)
        rows = [(i, np.flatnonzero(weight[i]), ints(weight[i][weight[i] != 0])) for i in range(weight.shape[0])]
        largest = max(accum.max_mantissa, -accum.min_mantissa) << (grid - accum.fraction)
        largest += max(1, x.bound) * max(1, _largest(weight)) << (grid - f)
        kind = np.dtype(np.int64 if largest <= INT64_EXACT else object)

        def run(ops: Sequence[Any], watch: Watch) -> Any:
            values = ints(ops[0]) if kind.kind == "O" else ops[0].astype(np.int64)
            y = np.broadcast_to(start.astype(kind), (*values.shape[:-1], weight.shape[1])).copy()
            for i, columns, w in rows:
                total = y[..., columns] + ((values[..., i, None] * w.astype(kind)) << (grid - f))
                watch("accum", total, grid, accum)
                y[..., columns] = cast_to(total, grid, accum) << (grid - accum.fraction)
            return y >> (grid - accum.fraction)

        return run

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        """Where another setting leaves nothing for DistributedArithmetic to do."""
        if self.strategy is not Strategy.DISTRIBUTED or not self.products():
            return []
        if self.reuse > 1:
            why = f"ReuseFactor {self.reuse:,} shares multipliers, and has no additions to share; leave one of the two out"
        elif self.narrowed(xs):
            why = f"its additions keep the order that its accumulator {self.accum_t} fixes; leave one of the two out"
        else:
            return []
        return [f"Strategy: {self.strategy.value} has no effect: {why}."]

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def products(self, *, zeros: bool = False) -> int:
        return self.weight.array.size if zeros else int(column_counts(self.weight).sum())

    def idle(self) -> tuple[int, int]:
        read = np.any(self.weight.array != 0, axis=1)
        return int(np.count_nonzero(column_counts(self.weight) == 0)), int(np.count_nonzero(~read))

    def work(self, xs: Sequence[Range]) -> int:
        return self.products() * math.prod(xs[0].shape[:-1])

    def bit_operations(self, xs: Sequence[Range]) -> int:
        (x,) = xs
        bits = np.broadcast_to(x.bits, x.shape).reshape(-1, x.shape[-1])
        products = bits.sum(axis=0) @ enclosed(self.weight.array).sum(axis=1)
        return int(products) + int(enclosed(self.bias.array).sum()) * len(bits)

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        yield slices(self, xs[0], shape, len(shape) - 1)

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        (x,), (wires,) = xs, words
        weight, bias, fraction = self.aligned(x)
        if self.narrowed([x]):
            assert self.accum_t is not None
            return np.array(list(ordered(net, wires.tolist(), weight, bias, fraction, self.accum_t, result)))
        deep = partial(distributed_terms, deeper=self.adder_depth)
        expand = deep if self.strategy is Strategy.DISTRIBUTED else product_terms
        return np.array(list(sums(net, wires.tolist(), weight, bias.tolist(), fraction, result, expand)))

    def affine_sums(self, x: Range) -> Affine:
        """The layer as sums of products."""
        assert self.weight_t is not None
        assert self.accum_t is not None
        return Affine(
            self.weight,
            self.weight_t,
            self.aligned_bias(x),
            x,
            self.fraction(x),
            self.exact([x]),
            self.accum_t,
            self.narrowed([x]),
            self.reuse,
            self.strategy,
            self.equation(),
        )

    def hardware(self, xs: Sequence[Range], result: FixedType, most_digits: int | None = None) -> Hardware:
        plan = self._reused(xs[0])
        if plan is not None:
            return plan.hardware(result)
        check_straight(self.affine_sums(xs[0]))
        return super().hardware(xs, result, most_digits)

    def counted(self, xs: Sequence[Range], result: FixedType) -> Schedule | None:
        plan = self._reused(xs[0])
        return None if plan is None else plan.schedule(result)

    def _reused(self, x: Range) -> ReusedPlan | None:
        """The layout with reuse; None without, and where nothing but biases is left."""
        if self.reuse == 1 or not self.products():
            return None
        plan = ReusedPlan(self.affine_sums(x))
        plan.check()
        return plan


def _per_channel(array: np.ndarray) -> bool:
    """True when only the last axis differs from one."""
    return array.size == (array.shape[-1] if array.ndim else 1)


def _holding(kind: FixedType, mantissas: np.ndarray) -> FixedType:
    """``kind`` with as many integer bits more as the mantissas need."""
    low, high = (int(f(mantissas)) if mantissas.size else 0 for f in (np.min, np.max))
    signed = kind.signed or low < 0
    width = max(kind.width + (signed and not kind.signed), width_of(min(low, -1), high) if signed else width_of(0, high))
    return dataclasses.replace(kind, width=width, integer=width - kind.fraction, signed=signed)


def _add_rows(y: np.ndarray, row: np.ndarray) -> None:
    """Add a repeated row to a contiguous array: NumPy's loop is as long as the row, and short loops are slow."""
    flat = y.reshape(-1)
    whole = len(flat) - len(flat) % len(row) if len(row) else 0
    flat[:whole].reshape(-1, max(len(row), 1))[...] += row
    flat[whole:] += row[: len(flat) - whole]


def _shift_left(values: np.ndarray, up: int) -> np.ndarray:
    if up == 0:
        return values
    top = int(np.abs(values).max(initial=0))
    return values << up if values.dtype != object and (top << up) < 1 << 62 else ints(values) << up


def _largest(weight: np.ndarray) -> int:
    """The largest magnitude: above that of all sums where its input is always zero, and still a number of the kernel."""
    return int(np.abs(ints(weight)).max(initial=0))
