"""What ops state of themselves holds for what they compute."""

import re

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints
from nn2hls.config.keys import PRECISION_WORDS
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.ops import (
    Clip,
    Concatenate,
    Dense,
    Elementwise,
    Function,
    HardSigmoid,
    LeakyRelu,
    Merge,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Scale,
    Simple,
    Softmax,
    Table,
    Transpose,
    Unary,
)
from tests.kit.paths import ROOT

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 2, 3))
DENSE = Dense(Const(RNG.normal(size=(3, 4))), Const(RNG.normal(size=4)))
SCALE = Scale(Const(RNG.normal(size=3)), Const(RNG.normal(size=(2, 1))))
SAME = (
    Reshape((2, 3)),
    Transpose((0, 1)),
    Scale(Const(np.ones(3)), Const(np.zeros(1))),
    Clip(-np.inf, np.inf),
    Elementwise(Merge.AVERAGE),
    Concatenate(1),
)
OTHER = (
    Reshape((3, 2)),
    Transpose((1, 0)),
    SCALE,
    Clip(0, np.inf),
    Relu(),
    DENSE,
    Table(Function.TANH),
    *map(Unary, Simple),
)


def resolved(op, xs):
    return op.resolve(xs, Hints())


def bounds(events):
    return Range(ints(events.min(axis=0)), ints(events.max(axis=0)), 2)


@pytest.mark.parametrize("op", SAME, ids=lambda op: type(op).__name__)
def test_an_identity_changes_nothing(op):
    assert op.identity([(2, 3)])
    assert np.array_equal(op.evaluate_float(X), X)


@pytest.mark.parametrize("op", OTHER, ids=lambda op: type(op).__name__)
def test_other_ops_say_so(op):
    assert not op.identity([(2, 3)])
    y = op.evaluate_float(X)
    assert y.shape != X.shape or not np.array_equal(y, X)


def test_linear_and_affine_are_what_is_computed():
    weights, biases = DENSE.linear
    assert np.allclose(DENSE.evaluate_float(X), np.einsum("ebi,ij->ebj", X, weights) + biases)
    scale, shift = SCALE.affine
    assert np.allclose(SCALE.evaluate_float(X), X * scale + shift)
    assert SCALE.linear is DENSE.affine is Relu().linear is Relu().affine is None


@pytest.mark.parametrize("op", [DENSE, SCALE])
def test_folded_is_both_one_after_the_other(op):
    y = op.evaluate_float(X)
    scale, shift = RNG.normal(size=y.shape[-1]), RNG.normal(size=1)
    assert np.allclose(op.folded(scale, shift).evaluate_float(X), y * scale + shift)
    assert DENSE.folded(RNG.normal(size=(2, 1)), shift) is None
    assert Relu().folded(scale, shift) is None


def test_absorbed_channels_are_not_read_any_more():
    events = RNG.integers(-100, 100, size=(50, 3))
    events[:, 1] = 17
    xs = [bounds(events)]
    op = resolved(DENSE, xs)
    changed, moved = op.absorbed(xs)
    assert moved.tolist() == [False, True, False]
    assert not changed.linear[0][1].any()
    assert changed.exact(xs).fraction == op.exact(xs).fraction
    found, wanted = (o.kernel(xs)([events], None) for o in (changed, op))
    assert np.array_equal(found, wanted)
    assert not Relu().absorbed(xs)[1].any()


@pytest.mark.parametrize("op", [DENSE, Relu(), Table(Function.TANH), Softmax(0)], ids=lambda op: type(op).__name__)
def test_a_fresh_result_is_a_new_array(op):
    events = RNG.integers(-100, 100, size=(50, 3))
    xs = [bounds(events)]
    run = resolved(op, xs).kernel(xs)
    first, second = (run([events], lambda *_: None) for _ in range(2))
    assert not op.fresh or not (np.shares_memory(first, events) or np.shares_memory(first, second))
    assert op.fresh == isinstance(op, Dense)


def test_types_are_those_that_are_set():
    xs = [bounds(RNG.integers(-100, 100, size=(50, 3)))]
    assert DENSE.types() == Relu().types() == {}
    table = resolved(Table(Function.TANH), xs)
    assert table.types() == {"address": table.address_t, "table": table.table_t, "slope": table.slope_t}
    assert set(resolved(DENSE, xs).types()) == {"weight", "bias", "accum"}


def test_a_narrowed_accumulator_is_widened():
    xs = [bounds(RNG.integers(-100, 100, size=(50, 3)))]
    narrow = DENSE.resolve(xs, Hints(given={"accum": FixedType(4, 3)}))
    assert narrow.narrowed(xs)
    assert not narrow.widened(xs).narrowed(xs)
    assert not Relu().narrowed(xs)


def test_settings_go_to_ops_that_use_them():
    changed = DENSE.configured(reuse=3, strategy="Resource")
    assert (changed.reuse, changed.strategy.value) == (3, "Resource")
    assert set(DENSE.uses) == {"reuse", "strategy", "adder_depth"}
    assert Relu().configured(reuse=3, strategy="Resource").reuse == 1


def test_probabilities():
    sigmoids = [HardSigmoid(0.2, 0.5), Table(Function.SIGMOID)]
    assert [op.probability for op in (Softmax(0), *sigmoids, Table(Function.TANH), Relu())] == [
        "softmax",
        "sigmoid",
        "sigmoid",
        "",
        "",
    ]


def test_activations_inside_a_layer_have_settings_of_their_own():
    """An op that hls4ml calls an Activation, and a softmax, is a node NAME_<activation>; settings of NAME are not its."""
    from nn2hls.config.read import read_config
    from nn2hls.ops import Clip, Dense, HardSigmoid, HardSwish, LeakyRelu, Relu, Scale, Softmax, Table, Threshold, Unary

    config = read_config({"LayerName": {"fc": {"ReuseFactor": 7}}, "LayerType": {"Activation": {"ReuseFactor": 3}}})
    for op in (Relu, LeakyRelu, Clip, Unary, Threshold, Table, HardSigmoid, HardSwish):
        assert config.settings_for("fc", "fc_inner", "Dense", op).reuse == 3, op
    assert config.settings_for("fc", "fc_softmax", "Dense", Softmax).reuse == 1
    for op in (Dense, Scale):
        assert config.settings_for("fc", "fc_inner", "Dense", op).reuse == 7, op


def test_the_words_that_ops_read_of_a_config_are_words_of_the_config():
    read = [
        word
        for path in sorted((ROOT / "nn2hls/ops").glob("*.py"))
        for words in re.findall(r'given_or_derived\(\s*hints, \("(\w+)"|hints\.given\.get\("(\w+)"\)', path.read_text("utf-8"))
        for word in words
        if word
    ]
    assert {"weight", "bound", "level", "accum"} <= set(read) <= set(PRECISION_WORDS)


@pytest.mark.parametrize("op", [*OTHER, *SAME, LeakyRelu(Const(np.array(0.3)))], ids=lambda op: type(op).__name__)
def test_a_factor_of_the_operands_is_one_of_the_result_where_the_op_says_so(op):
    if op.homogeneous:
        assert np.allclose(op.evaluate_float(2.3 * X), 2.3 * op.evaluate_float(X), rtol=1e-12, atol=0)


@pytest.mark.parametrize("op", [*(Elementwise(merge) for merge in Merge), *(Reduce(kind, (1,)) for kind in Reduction)], ids=str)
def test_sums_and_extremes_take_a_factor_and_products_do_not(op):
    xs = [X, RNG.normal(size=X.shape)][: 2 if isinstance(op, Elementwise) else 1]
    equal = np.allclose(op.evaluate_float(*(2.3 * x for x in xs)), 2.3 * op.evaluate_float(*xs), rtol=1e-12, atol=0)
    assert equal == op.homogeneous
