"""Functions by table: emulator == Fraction evaluation == compiled C++, and bounds that hold over the whole input type."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow import table as slow
from witness import Case, compiled_equals_emulated, each, random_type, types

from nn2hls.errors import ModelError, TypeResolutionError
from nn2hls.fixed import FixedType
from nn2hls.functions import SPLITS, Function, defined_float
from nn2hls.ir import Const
from nn2hls.ops import Table
from nn2hls.ops.base import Hints
from nn2hls.schedule import Kind

COARSE = Hints(noise=2.0**-5, operand_rms=(1.0,))


@pytest.mark.parametrize("function", Function)
@settings(max_examples=8, deadline=None)
@given(
    kind=types((1, 14), (-2, 6)),
    result=types((2, 16), (-2, 8)),
    table=st.none() | types((2, 10), (-1, 4)),
    size=st.sampled_from([None, 16, 64]),
)
def test_emulator_is_the_equation(function, kind, result, table, size):
    given_types = {} if table is None else {"table": table}
    hints = Hints(given=given_types, table_size=size, noise=2.0**-5, operand_rms=(1.0,), result=result if size else None)
    case = Case(Table(function, 1.5), [kind], [(2,)], result, hints)
    case.check(case.draw(np.random.default_rng(0), 4), each(slow.table))


@pytest.mark.parametrize(
    "function", [Function.SIGMOID, Function.SELU, Function.SILU, Function.TANH_SHRINK, Function.RECIPROCAL]
)
@settings(max_examples=6, deadline=None)
@given(kind=types((18, 40), (2, 12)))
def test_wide_operands(function, kind):
    """Operands of more values than the emulator looks up as a whole."""
    case = Case(Table(function), [kind], [(2,)], FixedType(16, 8), COARSE)
    case.check(case.draw(np.random.default_rng(0), 6), each(slow.table))


@pytest.mark.parametrize("function", Function)
@pytest.mark.parametrize(
    "kind", [FixedType(16, 6), FixedType(12, 3), FixedType(20, 5), FixedType(10, 4, False), FixedType(6, 3)], ids=str
)
@pytest.mark.parametrize("size", [None, 64])
def test_bound_holds_over_the_whole_input_type(function, kind, size):
    case = Case(Table(function), [kind], [(1,)], FixedType(16, 6), Hints(table_size=size, noise=2.0**-7, operand_rms=(1.0,)))
    bound = case.op.bound(case.xs)
    every = 1 if kind.width <= 16 else 7
    m = np.arange(kind.min_mantissa, kind.max_mantissa + 1, every)
    exact, bounds = case.exact_mantissas([m[:, None]])
    got = exact[:, 0].astype(float) * 2.0**-bounds.fraction
    x = m * kind.step
    want = case.op.evaluate_float(x)
    if SPLITS[function].linear.value == 0:
        want = np.clip(want, case.op.table_t.min, case.op.table_t.max)
    errors = np.abs(got - want)[defined_float(SPLITS[function].domain, x)]
    assert errors.max() <= bound + 1e-12
    if kind.width <= 16:
        assert errors.max() >= 0.99 * bound - 1e-6  # and it is the error, not just above it


@pytest.mark.parametrize(
    "function", [Function.SIGMOID, Function.TANH, Function.GELU, Function.SILU, Function.ELU, Function.SOFTPLUS]
)
def test_noise_is_kept(function):
    rng = np.random.default_rng(0)
    for noise in (2.0**-6, 2.0**-8):
        case = Case(Table(function), [FixedType(18, 6)], [(1,)], FixedType(18, 6), Hints(noise=noise, operand_rms=(1.5,)))
        m = np.rint(rng.normal(size=20000) * 1.5 * 2**12).astype(np.int64)[:, None]
        exact, bounds = case.exact_mantissas([m])
        error = exact.astype(float) * 2.0**-bounds.fraction - case.op.evaluate_float(m * 2.0**-12)
        assert np.sqrt(np.mean(error**2)) <= 1.1 * noise


@pytest.mark.parametrize("function", [f for f in Function if SPLITS[f].domain == "all"])
def test_zero_is_as_exact_as_the_entries(function):
    case = Case(Table(function), [FixedType(16, 6)], [(1,)], FixedType(16, 6), Hints(table_size=256, noise=2.0**-10))
    exact, bounds = case.exact_mantissas([np.zeros((1, 1), dtype=np.int64)])
    assert abs(exact[0, 0] * 2.0**-bounds.fraction - case.op.evaluate_float(np.zeros(1))[0]) <= case.op.table_t.step / 2


def test_compiled_equals_emulated():
    rng = np.random.default_rng(3)
    cases = []
    for function in Function:
        for size in (None, 32):
            hints = Hints(table_size=size, noise=2.0**-5, operand_rms=(1.0,))
            cases.append(Case(Table(function, 0.7), [random_type(rng)], [(2, 2)], random_type(rng), hints))
    cases += [Case(Table(Function.SELU), [FixedType(30, 8)], [(3,)], FixedType(24, 9), COARSE)]
    compiled_equals_emulated(cases, events=30)


def test_a_changed_word_is_seen():
    """The emulator, the C++ and the bound read the table, and the slow evaluation does not."""
    kind = FixedType(8, 4)
    case = Case(Table(Function.SIGMOID), [kind], [(1,)], FixedType(12, 2), COARSE)
    every = [np.arange(-128, 128)[:, None]]
    case.check(every, each(slow.table))
    bound = case.op.bound(case.xs)
    for word in (0, len(case.op.table.array) // 2, -1):
        words = case.op.table.array.copy()
        words[word] ^= 8
        changed = Case(Table(Function.SIGMOID), [kind], [(1,)], FixedType(12, 2), COARSE)
        changed.op = case.op.replace(table=Const(words))
        with pytest.raises(AssertionError):
            changed.check(every, each(slow.table))
        assert changed.op.bound(case.xs) > bound


def test_settings_are_obeyed_or_refused():
    kind = FixedType(16, 6)
    asked = Hints(table_size=2048, given={"table": FixedType(18, 8)})
    case = Case(Table(Function.TANH), [kind], [(1,)], kind, asked)
    assert len(case.op.table.array) == 2048
    assert (case.op.table_t.width, case.op.table_t.integer) == (18, 8)
    with pytest.raises(TypeResolutionError, match="1024 or 2048"):
        Case(Table(Function.TANH), [kind], [(1,)], kind, Hints(table_size=1500))
    with pytest.raises(ModelError, match="above zero"):
        Case(Table(Function.CELU, -1.0), [kind], [(1,)], kind)


def test_schedule_counts_a_dual_ported_table_for_two_lookups():
    """hls4ml's sigmoid on 64 outputs: 32 block RAMs (shared/estimation.md, rule 8)."""
    kind = FixedType(16, 6)
    case = Case(Table(Function.SIGMOID), [kind], [(64,)], kind, Hints(table_size=1024, result=kind))
    schedule = case.op.schedule(case.xs, kind)
    (memory,) = schedule.memories
    assert (memory.words, memory.copies) == (1024, 32)
    assert {o.kind for o in schedule.operators} == {Kind.ROUND, Kind.SATURATE, Kind.ROM}
