"""Device families: what one operator of a schedule costs and how long it takes, read from ``families.yml``."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nn2hls.files import own_text
from nn2hls.hardware.schedule import Kind, Memory, Operator

# LUTs of a fabric multiplier whose wider operand has that many bits (Vitis HLS 2024.1 reports, UltraScale+).
FABRIC_MUL = {7: 33, 8: 40, 9: 49, 10: 62}
# Shapes of one BRAM_18K used as a ROM: words and bits per word on each of two ports; 512 x 36 has one port (AMD UG573).
BRAM18_TWO_PORTS = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18))
BRAM18_ONE_PORT = (*BRAM18_TWO_PORTS, (512, 36))
LUT_ROM_WORDS = 64  # one LUT6 holds 64 words of one bit
LUT_INPUTS = 6
AMD = "AMD"
MUX_INPUTS = 4  # one LUT6 selects one of four


@dataclass(frozen=True)
class Cost:
    """Resources of operators and memories, as an HLS report counts them; adds up."""

    dsp: int = 0
    lut: float = 0.0
    bram: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.dsp + other.dsp, self.lut + other.lut, self.bram + other.bram)

    def __mul__(self, count: int) -> Cost:
        return Cost(self.dsp * count, self.lut * count, self.bram * count)


@dataclass(frozen=True)
class Family:
    """Costs and delays of one family; the fields are those of ``families.yml``."""

    name: str
    title: str
    dsp: str
    ports: tuple[int, int]
    dsp_from: int
    dsp_narrow: int
    adder: Mapping[str, float]
    compare: Mapping[str, float]
    ns: Mapping[str, Any]
    reference: str
    grades: Mapping[str, float]
    vendor: str = AMD
    lut_inputs: int = LUT_INPUTS
    lutram: tuple[tuple[int, int, int], ...] = ((32, 6, 4), (64, 3, 4))

    def dsps(self, a: int, b: int, *, constant: bool = False) -> int:
        """DSP slices of an a x b bit signed product: 0 in fabric, several when an operand outgrows the ports.

        A constant of three or more digits is never too narrow: with fewer it would be no product.
        """
        if max(a, b) < self.dsp_from or (min(a, b) < self.dsp_narrow and not constant):
            return 0
        wide, narrow = self.ports
        return min(_tiles(a, wide) * _tiles(b, narrow), _tiles(b, wide) * _tiles(a, narrow))

    def cost(self, op: Operator) -> Cost:
        """Resources of all ``op.count`` copies. Tables cost nothing here: their memories do."""
        return _COST[op.kind](self, op.widths) * op.count

    def delay(self, op: Operator) -> float:
        """Nanoseconds from operand to result at the reference speed grade; of a table in block RAM from clock to output."""
        return _DELAY[op.kind](self, op.widths)

    def bit_delay(self, op: Operator) -> tuple[float, float]:
        """The same in two parts: from an operand's bit to that bit of the result, and of the carry to the top bit."""
        line = {Kind.ADD: "adder", Kind.COMPARE: "compare"}.get(op.kind)
        if line is None or (op.kind is Kind.COMPARE and op.widths[0] <= LUT_INPUTS):
            return self.delay(op), 0.0
        base, per_bit = self.ns[line]
        return float(base), float(per_bit * op.widths[-1])

    def memory_luts(self, words: int, width: int) -> int:
        """LUTs of a memory with a port to write and one to read at once; of several below each other with what chooses."""
        ways = []
        for depth, bits, luts in self.lutram:
            banks = math.ceil(words / depth)
            ways.append(banks * math.ceil(width / bits) * luts + math.ceil((banks - 1) / (MUX_INPUTS - 1)) * width)
        return min(ways) if ways else words * width

    def memory(self, memory: Memory) -> Cost:
        """BRAM_18K or LUTs of all copies of a ROM."""
        if not in_bram(memory.words, memory.width):
            return Cost(lut=_rom_luts(memory.words, memory.width) * memory.copies * max(1, memory.ports))
        shapes = BRAM18_ONE_PORT if memory.ports == 1 else BRAM18_TWO_PORTS
        blocks = min(math.ceil(memory.words / depth) * math.ceil(memory.width / bits) for depth, bits in shapes)
        return Cost(bram=blocks * memory.copies)


def ram_blocks(words: int, width: int) -> int:
    """BRAM_18K of a memory with a port to write and one to read."""
    return min(math.ceil(words / depth) * math.ceil(width / bits) for depth, bits in BRAM18_ONE_PORT)


def in_bram(words: int, width: int) -> bool:
    """True when a ROM is a block RAM: deeper than one LUT6, and larger than 1,024 bits, where HLS tools leave LUTs."""
    return words > LUT_ROM_WORDS and words * width > 1024


def _rom_luts(words: int, width: int) -> int:
    return math.ceil(words / LUT_ROM_WORDS) * width


def _tiles(width: int, port: int) -> int:
    """Parts of at most ``port`` bits: the top one signed, each lower one needs a zero sign bit."""
    return 1 if width <= port else 1 + math.ceil((width - port) / (port - 1))


def _mul(f: Family, widths: tuple[int, ...], constant: bool = False) -> Cost:
    a, b = widths
    dsps = f.dsps(a, b, constant=constant)
    if dsps:
        # Partial products of a wide multiplier are added in the slices' own cascades.
        return Cost(dsp=dsps)
    # Elsewhere: one row of LUTs per two bits of the narrower operand, as wide as the other and the two bits it moves.
    wider, rows = max(widths), math.ceil(min(widths) / 2)
    return Cost(lut=FABRIC_MUL.get(wider, rows * (wider + 2)))


def _linear(field: str) -> Callable[[Family, tuple[int, ...]], Cost]:
    def cost(f: Family, widths: tuple[int, ...]) -> Cost:
        line: Mapping[str, float] = getattr(f, field)
        return Cost(lut=line["base"] + line["per_bit"] * widths[-1])

    return cost


def _select(_: Family, widths: tuple[int, ...]) -> Cost:
    width, words = widths
    return Cost(lut=width * math.ceil(words / MUX_INPUTS))


def _levels(inputs: int) -> int:
    """LUT levels of a choice among ``inputs``."""
    return max(1, math.ceil(math.log(inputs, MUX_INPUTS) - 1e-9)) if inputs > 1 else 0


def _mul_ns(f: Family, widths: tuple[int, ...], constant: bool = False) -> float:
    a, b = widths
    dsps = f.dsps(a, b, constant=constant)
    if dsps:
        return float(f.ns["dsp"] + (dsps - 1) * f.ns["cascade"])
    # A fabric multiplier adds pairs of rows: log2(rows) adders as wide as the product.
    rows = max(1, math.ceil(math.log2(math.ceil(min(widths) / 2))))
    return rows * _line_ns(f, "adder", sum(widths))


def _rom_ns(f: Family, widths: tuple[int, ...]) -> float:
    """A table in LUTs: one LUT6 per 64 words, then a choice among them; in block RAM: clock to output."""
    words = 1 << widths[0]
    if in_bram(words, widths[1]):
        return float(f.ns["bram"])
    return float(f.ns["level"] * (1 + _levels(math.ceil(words / LUT_ROM_WORDS))))


def _line_ns(f: Family, field: str, width: int) -> float:
    base, per_bit = f.ns[field]
    return float(base + per_bit * width)


_COST: dict[Kind, Callable[[Family, tuple[int, ...]], Cost]] = {
    Kind.MUL: _mul,
    Kind.MUL_CONST: lambda f, widths: _mul(f, widths, constant=True),
    Kind.ADD: _linear("adder"),
    Kind.COMPARE: _linear("compare"),
    Kind.SELECT: _select,
    Kind.ROM: lambda f, widths: Cost(),
}

_DELAY: dict[Kind, Callable[[Family, tuple[int, ...]], float]] = {
    Kind.MUL: _mul_ns,
    Kind.MUL_CONST: lambda f, widths: _mul_ns(f, widths, constant=True),
    Kind.ADD: lambda f, w: _line_ns(f, "adder", w[-1]),
    Kind.COMPARE: lambda f, w: _line_ns(f, "compare", w[-1]) if w[-1] > LUT_INPUTS else float(f.ns["level"]),
    Kind.SELECT: lambda f, w: f.ns["level"] * _levels(w[-1]),
    Kind.ROM: _rom_ns,
}


def _tuples(value: Any) -> Any:
    """The lists of a family as tuples."""
    if isinstance(value, dict):
        return {key: _tuples(v) if key in ("ports", "lutram") else v for key, v in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@functools.cache
def _families() -> dict[str, Family]:
    text = own_text(Path(__file__).parent / "families.yml")
    return {name: Family(name=name, **_tuples(data)) for name, data in yaml.safe_load(text).items()}


def family(name: str) -> Family:
    """A family by its name in ``families.yml``."""
    return _families()[name]
