"""Integers beyond int64 on arrays, against Python ints."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, cast
from nn2hls.arith.ranges import Range
from nn2hls.arith.wide import Wide, added, matmul_exact, product
from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.op import Hints
from nn2hls.ops import Dense, Input
from tests.slow.fixed import cast_slow, fold_slow, round_slow

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def near(bits):
    """Integers of up to ``bits`` bits, often around a power of two or a half of one."""
    edge = st.builds(lambda e, d, s: s * ((1 << e) + d), st.integers(0, bits - 1), st.integers(-2, 2), st.sampled_from([1, -1]))
    return edge | st.integers(-(1 << (bits - 1)), 1 << (bits - 1))


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def wide(values):
    """Numbers of up to 300 bits, from parts of 60 bits."""
    return Wide.from_parts([(((objects(values) >> 60 * k) & ((1 << 60) - 1)).astype(np.int64), 60 * k) for k in range(5)]) - (
        Wide.from_parts([((objects(values) < 0).astype(np.int64), 300)])
    )


numbers = st.lists(near(200), min_size=1, max_size=6)


@given(st.lists(st.tuples(st.lists(INT64, min_size=3, max_size=3), st.integers(0, 130)), min_size=1, max_size=5))
def test_from_parts_is_the_sum_of_shifted_parts(parts):
    made = Wide.from_parts([(np.array(values), shift) for values, shift in parts])
    want = [sum(values[i] << shift for values, shift in parts) for i in range(3)]
    assert made.astype(object).tolist() == want
    assert np.asarray(made).tolist() == want


@given(st.lists(st.tuples(near(200), near(200)), min_size=1, max_size=5))
def test_sums_differences_and_extremes(pairs):
    a, b = zip(*pairs, strict=True)
    x, y = wide(a), wide(b)
    assert (x + y).astype(object).tolist() == [p + q for p, q in pairs]
    assert (x - y).astype(object).tolist() == [p - q for p, q in pairs]
    assert (-x).astype(object).tolist() == [-p for p in a]
    assert (x.min(), x.max()) == (min(a), max(a))


@given(numbers, near(230), st.integers(-1, 1))
def test_comparisons_with_a_number(values, other, off):
    for k in (other, values[0] + off):
        assert (wide(values) < k).tolist() == [v < k for v in values]
        assert (wide(values) > k).tolist() == [v > k for v in values]


@given(st.lists(st.tuples(INT64, INT64), min_size=1, max_size=5))
def test_product(pairs):
    a, b = (np.array(v) for v in zip(*pairs, strict=True))
    assert Wide.product(a, b).astype(object).tolist() == [p * q for p, q in pairs]


@given(
    numbers,
    st.integers(-90, 210),
    st.integers(1, 70),
    st.booleans(),
    st.sampled_from(Rounding),
    st.sampled_from(Overflow),
    near(63),
)
def test_cast(values, shift, width, signed, rounding, overflow, target):
    # Beside any numbers, ties and neighbours of ties that land in the result's range.
    tie = (target << shift) + (1 << shift >> 1) if shift > 0 else target >> -shift
    values = [*values, tie, tie + 1, tie - 1, -tie]
    rounded = [round_slow(Fraction(v) / Fraction(2) ** shift, rounding.name) for v in values]
    got = cast(wide(values), shift, width, signed, rounding, overflow)
    assert got.dtype == (np.int64 if width <= 63 else object)
    assert got.tolist() == [fold_slow(r, width, signed, overflow.name) for r in rounded]
    only_rounded = cast(wide(values), shift, width, signed, rounding, overflow, fits=True)
    assert np.asarray(only_rounded).tolist() == rounded


@st.composite
def products(draw):
    x_bits, w_bits = draw(st.integers(2, 63)), draw(st.integers(2, 63))
    n, m, batch = draw(st.integers(1, 40)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    seed = np.random.default_rng(draw(st.integers(0, 2**32)))
    extreme = draw(st.booleans())  # the largest sums there are

    def matrix(rows, columns, bits):
        top = (1 << (bits - 1)) - 1
        values = seed.integers(-top, top, (rows, columns), endpoint=True)
        return np.full_like(values, top) if extreme else values

    return matrix(batch, n, x_bits), matrix(n, m, w_bits), draw(st.lists(near(140), min_size=m, max_size=m))


@given(products())
def test_matmul_is_exact(operands):
    x, w, bias = operands
    want = (x.astype(object) @ w.astype(object) + objects(bias)).tolist()
    size = np.abs(x.astype(object)) @ np.abs(w.astype(object)) + np.abs(objects(bias))
    x_bound, bound = int(np.abs(x).max()), int(size.max())
    got = matmul_exact(x, w, objects(bias), x_bound, bound)
    assert isinstance(got, Wide) == (bound > (1 << 63) - 1)
    assert np.asarray(got).tolist() == want
    assert np.asarray(matmul_exact(x, w.astype(object), objects(bias))).tolist() == want


@pytest.mark.parametrize("kind", [np.float32, np.float64, object])
def test_matmul_takes_every_kind_of_integers(kind):
    x = np.arange(-12, 12).reshape(2, 3, 4)
    w = np.arange(8).reshape(4, 2) << 58
    want = x.astype(object) @ w.astype(object)
    assert (np.asarray(matmul_exact(x.astype(kind), w)) == want).all()
    assert (np.asarray(matmul_exact(Wide.from_parts([(x, 0)]), w)) == want).all()


@pytest.mark.parametrize(("width", "result"), [(33, 60), (40, 40), (60, 63), (60, 70)])
def test_a_layer_whose_sums_leave_int64(width, result):
    rng = np.random.default_rng(width)
    kind = FixedType(width, width // 2, True, Rounding.RND, Overflow.SAT)
    out = FixedType(result, result // 2, True, Rounding.RND_CONV, Overflow.SAT)
    op = Dense(Const(rng.normal(size=(5, 3))), Const(rng.normal(size=3)))
    op = op.resolve([Range.of_type(kind)], Hints(given={"weight": kind, "bias": kind}))
    graph = Graph((Node("x", Input((5,)), (), (5,), kind), Node("y", op, ("x",), (3,), out)), ("y",))
    x = rng.integers(kind.min_mantissa, kind.max_mantissa, (4, 5), endpoint=True)
    taken = {}
    Emulator(graph).run([x], lambda name, start, values: taken.update({name: values}), raw=True)
    step = Fraction(1, 2**kind.fraction)
    sums = x.astype(object) @ op.weight.array.astype(object) * step**2 + op.bias.array.astype(object) * step
    assert isinstance(taken["y"], np.ndarray)
    assert taken["y"].tolist() == [[cast_slow(s, out) for s in row] for row in sums]


@pytest.mark.parametrize("bits", [20, 40, 62])
@pytest.mark.parametrize("more", [10, 40, 62])
def test_products_and_sums_leave_int64(bits, more):
    rng = np.random.default_rng(bits + more)
    a, b = rng.integers(-(1 << bits), 1 << bits, size=(4, 5)), rng.integers(-(1 << more), 1 << more, size=5)
    c = np.array([1 << (bits + more), -(1 << (bits + more)), 0, -1, 3], dtype=object)
    want = a.astype(object) * b.astype(object)
    bound = (1 << (bits + more)) * 2
    found = product(a, b, bound)
    assert (found.dtype == np.int64) == (bound < 1 << 63)
    assert np.asarray(found.astype(object)).tolist() == want.tolist()
    assert np.asarray(added(found, c, bound).astype(object)).tolist() == (want + c).tolist()
    assert product(a.astype(object), b, bound).tolist() == want.tolist()
