"""The packed schedule of a Dense layer with reuse: which multiplier does which product in which step."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints, signed_width
from nn2hls.errors import LimitError
from nn2hls.hardware.casts import cast, cast_raised, raised
from nn2hls.hardware.code import MAX_ARRAY, MAX_ROM_WORD, STREAM
from nn2hls.hardware.cost import chain
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Net
from nn2hls.hardware.operators import operators
from nn2hls.hardware.schedule import Kind, Memory, Operator, Schedule
from nn2hls.ops.products.affine import Affine, Strategy
from nn2hls.ops.products.bounds import column_counts

SHALLOW = 64  # words: what one LUT holds per bit; a block RAM would stay almost empty
MAX_PRODUCTS = 65_536  # straight-line products of one position
MAX_ORDERED = 4_096  # products that one neuron adds in order


@dataclass(frozen=True, eq=False)
class Slots:
    """What each multiplier does in each step, as (multipliers, steps) arrays; slots beyond the last product hold weight 0.

    Args:
        weight, input: The factors.
        first: 1 where a segment starts.
        segment: Number of the segment within the multiplier.
    """

    weight: np.ndarray
    input: np.ndarray
    first: np.ndarray
    segment: np.ndarray


@dataclass(frozen=True, eq=False)
class ReusedPlan:
    """Reuse R: the non-zero products, in order of output and input, dealt in runs of ``steps`` to ``multipliers``.

    Multiplier m does product m * steps + t in step t. A run of products of one output on one multiplier is a segment: it
    starts from zero and ends in a register of its own, so no two multipliers ever feed one accumulator; the sum over an
    output's segments and its bias follows after the last step.

    What the schedule needs is counted from the non-zero weights of each output; ``slots`` and what follows from them are
    laid out when the code is written.
    """

    op: Affine
    in_order: ClassVar[str] = "Set ReuseFactor: 1 for this layer, or leave its accum type to nn2hls, which then is exact."
    elsewhere: ClassVar[str] = f"{STREAM} Or make the layer narrower."

    @property
    def x(self) -> Range:
        """Bounds of the operand."""
        return self.op.x

    @property
    def positions(self) -> int:
        """Places that take turns."""
        return self.op.positions

    @property
    def counts(self) -> np.ndarray:
        """Products of each output: those with weights that are not zero."""
        return np.asarray(column_counts(self.op.weight))

    @property
    def taken(self) -> np.ndarray:
        """Of each weight (n_in, n_out) whether its product is one of them."""
        return np.asarray(self.op.weight.array != 0)

    @cached_property
    def products(self) -> int:
        """All of them."""
        return int(self.counts.sum())

    @cached_property
    def multipliers(self) -> int:
        """Multipliers of the layer."""
        return max(1, math.ceil(self.products / self.op.reuse))

    @cached_property
    def steps(self) -> int:
        """Steps of one position."""
        return max(1, math.ceil(self.products / self.multipliers))

    @property
    def block_rom(self) -> bool:
        """Strategy Resource keeps the words of a step side by side in block RAM, unless they are too few to fill it."""
        return self.op.strategy is Strategy.RESOURCE and self.steps > SHALLOW

    @cached_property
    def _runs(self) -> tuple[np.ndarray, np.ndarray]:
        """First multiplier of each output, and how many of them it has: its segments."""
        counts = self.counts
        ends = np.cumsum(counts)
        first = (ends - counts) // self.steps
        return first, np.where(counts > 0, (ends - 1) // self.steps - first + 1, 0)

    @cached_property
    def segments(self) -> int:
        """Segment registers of each multiplier."""
        first, runs = self._runs
        change = np.zeros(self.multipliers + 1, dtype=np.int64)
        np.add.at(change, first[runs > 0], 1)
        np.add.at(change, (first + runs)[runs > 0], -1)
        return max(1, int(np.cumsum(change).max()))

    @cached_property
    def inputs(self) -> int:
        """Inputs that some product reads."""
        return int(np.count_nonzero(np.any(self.taken, axis=1)))

    @cached_property
    def choices(self) -> int:
        """Ways of each multiplier's input multiplexer: its own inputs where that makes it smaller, else all of the layer's."""
        all_inputs = self.inputs
        # A segment reads each input once at most.
        least = math.ceil(min(self.steps, self.products) / self.segments)
        if least >= all_inputs or self.multipliers * least > MAX_ARRAY:
            return all_inputs
        choices = int(_distinct(self.slots.input).sum(axis=1).max())
        return all_inputs if choices >= all_inputs or self.multipliers * choices > MAX_ARRAY else choices

    @cached_property
    def slots(self) -> Slots:
        """What each multiplier does in each step."""
        by_output = np.ascontiguousarray(self.op.weight.array.T)
        flat = np.flatnonzero(np.ascontiguousarray(self.taken.T))
        outputs, inputs = np.divmod(flat, by_output.shape[1])
        shape = (self.multipliers, self.steps)
        weight = np.zeros(shape, dtype=by_output.dtype)
        weight.ravel()[: flat.size] = by_output.ravel()[flat]
        owner = _padded(outputs, shape)
        first = np.ones(shape, dtype=bool)
        first[:, 1:] = owner[:, 1:] != owner[:, :-1]
        return Slots(weight, _padded(inputs, shape), first, np.cumsum(first, axis=1, dtype=np.int32) - 1)

    @property
    def weight(self) -> np.ndarray:
        """Weights, (multipliers, steps)."""
        return self.slots.weight

    @property
    def first(self) -> np.ndarray:
        """Where segments start, (multipliers, steps)."""
        return self.slots.first

    @property
    def segment(self) -> np.ndarray:
        """Segment numbers, (multipliers, steps)."""
        return self.slots.segment

    @cached_property
    def parts(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The (multiplier, segment) pairs that each output is the sum of."""
        first, runs = self._runs
        taken = np.zeros(self.multipliers, dtype=np.int64)
        found = []
        for start, count in zip(first.tolist(), runs.tolist(), strict=True):
            found.append(tuple((m, int(taken[m])) for m in range(start, start + count)))
            taken[start : start + count] += 1
        return tuple(found)

    @cached_property
    def bias(self) -> np.ndarray:
        """Aligned mantissas of the biases."""
        return ints(self.op.bias)

    @property
    def biased(self) -> np.ndarray:
        """Of each output whether a bias is added to it."""
        return np.asarray(self.bias != 0)

    @cached_property
    def ends(self) -> tuple[int, int]:
        """The range of the factors of a multiplier: of the weights, and never of one value."""
        weight = self.op.weight.array
        return int(weight.min(initial=0)), int(weight.max(initial=1))

    @cached_property
    def word(self) -> tuple[int, int, int]:
        """Bits of a ROM word's weight (signed), input index and segment; one more bit says that a segment starts."""
        index = max(1, (self.choices - 1).bit_length())
        return signed_width(*self.ends), index, max(1, (self.segments - 1).bit_length())

    @property
    def word_bits(self) -> int:
        """Bits of a ROM word."""
        return sum(self.word) + 1

    def check(self) -> None:
        """Compare with the limits of the tools.

        Raises:
            LimitError: Names a setting that works.
        """
        if self.op.narrowed:
            what = f"Its accumulator {self.op.accum} casts after every product, in an order that reuse does not keep."
            raise LimitError(what, fix=self.in_order)
        if self.word_bits > MAX_ROM_WORD:
            raise LimitError(
                f"A ROM word of {self.word_bits} bits (weight, index, segment) is wider than {MAX_ROM_WORD}.",
                fix="Give its weights a narrower type.",
            )
        if not self.fits:
            raise LimitError(
                f"At ReuseFactor {self.op.reuse} its {self.multipliers:,} multipliers with {self.segments} sums each, and "
                f"{self.inputs:,} inputs, do not fit into arrays of {MAX_ARRAY:,} registers.",
                fix=self.smaller(),
            )

    @property
    def fits(self) -> bool:
        """Whether the arrays that the tools must partition are small enough."""
        wires = self.inputs if self.choices == self.inputs else self.multipliers * self.choices
        return max(self.multipliers * self.segments, wires) <= MAX_ARRAY

    def smaller(self) -> str:
        """What to set for a layer that is too large for its reuse factor, as a sentence."""
        reuse = max(2, self.op.reuse, math.ceil(self.products / MAX_ARRAY))
        while reuse <= self.products:
            plan = replace(self, op=self.op.with_reuse(reuse))
            if plan.fits:
                return f"Set ReuseFactor: {reuse} for this layer, which leaves {plan.multipliers:,} multipliers."
            reuse += max(1, reuse // 16)
        return f"No reuse factor makes it fit into arrays of {MAX_ARRAY:,} registers. {self.elsewhere}"

    def hardware(self, result: FixedType) -> Hardware:
        """For each position in turn a loop of products that adds up segments, and one that joins them to the results."""
        n_in, n_out = self.op.weight.shape
        operands = n_in * self.positions
        first = operands + n_out  # the number of the first segment, in the first turn
        segment, bounds = self._segments
        weights = self.weight.T
        product = Net()
        x = product.input(0, self.x.low, max(self.x.high, self.x.low + 1))  # a range of one value would be a constant
        w = product.input(1, *self.ends)
        product.outputs = [product.mul(x, w)]
        reads = np.stack([self.slots.input.T, np.full_like(self.slots.input.T, -1)], axis=-1)
        sums = {first + k: ends for k, ends in enumerate(bounds)}
        step = Loop(product, reads, segment.T[..., None] + first, 1, {1: weights}, sums, self.block_rom)
        join = self.join(bounds, segment, (np.arange(len(bounds)) + first, np.arange(n_out) + operands), result)
        equation, turns = self.op.equation, self.positions
        return Hardware((step, join), (operands,), n_out * turns, len(bounds), equation, turns)

    def join(
        self, bounds: Sequence[tuple[int, int]], segment: np.ndarray, places: tuple[np.ndarray, np.ndarray], result: FixedType
    ) -> Loop:
        """The results from the segments.

        Args:
            bounds: Of each segment's sum.
            segment: (multipliers, steps): the segment that is added to.
            places: The elements of the segments and of the results.
            result: Type of the results.
        """
        joined = Net()
        words = [joined.input(k, lo, hi) for k, (lo, hi) in enumerate(bounds)]
        joined.outputs = list(self._joined(joined, words, segment, result))
        return Loop(joined, places[0][None, None], places[1][None, None])

    def factors(self) -> tuple[np.ndarray, ...]:
        """(multipliers, steps) each: the weights, or their ends where they are not known."""
        return (ints(self.slots.weight),)

    @cached_property
    def _segments(self) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """(number of the segment that each multiplier adds to in each step, bounds of every segment's running sum)."""
        slots = self.slots
        per_multiplier = slots.segment.max(axis=1) + 1
        segment = slots.segment + (np.cumsum(per_multiplier) - per_multiplier)[:, None]
        n_in = self.op.weight.shape[0]
        ends = [np.array([e.bounds(i)[k] for i in range(n_in)], dtype=object) for e in (self.x,) for k in (0, 1)]
        products = [weight * end[slots.input] for weight in self.factors() for end in ends]
        low, high = functools.reduce(np.minimum, products), functools.reduce(np.maximum, products)
        # A running sum stays between the sum of the products that can be negative and that of those that can be positive.
        bounds = np.zeros((2, int(per_multiplier.sum())), dtype=object)
        np.add.at(bounds[0], segment, np.minimum(low, 0))
        np.add.at(bounds[1], segment, np.maximum(high, 0))
        return segment, [(int(lo), int(hi)) for lo, hi in bounds.T]

    def _joined(self, net: Net, words: Sequence[int], segment: np.ndarray, result: FixedType) -> Iterator[int]:
        """Each output: its segments and its bias, cast."""
        fraction = self.op.fraction
        up = fraction - self.x.fraction - self.op.weight_t.fraction
        first = segment[:, 0]
        for parts, bias in zip(self.parts, self.bias, strict=True):
            terms = [(net.shift(words[int(first[m]) + s], up), False) for m, s in parts]
            constant = int(bias) + (raised(fraction, result) or 0)
            total = net.total([*terms, *([(net.const(constant), False)] if constant else [])])
            exact = raised(fraction, result) is None
            yield cast(net, total, fraction, result) if exact else cast_raised(net, total, fraction, result)

    def schedule(self, result: FixedType) -> Schedule:
        """Operators of one step, of the sums after it, and the packed ROM."""
        m, x_width = self.multipliers, self.x.width
        accum = self.op.accum.width
        _, runs = self._runs
        used = int(np.count_nonzero(runs))
        joins = int(runs.sum()) - used + int(np.count_nonzero(self.biased[runs > 0]))
        depth = max(1, int(runs.max(initial=1)))
        casts = Net()
        exact = casts.input(0, self.op.exact.low, self.op.exact.high)
        casts.outputs = [cast(casts, exact, self.op.exact.fraction, result)]
        step = (
            Operator(Kind.ROM, (max(1, (self.steps - 1).bit_length()), self.word_bits), m),
            Operator(Kind.SELECT, (x_width, self.choices), m),
            Operator(Kind.MUL, (x_width, self.word[0]), m),
            Operator(Kind.ADD, (accum,), m),
        )
        after = (Operator(Kind.ADD, (accum,)),) * (math.ceil(math.log2(depth)) + bool(self.biased.any()))
        return Schedule(
            ii=self.steps * self.positions,
            operators=(
                *step,
                Operator(Kind.ADD, (accum,), joins),
                *(Operator(o.kind, o.widths, n * used) for o, n in operators(casts).items()),
            ),
            memories=(
                Memory(self.steps, self.word_bits * m, 1, 1) if self.block_rom else Memory(self.steps, self.word_bits, m, 1),
            ),
            path=(*(Operator(o.kind, o.widths) for o in step), *after, *chain(casts)[1]),
            results=result.width * used,
            products=self.products * self.positions,
            state=accum * int(runs.sum()),
        )


def check_straight(op: Affine) -> None:
    """Compare a layer without reuse with the limits of straight-line code, which is written once for all positions.

    Raises:
        LimitError: Names a reuse factor that works.
    """
    products = int(column_counts(op.weight).sum())
    if products > MAX_PRODUCTS:
        raise LimitError(
            f"Its {products:,} products do not fit into straight-line code of at most {MAX_PRODUCTS:,}.",
            fix=ReusedPlan(op).smaller(),
        )
    longest = int(column_counts(op.weight).max(initial=0))
    if op.narrowed and longest > MAX_ORDERED:
        raise LimitError(
            f"One of its neurons adds {longest:,} products in order, more than the {MAX_ORDERED:,} of one function.",
            fix="Leave its accum type to nn2hls, which then is exact.",
        )


def _padded(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The values in rows of ``shape``, the last one repeated to the end."""
    out = np.full(shape, values[-1] if values.size else 0, dtype=np.int32)
    out.ravel()[: values.size] = values
    return out


def _distinct(inputs: np.ndarray) -> np.ndarray:
    """Of each row once sorted: True where a value is new."""
    ordered = np.sort(inputs, axis=1)
    new = np.ones_like(ordered, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return new
