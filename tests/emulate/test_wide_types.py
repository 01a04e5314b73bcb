"""Types wider than 63 bits: the emulator holds them exactly, the C++ ports refuse them by name."""

from fractions import Fraction

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.errors import LimitError, TypeResolutionError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import (
    Concatenate,
    Dense,
    Elementwise,
    HardSigmoid,
    HardSwish,
    Input,
    Merge,
    Relu,
    Scale,
    Simple,
    Threshold,
    Unary,
)
from tests.kit.networks import hls_config, mlp
from tests.slow.fixed import cast_slow
from tests.slow.graph import graph_slow


@pytest.mark.parametrize("kind", ["ap_fixed<64,20>", "ap_ufixed<64,20>", "ap_fixed<80,40,AP_RND,AP_SAT>", "ap_fixed<200,100>"])
def test_wide_types_run_exactly(kind):
    design = convert(mlp(np.random.default_rng(0), (3, 2)), hls_config({"Precision": kind, "ReuseFactor": 2}))
    x = np.random.default_rng(1).normal(size=(20, 3)) * 5
    raw = design.predict_raw(x)
    target, op = FixedType.parse(kind), design.layer("fc0").op
    inputs = [[cast_slow(Fraction(v), target) for v in row] for row in x.tolist()]
    weight, bias, step = op.weight.array.tolist(), op.bias.array.tolist(), Fraction(2) ** -target.fraction
    for row, answer in zip(inputs, raw.mantissas.tolist(), strict=True):
        for j, mantissa in enumerate(answer):
            total = sum(Fraction(v * weight[i][j]) for i, v in enumerate(row)) * step * step + bias[j] * step
            assert mantissa == cast_slow(total, target)
    assert design.predict(x).tolist() == [[float(m * step) for m in row] for row in raw.mantissas.tolist()]
    assert convert(design.float_graph, hls_config({"Precision": kind})).estimate().dsp > 0
    if target.width > 100:  # a ROM is as wide as its weights are, not as their type
        with pytest.raises(LimitError, match=r"fc0: A ROM word of \d+ bits .* wider than 64"):
            design.estimate()
    else:
        assert design.estimate().ii == 2
    with pytest.raises(LimitError, match="wider than 63 bits"):
        design.verify()


@pytest.mark.parametrize("kind", ["ap_fixed<16,1000>", "ap_fixed<16,-1000>"])
def test_types_that_nothing_can_be_derived_from_name_the_layer(kind):
    with pytest.raises(TypeResolutionError, match=r"fc0: .*out of reach"):
        convert(mlp(np.random.default_rng(0), (3, 2)), hls_config({"Precision": kind}))


@pytest.mark.parametrize("reach", [1e110, 1e200, 1e300])
def test_floats_as_large_as_floats_get(reach):
    """Squares of such values leave float64, and at last the values themselves: named types stand, derived ones are refused."""
    b = Builder()
    name = b.add("x", Input((3,)))
    for k in range(3):
        name = b.add(f"s{k}", Scale(Const(np.array(reach)), Const(np.zeros(1))), [name])
        name = b.add(f"r{k}", Relu(), [name])
    graph = b.build([name])
    named = hls_config({"Precision": "ap_fixed<24,12,AP_RND,AP_SAT>"})
    with np.errstate(all="ignore"):
        assert convert(graph, named).predict(np.ones((2, 3))).max() == FixedType(24, 12).max
        with pytest.raises(TypeResolutionError, match=r"s\d: .*out of reach"):
            convert(graph)


def merged(join, first, second):
    """Three values of two kinds in one array: a square or a cube with x itself, or two inputs."""
    b = Builder()
    x = b.add("x", Input((3,)))
    square = b.add("square", Unary(Simple.SQUARE), [x])
    cube = b.add("cube", Elementwise(Merge.MUL), [x, x, x])
    names = {"x": x, "square": square, "cube": cube}
    y = b.add("y", join, [names[first], names[second]])
    w = np.random.default_rng(0).normal(size=(b.shape(y)[-1], 2))
    return b.build([y, b.add("z", Dense(Const(w), Const(np.zeros(2))), [y])])


JOINS = [Elementwise(Merge.ADD), Elementwise(Merge.SUB), Elementwise(Merge.MAX), Elementwise(Merge.MUL), Concatenate(0)]


@pytest.mark.parametrize("join", JOINS, ids=lambda op: str(getattr(op, "merge", "join")))
@pytest.mark.parametrize(
    "types",
    [
        {"x": "ap_fixed<22,4>", "cube": "ap_fixed<24,8>", "square": "ap_ufixed<32,16>"},
        {"x": "ap_fixed<36,18>", "cube": "ap_fixed<36,18>", "square": "ap_fixed<36,18>"},
        {"x": "ap_fixed<16,8>", "cube": "ap_fixed<70,20>", "square": "ap_ufixed<32,16>"},
        {"x": "ap_fixed<60,30>", "cube": "ap_fixed<20,10>", "square": "ap_ufixed<64,40>"},
    ],
    ids=str,
)
@pytest.mark.parametrize("operands", [("x", "cube"), ("square", "x"), ("cube", "square")], ids="-".join)
def test_wide_and_narrow_values_meet_exactly(join, types, operands):
    """Python integers of one operand never meet the floats of another."""
    graph = merged(join, *operands)
    types = types | {"y": "ap_fixed<24,10,AP_RND>"}
    design = convert(graph, hls_config(**{name: {"Precision": {"result": kind}} for name, kind in types.items()}))
    x = np.random.default_rng(1).normal(size=(6, 3)) * 5
    raws = design.predict_raw(x)
    kind = design.graph["x"].result_type
    for event in range(len(x)):
        mantissas = np.array([cast_slow(Fraction(v), kind) for v in x[event].tolist()], dtype=object)
        want = graph_slow(design.graph, [mantissas])
        for name, raw in zip(design.graph.outputs, raws, strict=True):
            assert raw.mantissas[event].tolist() == want[name].tolist()


ZEROS = Const(np.zeros((3, 2)))
OPS = {
    "dense of zeros": (Dense(ZEROS, Const(np.array([1.0, -2.0]))), {}),
    "narrowed dense of zeros": (Dense(ZEROS, Const(np.array([1.3, -2.0]))), {"accum": "ap_fixed<8,3>"}),
    "scale by zero": (Scale(Const(np.zeros(3)), Const(np.array([1.0, 2.0, 3.0]))), {}),
    "slope that rounds to zero": (HardSigmoid(1 / 6, 0.5), {"slope": "ap_fixed<4,4>"}),
    "swish whose slope rounds to zero": (HardSwish(1 / 6, 0.5), {"slope": "ap_fixed<4,4>"}),
    "mean of three": (Elementwise(Merge.AVERAGE), {"factor": "ap_ufixed<62,0>"}),
    "threshold": (Threshold(0.5, 2.0), {}),
}


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize(
    "kind", ["ap_ufixed<128,128>", "ap_fixed<128,64>", "ap_ufixed<63,63>", "ap_fixed<62,10>", "ap_fixed<16,6>"]
)
def test_the_largest_values_of_wide_types(name, kind):
    """Where the operand is wider than anything that is computed from it."""
    op, types = OPS[name]
    b = Builder()
    x = b.add("x", Input((3,)))
    graph = b.build([b.add("y", op, [x] * (3 if name.startswith("mean") else 1))])
    design = convert(graph, hls_config(x={"Precision": kind}, y={"Precision": {"result": "ap_fixed<60,40,AP_RND>", **types}}))
    target = FixedType.parse(kind)
    ends = [[target.max_mantissa] * 3, [target.min_mantissa, 0, 1], [target.max_mantissa // 3, target.max_mantissa // 2, 1]]
    mantissas = np.array(ends, dtype=object)
    answers, _ = design._emulate([mantissas], ["y"], raw=True, mantissas=True)
    want = [graph_slow(design.graph, [row])["y"].tolist() for row in mantissas]
    assert answers["y"].tolist() == want
    if target.width <= 63:
        assert design.verify().equal
