"""A type for each element: the cast in floats and in integers, the reference, the bits that are proved to be zero."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import Range, carrier, ints
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Elementwise, MatMul, Merge, QuantizeEach, Scale
from tests.kit.witness import types
from tests.slow.activation import quantize_each


@st.composite
def each(draw, widths=(0, 12)):
    """(op, shape) with types of up to so many bits."""
    shape = draw(st.sampled_from([(3,), (2, 3), (1,)]))
    arrays = [
        np.array(draw(st.lists(st.integers(*ends), min_size=shape[-1], max_size=shape[-1])))
        for ends in (widths, (-3, 8), (0, 1))
    ]
    modes = draw(st.sampled_from(Rounding)), draw(st.sampled_from(Overflow))
    return QuantizeEach(*map(Const, arrays), *modes), shape


def slow(op, x):
    """Of one event, fractions."""
    constants = [np.broadcast_to(getattr(op, name).array, x.shape).ravel() for name in op.per_channel]
    return [quantize_each(op, v, *map(int, own)) for v, *own in zip(x.ravel(), *constants, strict=True)]


@settings(max_examples=150, deadline=None)
@given(each(), types((1, 16), (-3, 12)), st.integers(0, 2**32 - 1))
def test_mantissas_are_cast_each_to_its_own_type(case, kind, seed):
    check(case, kind, seed)


@settings(max_examples=30, deadline=None)
@given(each((0, 62)), types((1, 40), (-70, 70)), st.integers(0, 2**32 - 1))
def test_however_wide_they_are(case, kind, seed):
    check(case, kind, seed)


# Elements (width, integer bits, sign): the constant zero beside one with fine steps; steps above all values.
NOTHING, COARSE = [(0, -2, 0), (0, 3, 1), (6, 1, 1)], [(1, 9, 1), (3, 12, 0), (6, 1, 1)]


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("elements", [NOTHING, COARSE], ids=["nothing", "coarse"])
def test_operands_that_take_all_bits_of_the_floats(elements, rounding, overflow):
    """Where half a bit is lost first."""
    op = QuantizeEach(*map(Const, np.transpose(elements)), rounding, overflow)
    for width in (20, 22, 23, 24, 26, 50, 52):
        x = Range.of_type(FixedType(width, 2)).broadcast((3,))
        top = 1 << width - 1
        values = np.array([-top, -top + 1, -3, -1, 0, 1, 2, top // 2, top - 1])
        found = op.kernel([x])([np.tile(values[:, None], 3).astype(carrier(x.bound))], None)
        want = [slow(op, np.array([Fraction(int(v), 1 << width - 2)] * 3, dtype=object)) for v in values]
        scale = Fraction(2) ** -op.exact([x]).fraction
        assert [[int(v) * scale for v in row] for row in found] == want, width


def check(case, kind, seed):
    op, shape = case
    rng = np.random.default_rng(seed)
    x = Range.of_type(kind).broadcast(shape)
    mantissas = rng.integers(kind.min_mantissa, kind.max_mantissa, (7, *shape), endpoint=True)
    mantissas[0], mantissas[1] = kind.min_mantissa, kind.max_mantissa
    given_as = carrier(x.bound)
    found = op.kernel([x])([mantissas.astype(given_as)], None)
    if found.dtype.kind == "f":
        assert not np.signbit(found[found == 0]).any()
    whole = ints(found if found.dtype == object else found.astype(np.int64))
    exact = op.exact([x])
    values = [[Fraction(int(m)) / Fraction(2) ** kind.fraction for m in row.ravel()] for row in mantissas]
    for row, event in zip(whole, values, strict=True):
        want = slow(op, np.array(event, dtype=object).reshape(shape))
        assert [Fraction(m) / Fraction(2) ** exact.fraction for m in row.ravel()] == want
    assert np.all((whole >= exact.lo) & (whole <= exact.hi))
    zeros = np.zeros(shape, int) if exact.zeros is None else exact.zeros
    assert np.all(whole % (2 ** ints(zeros)) == 0)


@settings(max_examples=60, deadline=None)
@given(each(), st.lists(st.integers(-(2**12), 2**12), min_size=1, max_size=4))
def test_the_reference_rounds_as_the_cast(case, quarters):
    op, shape = case
    x = np.array(quarters)[:, None] / 64 * np.ones(int(np.prod(shape)))
    x = x.reshape(len(quarters), *shape)
    want = [slow(op, np.array([Fraction(v) for v in row.ravel()], dtype=object).reshape(shape)) for row in x]
    assert op.evaluate_float(x).reshape(len(x), -1).tolist() == [[float(v) for v in row] for row in want]


def test_what_has_no_bits_is_an_array_of_its_own():
    """A ReLU behind it, which overwrites what it reads."""
    op = QuantizeEach(*(Const(np.array(v)) for v in ([0, 0], [1, 2], [0, 1])), Rounding.RND, Overflow.SAT)
    x = Range.of_type(FixedType(6, 3, True)).broadcast((2,))
    found = op.kernel([x])([np.arange(-4.0, 4).reshape(4, 2)], None)
    assert found.flags.writeable
    assert not np.asarray(found).any()


def test_long_and_short_rows_are_alike():
    """Events are cast side by side in rows; the last ones are fewer."""
    op = QuantizeEach(Const([0, 3, 5]), Const([0, 2, 1]), Const([1, 0, 1]), Rounding.RND, Overflow.SAT)
    kind = FixedType(10, 5)
    x = Range.of_type(kind).broadcast((3,))
    mantissas = np.random.default_rng(3).integers(-512, 512, (5000, 3)).astype(np.float32)
    kernel = op.kernel([x])
    one_by_one = np.concatenate([kernel([m[None]], None) for m in mantissas[-700:]])
    assert np.array_equal(kernel([mantissas], None)[-700:], one_by_one)


@pytest.mark.parametrize("rounding", [Rounding.TRN, Rounding.RND])
@pytest.mark.parametrize("overflow", [Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM])
def test_the_type_as_which_a_value_enters_changes_no_result(rounding, overflow):
    """An input whose reader casts each element enters as a type that the reader cannot tell from the real number."""
    op = QuantizeEach(Const([0, 3, 5, 4]), Const([0, 4, 1, -1]), Const([1, 0, 1, 0]), rounding, overflow)
    near = np.random.default_rng(4).normal(size=(400, 4)) * 4
    x = np.concatenate([near, np.round(near * 64) / 64])
    entered = op.enters_as
    floor = QuantizeEach(*map(Const, (entered.width, entered.integer, int(entered.signed))), Rounding.TRN, overflow)
    assert floor.grid.hull == entered
    assert np.array_equal(op.evaluate_float(floor.evaluate_float(x)), op.evaluate_float(x))


def test_roundings_that_tell_ties_have_no_such_type():
    op = QuantizeEach(Const([3]), Const([1]), Const([1]), Rounding.RND_CONV, Overflow.SAT)
    assert op.enters_as is None


def test_types_that_do_not_fit_the_tensor_are_refused():
    op = QuantizeEach(Const([3, 3]), Const([1, 1]), Const([1, 1]))
    with pytest.raises(ModelError, match=r"^where: Types of shape \(2,\) do not fit a tensor of \(3,\)"):
        op.infer([(3,)], "where")


def enclosed(value):
    """Bits between the highest and the lowest one of a whole number."""
    return len(bin(abs(int(value)))[2:].strip("0"))


def test_bit_operations_are_products_of_the_bits_that_factors_have():
    """Of HGQ: each product's bits, what enters with those of its type but the sign, weights with those that are theirs."""
    rng = np.random.default_rng(6)
    width, integer, signed = rng.integers(0, 7, 5), rng.integers(-1, 3, 5), rng.integers(0, 2, 5)
    each = QuantizeEach(*map(Const, (width, integer, signed)), Rounding.TRN, Overflow.WRAP)
    x = each.exact([Range.of_type(FixedType(24, 12)).broadcast((3, 5))])
    entering = np.maximum(width - signed, 0)
    weight, bias = rng.integers(-9, 10, (5, 4)), rng.integers(-40, 40, 4)
    kind = FixedType(9, 3)
    dense = Dense(Const(weight), Const(bias), kind, kind, FixedType(40, 20))
    of_products = sum(entering[i] * enclosed(weight[i, j]) for i in range(5) for j in range(4))
    assert dense.bit_operations([x]) == 3 * (of_products + sum(map(enclosed, bias)))
    assert Elementwise(Merge.MUL).bit_operations([x, x]) == 3 * sum(entering**2)
    assert Elementwise(Merge.ADD).bit_operations([x, x]) == 0
    assert MatMul().bit_operations([x, Range(x.lo.T, x.hi.T, x.fraction, x.zeros.T)]) == 9 * sum(entering**2)
    scale = Scale(Const(np.array([3, 0, 1, 6, 5])), Const(np.array([0, 1, 0, 7, 2])))
    assert scale.bit_operations([x]) == 3 * (2 * entering[0] + 2 * entering[3] + 3 * entering[4] + 5)


@pytest.mark.parametrize("rounding", [Rounding.RND, Rounding.RND_ZERO])
@pytest.mark.parametrize("width", [0, 3, 40])
def test_a_result_whose_elements_are_alike_may_be_overwritten(rounding, width):
    """As the ReLU behind it does."""
    op = QuantizeEach(Const(np.array([width, 0])), Const(np.array([1, 0])), Const(np.array([1, 0])), rounding, Overflow.SAT)
    x = Range.of_type(FixedType(8, 4)).broadcast((2,))
    found = op.kernel([x])([np.zeros((3, 2), np.float32)], None)
    found += 1
    assert found.tolist() == [[1, 1]] * 3
