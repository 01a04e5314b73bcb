"""Where what a layer keeps lies, in bits: its ROMs of weights and tables, and in streams its line buffers and its queues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nn2hls.text import table

_KINDS = {"line buffers": "lines", "FIFOs read": "queues", "ROMs": "roms"}  # what a table calls a pair of fields


@dataclass(frozen=True)
class Memories:
    """Bits of one layer.

    Args:
        lines_lut, lines_bram: Of the delays of its windows, in LUTs and registers, and in block RAM.
        queues_lut, queues_bram: Of the queues that it reads.
        roms_lut, roms_bram: Of the weights that it shares multipliers among, and of its tables.
    """

    lines_lut: int = 0
    lines_bram: int = 0
    queues_lut: int = 0
    queues_bram: int = 0
    roms_lut: int = 0
    roms_bram: int = 0

    @classmethod
    def of(
        cls,
        lines: Iterable[tuple[int, bool]] = (),
        queues: Iterable[tuple[int, bool]] = (),
        roms: Iterable[tuple[int, bool]] = (),
    ) -> Memories:
        """From (bits, whether in block RAM) of each delay, each queue and each ROM."""
        every = [list(lines), list(queues), list(roms)]
        return cls(*(sum(bits for bits, block in found if block is where) for found in every for where in (False, True)))


def memory_table(found: Mapping[str, Memories]) -> str:
    """The layers that keep anything, and kinds of which there is any, for people; empty where there is none."""
    head, rows = memory_cells(found)
    return table(head, rows) if rows else ""


def memory_cells(found: Mapping[str, Memories]) -> tuple[list[str], Sequence[list[str]]]:
    """(head, rows) of that table."""
    pairs = {k: (f"{field}_lut", f"{field}_bram") for k, field in _KINDS.items()}
    shown = {k: pair for k, pair in pairs.items() if any(getattr(m, f) for m in found.values() for f in pair)}
    head = ["bits of", *(cell for kind in shown for cell in (f"{kind}: LUT", "BRAM"))]
    amounts = {name: [getattr(m, f) for pair in shown.values() for f in pair] for name, m in found.items()}
    return head, [[name, *(f"{bits:,}" if bits else "-" for bits in own)] for name, own in amounts.items() if any(own)]
