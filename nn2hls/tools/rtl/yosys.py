"""Yosys: logic synthesis of Verilog for AMD, Lattice, Gowin, GateMate or plain gates, and a count of its cells.

How cells become resources:

* **LUT**: each LUT1 .. LUT6 and INV is one, although the vendor's placer packs some pairs into one: an upper bound. A LUT
  used as memory or shift register counts as the LUTs that it takes (RAM32M: 4). For ECP5 a LUT is a LUT4; a CCU2C is two
  of them in their carry mode, and a 16 x 4 RAM four. For iCE40, Gowin and GateMate it is a LUT4, too, and so is a bit of an
  adder that takes the place of one.
* **FF**: flip-flops and latches.
* **DSP**: DSP48E1, DSP48E2; ECP5: MULT18X18D (a MULT9X9D counts as one, too).
* **BRAM**: in units of 18 Kbit: RAMB18 is 1, RAMB36 is 2, DP16KD is 1, and so are Gowin's and GateMate's. **URAM**: URAM288.
* **Gates**: of two inputs, and inverters, where no FPGA is meant.
* What has its own place beside them is listed, not added: carry chains (CARRY4, CARRY8), multiplexers (MUXF7, PFUMX), buffers.

A cell that is in none of these is listed as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.guard import Guard
from nn2hls.tools.find import find, version
from nn2hls.tools.report import RESOURCES, Figures, Resources
from nn2hls.tools.step import Done, run_step

_GUARD = Guard(ToolError, "The count of cells")
SECONDS = 3600.0  # for one design
LOG = "yosys.log"
CELLS = "yosys_cells.json"
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*\Z")

# The command by the beginning of the part's name; the first that fits.
_XILINX = "synth_xilinx -family {} -flatten -noiopad -noclkbuf"
_ECP5 = "synth_ecp5"
_GATES = "synth -flatten"  # and abc -g gates
SYNTHS = ("xilinx", "ecp5", "gates")  # what may be asked for in place of the part's own
COMMANDS = (
    (re.compile(r"xc7"), _XILINX.format("xc7")),
    (re.compile(r"xc(ku|vu|zu|au)\d+[a-z]*p|xczu|xc(u\d|ux)|xck\d"), _XILINX.format("xcup")),
    (re.compile(r"xc[kv]u\d"), _XILINX.format("xcu")),
    (re.compile(r"lfe5"), _ECP5),
    (re.compile(r"ice40"), "synth_ice40"),
    (re.compile(r"gw\d"), "synth_gowin"),
    (re.compile(r"ccgm"), "synth_gatemate -luttree -nomx8 -nomult"),
)

_BELS: dict[str, dict[str, int]] = {
    "lut": {
        **{f"LUT{n}": 1 for n in range(1, 7)},
        **dict.fromkeys(("INV", "SRL16", "SRL16E", "SRLC16", "SRLC16E", "SRLC32E"), 1),
        **dict.fromkeys(("RAM16X1S", "RAM16X1S_1", "RAM32X1S", "RAM32X1S_1", "RAM64X1S", "RAM64X1S_1"), 1),
        **dict.fromkeys(("RAM16X1D", "RAM16X1D_1", "RAM32X1D", "RAM32X1D_1", "RAM64X1D", "RAM64X1D_1", "RAM128X1S"), 2),
        **dict.fromkeys(("RAM32X2S", "CCU2C", "ROM128X1"), 2),
        **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S", "TRELLIS_DPR16X4", "ROM256X1"), 4),
        **dict.fromkeys(("SB_LUT4", "ALU", "CC_LUT1", "CC_LUT2", "CC_L2T4", "CC_L2T5", "CC_MX2", "CC_ADDF"), 1),
        **dict.fromkeys(("CC_MX4",), 2),
        **dict.fromkeys(("RAM16SDP4",), 4),
        **dict.fromkeys(("RAM32M16", "RAM64M8", "RAM256X1D", "RAM512X1S"), 8),
    },
    "ff": dict.fromkeys(
        ("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "LDCE", "LDPE", "TRELLIS_FF"), 1
    ),
    "dsp": dict.fromkeys(("DSP48E1", "DSP48E2", "MULT18X18D", "MULT9X9D", "SB_MAC16", "MULT9X9", "MULT18X18"), 1),
    "bram": {
        **dict.fromkeys(("RAMB18E1", "RAMB18E2", "DP16KD", "PDPW16KD", "SDPB", "DPB", "SP", "pROM", "CC_BRAM_20K"), 1),
        **dict.fromkeys(("RAMB36E1", "RAMB36E2"), 2),
    },
    "uram": {"URAM288": 1, "URAM288_BASE": 1},
}
_GATE = re.compile(r"\$_(AND|NAND|OR|NOR|XOR|XNOR|ANDNOT|ORNOT|NOT)_\Z")
_FLIP_FLOP = re.compile(r"\$_(S|A|AL)?DFF\w*_\Z|\$_DLATCH\w*_\Z|SB_DFFN?E?(S|R|SS|SR)?\Z|DFFN?[SRPC]?E?\Z|CC_DFF\Z")
_BESIDE = frozenset(
    (
        *(
            "SB_CARRY",
            "SB_GB",
            "SB_RAM40_4K",
            "MUX2_LUT5",
            "MUX2_LUT6",
            "MUX2_LUT7",
            "MUX2_LUT8",
            "CC_BUFG",
            "CC_IBUF",
            "CC_OBUF",
        ),
        *("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "PFUMX", "L6MUX21", "BUFG", "BUFGCE", "IBUF", "OBUF", "GND", "VCC"),
    )
)


@dataclass(frozen=True)
class Synthesis:
    """What yosys made of a design.

    Args:
        figures: Its resources.
        beside: Cells that are no LUT, FF, DSP or BRAM, with their number.
        unknown: Cells that the table does not know, with their number: they are missing in the figures.
        run: The command, the log and the time.
    """

    figures: Figures
    beside: Mapping[str, int]
    unknown: Mapping[str, int]
    run: Done

    @property
    def note(self) -> str:
        """What the figures do not say, for a report."""
        parts = [f"{n:,} {cell}" for cell, n in self.beside.items()]
        missing = [f"{n:,} {cell}" for cell, n in self.unknown.items()]
        text = f"beside them {', '.join(parts)}" if parts else ""
        return "; ".join(filter(None, [text, f"NOT COUNTED: {', '.join(missing)}" if missing else ""]))


def command_for(part: str, synth: str = "") -> str:
    """Yosys' synthesis command for a part.

    Args:
        part: Its name, from the first letter on: ``xc7vx690t-3ffg1930``, ``LFE5U85F8BG756C``.
        synth: One of SYNTHS, whatever the part is, but for AMD's families, which differ; empty: the part's own.

    Raises:
        ToolError: Yosys has none for it, or there is no such ``synth``.
    """
    if synth and synth not in SYNTHS:
        raise ToolError(f"There is no synthesis '{synth}'.", where="--synth", fix=f"Use {', '.join(SYNTHS)}.")
    if synth in ("ecp5", "gates"):
        return _ECP5 if synth == "ecp5" else _GATES
    for pattern, command in COMMANDS:
        if pattern.match(part.strip().lower()) and (not synth or synth in command):
            return command
    raise ToolError(
        f"Yosys cannot synthesise for the part '{part}'.",
        where="Part",
        fix="It knows AMD's 7 series and UltraScale(+), Lattice ECP5 and iCE40, Gowin and GateMate. --synth gates: gates.",
    )


def synthesise(
    folder: Path,
    top: str,
    part: str,
    sources: Sequence[str] = (),
    *,
    synth: str = "",
    seconds: float = SECONDS,
    command: str = "",
) -> Synthesis:
    """Synthesise a module and count its cells, out of context: without buffers at its ports.

    Args:
        folder: Has the sources and the memory images that they read.
        top: The module.
        part: Decides the family.
        sources: File names in the folder; without, ``<top>.v``.
        synth: See :func:`command_for`.
        seconds: After that time it is ended.
        command: Yosys' own in place of the part's, such as one that keeps the netlist.

    Raises:
        ToolError: Yosys is missing, does not know the part, refuses the Verilog, or takes too long or too much memory.
    """
    command, log = command or command_for(part, synth), f"yosys_{synth}.log" if synth else LOG
    files = list(sources) or [f"{top}.v"]
    for name in (top, *files):
        if not _FILE.match(name):
            raise ToolError(f"'{name}' cannot be given to yosys.", where=str(folder), fix="Use letters, digits, _ and dots.")
    program = find("yosys")
    # -defer: modules are read when their parameters are known, among them the names of memory images
    script = f"read_verilog -defer -sv {' '.join(files)}; hierarchy -check -top {top}; {command} -top {top}; "
    script += "abc -g gates; opt_clean; " if command == _GATES else ""
    script += f"tee -q -o {CELLS} stat -json"
    run = run_step([program, "-q", "-p", script], folder, folder / log, seconds)
    if run.status:
        raise ToolError(f"Yosys refuses the Verilog:\n{run.tail}", where=str(folder / files[0]))
    cells = _cells(folder / CELLS)
    resources, beside, unknown = count_cells(cells)
    gates = sum(n for cell, n in cells.items() if _GATE.match(cell)) if command == _GATES else None
    if gates is not None:
        resources = Resources(ff=resources.ff)
    name = f"{re.split(' -(?:flatten|json)', command)[0]}{'' if gates is None else ', gates'}"
    figures = Figures("synthesis", f"yosys {version(program)} {name}", resources, gates=gates)
    return Synthesis(figures, beside, unknown, run)


def count_cells(cells: Mapping[str, int]) -> tuple[Resources, dict[str, int], dict[str, int]]:
    """Resources, the cells beside them, and those that are not known, of a number of cells by type."""
    total = {r: sum(n * _BELS[r].get(cell, 0) for cell, n in cells.items()) for r in RESOURCES}
    total["ff"] += sum(n for cell, n in cells.items() if _FLIP_FLOP.match(cell))
    beside = {cell: n for cell, n in sorted(cells.items()) if cell in _BESIDE}
    counted = {cell for kind in _BELS.values() for cell in kind} | _BESIDE
    plain = {cell for cell in cells if _GATE.match(cell) or _FLIP_FLOP.match(cell)}
    unknown = {cell: n for cell, n in sorted(cells.items()) if cell not in counted | plain | {"$scopeinfo"}}  # a name only
    return Resources(**total), beside, unknown


def _cells(path: Path) -> dict[str, int]:
    """Cells by type, of the whole design."""
    try:
        return {str(k): int(n) for k, n in _GUARD.load(path)["design"]["num_cells_by_type"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"Yosys left no count of its cells ({error!r}).", where=str(path)) from error
