"""Dense: values against its slow evaluation, bounds, plans and limits."""

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
from nn2hls.ops.products.parallel import MAX_BLOCK, MAX_PRODUCTS, ParallelPlan, plan
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


def run_parallel(layout: ParallelPlan, x):
    sums = [int(b) for b in layout.bias]
    for block in layout.blocks:
        values = []
        for t in block.terms:
            if t.kind is Kind.ADD:
                values.append(values[t.left] - values[t.right] if t.minus else values[t.left] + values[t.right])
            elif t.kind is Kind.MUL_CONST:
                values.append(x[t.left] * t.right)
            else:
                values.append(x[t.left] << t.right)
            assert t.lo <= values[-1] <= t.hi
        for piece in block.pieces:
            if piece.term is not None:
                sums[piece.output] += -values[piece.term] if piece.minus else values[piece.term]
    return sums


def run_reused(layout, x):
    part = {}
    for m in range(layout.multipliers):
        total = 0
        for t in range(layout.steps):
            i = layout.index[m, t] if layout.wiring is None else layout.wiring[m, layout.index[m, t]]
            total = (0 if layout.first[m, t] else total) + x[i] * int(layout.weight[m, t])
            part[m, int(layout.segment[m, t])] = total
    f = layout.op.fraction(layout.x) - layout.x.fraction - layout.op.weight_t.fraction
    return [int(b) + (sum(part[k] for k in keys) << f) for b, keys in zip(layout.bias, layout.parts, strict=True)]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@settings(deadline=None, max_examples=150)
def test_plans_compute_the_layer(seed, reuse):
    rng = np.random.default_rng(seed)
    op, x, x_t, _ = draw_dense(rng)
    layout = plan(op.replace(reuse=reuse), x)
    weight, bias, _ = op.aligned(x)
    nnz = int(np.count_nonzero(op.weight.array))
    reused = reuse > 1 and nnz > 0
    run = run_reused if reused else run_parallel
    for event in mantissas(rng, x_t, (4, op.weight.shape[0])).astype(object):
        assert run(layout, event) == [int(v) for v in event @ weight.astype(object) + bias.astype(object)]
    if reused:
        assert layout.multipliers == -(-nnz // reuse)
        assert layout.steps <= reuse
        assert np.count_nonzero(layout.weight) == nnz  # zeros are padding alone


def test_products_of_one_function_stay_within_the_limit():
    rng = np.random.default_rng(0)
    n_in = MAX_BLOCK + 100  # one neuron alone is larger than a function may be
    op = Dense(Const(rng.integers(1, 9, size=(n_in, 3)) / 8), Const(np.ones(3)))
    x = Range.of_type(FixedType.parse("ap_ufixed<2,2>"))
    resolved = op.resolve([x], Hints())
    layout = plan(resolved, x)
    sizes = [len({t.left for t in b.terms if t.kind is not Kind.ADD}) for b in layout.blocks]
    assert max(sizes) <= MAX_BLOCK
    event = rng.integers(0, 4, size=n_in).astype(object)
    weight, bias, _ = resolved.aligned(x)
    assert run_parallel(layout, event) == [int(v) for v in event @ weight.astype(object) + bias.astype(object)]


def test_reuse_one_of_a_large_layer_is_refused_with_a_factor_that_works():
    side = int(MAX_PRODUCTS**0.5) + 1
    op = Dense(Const(np.ones((side, side))), Const(np.zeros(side))).resolve([Range.of_type(SIXTEEN)], Hints())
    with pytest.raises(LimitError, match=r"fc: .*ReuseFactor: (\d+)") as error:
        plan(op, Range.of_type(SIXTEEN), "fc")
    works = int(str(error.value).split("ReuseFactor: ")[1].split()[0])
    assert plan(op.replace(reuse=works), Range.of_type(SIXTEEN)).multipliers <= MAX_BLOCK


def test_equal_products_of_an_input_share_a_multiplier_and_cheap_weights_need_none():
    weight = np.array([[0.6875, 0.6875, 0.5, 0.625, 0.0]])  # 11 twice, 8 = one digit, 10 = two digits, a zero (in sixteenths)
    op = Dense(Const(weight), Const(np.zeros(5))).resolve([Range.of_type(SIXTEEN)], Hints(given={"weight": SIXTEEN}))
    schedule = plan(op, Range.of_type(SIXTEEN)).schedule(SIXTEEN)
    counts = {o.kind: o.count for o in schedule.operators}
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


def test_a_narrowed_accumulator_is_costed_as_the_chain_it_is():
    rng = np.random.default_rng(0)
    x = Range.of_type(SIXTEEN)
    accum = FixedType.parse("ap_fixed<20,8,AP_RND_CONV,AP_SAT>")
    given = {"weight": SIXTEEN, "bias": SIXTEEN, "accum": accum}
    op = Dense(Const(rng.normal(size=(9, 4))), Const(rng.normal(size=4))).resolve([x], Hints(given=given))
    layout = plan(op, x)
    schedule = layout.schedule(SIXTEEN)
    additions = [o for o in schedule.path if o.kind is Kind.ADD]
    assert len(additions) >= 9  # one after the other, where a tree has four levels
    casts = sum(o.count for o in schedule.operators if o.kind is Kind.SATURATE)
    assert casts == np.count_nonzero(op.weight.array)
    assert len(layout.code(SIXTEEN, 9).body) == 4  # nine products a function: one neuron each
    with pytest.raises(LimitError, match=r"fc: One of its neurons adds 9 products in order"):
        layout.check(8, "fc")
