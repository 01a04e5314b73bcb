"""Exact bounds of the product of a range with a constant matrix, in BLAS where that is proved exact; remembered per matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from nn2hls.arith.parallel import matmul
from nn2hls.arith.ranges import Range, ints
from nn2hls.graph.const import Const

_MANTISSA = 53  # bits of float64


@dataclass(frozen=True)
class Bounds:
    """Of x @ weight, as mantissas of the product's fraction; object arrays (distinct positions, outputs).

    Args:
        lo, hi: The whole sum.
        least, most: The sum of any of the products, none included.
        size: The sum of their magnitudes.
        which: For each position of x the row that is its own.
        lead: The shape of the positions.
    """

    lo: np.ndarray
    hi: np.ndarray
    least: np.ndarray
    most: np.ndarray
    size: np.ndarray
    which: np.ndarray
    lead: tuple[int, ...]

    def everywhere(self, rows: np.ndarray) -> np.ndarray:
        """Rows for the distinct positions as an array (*positions, outputs)."""
        if len(rows) == 1:
            return np.broadcast_to(rows[0], (*self.lead, rows.shape[1]))
        return np.asarray(rows[self.which].reshape(*self.lead, rows.shape[1]))


def _remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Remember the answers for a constant and a range as long as both live; neither ever changes."""
    memory: WeakKeyDictionary[Const, WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()

    @wraps(function)
    def remembered(weight: Const, *more: Any) -> Any:
        of_weight = memory.setdefault(weight, WeakKeyDictionary())
        key = more[0] if more else remembered
        if key not in of_weight:
            of_weight[key] = function(weight, *more)
        return of_weight[key]

    return remembered


@_remembered
def product_bounds(weight: Const, x: Range) -> Bounds:
    """Bounds of x @ weight for a matrix of mantissas (n_in, n_out): most positions of a convolution share theirs."""
    lo, hi, which = _distinct(x, weight.shape[0])
    ends = np.concatenate([lo, hi, np.minimum(lo, 0), np.maximum(hi, 0), np.maximum(np.abs(lo), np.abs(hi))])
    up, down = (np.split(_matmul(ends, part), 5) for part in (np.maximum(weight.array, 0), np.minimum(weight.array, 0)))
    sums = (up[0] + down[1], up[1] + down[0], up[2] + down[3], up[3] + down[2], up[4] - down[4])
    return Bounds(*sums, which, x.shape[:-1])


def _distinct(x: Range, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(lo, hi, which) of the positions that differ: whole numbers (distinct, n), and for each position its own row."""
    least, most = (np.broadcast_to(a, (*x.shape[:-1], n)) for a in (x.least, x.most))
    positions = math.prod(x.shape[:-1])
    if not any(a.strides[k] for a in (least, most) for k in range(a.ndim - 1)):
        first = (0,) * (least.ndim - 1)
        return least[first][None], most[first][None], np.zeros(positions, dtype=np.int64)
    rows = np.concatenate([a.reshape(positions, n) for a in (least, most)], axis=1)
    numbers: dict[Any, int] = {}
    keys = map(tuple, rows.tolist()) if rows.dtype == object else (row.tobytes() for row in rows)
    which = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
    kept = rows[np.unique(which, return_index=True)[1]]
    return kept[:, :n], kept[:, n:], which


@_remembered
def column_counts(weight: Const) -> np.ndarray:
    """Non-zero weights of each output."""
    return np.asarray(np.count_nonzero(weight.array, axis=0))


def _matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Exact a @ b of integers as an object array: limbs of ``a`` as narrow as float64 BLAS needs, else Python integers."""
    top = int(np.abs(b).max(initial=0))
    limb = _MANTISSA - top.bit_length() - b.shape[0].bit_length()
    if limb < 1 or b.dtype == object:
        return ints(np.dot(ints(a), ints(b)))
    matrix, total, shift = b.astype(np.float64), ints(np.zeros((a.shape[0], b.shape[1]))), 0
    while a.size and max(abs(int(a.min())), abs(int(a.max()))) >> limb:
        low = (a & ((1 << limb) - 1)).astype(np.float64)
        total = total + (ints(matmul(low, matrix)) << shift)
        a, shift = a >> limb, shift + limb
    return ints(total + (ints(matmul(a.astype(np.float64), matrix)) << shift))
