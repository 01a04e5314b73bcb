"""Move: emulator == fractions == net; its indices against NumPy's and against loops; channels through it; two become one."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.design.design import convert
from nn2hls.errors import GraphError, ModelError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.graph.graph import Origin
from nn2hls.ops import Dense, Input, Move, Relu, Reshape, Transpose
from nn2hls.ops import places as p
from tests.kit.witness import Case, hardware_equals_emulated, types
from tests.slow.move import move


def drawn(rng, shapes, size):
    """Any index: runs, gaps, repetitions."""
    total = sum(int(np.prod(s)) for s in shapes)
    block = int(rng.integers(1, 4))
    starts = rng.integers(-1, max(total - block, 0) + 1, size=-(-size // block))
    index = [-1 if s < 0 else s + k for s in starts for k in range(block)]
    return Move(Places(np.minimum(np.array(index[:size]), total - 1)), tuple(shapes))


@settings(max_examples=60, deadline=None)
@given(kinds=st.lists(types(), min_size=1, max_size=3), result=types(), size=st.integers(1, 12), seed=st.integers(0, 999))
def test_emulator_is_the_equation(kinds, result, size, seed):
    rng = np.random.default_rng(seed)
    shapes = [tuple(int(n) for n in rng.integers(1, 4, size=rng.integers(3))) for _ in kinds]
    case = Case(drawn(rng, shapes, size), kinds, shapes, result)
    case.check(case.draw(rng, 3), move)
    hardware_equals_emulated([case], seed, events=3)


@settings(max_examples=30, deadline=None)
@given(kinds=st.lists(types((60, 100), (20, 60)), min_size=1, max_size=2), result=types((50, 90)), seed=st.integers(0, 99))
def test_wide_values_move_exactly(kinds, result, seed):
    rng = np.random.default_rng(seed)
    case = Case(drawn(rng, [(2,)] * len(kinds), 5), kinds, [(2,)] * len(kinds), result)
    case.check(case.draw(rng, 3), move)


X = np.arange(2 * 3 * 4).reshape(2, 3, 4) + 1.0


@pytest.mark.parametrize("change", [
    lambda a: a, lambda a: a.transpose(2, 0, 1), lambda a: a.reshape(4, 6), lambda a: a[:, ::-1], lambda a: a[1:, :2, 1::2],
    lambda a: np.tile(a, (2, 1, 1)), lambda a: np.roll(a, 1, axis=1), lambda a: a.take([2, 0, 0], axis=1),
    lambda a: np.broadcast_to(a, (3, 2, 3, 4)), lambda a: a[0, 0, 0],
])  # fmt: skip
def test_a_change_of_the_places_is_that_of_the_values(change):
    assert np.array_equal(Move.of(change, X.shape).evaluate_float(X[None])[0], change(X))


def test_no_events_are_moved_too():
    for change in (np.ravel, np.transpose, lambda a: p.padded(a, [(1, 0)])):
        op = Move.of(change, (2, 3))
        assert op.evaluate_float(np.zeros((0, 2, 3))).shape == (0, *op.index.shape)


def test_several_operands():
    op = Move.of(lambda a, b: np.concatenate([a[:, :1], b, a], axis=1), (2, 3), (2, 2))
    a, b = np.arange(6.0).reshape(1, 2, 3), np.arange(4.0).reshape(1, 2, 2) + 10
    assert np.array_equal(op.evaluate_float(a, b), np.concatenate([a[:, :, :1], b, a], axis=2))


def test_a_choice_by_a_constant_mask():
    mask = np.array([[True, False, True], [False, False, True]])
    op = Move.of(lambda a, b: np.where(mask, a, b), (2, 3), ())
    a = np.arange(12.0).reshape(2, 2, 3)
    assert np.array_equal(op.evaluate_float(a, np.array([-7.0, -8])), np.where(mask, a, np.array([-7.0, -8])[:, None, None]))


def test_padding_and_cropping():
    padded = p.padded(p.places((2, 3))[0], [(1, 0), (0, 2)])
    assert padded.tolist() == [[-1] * 5, [0, 1, 2, -1, -1], [3, 4, 5, -1, -1]]
    assert p.padded(padded, [(-1, 0), (0, -2)]).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert p.padded(p.places((2, 3))[0], [(-1, 1)]).tolist() == [[3, 4, 5], [-1] * 3]


@pytest.mark.parametrize(("size", "kernel", "strides", "dilation"), [
    ((5,), (3,), (1,), (1,)), ((7,), (2,), (3,), (2,)), ((5, 4), (3, 2), (2, 1), (1, 2)),
    ((4, 3, 3), (2, 2, 3), (1, 1, 1), (2, 1, 1)),
])  # fmt: skip
def test_patches_are_what_a_kernel_sees(size, kernel, strides, dilation):
    index = p.places((*size, 2))[0]
    found = p.patches(index, kernel, strides, dilation)
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(size, kernel, strides, dilation, strict=True)]
    assert found.shape == (*counts, *kernel, 2)
    for at in itertools.product(*map(range, counts)):
        for inside in itertools.product(*map(range, kernel)):
            place = tuple(a * s + k * d for a, s, k, d in zip(at, strides, inside, dilation, strict=True))
            assert found[(*at, *inside)].tolist() == index[place].tolist()


def test_spread_repeat_and_depth():
    assert p.spread(p.places((2, 2))[0], (2, 3)).tolist() == [[0, -1, -1, 1], [-1] * 4, [2, -1, -1, 3]]
    assert p.repeated(p.places((2, 2))[0], (2, 1)).tolist() == [[0, 1], [0, 1], [2, 3], [2, 3]]
    index = p.places((2, 3, 8))[0]
    for outside in (False, True):
        deep = p.depth_to_space(index, 2, channels_outside=outside)
        assert deep.shape == (4, 6, 2)
        for y, x, c in itertools.product(range(4), range(6), range(2)):
            block = (y % 2) * 2 + x % 2
            assert deep[y, x, c] == index[y // 2, x // 2, c * 4 + block if outside else block * 2 + c]
        assert np.array_equal(p.space_to_depth(deep, 2, channels_outside=outside), index)


def test_facts():
    shape = (2, 3)
    assert Move.of(lambda a: a.reshape(6), shape).reshapes
    assert Move.of(lambda a: a, shape).identity([shape])
    assert not Move.of(lambda a: a.reshape(6), shape).identity([shape])
    turned = Move.of(lambda a: a.T, shape)
    assert turned.rearranges
    assert not turned.reshapes
    assert not Move.of(lambda a: p.padded(a, [(1, 0)]), shape).rearranges
    assert not Move.of(lambda a, b: a, shape, shape).rearranges


@pytest.mark.parametrize(
    ("index", "words"), [([0, 6], "elements 0 to 6 of 6"), ([-2, 1], "elements -2 to 1"), ([], "no elements")]
)
def test_a_wrong_index_is_refused(index, words):
    with pytest.raises(ModelError, match=f"here.*{words}"):
        Move(Places(np.array(index, dtype=int)), ((2, 3),)).infer([(2, 3)], "here")
    with pytest.raises(ModelError, match="moves tensors of shapes"):
        Move(Places(np.array([0])), ((2, 3),)).infer([(6,)], "here")
    with pytest.raises(GraphError, match="whole numbers"):
        Places(np.array([0.5]))


def test_demand_is_what_is_moved():
    op = Move.of(lambda a, b: p.padded(np.concatenate([a, b]), [(1, 1)]), (2,), (3,))
    needed = np.array([True, False, True, True, False, False, False])
    assert [d.tolist() for d in op.demand(needed, op.shapes)] == [[False, True], [True, False, False]]


WAYS = {
    "patches": (lambda a: p.patches(p.padded(a, [(1, 1), (1, 1)]), (3, 2), (2, 1), (1, 1)).reshape(2, 5, -1), [(4, 4, 3)]),
    "flatten": (lambda a: a.reshape(-1), [(2, 3, 3)]),
    "space": (lambda a: a.transpose(1, 0, 2), [(2, 4, 3)]),
    "two of them": (lambda a, b: np.concatenate([b, a[:, :2], b], axis=-1), [(2, 3, 2), (2, 2, 3)]),
    "beside": (lambda a, b: np.concatenate([a, b], axis=0), [(2, 3), (1, 3)]),
}


@pytest.mark.parametrize("way", WAYS)
def test_channels_go_where_links_say(way):
    """Remove one channel of every operand: what take makes reads the others as before, and drops the places it stood in."""
    change, shapes = WAYS[way]
    op = Move.of(change, *shapes)
    links = op.channels(shapes)
    gone = set()
    for at in links:
        gone |= set(at[:, 1].tolist())
    kept = np.array([k for k in range(op.index.shape[-1]) if k not in gone])
    small = op.take(kept)
    rng = np.random.default_rng(0)
    xs = [rng.normal(size=(2, *s)) for s in shapes]
    assert small.shapes == tuple((*s[:-1], s[-1] - 1) for s in shapes)
    found = small.evaluate_float(*(np.delete(x, 1, axis=-1) for x in xs))
    assert np.array_equal(found, op.evaluate_float(*xs)[..., kept])


def test_bounds_know_what_is_empty():
    op = Move.of(lambda a: p.padded(a, [(1, 0)]), (2,))
    bounds = op.exact([Range(np.array([3, 4]), np.array([5, 4]), 1)])
    assert (bounds.lo.tolist(), bounds.hi.tolist()) == ([0, 3, 4], [0, 5, 4])


@pytest.mark.parametrize("change", [
    lambda a: a.T, lambda a: a[:, :2], lambda a: a.reshape(6, 2), lambda a: np.concatenate([a[:2], np.roll(a[2:], 1, axis=1)]),
])  # fmt: skip
def test_mixed_and_missing_channels_are_held(change):
    op = Move.of(change, (4, 3))
    assert op.channels(op.shapes) is None
    assert op.take(np.arange(op.index.shape[-1])) is op


def test_one_op_does_what_two_did():
    x = np.random.default_rng(0).normal(size=(2, 4, 6))
    outer = Move.of(lambda a, b: p.padded(np.concatenate([b, a.T]), [(1, 0)]), (6, 4), (2, 6))
    b = np.random.default_rng(1).normal(size=(2, 2, 6))
    for inner in (Transpose((1, 0)), Reshape((6, 4)), Move.of(lambda a: p.padded(a.T, [(0, 1)])[1:], (4, 6))):
        one = outer.through(0, inner, outer.shapes, [(4, 6)])
        assert one.shapes == ((4, 6), (2, 6))
        assert np.array_equal(one.evaluate_float(x, b), outer.evaluate_float(inner.evaluate_float(x), b))
    assert outer.through(0, Relu(), outer.shapes, [(6, 4)]) is None
    assert Relu().through(0, outer, [(9, 6)], outer.shapes) is None


def there_and_back(shown=False):
    """A Dense layer over rows and one over columns, with the moves that two converted layers leave between them."""
    rng = np.random.default_rng(0)
    b = Builder()
    inside = partial(Origin, "inside", is_result=shown)
    x = b.add("x", Input((2, 3)))
    h = b.add("first", Dense(Const(rng.normal(size=(3, 3))), Const(rng.normal(size=3))), [x])
    out = b.add("out", Move.of(lambda a: a.T, (2, 3)), [h], inside())
    back = b.add("back", Move.of(lambda a: a.T, (3, 2)), [out], Origin("", is_result=False))
    y = b.add("second", Dense(Const(rng.normal(size=(3, 2))), Const(rng.normal(size=2))), [back])
    return b.build([y])


def test_moves_that_cancel_leave_nothing():
    design = convert(there_and_back())
    assert [n.name for n in design.graph] == ["x", "first", "second"]
    kept = convert(there_and_back(shown=True))
    assert [n.name for n in kept.graph] == ["x", "first", "out", "back", "second"]
    named = convert(there_and_back(), {"LayerName": {"out": {"Precision": "ap_fixed<9,4>"}}})
    assert [n.name for n in named.graph] == ["x", "first", "out", "back", "second"]
    x = np.random.default_rng(3).normal(size=(5, 2, 3))
    assert np.array_equal(design.predict(x), kept.predict(x))
    assert set(kept.trace(x)) == set(design.trace(x)) | {"inside"}


def test_a_move_takes_no_time_and_no_operators():
    from nn2hls.hardware.operators import operators

    case = Case(Move.of(lambda a: p.padded(a.T, [(1, 0)]), (2, 3)), [FixedType(9, 4)], [(2, 3)], FixedType(9, 4))
    assert all(not operators(loop.body) for loop in case.op.hardware(case.xs, case.result).loops)
