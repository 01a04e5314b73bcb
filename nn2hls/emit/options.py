"""What a project needs besides the graph, and what its ports are called."""

from __future__ import annotations

from dataclasses import dataclass

from nn2hls.emit.ports import Interface
from nn2hls.graph.graph import Graph
from nn2hls.targets.amd_board import AmdBoard


@dataclass(frozen=True)
class Options:
    """What the project needs besides the graph.

    Args:
        name: Project and top function, a C identifier.
        part, clock_period, clock_uncertainty: For the Tcl; the uncertainty in percent of the period.
        backend: ``Vivado``, ``Vitis``, ``Bambu`` or ``Verilog``.
        device: For Bambu, by its own name.
        interface: hls4ml's ports; None: ours.
        axis: Whether the ports of streams are AXI4-Stream.
        board: Of AMD's, for which a kernel is written around the core; None: none.
    """

    name: str = "myproject"
    part: str = "xcvu13p-flga2577-2-e"
    clock_period: float = 5.0
    clock_uncertainty: float = 27.0
    backend: str = "Vitis"
    device: str = "xc7vx690t-3ffg1930-VVD"
    interface: Interface | None = None
    axis: bool = False
    board: AmdBoard | None = None


def is_dataflow(graph: Graph) -> bool:
    """True when some layer is reused, so that layers run side by side instead of in one pipeline."""
    return any(n.op.reuse > 1 for n in graph)


def output_ports(graph: Graph) -> list[str]:
    """The top function's names of the outputs, in order."""
    return [f"out{k}" for k in range(len(graph.outputs))] if len(graph.outputs) > 1 else ["out"]
