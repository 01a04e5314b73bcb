"""One small description per HLS tool: its language, its pragmas, how it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nn2hls.ops.base import Pragma

_COMMON = {
    "partition": "ARRAY_PARTITION variable={0} complete dim=0",
    "banks": "ARRAY_PARTITION variable={0} cyclic factor={1}",
    "wide": "ARRAY_RESHAPE variable={0} cyclic factor={1}",
    "port": "INTERFACE ap_vld port={0}",
    "pipeline": "PIPELINE II={0}",
    "unroll": "UNROLL",
    "dataflow": "DATAFLOW",
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
        pragmas: Texts by the words of :class:`nn2hls.ops.base.Pragma`, with ``{0}`` .. for its arguments.
    """

    title: str
    standard: str
    command: str
    uncertainty: float
    flow: str
    setup: tuple[str, ...]
    pragmas: Mapping[str, str]

    def text(self, pragma: Pragma) -> str:
        """The pragma as this tool reads it."""
        return "#pragma HLS " + self.pragmas[pragma.word].format(*pragma.arguments)


TOOLS = {
    "Vivado": Tool(
        "Vivado HLS",
        "c++0x",  # C++11 by the name that GCC 4.6 knows, which came with the tool until 2019
        "vivado_hls",
        12.5,
        "",
        ("config_array_partition -maximum_size 4096",),  # it partitions no array of more than 1,024 elements by itself
        {**_COMMON, "block_rom": "RESOURCE variable={0} core=ROM_nP_BRAM"},
    ),
    "Vitis": Tool(
        "Vitis HLS",
        "c++14",
        "vitis_hls",
        27.0,
        " -flow_target vivado",
        (),
        {**_COMMON, "block_rom": "BIND_STORAGE variable={0} type=rom_np impl=bram"},
    ),
}
TOOLS["Bambu"] = TOOLS["Vitis"]  # its own pragmas come with its build; these stand under #ifndef __BAMBU__


def lines(parts: Sequence[str | Pragma], indent: int, tool: Tool) -> str:
    """Statements and pragmas as text; pragmas are hidden from Bambu, which stops at some of them."""
    out: list[str] = []
    guarded = False
    for part in parts:
        if isinstance(part, Pragma) != guarded:
            guarded = not guarded
            out.append("#ifndef __BAMBU__" if guarded else "#endif")
        if isinstance(part, Pragma):
            out.append(tool.text(part))
            continue
        indent -= 4 * part.startswith("}")
        out.append(" " * indent + part)
        indent += 4 * part.endswith("{")
    return "\n".join([*out, *(["#endif"] if guarded else [])]) + "\n"
