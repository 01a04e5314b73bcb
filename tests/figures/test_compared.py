"""Plots of a comparison: the numbers behind them against a count by hand, and that files are drawn."""

import math
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import cbook
from matplotlib.figure import Figure
from matplotlib.text import Text

from nn2hls.arith.fixed import FixedType
from nn2hls.compare.plots import draw
from nn2hls.compare.spans import constant_spans, span, value_spans
from nn2hls.design.design import convert
from nn2hls.errors import DataError, ToolError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input, Relu
from tests.kit.networks import hls_config, mlp


def case(precision="ap_fixed<14,4>"):
    rng = np.random.default_rng(0)
    return convert(mlp(rng, (5, 8, 3)), hls_config({"Precision": precision})), rng.normal(size=(400, 5))


@given(st.integers(1, 30), st.integers(-5, 20), st.booleans())
def test_a_type_spans_from_its_step_to_its_end(width, integer, signed):
    kind = FixedType(width, integer, signed)
    found = span("x", np.array([0.0, 1.0]), kind)
    assert 2.0**found.lowest == kind.step
    assert 2.0**found.highest == kind.max + kind.step
    assert found.quantiles == (0, 0, 0, 0, 0)
    assert span("x", np.zeros(3), kind).quantiles == ()


def test_spans_are_those_of_the_weights_and_of_the_values_in_float():
    design, x = case()
    constants = {s.name: s for s in constant_spans(design)}
    assert list(constants) == ["fc0.weight", "fc0.bias", "fc1.weight", "fc1.bias"]
    weight = np.abs(design.float_graph["fc0"].op.weight.array)
    found = constants["fc0.weight"].quantiles
    assert (found[0], found[-1]) == pytest.approx((math.log2(weight.min()), math.log2(weight.max())))
    assert np.mean(weight <= 2.0 ** found[2]) == pytest.approx(0.5, abs=0.05)
    values = {s.name: s for s in value_spans(design, [x])}
    assert values.keys() == {"x", "fc0", "fc0_relu", "fc1"}
    assert values["fc1"].quantiles[-1] == pytest.approx(math.log2(np.abs(design.predict_float(x)).max()))
    assert (values["fc1"].lowest, values["fc1"].highest) == (-10, 3)


def size(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    return struct.unpack(">II", data[16:24])


@pytest.mark.long
def test_plots_are_drawn(tmp_path):
    design, x = case()
    labels = design.predict_float(x).argmax(axis=1)
    assert [p.name for p in draw(design, [x], None, tmp_path / "a" / "b")] == ["ranges.png", "scatter.png"]
    paths = draw(design, [x], labels, tmp_path)
    assert [p.name for p in paths] == ["ranges.png", "scatter.png", "roc.png", "confusion.png"]
    assert all(min(size(p)) > 200 for p in paths)
    before = paths[1].read_bytes()
    assert draw(design, [x], labels, tmp_path)[1].read_bytes() == before
    assert draw(case("ap_fixed<6,2>")[0], [x], labels, tmp_path)[1].read_bytes() != before


def test_wrong_labels_leave_nothing_behind(tmp_path):
    design, x = case()
    with pytest.raises(DataError, match="labels"):
        draw(design, [x], np.zeros(3), tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_names_are_drawn_letter_by_letter(tmp_path, monkeypatch):
    """Dollars would begin a formula: an odd one is an error of matplotlib, a pair hides itself."""
    builder = Builder()
    x = builder.add("$x", Input((3,)))
    y = builder.add("$y_{$", Dense(Const(np.eye(3)), Const(np.zeros(3))), [x])
    design = convert(builder.build([builder.add("\\frac{$$", Relu(), [y])]))
    shown = set()
    save = Figure.savefig

    def spy(figure, *args, **more):
        save(figure, *args, **more)
        shown.update(t.get_text() for t in figure.findobj(Text) if t.get_visible())

    monkeypatch.setattr(Figure, "savefig", spy)
    data = np.random.default_rng(0).normal(size=(50, 3))
    draw(design, [data], np.arange(50) % 3, tmp_path)
    for name in ("$x", "$y_{$", "\\frac{$$"):
        mine = [t for t in shown if t.replace(r"\$", "$").startswith(name)]
        assert mine
        assert not any(cbook.is_math_text(t) for t in mine)


def test_answers_that_float_does_not_hold_are_left_out(tmp_path):
    builder = Builder()
    x = builder.add("x", Input((2,)))
    first = builder.add("a", Dense(Const(np.eye(2) * 1e200), Const(np.zeros(2))), [x])
    graph = builder.build([builder.add("b", Dense(Const(np.eye(2) * 1e200), Const(np.zeros(2))), [first])])
    design = convert(graph, hls_config({"Precision": "ap_fixed<16,6>"}))
    data = np.array([[1.0, 2.0], [0.0, 0.0], [1e-300, 1e-290]])
    with np.errstate(over="ignore", invalid="ignore"):
        assert len(draw(design, [data], np.array([0, 1, 1]), tmp_path)) == 4


def test_values_have_no_roc_curve(tmp_path):
    design, x = case()
    assert len(draw(design, [x], design.predict_float(x), tmp_path)) == 2
    assert len(draw(design, [x], design.predict_float(x).argmax(axis=1), tmp_path, metric="mse")) == 2


def test_without_matplotlib_the_way_out_is_named(tmp_path, monkeypatch):
    design, x = case()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ToolError, match=r"pip install .*\[plot\]"):
        draw(design, [x], None, tmp_path / "plots")
    assert not (tmp_path / "plots").exists()
