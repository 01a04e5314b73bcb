"""Dense: values against its slow evaluation, bounds, hardware and limits."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.arith.ranges import Range
from nn2hls.errors import LimitError
from nn2hls.graph.const import Const
from nn2hls.graph.op import Hints
from nn2hls.hardware.schedule import Kind
from nn2hls.ops import Dense
from nn2hls.ops.products.affine import Strategy
from nn2hls.ops.products.reused import MAX_ARRAY, MAX_ORDERED, MAX_PRODUCTS
from tests.kit.networks import draw_type
from tests.slow.dense import constant_slow, dense_slow

SIXTEEN = FixedType.parse("ap_fixed<16,6>")


def ignore(what, values, fraction, kind):
    """A watch that looks away."""


def draw_dense(rng, accum=False, most=18):
    n_in, n_out = (int(n) for n in rng.integers(1, 7, size=2))
    weight = rng.normal(size=(n_in, n_out)) * 2.0 ** rng.integers(-3, 4) * (rng.random((n_in, n_out)) < 0.7)
    bias = rng.normal(size=n_out) * (rng.random() < 0.8)
    x_t, given = draw_type(rng, most), {"weight": draw_type(rng, most), "bias": draw_type(rng, most)}
    if accum:
        given["accum"] = draw_type(rng, 24)
    x = Range.of_type(x_t)
    return Dense(Const(weight), Const(bias)).resolve([x], Hints(given=given)), x, x_t, weight


def mantissas(rng, kind, size):
    return rng.integers(kind.min_mantissa, kind.max_mantissa, size=size, endpoint=True)


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=150)
def test_values_equal_the_slow_evaluation(seed, accum):
    rng = np.random.default_rng(seed)
    op, x, x_t, _ = draw_dense(rng, accum)
    result_t = draw_type(rng)
    events = mantissas(rng, x_t, (5, op.weight.shape[0]))
    exact = op.kernel([x])([events.astype(np.float64)], ignore)
    fast = cast_to(np.asarray(exact).astype(np.int64).astype(object), op.exact([x]).fraction, result_t)
    named = op.accum_t if accum else None
    for row, event in zip(fast, events, strict=True):
        slow = dense_slow(event, x_t, op.weight.array, op.weight_t, op.bias.array, op.bias_t, result_t, named)
        assert list(row) == list(slow)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=100)
def test_exact_results_and_accumulators_stay_in_their_bounds(seed):
    rng = np.random.default_rng(seed)
    op, x, x_t, _ = draw_dense(rng)
    ends = np.array([x_t.min_mantissa, x_t.max_mantissa])
    events = rng.choice(ends, size=(64, op.weight.shape[0]))
    y = op.kernel([x])([events.astype(np.float64)], ignore).astype(np.int64).astype(object)
    bounds = op.exact([x])
    assert np.all((y >= bounds.lo) & (y <= bounds.hi))
    # The bounds are reached: the corner that the sign of each weight picks.
    best = np.where(op.weight.array > 0, ends[1], ends[0]).T
    top = op.kernel([x])([best.astype(np.float64)], ignore).astype(np.int64)
    assert np.array_equal(np.diagonal(top).astype(object), np.broadcast_to(bounds.hi, top.shape[1:]))
    assert op.accum_t.min_mantissa <= bounds.low
    assert bounds.high <= op.accum_t.max_mantissa
    assert not op.narrowed([x])


def test_constants_are_rounded_half_to_even_and_saturated():
    kind = FixedType.parse("ap_fixed<4,2,AP_TRN,AP_WRAP>")
    values = np.array([[0.125, 0.375, -0.125, 0.13, 9.0, -9.0]])
    op = Dense(Const(values), Const(np.zeros(6))).resolve([Range.of_type(SIXTEEN)], Hints(given={"weight": kind}))
    assert list(op.weight.array[0]) == [constant_slow(v, kind) for v in values[0]] == [0, 2, 0, 1, 7, -8]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(Strategy), st.sampled_from([None, 0, 2]))
@settings(deadline=None, max_examples=150)
def test_hardware_computes_the_layer(seed, reuse, strategy, most_digits):
    rng = np.random.default_rng(seed)
    op, x, x_t, _ = draw_dense(rng)
    op, result_t = op.replace(reuse=reuse, strategy=strategy), draw_type(rng)
    events = mantissas(rng, x_t, (4, op.weight.shape[0]))
    hardware = op.hardware([x.broadcast(events.shape[1:])], result_t, most_digits)
    for row, event in zip(hardware.run([events]), events, strict=True):
        assert list(row) == list(dense_slow(event, x_t, op.weight.array, op.weight_t, op.bias.array, op.bias_t, result_t))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
@settings(deadline=None, max_examples=100)
def test_multipliers_take_turns_on_the_products_that_are_not_zero(seed, reuse):
    op, x, _, _ = draw_dense(np.random.default_rng(seed))
    nnz = int(np.count_nonzero(op.weight.array))
    hardware = op.replace(reuse=reuse).hardware([x.broadcast(op.weight.shape[:1])], SIXTEEN)
    if not nnz:
        assert not any(loop.ii for loop in hardware.loops)  # nothing but biases
        return
    step = hardware.loops[0]
    assert step.lanes == -(-nnz // reuse)
    assert step.steps <= reuse
    assert np.count_nonzero(step.constants[1]) == nnz  # zeros are padding alone


def test_reuse_one_of_a_large_layer_is_refused_with_a_factor_that_works():
    side = int(MAX_PRODUCTS**0.5) + 1
    x = Range.of_type(SIXTEEN).broadcast((side,))
    op = Dense(Const(np.ones((side, side))), Const(np.zeros(side))).resolve([x], Hints())
    with pytest.raises(LimitError, match=r"ReuseFactor: (\d+)") as error:
        op.hardware([x], SIXTEEN)
    works = int(str(error.value).split("ReuseFactor: ")[1].split()[0])
    assert op.replace(reuse=works).hardware([x], SIXTEEN).loops[0].lanes <= MAX_ARRAY


def test_equal_products_of_an_input_share_a_multiplier_and_cheap_weights_need_none():
    weight = np.array([[0.6875, 0.6875, 0.5, 0.625, 0.0]])  # 11 twice, 8 = one digit, 10 = two digits, a zero (in sixteenths)
    x = Range.of_type(SIXTEEN).broadcast((1,))
    op = Dense(Const(weight), Const(np.zeros(5))).resolve([x], Hints(given={"weight": SIXTEEN}))
    counts = {o.kind: o.count for o in op.schedule([x], SIXTEEN, 2).operators}
    assert counts == {Kind.MUL_CONST: 1, Kind.ADD: 1}


def test_no_automatic_accumulator_exceeds_53_bits():
    wide = FixedType(40, 8, True)
    rng = np.random.default_rng(1)
    x = Range.of_type(wide)
    op = Dense(Const(rng.normal(size=(500, 4))), Const(rng.normal(size=4))).resolve([x], Hints(noise=1e-9))
    assert op.accum_t.width <= 53


@pytest.mark.parametrize(
    "accum", ["ap_fixed<30,-20,AP_RND_CONV,AP_SAT_SYM>", "ap_fixed<8,200>", "ap_ufixed<12,60,AP_RND,AP_SAT>"]
)
def test_an_accumulator_far_from_its_products_is_exact(accum):
    accum_t, x_t, result = FixedType.parse(accum), FixedType.parse("ap_fixed<40,20>"), FixedType.parse("ap_fixed<60,30>")
    rng = np.random.default_rng(0)
    given = {"weight": x_t, "bias": x_t, "accum": accum_t}
    x = Range.of_type(x_t).broadcast((4,))
    op = Dense(Const(rng.normal(size=(4, 3))), Const(rng.normal(size=3))).resolve([x], Hints(given=given))
    events = rng.integers(x_t.min_mantissa, x_t.max_mantissa, size=(20, 4))
    y = op.kernel([x])([events], ignore).tolist()
    for row, event in zip(y, events, strict=True):
        slow = dense_slow(event, x_t, op.weight.array, op.weight_t, op.bias.array, op.bias_t, result, accum_t)
        assert [cast_to(v, accum_t.fraction, result) for v in row] == list(slow)


def test_a_narrowed_accumulator_of_inputs_that_are_zero_is_the_bias():
    """Weights beyond int64 have products that are not."""
    given = {"weight": FixedType(100, 4), "accum": FixedType(8, 6)}
    zero = Range(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64), -90)
    op = Dense(Const(np.full((3, 2), 1.3)), Const(np.array([0.5, -0.25]))).resolve([zero], Hints(given=given))
    (found,) = op.kernel([zero])([np.zeros((1, 3), dtype=np.float32)], lambda *_: None)
    assert found.tolist() == [0.5 * 2**2, -0.25 * 2**2]


def test_a_narrowed_accumulator_is_costed_as_the_chain_it_is():
    rng = np.random.default_rng(0)
    x = Range.of_type(SIXTEEN).broadcast((9,))
    accum = FixedType.parse("ap_fixed<20,8,AP_RND_CONV,AP_SAT>")
    given = {"weight": SIXTEEN, "bias": SIXTEEN, "accum": accum}
    op = Dense(Const(rng.normal(size=(9, 4))), Const(rng.normal(size=4))).resolve([x], Hints(given=given))
    schedule = op.schedule([x], SIXTEEN, 2)
    additions = [o for o in schedule.path if o.kind is Kind.ADD]
    assert len(additions) >= 9  # one after the other, where a tree has four levels
    clamps = sum(o.count for o in schedule.operators if o.kind is Kind.SELECT)
    assert clamps == clamped_ends(op, SIXTEEN, accum)


def clamped_ends(op, x_t, accum):
    """How many ends of ``accum`` the sums can reach, addition by addition, on fractions; the cast to <16,6> wraps."""
    count = 0
    lo, hi = (Fraction(m) * Fraction(t.step) for t in (accum,) for m in (t.min_mantissa, t.max_mantissa))
    ends = [Fraction(m) * Fraction(x_t.step) for m in (x_t.min_mantissa, x_t.max_mantissa)]
    for column, bias in zip(op.weight.array.T, op.bias.array, strict=True):
        low = high = cast_to(int(bias), op.bias_t.fraction, accum) * Fraction(accum.step)
        for w in column[column != 0]:
            products = [Fraction(int(w)) * Fraction(op.weight_t.step) * e for e in ends]
            low, high = low + min(products), high + max(products)
            half = Fraction(accum.step) / 2
            count += (high > hi + half) + (low < lo - half)
            low, high = max(low, lo), min(high, hi)
    return count


def test_more_products_in_order_than_a_function_holds_are_refused():
    n_in = MAX_ORDERED + 1
    x = Range.of_type(FixedType.parse("ap_fixed<4,2>")).broadcast((n_in,))
    given = {"accum": FixedType.parse("ap_fixed<6,4,AP_RND,AP_SAT>")}
    op = Dense(Const(np.ones((n_in, 1))), Const(np.zeros(1))).resolve([x], Hints(given=given))
    with pytest.raises(LimitError, match=r"One of its neurons adds 4,097 products in order"):
        op.hardware([x], SIXTEEN)
