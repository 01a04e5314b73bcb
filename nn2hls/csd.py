"""Canonical signed digit form: the fewest non-zero digits -1, 0, 1 that write an integer, no two of them adjacent."""

from __future__ import annotations

from typing import Any

import numpy as np


def digit_count(values: Any) -> np.ndarray:
    """Non-zero digits of each integer of an int64 array below 2**61 in magnitude.

    The non-zero digits of n stand where the bits of n and 3n differ (Reitwiesner's recoding).
    """
    n = np.abs(np.asarray(values, dtype=np.int64))
    return np.bitwise_count(n ^ (3 * n)) if hasattr(np, "bitwise_count") else _popcount(n ^ (3 * n))


def _popcount(bits: np.ndarray) -> np.ndarray:
    as_bytes = np.ascontiguousarray(bits).view(np.uint8).reshape(*bits.shape, 8)
    return np.unpackbits(as_bytes, axis=-1).sum(axis=-1).astype(np.uint8)


def digits(value: int) -> list[tuple[int, int]]:
    """The non-zero digits of an integer as (sign, position), lowest position first."""
    found, position = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)  # +1 when the next bit is 0, -1 when it is 1
            found.append((sign, position))
            value -= sign
        value >>= 1
        position += 1
    return found
