"""Functions by table: emulator == Fraction evaluation == compiled C++, and bounds that hold over the whole input type."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn2hls
from nn2hls.arith.fixed import FixedType
from nn2hls.arith.functions import SPLITS, Function
from nn2hls.arith.functions_float import defined_float
from nn2hls.emulate.emulator import Emulator
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.errors import ModelError, TypeResolutionError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph
from nn2hls.graph.op import Hints
from nn2hls.hardware.schedule import Kind
from nn2hls.ops import Clip, HardSigmoid, Input, LeakyRelu, Table
from nn2hls.ops.inverse_size import CORES
from nn2hls.ops.table_bound import unsaturated
from nn2hls.ops.table_size import above
from tests.kit.witness import Case, compiled_equals_emulated, each, random_type, types
from tests.slow import table as slow
from tests.slow.inverse import normalised

# These have a table of their own where the config names its size.
TABLED = {f: 4096 if f in CORES else None for f in Function}
COARSE = Hints(noise=2.0**-5, operand_rms=(1.0,))


def slow_of(op, x):
    return slow.table(op, x) if isinstance(op, Table) else normalised(op, x)


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
    case.check(case.draw(np.random.default_rng(0), 4), each(slow_of))


@pytest.mark.parametrize(
    "function", [Function.SIGMOID, Function.SELU, Function.SILU, Function.TANH_SHRINK, Function.RECIPROCAL]
)
@settings(max_examples=6, deadline=None)
@given(kind=types((18, 40), (2, 12)))
def test_wide_operands(function, kind):
    """Operands of more values than the emulator looks up as a whole."""
    case = Case(Table(function), [kind], [(2,)], FixedType(16, 8), COARSE)
    case.check(case.draw(np.random.default_rng(0), 6), each(slow_of))


@pytest.mark.parametrize("function", Function)
@pytest.mark.parametrize(
    "kind", [FixedType(16, 6), FixedType(12, 3), FixedType(20, 5), FixedType(10, 4, False), FixedType(6, 3)], ids=str
)
@pytest.mark.parametrize("size", [None, 64])
def test_bound_is_the_error_over_the_whole_input_type(function, kind, size):
    hints = Hints(table_size=size or TABLED[function], noise=2.0**-7, operand_rms=(1.0,))
    case = Case(Table(function), [kind], [(1,)], FixedType(16, 6), hints)
    m = np.arange(kind.min_mantissa, kind.max_mantissa + 1, 1 if kind.width <= 16 else 7)
    bound, errors = case.op.bound(case.xs), errors_of(case, m)
    assert errors.max() <= bound + 1e-12
    assert kind.width > 16 or errors.max() >= 0.999 * bound - 1e-12


def errors_of(case, m):
    """Against the function itself, wherever it is defined."""
    exact, bounds = case.exact_mantissas([m[:, None]])
    x = m * case.kinds[0].step
    want = case.op.evaluate_float(x)
    return np.abs(exact[:, 0].astype(float) * 2.0**-bounds.fraction - want)[defined_float(SPLITS[case.op.function].domain, x)]


@settings(max_examples=150, deadline=None)
@given(
    function=st.sampled_from(Function),
    kind=types((1, 11), (-6, 9)),
    table=st.none() | types((2, 30), (-3, 8)),
    size=st.none() | st.integers(1, 9).map(lambda bits: 1 << bits),
    result=st.none() | types((2, 16), (-2, 8)),
    alpha=st.sampled_from([1.0, 0.3, 5.5]),
)
def test_printed_bounds_are_true_and_close(function, kind, table, size, result, alpha):
    """The note of any table is not below the largest error, nor above it by more than its two digits."""
    named = {"table": table} if table else {}
    hints = Hints(given=named, table_size=size or TABLED[function], noise=2.0**-8, operand_rms=(1.0,), result=result)
    case = Case(Table(function, alpha), [kind], [(1,)], FixedType(16, 6), hints)
    errors = errors_of(case, np.arange(kind.min_mantissa, kind.max_mantissa + 1))
    errors = errors[np.isfinite(errors)]
    printed = float(case.op.notes(case.xs, hints)[0].split()[1])
    assert errors.max(initial=0.0) <= printed * (1 + 1e-9)
    # Where nothing is off, the bound keeps what float64 may have lost beside the largest value.
    assert printed <= 1.11 * errors.max(initial=0.0) + 1e-9


WIDE = [FixedType(40, 20), FixedType(48, 24), FixedType(63, 32), FixedType(65, 8), FixedType(128, 64)]


@pytest.mark.parametrize("kind", WIDE, ids=str)
@pytest.mark.parametrize(
    "function",
    [
        Function.TANH,
        Function.SIGMOID,
        Function.ERF,
        Function.GELU,
        Function.SILU,
        Function.MISH,
        Function.ELU,
        Function.SOFTPLUS,
    ],
)
def test_a_wide_operand_needs_no_better_table(function, kind):
    """Where the function is not constant, the table is as good as that of a narrow operand."""
    hints = Hints(noise=2.0**-10, operand_rms=(1.0,))
    narrow = Case(Table(function), [FixedType(20, 5)], [(1,)], FixedType(18, 6), hints)
    wide = Case(Table(function), [kind], [(1,)], FixedType(18, 6), hints)
    assert wide.op.bound(wide.xs) <= 2.1 * narrow.op.bound(narrow.xs) < 0.02


@pytest.mark.parametrize("function", Function)
@settings(max_examples=10, deadline=None)
@given(
    kind=types((20, 128), (-20, 128)),
    result=types((2, 128), (-2, 64)),
    table=st.none() | types((2, 64), (-1, 60)),
    size=st.sampled_from([None, 16, 64]),
    noise=st.sampled_from([2.0**-5, 2.0**-20]),
)
def test_operands_of_up_to_128_bits(function, kind, result, table, size, noise):
    hints = Hints(given={"table": table} if table else {}, table_size=size, noise=noise, result=result if size else None)
    case = Case(Table(function, 1.5), [kind], [(2,)], result, hints)
    inputs = case.draw(np.random.default_rng(0), 5)
    case.check(inputs, each(slow_of))
    x = inputs[0].astype(float) * kind.step
    exact, bounds = case.exact_mantissas(inputs)
    off = np.abs(exact.astype(float) * 2.0**-bounds.fraction - case.op.evaluate_float(x))
    off[~defined_float(SPLITS[function].domain, x) | (np.abs(x) < 2.0**-60) | (x > 700)] = 0
    assert np.all(off <= case.op.bound(case.xs) * (1 + 1e-9) + np.abs(x) * 1e-15 + 1e-12)


@pytest.mark.parametrize("result", [FixedType(32, 8), FixedType(32, 10), FixedType(28, 8), FixedType(40, 12)], ids=str)
def test_a_wide_result_takes_no_integer_bits_from_exp(result):
    hints = Hints(noise=2.0**-12, operand_rms=(1.0,), result=result)
    case = Case(Table(Function.EXP), [result], [(1,)], result, hints)
    for x, want in ((3.4, 29.96), (1.0, np.e), (-2.0, np.exp(-2))):
        y = case.emulate([np.array([[round(x / result.step)]])])[0, 0] * result.step
        assert y == pytest.approx(want, abs=0.3)
    log = OverflowLog()
    Emulator(Graph(tuple(case.nodes()), ("op",))).run([np.array([[9.0]])], lambda *a: None, log=log)
    (found,) = log.overflows()
    assert (found.layer, found.count) == ("op.table", 1)
    note = case.op.notes(case.xs, hints)[0]
    assert f"(inputs from {result.min:.4g} to" in note
    assert case.emulate([np.array([[round(9.0 / result.step)]])])[0, 0] * result.step == pytest.approx(result.max, rel=1e-3)


def test_what_is_beyond_all_floats_is_as_far_as_anything():
    with np.errstate(all="raise"):
        found = unsaturated(Function.EXP, 1.0, np.array([709.0]), 0, FixedType(40, 2))
    assert found.tolist() == [2.0**100]


def test_values_that_fit_raise_no_overflow():
    kind = FixedType(16, 6)
    case = Case(Table(Function.EXP), [kind], [(1,)], kind, Hints(noise=2.0**-12, operand_rms=(1.0,), result=kind))
    log = OverflowLog()
    Emulator(Graph(tuple(case.nodes()), ("op",))).run([np.linspace(-32, 3.4, 99)[:, None]], lambda *a: None, log=log)
    assert not log.overflows()


def test_a_table_that_misses_its_target_says_which_size_meets_it():
    kind = FixedType(16, 6)
    hints = Hints(noise=2.0**-11, operand_rms=(1.0,))
    note = Case(Table(Function.SIN), [kind], [(1,)], kind, hints)
    assert len(note.op.notes(note.xs, hints)) == 1
    (missed,) = note.op.warnings(note.xs, hints)
    assert "misses TargetSQNR by 1" in missed
    size = int(missed.split("TableSize: ")[1].split()[0])
    larger = Case(Table(Function.SIN), [kind], [(1,)], kind, replace(hints, table_size=size))
    m = np.rint(np.random.default_rng(0).normal(size=20000) * 2**10).astype(np.int64)
    assert np.sqrt(np.mean(errors_of(larger, m) ** 2)) <= 1.12 * hints.noise
    assert not larger.op.warnings(note.xs, replace(hints, table_size=size))
    tanh = Case(Table(Function.TANH), [kind], [(1,)], kind, hints).op
    assert (len(tanh.notes(note.xs, hints)), tanh.warnings(note.xs, hints)) == (1, [])


@pytest.mark.parametrize("function", [Function.EXP, Function.SIN, Function.COS])
def test_the_default_table_keeps_40_db_or_a_warning_says_what_does(function):
    """Of an input without data, ``ap_fixed<16,6>``: what 4,096 entries hold, and what the setting of the warning gives."""
    builder = Builder()
    graph = builder.build([builder.add("y", Table(function), [builder.add("x", Input((8,)))])])
    x = np.rint(np.random.default_rng(1).normal(size=(2000, 8)) * 1024) / 1024

    def decibels(design):
        exact = design.predict_float(x)
        return 10 * np.log10(np.mean(exact**2) / np.mean((design.predict(x) - exact) ** 2))

    design = nn2hls.convert(graph)
    assert decibels(design) >= 40
    (warned,) = [text for text in design.warnings if text.startswith("y: its table of 4096 entries misses TargetSQNR by ")]
    size = int(warned.split("TableSize: ")[1].split()[0])
    mended = nn2hls.convert(graph, {"Model": {}, "LayerName": {"y": {"TableSize": size}}})
    assert decibels(mended) >= 58
    assert not [text for text in mended.warnings if "misses" in text]


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


@pytest.mark.long
def test_compiled_equals_emulated():
    rng = np.random.default_rng(3)
    cases = []
    for function in Function:
        for size in (None, 32):
            hints = Hints(table_size=size, noise=2.0**-5, operand_rms=(1.0,))
            cases.append(Case(Table(function, 0.7), [random_type(rng)], [(2, 2)], random_type(rng), hints))
        for kind in (random_type(rng, (64, 129)), random_type(rng, (24, 64))):
            hints = Hints(
                given={"table": random_type(rng, (40, 65))} if len(cases) % 2 else {}, noise=2.0**-5, operand_rms=(1.0,)
            )
            cases.append(Case(Table(function, 0.7), [kind], [(2,)], random_type(rng, (1, 64)), hints))
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
    for alpha in (np.nan, np.inf):
        with pytest.raises(ModelError, match="layer: Its alpha is"):
            Table(Function.ELU, alpha).infer([(1,)], "layer")
        with pytest.raises(ModelError, match="layer: Its slope is"):
            LeakyRelu(Const(np.array([0.3, alpha, 1.0]))).infer([(3,)], "layer")
        with pytest.raises(ModelError, match="layer: Its slope is"):
            HardSigmoid(alpha, 0.5).infer([(3,)], "layer")
    with pytest.raises(ModelError, match="layer: Its low is nan"):
        Clip(np.nan, 1.0).infer([(3,)], "layer")
    assert Clip(-np.inf, 1.0).infer([(3,)], "layer") == (3,)
    for hints, what in (
        (Hints(table_size=2**37), "beyond the limit of 1048576"),
        (Hints(given={"table": FixedType(65, 8)}), "an entry of at most 64 bits"),
    ):
        with pytest.raises(TypeResolutionError, match=what):
            Case(Table(Function.TANH), [kind], [(1,)], kind, hints)
    with pytest.raises(TypeResolutionError, match="integer bits"):
        Case(Table(Function.TANH), [FixedType(900, 800)], [(1,)], kind)


def test_schedule_counts_a_dual_ported_table_for_two_lookups():
    """hls4ml's sigmoid on 64 outputs: 32 block RAMs (shared/estimation.md, rule 8)."""
    kind = FixedType(16, 6)
    case = Case(Table(Function.SIGMOID), [kind], [(64,)], kind, Hints(table_size=1024, result=kind))
    schedule = case.op.schedule(case.xs, kind)
    (memory,) = schedule.memories
    assert (memory.words, memory.copies) == (1024, 32)
    # The address: rounded, and clamped at both ends.
    assert {o.kind for o in schedule.operators} == {Kind.ADD, Kind.COMPARE, Kind.SELECT, Kind.ROM}


def test_no_noise_misses_nothing_in_results_of_any_step():
    """The least noise over a step of 2**78 is no float64."""
    hints = [Hints(result=FixedType(9, integer)) for integer in (87, 9, -200)]
    found = [above(0.0, h) for h in hints]
    assert found == sorted(found)
    assert found[-1] < -4000
    assert above(2.0**10, hints[1]) == pytest.approx(20 * np.log10(2.0**10 * 12**0.5))
