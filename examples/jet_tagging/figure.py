"""Draw docs/jet_tagger.png: pruning, precision and reuse of the jet tagger. Needs matplotlib: pip install 'nn2hls[keras,plot]'.

python examples/jet_tagging/figure.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import nn2hls

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "example-configs" / "jet_tagger.yml"
NAMES = {"g": "gluon", "q": "light quark", "t": "top", "w": "W", "z": "Z"}
COLOURS = ("#4477aa", "#66ccee", "#228833", "#ee6677", "#aa3377")


def pruning(axes) -> None:
    """Accuracy per class before and after each retraining."""
    records = [r for r in json.loads((HERE / "pruning.json").read_text(encoding="utf-8")) if not r["step"].startswith("test")]
    retrained = [r for r in records if not r["step"].endswith(", pruned")]
    cut = [r for r in records if r["step"].endswith(", pruned")]
    for (key, name), colour in zip(NAMES.items(), COLOURS, strict=True):
        axes.plot(
            [100 * r["zeros"] for r in retrained],
            [100 * r["accuracy_per_class"][key] for r in retrained],
            marker="o",
            ms=4,
            color=colour,
            label=name,
        )
        axes.plot(
            [100 * r["zeros"] for r in cut],
            [100 * r["accuracy_per_class"][key] for r in cut],
            "x",
            ms=5,
            color=colour,
            alpha=0.7,
        )
    axes.set(xlabel="weights that are zero [%]", ylabel="accuracy [%]", title="pruned (x), then retrained (o)")
    axes.legend(fontsize="small", loc="lower left")


def precision(axes, scan, reference: float) -> None:
    """Accuracy against the number of bits of one type for the whole network."""
    points = [p for p in scan.points if not p.error]
    types = {p.precision: nn2hls.FixedType.parse(p.precision) for p in points}
    for integer, colour in zip(sorted({t.integer for t in types.values()}), COLOURS, strict=False):
        shown = sorted((types[p.precision].width, p.accuracy) for p in points if types[p.precision].integer == integer)
        axes.plot(*zip(*((w, 100 * a) for w, a in shown), strict=True), marker="o", ms=4, color=colour, label=f"{integer}")
    axes.axhline(100 * reference, color="black", lw=0.8, ls="--")
    axes.annotate("float", (5, 100 * reference), textcoords="offset points", xytext=(0, -11), fontsize="small")
    axes.set_xticks(range(4, 19, 2))
    axes.set(xlabel="bits of ap_fixed<W, I>", ylabel="accuracy [%]", title="one type for everything")
    axes.legend(title="integer bits I", fontsize="small", loc="center right")


def reuse(axes, scan) -> None:
    """Size and latency against the reuse factor."""
    points = sorted((p for p in scan.points if not p.error), key=lambda p: p.reuse)
    axes.bar([p.reuse for p in points], [p.dsp for p in points], color=COLOURS[0], width=0.6)
    for p in points:
        axes.annotate(f"{p.dsp}", (p.reuse, p.dsp), textcoords="offset points", xytext=(0, 3), ha="center", fontsize="small")
    axes.set(xlabel="reuse factor = interval [clocks]", ylabel="DSP", title="<16,6>, xcku115, 5 ns, estimated")
    axes.margins(y=0.15)
    right = axes.twinx()
    right.plot([p.reuse for p in points], [p.latency_ns for p in points], "o-", color=COLOURS[3], ms=4)
    right.set_ylabel("latency [ns]", color=COLOURS[3])
    right.set_ylim(bottom=0)


def main() -> None:
    """Run two scans and draw."""
    graph = nn2hls.load(HERE / "jet_tagger_pruned.keras")
    data = {"x": np.load(HERE / "jets_test.npy"), "y": np.load(HERE / "jets_test_labels.npy")}
    bits = nn2hls.scan(graph, CONFIG, precisions="ap_fixed<{4..18},{4..7}>", **data)
    steps = nn2hls.scan(graph, CONFIG, precisions="ap_fixed<16,6>", reuses="1..6", **data)
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    pruning(left)
    precision(middle, bits, bits.accuracy_float)
    reuse(right, steps)
    for axes in (left, middle):
        axes.grid(alpha=0.3)
    target = HERE.parents[1] / "docs" / "jet_tagger.png"
    figure.savefig(target, dpi=110, metadata={"Software": None})
    print(f"wrote {target.name}; {len(bits.points) + len(steps.points)} designs in {bits.seconds + steps.seconds:.1f} s")


if __name__ == "__main__":
    main()
