"""A core in Verilog, as an HLS tool leaves it, and the wrapper that gives it one port per tensor and aligned outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.guard import Guard
from nn2hls.hardware.words import HARDWARE
from nn2hls.tools.folder import render

_GUARD = Guard(ToolError, "The core's Verilog")
WIDEST = 64  # bits of a port of a core: a C long long
_IDENTIFIER = re.compile(r"(?!(?i:nn2hls))[A-Za-z][A-Za-z0-9_]*\Z")
# What a port of the wrapper must not be called: words of Verilog and VHDL, and the wrapper's own ports.
RESERVED = HARDWARE | {
    "clock",
    "reset",
    "valid_in",
    "ready_in",
    "valid_out",
    "weights_write",
    "weights_address",
    "weights_data",
}


@dataclass(frozen=True)
class Port:
    """One element of a tensor: a port of the core.

    Args:
        name: In C; the Verilog has it as it is or with an underscore before it.
        width: Bits of the element's fixed-point type; the port of the core may be wider.
        signed: Of that type.
    """

    name: str
    width: int
    signed: bool


Tensors = tuple[tuple[str, tuple[Port, ...]], ...]


@dataclass(frozen=True)
class Core:
    """A core: ``clock``, ``reset``, ``start_port``, ``done_port``, and one port per element.

    Args:
        name: The top function: module ``name`` in ``name.v``.
        folder: Has ``name.v``, and the memory images that it reads.
        inputs, outputs: Name and elements of each tensor.
        pipelined: It takes an event every clock; otherwise one at a time, from start to done.
        reset_low: Its reset is active low.
    """

    name: str
    folder: Path
    inputs: Tensors
    outputs: Tensors
    pipelined: bool
    reset_low: bool = True

    @property
    def wrapper(self) -> str:
        """The module of the wrapper, in ``<wrapper>.v``."""
        return f"{self.name}_top"

    @property
    def source(self) -> Path:
        """The core's Verilog."""
        return self.folder / f"{self.name}.v"

    @cached_property
    def rtl_ports(self) -> Mapping[str, tuple[str, int]]:
        """Direction and width of the ports of its module.

        Raises:
            ToolError: The file or the module in it is missing.
        """
        return module_ports(_GUARD.report(self.source), self.name, str(self.source))


# X#, self.name, str(self.source))


@dataclass(frozen=True)
class Alignment:
    """When a core shows the elements of its outputs.

    Args:
        delays: For each element of all outputs: clocks from the one in which the inputs are on the ports (for a core
            that is not pipelined: from the one with ``done_port``, negative before it) to the one that shows it.
        done: The same for ``done_port``; 0 when the core is not pipelined.
        constant: Elements that had the same value in all events, as ``tensor[index]``: their delay is not seen, and
            ``done_port``'s is taken, unless the port never changes at all.
    """

    delays: tuple[int, ...]
    done: int
    constant: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """The clock in which all elements of an event can be shown together."""
        return max(self.delays)


@dataclass(frozen=True)
class Element:
    """An element with its place: a port of the core, and bits of a tensor's port of the wrapper."""

    tensor: str
    index: int
    width: int
    signed: bool
    rtl: str
    rtl_width: int
    low: int

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.tensor}[{self.index}]"

    @property
    def slice(self) -> str:
        """Its bits of the tensor's port."""
        return f"[{self.low + self.width - 1}:{self.low}]"


def elements(core: Core, tensors: Tensors, direction: str) -> list[Element]:
    """The elements of the inputs or the outputs, with the core's ports.

    Raises:
        ToolError: The core has no such port, or it is too narrow.
    """
    return list(_elements(core, tensors, direction))


def _elements(core: Core, tensors: Tensors, direction: str) -> Iterator[Element]:
    for tensor, ports in tensors:
        low = 0
        for index, port in enumerate(ports):
            where = f"{core.source.name}: {tensor}[{index}]"
            rtl = next((n for n in (port.name, f"_{port.name}") if n in core.rtl_ports), None)
            if rtl is None or core.rtl_ports[rtl][0] != direction:
                known = ", ".join(n for n, (d, _) in core.rtl_ports.items() if d == direction)
                raise ToolError(f"The core has no {direction} port '{port.name}'; it has {known}.", where=where)
            width = core.rtl_ports[rtl][1]
            if not port.width <= width <= WIDEST:
                raise ToolError(f"The port {rtl} has {width} bits, and {port.width} to {WIDEST} are expected.", where=where)
            yield Element(tensor, index, port.width, port.signed, rtl, width, low)
            low += port.width


_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_PORT = re.compile(
    r"\b(input|output|inout)\b\s*(?:\b(?:wire|reg|logic)\b)?\s*(?:\bsigned\b)?\s*(?:\[\s*(\d+)\s*:\s*(\d+)\s*\])?\s*"
    r"((?:(?!\b(?:input|output|inout)\b)[\w$]+\s*,?\s*)+)"
)


def module_ports(text: str, module: str, where: str) -> dict[str, tuple[str, int]]:
    """Direction and width of each port of a module whose widths are numbers.

    Raises:
        ToolError: The module is not there.
    """
    start = re.search(rf"^\s*module\s+{re.escape(module)}\b", text, re.M)
    if start is None:
        raise ToolError(f"It holds no module '{module}'.", where=where)
    end = text.find("endmodule", start.end())
    body = _COMMENT.sub(" ", text[start.end() : end])
    found = {}
    for direction, high, low, names in _PORT.findall(body):
        width = abs(int(high) - int(low)) + 1 if high else 1
        found.update(dict.fromkeys(re.findall(r"[\w$]+", names), (direction, width)))
    return found


def port_names(core: Core) -> dict[str, str]:
    """The wrapper's port of each tensor: its name, changed where Verilog or VHDL mean something by it.

    Raises:
        ToolError: A name is no identifier.
    """
    found: dict[str, str] = {}
    for tensor, _ in (*core.inputs, *core.outputs):
        if not _IDENTIFIER.match(tensor):
            raise ToolError(f"'{tensor}' is no name for a port.", where=core.name, fix="Use letters, digits and underscores.")
        if tensor in found:
            raise ToolError(f"Two tensors are called '{tensor}'.", where=core.name)
        taken = RESERVED | {n.lower() for n in found.values()}
        name, n = tensor, 1
        while name.lower() in taken:
            n += 1
            name = f"{tensor}_{n}"
        found[tensor] = name
    return found


def wrap(core: Core, alignment: Alignment) -> str:
    """The Verilog of the wrapper, to be written as ``<core.wrapper>.v``.

    It has one port per tensor: the elements side by side, element 0 in the low bits, each as wide as its fixed-point
    type. A pipelined core takes an event in every clock with ``valid_in``; another one in a clock with ``valid_in`` and
    ``ready_in``. All outputs of an event stand in the one clock with ``valid_out``. ``reset`` is active high.

    Raises:
        ToolError: The core's ports are not those of its tensors.
    """
    inputs, outputs = elements(core, core.inputs, "input"), elements(core, core.outputs, "output")
    names = port_names(core)
    last = alignment.last if core.pipelined else max(alignment.last, 0)
    return render(
        "rtl_top.v",
        core=core,
        names=names,
        order={tensor: n for n, (tensor, _) in enumerate(core.inputs)},
        widths={t: sum(p.width for p in ports) for t, ports in (*core.inputs, *core.outputs)},
        kinds={t: _kind(ports) for t, ports in (*core.inputs, *core.outputs)},
        inputs=inputs,
        outputs=[(e, last - delay) for e, delay in zip(outputs, alignment.delays, strict=True)],
        last=last,
    )


def _kind(ports: tuple[Port, ...]) -> str:
    """What a port of the wrapper holds, for its comment."""
    types = sorted({f"{'signed' if p.signed else 'unsigned'}, {p.width} bit" for p in ports})
    return f"{len(ports)} x {' or '.join(types)}"
