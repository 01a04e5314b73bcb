"""Regular sequences, which hardware counts in place of looking them up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """first + row * by_row + column * by_column, column by column, row after row.

    Args:
        columns: In a row.
        by_column, by_row: See above.
    """

    first: int
    columns: int
    by_column: int
    by_row: int


def rows(values: np.ndarray) -> Rows | None:
    """A sequence of whole numbers as rows of columns; None where it is none."""
    first, steps = int(values[0]), np.diff(values)
    if not steps.size:
        return Rows(first, 1, 1, 1)
    by_column = int(steps[0])
    other = np.flatnonzero(steps != by_column)
    columns = int(other[0]) + 1 if other.size else len(values)
    by_row = int(values[columns] - values[0]) if columns < len(values) else by_column * columns
    numbers = np.arange(len(values))
    same = first + numbers // columns * by_row + numbers % columns * by_column
    return Rows(first, columns, by_column, by_row) if np.array_equal(same, values) else None


def by_row_and_column(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """A mask (firings, n) as one of rows or one of columns: mask[r * columns + c] = rows[r] | columns[c].

    Returns:
        (rows, columns), (number, n) each, with the fewest numbers in all; None where that is not so.
    """
    firings, n = mask.shape
    best = None
    for columns in range(1, firings + 1):
        if firings % columns:
            continue
        grid = mask.reshape(-1, columns, n)
        by_row, by_column = np.asarray(grid.all(axis=1)), np.asarray(grid.all(axis=0))
        same = np.array_equal(grid, by_row[:, None] | by_column[None])
        if same and (best is None or len(by_row) + columns < len(best[0]) + len(best[1])):
            best = by_row, by_column
    return best


def as_numbers(bits: np.ndarray) -> list[int]:
    """Rows of bits as whole numbers, the first one the lowest."""
    return [sum(1 << k for k in np.flatnonzero(row).tolist()) for row in bits]
