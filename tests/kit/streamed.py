"""A network of streams run process by process: gather, core, send."""

import numpy as np

from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.analysis import graph_ranges
from nn2hls.hardware.join import Join
from nn2hls.streams.plan import plan

JOINS = {Join.ADD: np.sum, Join.MAX: np.max, Join.MIN: np.min}


def firing(process, gathered):
    """(events, elements): what a process gives for what it gathers, (events, firings, K)."""
    if process.constants is not None:
        gathered = np.where(process.is_constant, process.constants, gathered)
    events, firings, size = gathered.shape
    if process.op.repeats is not None:
        return stepped(process, gathered)
    if process.core is None:
        return gathered.reshape(events, -1)
    operands = np.split(gathered.reshape(events * firings, size), np.cumsum(process.sizes)[:-1], axis=1)
    found = process.core.run(operands).reshape(events, firings, -1)
    return found.reshape(events, -1) if process.join is None else JOINS[process.join](found, axis=1)


def stepped(process, gathered):
    """The same of a recurrent layer: its body run firing by firing, with the states that the firing before left."""
    op, events = process.op.repeats, len(gathered)
    fraction = {n.name: n.result_type.fraction for n in op.body}
    given, states = [None] * op.sequences + list(process.initial), {}
    given += [None] * (len(op.body.inputs) - len(given))
    found = []
    for step in range(op.length):
        operands = iter(np.split(gathered[:, step], np.cumsum(process.sizes)[:-1], axis=1))
        xs = [next(operands) if v is None else np.broadcast_to(v.reshape(1, -1), (events, v.size)) for v in given]
        xs = [
            states.get(k, x).reshape(events, *n.shape).astype(np.int64)
            for k, (n, x) in enumerate(zip(op.body.inputs, xs, strict=True))
        ]
        values = emulated(op.body, xs, op.body.outputs)
        states = {op.sequences + k: values[name] for k, name in enumerate(op.body.outputs[: op.states])}
        ends = zip(list(op.body.outputs)[: op.states], list(op.body.inputs)[op.sequences :][: op.states], strict=True)
        assert all(fraction[name] == fraction[n.name] for name, n in ends)
        found.append(np.concatenate([values[name] for name in op.results], axis=1))
    return found[-1] if op.only_last else np.concatenate(found, axis=1)


def streamed(network, inputs):
    """The values (events, elements) of every input and process; ``inputs`` by name, in their own order."""
    values = {n: inputs[n].reshape(len(inputs[n]), -1)[:, order].astype(object) for n, order in network.inputs.items()}
    for process in network.processes:
        values[process.name] = firing(process, process.front.gather(values))
    return values


def outputs(network, values):
    """Of each output its flat mantissas, in its own order."""
    found = []
    for name, order in zip(network.outputs, network.leaving, strict=True):
        own = np.empty_like(values[name])
        own[:, order] = values[name]
        found.append(own)
    return found


def emulated(graph, inputs, names):
    """{name: (events, elements)} of the emulator, mantissas; ``inputs`` in the graph's order."""
    found = {}

    def take(name, start, values):
        found.setdefault(name, []).append(np.array(values).reshape(len(values), -1))

    Emulator(graph).run(inputs, take, raw=True, keep=names)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def checked(graph, x, positions=None):
    """The network of a graph whose every value, and every output, is the emulator's."""
    network = plan(graph, graph_ranges(graph), positions)
    values = streamed(network, {n.name: a for n, a in zip(graph.inputs, x, strict=True)})
    known = [p.name for p in network.processes if p.name in graph.by_name]
    want = emulated(graph, x, known)
    for name in known:
        assert np.array_equal(np.sort(values[name]), np.sort(want[name])), (name, graph[name].op)
    for name, found in zip(graph.outputs, outputs(network, values), strict=True):
        assert found.tolist() == want[name].tolist(), (name, graph[name].op)
    assert all(network.readers(name) for name in values if name not in network.inputs)
    return network
