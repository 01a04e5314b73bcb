"""The packed schedule of a Dense layer with reuse: which multiplier does which product in which step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints
from nn2hls.errors import LimitError
from nn2hls.hardware.casts import cast, cast_raised, raised
from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Net
from nn2hls.hardware.schedule import Kind, Memory, Operator, Schedule
from nn2hls.ops.cost import cast_operators
from nn2hls.ops.dense import Dense, Strategy
from nn2hls.ops.products.bounds import column_counts

MAX_ARRAY = 4_096  # the tools' limit on one unrolled loop or partitioned array
SHALLOW = 64  # words: what one LUT holds per bit; a block RAM would stay almost empty
MAX_ROM_WORD = 64  # bits: words are written as C++ integer literals


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

    op: Dense
    x: Range
    positions: int

    @cached_property
    def products(self) -> int:
        """Non-zero products."""
        return int(column_counts(self.op.weight).sum())

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
        counts = column_counts(self.op.weight)
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
    def choices(self) -> int:
        """Ways of each multiplier's input multiplexer: its own inputs where that makes it smaller, else all of the layer's."""
        n_in = self.op.weight.shape[0]
        # A segment reads each input once at most.
        least = math.ceil(min(self.steps, self.products) / self.segments)
        if least >= n_in or self.multipliers * least > MAX_ARRAY:
            return n_in
        choices = int(_distinct(self.slots.input).sum(axis=1).max())
        return n_in if choices >= n_in or self.multipliers * choices > MAX_ARRAY else choices

    @cached_property
    def slots(self) -> Slots:
        """What each multiplier does in each step."""
        by_output = np.ascontiguousarray(self.op.weight.array.T)
        flat = np.flatnonzero(by_output)
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
    def wiring(self) -> np.ndarray | None:
        """(multipliers, choices): the inputs that each multiplier ever reads; None where it chooses among all."""
        if self.choices == self.op.weight.shape[0]:
            return None
        ordered = np.sort(self.slots.input, axis=1)
        new = _distinct(self.slots.input)
        wiring = np.repeat(ordered[:, -1:], self.choices, axis=1)
        rows, _ = np.nonzero(new)
        wiring[rows, (np.cumsum(new, axis=1) - 1)[new]] = ordered[new]
        return wiring

    @cached_property
    def index(self) -> np.ndarray:
        """(multipliers, steps): which of its choices a multiplier reads."""
        if self.wiring is None:
            return self.slots.input
        # Rows of the wiring ascend; moved apart by n_in they are one ascending list.
        apart = np.arange(self.multipliers)[:, None] * self.op.weight.shape[0]
        place = np.searchsorted((self.wiring + apart).ravel(), (self.slots.input + apart).ravel())
        return place.reshape(self.slots.input.shape) - np.arange(self.multipliers)[:, None] * self.choices

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
        return ints(self.op.aligned_bias(self.x))

    @cached_property
    def word(self) -> tuple[int, int, int]:
        """Bits of a ROM word's weight, input index and segment fields; one more bit says that a segment starts."""
        weight_t = self.op.weight_t
        assert weight_t is not None
        index = max(1, (self.choices - 1).bit_length())
        return weight_t.width + (not weight_t.signed), index, max(1, (self.segments - 1).bit_length())

    @property
    def word_bits(self) -> int:
        """Bits of a ROM word."""
        return sum(self.word) + 1

    def packed(self) -> np.ndarray:
        """ROM words, (steps, multipliers), uint64: weight, index, first, segment from the top bit down."""
        weight_bits, index_bits, segment_bits = (np.uint64(b) for b in self.word)
        slots = self.slots
        word = slots.weight.astype(np.int64).astype(np.uint64) & ((np.uint64(1) << weight_bits) - np.uint64(1))
        word = (word << index_bits) | self.index.astype(np.uint64)
        word = (word << np.uint64(1)) | slots.first.astype(np.uint64)
        return np.ascontiguousarray(((word << segment_bits) | slots.segment.astype(np.uint64)).T)

    def check(self, where: str) -> None:
        """Compare with the limits of the tools.

        Raises:
            LimitError: Names a setting that works.
        """
        if self.op.narrowed([self.x]):
            raise LimitError(
                f"Its accumulator {self.op.accum_t} casts after every product, in an order that reuse does not keep.",
                where=where,
                fix="Set ReuseFactor: 1 for this layer, or leave its accum type to nn2hls, which then is exact.",
            )
        if self.word_bits > MAX_ROM_WORD:
            raise LimitError(
                f"A ROM word of {self.word_bits} bits (weight, index, segment) is wider than {MAX_ROM_WORD}.",
                where=where,
                fix="Give its weights a narrower type.",
            )
        if not self.fits:
            raise LimitError(
                f"At ReuseFactor {self.op.reuse} its {self.multipliers:,} multipliers with {self.segments} sums each, and "
                f"{self.op.weight.shape[0]:,} inputs, do not fit into arrays of {MAX_ARRAY:,} registers.",
                where=where,
                fix=works(self.op, self.x, self.positions),
            )

    @property
    def fits(self) -> bool:
        """Whether the arrays that the tools must partition are small enough."""
        wires = self.op.weight.shape[0] if self.wiring_is_whole else self.multipliers * self.choices
        return max(self.multipliers * self.segments, wires) <= MAX_ARRAY

    @property
    def wiring_is_whole(self) -> bool:
        """True when every multiplier chooses among all inputs."""
        return self.choices == self.op.weight.shape[0]

    def hardware(self, result: FixedType) -> Hardware:
        """For each position in turn a loop of products that adds up segments, and one that joins them to the results."""
        n_in, n_out = self.op.weight.shape
        operands = n_in * self.positions
        first = operands + n_out  # the number of the first segment, in the first turn
        segment, bounds = self._segments
        weights = self.weight.T
        product = Net()
        x = product.input(0, self.x.low, max(self.x.high, self.x.low + 1))  # a range of one value would be a constant
        w = product.input(1, min(0, int(weights.min())), max(1, int(weights.max())))
        product.outputs = [product.mul(x, w)]
        reads = np.stack([self.slots.input.T, np.full_like(self.slots.input.T, -1)], axis=-1)
        sums = {first + k: ends for k, ends in enumerate(bounds)}
        step = Loop(product, reads, segment.T[..., None] + first, 1, {1: weights}, sums, self.block_rom)
        joined = Net()
        words = [joined.input(k, lo, hi) for k, (lo, hi) in enumerate(bounds)]
        joined.outputs = list(self._joined(joined, words, segment, result))
        join = Loop(joined, (np.arange(len(bounds)) + first)[None, None], (np.arange(n_out) + operands)[None, None])
        equation, turns = self.op.equation(), self.positions
        return Hardware((step, join), (operands,), n_out * turns, len(bounds), equation, turns)

    @cached_property
    def _segments(self) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """(number of the segment that each multiplier adds to in each step, bounds of every segment's running sum)."""
        slots = self.slots
        per_multiplier = slots.segment.max(axis=1) + 1
        segment = slots.segment + (np.cumsum(per_multiplier) - per_multiplier)[:, None]
        n_in = self.op.weight.shape[0]
        ends = [np.array([e.bounds(i)[k] for i in range(n_in)], dtype=object) for e in (self.x,) for k in (0, 1)]
        weight = ints(slots.weight)
        products = [weight * end[slots.input] for end in ends]
        low, high = np.minimum(*products), np.maximum(*products)
        # A running sum stays between the sum of the products that can be negative and that of those that can be positive.
        bounds = np.zeros((2, int(per_multiplier.sum())), dtype=object)
        np.add.at(bounds[0], segment, np.minimum(low, 0))
        np.add.at(bounds[1], segment, np.maximum(high, 0))
        return segment, [(int(lo), int(hi)) for lo, hi in bounds.T]

    def _joined(self, net: Net, words: Sequence[int], segment: np.ndarray, result: FixedType) -> Iterator[int]:
        """Each output: its segments and its bias, cast."""
        fraction, weight_t = self.op.fraction(self.x), self.op.weight_t
        assert weight_t is not None
        up = fraction - self.x.fraction - weight_t.fraction
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
        assert self.op.accum_t is not None
        accum = self.op.accum_t.width
        _, runs = self._runs
        used = int(np.count_nonzero(runs))
        joins = int(runs.sum()) - used + int(np.count_nonzero(self.bias[runs > 0]))
        depth = max(1, int(runs.max(initial=1)))
        cast = cast_operators(self.op.exact([self.x]), result)
        step = (
            Operator(Kind.ROM, (max(1, (self.steps - 1).bit_length()), self.word_bits), m),
            Operator(Kind.SELECT, (x_width, self.choices), m),
            Operator(Kind.MUL, (x_width, self.word[0]), m),
            Operator(Kind.ADD, (accum,), m),
        )
        after = (Operator(Kind.ADD, (accum,)),) * (math.ceil(math.log2(depth)) + bool(self.bias.any()))
        return Schedule(
            ii=self.steps * self.positions,
            operators=(*step, Operator(Kind.ADD, (accum,), joins), *(Operator(o.kind, o.widths, used) for o in cast)),
            memories=(
                Memory(self.steps, self.word_bits * m, 1, 1) if self.block_rom else Memory(self.steps, self.word_bits, m, 1),
            ),
            path=(*(Operator(o.kind, o.widths) for o in step), *after, *cast),
            results=result.width * used,
            products=self.products * self.positions,
            state=accum * int(runs.sum()),
        )


def works(op: Dense, x: Range, positions: int) -> str:
    """What to set for a layer that is too large for its reuse factor, as a sentence."""
    products = int(column_counts(op.weight).sum())
    reuse = max(2, op.reuse, math.ceil(products / MAX_ARRAY))
    while reuse <= products:
        plan = ReusedPlan(op.replace(reuse=reuse), x, positions)
        if plan.fits:
            return f"Set ReuseFactor: {reuse} for this layer, which leaves {plan.multipliers:,} multipliers."
        reuse += max(1, reuse // 16)
    return "No reuse factor makes it fit; make the layer narrower."


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
