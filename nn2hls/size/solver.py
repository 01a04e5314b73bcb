"""Picks a layout for every layer, its reuse factor and strategy: within limits the smallest design, else the fastest.

Dynamic programming over the layers' lists of choices (``nn2hls.size.choices``). Resources and latency add up over the layers
there; latency so is a bound from above, because layers share clocks. The whole design is then estimated as it is, the
difference is given back to the limits, and the search is repeated; what is reported always is the estimate of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from nn2hls.errors import LimitError
from nn2hls.estimate.result import Estimate
from nn2hls.size.choices import MEASURES, Choice, Sizer
from nn2hls.size.layouts import Layout
from nn2hls.size.solution import NAMES, RESOURCES, Solution, Step, measures, part_limits

SEARCH_PER_OCTAVE = 12  # reuse factors tried between one and its double
MAX_STATES = 3_000  # partial solutions looked at per layer; of more, those that need alike shares of the limits are one
ROUNDS = 8  # times that the difference between sum and whole is given back
FASTEST, SMALLEST = "fastest", "smallest"
Layouts = dict[str, Layout]


@dataclass(frozen=True)
class Limits:
    """What a design may need: clocks, and resources after logic synthesis; None: no limit."""

    ii: int | None = None
    latency: int | None = None
    dsp: int | None = None
    lut: int | None = None
    ff: int | None = None
    bram: int | None = None

    def given(self) -> dict[str, int]:
        """Measure -> limit, of those that are set."""
        return {m: getattr(self, m) for m in MEASURES if getattr(self, m) is not None}


class Solver:
    """The choices of a design's layers, listed once for any number of questions."""

    def __init__(self, sizer: Sizer, named: Sequence[int] = ()) -> None:
        self.sizer = sizer
        self.part = part_limits(sizer.part, sizer.tool)
        fixed = [sizer.choice(n) for n in sizer.nodes if n not in sizer.reusable]
        self.base = {m: sum(c.measures()[m] for c in fixed) for m in MEASURES[1:]}
        self.least_ii = max((c.ii for c in fixed), default=1)
        room = self._room()
        found = {name: sizer.choices(name, named, SEARCH_PER_OCTAVE, room[name]) for name in sizer.reusable}
        for layer in found.values():
            if not layer.choices:
                raise LimitError("No reuse factor makes this layer fit the HLS tools.", where=layer.name)
        self.lists = {name: layer.choices for name, layer in found.items()}

    def _room(self) -> dict[str, int]:
        """For each layer the LUTs of the part that the others leave it when they share all that they can."""
        least = dict.fromkeys(self.sizer.reusable, 0)
        for name, products in self.sizer.reusable.items():
            with suppress(LimitError):  # how little it needs is not known then
                least[name] = self.sizer.choice(name, products).measures()["lut"]
        left = self.part["lut"] - self.base["lut"] - sum(least.values())
        return {name: max(0, left + own) for name, own in least.items()}

    def cost(self, amounts: Mapping[str, int]) -> float:
        """Size: the sum of the shares of the part's DSP, LUT, FF and BRAM."""
        return sum(amounts[r] / (self.part[r] or 1) for r in RESOURCES)

    def solve(self, limits: Limits) -> Solution:
        """The design within the limits and the part: with a limit on II or latency the smallest, else the fastest.

        Smallest: the least sum of shares of the part's resources, then the least latency. Fastest: the least II, then the
        least latency, then the smallest.

        Raises:
            LimitError: There is none; the message names the limits at fault and the nearest that can be met.
        """
        asked = limits.given()
        goal = SMALLEST if "ii" in asked or "latency" in asked else FASTEST
        bounds = {**self.part, **asked}
        best = self._best(bounds, goal)
        if best is None:
            raise self._refusal(bounds, tuple(asked))
        layouts, found = best
        binding = {}
        for measure in bounds:
            without = self._best({m: v for m, v in bounds.items() if m != measure}, goal)
            if without is not None and self._key(without[1], goal) < self._key(found, goal):
                binding[measure] = measures(without[1])
        steps = tuple(self._steps(layouts, found, bounds))
        return Solution(layouts, found, bounds, tuple(asked), goal == FASTEST, binding, steps)

    # ---- the whole design ------------------------------------------------------------------------------------------------

    def _key(self, found: Estimate, goal: str) -> tuple[float, ...]:
        """What is to be least: by FASTEST, SMALLEST or a measure."""
        amounts = measures(found)
        if goal == FASTEST:
            return (amounts["ii"], amounts["latency"], self.cost(amounts))
        return (self.cost(amounts) if goal == SMALLEST else amounts[goal], amounts["latency"], self.cost(amounts))

    def _best(self, bounds: Mapping[str, int], goal: str) -> tuple[Layouts, Estimate] | None:
        """Layouts and estimate of the best design within ``bounds``."""
        if goal in (FASTEST, "ii"):
            factors = sorted({max(c.ii, self.least_ii) for choices in self.lists.values() for c in choices} or {self.least_ii})
            low, high = 0, len(factors)
            while low < high:  # a larger interval never makes a design impossible
                middle = (low + high) // 2
                met = self._within(
                    {**bounds, "ii": min(factors[middle], bounds.get("ii", factors[middle]))}, FASTEST, first=True
                )
                low, high = (low, middle) if met is not None else (middle + 1, high)
            if low == len(factors):
                return None
            bounds = {**bounds, "ii": factors[low]}
        return self._within(bounds, goal)

    def _within(self, bounds: Mapping[str, int], goal: str, *, first: bool = False) -> tuple[Layouts, Estimate] | None:
        """As :meth:`_best` within a limit on II; ``first``: any design that meets the bounds."""
        found: dict[tuple[Layout, ...], tuple[tuple[float, ...], Layouts, Estimate]] = {}
        wanted = {FASTEST: "latency", "ii": "latency", SMALLEST: "cost"}.get(goal, goal)
        starts = [self.pick({m: v for m, v in bounds.items() if m == "ii"}, "latency")]
        # Every layer that shares a clock with the one before it makes the whole one clock shorter than the sum.
        shared = min(len(self.sizer.nodes), ROUNDS) if "latency" in bounds else 0
        starts += [self.pick({m: v + k * (m == "latency") for m, v in bounds.items()}, wanted) for k in range(shared + 1)]
        for start in starts:
            picked = start
            for _ in range(ROUNDS):
                if picked is None or tuple(c.layout for c in picked.values()) in found:
                    break
                layouts = {name: c.layout for name, c in picked.items()}
                whole = self.sizer.estimate(layouts)
                real, summed = measures(whole), self.sums(picked)
                key = self._key(whole, goal) if _meets(real, bounds) else (math.inf,)
                found[tuple(layouts.values())] = (key, layouts, whole)
                if first and key != (math.inf,):
                    return layouts, whole
                slack = {m: summed[m] - real[m] for m in bounds if m != "ii"}
                picked = self.pick({m: v + slack.get(m, 0) for m, v in bounds.items()}, wanted)
        best = min(found.values(), key=lambda f: f[0], default=None)
        return None if best is None or best[0] == (math.inf,) else self._climb(best, bounds, goal)

    def _climb(
        self, best: tuple[tuple[float, ...], Layouts, Estimate], bounds: Mapping[str, int], goal: str
    ) -> tuple[Layouts, Estimate]:
        """Single steps that the estimate of the whole finds better, until there is none."""
        key, layouts, found = best
        better = True
        while better:
            better = False
            for name, other in list(self._neighbours(layouts)):
                tried = {**layouts, name: other}
                whole = self.sizer.estimate(tried)
                if _meets(measures(whole), bounds) and self._key(whole, goal) < key:
                    key, layouts, found, better = self._key(whole, goal), tried, whole, True
                    break
        return layouts, found

    def _neighbours(self, layouts: Mapping[str, Layout]) -> Iterator[tuple[str, Layout]]:
        for name, choices in self.lists.items():
            listed = [c.layout for c in choices]
            at = listed.index(layouts[name])
            yield from ((name, listed[k]) for k in (at - 1, at + 1) if 0 <= k < len(listed))

    def _steps(self, layouts: Mapping[str, Layout], found: Estimate, bounds: Mapping[str, int]) -> Iterator[Step]:
        base = measures(found)
        for name, other in self._neighbours(layouts):
            amounts = measures(self.sizer.estimate({**layouts, name: other}))
            change = {m: amounts[m] - base[m] for m in MEASURES}
            yield Step(name, layouts[name], other, change, _meets(amounts, bounds))

    def _refusal(self, bounds: Mapping[str, int], asked: tuple[str, ...]) -> LimitError:
        """Which limits cannot be met alone, else which one to move while the others hold."""
        lines, fixes = [], []
        for measure in bounds:
            least = self._least(measure, {})
            if least > bounds[measure]:
                whose = "" if measure in asked else ", which the part has"
                lines.append(f"{NAMES[measure]} cannot be {bounds[measure]:,}{whose}: the least is {least:,}.")
                fixes.append(f"{NAMES[measure]} {least:,}")
        larger = " on a larger part" if any("the part has" in line for line in lines) else ""
        if lines:
            return LimitError(" ".join(lines), fix=f"The nearest that can be met: {', '.join(fixes)}{larger}.")
        for measure in asked or RESOURCES:
            least = self._least(measure, {m: v for m, v in bounds.items() if m != measure})
            if least < math.inf:
                fixes.append(f"{NAMES[measure]} {least:,}")
        text = ", ".join(f"{NAMES[m]} {bounds[m]:,}" for m in asked or RESOURCES)
        fix = f"With the others as they are: {', or '.join(fixes)}." if fixes else self._loosened(bounds, asked or RESOURCES)
        return LimitError(f"No reuse factors meet all of {text}.", fix=fix)

    def _loosened(self, bounds: Mapping[str, int], loose: Sequence[str]) -> str:
        """The design that meets the limits ``loose`` once all of them are larger by one factor, the least that works."""
        low, high, nearest = 1.0, 1024.0, None
        while high > low * 1.01:
            middle = math.sqrt(low * high)
            found = self._within(
                {m: math.floor(v * middle) if m in loose else v for m, v in bounds.items()}, SMALLEST, first=True
            )
            low, high, nearest = (low, middle, found) if found else (middle, high, nearest)
        if nearest is None:
            return "Take a larger part."
        amounts = measures(nearest[1])
        text = ", ".join(f"{NAMES[m]} {amounts[m]:,}" for m in loose)
        return f"No limit alone is at fault; the nearest that can be met, {100 * high - 100:.0f}% beyond: {text}."

    def _least(self, measure: str, bounds: Mapping[str, int]) -> float:
        """The least of one measure within bounds on others, of whole designs."""
        found = self._best(bounds, measure)
        return math.inf if found is None else measures(found[1])[measure]

    # ---- dynamic programming ---------------------------------------------------------------------------------------------

    def sums(self, picked: Mapping[str, Choice]) -> dict[str, int]:
        """Measures of the design as sums over its layers; II is the largest."""
        total = {m: self.base[m] + sum(c.measures()[m] for c in picked.values()) for m in MEASURES[1:]}
        return {"ii": max([self.least_ii, *(c.ii for c in picked.values())]), **total}

    def pick(self, bounds: Mapping[str, int], wanted: str) -> dict[str, Choice] | None:
        """Exactly the least sum of ``wanted`` within bounds on sums, or None.

        Args:
            bounds: Measure -> limit.
            wanted: A measure, or ``cost``; ties go to the lower latency or cost.
        """
        top = bounds.get("ii", math.inf)
        if self.least_ii > top:
            return None
        lists = [[c for c in choices if c.ii <= top] for choices in self.lists.values()]
        limited = [m for m in bounds if m != "ii"]
        room = [bounds[m] - self.base[m] for m in limited]
        tables = [
            np.array([[c.measures()[m] for m in limited] for c in cs], dtype=np.int64).reshape(len(cs), len(limited))
            for cs in lists
        ]
        found = _shortest(
            [np.array([self._weight(c, wanted) for c in cs]) for cs in lists], tables, np.array(room, dtype=np.int64)
        )
        return None if found is None else {name: cs[k] for name, cs, k in zip(self.lists, lists, found, strict=True)}

    def _weight(self, choice: Choice, wanted: str) -> float:
        amounts = choice.measures()
        if wanted == "cost":
            return self.cost(amounts) + 1e-9 * amounts["latency"]
        return amounts[wanted] + 1e-6 * self.cost(amounts)


def _shortest(weights: Sequence[np.ndarray], tables: Sequence[np.ndarray], room: np.ndarray) -> list[int] | None:
    """One row of each table: the least sum of weights with the sum of rows within ``room``.

    Limits are watched once an answer without them breaks them; an answer that meets the others too is the best of all.
    """
    watched = np.zeros(len(room), dtype=bool)
    while True:
        found = _within_room(weights, [t[:, watched] for t in tables], room[watched])
        if found is None:
            return None
        need = np.sum([t[k] for t, k in zip(tables, found, strict=True)], axis=0, initial=0)
        broken = need > room
        if not broken.any():
            return found
        watched |= broken


def _within_room(weights: Sequence[np.ndarray], tables: Sequence[np.ndarray], room: np.ndarray) -> list[int] | None:
    if any(not len(w) for w in weights):
        return None
    least = [t.min(axis=0) for t in tables]
    ahead = [
        np.sum(least[k:], axis=0, initial=0) if k < len(tables) else np.zeros_like(room) for k in range(1, len(tables) + 1)
    ]
    total, used = np.zeros(1), np.zeros((1, len(room)), dtype=np.int64)
    back: list[tuple[np.ndarray, np.ndarray]] = []
    for weight, rows, rest in zip(weights, tables, ahead, strict=True):
        sums = (used[:, None] + rows[None]).reshape(len(used) * len(rows), len(room))
        costs = (total[:, None] + weight[None]).ravel()
        keep = np.flatnonzero(np.all(sums + rest <= room, axis=1))
        keep = keep[_front(costs[keep], sums[keep], room)]
        if not keep.size:
            return None
        back.append(np.divmod(keep, len(weight)))
        total, used = costs[keep], sums[keep]
    at, chosen = int(np.argmin(total)), []
    for parent, own in reversed(back):
        chosen.append(int(own[at]))
        at = int(parent[at])
    return chosen[::-1]


def _front(costs: np.ndarray, sums: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Places of the states that no other one beats; of states alike in shares of the limits the cheapest if they are many."""
    order = np.lexsort((*sums.T, costs))
    if sums.shape[1] < 2:
        lowest = np.minimum.accumulate(sums[order].sum(axis=1)) if order.size else np.zeros(0, dtype=np.int64)
        return order[np.flatnonzero(np.diff(lowest, prepend=lowest[:1] + 1) < 0)]
    shares = MAX_STATES
    while order.size > MAX_STATES:
        shares //= 2
        _, first = np.unique(sums[order] * shares // np.maximum(room, 1), axis=0, return_index=True)
        order = order[np.sort(first)]
    front, size, kept = np.empty((order.size, sums.shape[1]), dtype=np.int64), 0, []
    for place in order.tolist():
        if not size or not (front[:size] <= sums[place]).all(axis=1).any():
            front[size], size = sums[place], size + 1
            kept.append(place)
    return np.array(kept, dtype=np.int64)


def _meets(amounts: Mapping[str, int], bounds: Mapping[str, int]) -> bool:
    return all(amounts[m] <= v for m, v in bounds.items())
