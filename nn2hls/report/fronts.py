"""Pictures of scans and searches: charts of Vega-Lite in the page, or drawings of matplotlib where that is not installed."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nn2hls.text import drawn, one_line

MEASURES = {"lut": "LUT", "dsp": "DSP", "ff": "FF", "latency_ns": "latency [ns]"}  # what designs cost
_SCORES = {
    "accuracy": "accuracy",
    "score": "score",
    "agreement": "same answer as float",
    "sqnr": "SQNR [dB]",
}  # what they are worth, the first that is known


@dataclass(frozen=True)
class Front:
    """The designs of one scan or search.

    Args:
        where: The key and the place of its list in the document, such as ``("scans", 0, "points")``.
        file: It was read from it.
        score: The field that says what a design is worth, and in ``words`` for people.
        rows: Numbers of the designs that were made and have a score, in the list.
        start: The number of the one that is shown first.
        points: Of each row its score and what it costs.
    """

    where: tuple[str, int, str]
    file: str
    score: str
    words: str
    rows: tuple[int, ...]
    start: int
    points: tuple[Mapping[str, Any], ...]

    def spec(self) -> str:
        """The charts as JSON of Vega-Lite: one for each measure, side by side; ``design`` is the number of the marked one."""
        values = [{**p, "row": row} for row, p in zip(self.rows, self.points, strict=True)]
        return _safe({"values": values, "charts": [self._chart(m) for m in self.measures]})

    @property
    def measures(self) -> tuple[str, ...]:
        """Those that differ between designs; LUTs where none does."""
        return tuple(m for m in MEASURES if len({p[m] for p in self.points} - {None}) > 1) or ("lut",)

    def _chart(self, measure: str) -> dict[str, Any]:
        chosen = {"test": "datum.row == design"}
        space = {"zero": False, "padding": 14}  # no point lies on the edge
        axis = {"format": "~s", "tickCount": 4}
        score = {"format": ".1%"} if self.score in ("accuracy", "agreement") else {}
        tips = [{"field": "name", "title": "design"}, {"field": self.score, "title": self.words, "type": "quantitative"}]
        tips += [{"field": m, "title": w, "type": "quantitative", "format": ",.6~g"} for m, w in MEASURES.items()]
        return {
            "description": f"{self.words} against {MEASURES[measure]} of {len(self.rows)} designs",
            "width": "container",
            "height": 240,
            "data": {"name": "designs"},
            "params": [
                {"name": "design", "value": self.start},
                {"name": "view", "select": "interval", "bind": "scales"},
            ],
            "mark": {"type": "point", "filled": True, "strokeWidth": 2},
            "encoding": {
                "x": {"field": measure, "type": "quantitative", "title": MEASURES[measure], "axis": axis, "scale": space},
                "y": {
                    "field": self.score,
                    "type": "quantitative",
                    "title": self.words,
                    "axis": {"tickCount": 5, **score},
                    "scale": space,
                },
                "color": {"condition": {**chosen, "value": "#d55e00"}, "value": "#0072b2"},
                "size": {"condition": {**chosen, "value": 260}, "value": 55},
                "opacity": {"condition": {**chosen, "value": 1}, "value": 0.75},
                "order": {"condition": {**chosen, "value": 1}, "value": 0},
                "tooltip": tips,
            },
            "config": {"background": None, "view": {"stroke": None}, "font": "inherit"},
        }


def fronts(document: Mapping[str, Any]) -> list[Front]:
    """Every scan and search of a document that has designs to draw."""
    found = [_front("scans", k, "points", scan) for k, scan in enumerate(document["scans"])]
    found += [_front("searches", k, "front", search) for k, search in enumerate(document["searches"])]
    return [front for front in found if front is not None]


def _front(key: str, place: int, field: str, data: Mapping[str, Any]) -> Front | None:
    designs = data[field]
    score = next((s for s in _SCORES if any(d.get(s) is not None for d in designs)), None)
    if score is None:
        return None
    rows = tuple(k for k, d in enumerate(designs) if d.get(score) is not None and d["lut"] is not None)
    if not rows:
        return None
    points = tuple({"name": _name(designs[k]), **{m: designs[k][m] for m in (score, *MEASURES)}} for k in rows)
    words = _SCORES[score] if score != "score" else one_line(data["metric"])
    chosen = data.get("chosen")
    return Front((key, place, field), data["file"], score, words, rows, chosen if chosen in rows else rows[0], points)


def _name(design: Mapping[str, Any]) -> str:
    reuse = "" if design.get("reuse") is None else f"reuse {design['reuse']}"
    words = [design.get("network", ""), design.get("precision", ""), reuse, design.get("params", "")]
    return one_line(" ".join(w for w in words if w) or "as the config says")


def _safe(data: Any) -> str:
    """JSON that may stand in a script element of HTML."""
    text = json.dumps(data, allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


@functools.cache
def library() -> str | None:
    """Vega, Vega-Lite and vega-embed as one script; None without the extra ``report``."""
    try:
        from vl_convert import javascript_bundle
    except ImportError:
        return None
    bundle: str = javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


def pictures(shown: Sequence[Front]) -> Mapping[int, str]:
    """The same drawn by matplotlib, as SVG whose ink is that of the page; nothing where that is missing, too."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    found = {}
    for k, front in enumerate(shown):
        with rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "nn2hls"}):
            figure = Figure(figsize=(3.6 * len(front.measures), 3.2), layout="constrained")
            axes = figure.subplots(1, len(front.measures), squeeze=False)[0]
            for ax, measure in zip(axes, front.measures, strict=True):
                _scatter(ax, front, measure)
            found[k] = _svg(figure)
    return found


def _scatter(ax: Any, front: Front, measure: str) -> None:
    values = [(p[measure], p[front.score]) for p in front.points]
    ax.plot(*zip(*values, strict=True), "o", color="#0072b2", alpha=0.75, markersize=5)
    ax.plot(*values[front.rows.index(front.start)], "o", color="#d55e00", markersize=10)
    ax.set(xlabel=MEASURES[measure], ylabel=drawn(front.words))
    ax.grid(alpha=0.3)
    ax.patch.set_visible(False)


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace("#000000", "currentColor")
    return text.replace("<svg ", '<svg role="img" aria-label="designs by score and cost" ', 1)
