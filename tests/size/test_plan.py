"""Choices of reuse factors: counted schedules against laid-out ones, the list, and the command."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn2hls
from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints
from nn2hls.cli import main
from nn2hls.emit.cpp import Style
from nn2hls.emit.cpp_steps import steps_code
from nn2hls.errors import LimitError
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.ops import Dense
from nn2hls.ops.products.bounds import product_bounds
from nn2hls.ops.products.reused import MAX_ARRAY, ReusedPlan
from nn2hls.size.choices import reuse_factors
from tests.kit.networks import hls_config, mlp

SIXTEEN = FixedType.parse("ap_fixed<16,6>")


@given(st.integers(1, 5000), st.integers(1, 16))
@settings(deadline=None, max_examples=60)
def test_reuse_factors_have_different_multipliers_and_waste_no_step(products, per_octave):
    factors = reuse_factors(products, per_octave)
    multipliers = [math.ceil(products / r) for r in factors]
    assert factors[0] == 1
    assert multipliers[-1] == 1
    assert len(set(multipliers)) == len(multipliers)
    for reuse, m in zip(factors[1:], multipliers[1:], strict=True):
        assert math.ceil(products / (reuse - 1)) > m


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
@settings(deadline=None, max_examples=80)
def test_what_a_schedule_counts_is_what_the_slots_hold(seed, reuse):
    rng = np.random.default_rng(seed)
    n_in, n_out = (int(n) for n in rng.integers(1, 24, size=2))
    weight = rng.integers(-9, 10, size=(n_in, n_out)) * (rng.random((n_in, n_out)) < rng.random())
    x = Range.of_type(SIXTEEN).broadcast((n_in,))
    op = Dense(Const(weight / 16), Const(np.zeros(n_out))).resolve([x], Hints(given={"weight": SIXTEEN}))
    plan = ReusedPlan(op.replace(reuse=reuse).affine_sums(x))
    products = [(i, j) for j in range(n_out) for i in range(n_in) if weight[i, j]]
    runs = [products[k : k + plan.steps] for k in range(0, len(products), plan.steps)]
    assert plan.multipliers == max(1, len(runs))
    assert plan.segments == max([len({j for _, j in run}) for run in runs], default=1)
    own, read = max([len({i for i, _ in run}) for run in runs], default=1), len({i for i, _ in products})
    assert plan.choices == (own if own < read and own * plan.multipliers <= MAX_ARRAY else read)
    assert [len(p) for p in plan.parts] == [sum(any(j == out for _, j in run) for run in runs) for out in range(n_out)]
    for m, run in enumerate(runs):
        for t, (i, j) in enumerate(run):
            assert plan.slots.input[m, t] == i
            assert (m, plan.segment[m, t]) in plan.parts[j]
    if products:
        rom = steps_code(plan.hardware(SIXTEEN), Style()).roms["rom"]
        assert (rom.width, rom.values.size) == (plan.word_bits, plan.steps * plan.multipliers)
        assert max(rom.values.ravel().tolist()) < 1 << plan.word_bits


@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 40))
@settings(deadline=None, max_examples=80)
def test_bounds_are_exact_at_any_width(seed, x_bits, w_bits):
    rng = np.random.default_rng(seed)

    def draw(bits, shape):
        return ints(rng.integers(0, 2**32, shape)) * 2**bits // 2**32 - 2 ** (bits - 1)

    a, b = draw(x_bits, 5), draw(x_bits, 5)
    x = Range(np.minimum(a, b), np.maximum(a, b), 0)
    weight = draw(w_bits, (5, 3))
    found = product_bounds(Const(weight.astype(np.int64)), x)
    ends = np.stack([x.lo[:, None] * weight, x.hi[:, None] * weight])
    assert list(found.everywhere(found.lo)) == list(ends.min(axis=0).sum(axis=0))
    assert list(found.everywhere(found.hi)) == list(ends.max(axis=0).sum(axis=0))
    assert list(found.everywhere(found.least)) == list(np.minimum(ends.min(axis=0), 0).sum(axis=0))
    assert list(found.everywhere(found.most)) == list(np.maximum(ends.max(axis=0), 0).sum(axis=0))
    assert list(found.everywhere(found.size)) == list(np.abs(ends).max(axis=0).sum(axis=0))


@pytest.fixture(scope="module")
def design():
    graph = mlp(np.random.default_rng(1), (8, 12, 5), density=0.6)
    return nn2hls.convert(graph, hls_config({"Precision": "ap_fixed<16,6>", "ReuseFactor": 4}))


def test_a_design_sized_at_other_reuse_factors_is_the_design_converted_with_them(design):
    reuses = {"fc0": 3, "fc1": 7}
    levels = {name: {"ReuseFactor": r} for name, r in reuses.items()}
    again = nn2hls.convert(
        mlp(np.random.default_rng(1), (8, 12, 5), density=0.6), hls_config({"Precision": "ap_fixed<16,6>"}, **levels)
    )
    assert design.sizer.estimate(reuses).to_dict() == again.estimate().to_dict()


def test_latencies_of_layers_alone_add_up_to_no_less_than_the_whole(design):
    rng = np.random.default_rng(2)
    sizer = design.sizer
    for _ in range(30):
        reuses = {name: int(rng.integers(1, products + 1)) for name, products in sizer.reusable.items()}
        alone = [sizer.choice(name, reuses.get(name)) for name in sizer.nodes]
        whole = sizer.estimate(reuses)
        assert whole.latency_cycles <= sum(c.latency for c in alone)
        assert whole.ii == max(c.ii for c in alone)
        assert whole.dsp == sum(c.layer.report.dsp for c in alone)


def test_a_choice_left_out_is_beaten_by_one_that_is_listed(design):
    listed = design.sizer.choices("fc0")
    kept = [c.measures() for c in listed.choices]
    for reuse in reuse_factors(listed.products):
        mine = design.sizer.choice("fc0", reuse).measures()
        assert any(all(other[m] <= mine[m] for m in mine) for other in kept)
    for one in kept:
        assert not any(all(other[m] < one[m] for m in one) for other in kept)


def test_a_layer_too_large_without_reuse_names_a_factor_that_works():
    graph = mlp(np.random.default_rng(0), (300, 300), scale=20)
    design = nn2hls.convert(graph, hls_config({"Precision": "ap_fixed<8,4>"}))
    with pytest.raises(LimitError, match=r"^fc0: .*Set ReuseFactor: (\d+)") as error:
        design.estimate()
    works = int(str(error.value).split("ReuseFactor: ")[1].split()[0])
    plan = ReusedPlan(design.graph["fc0"].op.replace(reuse=works).affine_sums(Range.of_type(FixedType.parse("ap_fixed<8,4>"))))
    assert plan.multipliers * plan.segments <= MAX_ARRAY
    assert design.sizer.estimate({"fc0": works}).ii <= works
    assert all(c.reuse > 1 for c in design.sizer.choices("fc0").choices)
    assert "ReuseFactor" in design.sizer.choices("fc0", [1]).refused[1]


def test_the_command_lists_what_was_asked_for_too(capsys):
    path = "example-configs/jet_tagger_reuse4.yml"
    assert main(["plan", path, "--reuse", "9,11,13", "--json"]) == 0
    layers = {layer["name"]: layer for layer in json.loads(capsys.readouterr().out)["layers"]}
    assert set(layers) == {"fc1", "fc2", "fc3", "output"}
    for layer in layers.values():
        assert {4, 9, 11, 13} <= {c["reuse"] for c in layer["choices"]}
        for c in layer["choices"]:
            assert c["multipliers"] == math.ceil(layer["products"] / c["reuse"]) or c["reuse"] == 1
    assert main(["plan", path]) == 0
    assert "non-zero products of" in capsys.readouterr().out
