"""What an op is: one frozen dataclass with all its facets side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const, Shape
from nn2hls.graph.repeat import Copies
from nn2hls.hardware.casts import cast
from nn2hls.hardware.cost import schedule
from nn2hls.hardware.join import Join
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.net import Net
from nn2hls.hardware.parts import Part, assemble, elements, whole
from nn2hls.hardware.schedule import Schedule

# Sees the values before a cast inside an op: (what, values, fraction bits of the values, type they are cast to).
Watch = Callable[[str, Any, int, FixedType], None]


# Called with the operands (arrays with a leading batch axis) and a Watch; returns the exact result. All are mantissas, in
# float32, float64, int64 or Wide.
Kernel = Callable[..., Any]


OpT = TypeVar("OpT", bound="Op")


@dataclass(frozen=True)
class Hints:
    """What ``resolve`` may use to derive types that the user left open.

    Args:
        given: Types the user named for this layer, by the word in the config: ``weight``, ``bias``, ``accum``, ``table``,
            ``exp_table``, ``inv_table``, ``param`` ... An op takes the words it knows from ``used`` to report the rest.
        table_size: Entries of each table, when the user named it.
        max_width: No derived type is wider.
        noise: The root mean square error, in the result's own units, that rounding the op's constants and tables may cause.
        operand_rms: Root mean square of each operand's elements.
        result: The result type when the user named it.
        reuse, strategy: See Dense.
    """

    given: Mapping[str, FixedType] = field(default_factory=dict)
    table_size: int | None = None
    max_width: int = 24
    noise: float = 2.0**-12
    operand_rms: tuple[float, ...] = ()
    result: FixedType | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Accumulation:
    """An op as what is computed of each position, joined in any order, and what is made of that in the end.

    Args:
        axes: Leading axes of the operand that are positions.
        each: Of some positions with all that belongs to them: its result are the accumulators.
        join: How they go together.
        type: Of the accumulators; it holds them after any number of positions.
        bounds: Of the accumulators in the end, in the shape in which ``last`` reads them.
        last: Of the accumulators: the result.
        at_once: Positions of which each computes at a time; None: as many as the user says, or as come.
        beside: Mantissas that belong to each position, (positions, ..), of a type: the second operand of each.
    """

    axes: int
    each: Op
    join: Join
    type: FixedType
    bounds: Range
    last: Op
    at_once: int | None = None
    beside: tuple[np.ndarray, FixedType] | None = None


@dataclass(frozen=True, eq=False)
class Op:
    """Base of all ops. A subclass's docstring is its equation, with the order of sums and the places of casts.

    FixedType fields are None until ``resolve`` fills them; Const fields hold float64 values before and mantissas after.
    """

    arity: ClassVar[int | None] = 1  # number of operands; None: any number from one
    overwrites: ClassVar[bool] = False  # its kernel takes a third argument, the array for the result, which may be its operand
    pointwise: ClassVar[bool] = False  # each element of the result depends on the operands' elements at its place alone
    moves: ClassVar[bool] = False  # each element of the result is an element of an operand, whatever the values are
    reshapes: ClassVar[bool] = False  # the result's elements are the operand's, in their row-major order
    follows: ClassVar[bool] = False  # the result needs no other type than the operand
    fresh: ClassVar[bool] = False  # its kernel returns an array that nobody else holds
    reuse = 1  # products that share one multiplier; a field of ops that have any
    carries = ""  # the input that the result is in the next event; a field of the op of states
    written: ClassVar[bool] = False  # its weights are memories with a port
    uses: ClassVar[tuple[str, ...]] = ()  # settings that only some ops have a use for: reuse, strategy ..
    called: ClassVar[tuple[str, ...]] = ()  # what LayerType may call it beside the class of its own and of the framework
    decides: ClassVar[bool] = False  # each value of the result is one of few numbers of the op's own
    measures: ClassVar[bool] = False  # the result is the first operand in steps of the second, which has the size of its event
    activation: ClassVar[bool] = False  # inside a layer it is a node with a name and types of its own
    unlimited: ClassVar[tuple[str, ...]] = ()  # float fields that may be infinite
    per_channel: ClassVar[tuple[str, ...]] = ()  # Const fields that broadcast to the result, such as one value per channel

    def infer(self, shapes: Sequence[Shape], where: str) -> Shape:
        """The result's shape from the operands' shapes, both without batch axis.

        Raises:
            ModelError: The op does not accept such operands; ``where`` names the layer.
        """
        if self.arity is not None and len(shapes) != self.arity:
            raise ModelError(f"{type(self).__name__} takes {self.arity} operands, not {len(shapes)}.", where=where)
        if not shapes and self.arity is None:
            raise ModelError(f"{type(self).__name__} takes at least one operand.", where=where)
        for name, number in self._numbers():
            if np.isnan(number) or (np.isinf(number) and name not in self.unlimited):
                raise ModelError(f"Its {name} is {number}, and has to be a finite number.", where=where)
        return self.shape(shapes, where)

    def _numbers(self) -> Iterator[tuple[str, float]]:
        """Name and value of the float fields, and of a value of each Const of floats that is not finite, if it has one."""
        for field_ in dataclasses.fields(self):
            value = getattr(self, field_.name)
            if isinstance(value, float):
                yield field_.name, value
            elif isinstance(value, Const) and value.array.dtype.kind == "f" and not np.isfinite(value.array).all():
                yield field_.name, float(value.array[~np.isfinite(value.array)][0])

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        """Like :meth:`infer`, after the number of operands was checked; the default keeps the shape."""
        return shapes[0]

    def evaluate_float(self, *xs: Any) -> Any:
        """The reference: float64 arrays with a leading batch axis in, one out."""
        raise NotImplementedError

    # ---- what the rewrites ask ---------------------------------------------------------------------------------------------

    @property
    def rearranges(self) -> bool:
        """Whether the result is elements of its one operand in other places."""
        return self.moves and self.arity == 1

    @property
    def homogeneous(self) -> bool:
        """Whether operands times a positive number give the result times that number, in the op on floats."""
        return self.moves

    @property
    def multilinear(self) -> bool:
        """Whether any one operand times a number gives the result times that number, in the op on floats."""
        return False

    @property
    def probability(self) -> str:
        """``softmax`` or ``sigmoid`` where that function gives the result, or its logarithm; else empty."""
        return ""

    def classes(self, shapes: Sequence[Shape]) -> int:
        """How many classes there are where a value of the result is the number of one, for operands of ``shapes``; else 0."""
        return 0

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(scale, shift), which broadcast to the operand, of an op that is x * scale + shift; None for others."""
        return None

    @property
    def linear(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(weights, biases) of an op that is biases[j] + sum over i of x[.., i] * weights[i, j]; None for others."""
        return None

    def identity(self, shapes: Sequence[Shape]) -> bool:
        """Whether the result equals the first of the operands, of ``shapes``, whatever its values are."""
        return False

    def origins(self, shapes: Sequence[Shape]) -> np.ndarray | None:
        """Of an op that ``moves`` the number of the operands' element that each element of the result is, -1 for zero."""
        return None

    def through(self, operand: int, inner: Op, shapes: Sequence[Shape], before: Sequence[Shape]) -> Op | None:
        """The op that computes the same of the operands of ``inner`` in place of the operand that ``inner`` gives.

        ``shapes`` are those of its operands, ``before`` those of ``inner``. None where no op does, as where one computes.
        """
        return None

    def reading(self, shapes: Sequence[Shape]) -> tuple[Op, Sequence[int]]:
        """The op without those operands, of ``shapes``, that it never reads, and the numbers of those left."""
        return self, range(len(shapes))

    def inside(self) -> Sequence[str]:
        """Names of the nodes of a graph that the op repeats, which a user may give types; they follow the layer's name."""
        return ()

    def copies(self, shapes: Sequence[Shape]) -> Copies | None:
        """Of an op that repeats a graph all steps side by side, for operands of ``shapes``; None for others."""
        return None

    @property
    def repeats(self) -> Any:
        """Of an op that is the hardware of one step, run for each in turn, the op itself, see Repeat; None for others."""
        return None

    def folded(self, scale: np.ndarray, shift: np.ndarray) -> Op | None:
        """The op on floats that gives this one's result * scale + shift; None where no op of its kind does."""
        return None

    def unscaled(self, scale: np.ndarray, shift: np.ndarray, within: tuple[float, float]) -> Op | None:
        """The op on floats that makes of x what this one makes of x * scale + shift, brought between two ends, exactly.

        None where no op does. The ends ``within`` may be infinite.
        """
        return None

    @property
    def clamps(self) -> tuple[float, float] | None:
        """The ends of an op that is min(max(x, low), high), infinite where it has none; None for others."""
        return None

    def absorbed(self, xs: Sequence[Range]) -> tuple[Op, np.ndarray]:
        """The op with constant channels of its operands moved into its constants, exactly, and a mask of these channels."""
        return self, np.zeros(0, dtype=bool)

    def rewired(self, weights: np.ndarray, kept: np.ndarray, idle: np.ndarray) -> Op:
        """Of a :attr:`linear` op the one with other ``weights`` and the channels ``kept``; those in ``idle`` become zero."""
        raise NotImplementedError

    # ---- types -----------------------------------------------------------------------------------------------------------

    def memory(self) -> tuple[Shape, str, str] | None:
        """(shape of the weights, type of a weight, type of a bias) where they are memories with a port; None where not."""
        return None

    def memory_types(self) -> tuple[FixedType, FixedType]:
        """The types of a weight and of a bias of an op with such memories."""
        raise TypeError(f"{type(self).__name__} has no memories")

    def built_in(self) -> Op:
        """The op with weights that are constants, where they were memories: what has no ports has of it."""
        return self

    def configured(self, *, reuse: int = 1, strategy: str = "Latency", adder_depth: int = 0) -> Op:
        """The op with settings of its hardware, all of which it ``uses``: reuse, strategy, adder_depth."""
        return self

    def types(self) -> dict[str, FixedType]:
        """The types inside the op that are set, by the names of their fields without ``_t``."""
        fields = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        return {name.removesuffix("_t"): kind for name, kind in fields if isinstance(kind, FixedType)}

    @property
    def casts_to(self) -> FixedType | None:
        """The type to which the network itself casts the operand, of an op that does nothing else."""
        return None

    @property
    def enters_as(self) -> FixedType | None:
        """A type of the operand that changes no result, where the op rounds it; None for other ops."""
        return self.casts_to

    def numbers(self, word: str, xs: Sequence[Range]) -> np.ndarray | None:
        """Of an op on floats the numbers that its type of this name holds, for operands within ``xs``; None for tables."""
        value = getattr(self, word, None)
        if isinstance(value, Const):
            return value.array
        return np.asarray(value) if isinstance(value, float) else None

    def narrowed(self, xs: Sequence[Range]) -> bool:
        """Whether the type ``accum`` does not hold the exact sum, so that every addition is cast."""
        return False

    def widened(self, xs: Sequence[Range]) -> Op:
        """The op with the narrowest type ``accum`` that holds every partial sum exactly; itself where it has none."""
        return self

    def measured(self) -> Op:
        """An op whose float values say how large those of this one usually are; the op itself where all operands are usual."""
        return self

    def resolve(self, xs: Sequence[Range], hints: Hints) -> Op:
        """The op with every FixedType field set and every Const as mantissas; the default has none of either."""
        return self

    def exact(self, xs: Sequence[Range]) -> Range:
        """Sound bounds of the exact result, before the one cast to the result type; its ``fraction`` is the exact result's."""
        raise NotImplementedError

    def kernel(self, xs: Sequence[Range]) -> Kernel:
        """The integer semantics, prepared once for operands within ``xs``: the emulator.

        The kernel returns mantissas with ``exact(xs).fraction`` fraction bits. It must not change its operands.
        """
        raise NotImplementedError

    def rounding_kernel(self, xs: Sequence[Range], result: FixedType) -> Kernel | None:
        """A kernel of results that are rounded to ``result``'s fraction bits by its mode, not yet brought into its range.

        None, the default: :meth:`kernel` and the cast do as well.
        """
        return None

    def demand(self, needed: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        """Which elements of each operand, of ``shapes``, the elements ``needed`` of the result depend on; boolean arrays."""
        if not self.pointwise:
            return [np.full(s, bool(needed.any())) for s in shapes]
        return [_unbroadcast(needed, s) for s in shapes]

    def channels(self, shapes: Sequence[Shape]) -> list[np.ndarray | None] | None:
        """Where the operands' channels, the elements of their last axis, stand in the result.

        Returns:
            For each operand an array (positions, channels) of channels of the result, or None when all of its channels are read
            for any channel of the result. None in place of the list: the op takes and gives all channels, always.
        """
        if not self.pointwise:
            return None
        full = np.broadcast_shapes(*shapes)
        return [np.arange(full[-1])[None] if s and s[-1] == full[-1] else None for s in shapes]

    def take(self, kept: np.ndarray) -> Op:
        """The op for operands of which only the channels remain that end in the channels ``kept`` of the result."""
        constants = {name: getattr(self, name).array for name in self.per_channel}
        return self.replace(**{k: Const(a[..., kept]) for k, a in constants.items() if a.ndim and a.shape[-1] > 1})

    def products(self, *, zeros: bool = False) -> int:
        """Non-zero products that a reuse factor shares out among multipliers, with ``zeros`` all of them; 0 without any.

        An op that answers more has ``reuse`` for a field.
        """
        return 0

    def positions(self, shapes: Sequence[Shape]) -> int:
        """How many leading axes of the result are positions that are computed alike, each from the operands' position there.

        What broadcasts along all of them is read at each. 0: any element of the result may depend on any of the operands.
        """
        if not self.pointwise:
            return 0
        rank = len(np.broadcast_shapes(*shapes))
        return min([rank - 1, *(same_along(getattr(self, name).shape, rank) for name in self.per_channel)])

    def transposed(self, axes: Sequence[int], shapes: Sequence[Shape]) -> Op | None:
        """The op for operands whose axes are ordered like ``axes``, which gives its result in that order, of the axes it keeps.

        None where no op does. Operands with fewer axes than the first one are constants that broadcast.
        """
        if not self.pointwise:
            return None
        constants = {name: getattr(self, name).array for name in self.per_channel}
        padded = {k: a.reshape((1,) * (len(axes) - a.ndim) + a.shape) for k, a in constants.items()}
        return self.replace(**{k: Const(a.transpose(axes)) for k, a in padded.items()})

    def accumulation(self, x: Range) -> Accumulation | None:
        """The op position by position, exactly; None where it is no sum or extreme of positions. ``x``: of its one operand."""
        return None

    def accumulating(self, xs: Sequence[Range]) -> tuple[int, ...]:
        """Reuse factors with which the op answers :meth:`accumulation`, where it does so with some alone."""
        return ()

    def idle(self) -> tuple[int, int]:
        """Outputs that need no product, and inputs that none reads, of an op with :meth:`products`."""
        return 0, 0

    def notes(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        """What the user should know of the resolved op for operands within ``xs``: its errors, targets that it misses."""
        return []

    def warnings(self, xs: Sequence[Range], hints: Hints) -> list[str]:
        """The same of what the user must know: targets that derived types miss by a bit and more, with what mends it."""
        return []

    # ---- hardware --------------------------------------------------------------------------------------------------------

    def element(self, net: Net, wires: Sequence[int], xs: Sequence[Range]) -> tuple[int, int]:
        """Of a pointwise op one element: (the wire of the exact result, its fraction bits) from the wires of the operands.

        ``xs`` and the constants in ``per_channel`` have one element.
        """
        raise NotImplementedError

    def build(self, net: Net, words: Sequence[np.ndarray], xs: Sequence[Range], result: FixedType) -> np.ndarray:
        """The op's hardware: the wires of the result, cast to ``result``, from those of the operands.

        Args:
            net: Where cells are added.
            words: For each operand an array of wires, of its shape.
            xs: Their bounds.
            result: The result's type.
        """
        wire, fraction = self.element(net, [int(w.item()) for w in words], xs)
        return np.array([cast(net, wire, fraction, result)])

    def parts(self, xs: Sequence[Range], shape: Shape) -> Iterable[Part]:
        """The layer in parts that are computed alike: elements of a pointwise op, else the whole."""
        if not self.pointwise:
            yield whole(self, xs, shape)
            return
        constants = [getattr(self, name).array for name in self.per_channel]
        for values, bounds, reads, writes in elements(xs, shape, constants):
            one = {name: Const(ints([v])) for name, v in zip(self.per_channel, values, strict=True)}
            yield Part(self.replace(**one), bounds, reads, writes)

    def hardware(self, xs: Sequence[Range], result: FixedType, most_digits: int | None = None) -> Hardware:
        """The layer's hardware, the cast to ``result`` included; ``most_digits``: see Net."""
        shape = self.infer([x.shape for x in xs], where="")
        operands = [x.size for x in xs]
        return assemble(self.parts(xs, shape), operands, math.prod(shape), result, self.equation(), most_digits)

    def schedule(self, xs: Sequence[Range], result: FixedType, most_digits: int | None = None) -> Schedule:
        """What the hardware costs before any device; arguments as for :meth:`hardware`."""
        counted = self.counted(xs, result)
        return counted or schedule(self.hardware(xs, result, most_digits), result.width, self.work(xs))

    def counted(self, xs: Sequence[Range], result: FixedType) -> Schedule | None:
        """The schedule of an op that counts it without laying its hardware out; None: it is read from the hardware."""
        return None

    def work(self, xs: Sequence[Range]) -> int:
        """Non-zero products, for reports."""
        return 0

    def bit_operations(self, xs: Sequence[Range]) -> int:
        """Effective bit operations (EBOPs): over all products the bits of one factor times those of the other.

        Bits are those between the highest and the lowest that can be set, without a sign: of constants those of each one, of
        operands within ``xs`` those of each element. The bits of constants that are added count once. Zero for other ops.
        """
        return 0

    def equation(self) -> str:
        """What the op computes, in a line."""
        return (type(self).__doc__ or "").split("\n")[0]

    def replace(self: OpT, **changes: Any) -> OpT:
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)


def same_along(shape: Shape, rank: int) -> int:
    """Along how many leading axes of a tensor of ``rank`` axes constants of ``shape`` that broadcast to it do not change."""
    padded = (1,) * (rank - len(shape)) + tuple(shape)
    return next((k for k, n in enumerate(padded) if n > 1), rank)


def _unbroadcast(needed: np.ndarray, shape: Shape) -> np.ndarray:
    extra = needed.ndim - len(shape)
    kept = np.asarray(np.any(needed, axis=tuple(range(extra))))
    stretched = tuple(k for k, n in enumerate(shape) if n == 1)
    return np.broadcast_to(np.any(kept, axis=stretched, keepdims=True), shape)
