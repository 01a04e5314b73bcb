"""Figures of plain data: their bars are its numbers, nothing is cut off, and names are drawn letter by letter."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

import nn2hls
from nn2hls.cli import main
from nn2hls.compare.judge import Judge
from nn2hls.compare.plots import counts
from nn2hls.compare.spans import made_spans
from nn2hls.errors import DataError
from nn2hls.figures import answers, designs, diagram, layers, ranges, scanned
from nn2hls.figures.style import around, save, save_all
from tests.kit.networks import hls_config, mlp
from tests.kit.paths import ROOT

NAMES = ["$\\frac{", "_hidden", "a name that is much longer than any other one, as exporters of graphs write them"]


@pytest.fixture(scope="module")
def design():
    return nn2hls.convert(mlp(np.random.default_rng(1), (6, 8, 3)), hls_config())


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    return rng.normal(size=(200, 6)), rng.integers(0, 3, 200)


@pytest.mark.filterwarnings("error")
def test_figures_show_themselves_without_a_complaint(design):
    for figure in (design.plot.network(), design.plot.timeline()):
        assert figure._repr_png_().startswith(b"\x89PNG")


def cut_off(figure):
    """By how many inches what is drawn stands out of the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    return max(-drawn.x0, -drawn.y0, drawn.x1 - width, drawn.y1 - height)


def scan_points(rng, count=30):
    return [
        {
            "network": "",
            "precision": f"ap_fixed<{8 + k % 6},{3 + k % 2}>",
            "reuse": 1 + k // 12,
            "accuracy": float(rng.random()),
            "accuracy_ratio": float(rng.random()),
            "agreement": 0.9,
            "auc_ratio": None,
            "sqnr": 30.0,
            "mse": None,
            "error": "",
            **{m: int(rng.integers(1, 10**6)) for m in ("lut", "dsp", "ff", "latency_ns")},
        }
        for k in range(count)
    ]


def test_nothing_is_cut_off(design, data):
    x, y = data
    comparison, plots = design.compare(x, y), design.plot
    points = scan_points(np.random.default_rng(0))
    figures = [plots.network(), plots.profile(x), plots.resources(), plots.timeline(), plots.scatter(x, NAMES)]
    figures += [plots.roc(x, y, NAMES), plots.confusion(x, y, NAMES), plots.noise(x)]
    figures += [comparison.plot.ranges(), comparison.plot.classes(NAMES)]
    figures += [designs.pareto(points, 3), scanned.picture(points, True), diagram.network(_rows(NAMES))]
    assert max(map(cut_off, figures)) < 0.01
    assert {figure.dpi for figure in figures} == {150}


def _rows(names):
    """A chain of layers with long names and types."""
    before = [None, *names]
    kind = "ap_ufixed<24,-12,AP_RND_CONV,AP_SAT_SYM>"
    return [
        {"name": n, "op": "Op", "shape": [3] * 9, "type": kind, "inputs": [b] if b else []}
        for b, n in zip(before, names, strict=False)
    ]


def test_a_box_holds_its_lines():
    figure = diagram.network(_rows(["w" * 40, "a_usual_name_of_a_layer_that_is_long"]))
    FigureCanvasAgg(figure).draw()
    (ax,) = figure.axes
    boxes = [p.get_window_extent() for p in ax.patches if type(p).__name__ == "FancyBboxPatch"]
    for text in ax.texts:
        assert text.get_window_extent().x1 <= boxes[0].x1, text.get_text()


def bars(ax):
    return [p.get_width() for p in ax.patches]


def test_bars_are_the_numbers(design, data):
    comparison = design.compare(*data).to_dict()
    known = [x["sqnr"] for x in comparison["layers"] if x["sqnr"] is not None]
    (ax,) = layers.noise(comparison["layers"]).axes
    assert bars(ax) == known
    (ax,) = answers.classes(comparison["outputs"][0]["classes"]).axes
    rows = comparison["outputs"][0]["classes"]
    assert bars(ax) == pytest.approx([100 * r[k] for k in ("recall_float", "recall_fixed") for r in rows])
    pruned = [{**r, "recall_before": 0.25 + 0.125 * k} for k, r in enumerate(rows)]
    (ax,) = answers.classes(pruned).axes
    assert bars(ax)[: len(rows)] == pytest.approx([25 + 12.5 * k for k in range(len(rows))])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["before pruning", "float", "fixed"]
    estimate = design.estimate().to_dict()
    figure = layers.resources(estimate)
    used = [r for r in layers.RESOURCES if estimate["synthesised"][r]]
    for ax, resource in zip(figure.axes, used, strict=True):
        assert bars(ax) == [x["synthesised"][resource] for x in estimate["layers"]]
    (ax,) = layers.timeline(estimate).axes
    assert [(p.get_x(), p.get_width()) for p in ax.patches] == [
        (x["start_cycle"], x["latency_cycles"]) for x in estimate["layers"] if x["latency_cycles"]
    ]


def test_ticks_of_counts_are_whole_numbers(design):
    estimate = design.estimate().to_dict()
    few = {**estimate, "synthesised": dict.fromkeys(layers.RESOURCES, 0) | {"dsp": 2}}
    few["layers"] = [{**x, "synthesised": {**x["synthesised"], "dsp": int(k < 2)}} for k, x in enumerate(estimate["layers"])]
    (ax,) = layers.resources(few).axes
    assert [round(t) for t in ax.get_xticks()] == list(ax.get_xticks())
    assert len({text.get_text() for text in ax.get_xticklabels()}) == len(ax.get_xticks())


def test_values_beyond_a_type_are_red():
    row = {"name": "a", "low": -3.0, "high": 1.0, "type_low": -2.0, "type_high": 2.0}
    (ax,) = layers.ranges([row]).axes
    assert [(p.get_x(), p.get_width()) for p in ax.patches] == [(-1, 2), (-1.5, 2)]
    inside = layers.ranges([{**row, "low": -1.0}]).axes[0].patches[1].get_facecolor()
    assert ax.patches[1].get_facecolor() != inside


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
@pytest.mark.long
def test_the_front_is_what_nothing_beats(points):
    found = {points[k] for k in designs.front(points)}

    def beaten(p):
        return any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)

    assert found == {p for p in points if not beaten(p)}


def test_counts_of_answers(design, data):
    x, y = data
    values = np.asarray(design.predict(x))
    judge = Judge.of(None, "", values.shape, y)
    matrix = counts(judge, values)
    for label in range(3):
        for answer in range(3):
            assert matrix[label, answer] == np.sum((y == label) & (values.argmax(axis=1) == answer))
    single = Judge.of(None, "", (4, 1), np.array([0, 1, 1, 0]), "accuracy")
    assert counts(single, np.array([[0.2], [0.7], [0.4], [0.9]])).tolist() == [[1, 1], [1, 1]]


def test_constants_in_the_design_are_those_of_the_hardware(design):
    spans = {s.name: s for s in made_spans(design)}
    op = design.graph["fc0"].op
    values = np.abs(op.weight.array * op.types()["weight"].step)
    assert 2 ** spans["fc0.weight"].quantiles[-1] == pytest.approx(values.max())
    assert spans["fc0.weight"].lowest == -op.types()["weight"].fraction


def test_axes_hold_what_they_show():
    assert around([1.0, 3.0], 0.5) == (0.0, 4.0)
    low, high = around([5.0])
    assert low < 5 < high
    assert around([0.0]) == (-1, 1)


def test_a_format_that_does_not_exist(tmp_path):
    with pytest.raises(DataError, match=r"Use \.png"):
        save(ranges.profiles({}), tmp_path / "a.gif")


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_figures_take_the_place_of_figures_and_of_nothing_else(tmp_path, ending):
    figures = {"a": ranges.profiles({}), "b": ranges.profiles({})}
    first = [p.read_bytes()[:4] for p in save_all(figures, tmp_path, ending)]
    assert [p.read_bytes()[:4] for p in save_all(figures, tmp_path, ending)] == first
    (tmp_path / f"b{ending}").write_bytes(b"mine" * 5000)
    (tmp_path / f"a{ending}").unlink()
    with pytest.raises(DataError, match=rf"did not draw what stands here: b\{ending}\."):
        save_all(figures, tmp_path, ending)
    assert [p.name for p in tmp_path.iterdir()] == [f"b{ending}"]
    assert (tmp_path / f"b{ending}").read_bytes() == b"mine" * 5000


# ---- the command -----------------------------------------------------------------------------------------------------------


def plot(capsys, *words):
    code = main(["plot", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_figures_are_written(capsys, tmp_path):
    examples = ROOT / "examples" / "jet_tagging"
    point = {"precision": "ap_fixed<8,3>", "accuracy": 0.5, "lut": 5, "error": ""}
    (tmp_path / "scan.json").write_text(json.dumps({"points": [point, {**point, "lut": 9, "accuracy": 0.7}]}))
    words = [examples / "jet_tagger.h5", "-o", tmp_path / "p"]
    code, found = plot(capsys, *words, "--only", "network,timeline,scan", "--scan", tmp_path / "scan.json")
    assert code == 0
    paths = [tmp_path / "p" / f"{name}.png" for name in ("network", "timeline", "scan")]
    assert found["written"] == [str(p) for p in paths]
    data = paths[0].read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    assert min(struct.unpack(">II", data[16:24])) > 300


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "netwrok"], "Did you mean 'network'?"),
        (["--only", "roc"], "Add --labels FILE"),
        (["--only", "scan"], "Add --scan FILE"),
    ],
)
def test_a_figure_that_cannot_be(capsys, tmp_path, words, said):
    code, found = plot(capsys, "x.h5", "-o", tmp_path, *words)
    assert (code, found["error"]["fix"]) == (2, said) or said in found["error"]["fix"]
