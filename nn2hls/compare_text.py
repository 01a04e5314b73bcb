"""A comparison as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from nn2hls import text
from nn2hls.compare import Comparison, LayerComparison, Need, OutputComparison


def comparison_text(result: Comparison) -> str:
    """Outputs, layers, whom to blame and what to do."""
    parts = [_output_text(o) for o in result.outputs]
    if result.layers:
        parts += [_layer_text(result.layers), _blame_text(result)]
    return "\n".join(p for p in parts if p)


def _db(value: float | None, max_error: float | None) -> str | None:
    if value is None:
        return "exact" if max_error == 0 else None
    return f"{value:.1f} dB"


def _output_text(o: OutputComparison) -> str:
    rows: list[list[object]] = [
        ["events", f"{o.events:,}"],
        ["largest error", text.number(o.max_error)],
        ["mean error", text.number(o.mean_error)],
        ["SQNR", _db(o.sqnr, o.max_error)],
        ["same answer", text.percent(o.agreement)],
    ]
    if o.accuracy_float is not None:
        rows += [["accuracy, float", text.percent(o.accuracy_float)], ["accuracy, fixed", text.percent(o.accuracy_fixed)]]
    lines = text.table([f"output {o.name}".rstrip(), ""], rows)
    if not o.classes:
        return lines
    head = ["class", "events", "right, float", "right, fixed", "AUC, float", "AUC, fixed"]
    scores = [
        [
            c.label,
            c.events,
            text.percent(c.recall_float),
            text.percent(c.recall_fixed),
            text.number(c.auc_float, 5),
            text.number(c.auc_fixed, 5),
        ]
        for c in o.classes
    ]
    return lines + "\n" + text.table(head, scores)


def _layer_text(layers: Sequence[LayerComparison]) -> str:
    rows = [
        [
            x.name,
            None if x.low is None else f"{x.low:.3g}..{x.high:.3g}",
            x.type,
            f"{x.type_low:.3g}..{x.type_high:.3g}",
            _overflow_text(x),
            _db(x.sqnr, x.max_error),
            _db(x.own_sqnr, None if x.low is None else 0),
            None if x.drop is None else f"{x.drop:.1f} dB",
            ", ".join(map(_need_text, x.needs)) or None,
        ]
        for x in layers
    ]
    return text.table(["layer", "float range", "type", "holds", "overflows", "SQNR", "own SQNR", "lost", "missing bits"], rows)


def _overflow_text(x: LayerComparison) -> str:
    if not x.overflows:
        return "none"
    return f"{x.overflows:,} of {x.values:,} {'saturate' if x.saturates else 'wrap'}"


def _need_text(need: Need) -> str:
    counts = ((need.integer, "integer"), (need.fraction, "fraction"))
    bits = " ".join(f"+{count} {word}" for count, word in counts if count)
    return f"{need.word} {bits or 'too coarse'}"


def _blame_text(result: Comparison) -> str:
    lines = [] if result.blame else ["No layer loses as much as one bit (6 dB)."]
    if result.blame:
        lines.append(f"Most is lost in {result.blame}: {result.layer(result.blame).drop:.1f} dB.")
    mends: dict[str, list[Need]] = {}
    for x in result.layers:
        for need in x.needs:
            mends.setdefault(x.name.removesuffix(f".{need.word}") if x.low is None else x.name, []).append(need)
    if not mends:
        lines.append("No type misses bits for its TargetSQNR.")
        return "\n".join(lines) + "\n"
    lines.append("What would mend it, under HLSConfig: LayerName:")
    for name, needs in mends.items():
        types = ", ".join(f"{n.word}: '{n.type}'" for n in needs if n.type)
        words = [f"Precision: {{{types}}}"] if types else []
        if any(not n.type for n in needs):
            words.append("(its table is too coarse: a larger TableSize or TargetSQNR)")
        lines.append(f"  {name}: {' '.join(words)}")
    return "\n".join(lines) + "\n"
