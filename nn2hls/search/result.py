"""What a search finds, as text and as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nn2hls import text
from nn2hls.compare.judge import Judge
from nn2hls.config.config import Config

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
        from nn2hls.search.text import search_text

        return search_text(self)
