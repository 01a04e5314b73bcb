"""A random network as processes: positions drawn by layer, the processes run in Python, and the project in C++."""

from nn2hls.emit.stream_project import emit_stream
from nn2hls.graph.analysis import graph_ranges
from nn2hls.size.streams import StreamSizer
from nn2hls.streams.chunks import allowed, position_axes
from nn2hls.targets import find_part
from tests.kit.streamed import checked

PART = find_part("xcvu13p-flga2577-2-e")
CLOCK = 5.0  # nanoseconds
UNCERTAINTY = 0.27


def positions(graph, rng):
    """For some layers of a fixed graph how many of their positions are computed at each firing, by name."""
    found = {}
    for node in graph:
        axes = position_axes(node.op, [graph[i].shape for i in node.inputs], node.shape) if node.inputs else 0
        if axes and rng.random() < 0.4:
            found[node.name] = int(rng.choice(allowed(node.shape[:axes])))
    return found


def check_processes(graph, inputs, chosen):
    """Gather, core and send of every process give the emulator's values.

    Raises:
        AssertionError: They do not.
        LimitError: The graph is not offered in streams.
    """
    checked(graph, inputs, chosen)


def project(graph, options, chosen):
    """The C++ of a graph in streams, with the depths that are computed."""
    sizer = StreamSizer(graph, graph_ranges(graph), PART, CLOCK, "vitis", UNCERTAINTY, chosen)
    return emit_stream(sizer.network, sizer.graph, options, sizer.fifos.depths)


def renamed(chosen_of_cases):
    """Positions of several graphs side by side."""
    return {f"g{k}_{name}": n for k, chosen in enumerate(chosen_of_cases) for name, n in chosen.items()}
