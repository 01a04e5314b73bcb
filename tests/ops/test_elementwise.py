"""Element-wise arithmetic, Scale and shape ops: emulator == Fraction evaluation == compiled C++."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.estimate.estimate import estimate
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.hardware.schedule import Kind
from nn2hls.ops import Concatenate, Elementwise, Merge, Reshape, Scale, Transpose
from nn2hls.targets import find_part
from tests.kit.op_cases import SHAPES
from tests.kit.witness import Case, compiled_equals_emulated, random_type, types
from tests.slow import elementwise as slow

NOISE = Hints(noise=2.0**-9)


def elementwise_slow(shape):
    return lambda op, xs: slow.elementwise(op, xs, shape)


@pytest.mark.parametrize("merge", Merge)
@settings(max_examples=30, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99))
def test_merges(merge, data, seed):
    shapes = list(data.draw(st.sampled_from(SHAPES)))
    if merge is not Merge.SUB:
        shapes += shapes[:1] * data.draw(st.integers(0, 3))
    kinds = [data.draw(types((1, 14), (-3, 12))) for _ in shapes]
    case = Case(Elementwise(merge), kinds, shapes, data.draw(types()), NOISE)
    case.check(case.draw(np.random.default_rng(seed), 2), elementwise_slow(case.shape))


@pytest.mark.parametrize("merge", Merge)
@settings(max_examples=6, deadline=None)
@given(kinds=st.lists(types((25, 45), (-3, 40)), min_size=2, max_size=2), result=types((20, 60), (-3, 40)))
def test_wide_merges_are_exact(merge, kinds, result):
    case = Case(Elementwise(merge), kinds, [(3,), (3,)], result, NOISE)
    case.check(case.draw(np.random.default_rng(0), 3), elementwise_slow((3,)))


@pytest.mark.parametrize("merge", Merge)
def test_merge_ranges_are_tight(merge):
    kinds = [FixedType(4, 2), FixedType(3, 2, False)]
    case = Case(Elementwise(merge), kinds, [(1,), (1,)], FixedType(8, 4), NOISE)
    a, b = np.meshgrid(np.arange(-8, 8), np.arange(8))
    exact, bounds = case.exact_mantissas([a.reshape(-1, 1), b.reshape(-1, 1)])
    assert (exact.min(), exact.max()) == (bounds.low, bounds.high)


@settings(max_examples=40, deadline=None)
@given(kind=types(), result=types(), weight=st.none() | types((1, 12), (-2, 6)), seed=st.integers(0, 99))
def test_scale(kind, result, weight, seed):
    rng = np.random.default_rng(seed)
    shape = [(), (3,), (2, 1), (2, 3)][seed % 4]
    op = Scale(Const(rng.normal(size=shape)), Const(rng.normal(size=(3,)) * (seed % 3 > 0)))
    hints = Hints(given={} if weight is None else {"weight": weight}, noise=2.0**-9)
    case = Case(op, [kind], [(2, 3)], result, hints)
    case.check(case.draw(rng, 3), lambda op, xs: slow.scale(op, xs[0]))


def test_scale_of_a_single_number_beyond_int64():
    kind = FixedType(90, 40)
    op = Scale(Const(np.array(0.7)), Const(np.array(0.1)))
    case = Case(op, [FixedType(30, 10)], [()], FixedType(60, 20), Hints(given={"weight": kind, "bias": kind}))
    case.check(case.draw(np.random.default_rng(0), 3), lambda op, xs: slow.scale(op, xs[0]))


@settings(max_examples=40, deadline=None)
@given(kinds=st.lists(types(), min_size=1, max_size=5), axis=st.integers(0, 1), result=types(), seed=st.integers(0, 99))
def test_concatenate(kinds, axis, result, seed):
    shapes = [(2, k + 1) if axis else (k + 1, 2) for k in range(len(kinds))]
    case = Case(Concatenate(axis), kinds, shapes, result)
    case.check(case.draw(np.random.default_rng(seed), 2), lambda op, xs: np.concatenate(xs, axis=axis))


@settings(max_examples=20, deadline=None)
@given(kind=types(), result=types(), axes=st.permutations(range(3)))
def test_shapes(kind, result, axes):
    moved = Case(Transpose(tuple(axes)), [kind], [(2, 3, 4)], result)
    moved.check(moved.draw(np.random.default_rng(0), 2), lambda op, xs: np.transpose(xs[0], axes))
    flat = Case(Reshape((4, 6)), [kind], [(2, 3, 4)], result)
    flat.check(flat.draw(np.random.default_rng(0), 2), lambda op, xs: xs[0].reshape(4, 6))


def test_compiled_equals_emulated():
    rng = np.random.default_rng(8)
    cases = []
    for merge in Merge:
        for shapes in SHAPES:
            more = shapes if merge is Merge.SUB else shapes + shapes[1:] * int(rng.integers(3))
            kinds = [random_type(rng, (1, 14)) for _ in more]
            cases.append(Case(Elementwise(merge), kinds, more, random_type(rng), NOISE))
    for shape in [(), (2,), (3, 1), (2, 3, 2), (1, 3, 1), (2, 1, 2)]:
        op = Scale(Const(rng.normal(size=shape)), Const(rng.normal(size=(3, 1))))
        cases.append(Case(op, [random_type(rng)], [(2, 3, 2)], random_type(rng), NOISE))
    for axis in (0, 1):
        for count in (1, 2, 12):
            kinds = [random_type(rng) for _ in range(count)]
            cases.append(
                Case(Concatenate(axis), kinds, [(2, k % 3 + 1)[:: 1 if axis else -1] for k in range(count)], random_type(rng))
            )
    cases += [Case(Transpose(axes), [random_type(rng)], [(2, 3, 4)], random_type(rng)) for axes in [(2, 0, 1), (1, 0, 2)]]
    cases += [Case(Reshape((6, 4)), [random_type(rng)], [(2, 3, 4)], random_type(rng)) for _ in range(2)]
    compiled_equals_emulated(cases, events=20)


def test_demand_follows_the_values():
    needed = np.array([[True, False], [False, False], [False, True]])
    assert [d.tolist() for d in Concatenate(0).demand(needed, [(1, 2), (2, 2)])] == [
        [[True, False]],
        [[False, False], [False, True]],
    ]
    assert Transpose((1, 0)).demand(needed, [(2, 3)])[0].tolist() == needed.T.tolist()
    assert Reshape((3, 2)).demand(needed, [(6,)])[0].tolist() == needed.ravel().tolist()
    assert Elementwise(Merge.ADD).demand(needed, [(3, 2), (2,)])[1].tolist() == [True, True]


def test_shapes_of_any_spread_and_any_number_of_operands_compile():
    kind = FixedType(4, 2)
    many = Case(Concatenate(0), [kind] * 65, [(1,)] * 65, kind)
    spread = Case(Elementwise(Merge.ADD), [kind] * 2, [(2, 1, 2, 1, 2), (2, 2, 2, 2, 2)], kind)
    compiled_equals_emulated([many, spread])


def test_schedules_name_what_is_built():
    kind = FixedType(16, 6)
    add = Case(Elementwise(Merge.ADD), [kind] * 4, [(5,)] * 4, FixedType(18, 8))
    schedule = add.op.schedule(add.xs, add.result)
    assert [(o.kind, o.widths, o.count) for o in schedule.operators] == [(Kind.ADD, (17,), 10), (Kind.ADD, (18,), 5)]
    assert len(schedule.path) == 2  # a tree of two levels
    scale = Case(Scale(Const(np.array([1.0, 0.5, 0.3])), Const(np.zeros(3))), [kind], [(3,)], kind, NOISE)
    schedule = scale.op.schedule(scale.xs, kind, 2)
    assert [o.kind for o in schedule.operators] == [Kind.MUL_CONST]  # 1 and 0.5 are wires


def bits(values):
    """Of the narrowest integer that holds all values."""
    return max(1, max(max(v, -v - 1).bit_length() for v in values) + (min(values) < 0))


def total(merge, ends):
    """The ends of operands with these ends, merged."""
    found = ends[0]
    for other in ends[1:]:
        both = {
            Merge.MUL: [u * v for u in found for v in other],
            Merge.SUB: [found[0] - other[1], found[1] - other[0]],
            Merge.MAX: [max(found[0], other[0]), max(found[1], other[1])],
            Merge.MIN: [min(found[0], other[0]), min(found[1], other[1])],
        }.get(merge, [found[0] + other[0], found[1] + other[1]])
        found = [min(both), max(both)]
    return found


MERGES = {Merge.MUL: Kind.MUL, Merge.MAX: Kind.COMPARE, Merge.MIN: Kind.COMPARE}


@pytest.mark.parametrize("merge", Merge)
@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(types((2, 20), (-3, 20)), min_size=2, max_size=7))
def test_each_merge_is_as_wide_as_its_own_values(merge, kinds):
    """One operator joins two operands, in a tree; none is wider than the values that reach it."""
    kinds = kinds[:2] if merge is Merge.SUB else kinds
    case = Case(Elementwise(merge), kinds, [(3,)] * len(kinds), FixedType(80, 40), NOISE)
    most = max(k.fraction for k in kinds)
    ups = [0 if merge is Merge.MUL else most - k.fraction for k in kinds]
    ends = [[k.min_mantissa << u, k.max_mantissa << u] for k, u in zip(kinds, ups, strict=True)]
    schedule = case.op.schedule(case.xs, case.result, 2)
    kind = MERGES.get(merge, Kind.ADD)
    operators = [o for o in schedule.operators if o.kind is kind]
    factor = merge is Merge.AVERAGE and any(o.kind is Kind.MUL_CONST for o in schedule.operators)
    joins = sum(o.count for o in operators) // 3
    if merge in (Merge.MAX, Merge.MIN):  # a sign bit is compared by nobody, and what is never larger is not compared
        assert joins <= len(kinds) - 1
    elif merge is not Merge.AVERAGE or factor:
        assert joins == len(kinds) - 1
    widest = max(max(o.widths) if kind is not Kind.MUL else sum(o.widths) for o in operators) if operators else 0
    found = bits(total(merge, ends))
    if kind is Kind.ADD and (merge is not Merge.AVERAGE or factor):
        assert widest == found
    if kind is Kind.MUL:  # a product has at most as many bits as both factors
        assert found <= widest <= found + 1 + len(kinds)
    depth = sum(o.kind is kind for o in schedule.path)
    assert depth <= joins
    if kind is Kind.MUL:
        assert depth == (len(kinds) - 1).bit_length()


@pytest.mark.parametrize(("merge", "dsp"), [(Merge.AVERAGE, 1), (Merge.MUL, 3)])
def test_three_operands_of_16_bits_take_the_multipliers_that_fit(merge, dsp):
    case = Case(Elementwise(merge), [FixedType(16, 6)] * 3, [(1,)] * 3, FixedType(16, 6), NOISE)
    found = estimate([("merge", case.op.schedule(case.xs, case.result, 2))], find_part("xcu50"), 5.0)
    assert found.dsp == dsp
