"""What a search finds, as text and as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nn2hls import text
from nn2hls.config import Config

if TYPE_CHECKING:
    from nn2hls.search_space import Space


@dataclass(frozen=True)
class Candidate:
    """One design.

    Args:
        params: The value of each variable of the space.
        accuracy: On the events of the search; agreement with float where there are no labels.
        loss: How much less than float.
        loss_bound: The loss that is exceeded with a probability of 5 %, by the events whose answer changes.
        agreement: Share of events that float and fixed answer alike.
        cost: LUT + 100 DSP.
        dsp, lut, ff, bram, latency_cycles, ii, latency_ns: The estimate, as in an HLS report.
    """

    params: Mapping[str, Any]
    accuracy: float
    loss: float
    loss_bound: float
    agreement: float
    cost: int
    dsp: int
    lut: int
    ff: int
    bram: int
    latency_cycles: int
    ii: int
    latency_ns: float

    def found(self) -> dict[str, Any]:
        """All but ``params``."""
        return {k: v for k, v in asdict(self).items() if k != "params"}


@dataclass(frozen=True)
class Sensitivity:
    """How one width bears to be lowered alone.

    Args:
        name: The variable.
        high: The width that all others have.
        losses: Width -> accuracy lost against ``high``; None: no such design.
        lowest: The fewest bits that lose no more than is allowed.
    """

    name: str
    high: int
    losses: Mapping[int, float | None]
    lowest: int


@dataclass(frozen=True)
class Held:
    """The chosen design, built again from its written config, on events the search never saw; cost as of a Candidate."""

    events: int
    accuracy_float: float
    accuracy: float
    agreement: float
    cost: int


@dataclass(frozen=True)
class Search:
    """A finished search.

    Args:
        front: The Pareto front, the cheapest first.
        chosen: The cheapest of it that keeps the loss; the one that loses least when none does.
        config: Its whole config.
        accuracy_float: Of the float reference, on the events of the search.
        labelled: False where agreement with float stands for accuracy.
        max_loss: What was allowed.
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
    accuracy_float: float
    labelled: bool
    max_loss: float
    max_latency: float | None
    uniform: Mapping[str, Any]
    held: Held
    sensitivities: tuple[Sensitivity, ...]
    events: int
    designs: int
    seconds: float
    seed: int
    space: Space

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
        names = ("accuracy_float", "labelled", "max_loss", "max_latency", "events", "designs", "seconds", "seed", "kept")
        return {
            **{name: getattr(self, name) for name in names},
            "front": [asdict(c) for c in self.front],
            "chosen": asdict(self.chosen),
            "uniform": dict(self.uniform),
            "held_out": asdict(self.held),
            "sensitivity": [asdict(s) for s in self.sensitivities],
        }

    def text(self) -> str:
        """For people: how far each width can fall, the front, the chosen design."""
        return "\n".join([self._sensitivity_text(), self._front_text(), self._chosen_text()])

    def _sensitivity_text(self) -> str:
        bits = range(self.space.widths()[0].high - 1, 1, -1)
        head = ["loss when lowered alone", *(f"{b} bits" for b in bits), "bears"]
        rows = [[s.name, *(text.percent(s.losses.get(b)) for b in bits), s.lowest] for s in self.sensitivities]
        return text.table(head, rows)

    def _front_text(self) -> str:
        word = "accuracy" if self.labelled else "same answer"
        head = ["", word, "loss", "at most", "cost", "DSP", "LUT", "FF", "BRAM", "II", "ns", "bits of results, weights"]
        rows = [
            [
                "chosen" if c is self.chosen else "",
                text.percent(c.accuracy),
                text.percent(c.loss),
                text.percent(c.loss_bound),
                *(c.cost, c.dsp, c.lut, c.ff, c.bram, c.ii),
                text.number(c.latency_ns),
                self.space.short(c.params),
            ]
            for c in sorted({id(c): c for c in (*self.front, self.chosen)}.values(), key=lambda c: c.cost)
            if c is self.chosen or c.loss <= 4 * self.max_loss
        ]
        return f"Pareto front, losses of up to {text.percent(4 * self.max_loss)}:\n" + text.table(head, rows)

    def _chosen_text(self) -> str:
        c, held = self.chosen, self.held
        head = ["", "events", "float", "chosen", "loss"]
        rows = [
            ["search", self.events, text.percent(self.accuracy_float), text.percent(c.accuracy), text.percent(c.loss)],
            [
                "never seen",
                held.events,
                text.percent(held.accuracy_float),
                text.percent(held.accuracy),
                text.percent(held.accuracy_float - held.accuracy),
            ],
        ]
        lines = text.table(head, rows)
        if "cost" in self.uniform:
            share = f"{c.cost / self.uniform['cost']:.1%}"
            lines += f"cost = LUT + 100 DSP: {c.cost:,}, which is {share} of the {self.uniform['cost']:,} of ap_fixed<16,6>\n"
        if self.slow:
            lines += f"No design found takes at most {text.number(self.max_latency)} ns; this one is the fastest.\n"
        elif not self.kept:
            lines += f"No design keeps a loss of {text.percent(self.max_loss)} for sure; this one loses least.\n"
        return lines + f"{self.designs} designs in {self.seconds:.1f} s, seed {self.seed}\n"
