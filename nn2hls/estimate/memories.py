"""Where what a layer of a design in streams keeps lies: its line buffers and the queues that it reads, in bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from nn2hls.text import table


@dataclass(frozen=True)
class Memories:
    """Bits of one layer.

    Args:
        lines_lut, lines_bram: Of the delays of its windows, in LUTs and registers, and in block RAM.
        queues_lut, queues_bram: Of the queues that it reads.
    """

    lines_lut: int = 0
    lines_bram: int = 0
    queues_lut: int = 0
    queues_bram: int = 0

    @classmethod
    def of(cls, lines: Iterable[tuple[int, bool]], queues: Iterable[tuple[int, bool]]) -> Memories:
        """From (bits, whether in block RAM) of each delay and each queue."""
        both = [list(lines), list(queues)]
        return cls(*(sum(bits for bits, block in found if block is where) for found in both for where in (False, True)))


def memory_table(found: Mapping[str, Memories]) -> str:
    """The layers that keep anything, for people; empty where none does."""
    rows: Sequence[list[str]] = [
        [name, *(f"{bits:,}" if bits else "-" for bits in asdict(m).values())] for name, m in found.items() if m != Memories()
    ]
    head = ["bits of", "line buffers: LUT", "BRAM", "FIFOs read: LUT", "BRAM"]
    return table(head, rows) if rows else ""
