"""Graph -> Network: which tokens travel, what each layer gathers from them, and what its core computes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.errors import LimitError
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Cast, Constant, Input
from nn2hls.graph.op import Op
from nn2hls.hardware.join import Join
from nn2hls.hardware.loop import Hardware
from nn2hls.streams.accumulate import ACCUMULATED, accumulation_of, read
from nn2hls.streams.chunks import allowed, at_least, broadcasts, chunk, follows, position_axes
from nn2hls.streams.front import EMPTY, front, is_chained
from nn2hls.streams.network import Network, Process, Stream
from nn2hls.streams.recurrent import steps_of
from nn2hls.streams.views import View, alike, apart, bounds_of_firings, in_order, join, of_firings, ordered

MOST_PLACES = 1 << 26  # elements of all firings of a layer, counted with those read several times


def plan(
    graph: Graph,
    ranges: Mapping[str, Range],
    positions: Mapping[str, int] | None = None,
    most_digits: int | None = None,
) -> Network:
    """The processes of a fixed graph.

    Layers that only rearrange are no processes: whoever reads them gathers from what they read.

    Args:
        graph: With types.
        ranges: Of every node, from ``graph_ranges``.
        positions: For some nodes how many positions they compute at each firing. Of others, those with products compute one,
            and those without as many as keep step with what they read; inputs come as those who read them fire.
        most_digits: See Net.

    Raises:
        LimitError: A layer's positions do not make up its result.
    """
    return _Planner(graph.needed(), ranges, positions or {}, most_digits).network()


@dataclass(frozen=True, eq=False)
class _Draft:
    """A process before the sizes of tokens are known.

    Args:
        name, layer, op: See Process.
        bases: What it reads.
        index: (firings, K) into the elements of all bases.
        result: The shape of what a firing gives.
        types, type: Of each operand, and of the result.
        xs: Bounds of what a firing reads, for each operand.
        constants, is_constant: See Process.
        positions: Of a firing.
        lead: See Process.
        join: See Process.
        computes: Whether it has a core.
        initial: See Process.
    """

    name: str
    layer: str
    op: Op
    bases: tuple[str, ...]
    index: np.ndarray
    result: Shape
    xs: tuple[Range, ...]
    types: tuple[FixedType, ...]
    type: FixedType
    constants: np.ndarray | None
    is_constant: np.ndarray | None
    positions: int
    lead: Shape
    computes: bool = True
    join: Join | None = None
    initial: tuple[np.ndarray | None, ...] = ()


class _Planner:
    def __init__(
        self, graph: Graph, ranges: Mapping[str, Range], positions: Mapping[str, int], most_digits: int | None
    ) -> None:
        self.graph, self.ranges, self.positions, self.most_digits = graph, dict(ranges), positions, most_digits
        self.views: dict[str, View] = {}
        self.drafts: dict[str, _Draft] = {}
        self.elements: dict[str, int] = {}  # of each base
        self.entering: dict[str, np.ndarray] = {}  # for inputs that come in another order than their own
        self.orders: list[np.ndarray] = []  # for each output the numbers of the elements in the order in which they leave

    def network(self) -> Network:
        """All of it."""
        for node in self.graph:
            self._node(node)
        outputs = tuple(self._output(self.graph[name]) for name in self.graph.outputs)
        self._drop_unread(outputs)
        streams = self._streams()
        processes = tuple(self._process(d, streams) for d in self.drafts.values())
        inputs = {n.name: self.entering.get(n.name, np.arange(math.prod(n.shape))) for n in self.graph.inputs}
        leaving = tuple(
            order[inputs[name]] if name in inputs else order for name, order in zip(outputs, self.orders, strict=True)
        )
        return Network(processes, streams, inputs, outputs, leaving)

    # ---- nodes -----------------------------------------------------------------------------------------------------------

    def _node(self, node: Node) -> None:
        if isinstance(node.op, Constant):
            self.views[node.name] = View((), np.full(node.shape, EMPTY), node.op.value.array.reshape(node.shape))
            return
        if isinstance(node.op, Input):
            self._base(node.name, node.shape)
            return
        if all(self._constant(i) for i in node.inputs):
            self.views[node.name] = self._computed(node)
            return
        shapes = [self.graph[i].shape for i in node.inputs]
        origins = node.op.origins(shapes)
        if origins is not None and not any(self._constant(i) for i in node.inputs):
            self.views[node.name] = view = self._rearranged(node, origins)
            if self._repeats(view):
                self._passed_on(node, view)
            return
        if node.op.repeats is not None:
            self._recurrent(node, node.op.repeats)
            return
        self._layer(node.name, node, node.op, [self.views[i] for i in node.inputs], [self.ranges[i] for i in node.inputs])

    def _recurrent(self, node: Node, op: Any) -> None:
        """A process that takes an element of each sequence at each firing; states stay in it from firing to firing."""
        found = steps_of([self.views[i] for i in node.inputs], op, self.elements)
        self.drafts[node.name] = _Draft(
            node.name,
            node.origin.layer or node.name,
            op,
            found.bases,
            found.index,
            (sum(op.sizes),),
            found.xs,
            found.types,
            node.result_type,
            found.constants,
            found.is_constant,
            1,
            (op.length,),
            initial=found.initial,
        )
        self._base(node.name, found.sent)
        self.views[node.name] = View((node.name,), found.read)

    def _layer(self, name: str, node: Node, op: Op, views: Sequence[View], xs: Sequence[Range]) -> None:
        """A process for a layer, in the order of axes in which its operands come."""
        shapes = [v.index.shape for v in views]
        axes = self._axes(node, views)
        turned = None if axes is None else op.transposed(axes, shapes)
        if axes is None or turned is None:
            self._computed_of(name, node, op, views, op.infer(shapes, node.name), xs)
            return
        views = [v.transposed(axes) for v in views]
        result = turned.infer([v.index.shape for v in views], node.name)
        self._computed_of(name, node, turned, views, result, [ordered(x, axes) for x in xs])
        if len(result) == len(axes):  # the layer's own elements travel in another order
            base = self.views[name]
            self.views[name] = base.transposed(np.argsort(axes).tolist())

    def _computed_of(self, name: str, node: Node, op: Op, views: Sequence[View], result: Shape, xs: Sequence[Range]) -> None:
        """Processes for a layer: where it may be computed as tokens come, one that accumulates, and what is made of that."""
        base = views[0].bases[0] if len(views) == 1 and len(views[0].bases) == 1 else ""
        found = accumulation_of(op, views[0], xs[0], self.elements, self._parts(base)) if base else None
        if found is None:
            self._draft(name, node, op, views, result, xs)
            return
        whole, view, x = found
        lead = view.index.shape[: whole.axes]
        part = (whole.at_once,) if whole.at_once else self._part(name, node, op, view.bases, lead, least=0)
        if math.prod(lead) == math.prod(part):
            self._draft(name, node, op, views, result, xs)
            return
        own = f"{name}{ACCUMULATED}"
        while own in self.graph.by_name:
            own += "_"
        reads = read(whole, view, x, part, self._type(name, node, 0, view))
        sums, layer = whole.bounds.shape or (1,), node.origin.layer or node.name
        fixed = reads.constants, reads.is_constant, math.prod(part), lead
        self.drafts[own] = _Draft(
            own, layer, whole.each, view.bases, reads.index, sums, reads.xs, reads.types, whole.type, *fixed, join=whole.join
        )
        self._base(own, sums)
        shown = View((own,), self.views[own].index.reshape(whole.bounds.shape))
        self._draft(name, node, whole.last, [shown], result, [whole.bounds])

    def _parts(self, base: str) -> int:
        """In how many parts a base comes: as often as a layer sends, or positions of an input."""
        if base in self.drafts:
            return self.elements[base] // math.prod(self.drafts[base].result)
        return math.prod(self.graph[base].shape[:-1])

    def _axes(self, node: Node, views: Sequence[View]) -> tuple[int, ...] | None:
        """The order of axes in which elements come, where a layer reads channels first what travels channels last."""
        shapes = [v.index.shape for v in views]
        rank = len(shapes[0])
        if rank < 2 or any(len(s) != rank for s in shapes) or len(node.shape) not in (rank, 1):
            return None
        axes = (*range(1, rank), 0)
        first = next((v for v in views if v.constant is None), None)
        if first is None or len(first.bases) != 1 or first.index.size != self.elements[first.bases[0]]:
            return None
        order = first.index.transpose(axes).reshape(-1)
        return axes if np.array_equal(order, np.arange(order.size)) and not in_order(first.index) else None

    def _constant(self, name: str) -> bool:
        return self.views[name].constant is not None

    def _computed(self, node: Node) -> View:
        """What a layer gives that reads constants alone; from here on its range is that value, which its readers take from it.

        A range by the layer's own rule may be wider: all of a type that wraps.
        """
        if node.op.repeats is not None:
            fix = "Set TimeStepLoopParallelism: Unroll for it: its steps side by side are constants."
            raise LimitError("Its steps read nothing of the inputs.", where=node.origin.layer or node.name, fix=fix)
        operands = [self.views[i].constant for i in node.inputs]
        flat = [np.asarray(c, dtype=object).reshape(1, -1) for c in operands if c is not None]
        found = node.op.hardware([self.ranges[i] for i in node.inputs], node.result_type, self.most_digits).run(flat)
        value = found.reshape(node.shape)
        self.ranges[node.name] = Range.of_mantissas(value, node.result_type.fraction)
        return View((), np.full(node.shape, EMPTY), value)

    def _base(self, name: str, shape: Shape) -> None:
        self.elements[name] = math.prod(shape)
        self.views[name] = View((name,), np.arange(math.prod(shape)).reshape(shape))

    def _rearranged(self, node: Node, origins: np.ndarray) -> View:
        """The view of a layer that only rearranges; operands of another type are cast first."""
        views = []
        for k, name in enumerate(node.inputs):
            operand = self.graph[name]
            if alike(operand.result_type, node.result_type, self.ranges[name]):
                views.append(self.views[name])
                continue
            cast = f"{node.name}_operand{k}" if len(node.inputs) > 1 else f"{node.name}_operand"
            self._layer(cast, node, Cast(), [self.views[name]], [self.ranges[name]])
            views.append(self.views[cast])
        joined = join(views, self.elements)
        index = np.append(joined.index, EMPTY)[origins]
        return View(joined.bases, index)

    def _repeats(self, view: View) -> bool:
        """Whether it has elements several times, as upsampling does, and no window gives them: who reads it had to collect."""
        read = view.index[view.index >= 0]
        if view.index.ndim < 2 or len(np.unique(read)) == read.size:
            return False
        indices = (view.index, np.moveaxis(view.index, 0, -1))
        positions = [(b, math.prod(self.drafts[b].result[-1:]) if b in self.drafts else self._row(b)) for b in view.bases]
        for sizes in ([(b, self._size(b)) for b in view.bases], positions):
            tokens = [(b, self.elements[b] // size, size) for b, size in sizes]
            if any(is_chained(i.reshape(-1, i.shape[-1]), tokens) for i in indices):
                return False
        turned = self._turned_input(view)
        if turned is None:
            return True
        mapped, token = turned
        tokens = [(view.bases[0], self.elements[view.bases[0]] // token, token)]
        return not any(is_chained(mapped[i].reshape(-1, i.shape[-1]), tokens) for i in indices)

    def _turned_input(self, view: View) -> tuple[np.ndarray, int] | None:
        """Of a view of an input the numbers of its elements channels last, EMPTY after them, and their token; see _entering."""
        name = view.bases[0]
        if len(view.bases) > 1 or name in self.drafts or len(self.graph[name].shape) < 2:
            return None
        shape = self.graph[name].shape
        order = np.arange(math.prod(shape)).reshape(shape).transpose(*range(1, len(shape)), 0).reshape(-1)
        mapped = np.full(order.size + 1, EMPTY)
        mapped[order] = np.arange(order.size)
        return mapped, shape[0]

    def _size(self, base: str) -> int:
        """Elements of a token of a base, if it stays as it is."""
        return math.prod(self.drafts[base].result) if base in self.drafts else self._row(base)

    def _passed_on(self, node: Node, view: View) -> None:
        """A process that sends what a view gives, position by position, channels last if that takes fewer tokens at once."""
        axes = (*range(1, view.index.ndim), 0)
        size = self._size(view.bases[0])
        turned = view.transposed(axes)
        first, second = (len(np.unique(v.index.reshape(-1, v.index.shape[-1])[0] // size)) for v in (view, turned))
        x = self.ranges[node.name]
        chosen, x = (turned, ordered(x, axes)) if second < first else (view, x)
        self._draft(node.name, node, node.op, [chosen], chosen.index.shape, [x], computes=False)
        if chosen is turned:
            base = self.views[node.name]
            self.views[node.name] = base.transposed(np.argsort(axes).tolist())

    def _output(self, node: Node) -> str:
        """The base that an output port sends."""
        view = self.views[node.name]
        if not view.bases:
            raise LimitError(
                "It depends on no input, so that no token calls for it.",
                where=node.origin.layer or node.name,
                fix="Take this output off the model, or set IOType: io_parallel.",
            )
        if len(view.bases) == 1 and view.index.size == self.elements[view.bases[0]]:
            order = np.argsort(view.index.reshape(-1))  # of each element that comes its number in the tensor
            if np.array_equal(view.index.reshape(-1)[order], np.arange(order.size)):
                self.orders.append(order)
                return view.bases[0]
        self.orders.append(np.arange(view.index.size))
        name = f"{node.name}_sent" if node.name in self.elements else node.name
        if name not in self.drafts:
            self._draft(name, node, node.op, [view], node.shape, [self.ranges[node.name]], computes=False)
        return name

    def _draft(
        self,
        name: str,
        node: Node,
        op: Op,
        views: Sequence[View],
        result: Shape,
        xs: Sequence[Range],
        *,
        computes: bool = True,
    ) -> None:
        """A process for a node; its result, of shape ``result``, is a base from then on. ``xs``: bounds of its operands."""
        shapes = [v.index.shape for v in views]
        leading = position_axes(op, shapes, result) if computes else len(result) - 1
        lead = result[:leading]
        joined = join(views, self.elements)
        part = self._part(name, node, op, joined.bases if computes else (), lead)
        firings = math.prod(lead) // math.prod(part)
        numbers, constants, bounds = [], [], []
        for view, shape, x in zip(apart(joined, views), shapes, xs, strict=True):
            follow = follows(shape, lead, len(shape) if len(shapes) == 1 else len(result)) and leading > 0
            assert follow or not leading or broadcasts(shape, lead, len(result))
            numbers.append(of_firings(view.index, firings, follow))
            own = np.zeros(view.index.shape, dtype=object) if view.constant is None else view.constant
            constants.append(of_firings(own, firings, follow))
            bounds.append(bounds_of_firings(x, shape, (*part, *shape[leading:]) if follow else shape, firings, follow))
        index = np.concatenate(numbers, axis=1)
        fixed = np.concatenate([np.full(n.shape[1], v.constant is not None) for n, v in zip(numbers, views, strict=True)])
        varying = fixed.any() and not all(np.all(c == c[:1]) for c in constants)
        self.drafts[name] = _Draft(
            name,
            node.origin.layer or node.name,
            op,
            joined.bases,
            index,
            (*part, *result[leading:]),
            tuple(bounds),
            tuple(self._type(name, node, k, v) for k, v in enumerate(views)),
            node.result_type,
            np.concatenate(constants, axis=1) if varying else None,
            fixed if varying else None,
            math.prod(part),
            lead,
            computes,
        )
        self._base(name, result)

    def _type(self, name: str, node: Node, k: int, view: View) -> FixedType:
        """Of the elements of an operand."""
        if name == node.name and not view.bases:
            return self.graph[node.inputs[k]].result_type
        base = view.bases[0] if view.bases else node.name
        return self.drafts[base].type if base in self.drafts else self.graph[base].result_type

    def _part(self, name: str, node: Node, op: Op, bases: Sequence[str], lead: Shape, least: int = 1) -> Shape:
        """The positions of a firing: as the user says; without, one of a layer with products, else as many as keep step.

        After a process that fires no more than ``least`` times, it is one, too.
        """
        if not lead:
            return ()
        wanted = self.positions.get(node.name) or self.positions.get(name)
        if wanted is None:
            given = max((self.drafts[b].index.shape[0] for b in bases if b in self.drafts), default=0)
            fewest = 1 if op.products() or given <= least else math.ceil(math.prod(lead) / given)
            wanted = at_least(lead, fewest)
        try:
            return chunk(lead, wanted)
        except ValueError:
            numbers = ", ".join(map(str, allowed(lead)))
            raise LimitError(
                f"Its {math.prod(lead):,} positions cannot be computed {wanted} at a time.",
                where=node.origin.layer or node.name,
                fix=f"Set ParallelizationFactor to one of {numbers}.",
            ) from None

    def _drop_unread(self, outputs: Sequence[str]) -> None:
        """Drop what nobody reads, as after a slice: streams of a layer, and layers."""
        for name in reversed(list(self.drafts)):
            if name not in outputs and not self._readers(name):
                del self.drafts[name], self.elements[name]
                continue
            draft = self.drafts[name]
            starts = np.cumsum([0, *(self.elements[b] for b in draft.bases)])
            bounds = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
            read = [bool(np.any((draft.index >= a) & (draft.index < b))) for a, b in bounds]
            if all(read) or not any(read):
                continue
            parts = [np.arange(b - a) if r else np.full(b - a, 0) for (a, b), r in zip(bounds, read, strict=True)]
            shift = np.cumsum([0, *((b - a) * r for (a, b), r in zip(bounds, read, strict=True))])
            mapped = np.concatenate([p + s for p, s in zip(parts, shift, strict=False)] + [np.array([EMPTY])])
            bases = tuple(b for b, r in zip(draft.bases, read, strict=True) if r)
            self.drafts[name] = replace(draft, bases=bases, index=mapped[draft.index])

    # ---- tokens ----------------------------------------------------------------------------------------------------------

    def _streams(self) -> Mapping[str, Stream]:
        """For each base the largest tokens from which all readers can gather without an address."""
        sizes = {n: math.prod(self.drafts[n].result) for n in self.elements if n in self.drafts}
        for node in self.graph.inputs:
            sizes[node.name] = self._entering(node, sizes)
        for name in sizes:
            readers = self._readers(name)
            for size in self._sizes(name, sizes[name], readers):
                trial = {**sizes, name: size}
                if all(is_chained(d.index, self._tokens(d, trial)) for d in readers):
                    sizes[name] = size
                    break
        types = {n: self.drafts[n].type if n in self.drafts else self.graph[n].result_type for n in sizes}
        return {n: Stream(self.elements[n] // size, size, types[n]) for n, size in sizes.items()}

    def _tokens(self, draft: _Draft, sizes: Mapping[str, int]) -> list[tuple[str, int, int]]:
        return [(b, self.elements[b] // sizes[b], sizes[b]) for b in draft.bases]

    def _sizes(self, name: str, most: int, readers: Sequence[_Draft]) -> Iterator[int]:
        """Sizes of tokens that may do, the largest first."""
        row = self._row(name)
        reads = (int((d.index >= 0).any(axis=0).sum()) for d in readers)
        wanted = {most, *(math.gcd(most, n) for n in reads)}
        wanted |= {row * d for d in range(1, most // row + 1) if most % (row * d) == 0} if most % row == 0 else set()
        yield from sorted(wanted, reverse=True)

    def _row(self, name: str) -> int:
        return self.graph[name].shape[-1] if name in self.graph.by_name and self.graph[name].shape else 1

    def _entering(self, node: Node, sizes: dict[str, int]) -> int:
        """Elements of an input's tokens: as many positions as the layers that read it want at once.

        An input with channels first enters channels last, one position after the other, where that spares its readers to
        collect all of it.
        """
        name, shape = node.name, node.shape
        sizes[name] = size = self._input_size(name, shape)
        if len(shape) < 2 or self._chained(name, sizes):
            return size
        order = np.arange(math.prod(shape)).reshape(shape).transpose(*range(1, len(shape)), 0).reshape(-1)
        before = dict(self.drafts)
        for draft in self._readers(name):
            start = sum(self.elements[b] for b in draft.bases[: draft.bases.index(name)])
            mapped = np.arange(sum(self.elements[b] for b in draft.bases) + 1)
            mapped[-1] = EMPTY
            mapped[start + order] = start + np.arange(order.size)
            self.drafts[draft.name] = replace(draft, index=mapped[draft.index])
        sizes[name] = turned = self._input_size(name, (*shape[1:], shape[0]))
        if self._chained(name, sizes):
            self.entering[name] = order
            return turned
        self.drafts = before
        return size

    def _chained(self, name: str, sizes: Mapping[str, int]) -> bool:
        known = {**{n: self.elements[n] for n in self.elements}, **sizes}
        return all(is_chained(d.index, self._tokens(d, known)) for d in self._readers(name))

    def _input_size(self, name: str, shape: Shape) -> int:
        if len(shape) < 2:
            return math.prod(shape)
        wanted = self.positions.get(name) or max([1, *(d.positions for d in self._readers(name))])
        return at_least(shape[:-1], wanted) * shape[-1]

    def _readers(self, name: str) -> list[_Draft]:
        return [d for d in self.drafts.values() if name in d.bases]

    # ---- processes -------------------------------------------------------------------------------------------------------

    def _process(self, draft: _Draft, streams: Mapping[str, Stream]) -> Process:
        tokens = [(b, streams[b].tokens, streams[b].size) for b in draft.bases]
        core: Hardware | None = None
        if draft.computes and draft.op.repeats is None:
            core = draft.op.hardware(draft.xs, draft.type, self.most_digits)
        own = draft.xs, draft.types, draft.type, draft.constants, draft.is_constant, draft.lead, draft.join, draft.initial
        return Process(draft.name, draft.layer, draft.op, front(draft.index, tokens), core, *own)
