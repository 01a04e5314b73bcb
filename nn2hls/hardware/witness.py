"""A net run on numbers: exact, and every range asserted. It is a witness, not made for speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn2hls.hardware.net import Cell, Code, Net

_INT64 = 1 << 62  # shifts and products of cells below it are exact in int64


def run(net: Net, xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a net.

    Args:
        net: With its outputs set.
        xs: For each input number an array of mantissas (events,), int64 or Python integers.

    Raises:
        AssertionError: A value leaves the range that its cell claims.
    """
    alive = net.alive()
    wide = any(max(-net.cells[n].lo, net.cells[n].hi) >= _INT64 for n in alive)
    kind: Any = object if wide else np.int64
    values: dict[int, np.ndarray] = {}
    events = len(xs[0]) if len(xs) else 1
    for n in alive:
        cell = net.cells[n]
        got = _value(net, cell, [values[a] for a in cell.args], xs, events, kind)
        assert not got.size or (got.min() >= cell.lo and got.max() <= cell.hi), (n, cell, got.min(), got.max())
        assert cell.zeros == 0 or not np.any(got & ((1 << min(cell.zeros, 60)) - 1)), (n, cell)
        values[n] = got
    return [values[o] for o in net.outputs]


def _value(net: Net, cell: Cell, a: list[np.ndarray], xs: Sequence[np.ndarray], events: int, kind: Any) -> np.ndarray:
    if cell.code is Code.INPUT:
        return np.asarray(xs[cell.k]).astype(kind)
    if cell.code is Code.CONST:
        return np.full(events, cell.k, dtype=kind)
    if cell.code is Code.LOOKUP:
        return np.array(net.tables[cell.k], dtype=kind)[a[0].astype(np.intp)]
    return np.asarray(_MEANING[cell.code](cell, *a)).astype(kind)


def _shift(cell: Cell, a: Any) -> Any:
    down = -cell.k if a.dtype == object else min(-cell.k, 63)
    return a << cell.k if cell.k > 0 else a >> down


_MEANING: dict[Code, Callable[..., Any]] = {
    Code.ADD: lambda cell, a, b: a + b,
    Code.SUB: lambda cell, a, b: a - b,
    Code.SHIFT: _shift,
    Code.MUL: lambda cell, a, b: a * b,
    Code.MULC: lambda cell, a: a * cell.k,
    Code.LESS: lambda cell, a, b: a < b,
    Code.SELECT: lambda cell, a, b, c: np.where(a.astype(bool), b, c),
    Code.WRAP: lambda cell, a: ((a - cell.lo) & ((1 << cell.width) - 1)) + cell.lo,
}
