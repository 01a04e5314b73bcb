"""How a process counts: its firings, the steps in which they come, and what is absent at each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nn2hls.streams.network import Process
from nn2hls.streams.pattern import Rows, by_row_and_column, rows


def bits_for(most: int) -> int:
    """Bits of a number from 0 to ``most``, at least one."""
    return max(1, most.bit_length())


@dataclass(frozen=True, eq=False)
class Control:
    """The counters of a process.

    Args:
        process: The process.
        turn: The step in which the next event may begin.
    """

    process: Process
    turn: int

    @cached_property
    def consecutive(self) -> bool:
        """It fires in each step from the first one on."""
        fires = self.process.front.fires
        return len(fires) == 1 or bool(np.all(np.diff(fires) == 1))

    @cached_property
    def regular(self) -> Rows | None:
        """The steps in which it fires, where they are counted; None where they come from a table."""
        return rows(self.process.front.fires)

    @cached_property
    def mask_of(self) -> dict[int, int]:
        """For each element that may be absent the number of its mask: several have one in common."""
        absent = self.process.front.absent
        if absent is None:
            return {}
        numbers: dict[bytes, int] = {}
        columns = np.flatnonzero(absent.any(axis=0)).tolist()
        return {c: numbers.setdefault(absent[:, c].tobytes(), len(numbers)) for c in columns}

    @cached_property
    def masks(self) -> np.ndarray:
        """(firings, masks): whether what has each mask is absent."""
        absent = self.process.front.absent
        if absent is None:
            return np.zeros((self.process.front.firings, 0), dtype=bool)
        first = {mask: column for column, mask in reversed(self.mask_of.items())}
        return np.asarray(absent[:, [first[m] for m in range(len(first))]])

    @cached_property
    def split(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The masks by row and by column; None where there are none, or they come from a table by firing."""
        found = by_row_and_column(self.masks) if self.mask_of else None
        return None if found is None or 1 in (len(found[0]), len(found[1])) else found

    @cached_property
    def counts_firings(self) -> bool:
        """Whether anything is looked up by the number of the firing."""
        tabled = not self.consecutive and self.regular is None
        masked = bool(self.mask_of) and self.split is None
        return tabled or masked or self.process.front.address is not None or self.process.constants is not None

    @cached_property
    def registers(self) -> int:
        """Flip-flops."""
        front = self.process.front
        step, firing = bits_for(front.steps - 1), bits_for(front.firings - 1)
        total = step * (2 if self.turn < front.steps else 1) + firing * self.counts_firings
        if not self.consecutive and self.regular is not None:
            total += step + (bits_for(self.regular.columns - 1) if self.regular.columns < front.firings else 0)
        return total + (sum(bits_for(len(part) - 1) for part in self.split) if self.split else 0)
