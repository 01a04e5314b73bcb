"""Where the elements of a process that collects its operands stand: the token and the place in it, firing by firing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nn2hls.streams.front import EMPTY, Front


@dataclass(frozen=True, eq=False)
class Addressed:
    """What a front reads by address.

    Args:
        front: With addresses.
        skipped: Columns that are not read, because they are constants.
    """

    front: Front
    skipped: frozenset[int] = frozenset()

    @property
    def starts(self) -> np.ndarray:
        """The number of each stream's first token, those of all streams counted through, and after them that of no token."""
        return np.cumsum([0, *(s.tokens for s in self.front.sources)])

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Those that are read."""
        return tuple(k for k in range(self.front.size) if k not in self.skipped)

    @cached_property
    def numbers(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """By column (number of the token, element in it) of each firing; the number of no token where it reads zero."""
        return {column: self._numbers(column) for column in self.columns}

    def _numbers(self, column: int) -> tuple[np.ndarray, np.ndarray]:
        assert self.front.address is not None
        numbers, sizes = self.front.address[:, column], np.array([s.size for s in self.front.sources])
        firsts = np.cumsum([0, *(s.tokens * s.size for s in self.front.sources)])
        stream = np.maximum(np.searchsorted(firsts, numbers, side="right") - 1, 0)
        token, element = np.divmod(numbers - firsts[stream], sizes[stream])
        there = numbers != EMPTY
        usual = element[there][0] if there.any() else 0
        return np.where(there, token + self.starts[stream], self.starts[-1]), np.where(there, element, usual)

    @cached_property
    def first(self) -> dict[tuple[str, int], int]:
        """For ("token" or "element", column) the first column with the same numbers: they share a ROM, and a port."""
        known: dict[tuple[str, bytes], int] = {}
        found = {}
        for column, both in self.numbers.items():
            for what, values in zip(("token", "element"), both, strict=True):
                found[what, column] = known.setdefault((what, values.tobytes()), column)
        return found

    def streams(self, column: int) -> list[int]:
        """The streams that a column reads, by number."""
        token = self.numbers[column][0]
        there = token[token < self.starts[-1]]
        return np.unique(np.searchsorted(self.starts, there, side="right") - 1).tolist()  # type: ignore[no-any-return]

    @cached_property
    def ports(self) -> tuple[int, ...]:
        """Of each stream how many tokens are read at a time, each by another address."""
        found: list[set[int]] = [set() for _ in self.front.sources]
        for column in self.columns:
            for k in self.streams(column):
                found[k].add(self.first["token", column])
        return tuple(len(own) for own in found)

    @cached_property
    def is_memory(self) -> bool:
        """Whether addresses change from firing to firing; without, what is read are wires from the registers of tokens."""
        return any(np.any(token != token[0]) for token, _ in self.numbers.values())
