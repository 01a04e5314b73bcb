"""The emulator: the same answers whatever carries the numbers, every overflow found, memory that does not grow."""

import tracemalloc
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls import OverflowWarning
from nn2hls.arith.fixed import FixedType, Rounding
from nn2hls.design.design import convert
from nn2hls.emulate.overflow import OverflowLog
from nn2hls.emulate.quantise import quantise, round_exact
from nn2hls.errors import DataError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Node
from nn2hls.ops import Dense, Elementwise, Input, Merge, Relu
from tests.kit.networks import draw_type, hls_config, mlp
from tests.slow.dense import dense_slow
from tests.slow.fixed import cast_slow


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_floats_become_the_nearest_mantissas_exactly(seed):
    rng = np.random.default_rng(seed)
    kind = draw_type(rng, 60)
    exact_ties = rng.integers(-64, 64, size=20) * 2.0 ** -(kind.fraction + 2)
    near_ties = np.nextafter(exact_ties, rng.choice([-np.inf, np.inf], size=20))
    wild = rng.normal(size=20) * 2.0 ** rng.integers(-40, 41, size=20)
    x = np.concatenate([exact_ties, near_ties, wild, [0.49999999999999994, -0.49999999999999994, 2.0**62, -1e250]])
    log = OverflowLog()
    got = quantise(x, Node("x", Input(()), (), (), kind), log)
    assert [int(v) for v in got] == [cast_slow(Fraction(float(v)), kind) for v in x]
    limit = [cast_slow(Fraction(float(v)), FixedType(1024, 1024 - kind.fraction, True, kind.rounding)) for v in x]
    beyond = sum(not kind.min_mantissa <= v <= kind.max_mantissa for v in limit)
    assert sum(o.count for o in log.overflows()) == beyond


@pytest.mark.parametrize("rounding", list(Rounding))
def test_rounding_of_single_floats_is_exact(rounding):
    q = np.array([0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, -0.49999999999999994, 4503599627370495.5])
    kind = FixedType(64, 64, True, rounding)
    assert [int(v) for v in round_exact(q, rounding)] == [cast_slow(Fraction(float(v)), kind) for v in q]


@pytest.mark.parametrize(
    ("x_t", "w_t"), [("<6,3>", "<5,2>"), ("<16,6>", "<16,6>"), ("<30,9>", "<26,4>"), ("<48,20>", "<40,4>")]
)
def test_every_carrier_gives_the_slow_answer(x_t, w_t):
    """float32, float64, int64 and limbs, by the width of the types."""
    rng = np.random.default_rng(0)
    types = {
        "input": f"ap_fixed{x_t}",
        "weight": f"ap_fixed{w_t}",
        "bias": "ap_fixed<12,4>",
        "result": "ap_fixed<24,10,AP_RND>",
    }
    design = convert(mlp(rng, (7, 4)), hls_config({"Precision": types}))
    x = rng.normal(size=(40, 7)) * 3
    op = design.graph["fc0"].op
    kind = design.graph["x"].type
    raw = design.predict_raw(x)
    for event, answer in zip(x, raw.mantissas, strict=True):
        mantissas = [cast_slow(Fraction(float(v)), kind) for v in event]
        slow = dense_slow(mantissas, kind, op.weight.array, op.weight_t, op.bias.array, op.bias_t, raw.type)
        assert list(answer) == list(slow)
    assert design.verify(x).equal


def test_chunks_make_no_difference():
    rng = np.random.default_rng(0)
    design = convert(mlp(rng))
    x = rng.normal(size=(1000, 16))
    whole = design.predict(x)
    design.emulator.chunk = 7
    np.testing.assert_array_equal(design.predict(x), whole)


def test_overflows_are_counted_and_named_with_the_missing_bits():
    rng = np.random.default_rng(0)
    graph = mlp(rng, (4, 3), scale=8.0)
    x = rng.normal(size=(500, 4)) * 2
    wide = convert(graph, hls_config({"Precision": "ap_fixed<24,12>"})).predict_raw(x).mantissas
    narrow = {"Precision": {"result": "ap_fixed<16,4>"}}
    design = convert(graph, hls_config({"Precision": "ap_fixed<24,12>"}, fc0=narrow))
    _, log = design.run(x)
    (found,) = log.overflows()
    beyond = (wide < -(1 << 15)) | (wide > (1 << 15) - 1)
    assert (found.layer, found.count, found.total) == ("fc0", np.count_nonzero(beyond), 1500)
    needed = next(b for b in range(20) if np.all((wide >= -(1 << (15 + b))) & (wide < 1 << (15 + b))))
    assert found.bits == needed
    with pytest.warns(
        OverflowWarning, match=rf"fc0: {found.count} of 1500 values beyond ap_fixed<16,4>, {needed} more"
    ) as seen:
        design.predict(x)
    assert len(seen) == 1


def test_overflows_inside_a_narrowed_accumulator_are_named():
    design = convert(mlp(np.random.default_rng(0), (8, 3)), hls_config(fc0={"Precision": {"accum": "ap_fixed<8,2>"}}))
    _, log = design.run(np.full((20, 8), 5.0))
    assert "fc0.accum" in {o.layer for o in log.overflows()}


def test_no_warning_without_an_overflow():
    design = convert(mlp(np.random.default_rng(0)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design.predict(np.random.default_rng(0).normal(size=(100, 16)))


def peak_bytes(design, events):
    """What predict holds beside its input and its answers."""
    x = np.random.default_rng(0).normal(size=(events, 16)).astype(np.float32)
    tracemalloc.start()
    design.predict(x)
    peak = tracemalloc.get_traced_memory()[1] - events * 5 * 8
    tracemalloc.stop()
    return peak


def test_memory_grows_with_the_threads_and_not_with_the_number_of_events(monkeypatch):
    design = convert(mlp(np.random.default_rng(0)))
    design.predict(np.zeros((10, 16)))
    monkeypatch.setattr("nn2hls.arith.parallel.threads", lambda: 1)
    few, many = (peak_bytes(design, events) for events in (20_000, 80_000))
    assert many < few * 1.2
    monkeypatch.setattr("nn2hls.arith.parallel.threads", lambda: 3)
    assert peak_bytes(design, 80_000) < 3.2 * few


def test_bad_data_is_refused_with_the_shape_it_must_have():
    design = convert(mlp(np.random.default_rng(0)))
    for x, message in [
        (np.zeros((5, 15)), r"x: The input has shape \(5, 15\) and must have \(events, 16\)"),
        (np.zeros(16), r"Add the axis of events"),
        (np.full((2, 16), np.nan), "NaN or Inf"),
        (np.full((2, 16), np.inf), "NaN or Inf"),
        (np.array([["a"] * 16]), "not numbers"),
        ([np.zeros((5, 16))] * 2, "1 input .* 2 arrays"),
    ]:
        with pytest.raises(DataError, match=message):
            design.predict(x)


def test_no_events_no_answers():
    design = convert(mlp(np.random.default_rng(0)))
    assert [design.predict(np.zeros((0, 16), kind)).shape for kind in (np.float64, np.int64)] == [(0, 5)] * 2


def test_a_tiny_float32_below_zero_still_rounds_down():
    kind = FixedType(8, 40)  # 32 negative fraction bits: the mantissa of -1e-40 is below every float32
    got = quantise(np.array([-1e-40, 1e-40], dtype=np.float32), Node("x", Input((2,)), (), (2,), kind), OverflowLog())
    assert [int(v) for v in got] == [-1, 0]


@pytest.mark.parametrize("relu_first", [True, False])
def test_a_value_with_two_readers_is_not_overwritten(relu_first):
    """ReLU may write into the array of the Dense before it, where nobody else reads that."""
    rng = np.random.default_rng(0)
    b = Builder()
    x = b.add("x", Input((4,)))
    y = b.add("y", Dense(Const(rng.normal(size=(4, 5))), Const(rng.normal(size=5))), [x])
    r = b.add("r", Relu(), [y])
    total = b.add("sum", Elementwise(Merge.ADD), [r, y] if relu_first else [y, r])
    design = convert(b.build([total]), hls_config({"Precision": "ap_fixed<20,8>"}))
    data = rng.normal(size=(50, 4))
    answers, values = design.predict(data), design.trace(data)
    assert values["y"].min() < -1
    np.testing.assert_array_equal(answers, values["y"] + np.maximum(values["y"], 0))
    np.testing.assert_allclose(answers, design.predict_float(data), atol=0.01)
    assert design.verify().equal


@pytest.mark.parametrize("overflow", ["SAT", "SAT_SYM", "WRAP", "SAT_ZERO"])
@pytest.mark.parametrize("width", [25, 27, 30, 53, 55, 60])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_of_a_range_are_told_from_their_neighbours(width, overflow, dtype):
    """float32 holds 2**26, and not the largest mantissa below it: compared in its arithmetic, they are equal."""
    kind = FixedType.parse(f"ap_fixed<{width},1,AP_RND,AP_{overflow}>")
    x = np.array([1.0, -1.0, 0.25, 1.0], dtype=dtype)
    log = OverflowLog()
    got = quantise(x, Node("x", Input((4,)), (), (4,), kind), log)
    assert [int(v) for v in got] == [cast_slow(Fraction(float(v)), kind) for v in x]
    (found,) = log.overflows()
    assert (found.count, found.bits) == (3 if overflow == "SAT_SYM" else 2, 1)
