"""The emulator: a fixed graph on integers, exactly as the hardware computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import cast_to
from nn2hls.arith.parallel import even_share, in_order
from nn2hls.arith.ranges import Range, carrier, lift
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.emulate.quantise import _as_mantissas, quantise
from nn2hls.graph.analysis import node_range
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.op import Kernel

# Of the widest value: small enough for the caches, and large enough that threads seldom meet at the interpreter's lock, which
# each call of NumPy gives and takes: a meeting costs tens of microseconds, and half of this size cost a quarter more time.
CHUNK_BYTES = 5 << 20

# The same where the largest matrix has more than MATRIX_BYTES: it is read once per chunk, and needs rows to spread the cost.
MATRIX_BYTES = 3 << 19
WIDE_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True)
class _Step:
    node: Node
    kernel: Kernel
    fraction: int
    proven: bool  # the exact result fits the result type for every input
    exact: bool  # no bits are dropped
    in_place: bool  # the operand is a fresh array that nobody else reads
    bound: int  # the largest magnitude before and after rounding


class Emulator:
    """A fixed graph, prepared to run; one instance may run any number of times."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._steps: list[_Step] = []
        ranges: dict[str, Range] = {}
        for node in graph:
            xs = [ranges[i] for i in node.inputs]
            ranges[node.name] = node_range(node, xs)
            if not isinstance(node.op, Input | Constant):
                self._steps.append(_prepare(graph, node, xs))
        self.ranges = ranges
        self._constants = {n.name: _constant(n) for n in graph if isinstance(n.op, Constant)}
        widest = max((int(np.prod(n.shape)) for n in graph), default=1)
        matrix = max((n.op.linear[0].nbytes for n in graph if n.op.linear), default=0)
        self.chunk = max(16, (CHUNK_BYTES if matrix <= MATRIX_BYTES else WIDE_CHUNK_BYTES) // (8 * max(widest, 1)))
        last: dict[str, int] = {}
        for k, step in enumerate(self._steps):
            for name in step.node.inputs:
                last[name] = k
        self._last = last

    def run(
        self,
        inputs: Sequence[np.ndarray],
        take: Callable[[str, int, Any], None],
        keep: Iterable[str] = (),
        *,
        raw: bool = False,
        log: OverflowLog | None = None,
    ) -> OverflowLog:
        """Run in chunks of at most ``chunk`` events, side by side in threads.

        Args:
            inputs: One array (events, *shape) per input: floats, or mantissas when ``raw``.
            take: Called with node name, first event and the mantissas of the chunk, for outputs and ``keep``, by several
                threads at once; it must copy what it keeps, for a later layer may overwrite the array.
            keep: Further nodes whose values are wanted.
            raw: The inputs are mantissas of the input types.
            log: Where overflows are noted; a new one without.
        """
        log = log or OverflowLog()
        events = inputs[0].shape[0] if inputs else 1
        wanted = {*self.graph.outputs, *keep}

        step = even_share(events, self.chunk)

        def run_chunk(start: int) -> OverflowLog:
            part, own = [x[start : start + step] for x in inputs], OverflowLog()
            self._run_chunk(part, start, wanted, take, raw, own)
            return own

        for own in in_order(run_chunk, range(0, events, step)):
            log.merge(own)
        return log

    def _run_chunk(
        self,
        inputs: Sequence[np.ndarray],
        start: int,
        wanted: set[str],
        take: Callable[[str, int, Any], None],
        raw: bool,
        log: OverflowLog,
    ) -> None:
        count = len(inputs[0]) if inputs else 1
        values: dict[str, Any] = {
            name: np.broadcast_to(array, (count, *array.shape)) for name, array in self._constants.items()
        }
        for node, x in zip(self.graph.inputs, inputs, strict=True):
            values[node.name] = _as_mantissas(x, node) if raw else quantise(x, node, log)
        for name in wanted & values.keys():
            take(name, start, values[name])
        for k, step in enumerate(self._steps):
            node = step.node
            operands = [values[i] for i in node.inputs]
            if step.in_place:
                exact = step.kernel(operands, log.watch(node.name), operands[0])
            else:
                exact = step.kernel(operands, log.watch(node.name))
            values[node.name] = _finish(step, exact, log)
            if node.name in wanted:
                take(node.name, start, values[node.name])
            for name in node.inputs:
                if self._last[name] == k:
                    values.pop(name, None)


def _prepare(graph: Graph, node: Node, xs: list[Range]) -> _Step:
    exact, kind = node.op.exact(xs), node.result_type
    rounded = exact.rounded(kind)
    proven = kind.min_mantissa <= rounded.low and rounded.high <= kind.max_mantissa
    bound = max(exact.bound, rounded.bound)
    (first, *rest) = graph.operands(node)
    in_place = node.op.overwrites and not rest and first.op.fresh and len(graph.users[first.name]) == 1
    rounding = node.op.rounding_kernel(xs, kind)
    kernel, fraction = (rounding, kind.fraction) if rounding else (node.op.kernel(xs), exact.fraction)
    return _Step(node, kernel, fraction, proven, fraction == kind.fraction, in_place, bound)


def _finish(step: _Step, exact: Any, log: OverflowLog) -> Any:
    """The one cast of a layer, skipping what is proved to change nothing; Python integers only where the type needs them."""
    kind = step.node.result_type
    fits = step.proven or not log.see(step.node.name, exact, step.fraction, kind)
    unchanged = step.exact and fits and isinstance(exact, np.ndarray)
    values = exact if unchanged else cast_to(lift(exact, step.bound), step.fraction, kind, fits=fits)
    return lift(values, max(kind.max_mantissa, -kind.min_mantissa)) if values.dtype == object else values


def _constant(node: Node) -> np.ndarray:
    assert isinstance(node.op, Constant)
    array = node.op.value.array
    kind = carrier(Range.of_mantissas(array, 0).bound)
    return array.astype(kind) if kind is not None else array
