"""Sums as one graph of additions: exact in every bit, no deeper than asked, with the solver or without it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls import extras
from nn2hls.arith.csd import digit_count
from nn2hls.design.design import convert
from nn2hls.hardware.net import Code, Net
from nn2hls.hardware.operators import adder_bits
from nn2hls.hardware.witness import run
from nn2hls.ops.products import distributed
from nn2hls.ops.products.distributed import distributed_terms
from nn2hls.ops.products.straight import product_terms
from tests.kit.networks import mlp

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 60, 5000]))


def matrix(rng, n_in, n_out, top):
    return rng.integers(-top, top + 1, (n_in, n_out)) * (rng.random((n_in, n_out)) < 0.7)


def built(weight, constants, expand, **more):
    net = Net()
    words = [net.input(k, -9, 6 + k) for k in range(len(weight))]
    net.outputs = [net.total(column) for column in expand(net, words, weight, constants, **more)]
    return net


def fewest(weight, constants):
    """Additions on the longest way of trees of all digits."""
    terms = digit_count(weight).sum(axis=0) + (np.array(constants) != 0)
    return math.ceil(math.log2(max(1, terms.max())))


@pytest.mark.parametrize("solver", [True, False])
@pytest.mark.parametrize("deeper", [0, 1, 3])
@given(SHAPES)
def test_sums_are_exact_and_no_deeper_than_asked(deeper, solver, shape):
    n_in, n_out, seed, top = shape
    rng = np.random.default_rng(seed)
    weight, constants = matrix(rng, n_in, n_out, top), [int(k) for k in rng.integers(-40, 41, n_out)]
    with pytest.MonkeyPatch.context() as patch:
        if not solver or not extras.has_solver():
            patch.setattr(extras, "has_solver", lambda: False)
        net = built(weight, constants, distributed_terms, deeper=deeper)
    x = np.stack([rng.integers(-9, 7 + k, 30) for k in range(n_in)])
    answers = run(net, list(x))
    assert [list(map(int, a)) for a in answers] == (weight.T @ x + np.array(constants)[:, None]).tolist()
    deepest = max(net.depth(o) for o in net.outputs)
    if not solver:
        assert deepest <= fewest(weight, constants) + deeper


def test_the_graph_with_fewer_adder_bits_is_taken(monkeypatch):
    weight = matrix(np.random.default_rng(4), 24, 16, 400)
    constants = [1] * 16
    monkeypatch.setattr(extras, "has_solver", lambda: False)
    own = adder_bits(built(weight, constants, distributed_terms))
    assert own < 0.8 * adder_bits(built(weight, constants, product_terms))
    monkeypatch.undo()
    if not extras.has_solver():
        pytest.skip("needs alkaid")
    monkeypatch.setattr(distributed, "share", lambda *_: [])
    monkeypatch.setattr(
        distributed, "shared_terms", lambda net, words, constants, made: product_terms(net, words, weight, constants)
    )
    theirs = adder_bits(built(weight, constants, distributed_terms))
    monkeypatch.undo()
    assert adder_bits(built(weight, constants, distributed_terms)) == min(own, theirs)


def test_more_depth_shares_more():
    weight = matrix(np.random.default_rng(0), 40, 3, 3)
    bits = []
    for deeper in (0, 1, 8):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(extras, "has_solver", lambda: False)
            net = built(weight, [0] * 3, distributed_terms, deeper=deeper)
        bits.append((adder_bits(net), max(net.depth(o) for o in net.outputs)))
    assert bits[0][1] == fewest(weight, [0] * 3)
    assert bits[2][0] <= bits[0][0]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 4)), min_size=1, max_size=6, unique_by=lambda term: term[0]
    )
)
def test_a_total_of_any_signs_is_exact_and_negates_only_sums_of_negatives(terms):
    net = Net()
    words = [net.input(k, -3, 5) for k in range(6)]
    total = net.total([(net.shift(words[k], up), minus) for k, minus, up in terms])
    net.outputs = [total]
    x = np.random.default_rng(1).integers(-3, 6, (6, 40))
    assert run(net, list(x))[0].tolist() == sum((-1) ** minus * (x[k] << up) for k, minus, up in terms).tolist()
    if any(not minus for _, minus, _ in terms):
        assert not any(
            net.cells[w].code is Code.SUB and net.cells[net.cells[w].args[0]].code is Code.CONST for w in net.alive()
        )


def test_inside_a_total_the_operand_with_zero_bits_is_subtracted():
    """a * 8 - b + c: b - a * 8 needs no adder for three bits, if c does not need one for more of them then."""
    bits = []
    for up in (0, 9):
        net = Net()
        a, b, c = net.input(0, -8, 7), net.input(1, -8, 7), net.input(2, -64, 63)
        net.outputs = [net.total([(net.shift(a, 3), False), (b, True), (net.shift(c, up), False)])]
        bits.append(adder_bits(net))
    assert bits == [(7 - 3) + 8, 7 + (16 - 9)]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"ReuseFactor": 2}, "ReuseFactor 2 shares multipliers"),
        ({"Precision": {"accum": "ap_fixed<8,4,AP_RND>"}}, "order that its accumulator ap_fixed<8,4,AP_RND> fixes"),
        ({}, None),
    ],
)
def test_settings_that_leave_no_additions_to_share_are_told(settings, reason):
    graph = mlp(np.random.default_rng(0), (4, 3))
    name = graph.outputs[0]
    design = convert(graph, {"Model": {}, "LayerName": {name: {"Strategy": "DistributedArithmetic", **settings}}})
    told = [note for note in design.notes if "has no effect" in note]
    assert len(told) == (reason is not None)
    assert all(note.startswith(f"{name}: Strategy: DistributedArithmetic") and reason in note for note in told)


def test_the_solver_is_asked_for_blocks_of_bounded_digits_and_not_for_more_than_it_has_time_for(monkeypatch):
    if not extras.has_solver():
        pytest.skip("needs alkaid")
    from alkaid import cmvm

    weight, asked = matrix(np.random.default_rng(1), 12, 9, 100), []
    solve = cmvm.cmvm_solve

    def counted(kernel, **more):
        asked.append(int(digit_count(kernel.astype(np.int64)).sum()))
        return solve(kernel, **more)

    monkeypatch.setattr(cmvm, "cmvm_solve", counted)
    total, column = int(digit_count(weight).sum()), int(digit_count(weight).sum(axis=0).max())
    monkeypatch.setattr(distributed, "MOST_DIGITS", total // 4)
    monkeypatch.setattr(distributed, "MOST_SOLVED", total)
    built(weight, [0] * 9, distributed_terms)
    assert len(asked) > 3
    assert sum(asked) == total
    assert max(asked) <= total // 4 + column
    monkeypatch.setattr(distributed, "MOST_SOLVED", total - 1)
    asked.clear()
    without = built(weight, [0] * 9, distributed_terms)
    assert not asked
    monkeypatch.setattr(extras, "has_solver", lambda: False)
    assert adder_bits(without) == adder_bits(built(weight, [0] * 9, distributed_terms))
