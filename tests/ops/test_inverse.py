"""Normalised arguments: emulator == Fraction evaluation == compiled C++, small tables, and bounds that hold and are close."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.functions import SPLITS, Function
from nn2hls.arith.functions_float import defined_float, part_float
from nn2hls.arith.ranges import Range
from nn2hls.design.design import convert
from nn2hls.emulate.emulator import Emulator
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.errors import OverflowWarning
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph
from nn2hls.graph.op import Hints
from nn2hls.ops import Input, Table
from nn2hls.ops.inverse import Normalised
from tests.kit.networks import hls_config
from tests.kit.witness import Case, compiled_equals_emulated, each, random_type, types
from tests.slow import inverse as slow

FUNCTIONS = [Function.LOG, Function.SQRT, Function.RSQRT, Function.RECIPROCAL, Function.SOFTSIGN]


def case_of(function, kind, result, hints, shape=(1,)):
    case = Case(Table(function), [kind], [shape], result, hints)
    assert isinstance(case.op, Normalised)
    return case


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=25, deadline=None)
@given(
    kind=types((11, 128), (-30, 128)),
    result=types((1, 128), (-3, 64)),
    noise=st.sampled_from([2.0**-3, 2.0**-9, 2.0**-20]),
    named=st.booleans(),
)
def test_emulator_is_the_equation(function, kind, result, noise, named):
    hints = Hints(noise=noise, operand_rms=(1.0,), result=result if named else None)
    case = case_of(function, kind, result, hints, (3,))
    case.check(case.draw(np.random.default_rng(0), 5), each(slow.normalised))
    assert max(len(t.array) for t in (case.op.inverse, case.op.slope)) <= 1024
    for rms in ((1.0,), ()):
        assert case.op.notes(case.xs, replace(hints, operand_rms=rms))


def errors_of(case, m):
    exact, bounds = case.exact_mantissas([m[:, None]])
    x = m * case.kinds[0].step
    want = part_float(case.op.function, x, 1.0)
    return np.abs(exact[:, 0].astype(float) * 2.0**-bounds.fraction - want)[defined_float(SPLITS[case.op.function].domain, x)]


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=25, deadline=None)
@given(
    kind=types((11, 17), (-4, 12)),
    result=st.none() | types((2, 24), (0, 8)),
    noise=st.sampled_from([2.0**-4, 2.0**-10, 2.0**-16]),
)
@pytest.mark.long
def test_bounds_are_true_and_close(function, kind, result, noise):
    hints = Hints(noise=noise, operand_rms=(1.0,), result=result)
    case = case_of(function, kind, result or FixedType(32, 16), hints)
    error = errors_of(case, np.arange(kind.min_mantissa, kind.max_mantissa + 1)).max()
    printed = float(case.op.notes(case.xs, hints)[0].split()[1])
    assert error <= printed
    assert printed <= 2 * error + 2 * 2.0**-case.op.sizes.share


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", [FixedType(16, 6), FixedType(24, 12), FixedType(32, 8), FixedType(80, 20)], ids=str)
def test_noise_is_kept(function, kind):
    rng = np.random.default_rng(0)
    hints = Hints(noise=2.0**-11, operand_rms=(1.5,))
    case = case_of(function, kind, FixedType(32, 12), hints)
    x = rng.normal(size=4000) * 1.5
    m = np.array(
        [round(v / kind.step) for v in np.where(np.abs(x) < 0.1, 0.1, x)], dtype=np.int64 if kind.width < 63 else object
    )
    assert np.sqrt(np.mean(errors_of(case, m).astype(float) ** 2)) <= 1.1 * hints.noise


BOTH_SIDES = [(f, sign) for f in FUNCTIONS for sign in (1, -1) if sign > 0 or SPLITS[f].domain != "positive"]


@pytest.mark.parametrize(("function", "sign"), BOTH_SIDES)
def test_the_target_is_met_by_default(function, sign):
    """60 dB against the float function, near its pole, too, and for whatever standard normal input it is defined."""
    b = Builder()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # seeded inputs for which the function is undefined say nothing about it
        design = convert(b.build([b.add("f", Table(function), [b.add("x", Input((4,)))])]), hls_config())
    x = np.rint(np.abs(np.random.default_rng(2).normal(size=(2000, 4))) * 1024).clip(1) / 1024 * sign
    y, want = design.predict(x), design.predict_float(x)
    if function is Function.SQRT and sign < 0:
        assert not y.any()
    else:
        assert 10 * np.log10(np.mean(want**2) / np.mean((y - want) ** 2)) > 55


def test_a_result_that_saturates_is_named():
    kind, result = FixedType(24, 8), FixedType(16, 6)
    case = case_of(Function.RECIPROCAL, kind, result, Hints(result=result, operand_rms=(1.0,)))
    log = OverflowLog()
    got = []
    graph = Graph(tuple(case.nodes()), ("op",))
    Emulator(graph).run([np.array([[0.01], [-0.01], [0.5]])], lambda name, start, v: got.append(v.astype(int)), log=log)
    assert got[0].ravel().tolist() == [result.max_mantissa, result.min_mantissa, 2 << 10]
    (found,) = log.overflows()
    assert (found.layer, found.count) == ("op.inverse", 2)
    assert "beyond, it saturates" in case.op.notes(case.xs, Hints())[0]


def test_a_target_out_of_reach_is_said():
    kind = FixedType(32, 6)
    for bits, count in ((12, 0), (30, 1)):
        hints = Hints(noise=2.0**-bits, operand_rms=(1.0,))
        op = case_of(Function.SOFTSIGN, kind, FixedType(40, 2), hints).op
        assert len(op.notes([Range.of_type(kind)], hints)) == 1
        found = op.warnings([Range.of_type(kind)], hints)
        assert len(found) == count
    assert re.search(r"512 words miss TargetSQNR by [1-9][0-9] dB", found[0])


def test_few_operands_and_named_tables_have_a_table_of_their_own():
    kind = FixedType(16, 6)
    for hints in (Hints(table_size=64), Hints(given={"table": kind})):
        assert isinstance(Case(Table(Function.LOG), [kind], [(1,)], kind, hints).op, Table)
    assert isinstance(Case(Table(Function.LOG), [FixedType(10, 4)], [(1,)], kind).op, Table)


@pytest.mark.parametrize("field", ["inverse", "slope", "power"])
def test_every_table_counts(field):
    kind = FixedType(12, 5)
    case = case_of(Function.LOG, kind, FixedType(24, 6), Hints(noise=2.0**-12, operand_rms=(1.0,)))
    every = np.arange(1, 2048)[:, None]
    before = case.exact_mantissas([every])[0]
    words = getattr(case.op, field).array.copy()
    words[3] += 64
    case.op = case.op.replace(**{field: Const(words)})
    assert np.any(case.exact_mantissas([every])[0] != before)


@pytest.mark.long
def test_compiled_equals_emulated():
    rng = np.random.default_rng(11)
    cases = []
    for function in FUNCTIONS:
        for width in ((11, 20), (20, 40), (40, 64), (64, 127)):
            kind, result = random_type(rng, width), random_type(rng, (1, 64))
            hints = Hints(
                noise=2.0 ** -int(rng.integers(3, 18)), operand_rms=(1.0,), result=result if rng.integers(2) else None
            )
            cases.append(Case(Table(function), [kind], [(2,)], result, hints))
        cases.append(case_of(function, FixedType(32, 8), FixedType(32, 8), Hints(result=FixedType(32, 8))))
    compiled_equals_emulated(cases, events=60)


def test_a_schedule_has_both_tables_and_one_product_each():
    case = case_of(Function.RSQRT, FixedType(16, 6), FixedType(16, 6), Hints(noise=2.0**-12, operand_rms=(1.0,)), (4,))
    schedule = case.op.schedule(case.xs, case.result)
    assert [m.copies for m in schedule.memories] == [2, 2]
    assert schedule.products == 4


def test_no_warning_where_nothing_saturates():
    b = Builder()
    design = convert(b.build([b.add("f", Table(Function.LOG), [b.add("x", Input((2,)))])]), hls_config())
    with warnings.catch_warnings():
        warnings.simplefilter("error", OverflowWarning)
        design.predict(np.array([[1e-3, 30.0]]))
