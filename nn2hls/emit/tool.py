"""One small description per HLS tool: its language, its pragmas, how it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nn2hls.hardware.code import Pragma

_COMMON = {
    "partition": "ARRAY_PARTITION variable={0} complete dim=0",
    "banks": "ARRAY_PARTITION variable={0} cyclic factor={1}",
    "wide": "ARRAY_RESHAPE variable={0} cyclic factor={1}",
    "reshape": "ARRAY_RESHAPE variable={0} complete dim=0",
    "port": "INTERFACE ap_vld port={0}",
    "pipeline": "PIPELINE II={0}",
    "unroll": "UNROLL",
    "dataflow": "DATAFLOW",
    "fifo": "STREAM variable={0} depth={1}",
    "axis": "INTERFACE axis port={0}",
    "free": "INTERFACE ap_ctrl_none port=return",
}


@dataclass(frozen=True)
class Tool:
    """An HLS tool.

    Args:
        title: As its maker writes it.
        standard: The C++ standard of the sources, as its compilers call it.
        command: What runs the Tcl.
        uncertainty: The share of the clock period it keeps by itself, in percent.
        flow: Further words of ``open_solution``.
        setup: Tcl commands of the solution.
        own_arrays: Whether lookups that run side by side need an array each.
        own_adders: Whether it builds additions as they are written.
        pragmas: Texts by the words of :class:`nn2hls.hardware.code.Pragma`, with ``{0}`` .. for its arguments.
        sides: The least widths of TUSER, TID and TDEST that its AXI4-Stream has.
    """

    title: str
    standard: str
    command: str
    uncertainty: float
    flow: str
    setup: tuple[str, ...]
    own_arrays: bool
    own_adders: bool
    pragmas: Mapping[str, str]
    sides: tuple[int, int, int] = (0, 0, 0)

    def text(self, pragma: Pragma) -> str:
        """The pragma as this tool reads it; nothing when the tool has none of that kind."""
        found = self.pragmas.get(pragma.word)
        return "" if found is None else "#pragma HLS " + found.format(*pragma.arguments)


TOOLS = {
    "Vivado": Tool(
        "Vivado HLS",
        "c++0x",  # C++11 by the name that GCC 4.6 knows, which came with the tool until 2019
        "vivado_hls",
        12.5,
        "",
        ("config_array_partition -maximum_size 4096",),  # it partitions no array of more than 1,024 elements by itself
        False,
        False,
        {**_COMMON, "block_rom": "RESOURCE variable={0} core=ROM_nP_BRAM"},
        (1, 1, 1),
    ),
    "Vitis": Tool(
        "Vitis HLS",
        "c++14",
        "vitis_hls",
        27.0,
        " -flow_target vivado",
        (),
        False,
        False,
        {**_COMMON, "block_rom": "BIND_STORAGE variable={0} type=rom_np impl=bram"},
    ),
    # Bambu unrolls by NN2HLS_UNROLL and scalarises arrays by itself; it knows no such pragmas, and stops at some. What of the
    # clock period it keeps is in its characterised delays. Its core has pragmas of its own (templates/core.cpp.jinja).
    "Bambu": Tool("Bambu", "c++14", "bambu", 0.0, "", (), True, True, {}),
}


def lines(parts: Sequence[str | Pragma], indent: int, tool: Tool) -> str:
    """Statements and the pragmas that the tool has, as text."""
    out: list[str] = []
    for part in parts:
        if isinstance(part, Pragma):
            out += filter(None, [tool.text(part)])
            continue
        indent -= 4 * part.startswith("}")
        out.append(" " * indent + part)
        indent += 4 * part.endswith("{")
    return "\n".join(out) + "\n"
