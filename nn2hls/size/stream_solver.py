"""Picks for every layer of a design in streams how many positions it computes at once, or how many products share a multiplier.

A layer that is too slow for an interval computes more positions side by side; one with time left shares its multipliers. Each
layer takes the least that keeps the interval; the whole is then planned as it is, and who still is too slow, such as a layer
whose operand comes too slowly, takes one step more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nn2hls.errors import LimitError
from nn2hls.size.actors import Timing, actors
from nn2hls.size.choices import MEASURES, reuse_factors
from nn2hls.size.layouts import layout_of
from nn2hls.size.solution import NAMES, RESOURCES, measures, part_limits
from nn2hls.size.solver import Limits
from nn2hls.size.streams import VERILOG, StreamEstimate, StreamSizer
from nn2hls.streams.accumulate import ACCUMULATED, deals_out
from nn2hls.streams.chunks import allowed
from nn2hls.streams.network import Process
from nn2hls.text import table

ROUNDS = 40  # times that slow layers take one step more


@dataclass(frozen=True)
class Knobs:
    """Of nodes, by name: reuse factors, and positions at once."""

    reuse: Mapping[str, int]
    positions: Mapping[str, int]


@dataclass(frozen=True, repr=False)
class StreamSolution:
    """The knobs that were found, and the next best design.

    Args:
        knobs: What the config has to say.
        estimate: The whole design with them.
        limits: What was asked for, and what the part has.
        asked: The measures that the user set a limit on.
        second: The estimate of the design with the next other interval that is within the limits; None where there is none.
    """

    knobs: Knobs
    estimate: StreamEstimate
    limits: Mapping[str, int]
    asked: tuple[str, ...]
    second: StreamEstimate | None

    @property
    def bottleneck(self) -> str:
        """The layer that sets the interval."""
        return self.estimate.fifos.bottleneck

    def settings(self) -> dict[str, dict[str, Any]]:
        """By node what the config says."""
        found: dict[str, dict[str, Any]] = {}
        for field, chosen in (("reuse", self.knobs.reuse), ("positions", self.knobs.positions)):
            for name, value in chosen.items():
                found.setdefault(name, {})[field] = value
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "limits": dict(self.limits),
            "asked": list(self.asked),
            "settings": self.settings(),
            "figures": measures(self.estimate),
            "bottleneck": self.bottleneck,
            "second": None if self.second is None else measures(self.second),
            "estimate": self.estimate.to_dict(),
        }

    def __str__(self) -> str:
        own = {p.name: p for p in self.estimate.fifos.pace}
        of_layer = {layer.name: layer for layer in self.estimate.layers}
        rows = [
            [
                name,
                s.get("positions", 1),
                s.get("reuse", 1),
                max(own[p].own for p in parts),
                sum(of_layer[p].report.dsp for p in parts if p in of_layer),
            ]
            for name, s in self.settings().items()
            if (parts := [p for p in (name, f"{name}{ACCUMULATED}") if p in own])
        ]
        amounts, other = measures(self.estimate), measures(self.second) if self.second else {}
        totals = [
            [
                NAMES[m],
                f"{amounts[m]:,}",
                f"{self.limits[m]:,}" if m in self.limits else None,
                f"{other[m]:,}" if other else None,
            ]
            for m in MEASURES
        ]
        layers = table(["layer", "positions", "reuse", "interval", "DSP"], rows) if rows else ""
        last = f"{self.bottleneck} is the slowest: {own[self.bottleneck].own:,} of {self.estimate.ii:,} clocks.\n"
        return f"{layers}\n{table(['whole design', 'needs', 'limit', 'second best'], totals)}{last}"


class StreamSolver:
    """Answers any number of questions on one design."""

    def __init__(self, sizer: StreamSizer) -> None:
        self.said = sizer.positions
        self.start = sizer.varied({n.name: 1 for n in sizer.graph if n.op.products()}, {})
        self.part = part_limits(sizer.part, sizer.tool)
        self._made: dict[int, tuple[Knobs, StreamSizer]] = {}

    @cached_property
    def processes(self) -> Mapping[str, Process]:
        """Those that have a knob: nodes of the graph with several positions, or with products."""
        known = self.start.graph.by_name
        return {p.name: p for p in self.start.network.processes if p.name in known and (p.positions < _most(p) or _shares(p))}

    @cached_property
    def own(self) -> Mapping[str, int]:
        """Clocks between two events of each process with one position a firing and a multiplier for each product."""
        return _own(self.start)

    @cached_property
    def shared(self) -> Mapping[str, tuple[tuple[int, int, float], ...]]:
        """For each process with products (reuse factor, clocks between two events, cost), the cheapest first."""
        found = {}
        for name, process in self.processes.items():
            if _shares(process):
                factors = sorted({*reuse_factors(process.op.products()), *self.accumulating(process)})
                choices = [c for r in factors if (c := self._choice(process, r)) is not None]
                found[name] = tuple(sorted(choices, key=lambda c: (c[2], c[1])))
        return found

    def accumulating(self, process: Process) -> tuple[int, ...]:
        """Reuse factors with which a layer that collects its operand adds up what comes in place of that, rising."""
        front = process.front
        if front.firings > 1 or len(front.sources) != 1:
            return ()
        return tuple(f for f in process.op.accumulating(process.xs) if deals_out(f, front.sources[0].tokens))

    def _choice(self, process: Process, reuse: int) -> tuple[int, int, float] | None:
        """None where the layer cannot be built so."""
        try:
            core = self.start.alone(process, layout_of(process.op)._replace(reuse=reuse))
        except LimitError:
            return None
        clocks = max(self.own[process.name], process.front.firings * core.ii)
        return reuse, clocks, sum(getattr(core.synthesised, r) / (self.part[r] or 1) for r in RESOURCES)

    # ---- one interval ----------------------------------------------------------------------------------------------------

    def within(self, interval: int) -> tuple[Knobs, StreamSizer]:
        """The smallest design found with at most so many clocks between two events, or the nearest to it."""
        if interval in self._made:
            return self._made[interval]
        knobs = self._first(interval)
        made = self.start.varied(knobs.reuse, knobs.positions)
        nearest: tuple[int, Knobs, StreamSizer] | None = None
        for _ in range(ROUNDS):
            own = _own(made)
            worst = max(own.values())
            if nearest is None or worst < nearest[0]:
                nearest = worst, knobs, made
            faster = self._faster(knobs, made, [n for n, clocks in own.items() if clocks > interval])
            if worst <= interval or faster is None:
                break
            knobs = faster
            made = self.start.varied(knobs.reuse, knobs.positions)
        assert nearest is not None
        self._made[interval] = nearest[1:]
        return nearest[1:]

    def _first(self, interval: int) -> Knobs:
        reuse, positions = {}, {}
        for name, process in self.processes.items():
            fit = next((r for r, clocks, _ in self.shared.get(name, ()) if clocks <= interval), None)
            if fit is not None:  # what accumulates needs no place for its operand, and no choice among its elements
                fit = max((f for f in self.accumulating(process) if f <= interval), default=fit)
            if fit is not None and fit > 1:
                reuse[name] = fit
            elif fit is None and name in self.shared:
                wanted = -(-self.own[name] * process.positions // interval)
                positions[name] = next((n for n in allowed(process.lead) if n >= wanted), _most(process))
        return Knobs(reuse, positions)

    def _faster(self, knobs: Knobs, made: StreamSizer, slow: list[str]) -> Knobs | None:
        """One step more for each process that is slow; None if none can make one."""
        reuse, positions = dict(knobs.reuse), dict(knobs.positions)
        now = {p.name: p.positions for p in made.network.processes}
        for name in slow:
            process = self.processes.get(name)
            if process is None:
                continue
            if name in reuse:
                del reuse[name]
                continue
            more = [n for n in allowed(process.lead) if n > now[name]]
            if more:
                positions[name] = more[0]
        found = Knobs(reuse, positions)
        return found if found != knobs else None

    # ---- questions -------------------------------------------------------------------------------------------------------

    def solve(self, limits: Limits) -> StreamSolution:
        """With a limit on II the smallest design that keeps it, else the fastest within the limits and the part.

        Raises:
            LimitError: There is none; the message says the nearest.
        """
        asked = limits.given()
        bounds = {**self.part, **asked}
        ladder = self._intervals()
        if "ii" in asked:
            self._check(asked["ii"], bounds)
            interval = asked["ii"]
            others = [n for n in ladder if n < self._estimate(interval).ii][::-1]
        else:
            interval = self._fastest(ladder, bounds)
            others = ladder[ladder.index(interval) + 1 :]
        found = self._estimate(interval)
        second = next((e for n in others[:3] if (e := self._estimate(n)).ii != found.ii and _meets(e, bounds)), None)
        return StreamSolution(self._complete(*self.within(interval)), found, bounds, tuple(asked), second)

    def _complete(self, knobs: Knobs, made: StreamSizer) -> Knobs:
        """With what a config has to say lest its own settings hold."""
        network = made.network
        now = {n.name: network.entering(n.name, n.shape) for n in made.graph.inputs if len(n.shape) > 1}
        now |= {p.name: p.positions for p in network.processes if p.lead}
        reuse = {name: knobs.reuse.get(name, 1) for name in self.shared}
        named = {**{name: now[name] for name in self.said if name in now}, **knobs.positions}
        return Knobs(reuse, named)

    def _estimate(self, interval: int) -> StreamEstimate:
        return self.within(interval)[1].whole

    def _check(self, interval: int, bounds: Mapping[str, int]) -> None:
        """Refuse what the design for an interval does not meet."""
        found = self._estimate(interval)
        if found.ii > interval:
            fix = f"The nearest that its settings reach is II {found.ii:,}, which {found.fifos.bottleneck} needs."
            raise LimitError(f"II {interval:,} cannot be met.", fix=fix)
        over = [m for m, amount in measures(found).items() if amount > bounds.get(m, amount)]
        if over:
            needs = ", ".join(f"{NAMES[m]} {measures(found)[m]:,} of {bounds[m]:,}" for m in over)
            raise LimitError(f"II {interval:,} needs {needs}.", fix=self._nearest(bounds))

    def _nearest(self, bounds: Mapping[str, int]) -> str:
        others = {m: n for m, n in bounds.items() if m != "ii"}
        try:
            found = self._estimate(self._fastest(self._intervals(), others))
        except LimitError:
            return "No II meets these limits. Take a larger part, or narrower types."
        return f"The nearest with the other limits is II {found.ii:,}."

    def _fastest(self, ladder: list[int], bounds: Mapping[str, int]) -> int:
        """The least interval whose design is within the bounds; a larger one is taken to need no more."""
        low, high = 0, len(ladder)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if _meets(self._estimate(ladder[middle]), bounds) else (middle + 1, high)
        if low == len(ladder):
            least = measures(self._estimate(ladder[-1]))
            over = ", ".join(f"{NAMES[m]} {least[m]:,} of {n:,}" for m, n in bounds.items() if least[m] > n)
            raise LimitError(f"The smallest design needs {over}.", fix="Take a larger part, narrower types, or prune weights.")
        return ladder[low]

    def _intervals(self) -> list[int]:
        """The intervals at which some layer's setting changes, rising."""
        found = {max(self.own.values())}
        for name, process in self.processes.items():
            found |= {clocks for _, clocks, _ in self.shared.get(name, ())}
            found |= {-(-self.own[name] * process.positions // n) for n in allowed(process.lead) if n > process.positions}
        return sorted(found)


def _most(process: Process) -> int:
    return allowed(process.lead)[-1]


def _shares(process: Process) -> bool:
    return process.op.products() > 0 and "reuse" in process.op.uses


def _own(made: StreamSizer) -> dict[str, int]:
    """Clocks between two events of each port and process, if nobody makes it wait."""
    timing = Timing(overlap=made.tool == VERILOG)
    return {a.name or a.layer: a.interval for a in actors(made.network, timing) if a.name}


def _meets(found: StreamEstimate, bounds: Mapping[str, int]) -> bool:
    return all(measures(found)[m] <= n for m, n in bounds.items())
