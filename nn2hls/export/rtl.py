"""Verilog with what an IP core has around it: typed wrappers, port map, IP-XACT, constraints, scripts, a cocotb bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn2hls._version import __version__
from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import Design
from nn2hls.emit.closed import SUFFIX
from nn2hls.emit.rtl_project import FOLDER
from nn2hls.emit.stream_rtl import stream_ports
from nn2hls.errors import ConfigError
from nn2hls.export.ports import indices, json_text, ports_of
from nn2hls.export.vhdl import vhdl
from nn2hls.graph.const import Shape
from nn2hls.tools.folder import MANIFEST, Manifest, Project, render

_LISTED = 64  # elements of a tensor in ports.md
_FILES = {
    "README.md": "README.md",
    "ports.md": "ports.md",
    "rtl/{name}_typed.sv": "typed.sv",
    "rtl/{name}_typed.vhd": "typed.vhd",
    "component.xml": "component.xml",
    "constraints/{name}.xdc": "clock.xdc",
    "constraints/{name}.sdc": "clock.sdc",
    "scripts/vivado.tcl": "vivado.tcl",
    "scripts/quartus.tcl": "quartus.tcl",
    "sim/Makefile": "Makefile",
    "sim/test_{name}.py": "bench.py",
    "{name}_inst.v": "inst.v",
    "{name}_inst.vhd": "inst.vhd",
}


@dataclass(frozen=True)
class Tensor:
    """An input or output of the network on the pins of the core.

    Args:
        pin: The port with its data.
        layer: The network's own name.
        kind: The type of an element.
        dimensions: Of the tensor.
        is_input: Whether it enters.
        order: (tokens, lanes): the elements by their row-major number, lane 0 in the low bits; one token: all side by side.
    """

    pin: str
    layer: str
    kind: FixedType
    dimensions: Shape
    is_input: bool
    order: np.ndarray

    @property
    def tokens(self) -> int:
        """Of one event."""
        return int(self.order.shape[0])

    @property
    def lanes(self) -> int:
        """Elements side by side."""
        return int(self.order.shape[1])

    @property
    def width(self) -> int:
        """Bits of an element."""
        return self.kind.width

    @property
    def fraction(self) -> int:
        """Its fraction bits."""
        return self.kind.fraction

    @property
    def signed(self) -> bool:
        """Whether it can be negative."""
        return self.kind.signed

    @property
    def bits(self) -> int:
        """Of the pin."""
        return self.lanes * self.width

    @property
    def type(self) -> str:
        """As people write it."""
        return str(self.kind)

    @property
    def shape(self) -> str:
        """As people write it."""
        return f"({', '.join(map(str, self.dimensions))}{',' * (len(self.dimensions) == 1)})"

    @property
    def elements(self) -> list[dict[str, Any]]:
        """Index, token and bits of each, token by token."""
        every = list(indices(self.dimensions))
        return [
            {
                "index": list(every[int(number)]),
                "token": token,
                "high": lane * self.width + self.width - 1,
                "low": lane * self.width,
            }
            for token, row in enumerate(self.order)
            for lane, number in enumerate(row)
        ]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "pin": self.pin,
            "layer": self.layer,
            "direction": "input" if self.is_input else "output",
            "shape": list(self.dimensions),
            "type": self.type,
            "width": self.width,
            "fraction": self.fraction,
            "signed": self.signed,
            "tokens": self.tokens,
            "lanes": self.lanes,
            "elements": self.elements,
        }


@dataclass(frozen=True)
class Pin:
    """A port of the top module; ``tensor``: what lies on it, None for a single bit of control."""

    name: str
    is_input: bool
    words: str
    tensor: Tensor | None = None

    @property
    def bits(self) -> int:
        """How many."""
        return self.tensor.bits if self.tensor else 1


def rtl_project(design: Design) -> Project:
    """The core and what belongs to it.

    Raises:
        ConfigError: Its ports are AXI4-Stream, or it has memories to write, which the wrappers do not have.
        LimitError: An operator does not fit the clock.
    """
    if design.config.interface == "axis":
        fix = "Leave it out for the export, whose streams have valid and ready, or write the project itself: nn2hls convert."
        raise ConfigError("An exported core has no AXI4-Stream ports.", where="Interface", fix=fix)
    if (node := next((n for n in design.graph if n.op.written), None)) is not None:
        what = "An exported core has no port for its weights."
        fix = "Leave Weights out for the export, or write the project itself: nn2hls convert."
        raise ConfigError(what, where=node.origin.layer or node.name, fix=fix)
    design = replace(design.for_tool("rtl"), board=None)
    config, made, size = design.config, design.project, design.estimate()
    name = config.project_name
    tensors = _streams(design) if design.streams is not None else _side_by_side(design)
    pins = _stream_pins(tensors) if design.streams is not None else _pins(tensors)
    context = {
        "name": name,
        "version": __version__,
        "vhdl": vhdl,
        "pins": pins,
        "tensors": tensors,
        "streams": design.streams is not None,
        "latency": size.latency_cycles,
        "interval": size.ii,
        "clock": config.clock_period,
        "part": config.part,
        "most": _LISTED,
    }
    files = {path.format(name=name): render(f"ip/{template}", **context) for path, template in _FILES.items()}
    for path, text in made.files.items():
        place = path.removeprefix(f"{FOLDER}/")
        files[f"rtl/{place}" if place in (f"{name}.v", f"{name}{SUFFIX}.v") else f"sim/{place}"] = text
    contract = {"latency_clocks": size.latency_cycles, "interval_clocks": size.ii, "reset": "synchronous, active high"}
    control = [{"pin": p.name, "direction": "input" if p.is_input else "output", "what": p.words} for p in pins if not p.tensor]
    document = {"module": name, **contract, "control": control, "tensors": [t.document() for t in tensors]}
    files["ports.json"] = json_text(document)
    manifest = Manifest(name, config.backend, config.part, config.clock_period, {})
    return Project(name, files, {MANIFEST: manifest.text()})


def _side_by_side(design: Design) -> list[Tensor]:
    return [
        Tensor(p.name, p.node, p.kind, p.shape, p.is_input, np.arange(p.elements).reshape(1, -1))
        for p in ports_of(design.graph.needed(), design.config.project_name)
    ]


def _streams(design: Design) -> list[Tensor]:
    assert design.streams is not None
    network, graph = design.streams.network, design.streams.graph.needed()
    entering, leaving = stream_ports(network, graph, design.config.project_name)
    orders = [*(network.inputs[p.value] for p in entering), *network.leaving]
    nodes = [*(p.value for p in entering), *graph.outputs]
    return [
        Tensor(p.name, n, graph[n].result_type, graph[n].shape, k < len(entering), np.asarray(o).reshape(-1, p.stream.size))
        for k, (p, n, o) in enumerate(zip([*entering, *leaving], nodes, orders, strict=True))
    ]


def _words(tensor: Tensor) -> str:
    many = f"{tensor.lanes} elements" if tensor.tokens == 1 else f"{tensor.lanes} elements in each of {tensor.tokens} tokens"
    return f"{tensor.shape} of {tensor.type}: {many}, element 0 lowest"


def _pins(tensors: Sequence[Tensor]) -> list[Pin]:
    clock = [Pin("clock", True, "rising edges"), Pin("reset", True, "synchronous, active high")]
    before = [Pin("valid_in", True, "an event stands at the inputs"), Pin("ready_in", False, "it is taken")]
    data = [Pin(t.pin, t.is_input, _words(t), t) for t in tensors]
    return [*clock, *before, *data, Pin("valid_out", False, "the answers of an event stand at the outputs")]


def _stream_pins(tensors: Sequence[Tensor]) -> list[Pin]:
    pins = [Pin("clock", True, "rising edges"), Pin("reset", True, "synchronous, active high")]
    for t in tensors:
        pins.append(Pin(t.pin, t.is_input, _words(t), t))
        pins.append(Pin(f"{t.pin}_valid", t.is_input, f"a token stands at {t.pin}"))
        pins.append(Pin(f"{t.pin}_ready", not t.is_input, f"a token of {t.pin} is taken"))
    return pins
