"""The cores of this machine: functions side by side in threads, and matrix products that each stay in the thread they run in.

A BLAS spreads a product over threads of its own, which wait for each other at every product: on a busy machine that costs
many times what it saves, and chunks that run side by side need no second level of threads. To tell the library so would
change a setting of the whole process, under the feet of whoever uses it at that moment. So nothing is set: the products are
cut into tiles below the size from which a BLAS takes threads, and a stack of tiles is one call of NumPy.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Found = TypeVar("Found")

# OpenBLAS computes a product of fewer than 2**18 multiplications in the calling thread, and one with a vector below 9,216.
TILE = 250_000
VECTOR_TILE = 8_192
DEEP, NARROW = 256, 32  # rows of a matrix that a tile takes at most, and columns at least: others are slow
SIDE = 64  # rows of a tile of a matrix that it takes whole, at least

MOST_WORKERS = 8  # more of them wait for the interpreter's lock
# What people set for the threads of a BLAS holds for these threads, which take their place.
SETTINGS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """How many threads may work side by side: one per core, or the first number that is set for those of a BLAS."""
    for name in SETTINGS:
        found = re.match(r"\s*(\d+)", os.environ.get(name, ""))
        if found and int(found[1]):
            return min(int(found[1]), MOST_WORKERS)
    return min(cores(), MOST_WORKERS)


def even_share(count: int, most: int) -> int:
    """How many of ``count`` items a part has, at most ``most``, so that no thread waits while another has a part more to do."""
    parts = -(-count // most)
    if parts > 1:
        parts = -(-parts // threads()) * threads()
    return -(-count // max(parts, 1)) or 1


def in_order(function: Callable[[Item], Found], items: Sequence[Item]) -> Iterator[Found]:
    """``function`` of every item, side by side in threads; the results in order, and the first error in that order."""
    count = min(threads(), len(items))
    if count <= 1:
        yield from map(function, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        yield from pool.map(function, items)


def matmul(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """``x @ w`` of floats, in the calling thread.

    Where one thread is all there is, that is the product of NumPy; else sums may be taken in another order: the caller has
    proved that every partial sum is exact, or takes them as floats are.

    Args:
        x: (.., n).
        w: (n, m).
    """
    n, m = w.shape
    rows = x.reshape(math.prod(x.shape[:-1]), n)
    if threads() == 1:
        return np.asarray(rows @ w).reshape(*x.shape[:-1], m)
    y = np.empty((len(rows), m), dtype=np.result_type(x, w))
    width = max(m, 1) if n * m <= TILE // SIDE else max(NARROW, TILE // SIDE // n)
    for left in range(0, m, width):
        part, columns = y[:, left : left + width], w[:, left : left + width]
        _stacked(rows[:, :DEEP], columns[:DEEP], part)
        for top in range(DEEP, n, DEEP):
            more = np.empty_like(part)
            _stacked(rows[:, top : top + DEEP], columns[top : top + DEEP], more)
            part += more
    return y.reshape(*x.shape[:-1], m)


def _stacked(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
    """``x @ w`` into ``out``, so many rows at a time that no product is large."""
    n, m = w.shape
    tile = (VECTOR_TILE if m == 1 else TILE) // max(n * m, 1)
    tile = tile - tile % 16 if tile > 16 else max(tile, 1)  # whole steps of a kernel's loops
    stack = len(x) // tile
    whole = stack * tile
    np.matmul(x[:whole].reshape(stack, tile, n), w, out=out[:whole].reshape(stack, tile, m))
    np.matmul(x[whole:], w, out=out[whole:])
