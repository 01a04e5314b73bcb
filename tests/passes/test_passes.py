"""Passes: values are preserved, graphs are what they should be, types follow the rules."""

import warnings

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType, Overflow
from nn2hls.design.design import convert
from nn2hls.emulate.emulator import Emulator
from nn2hls.errors import GraphError, ModelError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node, Origin
from nn2hls.graph.reference import run_float
from nn2hls.graph.verify import verify
from nn2hls.ops import Constant, Dense, Divide, Elementwise, Input, Merge, Relu, Reshape, Scale
from nn2hls.passes import PIPELINE
from tests.kit.networks import hls_config, mlp


def with_batch_norm(rng):
    b = Builder()
    x = b.add("x", Input((4, 2)))
    flat = b.add("flatten", Reshape((8,)), [x])
    again = b.add("reshape", Reshape((8,)), [flat])
    fc = b.add("fc", Dense(Const(rng.normal(size=(8, 6))), Const(rng.normal(size=6))), [again])
    bn = b.add("bn", Scale(Const(rng.normal(size=6)), Const(rng.normal(size=6))), [fc])
    one = b.add("one", Scale(Const(np.ones(1)), Const(np.zeros(1))), [bn])
    return b.build([b.add("relu", Relu(), [one])])


def test_float_passes_keep_every_value():
    rng = np.random.default_rng(0)
    graph = with_batch_norm(rng)
    design = convert(graph)
    x = rng.normal(size=(50, 4, 2))
    before, after = run_float(graph, [x])["relu"], design.predict_float(x)
    np.testing.assert_allclose(after, before, rtol=1e-13, atol=1e-13)
    assert [type(n.op).__name__ for n in design.float_graph] == ["Input", "Reshape", "Dense", "Relu"]


def test_a_trace_shows_every_layer_also_those_that_were_folded_or_dropped():
    """In float what the network says; in fixed of a folded layer its float operation on the fixed values that it reads."""
    graph = with_batch_norm(np.random.default_rng(0))
    design = convert(graph)
    x = np.random.default_rng(1).normal(size=(10, 4, 2))
    fixed, exact, want = design.trace(x), design.trace_float(x), run_float(graph, [x], graph.by_name)
    assert list(fixed) == list(exact) == [n.name for n in graph]
    for name in want:
        np.testing.assert_allclose(exact[name], want[name], rtol=1e-13, atol=1e-13)
    assert np.array_equal(fixed["fc"], graph["fc"].op.evaluate_float(fixed["reshape"]))
    assert np.array_equal(fixed["reshape"], fixed["x"].reshape(10, 8))
    assert np.array_equal(fixed["one"], fixed["bn"])
    assert np.array_equal(fixed["relu"], design.predict(x))
    assert 0 < np.abs(fixed["fc"] - exact["fc"]).max() < 0.1 < np.abs(fixed["bn"] - fixed["fc"]).max()


def test_each_call_of_a_folded_layer_keeps_its_number_in_a_trace():
    rng = np.random.default_rng(4)
    b = Builder()
    x = b.add("x", Input((3,)))
    dense = [Dense(Const(rng.normal(size=(3, 3))), Const(rng.normal(size=3))) for _ in range(2)]
    bn = Scale(Const(rng.normal(size=3)), Const(rng.normal(size=3)))
    fc = b.add("fc", dense[0], [x])
    kept = b.add("bn", bn, [fc], Origin("bn"))
    both = b.add("both", Elementwise(Merge.ADD), [kept, fc])  # fc is read twice: bn stays
    graph = b.build([b.add("again", bn, [b.add("fc2", dense[1], [both])], Origin("bn"))])
    data = rng.normal(size=(5, 3))
    design, want = convert(graph), run_float(graph, [data], graph.by_name)
    assert [n.name for n in design.graph] == ["x", "fc", "bn", "both", "fc2"]
    for trace in (design.trace(data), design.trace_float(data)):
        assert list(trace) == ["x", "fc", "bn", "both", "fc2", "bn_2"]
        assert max(np.abs(trace[k] - want[n]).max() for k, n in zip(trace, graph.by_name, strict=True)) < 0.1


def test_a_batch_norm_with_a_type_of_its_own_is_not_folded_and_says_so():
    config = hls_config(bn={"Precision": "ap_fixed<12,6>"})
    design = convert(with_batch_norm(np.random.default_rng(0)), config)
    assert design.graph["bn"].type == FixedType(12, 6)
    assert any("bn" in n and "not folded" in n for n in design.notes)


def test_a_value_with_two_readers_is_not_folded_away():
    b = Builder()
    x = b.add("x", Input((3,)))
    fc = b.add("fc", Dense(Const(np.eye(3)), Const(np.zeros(3))), [x])
    bn = b.add("bn", Scale(Const(np.full(3, 2.0)), Const(np.zeros(3))), [fc])
    design = convert(b.build([b.add("sum", Elementwise(Merge.ADD), [fc, bn])]))
    np.testing.assert_array_equal(design.predict_float(np.ones((1, 3))), [[3.0, 3.0, 3.0]])


def sparse_design(accum=None):
    rng = np.random.default_rng(5)
    graph = mlp(rng, (6, 12, 8, 3), density=0.25)
    layers = {}
    weight = graph["fc0"].op.weight.array.copy()
    weight[:, :3] = 0  # three constant neurons, one of them negative before the ReLU
    bias = graph["fc0"].op.bias.array.copy()
    bias[:3] = [0.5, -0.5, 0.25]
    nodes = [
        n
        if n.name != "fc0"
        else Node("fc0", n.op.replace(weight=Const(weight), bias=Const(bias)), n.inputs, n.shape, None, n.origin)
        for n in graph
    ]
    if accum:
        layers = {"fc1": {"Precision": {"accum": accum}}}
    return Graph(tuple(nodes), graph.outputs), hls_config({"Precision": "ap_fixed<12,5>"}, **layers)


@pytest.mark.parametrize("accum", [None, "ap_fixed<14,6,AP_RND_ZERO>"])
def test_propagating_constants_changes_no_bit(accum, monkeypatch):
    graph, config = sparse_design(accum)
    unshrunk = tuple(p for p in PIPELINE if p.name != "shrink")
    monkeypatch.setattr("nn2hls.passes.PIPELINE", unshrunk)
    with_pass = convert(graph, config)
    monkeypatch.setattr("nn2hls.passes.PIPELINE", tuple(p for p in unshrunk if p.name != "propagate-constants"))
    without = convert(graph, config)
    x = np.random.default_rng(0).normal(size=(500, 6)) * 4
    a, b = with_pass.run(x)[0][0], without.run(x)[0][0]
    np.testing.assert_array_equal(a, b)
    after, before = with_pass.graph["fc1"].op, without.graph["fc1"].op
    live = np.any(after.weight.array != 0, axis=0)
    folded = np.any(after.weight.array[:, live] != before.weight.array[:, live])
    assert folded == (accum is None)  # a narrowed accumulator depends on every addition, so it keeps its constants


def test_dead_neurons_are_removed_through_several_layers():
    b = Builder()
    rng = np.random.default_rng(3)
    x = b.add("x", Input((4,)))
    first = b.add("first", Dense(Const(rng.normal(size=(4, 4))), Const(rng.normal(size=4))), [x])
    relu = b.add("relu", Relu(), [first])
    middle = np.zeros((4, 3))
    middle[:2, 0], middle[2:, 2] = 1.0, 1.0  # output 2 of the middle is read by nobody below, so are its inputs 2 and 3
    mid = b.add("mid", Dense(Const(middle), Const(np.zeros(3))), [relu])
    last = np.zeros((3, 1))
    last[0, 0] = 1.0
    design = convert(b.build([b.add("last", Dense(Const(last), Const(np.zeros(1))), [mid])]))
    assert [design.graph[name].shape for name in ("first", "relu", "mid", "last")] == [(2,), (2,), (1,), (1,)]
    assert list(design.graph["first"].spread.source) == [0, 1, -1, -1]


def test_a_bare_type_sets_inputs_weights_biases_and_results_and_leaves_accumulators_exact():
    design = convert(mlp(np.random.default_rng(0)), hls_config({"Precision": "ap_fixed<16,6>"}))
    sixteen = FixedType(16, 6)
    for node in design.graph:
        assert node.type == sixteen
        if isinstance(node.op, Dense):
            assert node.op.weight_t == node.op.bias_t == sixteen
            x = Emulator(design.graph).ranges[node.inputs[0]]
            assert not node.op.narrowed([x])


def test_sound_types_never_overflow_at_the_corners():
    design = convert(mlp(np.random.default_rng(2), scale=3.0))
    corners = np.random.default_rng(0).choice([-32.0, 31.999], size=(2000, 16))
    _, log = design.run(corners)
    assert log.overflows() == []


def test_calibrated_types_hold_the_data_with_a_bit_to_spare_and_saturate():
    rng = np.random.default_rng(2)
    graph, data = mlp(rng), rng.normal(size=(3000, 16))
    design = convert(graph, calibration=data)
    assert design.run(data)[1].overflows() == []
    assert design.run(2 * data)[1].overflows() == []
    for node in design.graph:
        if isinstance(node.op, Dense):
            assert node.type.overflow is Overflow.SAT
            assert node.type.width < convert(graph).graph[node.name].type.width


@pytest.mark.parametrize("target", [40.0, 60.0, 80.0])
def test_each_layer_keeps_the_target_sqnr(target):
    rng = np.random.default_rng(4)
    graph, data = mlp(rng, (16, 24, 5)), rng.normal(size=(3000, 16))
    design = convert(graph, {"Model": {"TargetSQNR": target, "MaxWidth": 40}}, calibration=data)
    first = design.compare(data).layers[1]
    assert first.name == "fc0"
    assert target - 6 < first.sqnr < target + 12  # the input's rounding comes on top; steps are powers of two


def test_verify_finds_what_a_bad_pass_leaves():
    graph = mlp(np.random.default_rng(0), (3, 2))
    design = convert(graph)
    verify(design.graph, typed=True)
    with pytest.raises(GraphError, match="missing"):
        verify(graph, typed=True)
    with pytest.raises(GraphError, match="set too early"):
        verify(design.graph)
    swapped = Graph(tuple(reversed(graph.nodes)), graph.outputs)
    with pytest.raises(GraphError, match="not computed before"):
        verify(swapped)
    wrong = Graph((graph.nodes[0], Node("fc0", graph.nodes[1].op, ("x",), (7,))), ("fc0",))
    with pytest.raises(GraphError, match="its op infers"):
        verify(wrong)


GOLDEN = """\
%0 = Input() [size=(3)] -> 3 ap_fixed<16,6>
%1 = Dense(%0) [weight=3x2:{w}, bias=2:{b}, weight_t={t}, bias_t={t}, accum_t=ap_fixed<29,9>] -> 2 {t}
return %1
"""


def test_the_text_of_a_graph():
    b = Builder()
    x = b.add("x", Input((3,)))
    fc = b.add("fc", Dense(Const(np.full((3, 2), 1.5)), Const(np.array([0.5, -0.5]))), [x])
    design = convert(b.build([fc]), hls_config({"Precision": "ap_fixed<16,6>"}))
    op = design.graph["fc"].op
    assert design.graph.text(names=False) == GOLDEN.format(t="ap_fixed<16,6>", w=op.weight.digest, b=op.bias.digest)


def test_constants_that_are_no_numbers_are_refused_without_a_word_of_numpy():
    b = Builder()
    b.add("x", Input((2,)))
    for name, values in (("some", [1.0, -1.0]), ("none", [0.0, 0.0])):
        b.add(name, Constant(Const(np.array(values))))
    b.add("ratio", Divide(), ["some", "none"])
    b.add("sum", Dense(Const(np.ones((2, 1))), Const(np.zeros(1))), ["ratio"])
    b.add("out", Elementwise(Merge.ADD), ["x", "sum"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ModelError, match="ratio: Its value is inf, and has to be a finite number"):
            convert(b.build(["out"]))
