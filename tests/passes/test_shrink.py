"""Shrinking: fewer channels, the same bits, and traces in the user's own shapes."""

import dataclasses
import warnings
from unittest import mock

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import nn2hls.ops
from nn2hls.design.design import convert
from nn2hls.design.trace import Trace
from nn2hls.errors import GraphError, OverflowWarning
from nn2hls.graph.analysis import demanded
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.graph.graph import Graph, Spread
from nn2hls.graph.verify import verify
from nn2hls.ops import (
    Clip,
    Concatenate,
    Constant,
    Dense,
    Elementwise,
    Function,
    Input,
    LeakyRelu,
    MatMul,
    Merge,
    Move,
    Op,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Scale,
    Table,
    Threshold,
    Transpose,
)
from nn2hls.passes import PIPELINE
from tests.kit.networks import draw_type, hls_config, side_by_side

CASES = 20  # networks in one compilation


def unshrunk(*args, **kwargs):
    """The design without the pass."""
    with mock.patch("nn2hls.passes.PIPELINE", tuple(p for p in PIPELINE if p.name != "shrink")):
        return convert(*args, **kwargs)


def pruned(rng, n_in, n_out):
    """A Dense layer after structured pruning: zero rows and columns, equal columns, neurons with a bias alone."""
    weight = np.round(rng.normal(size=(n_in, n_out)) * 4) / 8
    bias = np.round(rng.normal(size=n_out) * 8) / 16
    weight[rng.random(n_in) < 0.25] = 0
    weight[:, rng.random(n_out) < 0.25] = 0
    twins = rng.integers(0, n_out, size=n_out)
    for j in np.flatnonzero(rng.random(n_out) < 0.35):
        weight[:, j], bias[j] = weight[:, twins[j]], bias[twins[j]]
    return Dense(Const(weight), Const(bias))


def per_channel(rng, n):
    """A few values, so that some channels share theirs."""
    return Const(rng.choice([0.25, 0.5, -0.125], size=n))


def activation(rng, shape):
    n = shape[-1]
    return [
        Relu(),
        LeakyRelu(per_channel(rng, n)),
        LeakyRelu(Const(np.array([0.25]))),
        Scale(per_channel(rng, n), Const(np.zeros(1))),
        Scale(per_channel(rng, shape), per_channel(rng, n)),
        Clip(-0.5, 1.0),
        Threshold(0.25, 0.125),
        Table(Function.TANH),
    ][rng.integers(8)]


def join(rng, b, h, k):
    """Two pruned branches of ``h`` and what joins them."""
    shape = b.shape(h)
    n, m = (int(v) for v in rng.integers(1, 7, size=2))
    left = b.add(f"left{k}", pruned(rng, shape[-1], n), [h])
    kind = rng.integers(5)
    if kind == 0:
        right = b.add(f"right{k}", pruned(rng, shape[-1], m), [h])
        return b.add(f"cat{k}", Concatenate(len(shape) - 1), [left, b.add(f"r{k}", Relu(), [right])])
    right = b.add(f"right{k}", pruned(rng, shape[-1], 1 if kind == 1 else n), [h])
    if kind == 2:
        right = b.add(f"c{k}", Constant(Const(rng.choice([0.5, -1.0], size=n))))
    if kind == 3:
        return b.add(f"stack{k}", Concatenate(0), [left, right]) if len(shape) > 1 else left
    return b.add(f"add{k}", Elementwise([Merge.ADD, Merge.MAX, Merge.MUL][rng.integers(3)]), [left, right])


def random_case(rng):
    """A network with every way that channels take, and settings by layer."""
    b = Builder()
    lead = (int(rng.integers(2, 4)),) if rng.random() < 0.4 else ()
    h = b.add("x", Input((*lead, int(rng.integers(1, 7)))))
    side = []
    for k in range(int(rng.integers(1, 4))):
        h = b.add(f"fc{k}", pruned(rng, b.shape(h)[-1], int(rng.integers(1, 9))), [h])
        if rng.random() < 0.8:
            h = b.add(f"act{k}", activation(rng, b.shape(h)), [h])
        side.append(h)
        if rng.random() < 0.4:
            h = join(rng, b, h, k)
        if len(b.shape(h)) > 1 and rng.random() < 0.4:
            size = (int(np.prod(b.shape(h))),)
            h = b.add(f"view{k}", Reshape(size) if rng.random() < 0.8 else Transpose((1, 0)), [h])
    outputs = [b.add("out", pruned(rng, b.shape(h)[-1], int(rng.integers(1, 5))), [h])]
    if rng.random() < 0.4:  # a second reader, of a value in the middle
        outputs.append(b.add("out2", pruned(rng, b.shape(side[0])[-1], 2), [side[0]]))
    if rng.random() < 0.15:
        outputs.append(side[-1])
    graph = b.build(dict.fromkeys(outputs))
    return graph, {n.name: random_settings(rng, n) for n in graph}


def random_settings(rng, node):
    """A type of its own now and then, a narrowed accumulator or reuse."""
    types, found = {}, {}
    if rng.random() < 0.3:
        types["result"] = str(draw_type(rng, 16))
    if isinstance(node.op, Dense) and rng.random() < 0.2:
        types["accum"] = str(draw_type(rng, 16))
    elif isinstance(node.op, Dense) and rng.random() < 0.3:
        found["ReuseFactor"] = int(rng.integers(2, 6))
    return {**found, "Precision": types} if types else found


def products(design):
    return sum(int(np.count_nonzero(n.op.weight.array)) for n in design.graph if isinstance(n.op, Dense))


def held(design):
    """Keys of a trace whose values nodes hold; the others are computed from them."""
    return Trace(design.graph, design.source, design.float_graph).shown


def shown(shrunk, before, key):
    """Elements of a layer that a trace must show as they are without the pass: those that are read, and constant neurons."""
    now, then = (held(d)[key] for d in (shrunk, before))
    node, known = shrunk.graph[now], before.emulator.ranges[then]
    return node.whole(demanded(shrunk.graph)[node.name][None], False)[0] | np.all(
        (known.lo == known.hi).reshape(-1, known.lo.shape[-1]), axis=0
    )


def inputs_of(graph, rng, events=200):
    return [rng.normal(size=(events, *n.shape)) * 4 for n in graph.inputs]


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
@pytest.mark.long
def test_no_bit_changes(seed):
    rng = np.random.default_rng(seed)
    graph, layers = random_case(rng)
    model = {"Precision": "ap_fixed<12,5>"} if rng.random() < 0.5 else {}
    a, b = (make(graph, hls_config(model, **layers)) for make in (convert, unshrunk))
    x = inputs_of(graph, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverflowWarning)
        (ya, log_a), (yb, log_b) = a.run(x), b.run(x)
        trace, whole, reference = a.trace(x), b.trace(x), a.trace_float(x)
    for left, right in zip(ya, yb, strict=True):
        np.testing.assert_array_equal(left, right)
    assert products(a) <= products(b)
    assert list(trace) == list(whole) == list(reference)
    assert {k: v.shape for k, v in trace.items()} == {k: v.shape for k, v in reference.items()}
    for key in held(a).keys() & held(b).keys():
        value, mask = trace[key], shown(a, b, key)
        np.testing.assert_array_equal(value[:, mask], whole[key][:, mask], err_msg=key)
    named, before = ({o.layer for o in log.overflows()} for log in (log_a, log_b))
    assert not {n for n in named - before if demanded(a.graph)[n.split(".")[0]].all()}
    read, still = demanded(b.graph), demanded(a.graph)  # weights that cancel leave fewer layers that matter
    assert not {n for n in before - named if read[n.split(".")[0]].all() and still[n.split(".")[0]].any()}
    assert {c.shows for c in a.compare(x).layers} >= set(held(a))


@pytest.mark.long
@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=2, phases=[Phase.explicit, Phase.generate])
def test_the_compiled_code_agrees(seed):
    rng = np.random.default_rng(seed)
    cases = [random_case(rng) for _ in range(CASES)]
    layers = {f"g{k}_{name}": s for k, (_, own) in enumerate(cases) for name, s in own.items()}
    design = convert(side_by_side([g for g, _ in cases]), hls_config(**layers))
    assert any(n.spread for n in design.graph)
    verdict = design.verify()
    assert verdict.equal, (seed, verdict.text())


def example(last=None, accum=None, act=None):
    """10 neurons: 0 and 1 different, 2 and 3 copies of 0, 4 read by nobody, 5 constant, 6 to 9 different; 40 products."""
    weight = np.arange(1.0, 41.0).reshape(4, 10) / 64
    bias = np.arange(10.0) / 16
    weight[:, [2, 3]], bias[[2, 3]] = weight[:, :1], bias[0]
    weight[:, 5] = 0
    if last is None:
        last = 1 + np.arange(20.0).reshape(10, 2) / 8
        last[4] = 0
    b = Builder()
    x = b.add("x", Input((4,)))
    fc = b.add("fc", Dense(Const(weight), Const(bias)), [x])
    h = b.add("act", act or Relu(), [fc])
    graph = b.build([b.add("last", Dense(Const(last), Const(np.ones(len(last[0])))), [h])])
    types = {"last": {"Precision": {"accum": accum}}} if accum else {}
    return graph, hls_config({"Precision": "ap_fixed<16,8>"}, **types)


def test_the_example_shrinks_to_what_differs():
    design, before = convert(*example()), unshrunk(*example())
    assert [n.shape for n in design.graph] == [(4,), (6,), (6,), (2,)]
    assert products(before) == 9 * 4 + 8 * 2  # the constant is folded already
    assert products(design) == 6 * 4 + 6 * 2
    np.testing.assert_array_equal(design.graph["fc"].spread.source, [0, 1, 0, 0, -1, -1, 2, 3, 4, 5])
    old, new = before.graph["last"].op, design.graph["last"].op
    np.testing.assert_array_equal(new.weight.array[0], old.weight.array[[0, 2, 3]].sum(axis=0))
    assert "fc: 2 of 10 neurons are read by nobody, 2 are copies of others: 6 remain." in design.notes
    assert "fc = Dense(x) [" in str(design.graph)
    assert "-> 6 of 10 ap_fixed<16,8>" in str(design.graph)


def test_removed_neurons_show_their_constant_and_copies_their_twin():
    design = convert(*example())
    x = np.random.default_rng(0).normal(size=(50, 4))
    fixed, reference = design.trace(x)["fc"], design.trace_float(x)["fc"]
    assert fixed.shape == reference.shape == (50, 10)
    assert (fixed[:, 5] == 5 / 16).all()
    read = [j for j in range(10) if j != 4]
    assert np.abs(fixed - reference)[:, read].max() < 3 * 2.0**-8  # input and result are truncated, and a column sums to 1.6


def test_a_merged_weight_gets_the_bits_that_the_sum_needs():
    graph, _ = example(last=np.full((10, 1), 1.75))
    config = hls_config({"Precision": "ap_fixed<16,8>"}, last={"Precision": {"weight": "ap_fixed<4,2>"}})
    design = convert(graph, config)
    op = design.graph["last"].op
    assert op.weight.array[0, 0] == 3 * 7  # quarters
    assert str(op.weight_t) == "ap_fixed<6,4>"
    assert any(n.startswith("last: the weights of equal inputs") and "ap_fixed<6,4>" in n for n in design.notes)
    x = np.random.default_rng(0).normal(size=(200, 4))
    np.testing.assert_array_equal(design.predict(x), unshrunk(graph, config).predict(x))


def test_nothing_is_merged_into_a_narrowed_accumulator():
    design = convert(*example(accum="ap_fixed<14,8,AP_RND_ZERO>"))
    assert design.graph["fc"].shape == (9,)  # the dead one goes, copies and constants stay
    assert list(design.graph["fc"].spread.source) == [0, 1, 2, 3, -1, 4, 5, 6, 7, 8]


def test_twins_that_meet_different_constants_stay_apart():
    slope = np.full(10, 0.5)
    slope[3] = 0.25
    design = convert(*example(act=LeakyRelu(Const(slope))))
    np.testing.assert_array_equal(design.graph["fc"].spread.source, [0, 1, 0, 2, -1, -1, 3, 4, 5, 6])
    np.testing.assert_array_equal(
        design.graph["act"].op.slope.array, design.graph["act"].op.slope.array[0] // [1, 1, 2, 1, 1, 1, 1]
    )


def test_weights_that_cancel_free_the_neuron():
    last = np.ones((10, 1))
    last[[0, 2, 3, 4], 0] = [1.5, -0.5, -1.0, 0.0]
    design = convert(*example(last=last))
    assert list(design.graph["fc"].spread.source) == [-1, 0, -1, -1, -1, -1, 1, 2, 3, 4]
    x = np.random.default_rng(0).normal(size=(200, 4))
    np.testing.assert_array_equal(design.predict(x), unshrunk(*example(last=last)).predict(x))


def test_the_one_neuron_that_stays_when_all_cancel_does_not_answer():
    last = np.zeros((10, 1))
    last[[0, 2, 3], 0] = [1.5, -0.5, -1.0]
    design = convert(*example(last=last, act=Clip(0.5, 1.0)))
    assert [n.shape for n in design.graph] == [(4,), (1,), (1,), (1,)]
    assert (design.predict(np.random.default_rng(0).normal(size=(20, 4))) == 1.0).all()
    assert products(design) == 0


@pytest.mark.parametrize("reuse", [1, 3])
def test_an_answer_that_is_constant(reuse):
    graph, _ = example(last=np.zeros((10, 2)))
    design = convert(graph, {"Model": {"Precision": "ap_fixed<16,8>", "ReuseFactor": reuse}})
    assert [n.shape for n in design.graph] == [(4,), (1,), (1,), (2,)]
    assert products(design) == 0
    assert [type(n.op).__name__ for n in design.graph] == ["Input", "Constant", "Constant", "Dense"]
    assert "fc: its 10 neurons are read by nobody; it is not computed." in design.notes
    x = np.random.default_rng(0).normal(size=(20, 4))
    assert (design.predict(x) == 1.0).all()
    assert {k: v.shape for k, v in design.trace(x).items()} == {k: v.shape for k, v in design.trace_float(x).items()}
    written = [f for f in design.project.files if "layers" in f]
    assert written == ["firmware/layers/act.h", "firmware/layers/last.h"]  # no layer reads fc
    assert design.verify().equal
    estimate = design.estimate()
    assert [layer.products for layer in estimate.layers] == [0]


def test_unread_neurons_that_must_stay_are_not_computed():
    rng = np.random.default_rng(0)
    b = Builder()
    x = b.add("x", Input((4,)))
    fc = b.add("fc", Dense(Const(rng.uniform(0.5, 1, (4, 4))), Const(np.ones(4))), [x])
    both = b.add("add", Elementwise(Merge.ADD), [fc, x])  # the input keeps its four elements, so do both others
    last = np.array([[1.0], [0.0], [0.0], [0.5]])
    graph = b.build([b.add("last", Dense(Const(last), Const(np.zeros(1))), [both])])
    design = convert(graph)
    assert products(design) == 2 * 4 + 2
    assert "fc: 2 of 4 neurons are read by nobody: 4 remain, 2 of them idle, to keep the shape." in design.notes
    values = rng.normal(size=(100, 4))
    np.testing.assert_array_equal(design.predict(values), unshrunk(graph).predict(values))


def test_overflows_of_merged_neurons_are_reported():
    graph, _ = example()
    design = convert(graph, hls_config({"Precision": "ap_fixed<16,8>"}, fc={"Precision": {"result": "ap_fixed<8,2>"}}))
    with pytest.warns(OverflowWarning, match="fc: "):
        design.predict(np.full((5, 4), 20.0))


def test_verify_finds_a_record_that_does_not_fit():
    node = convert(*example()).graph["fc"]
    x = convert(*example()).graph["x"]
    for source, shape in (([0, 1, 2, 3, 4], (10,)), ([0, 1, 2, 3, 4, 5, 6, 4, 4, 4], (10,)), ([0, 1, 2, 3, 4, 5], (2, 6))):
        bad = dataclasses.replace(node, spread=Spread(np.array(source), Const(np.zeros(shape, dtype=int))))
        with pytest.raises(GraphError, match="fc"):
            verify(Graph((x, bad), ("fc",)), typed=True)


def test_every_pointwise_op_says_which_constants_are_per_channel():
    kinds = [c for c in vars(nn2hls.ops).values() if isinstance(c, type) and issubclass(c, Op) and c.pointwise]
    assert LeakyRelu in kinds
    for kind in kinds:
        if any(str(t).startswith("Const") for t in kind.__annotations__.values()):
            assert "per_channel" in vars(kind), kind


def sizes(design):
    return [n.shape[-1] for n in design.graph if isinstance(n.op, Dense)]


def check_against_unshrunk(graph, expected, events=300):
    """Without the pass the sizes are the model's own; with it they are ``expected``, and no bit changes."""
    config = {"Model": {"Precision": "ap_fixed<24,6>"}}  # no weight rounds to zero
    design, before = convert(graph, config), unshrunk(graph, config)
    assert sizes(design) == expected < sizes(before)
    x = inputs_of(graph, np.random.default_rng(0), events)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverflowWarning)
        np.testing.assert_array_equal(design.predict(x), before.predict(x))
        trace, reference = design.trace(x), design.trace_float(x)
    assert {k: v.shape for k, v in trace.items()} == {k: v.shape for k, v in reference.items()}
    return design, before


@pytest.mark.long
def test_pytorch_structured_pruning():
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 24), torch.nn.PReLU(24), torch.nn.Linear(24, 5)
    )
    prune.ln_structured(net[0], "weight", amount=0.5, n=2, dim=0)  # neurons: a constant bias is left of them
    prune.ln_structured(net[4], "weight", amount=0.25, n=2, dim=1)  # inputs: nothing reads 6 neurons of the layer before
    design, before = check_against_unshrunk(nn2hls.load(net.eval(), example=torch.zeros(2, 16)), [16, 18, 5])
    assert design.graph["3"].op.slope.shape == (18,)
    assert products(before) == 16 * 16 + 16 * 24 + 18 * 5  # the propagation of constants alone
    assert products(design) == 16 * 16 + 16 * 18 + 18 * 5


@pytest.mark.long
def test_keras_neurons_that_were_pruned():
    keras = pytest.importorskip("keras")

    keras.utils.set_random_seed(0)
    x = keras.Input((12,))
    h = keras.layers.Dense(20, activation="relu", name="a")(x)
    h = keras.layers.BatchNormalization(name="bn")(h)
    left = keras.layers.Dense(10, activation="tanh", name="b")(h)
    right = keras.layers.Dense(6, name="c")(h)
    y = keras.layers.Dense(3, name="d")(keras.layers.Concatenate()([left, right]))
    model = keras.Model(x, y)
    w, b = model.get_layer("a").get_weights()
    w[:, ::2], b[::2] = 0, -0.5  # ten neurons whose ReLU is always zero
    model.get_layer("a").set_weights([w, b])
    w, b = model.get_layer("d").get_weights()
    w[[1, 4, 12]] = 0  # nothing reads two neurons of b and one of c
    model.get_layer("d").set_weights([w, b])
    design, _ = check_against_unshrunk(nn2hls.load(model), [10, 8, 5, 3])
    assert products(design) == 12 * 10 + 10 * 8 + 10 * 5 + 13 * 3


def test_a_value_that_is_both_operands_keeps_all_that_one_of_them_reads():
    """x @ x reads every channel of x as rows, whatever columns of the result are wanted."""
    b = Builder()
    x = b.add("x", Input((3, 3)))
    h = b.add("h", Dense(Const(np.array([[1.0, 0, 2], [0, 1, 0], [1, 1, 0]])), Const(np.zeros(3))), [x])
    square = b.add("square", MatMul(), [h, h])
    y = b.add("y", Dense(Const(np.array([[1.0], [0], [0]])), Const(np.zeros(1))), [square])
    design = convert(b.build([y]), {"Model": {"Precision": "ap_fixed<16,10>"}})
    data = np.random.default_rng(0).integers(-4, 5, size=(5, 3, 3)).astype(float)
    assert np.array_equal(design.predict(data), design.predict_float(data))


def test_a_sum_along_channels_that_is_constant_and_that_nobody_reads():
    """It is no channel of its operand, whose elements have marks of their own."""
    b = Builder()
    b.add("x", Input((4,)))
    b.add("rows", Move(Places(np.array([[0, 1], [-1, -1], [2, 3]])), ((4,),)), ["x"])
    present = Places(np.array([[True, True], [True, True], [True, False]]))
    b.add("sum", Reduce(Reduction.SUM, (1,), present=present), ["rows"])
    b.add("out", Dense(Const(np.array([[1.0], [0.0], [2.0]])), Const(np.zeros(1))), ["sum"])
    design = convert(b.build(["out"]), hls_config({"Precision": "ap_fixed<8,6>"}))
    assert design.predict(np.array([[1.0, 2.0, 4.0, 9.0]])).tolist() == [[11.0]]


def test_what_stays_beside_an_idle_neuron_shows_no_part_of_a_sum():
    """An output keeps a sum whole of which one element is read: of the others an operand is not computed any more."""
    b = Builder()
    x = b.add("x", Input((2,)))
    whole = b.add("whole", Relu(), [x])
    fc = b.add("fc", Dense(Const(np.array([[1.0, 0.5], [0.25, 2.0]])), Const(np.zeros(2))), [x])
    total = b.add("total", Elementwise(Merge.ADD), [whole, fc])
    b.add("y", Dense(Const(np.array([[1.0], [0.0]])), Const(np.zeros(1))), [total])
    design = convert(b.build(["y", "whole"]))
    trace = design.trace(np.array([[1.0, 1.0]]))
    assert (trace["fc"].tolist(), trace["total"].tolist()) == ([[1.25, 0.0]], [[2.25, 0.0]])
    assert trace["x"].tolist() == [[1.0, 1.0]]
