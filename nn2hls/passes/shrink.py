"""Shrink tensors to the channels that are read and different: what pruning leaves over of whole neurons."""

from __future__ import annotations

import dataclasses
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.ranges import Range, ints
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node, Spread
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.op import Op
from nn2hls.passes.base import Context

Channels = dict[str, np.ndarray]  # by node, one entry per channel, which is an element of the last axis
# Operands whose channels are channels of the result, each with an array (positions, channels) of where they stand there.
Links = Sequence[tuple[str, np.ndarray]]
Flow = Mapping[str, Links | None]  # by node; None: the op keeps all channels of its operands and of its result
_SAFE = 1 << 62  # sums below it are exact in int64


def shrink(graph: Graph, context: Context) -> Graph:
    """Remove channels that nothing reads, and compute equal ones once.

    No answer changes: the weights of equal inputs are added exactly, in a type that holds the sum, and never in a layer with a
    narrowed accumulator, whose answer depends on every addition. A channel goes only where every op up to the Dense layers that
    read it can do without (the op's facets ``channels`` and ``take``); inputs and outputs of the design keep their shape, and
    so does at least one channel of each value, as a constant where none is read. So do steps that share their hardware.
    """
    ranges = context.ranges.of(graph)
    flow = {n.name: _links(graph, n) for n in graph}
    same = _same(graph, flow, ranges)
    wanted = _wanted(graph, flow, same)
    kept = _kept(graph, flow, wanted)
    places = {n.name: _place(kept[n.name], wanted[n.name], same[n.name], _constant(n, ranges)) for n in graph}
    if all(p.whole and p.wanted.all() for p in places.values()):
        return graph
    done: dict[str, Node] = {}
    left: dict[str, Range] = {}
    for node in graph:
        changed = _shrunk(node, places, ranges, [left[i] for i in node.inputs], context)
        done[node.name], left[node.name] = changed, context.ranges.node(changed, [left[i] for i in changed.inputs])
    return Graph(tuple(done.values()), graph.outputs)


@dataclass(frozen=True)
class _Place:
    """Where the channels of a value go.

    Args:
        chosen: The channels that stay, in order.
        source: For each channel its place, or that of its equal, among them; -1: not computed, or a constant nobody reads.
        wanted: Which channels some output depends on.
    """

    chosen: np.ndarray
    source: np.ndarray
    wanted: np.ndarray

    @property
    def whole(self) -> bool:
        """True when every channel stays and is computed."""
        return np.array_equal(self.source, np.arange(len(self.source)))


# ---- which channels are equal, read, and kept ----------------------------------------------------------------------------


def _links(graph: Graph, node: Node) -> Links | None:
    found = None if node.turn else node.op.channels([graph[i].shape for i in node.inputs])
    return None if found is None else [(name, at) for name, at in zip(node.inputs, found, strict=True) if at is not None]


def _whole_operands(node: Node, flow: Flow) -> list[str]:
    """The operands that the op reads with all their channels, whatever channels of the result are asked for."""
    links = flow[node.name]
    linked = node.inputs if node.op.linear and not node.turn else [name for name, _ in links or ()]
    return list(Counter(node.inputs) - Counter(linked))  # a value may be two operands


def _size(node: Node) -> int:
    return node.shape[-1] if node.shape else 1


def _same(graph: Graph, flow: Flow, ranges: Mapping[str, Range]) -> Channels:
    """For each channel the first one of its value that has the same value, for every input, and that all readers take for it.

    The largest such relation: begin with what the ops that read or write a value must tell apart, and refine until all agree.
    """
    apart = {n.name: np.zeros(_size(n), dtype=np.int64) for n in graph}
    for node in graph:
        held = _whole_operands(node, flow)
        if flow[node.name] is None or node.name in graph.outputs:
            held.append(node.name)
        if node.op.narrowed([ranges[name] for name in node.inputs]):
            held += node.inputs
        apart |= {name: np.arange(_size(graph[name])) for name in held}
    same: dict[str, np.ndarray] = {}
    todo = _Agenda(graph)
    for node in todo:
        found = _first(np.vstack([*_keys(node, flow[node.name] or (), same), apart[node.name]]))
        if node.name in same and np.array_equal(found, same[node.name]):
            continue
        same[node.name] = found
        todo.add(user.name for user in graph.users[node.name])
        for name, at in flow[node.name] or ():
            told = _first(np.vstack([found[at], apart[name]]))
            if not np.array_equal(told, apart[name]):
                apart[name] = told
                todo.add([name])
    return same


class _Agenda:
    """The nodes of a graph in topological order, and again those that are added while it runs: no sweep over all of them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._place = {n.name: k for k, n in enumerate(graph)}
        self._waiting = set(range(len(graph.nodes)))
        self._heap = list(range(len(graph.nodes)))

    def add(self, names: Iterable[str]) -> None:
        """Visit these, once more if they were visited."""
        for place in (self._place[name] for name in names):
            if place not in self._waiting:
                self._waiting.add(place)
                heapq.heappush(self._heap, place)

    def __iter__(self) -> Iterator[Node]:
        while self._heap:
            place = heapq.heappop(self._heap)
            self._waiting.discard(place)
            yield self._graph.nodes[place]


def _keys(node: Node, links: Links, same: Channels) -> Iterator[np.ndarray]:
    """Arrays (any, channels) that are equal where two channels of the result are."""
    op, n = node.op, _size(node)
    if op.linear:
        weights, biases = op.linear
        yield _summed(weights, same[node.inputs[0]])
        yield biases
    for name, at in links:
        key = np.full(n, -1)
        key[at] = np.arange(len(at))[:, None] * at.shape[1] + same[name]
        yield key
    for name in op.per_channel:
        array = getattr(op, name).array
        if array.ndim:
            yield np.broadcast_to(array, (*array.shape[:-1], n)).reshape(-1, n)


def _first(keys: np.ndarray) -> np.ndarray:
    """For each column the first column that is equal to it."""
    columns = np.ascontiguousarray(keys.T)
    seen: dict[object, int] = {}
    if keys.dtype == object:
        return np.array([seen.setdefault(tuple(c), j) for j, c in enumerate(columns)])
    return np.array([seen.setdefault(c.tobytes(), j) for j, c in enumerate(columns)])


def _summed(weight: np.ndarray, same: np.ndarray, rows: int | None = None) -> np.ndarray:
    """The weights with row i added to row ``same[i]`` of ``rows``; rows with a negative place are left out."""
    if rows is None and np.array_equal(same, np.arange(len(same))):
        return weight
    largest = int(np.abs(ints(weight) if weight.dtype == object else weight).max(initial=0))
    weight = weight if largest * len(same) < _SAFE else ints(weight)
    total: np.ndarray = np.zeros((len(same) if rows is None else rows, weight.shape[1]), dtype=weight.dtype)
    np.add.at(total, same[same >= 0], weight[same >= 0])
    return total


def _wanted(graph: Graph, flow: Flow, same: Channels) -> Channels:
    """Which channels some output depends on, once equal ones are computed once."""
    wanted = {n.name: np.full(_size(n), n.name in graph.outputs or n.turn is not None) for n in graph}
    for node in reversed(graph.nodes):
        if node.op.linear:
            (name,) = node.inputs
            read = np.any(_summed(node.op.linear[0], same[name])[:, wanted[node.name]] != 0, axis=1)
            wanted[name] |= read[same[name]]
        for name in _whole_operands(node, flow):
            wanted[name] |= wanted[node.name].any()
        for name, at in flow[node.name] or ():
            wanted[name] |= wanted[node.name][at].any(axis=0)
    return wanted


def _kept(graph: Graph, flow: Flow, wanted: Channels) -> Channels:
    """The channels that stay: the wanted ones, those that stand beside a wanted one, and at least one."""
    whole = {name for n in graph for name in _whole_operands(n, flow)} | {n for n, links in flow.items() if links is None}
    kept = {name: here | (name in whole) for name, here in wanted.items()}
    todo = _Agenda(graph)
    for node in todo:
        here = kept[node.name]
        before = here.copy()
        here[0] |= not here.any()
        for name, at in flow[node.name] or ():
            more = kept[name] | here[at].any(axis=0)
            if not np.array_equal(more, kept[name]):
                kept[name] = more
                todo.add([name, *(user.name for user in graph.users[name])])
            here[at[:, kept[name]]] = True
        if not np.array_equal(here, before):
            todo.add([node.name, *(user.name for user in graph.users[node.name])])
    return kept


def _constant(node: Node, ranges: Mapping[str, Range]) -> np.ndarray:
    """Which channels have one value for every input."""
    known = ranges[node.name]
    return np.asarray(np.all((known.least == known.most).reshape(-1, _size(node)), axis=0))


def _constants(node: Node, ranges: Mapping[str, Range]) -> Const:
    """The values of the elements that have one value for every input, and zero for the others."""
    known = ranges[node.name]
    values = np.broadcast_to(np.where(known.lo == known.hi, known.lo, 0), node.shape)
    return Const(values if known.bound >= _SAFE else values.astype(np.int64))


def _place(kept: np.ndarray, wanted: np.ndarray, same: np.ndarray, constant: np.ndarray) -> _Place:
    n = len(kept)
    first = np.full(n, n)
    np.minimum.at(first, same[kept], np.flatnonzero(kept))
    chosen = np.unique(first[same[kept]])
    return _Place(chosen, np.where(kept & (wanted | ~constant), np.searchsorted(chosen, first[same]), -1), wanted)


# ---- the smaller graph ---------------------------------------------------------------------------------------------------


def _shrunk(node: Node, places: Mapping[str, _Place], before: Mapping[str, Range], xs: list[Range], context: Context) -> Node:
    """The node with the channels that stay; ``xs`` are the ranges of its shrunk operands."""
    place, op = places[node.name], node.op
    if op.linear:
        _tell(node, place, context)
    if not place.wanted.any() and not isinstance(op, Input):  # no work, and no overflows that nobody hears of
        constant = _constants(node, before).array
        op = Constant(Const(constant[..., place.chosen] if node.shape else constant))
        node = dataclasses.replace(node, inputs=())
    elif op.linear:
        op = _rewired(node, op.linear[0], places[node.inputs[0]], place, context)
        op = op if op is node.op or node.op.narrowed([before[name] for name in node.inputs]) else op.widened(xs)
    elif len(place.chosen) < _size(node):
        op = op.take(place.chosen)
    # What nobody reads may stay to keep the shape, and then lacks the layer's values; an input always has its own.
    shown = place.source if isinstance(op, Input) else np.where(place.wanted, place.source, -1)
    if not node.shape or np.array_equal(shown, np.arange(len(shown))):
        return dataclasses.replace(node, op=op)
    shape = (*node.shape[:-1], len(place.chosen))
    return dataclasses.replace(node, op=op, shape=shape, spread=Spread(shown, _constants(node, before)))


def _rewired(node: Node, weights: np.ndarray, x: _Place, y: _Place, context: Context) -> Op:
    """The op of a node with the ``weights`` of the operand's channels that stay, its accumulator as it was."""
    idle = ~y.wanted & np.any(weights != 0, axis=0)
    if x.whole and y.whole and not idle.any():
        return node.op
    # A channel may stay although nobody wants it, because its equals' weights cancel its own: then none of them may count.
    rows = np.where(x.wanted, x.source, -1)
    op = node.op.rewired(_summed(weights, rows, len(x.chosen)), y.chosen, idle)
    old, new = (o.types()["weight"] for o in (node.op, op))
    if new != old:
        context.notes.append(f"{node.name}: the weights of equal inputs are added exactly, which takes {new} for {old}.")
    return op


def _tell(node: Node, place: _Place, context: Context) -> None:
    n, dead = len(place.source), int(np.count_nonzero(~place.wanted))
    copies = int(np.count_nonzero(place.wanted)) - len(np.unique(place.source[place.wanted]))
    if not dead + copies:
        return
    if dead == n:
        context.notes.append(f"{node.name}: its {n} neurons are read by nobody; it is not computed.")
        return
    parts = [f"{dead} of {n} neurons are read by nobody"] if dead else []
    parts += [f"{copies} {'' if dead else f'of {n} neurons '}are copies of others"] if copies else []
    idle = len(place.chosen) - (n - dead - copies)
    kept = f"{len(place.chosen)} remain" + (f", {idle} of them idle, to keep the shape" if idle else "")
    context.notes.append(f"{node.name}: {', '.join(parts)}: {kept}.")
