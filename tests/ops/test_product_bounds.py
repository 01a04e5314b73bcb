"""Bounds of products with a constant matrix: those of every position by itself, whatever positions share."""

import itertools

import numpy as np
import pytest

from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Const
from nn2hls.ops.products.bounds import product_bounds


def ends(rng, shape, shared):
    lo = rng.integers(-9, 5, size=shape)
    if shared:
        lo[...] = lo[:1]
        lo[-1] = lo[0] - 1
    return lo, lo + rng.integers(0, 9, size=shape[-1])


@pytest.mark.parametrize("up", [0, 70])
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 2, 3)])
@pytest.mark.parametrize("shared", [True, False])
def test_each_position_has_its_own(up, shape, shared):
    rng = np.random.default_rng(len(shape))
    weight = rng.integers(-3, 4, size=(3, 2))
    lo, hi = (a.astype(object) << up for a in ends(rng, shape, shared))
    found = product_bounds(Const(weight), Range(lo, hi, 0))
    for name in ("lo", "hi", "least", "most", "size"):
        assert found.everywhere(getattr(found, name)).shape == (*shape[:-1], 2)
    for at in np.ndindex(*shape[:-1]):
        for j in range(2):
            sums = [sum(v * w for v, w in zip(x, weight[:, j].tolist(), strict=True)) for x in _corners(lo[at], hi[at])]
            parts = [[v * w for v, w in zip(x, weight[:, j].tolist(), strict=True)] for x in _corners(lo[at], hi[at])]
            own = {name: found.everywhere(getattr(found, name))[at][j] for name in ("lo", "hi", "least", "most", "size")}
            assert (own["lo"], own["hi"]) == (min(sums), max(sums))
            assert own["least"] == min(sum(min(p, 0) for p in part) for part in parts)
            assert own["most"] == max(sum(max(p, 0) for p in part) for part in parts)
            assert own["size"] == max(sum(abs(p) for p in part) for part in parts)


def _corners(lo, hi):
    return itertools.product(*zip(lo.tolist(), hi.tolist(), strict=True))


def test_equal_positions_are_one():
    x = Range(np.full((50, 40, 3), -2), np.full((50, 40, 3), 5), 0)
    found = product_bounds(Const(np.ones((3, 7), dtype=int)), x)
    assert found.lo.shape == (1, 7)
    assert found.everywhere(found.hi).strides[:2] == (0, 0)
