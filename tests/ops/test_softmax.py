"""Softmax: emulator == Fraction evaluation == compiled C++, and its guarantees, exhaustively for small types."""

import itertools
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.errors import LimitError, ModelError, TypeResolutionError
from nn2hls.graph.const import Const, Places
from nn2hls.graph.op import Hints
from nn2hls.ops import Softmax
from tests.kit.witness import Case, compiled_equals_emulated, hardware_equals_emulated, random_type, types
from tests.slow import softmax as slow

K16 = FixedType(16, 6)
GIVEN = Hints(table_size=256, given={"exp_table": FixedType(18, 8), "inv_table": FixedType(18, 8)}, result=K16)


def case_of(kind, n, result=K16, log=False, hints=None):
    return Case(Softmax(0, log), [kind], [(n,)], result, hints or Hints(result=result))


@pytest.mark.parametrize("log", [False, True])
@settings(max_examples=25, deadline=None)
@given(
    kind=types((1, 16), (-2, 12)),
    result=types((1, 18), (-3, 8)),
    shape=st.sampled_from([((5,), 0), ((1,), 0), ((3, 2), 0), ((2, 4), 1), ((2, 3, 2), 1)]),
    hints=st.sampled_from(["result", "noise", "size", "given"]),
)
def test_emulator_is_the_equation(log, kind, result, shape, hints):
    chosen = {
        "result": Hints(result=result),
        "noise": Hints(noise=2.0**-6),
        "size": Hints(table_size=64, result=result),
        "given": GIVEN,
    }
    case = Case(Softmax(shape[1], log), [kind], [shape[0]], result, chosen[hints])
    case.check(case.draw(np.random.default_rng(0), 4), slow.rows)


@pytest.mark.parametrize("kind", [FixedType(16, 6), FixedType(24, 8), FixedType(12, 5)], ids=str)
@pytest.mark.parametrize("fraction", [4, 8, 12, 16])
def test_exp_never_rises(kind, fraction):
    op = case_of(kind, 5, FixedType(fraction + 6, 6)).op
    words = op.exponentials(np.arange(1 << min(op.distance_t.width, 20)))
    assert words[0] == 1 << op.exp_t.fraction
    assert np.all(np.diff(words) <= 0)


@pytest.mark.parametrize("log", [False, True])
def test_wide_operands_and_results(log):
    for kind, result, n in [
        (FixedType(32, 8), FixedType(30, 4), 5),
        (FixedType(40, 20), FixedType(24, 2), 70),
        (K16, FixedType(40, 8), 130),
        (FixedType(80, 8), FixedType(100, 4), 3),
        (FixedType(128, 64), FixedType(128, 30), 3),
        (FixedType(30, 90), FixedType(20, 2), 4),
        (FixedType(64, 0), FixedType(64, 4), 5),
    ]:
        case = case_of(kind, n, result, log)
        case.check(case.draw(np.random.default_rng(0), 3), slow.rows)


@pytest.mark.parametrize("log", [False, True])
@settings(max_examples=25, deadline=None)
@given(
    kind=types((20, 128), (-30, 128)),
    result=types((1, 128), (-3, 64)),
    n=st.integers(1, 9),
    hints=st.sampled_from(["result", "size", "exp", "inv"]),
    table=types((2, 40), (1, 8)).filter(lambda kind: 0 < kind.fraction <= 32),
)
def test_types_of_up_to_128_bits(log, kind, result, n, hints, table):
    chosen = {
        "result": Hints(result=result),
        "size": Hints(table_size=64, result=result),
        "exp": Hints(
            table_size=64,
            given={"exp_table": replace(table, integer=table.integer + table.signed, width=table.width + table.signed)},
        ),
        "inv": Hints(table_size=64, given={"inv_table": table}),
    }
    case = case_of(kind, n, result, log, chosen[hints])
    inputs = case.draw(np.random.default_rng(0), 3)
    case.check(inputs, slow.rows)
    wild_guarantees(case, inputs[0])


def wild_guarantees(case, x):
    """Order and bound, where neither distances nor answers are floats."""
    exact, bounds = case.exact_mantissas([x])
    for row, answers in zip(x.astype(object), exact, strict=True):
        order = np.argsort(row, kind="stable")
        assert np.all(np.diff(answers[order]) >= 0)
        distance = [Fraction(int(max(row) - v)) / Fraction(2) ** case.kinds[0].fraction for v in row]
        total = sum(np.exp(-min(float(d), 700.0)) for d in distance)
        for d, answer in zip(distance, answers, strict=True):
            y = Fraction(int(answer)) / Fraction(2) ** bounds.fraction
            off = y + d + Fraction(np.log(total)) if case.op.log else y - Fraction(np.exp(-min(float(d), 700.0)) / total)
            assert abs(float(off)) <= case.op.bound(case.xs) + 1e-12


def test_the_logarithm_knows_what_its_table_does_not_hold():
    """ln 10 is 2.3, and ap_ufixed<18,1> ends at 2."""
    hints = Hints(given={"inv_table": FixedType(18, 1, False)}, result=K16)
    case = case_of(K16, 10, log=True, hints=hints)
    x = np.zeros((1, 10), dtype=np.int64)
    exact, bounds = case.exact_mantissas([x])
    error = abs(float(exact[0, 0]) * 2.0**-bounds.fraction + np.log(10))
    assert 0.07 < error <= case.op.bound(case.xs) < 0.11
    (_, note) = case.op.notes(case.xs, hints)
    proposal = FixedType.parse(re.search(r"Use one like (\S+)\.", note)[1])
    better = case_of(K16, 10, log=True, hints=replace(hints, given={"inv_table": proposal}))
    assert better.op.bound(better.xs) < 0.01
    assert len(better.op.notes(better.xs, hints)) == 1
    with pytest.raises(TypeResolutionError, match=re.escape("ap_ufixed<19,2>")):
        case_of(K16, 10, log=True, hints=Hints(given={"inv_table": FixedType(8, 8)}))


def guarantees(case, x, *, derived=True):
    """The three promises, for mantissas x of shape (events, n)."""
    n = x.shape[1]
    y, bounds = case.exact_mantissas([x])
    y = y.astype(np.int64)
    order = np.argsort(x, axis=1, kind="stable")
    by_size = np.take_along_axis(y, order, 1)
    assert np.all(np.diff(by_size, axis=1) >= 0)
    value = y * 2.0**-bounds.fraction
    want = case.op.evaluate_float(x * case.kinds[0].step)
    assert np.abs(value - want).max() <= case.op.bound(case.xs) + 1e-12
    if derived and not case.op.log and case.op.top >= 2**bounds.fraction - 1:
        assert np.abs(y.sum(axis=1) - 2**bounds.fraction).max() <= n / 2 + 1


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "kind", [FixedType(4, 2), FixedType(4, 4), FixedType(5, 3, False), FixedType(4, 7), FixedType(4, -1)], ids=str
)
@pytest.mark.parametrize("result", [FixedType(16, 6), FixedType(8, 2), FixedType(6, 0, False), FixedType(4, 4)], ids=str)
def test_guarantees_for_every_input_of_small_types(log, kind, result):
    values = range(kind.min_mantissa, kind.max_mantissa + 1)
    x = np.array(list(itertools.product(values, repeat=3)))
    guarantees(case_of(kind, 3, result, log), x)


@pytest.mark.parametrize("log", [False, True])
@settings(max_examples=30, deadline=None)
@given(
    kind=types((2, 18), (-2, 10)),
    result=types((4, 20), (0, 3)),
    n=st.integers(2, 64),
    scale=st.sampled_from([1, 30, 1000, 10**6]),
    size=st.sampled_from([None, None, 128]),
)
def test_guarantees(log, kind, result, n, scale, size):
    case = case_of(kind, n, result, log, Hints(result=result, table_size=size))
    rng = np.random.default_rng(n)
    near = np.clip(np.rint(rng.normal(size=(300, n)) * scale), kind.min_mantissa, kind.max_mantissa).astype(np.int64)
    guarantees(case, np.concatenate([near, case.draw(rng, 100)[0]]), derived=size is None)


def test_hard_corners():
    case = case_of(K16, 5)
    x = np.array([[17, -15.5, 0, 0, 0], [-32, 31, -32, -32, -32], [0, 0, 0, 0, 0], [1, 0.2, -8, -8, -8]]) * 1024
    y = case.emulate([x.astype(np.int64)]) / 1024
    assert y[0].tolist() == [1, 0, 0, 0, 0]
    assert y[1].tolist() == [0, 1, 0, 0, 0]
    assert np.allclose(y[2], 0.2, atol=1 / 1024)
    assert y[3, 0] == pytest.approx(0.69, abs=1e-3)


def test_jet_tagger_needs_few_small_tables():
    """At ap_fixed<16,6> and 5 classes: within 0.75 steps of the result, tables of 2**7 words."""
    case = case_of(K16, 5)
    assert case.op.bound(case.xs) < 0.75 * K16.step
    assert {m.words for m in case.op.schedule(case.xs, K16).memories} == {128}
    rng = np.random.default_rng(1)
    guarantees(case, np.clip(np.rint(rng.normal(size=(20000, 5)) * 3000), -32768, 32767).astype(np.int64))


def test_results_below_one_do_not_wrap():
    """A result type that cannot hold 1 answers with its largest value."""
    result = FixedType(8, 0, False)
    case = case_of(K16, 3, result)
    assert case.emulate([np.array([[30000, 0, 0]])]).tolist() == [[255, 0, 0]]


def test_every_table_counts():
    """Changing a word of any table of a small softmax changes an answer."""
    kind, result = FixedType(6, 3), FixedType(10, 2)
    case = case_of(kind, 2, result)
    values = np.arange(-32, 32)
    x = np.array(list(itertools.product(values, repeat=2)))
    before = case.exact_mantissas([x])[0]
    for field, word in (("exp_high", 3), ("inverse", 0), ("slope", 0)):
        changed = getattr(case.op, field).array.copy()
        changed[word] ^= 1 << (int(changed.max()).bit_length() - 2)
        other = case_of(kind, 2, result)
        other.op = case.op.replace(**{field: Const(changed)})
        assert np.any(other.exact_mantissas([x])[0] != before), field


def test_settings_are_obeyed_or_refused():
    op = case_of(K16, 5, hints=GIVEN).op
    assert len(op.exp_high.array) == 256
    assert len(op.inverse.array) == 256
    assert op.exp_t.width == op.inverse_t.width == 18
    assert not op.tangent
    assert op.bound(case_of(K16, 5).xs) > case_of(K16, 5).op.bound(case_of(K16, 5).xs)
    with pytest.raises(TypeResolutionError, match="1024 or 2048"):
        case_of(K16, 5, hints=Hints(table_size=1500))
    with pytest.raises(TypeResolutionError, match="exp_table"):
        case_of(K16, 5, hints=Hints(given={"exp_table": FixedType(16, 0, False)}))
    with pytest.raises(TypeResolutionError, match="more than 32 fraction bits"):
        case_of(K16, 5, hints=Hints(given={"exp_table": FixedType(64, 1)}))
    with pytest.raises(TypeResolutionError, match="beyond the limit"):
        case_of(K16, 5, hints=Hints(table_size=2**37))
    with pytest.raises(LimitError, match="65,537 classes"):
        Softmax(0).infer([(65537,)], where="layer")
    with pytest.raises(ModelError, match="Axis 1"):
        Softmax(1).infer([(5,)], where="layer")


@pytest.mark.long
def test_compiled_equals_emulated():
    rng = np.random.default_rng(7)
    cases = [case_of(K16, 5), case_of(K16, 5, log=True), case_of(FixedType(40, 9), 6, FixedType(26, 2))]
    for log in (False, True):
        for shape, axis in [((5,), 0), ((1,), 0), ((3, 2), 0), ((2, 4), 1), ((2, 3, 2), 1), ((9,), 0)]:
            result = random_type(rng)
            for hints in (Hints(result=result), Hints(table_size=32), GIVEN):
                cases.append(Case(Softmax(axis, log), [random_type(rng)], [shape], result, hints))
    for log in (False, True):
        cases += [case_of(K16, 65, log=log), case_of(K16, 130, log=log), case_of(FixedType(32, 8), 32, FixedType(32, 8), log)]
        cases += [case_of(FixedType(100, 9), 3, FixedType(60, 5), log), case_of(FixedType(126, 70), 3, K16, log)]
    modes = (Rounding.RND, Overflow.SAT)
    cases.append(case_of(FixedType(8, 4, True, *modes), 64, FixedType(12, 1, False, *modes)))
    compiled_equals_emulated(cases, events=30)


def test_demand_is_whole_rows():
    needed = np.array([[True, False], [False, False]])
    assert Softmax(1).demand(needed, [(2, 2)])[0].tolist() == [[True, True], [False, False]]


MASKS = [((1, 3), (2, 3), 1), ((2, 3), (2, 3), 1), ((3, 1), (3, 2), 0), ((2, 1, 3), (2, 2, 3), 2)]


@settings(max_examples=40, deadline=None)
@given(
    kind=types((1, 16), (-2, 12)),
    result=types((1, 18), (-3, 8)),
    where=st.sampled_from(MASKS),
    noise=st.sampled_from([2.0**-5, 2.0**-12]),
    seed=st.integers(0, 99),
)
def test_what_a_mask_leaves_out_is_not_there(kind, result, where, noise, seed):
    (own, shape, axis), rng = where, np.random.default_rng(seed)
    mask = rng.integers(0, 2, size=own)
    mask[tuple(rng.integers(n) if k == axis else slice(None) for k, n in enumerate(own))] = 1
    case = Case(Softmax(axis, present=Places(mask)), [kind], [shape], result, Hints(noise=noise))
    case.check(case.draw(rng, 4), slow.rows)
    hardware_equals_emulated([case], seed, events=4)


def test_a_mask_in_floats():
    mask = np.array([[1, 0, 1], [1, 1, 0]])
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    e = np.exp(x) * mask
    op = Softmax(1, present=Places(mask))
    assert np.allclose(op.evaluate_float(x), e / e.sum(axis=2, keepdims=True))
    assert op.demand(np.array([[True, False, False], [False] * 3]), [(2, 3)])[0].tolist() == [[True, False, True], [False] * 3]


@pytest.mark.parametrize(("op", "words"), [
    (Softmax(1, present=Places(np.ones(3, dtype=int))), "mask has shape"),
    (Softmax(1, present=Places(np.array([[1, 1, 0], [0, 0, 0]]))), "leaves nothing"),
    (Softmax(1, True, present=Places(np.array([[1, 1, 0]]))), "minus infinity"),
])  # fmt: skip
def test_masks_that_cannot_be_are_refused(op, words):
    with pytest.raises(ModelError, match=f"here.*{words}"):
        op.infer([(2, 3)], "here")
