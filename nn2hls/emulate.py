"""The emulator: a fixed graph on integers, exactly as the hardware computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from nn2hls.analysis import node_range
from nn2hls.errors import DataError
from nn2hls.fixed import FixedType, Rounding, cast, cast_to
from nn2hls.ir import Graph, Node
from nn2hls.ops.base import Kernel, Watch
from nn2hls.ops.dense import Dense
from nn2hls.ops.parts import lift
from nn2hls.ops.shape import Constant, Input
from nn2hls.parallel import in_order
from nn2hls.ranges import FLOAT64_EXACT, Range, carrier, ints

CHUNK_BYTES = 3 << 19  # of the widest value: small enough for a second-level cache, large enough to hide the cost of a call
# The same where the largest matrix alone leaves that cache: it is read once per chunk, and needs rows to spread the cost.
WIDE_CHUNK_BYTES = 8 << 20


@dataclass
class Overflow:
    """Values of one layer that left the range of their type.

    Args:
        layer: The node, and ``.accum`` or another part inside it.
        type: The type they were cast to.
        count: How many values.
        total: Of how many.
        bits: Integer bits that are missing for the worst of them.
    """

    layer: str
    type: FixedType
    count: int = 0
    total: int = 0
    bits: int = 0

    def __str__(self) -> str:
        share = f"{self.count} of {self.total} values"
        return f"{self.layer}: {share} beyond {self.type}, {self.bits} more integer bits needed"


@cache
def safe_range(fraction: int, kind: FixedType) -> tuple[int, int]:
    """The smallest and the largest mantissa with ``fraction`` fraction bits that round into the range of ``kind``."""
    shift = fraction - kind.fraction
    if shift <= 0:
        return -(-kind.min_mantissa >> -shift), kind.max_mantissa >> -shift
    step = 1 << shift
    ends = []
    for end, away in ((kind.min_mantissa, -1), (kind.max_mantissa, 1)):
        inside, outside = end * step, (end + away) * step  # the last value that fits lies between
        while abs(outside - inside) > 1:
            middle = (inside + outside) // 2
            rounded = cast_to(middle, fraction, kind, fits=True)
            inside, outside = (middle, outside) if rounded == end else (inside, middle)
        ends.append(inside)
    return ends[0], ends[1]


def _outside(rounded: Any, kind: FixedType) -> Any:
    """Which whole numbers are beyond the range. Floats are up to 2**53 in magnitude, which float32 does not tell apart."""
    low, high = kind.min_mantissa, kind.max_mantissa
    if rounded.dtype.kind == "f":
        rounded = rounded.astype(np.float64)
        low, high = max(low, -FLOAT64_EXACT), min(high, FLOAT64_EXACT)
    return (rounded < low) | (rounded > high)


@dataclass
class OverflowLog:
    """All overflows of one run, by layer."""

    found: dict[str, Overflow] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    def see(self, layer: str, values: Any, fraction: int, kind: FixedType) -> bool:
        """Note the values that do not fit ``kind``; True when there are any.

        Rounding is monotonic, so the extremes decide, and only a layer that overflows is counted.
        """
        size = values.size
        self.seen[layer] = self.seen.get(layer, 0) + size
        if not size:
            return False
        # As numbers of Python, which compare exactly: NumPy would round the ends of the range to float32.
        low, high = (v.item() if isinstance(v, np.generic) else v for v in (values.min(), values.max()))
        first, last = safe_range(fraction, kind)
        if first <= low and high <= last:
            return False
        low, high = (cast_to(int(v), fraction, kind, fits=True) for v in (low, high))
        rounded = cast_to(values, fraction, kind, fits=True)
        entry = self.found.setdefault(layer, Overflow(layer, kind))
        entry.count += int(np.count_nonzero(_outside(rounded, kind)))
        span = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (kind.signed or low < 0)
        entry.bits = max(entry.bits, span - kind.width, 1)
        return True

    def merge(self, other: OverflowLog) -> None:
        """Add what another log noted of further events of the same network."""
        for layer, count in other.seen.items():
            self.seen[layer] = self.seen.get(layer, 0) + count
        for layer, more in other.found.items():
            entry = self.found.setdefault(layer, Overflow(layer, more.type))
            entry.count += more.count
            entry.bits = max(entry.bits, more.bits)

    def watch(self, layer: str) -> Watch:
        """What a kernel of ``layer`` calls before the casts inside it."""

        def see(what: str, values: Any, fraction: int, kind: FixedType) -> None:
            self.see(f"{layer}.{what}", values, fraction, kind)

        return see

    def overflows(self) -> list[Overflow]:
        """What was found, in the order of the layers."""
        for name, entry in self.found.items():
            entry.total = self.seen[name]
        return [self.found[name] for name in self.seen if name in self.found]


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
        matrix = max((n.op.weight.array.nbytes for n in graph if isinstance(n.op, Dense)), default=0)
        self.chunk = max(16, (CHUNK_BYTES if matrix <= CHUNK_BYTES else WIDE_CHUNK_BYTES) // (8 * max(widest, 1)))
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
        """Run in chunks of events, side by side in threads.

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

        def run_chunk(start: int) -> OverflowLog:
            part, own = [x[start : start + self.chunk] for x in inputs], OverflowLog()
            self._run_chunk(part, start, wanted, take, raw, own)
            return own

        for own in in_order(run_chunk, range(0, events, self.chunk)):
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
    in_place = node.op.overwrites and not rest and isinstance(first.op, Dense) and len(graph.users[first.name]) == 1
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
    kind = carrier(int(np.abs(array).max(initial=0)))
    return array.astype(kind) if kind is not None else array


def _as_mantissas(x: np.ndarray, node: Node) -> np.ndarray:
    kind = node.result_type
    out = carrier(max(kind.max_mantissa, -kind.min_mantissa))
    if x.size and (x.min() < kind.min_mantissa or x.max() > kind.max_mantissa):
        raise DataError(f"Mantissas leave the range of {kind}.", where=node.name)
    return x.astype(out) if out is not None else x


def quantise(x: np.ndarray, node: Node, log: OverflowLog) -> np.ndarray:
    """Floats to mantissas of the input's type, rounded by its mode, exactly; values that do not fit are noted."""
    kind = node.result_type
    scaled = _scaled(x, kind.fraction)
    if scaled.size and not (np.isfinite(scaled.min()) and np.isfinite(scaled.max())):
        if not np.isfinite(x).all():
            fix = "Clean the data first: fixed point has no such values."
            raise DataError("The input holds NaN or Inf.", where=node.name, fix=fix)
        rounded = ints_of(x, kind)
    elif scaled.size and (max(-scaled.min(), scaled.max()) > FLOAT64_EXACT or not _is_float64(x)):
        rounded = ints_of(x, kind)
    else:
        rounded = round_exact(scaled, kind.rounding)
    fits = not log.see(node.name, rounded, kind.fraction, kind)
    mantissas: np.ndarray = rounded if fits else cast_to(rounded, kind.fraction, kind)
    out = carrier(max(kind.max_mantissa, -kind.min_mantissa))
    return mantissas.astype(out, copy=False) if out is not None else ints(mantissas)


def _is_float64(x: np.ndarray) -> bool:
    """Whether float64 holds every value, which it may not of the larger integers and of longer floats."""
    if x.dtype.itemsize < 8 or x.dtype == np.float64:
        return True
    if x.dtype.kind == "f":
        return bool(np.all(x.astype(np.float64) == x))
    return max(-int(x.min()), int(x.max())) <= FLOAT64_EXACT


def _scaled(x: np.ndarray, fraction: int) -> np.ndarray:
    """x * 2**fraction, exact unless it becomes infinite, or, as float64, smaller than any normal number."""
    kind = np.float32 if x.dtype == np.float32 and 0 <= fraction <= 64 else np.float64  # down, float32 would underflow
    if abs(fraction) > 1000:
        return np.asarray(np.ldexp(x.astype(np.float64), fraction))
    return np.asarray(np.multiply(x, kind(2.0**fraction), dtype=kind))


def ints_of(values: np.ndarray, kind: FixedType) -> np.ndarray:
    """The same as Python integers, for values or mantissas that float64 does not hold."""
    exact = [Fraction(*v.as_integer_ratio()) * Fraction(2) ** kind.fraction for v in values.ravel().tolist()]
    mantissas = [
        cast(v.numerator, v.denominator.bit_length() - 1, 1, True, kind.rounding, kind.overflow, fits=True) for v in exact
    ]
    out = np.empty(len(mantissas), dtype=object)
    out[:] = mantissas
    return out.reshape(values.shape)


def round_exact(q: np.ndarray, rounding: Rounding) -> np.ndarray:
    """Round floats to whole numbers by ``rounding``; unlike adding a half, right for every float."""
    if rounding is Rounding.TRN:
        return np.asarray(np.floor(q))
    if rounding is Rounding.TRN_ZERO:
        return np.asarray(np.trunc(q))
    nearest: np.ndarray = np.rint(q)  # half to even; only ties differ between the other modes
    if rounding is not Rounding.RND_CONV:
        rest = np.subtract(q, nearest)  # exact
        up, down = _TIES[rounding]
        if up is not None:
            nearest += np.logical_and(rest == 0.5, up(q, 0)) if up is not _always else rest == 0.5
        if down is not None:
            nearest -= np.logical_and(rest == -0.5, down(q, 0)) if down is not _always else rest == -0.5
    return nearest


def _always(q: np.ndarray, zero: int) -> bool:
    return True


# Which ties move up from the even number below them, and down from the one above: always, never, or by the sign.
_TIES: dict[Rounding, tuple[Any, Any]] = {
    Rounding.RND: (_always, None),
    Rounding.RND_MIN_INF: (None, _always),
    Rounding.RND_INF: (np.greater, np.less),
    Rounding.RND_ZERO: (np.less, np.greater),
}
