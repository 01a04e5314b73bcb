"""ONNX models to graphs: raw exporter files, opset 6 to the newest one of the installed onnx package."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.onnx.attention import ATTENTION
from nn2hls.converters.onnx.channels_last import CHANNELS_LAST
from nn2hls.converters.onnx.choice import CHOICE
from nn2hls.converters.onnx.context import At, Context, Handler, Known, Value
from nn2hls.converters.onnx.file import FileNode, check_names, parse_model, read_model
from nn2hls.converters.onnx.fold import fold, foldable, spent, split
from nn2hls.converters.onnx.graph import FileGraph, read_graph
from nn2hls.converters.onnx.microsoft import MICROSOFT
from nn2hls.converters.onnx.moves import MOVES
from nn2hls.converters.onnx.norms import NORMS
from nn2hls.converters.onnx.ops import ARITHMETIC
from nn2hls.converters.onnx.patterns import simplify
from nn2hls.converters.onnx.quantised_values import QUANTISED
from nn2hls.converters.onnx.quantisers import QUANTISERS
from nn2hls.converters.onnx.recurrent import RECURRENT
from nn2hls.converters.onnx.reductions import REDUCTIONS
from nn2hls.converters.onnx.refusals import CONTROL, NO_OPERATORS, makes_labels, not_offered_node, way_out
from nn2hls.converters.onnx.run_time import RUN_TIME
from nn2hls.converters.onnx.shapes import SHAPES
from nn2hls.converters.onnx.unary import UNARY
from nn2hls.converters.onnx.windows import WINDOWS
from nn2hls.converters.plugins import brought
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.graph.graph import Absent, Fate, Graph, Origin
from nn2hls.ops import Input

if TYPE_CHECKING:
    from onnx import ModelProto

# Constants that these make of a quantised model's are its own as well.
_REARRANGE = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
HANDLERS = {
    **ARITHMETIC,
    **UNARY,
    **SHAPES,
    **MOVES,
    **REDUCTIONS,
    **WINDOWS,
    **ATTENTION,
    **NORMS,
    **CHOICE,
    **RECURRENT,
    **QUANTISERS,
    **RUN_TIME,
    **CHANNELS_LAST,
    **MICROSOFT,
}


def load_file(path: str | Path) -> Graph:
    """The graph of an ``.onnx`` file; the first axis of each input is the batch.

    Nothing in the file is run, and external data is read from the file's own folder only.

    Raises:
        ModelError: The file is damaged.
        UnsupportedError: Lists every node that is not supported, with the reason.
    """
    path = Path(path)
    return _convert(read_model(path), path.parent, str(path))


def load_live(model: ModelProto | bytes) -> Graph:
    """The graph of a model in memory, or of its bytes, without external data; errors as for :func:`load_file`."""
    proto = parse_model(model, "ONNX model") if isinstance(model, bytes) else model
    return _convert(proto, None, "ONNX model")


def _convert(model: ModelProto, folder: Path | None, where: str) -> Graph:
    check_names(model, where)
    graph = read_graph(model, folder, where)
    known, problems, total, own = dict(graph.constants), dict[str, str](), 0, dict[str, np.ndarray]()
    for node in graph.nodes:
        if foldable(node) and all(i in known or not i for i in node.inputs):
            try:
                value = fold(node, [known[i] if i else None for i in node.inputs])
                total = spent(total, value)
                known[node.outputs[0]] = value
                if node.op in QUANTISED or (node.op in _REARRANGE and node.inputs[0] in own):
                    own[node.outputs[0]] = known[node.inputs[1]] if node.op in QUANTISED else own[node.inputs[0]]
            except ValueError as error:
                problems[node.outputs[0]] = str(error)
    simple = simplify(dataclasses.replace(graph, nodes=tuple(n for n in graph.nodes if not set(n.outputs) & set(known))), known)
    lowered = _lower(simple, known, problems, own, where)
    return dataclasses.replace(lowered, absent=(*lowered.absent, *_absent(graph, simple, known)))


def _absent(graph: FileGraph, simple: FileGraph, known: Mapping[str, np.ndarray]) -> Iterator[Absent]:
    """The nodes and constants of the file that were taken into others."""
    yield from (Absent(name, Fate.CONSTANT) for name in graph.constants)
    kept, makers = {n.name for n in simple.nodes}, {o: n.name for n in simple.nodes for o in n.outputs}
    for node in graph.nodes:
        result = node.outputs[0] if node.outputs else ""
        if node.name in kept:
            continue
        if result in known:
            yield Absent(node.name, Fate.CONSTANT)
        else:
            yield Absent(node.name, Fate.FOLDED if result in makers else Fate.UNUSED, makers.get(result, ""))


def _lower(
    graph: FileGraph, known: dict[str, np.ndarray], problems: dict[str, str], own: Mapping[str, np.ndarray], where: str
) -> Graph:
    context = Context(graph.batches, graph.opset, quantised=own)
    for name, array in known.items():
        context.values[name] = Known((array,) * len(graph.batches))
    for name, shape in graph.inputs.items():
        context.values[name] = Tensor(context.builder.add(name, Input(shape), (), Origin(name, "Input")), shape)
    refused = list(_refusals(graph, context, problems))
    if refused:
        listed = "".join(f"\n  {line}" for line in refused)
        what = f"{len(refused)} of its nodes cannot be converted:{listed}\n"
        raise UnsupportedError(what, where=where, fix=way_out(graph))
    return _pruned(context.builder.build(_output(name, context, where) for name in graph.outputs))


def _output(name: str, context: Context, where: str) -> str:
    value = context.values[name]
    if isinstance(value, Known):
        fix = "Remove it from the model."
        raise UnsupportedError(f"Output '{name}' does not depend on any input.", where=where, fix=fix)
    if not value.is_plain:
        fix = "Give the output the batch as its first axis, or cut the model before that with onnx.utils.extract_model."
        raise UnsupportedError(f"The first axis of output '{name}' is not the batch alone.", where=where, fix=fix)
    if value.hidden is not None:
        raise UnsupportedError(f"Output '{name}' is minus infinity where a mask says so.", where=where, fix="Cut it off.")
    return value.node


def _refusals(graph: FileGraph, context: Context, problems: dict[str, str]) -> Iterator[str]:
    """Lower every node, in order; yields a line for each that is refused, those that only depend on one excepted."""
    computed = set(graph.inputs)
    labels = makes_labels(graph)
    read = {*graph.outputs, *(i for n in graph.nodes for i in n.inputs)}
    for node in graph.nodes:
        depends = node.op not in ("Shape", "Size") and not computed.isdisjoint(node.inputs)
        computed.update(node.outputs if depends else ())
        reason = ("" if node.op in CONTROL | NO_OPERATORS else node.trouble) or problems.get(node.outputs[0], "")
        if not reason and _handler(node) is None and (depends or not foldable(node)):
            reason = not_offered_node(node, labels)
        ready = all(i in context.values for i in node.inputs if i)
        if not reason and ready:
            try:
                reason = _set_results(node, context, read)
            except (Refusal, ValueError) as error:
                reason = str(error)
        if reason:
            yield f"{node.name} ({node.kind or node.op}): {reason}"


def _set_results(node: FileNode, context: Context, read: set[str]) -> str:
    """Lower a node; why a result that is read is not computed, or nothing."""
    found = _value(node, context)
    results = list(found) if isinstance(found, Sequence) else [found]
    context.values.update({o: v for o, v in zip(node.outputs, results, strict=False) if o})
    if isinstance(results[0], Tensor) and results[0] in (context.values.get(i) for i in node.inputs):
        context.builder.dropped(node.name, results[0].node)
    further = [o for o in node.outputs[len(results) :] if o and o in read]
    return f"its further result '{further[0]}' is read, and only the first is computed" if further else ""


def _handler(node: FileNode) -> Handler | None:
    """What lowers a node: ours, or that of a plug-in for an operator of a domain of its own."""
    own: Handler | None = HANDLERS.get(node.op)
    return own or (brought("onnx", node.op) if "." in node.op else None)


def _value(node: FileNode, context: Context) -> Value | Sequence[Value]:
    operands = [context.values[i] if i else None for i in node.inputs]
    handler = _handler(node)
    if handler is not None and any(isinstance(v, Tensor) for v in operands):
        at = At(context, node)
        found = handler(at)
        if reason := at.not_understood():
            raise Refusal(reason)
        return found
    known = [v.arrays if isinstance(v, Known) else (None,) * len(context.batches) for v in operands]
    if node.op == "Split" and not node.trouble:
        each = [split(node, *[a for a in operand if a is not None]) for operand in zip(*known, strict=True)]
        return [Known(parts) for parts in zip(*each, strict=True)]
    if not foldable(node) or any(isinstance(v, Tensor) for v in operands):
        raise Refusal("this operator is only supported on constants")
    arrays = tuple(fold(node, [k[t] for k in known]) for t in range(len(context.batches)))
    context.folded = spent(context.folded, *arrays)
    return Known(arrays)


def _pruned(graph: Graph) -> Graph:
    """The graph without nodes that no output needs; inputs stay."""
    wanted = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
    nodes = tuple(n for n in graph.nodes if n.name in wanted or isinstance(n.op, Input))
    if len(nodes) == len(graph.nodes):
        return graph
    if not nodes:
        raise ModelError("No output is computed from an input.")
    return dataclasses.replace(graph, nodes=nodes)
