"""Products of two computed tensors of a quantised model are those of whole numbers; factors before a cast tell their error."""

import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.reference import run_float
from nn2hls.ops import Clip, Dense, Elementwise, Function, Input, MatMul, Merge, Quantize, Reshape, Scale, Simple, Table, Unary

WHOLE = FixedType(6, 6, True, Rounding.RND_CONV, Overflow.SAT)


class Network(Builder):
    """Casts to whole numbers and factors, added by name."""

    def scaled(self, name, x, factor):
        return self.add(name, Scale(Const(np.array(factor)), Const(np.array(0.0))), [x])

    def whole(self, name, x):
        self.give(self.add(name, Quantize(WHOLE), [x]), {"result": WHOLE})
        return name

    def value(self, name, x, scale):
        """x as a whole number times a scale."""
        return self.scaled(name, self.whole(f"{name}_q", self.scaled(f"{name}_in", x, 1 / scale)), scale)


def held(graph, x, step):
    """The design, its answers those of the graph but for few, which are a step apart."""
    design = nn2hls.convert(graph, {"Model": {}, "LayerName": {"x": {"Precision": {"result": "ap_fixed<20,6>"}}}})
    x = np.round(x * 2.0**14) / 2.0**14
    want = run_float(graph, [x])[graph.outputs[0]]
    assert len(np.unique(want)) > 10
    assert np.allclose(design.predict_float(x), want, rtol=0, atol=1e-12)
    apart = np.abs(design.predict(x) - want)
    assert np.mean(apart > step / 2) <= 0.002
    assert apart.max() <= 1.001 * step
    return design


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [(0.13, 0.29, True), (0.13, 0.25, True), (0.25, 0.25, False)],
    ids=["factors", "one", "shifts"],
)
@pytest.mark.parametrize("op", [Elementwise(Merge.MUL), MatMul()], ids=["elements", "matrices"])
def test_factors_of_both_operands_stand_behind_their_product(op, first, second, whole):
    b = Network()
    b.add("x", Input((4, 4)))
    product = b.add("product", op, [b.value("a", "x", first), b.add("c", Unary(Simple.NEG), [b.value("b", "x", second)])])
    b.scaled("y", b.whole("again", b.scaled("last", product, 1 / 0.3137)), 0.3137)
    graph = b.build([b.add("clip", Clip(-100.0, 100.0), ["y"])])
    design = held(graph, np.random.default_rng(2).normal(size=(200, 4, 4)), 0.3137)
    if whole:
        node = design.graph["product_whole"]
        assert node.type.fraction == (0 if second != 0.25 else 2)
        assert all(design.graph[i].type.width <= 7 for i in node.inputs)
        assert "last" not in design.graph.by_name, "the three factors are one"
    else:
        assert "product_whole" not in design.graph.by_name


def test_one_operand_that_the_model_does_not_cast_keeps_its_product_as_it_is():
    b = Network()
    b.add("x", Input((4,)))
    graph = b.build([b.add("product", Elementwise(Merge.MUL), ["x", b.value("a", "x", 0.13)])])
    assert "product_whole" not in nn2hls.convert(graph).graph.by_name


def test_the_factor_behind_an_approximation_and_before_a_cast_tells_its_error_too():
    b = Network()
    b.add("x", Input((4,)))
    b.add("table", Table(Function.TANH), [b.value("a", "x", 0.03)])
    b.scaled("y", b.whole("again", b.scaled("last", "table", 1 / 0.041)), 0.041)
    graph = b.build([b.add("clip", Clip(-100.0, 100.0), ["y"])])
    design = nn2hls.convert(graph, {"Model": {}})
    (note,) = [n for n in design.notes if n.startswith("last:")]
    bound = float(note.rpartition("more than ")[2].rstrip("."))
    trace = design.trace(np.random.default_rng(3).normal(size=(500, 4)))
    assert np.abs(trace["last"] - trace["table"] / 0.041).max() <= bound < 1e-3


def test_whole_numbers_that_were_moved_are_whole_numbers():
    b = Network()
    b.add("x", Input((2, 3)))
    moved = b.add("moved", Reshape((6,)), [b.whole("q", b.scaled("in", "x", 1 / 0.13))])
    sums = b.add("sums", Dense(Const(np.eye(6)[::-1].copy()), Const(np.zeros(6))), [b.scaled("value", moved, 0.13)])
    b.give(sums, {"weight": FixedType(2, 2)})
    design = nn2hls.convert(b.build([sums]))
    assert design.graph["sums_whole"].type.fraction == 0
