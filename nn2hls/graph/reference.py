"""The float reference: a float graph evaluated in float64 NumPy, without any framework."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from nn2hls.arith.parallel import in_order
from nn2hls.graph.graph import Graph
from nn2hls.graph.leaves import Constant, Input

CHUNK_BYTES = 4 << 20


def run_float(graph: Graph, inputs: Sequence[np.ndarray], keep: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """Evaluate the float graph, in chunks of events side by side in threads.

    Args:
        graph: A float graph.
        inputs: One array (events, *shape) per input of the graph.
        keep: Names of nodes whose values are wanted besides the outputs.

    Returns:
        Values by node name, each (events, *shape), float64.
    """
    wanted = {*keep, *graph.outputs}
    events = inputs[0].shape[0] if inputs else 1
    widest = max((int(np.prod(n.shape)) for n in graph), default=1)
    step = max(1, CHUNK_BYTES // (8 * widest))
    values = {name: np.empty((events, *graph[name].shape)) for name in wanted}
    told = np.geterr()  # of this thread alone

    def run_chunk(start: int) -> None:
        with np.errstate(**told):
            part = _evaluate(graph, [x[start : start + step] for x in inputs], min(step, events - start))
        for name in wanted:
            values[name][start : start + step] = part[name]

    for _ in in_order(run_chunk, range(0, max(events, 1), step)):
        pass
    return values


def _evaluate(graph: Graph, inputs: Sequence[np.ndarray], events: int) -> dict[str, np.ndarray]:
    fed = iter(inputs)
    values: dict[str, np.ndarray] = {}
    for node in graph:
        if isinstance(node.op, Input):
            values[node.name] = np.asarray(next(fed), dtype=np.float64)
        elif isinstance(node.op, Constant):
            values[node.name] = np.broadcast_to(node.op.value.array, (events, *node.shape))
        else:
            values[node.name] = node.op.evaluate_float(*(values[i] for i in node.inputs))
    return values
