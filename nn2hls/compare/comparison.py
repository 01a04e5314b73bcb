"""A comparison of all outputs and layers, and what it says to people."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nn2hls import text
from nn2hls.compare.judge import METRICS
from nn2hls.compare.lines import proposals, yaml_key
from nn2hls.compare.result import BLAME_FROM, LayerComparison, Need, OutputComparison
from nn2hls.figures.sets import ComparisonPlots
from nn2hls.markup import Table, notebook


@dataclass(frozen=True, repr=False)
class Comparison:
    """All outputs and all layers.

    Args:
        outputs: In the order of the design.
        layers: Nodes in the order of the design.
        blame: The layer that loses most from operands to result, the first of equals; None when none loses 6 dB, which is one
            bit, by its own types.
        mended: SQNR of each output on up to 4,096 events once all that the layers need is set together; empty when nothing is
            needed, or no such design can be made.
    """

    outputs: tuple[OutputComparison, ...]
    layers: tuple[LayerComparison, ...] = ()
    blame: str | None = None
    mended: tuple[float | None, ...] = ()

    def __repr__(self) -> str:
        shown = [f"{o.name}: {METRICS['sqnr'].show(math.inf if o.sqnr is None else o.sqnr)}" for o in self.outputs]
        return f"Comparison({', '.join(shown)}, {text.plural(len(self.layers), 'layer')}, blame={self.blame!r})"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        parts: list[Table | str] = [part for o in self.outputs for part in _output_parts(o)]
        if self.layers:
            parts += [layer_table(self.layers), _blame_text(self)]
        return notebook(repr(self), parts)

    def layer(self, name: str) -> LayerComparison:
        """The layer of this name."""
        return next(x for x in self.layers if x.name == name)

    @property
    def plot(self) -> ComparisonPlots:
        """Figures: ``noise()``, ``ranges()``, and with labels ``classes()``."""
        return ComparisonPlots(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: text.finite(value) for name, value in dataclasses.asdict(self).items()}

    def text(self) -> str:
        """For people."""
        return comparison_text(self)


def comparison_text(result: Comparison) -> str:
    """Outputs, layers, whom to blame and what to do."""
    parts = [_output_text(o) for o in result.outputs]
    if result.layers:
        parts += [layer_table(result.layers).text(), _infinite_text(result.layers), _blame_text(result)]
    return "\n".join(p for p in parts if p)


def _db(value: float | None, max_error: float | None) -> str | None:
    if value is None:
        return "exact" if max_error == 0 else None
    return f"{value:.1f} dB"


def _output_text(o: OutputComparison) -> str:
    return "\n".join(part.text() for part in _output_parts(o))


def _output_parts(o: OutputComparison) -> list[Table]:
    """Scores, and with labels those of each class."""
    rows: list[list[object]] = [
        ["events", f"{o.events:,}"],
        ["largest error", text.number(o.max_error)],
        ["mean error", text.number(o.mean_error)],
        ["SQNR", _db(o.sqnr, o.max_error)],
        *_score_rows(o),
    ]
    if o.infinite:
        rows.insert(1, ["left out: NaN or Inf in float", f"{o.infinite:,}"])
    scores = Table([f"output {o.name}".rstrip(), ""], rows, foot=[f"judged as {o.judged}: {o.why}"])
    return [scores, _class_table(o)] if o.classes else [scores]


def _class_table(o: OutputComparison) -> Table:
    """How every class fares, with intervals, and which loses most."""
    pruned = o.accuracy_before is not None
    head = ["class", "events", *["right, before"] * pruned, "right, float", "right, fixed", "AUC, float", "AUC, fixed"]
    rows = [
        [c.label, c.events]
        + [_share(c.recall_before, c.between_before)] * pruned
        + [_share(c.recall_float, c.between_float), _share(c.recall_fixed, c.between_fixed)]
        + [text.number(c.auc_float, 5), text.number(c.auc_fixed, 5)]
        for c in o.classes
    ]
    return Table(head, rows, foot=[_most_text(o)])


def _share(share: float | None, between: tuple[float, float] | None) -> str | None:
    """A share with the interval in which it lies at 95 %."""
    if share is None or between is None:
        return text.percent(share)
    return f"{text.percent(share)} ({100 * between[0]:.1f}..{100 * between[1]:.1f})"


def _most_text(o: OutputComparison) -> str:
    c = next((c for c in o.classes if c.label == o.loses_most), None)
    if c is None:
        return "No class loses right answers."
    first, where = (c.recall_float, c.between_float) if o.accuracy_before is None else (c.recall_before, c.between_before)
    apart = "; the intervals at 95 % overlap, so that other events may say otherwise"
    if where and c.between_fixed and c.between_fixed[1] < where[0]:
        apart = "; the intervals at 95 % do not overlap"
    came = "in float" if o.accuracy_before is None else "before pruning"
    return f"Class {c.label} loses most: {text.percent(first)} {came}, {text.percent(c.recall_fixed)} in fixed{apart}."


def _score_rows(o: OutputComparison) -> list[list[object]]:
    """What classes or values come to, and the metric where it is none of these."""
    shares = (
        ("same answer", o.agreement),
        ("accuracy, before", o.accuracy_before),
        ("accuracy, float", o.accuracy_float),
        ("accuracy, fixed", o.accuracy_fixed),
    )
    rows: list[list[object]] = [[word, text.percent(share)] for word, share in shares if share is not None]
    errors = [("MSE, float", o.mse_float), ("MSE" if o.mse_float is None else "MSE, fixed", o.mse)]
    if o.mae_float is not None:  # else it is the mean error
        errors += [("MAE, float", o.mae_float), ("MAE, fixed", o.mae)]
    rows += [[word, text.number(value)] for word, value in errors if value is not None]
    metric = METRICS.get(o.metric)
    if metric is None or metric.name == "auc":
        show = text.number if metric is None else metric.show
        words = o.metric if metric is None else metric.words
        rows += [[f"{words}, {kind}", show(v)] for kind, v in (("float", o.score_float), ("fixed", o.score_fixed))]
    return rows


def layer_table(layers: Sequence[LayerComparison]) -> Table:
    """Ranges, noise and missing bits of each layer."""
    rows = [
        [
            x.name,
            None if x.low is None else f"{x.low:.3g}..{x.high:.3g}",
            x.type,
            f"{x.type_low:.3g}..{x.type_high:.3g}",
            _overflow_text(x),
            _db(x.sqnr, x.max_error),
            _db(x.own_sqnr, None if x.low is None or x.max_error is None else 0),
            None if x.drop is None else f"{x.drop:.1f} dB",
            ", ".join(map(_need_text, x.needs)) or None,
        ]
        for x in layers
    ]
    return Table(["layer", "float range", "type", "holds", "overflows", "SQNR", "own SQNR", "lost", "missing bits"], rows)


def _infinite_text(layers: Sequence[LayerComparison]) -> str:
    """Where float leaves its own range; what it gave there has no place in the other columns."""
    return "".join(
        f"{x.name}: {text.plural(x.infinite, 'value')} left out, float gives NaN or Inf.\n" for x in layers if x.infinite
    )


def _overflow_text(x: LayerComparison) -> str:
    if not x.overflows:
        return "none"
    return f"{x.overflows:,} of {x.values:,} {'saturate' if x.saturates else 'wrap'}"


def _need_text(need: Need) -> str:
    counts = ((need.integer, "integer"), (need.fraction, "fraction"))
    bits = " ".join(f"+{count} {word}" for count, word in counts if count)
    return f"{need.word} {bits or 'too coarse'}"


def _lost_text(result: Comparison) -> str:
    if result.blame:
        return f"Most is lost in {result.blame}: {result.layer(result.blame).drop:.1f} dB."
    worst = max(result.layers, key=lambda x: x.drop or 0.0)
    if (worst.drop or 0.0) < BLAME_FROM:
        return "No layer loses as much as one bit (6 dB)."
    return f"{worst.name} loses {worst.drop:.1f} dB, not by its own types: it amplifies the noise of its operands."


def _blame_text(result: Comparison) -> str:
    found = proposals(result.layers)
    lines = [_lost_text(result)]
    if not found:
        lines.append("No type misses bits for its TargetSQNR.")
        return "\n".join(lines) + "\n"
    lines.append("What would mend it, under HLSConfig: LayerName:")
    lines += [f"  {proposal.line(name)}" for name, proposal in found.items()]
    return "\n".join([*lines, *_together_text(result)]) + "\n"


def _together_text(result: Comparison) -> list[str]:
    """What an output keeps once all lines are pasted."""
    lines = []
    for o, after in zip(result.outputs, result.mended, strict=False):
        before, kept = (METRICS["sqnr"].show(math.inf if v is None else v) for v in (o.sqnr, after))
        worse = after is not None and (o.sqnr is None or after < o.sqnr)
        more = f", LESS than {before} now: types that follow these are worse; compare again with them" if worse else ""
        lines.append(f"# With all of this {yaml_key(o.name)} keeps {kept}{more}.")
    return lines
