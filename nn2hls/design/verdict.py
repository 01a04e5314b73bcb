"""What a verification found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nn2hls.design.bench import Difference
from nn2hls.markup import notebook
from nn2hls.text import one_line, plural


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a verification found.

    Args:
        tool: The witness that stood against the emulator.
        events, values: How much was compared.
        mismatches: Mantissas that differ, per output.
        overflows: What overflowed on the way, as text.
        latency, interval: Measured clocks from input to output and between two inputs; None for a witness without a clock.
        predictions: How far each output is from OutputPredictions, where the config names that.
    """

    tool: str
    events: int
    values: int
    mismatches: Mapping[str, int]
    overflows: tuple[str, ...] = ()
    latency: int | None = None
    interval: int | None = None
    predictions: Mapping[str, Difference] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """True when every mantissa agrees."""
        return not any(self.mismatches.values())

    def __repr__(self) -> str:
        return f"<Verdict {self.tool}: {'equal' if self.equal else 'DIFFERENT'}, {plural(self.events, 'event')}>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return notebook(repr(self), [*self.text().splitlines(), *self.overflows])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "tool": self.tool,
            "equal": self.equal,
            "events": self.events,
            "values": self.values,
            "mismatches": dict(self.mismatches),
            "overflows": list(self.overflows),
            "latency": self.latency,
            "interval": self.interval,
            "predictions": {name: asdict(d) for name, d in self.predictions.items()},
        }

    def text(self) -> str:
        """A line for people, and one for each output that was predicted."""
        wrong = {k: v for k, v in self.mismatches.items() if v}
        what = f"emulator and {self.tool}: {self.values:,} mantissas of {self.events:,} events"
        clocks = "" if self.latency is None else f"; latency {self.latency} clocks, II {self.interval}"
        verdict = (f"{what} are equal" if self.equal else f"{what} compared, DIFFERENT: {wrong}") + clocks
        away = (f"{one_line(o)}: largest difference from OutputPredictions {d.text()}" for o, d in self.predictions.items())
        return "\n".join([verdict, *away])
