"""A net cut into clocks: which stage each cell stands in, and the registers that carry values from stage to stage.

The Verilog and the estimate read the same stages, so the latency and the flip-flops of the estimate are those of the RTL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from nn2hls.hardware.net import Code, Net
from nn2hls.hardware.operators import operator
from nn2hls.hardware.schedule import Kind, Operator

# Nanoseconds of an operator: from an operand's bit to the same bit of the result, and what its carry takes to the top bit.
Delay = Callable[[Operator], tuple[float, float]]
_RIPPLE = frozenset({Kind.ADD})  # the next operator can begin with the low bits
_BITWISE = frozenset({Kind.SELECT})


@dataclass(frozen=True)
class Moment:
    """Nanoseconds within a stage at which the lowest and the highest bit of a value are there."""

    low: float = 0.0
    high: float = 0.0

    def after(self, kind: Kind, delay: tuple[float, float]) -> Moment:
        """When the result of an operator is there whose operands are there now."""
        fixed, carry = delay
        if kind in _BITWISE:
            return Moment(self.low + fixed, self.high + fixed)
        end = max(self.high + fixed, self.low + fixed + carry)
        return Moment(self.low + fixed, end) if kind in _RIPPLE else Moment(end, end)

    def latest(self, other: Moment) -> Moment:
        """When both are there."""
        return Moment(max(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, eq=False)
class Stages:
    """A placed net. Inputs are there in stage 0, outputs in the last one.

    Args:
        net: The net.
        of: The stage that computes each wire which some output needs.
        ready: When a wire is there, within its stage.
        latency: The last stage: clock edges from inputs to outputs.
    """

    net: Net
    of: Mapping[int, int]
    ready: Mapping[int, Moment]
    latency: int

    def source(self, wire: int) -> int:
        """The wire whose register carries a value over a clock edge: appended zeros need none."""
        cell = self.net.cells[wire]
        return self.source(cell.args[0]) if cell.code is Code.SHIFT and cell.k > 0 else wire

    @cached_property
    def last(self) -> Mapping[int, int]:
        """The last stage in which a wire, or one that only appends zeros to it, is read."""
        found = dict(self.of)
        for wire, stage in self.of.items():
            for a in self.net.cells[wire].args:
                source = self.source(a)
                found[source] = max(found[source], stage)
        for output in self.net.outputs:
            found[self.source(output)] = self.latency
        return found

    @cached_property
    def readers(self) -> Counter[int]:
        """How many cells, registers and outputs read each wire, or one that only appends zeros to it."""
        shifts = (w for w in self.of if self.source(w) == w)
        found = Counter(self.source(a) for w in shifts for a in self.net.cells[w].args)
        found.update(self.kept.keys())
        found.update(self.source(o) for o in self.net.outputs)
        return found

    @cached_property
    def kept(self) -> Mapping[int, int]:
        """How many registers in a row a wire has; those without any, and constants, are left out."""
        spans = {w: self.last[w] - s for w, s in self.of.items() if self.net.cells[w].code is not Code.CONST}
        return {w: n for w, n in spans.items() if n and self.source(w) == w}

    @property
    def registers(self) -> int:
        """Flip-flops."""
        return sum(self.net.cells[w].width * n for w, n in self.kept.items())

    def until(self, latency: int) -> Stages:
        """The same with outputs held until a later stage."""
        return self if latency == self.latency else Stages(self.net, self.of, self.ready, latency)

    def arrivals(self) -> list[Moment]:
        """When each output is there in the last stage: at its beginning if a register holds it."""
        return [self.ready[o] if self.of[o] == self.latency else START for o in self.net.outputs]


START = Moment()


def place(net: Net, delay: Delay, period: float, arrivals: Mapping[int, Moment] | None = None) -> Stages:
    """Every cell as early as its operands allow; one that no longer fits into a period starts with the next.

    Args:
        net: With its outputs set.
        delay: Of an operator.
        period: Nanoseconds that a stage may fill. A cell that alone takes longer is placed all the same: see ``slowest``.
        arrivals: For input numbers when they are there in stage 0; at its beginning for others.
    """
    of: dict[int, int] = {}
    ready: dict[int, Moment] = {}
    arrivals = arrivals or {}
    for wire in net.alive():
        cell = net.cells[wire]
        if cell.code is Code.INPUT:
            of[wire], ready[wire] = 0, arrivals.get(cell.k, START)
            continue
        stage = max((of[a] for a in cell.args), default=0)
        start = START
        for a in cell.args:
            start = start.latest(ready[a]) if of[a] == stage else start
        takes = operator(net, wire)
        if takes is None:
            of[wire], ready[wire] = stage, start
            continue
        end = start.after(takes.kind, delay(takes))
        if start.high > 0 and end.high > period:
            stage, end = stage + 1, START.after(takes.kind, delay(takes))
        of[wire], ready[wire] = stage, end
    return Stages(net, of, ready, max((of[o] for o in net.outputs), default=0))


def slowest(net: Net, delay: Delay) -> tuple[float, Operator | None]:
    """(nanoseconds, operator) of the cell that takes longest: no clock period can be shorter."""
    found = [(sum(delay(op)), n, op) for n, op in ((n, operator(net, n)) for n in net.alive()) if op is not None]
    return max(((ns, op) for ns, _, op in found), key=lambda pair: pair[0], default=(0.0, None))
