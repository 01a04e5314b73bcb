"""What a search finds, as text and as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nn2hls import text
from nn2hls.compare.judge import Judge
from nn2hls.config.config import Config
from nn2hls.figures.sets import DesignsPlots
from nn2hls.markup import Table, notebook

if TYPE_CHECKING:
    from nn2hls.search.space import Space


@dataclass(frozen=True)
class Candidate:
    """One design.

    Args:
        params: The value of each variable of the space.
        accuracy: Of classes the share answered as labelled, or as in float where there are no labels; None of values.
        loss: How much worse than float, in units of the metric; for SQNR noise power by signal power.
        loss_bound: The loss that is exceeded with a probability of 5 %, by the choice of the events.
        agreement: Share of events that float and fixed answer with the same class; None of values.
        cost: LUT + 100 DSP.
        dsp, lut, ff, bram, latency_cycles, ii, latency_ns: The estimate, as in an HLS report.
        score: By the metric of the search, on its events; None: SQNR, and exact.
    """

    params: Mapping[str, Any]
    accuracy: float | None
    loss: float
    loss_bound: float
    agreement: float | None
    cost: int
    dsp: int
    lut: int
    ff: int
    bram: int
    latency_cycles: int
    ii: int
    latency_ns: float
    score: float | None = None

    def found(self) -> dict[str, Any]:
        """All but ``params``."""
        return {k: v for k, v in asdict(self).items() if k != "params"}


@dataclass(frozen=True)
class Sensitivity:
    """How one width bears to be lowered alone.

    Args:
        name: The variable.
        high: The width that all others have.
        losses: Width -> loss beyond that of ``high``; None: no such design.
        lowest: The fewest bits that lose no more than is allowed.
    """

    name: str
    high: int
    losses: Mapping[int, float | None]
    lowest: int


@dataclass(frozen=True)
class Held:
    """The chosen design, built again from its written config, on events the search never saw; all but ``events`` as before."""

    events: int
    score_float: float | None
    accuracy_float: float | None
    score: float | None
    accuracy: float | None
    loss: float
    agreement: float | None
    cost: int


@dataclass(frozen=True, repr=False)
class Search:
    """A finished search.

    Args:
        front: The Pareto front, the cheapest first.
        chosen: The cheapest of it that keeps the loss; the one that loses least when none does.
        config: Its whole config.
        accuracy_float: Of the float reference, on the events of the search; 1 where agreement with float stands for accuracy,
            None of values.
        score_float: Of it, by the metric; None: SQNR.
        judge: By which answers were judged.
        max_loss: The loss that was allowed.
        target: The score that was asked for; None: ``max_loss`` was.
        max_latency: Nanoseconds that were allowed; None: any.
        uniform: Cost and accuracy of ap_fixed<16,6> everywhere, reuse 1.
        held: The chosen design on other events.
        sensitivities: Per width.
        events: Events of the search.
        designs: Designs that were run.
        seconds: Wall time.
        seed: Of the split and of the sampler.
        space: The variables.
    """

    front: tuple[Candidate, ...]
    chosen: Candidate
    config: Config
    accuracy_float: float | None
    score_float: float | None
    judge: Judge
    max_loss: float
    target: float | None
    max_latency: float | None
    uniform: Mapping[str, Any]
    held: Held
    sensitivities: tuple[Sensitivity, ...]
    events: int
    designs: int
    seconds: float
    seed: int
    space: Space

    def __repr__(self) -> str:
        held = self.judge.metric.show(math.inf if self.held.score is None else self.held.score)
        cost = f"{self.chosen.cost:,}"
        return f"Search({text.plural(self.designs, 'design')}, chosen: {self.judge.metric.words} {held}, cost {cost})"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return notebook(repr(self), [front_table(self), chosen_table(self), sensitivity_table(self)])

    @property
    def labelled(self) -> bool:
        """Whether there were labels; else float answers stand for them."""
        return self.judge.truth is not None

    @property
    def kept(self) -> bool:
        """Whether the chosen design keeps the loss, on the events of the search, and the latency."""
        return self.chosen.loss_bound <= self.max_loss and not self.slow

    @property
    def slow(self) -> bool:
        """Whether the chosen design takes longer than allowed, because every one found does."""
        return self.max_latency is not None and self.chosen.latency_ns > self.max_latency

    @property
    def plot(self) -> DesignsPlots:
        """Figures: ``pareto()``."""
        designs = self._designs()
        return DesignsPlots(designs, len(designs) - 1)

    def _designs(self) -> list[dict[str, Any]]:
        """The front without the chosen design, then that."""
        return [asdict(c) for c in (*(c for c in self.front if c is not self.chosen), self.chosen)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        names = ["accuracy_float", "score_float", "labelled", "max_loss", "target", "max_latency"]
        names += ["events", "designs", "seconds", "seed", "kept"]
        judge = self.judge
        return {
            **{name: getattr(self, name) for name in names},
            "judged": "classes" if judge.classes else "values",
            "why": judge.why,
            "metric": judge.metric.name,
            "front": [asdict(c) for c in self.front],
            "chosen": asdict(self.chosen),
            "uniform": dict(self.uniform),
            "held_out": asdict(self.held),
            "sensitivity": [asdict(s) for s in self.sensitivities],
        }

    def text(self) -> str:
        """For people: how far each width can fall, the front, the chosen design."""
        return search_text(self)


def search_text(found: Search) -> str:
    """All of it."""
    return "\n".join(part.text() for part in (sensitivity_table(found), front_table(found), chosen_table(found)))


def _loss(found: Search, value: float | None) -> str | None:
    """A loss in its unit: a share of events, noise by signal, or what the metric has."""
    if value is None:
        return None
    metric = found.judge.metric
    if metric.unit == "dB":
        return f"{10 * math.log10(value):.1f} dB" if value > 0 else "none"
    return text.percent(value) if metric.unit == "%" else text.number(value, 3)


def _score(found: Search, value: float | None) -> str | None:
    """A score; None is an SQNR without noise."""
    return found.judge.metric.show(math.inf if value is None and found.judge.metric.unit == "dB" else value)


def sensitivity_table(found: Search) -> Table:
    """How far each width can fall alone."""
    bits = range(found.space.widths()[0].high - 1, 1, -1)
    what = "noise" if found.judge.metric.unit == "dB" else "loss"
    head = [f"{what} when lowered alone", *(f"{b} bits" for b in bits), "bears"]
    rows = [[s.name, *(_loss(found, s.losses.get(b)) for b in bits), s.lowest] for s in found.sensitivities]
    return Table(head, rows)


def front_table(found: Search) -> Table:
    """The front, as far as its losses are near the allowed one, and the chosen design."""
    what = "noise" if found.judge.metric.unit == "dB" else "loss"
    head = ["", found.judge.metric.words, what, "at most", "cost", "DSP", "LUT", "FF", "BRAM", "II", "ns"]
    rows = [
        [
            "chosen" if c is found.chosen else "",
            _score(found, c.score),
            _loss(found, c.loss),
            _loss(found, c.loss_bound),
            *(c.cost, c.dsp, c.lut, c.ff, c.bram, c.ii),
            text.number(c.latency_ns),
            found.space.short(c.params),
        ]
        for c in sorted({id(c): c for c in (*found.front, found.chosen)}.values(), key=lambda c: c.cost)
        if c is found.chosen or c.loss <= 4 * found.max_loss
    ]
    title = f"Pareto front, {'noise' if what == 'noise' else 'losses'} of up to {_loss(found, 4 * found.max_loss)}:"
    return Table([*head, "bits of results, weights"], rows, title)


def chosen_table(found: Search) -> Table:
    """The chosen design, on the events of the search and on others."""
    c, held, exact = found.chosen, found.held, found.judge.metric.unit == "dB"
    head = ["", "events", "float", "chosen", "noise" if exact else "loss"]
    rows = [
        ["search", found.events, _score(found, found.score_float), _score(found, c.score), _loss(found, c.loss)],
        ["never seen", held.events, _score(found, held.score_float), _score(found, held.score), _loss(found, held.loss)],
    ]
    lines = []
    if "cost" in found.uniform:
        share = f"{c.cost / found.uniform['cost']:.1%}"
        lines += [f"cost = LUT + 100 DSP: {c.cost:,}, which is {share} of the {found.uniform['cost']:,} of ap_fixed<16,6>"]
    if found.slow:
        lines += [f"No design found takes at most {text.number(found.max_latency)} ns; this one is the fastest."]
    elif not found.kept:
        asked = f"a loss of {_loss(found, found.max_loss)}"
        if found.target is not None:
            asked = f"{found.judge.metric.words} {found.judge.metric.show(found.target)}"
        lines += [f"No design keeps {asked} for sure; this one loses least."]
    lines += [found.judge.text(), f"{found.designs} designs in {found.seconds:.1f} s, seed {found.seed}"]
    return Table(head, rows, foot=lines)
