"""The graph of an ONNX file in topological order, with its inputs, constants and outputs checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn2hls.converters.onnx.file import ELEMENT_LIMIT, ML, FileNode, Tensors, file_node, require_onnx
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.graph.const import Shape
from nn2hls.guard import MAX_LAYERS

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

OLDEST_OPSET = 6
TRIAL_BATCHES = (3, 7)  # what depends on a symbolic batch size is computed for both; the difference shows the dependence


@dataclass(frozen=True, eq=False)
class FileGraph:
    """What a file says, as plain data.

    Args:
        inputs: Shapes without batch axis, by name.
        outputs: Tensor names.
        constants: Initialisers, by name.
        nodes: In topological order.
        batches: Batch sizes to compute shapes for: the file's own number, or trial sizes when it is symbolic.
        opset: Version of the standard operators.
    """

    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    constants: Mapping[str, np.ndarray]
    nodes: tuple[FileNode, ...]
    batches: tuple[int, ...]
    opset: int

    def needed(self) -> FileGraph:
        """The graph without the nodes that no output depends on."""
        wanted, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if wanted & set(node.outputs):
                kept.append(node)
                wanted.update(node.inputs)
        return dataclasses.replace(self, nodes=tuple(reversed(kept)))


def read_graph(model: ModelProto, folder: Path | None, where: str) -> FileGraph:
    """The file's graph.

    Raises:
        ModelError: The model has no graph, a cycle, a missing tensor, or an input of no fixed shape.
    """
    onnx = require_onnx()
    graph = model.graph
    if not graph.node or not graph.output:
        raise ModelError("It holds no graph.", where=where, fix="Export it again; the file may be cut off.")
    if len(graph.node) > MAX_LAYERS:
        raise ModelError(f"It has {len(graph.node)} nodes; at most {MAX_LAYERS} are read.", where=where)
    opset = _opset(model, onnx, where)
    if graph.sparse_initializer:
        name = graph.sparse_initializer[0].values.name
        raise UnsupportedError(f"Initialiser '{name}' is sparse.", where=where, fix="Store it as a dense tensor.")
    tensors = Tensors(folder)
    words = _class_names(graph, onnx)
    constants = {t.name: tensors.array(t, t.name) for t in graph.initializer if t.name not in words}
    sizes = {i.name: _input_size(i, onnx) for i in graph.input if i.name not in constants.keys() | words}
    if not sizes:
        raise ModelError("It has no input.", where=where)
    context = onnx.checker.C.CheckerContext()
    context.ir_version = min(max(model.ir_version, 3), onnx.IR_VERSION)
    context.opset_imports = {"": opset, ML: next((o.version for o in model.opset_import if o.domain == ML), 1)}
    functions = {(f.domain, f.name) for f in model.functions}
    nodes = [_checked(file_node(n, tensors), n, functions, context, onnx) for n in graph.node]
    batch = {b for b, _ in sizes.values()}
    batches = TRIAL_BATCHES if None in batch or len(batch) > 1 else tuple(b for b in batch if b)
    outputs = tuple(o.name for o in graph.output)
    nodes = _sorted(nodes, {*constants, *words, *sizes}, outputs, where)
    return FileGraph({k: s for k, (_, s) in sizes.items()}, outputs, constants, tuple(nodes), batches, opset)


def _class_names(graph: GraphProto, onnx: Any) -> set[str]:
    """Initialisers of text that only name the classes of labels, which are refused with the line that cuts them off."""
    words = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.STRING}
    return words - {i for n in graph.node for i in n.input if (n.domain, n.op_type) != (ML, "ArrayFeatureExtractor")}


def _opset(model: ModelProto, onnx: Any, where: str) -> int:
    versions = {o.domain: o.version for o in model.opset_import}
    opset = versions.get("", versions.get("ai.onnx", 1 if model.ir_version < 3 else 0))
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedError(
            f"It uses opset {opset}; {OLDEST_OPSET} to {newest} are read.",
            where=where,
            fix="Convert it with onnx.version_converter, or install a newer onnx package.",
        )
    return int(opset)


def _input_size(value: Any, onnx: Any) -> tuple[int | None, Shape]:
    """Batch size (None when symbolic) and shape without it."""
    where = f"Input '{value.name}'"
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
        raise ModelError("It is no tensor of known shape.", where=where, fix="Export the model with fixed input shapes.")
    names = ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16", "INT64", "INT32")  # whole numbers for an Embedding
    if kind.elem_type not in {getattr(onnx.TensorProto, name) for name in names}:
        label = {v: k for k, v in onnx.TensorProto.DataType.items()}.get(kind.elem_type, kind.elem_type)
        raise UnsupportedError(f"It holds {label} values.", where=where, fix="Export the model with a float input.")
    dims = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    if not dims:
        raise ModelError("It is a scalar without a batch axis.", where=where, fix="The first axis must be the batch.")
    for axis, size in enumerate(dims[1:], start=1):
        if size is None or size < 1:
            label = kind.shape.dim[axis].dim_param or ("unknown" if size is None else size)
            raise UnsupportedError(
                f"Axis {axis} has the size '{label}'; only the first axis, the batch, may vary.",
                where=where,
                fix="Export the model with fixed sizes for the other axes.",
            )
    shape = tuple(d for d in dims[1:] if d is not None)
    if math.prod(shape) > ELEMENT_LIMIT:
        raise ModelError(f"Its shape {shape} has more than {ELEMENT_LIMIT} values.", where=where)
    return (dims[0] if dims[0] and dims[0] > 0 else None), shape


def _checked(node: FileNode, proto: Any, functions: set[tuple[str, str]], context: Any, onnx: Any) -> FileNode:
    """The node with the reason why it is malformed or foreign, if it is."""
    if node.trouble:
        return node
    if (proto.domain, proto.op_type) in functions:
        fix = "Inline the functions first: onnx.inliner.inline_local_functions(model)."
        return dataclasses.replace(node, trouble=f"it calls a function of the model. {fix}")
    if "." in node.op and proto.domain != ML:
        return node  # no handler knows it, and it is refused by name when it is needed
    try:
        onnx.checker.check_node(proto, context)
    except (onnx.checker.ValidationError, ValueError) as error:
        first = str(error).splitlines()[0].strip()
        return dataclasses.replace(
            node, trouble=f"it breaks the operator's definition in opset {context.opset_imports['']}: {first}"
        )
    return node


def _sorted(nodes: Sequence[FileNode], given: set[str], outputs: Sequence[str], where: str) -> list[FileNode]:
    """The nodes in topological order, the file's own order wherever it is one (Kahn)."""
    maker: dict[str, int] = {}
    for k, node in enumerate(nodes):
        for name in node.outputs:
            if name and (name in maker or name in given):
                raise ModelError(f"Tensor '{name}' is computed twice, by '{node.name}' the second time.", where=where)
            maker[name] = k
    for user, names in [*((f"Node '{n.name}'", n.inputs) for n in nodes), ("The output list", outputs)]:
        for name in names:
            if (name or names is outputs) and name not in maker and name not in given:
                raise ModelError(f"{user} reads tensor '{name}', which nothing computes.", where=where)
    users: list[list[int]] = [[] for _ in nodes]
    waiting = []
    for k, node in enumerate(nodes):
        sources = [maker[i] for i in node.inputs if i in maker and i]
        waiting.append(len(sources))
        for s in sources:
            users[s].append(k)
    return [nodes[k] for k in _kahn(users, waiting, nodes, where)]


def _kahn(users: list[list[int]], waiting: list[int], nodes: Sequence[FileNode], where: str) -> list[int]:
    import heapq

    ready = [k for k, n in enumerate(waiting) if n == 0]
    order: list[int] = []
    while ready:
        k = heapq.heappop(ready)
        order.append(k)
        for user in users[k]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(ready, user)
    if len(order) < len(nodes):
        stuck = [nodes[k].name for k, n in enumerate(waiting) if n > 0]
        raise ModelError(f"Its nodes form a cycle: {', '.join(stuck[:5])}.", where=where, fix="Export the model again.")
    return order
