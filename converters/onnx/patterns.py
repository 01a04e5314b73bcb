"""Several nodes that mean one: functions written in pieces, a bias after a product, unit axes around a BatchNorm."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn2hls.converters.onnx.file import FileNode, attribute_float
from nn2hls.converters.onnx.fold import ELEMENTWISE, axes_of
from nn2hls.converters.onnx.graph import FileGraph
from nn2hls.converters.onnx.run_time import grouped

Known = Mapping[str, np.ndarray]

DEPTH = 12  # nodes of the longest decomposition
TOLERANCE = 1e-6  # of max(1, |y|): the constants in the file are float32
_NEAR = np.concatenate([np.linspace(-8, 8, 41), [-30, -20, -12, -3.3, -1e-3, 1e-3, 2.7, 12, 20, 30]])
_FAR = np.array([-1000.0, -100.0, 100.0, 1000.0])  # where a decomposition may overflow
_POINTS = np.concatenate([_NEAR, _FAR])


def _erf(x: Any) -> Any:
    return ELEMENTWISE["Erf"]({}, x)


def _hard_sigmoid(slope: float) -> Callable[[Any], Any]:
    return lambda x: np.clip(x * slope + 0.5, 0, 1)


_SIXTH: Mapping[str, Any] = {"alpha": 1 / 6, "beta": 0.5}
# What a decomposition is replaced by: operator, attributes, the function.
_FUNCTIONS: tuple[tuple[str, Mapping[str, Any], Callable[[Any], Any]], ...] = (
    ("Gelu", {"approximate": "none"}, lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2)))),
    ("Gelu", {"approximate": "tanh"}, lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    ("Swish", {}, lambda x: x * ELEMENTWISE["Sigmoid"]({}, x)),
    ("Mish", {}, lambda x: x * np.tanh(np.logaddexp(x, 0))),
    ("HardSwish", {}, lambda x: x * _hard_sigmoid(1 / 6)(x)),
    ("HardSigmoid", _SIXTH, _hard_sigmoid(1 / 6)),
    ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}, _hard_sigmoid(0.2)),
    ("Softplus", {}, lambda x: np.logaddexp(x, 0)),
    ("Softsign", {}, lambda x: x / (1 + np.abs(x))),
    ("Sigmoid", {}, lambda x: ELEMENTWISE["Sigmoid"]({}, x)),
    ("LogSigmoid", {}, lambda x: -np.logaddexp(-x, 0)),
    ("TanhShrink", {}, lambda x: x - np.tanh(x)),
)
_WANTED = tuple((op, attrs, f(_POINTS)) for op, attrs, f in _FUNCTIONS)


def simplify(graph: FileGraph, known: Known) -> FileGraph:
    """The graph with each group of nodes that means one operator written as that operator, and dead nodes gone.

    Only values change that float32 constants of the exporter already changed: every function is recognised by its values.
    """
    graph = grouped(graph, known).needed()
    makers = {o: n for n in graph.nodes for o in n.outputs}
    graph = dataclasses.replace(graph, nodes=tuple(_function(n, makers, known) for n in graph.nodes)).needed()
    for rewrite in (_threshold, _bias, _unit_axes, _own_statistics):
        graph = rewrite(graph, known).needed()
    return graph


def _function(root: FileNode, makers: Mapping[str, FileNode], known: Known) -> FileNode:
    """The root itself, or the function that the nodes above it compute from one tensor."""
    if root.op not in ELEMENTWISE or root.trouble or len(root.outputs) != 1:
        return root
    cone = _cone(root, makers, known)
    for boundary in cone:
        values = _evaluate(root, boundary, _POINTS, makers, known)
        for op, attrs, wanted in _WANTED:
            if values is not None and _same(values, wanted):
                return FileNode(root.name, op, (boundary,), root.outputs, attrs)
        if root.op == "Where" and values is not None:
            for branch in root.inputs[1:]:
                same = _evaluate(makers[branch], boundary, _POINTS, makers, known) if branch in makers else None
                if same is not None and _same(same, values):  # the other branch only guards against overflow
                    return FileNode(root.name, "Identity", (branch,), root.outputs)
    return root


def _cone(root: FileNode, makers: Mapping[str, FileNode], known: Known) -> list[str]:
    """Tensors above the root's operands that elementwise nodes connect with it, the farthest first."""
    found: dict[str, None] = {}
    level, nodes = [root], 0
    while level and nodes < DEPTH:
        following = []
        for node in level:
            nodes += 1
            for name in node.inputs:
                maker = makers.get(name)
                if name and name not in known and name not in found:
                    found[name] = None
                    if maker is not None and maker.op in ELEMENTWISE and not maker.trouble:
                        following.append(maker)
        level = following
    return list(reversed(found))


def _evaluate(
    root: FileNode, boundary: str, points: np.ndarray, makers: Mapping[str, FileNode], known: Known
) -> np.ndarray | None:
    """The root's values where the boundary has the values ``points``; None when it depends on anything else.

    A root that is a single operator gives None too: there is nothing to replace.
    """
    values: dict[str, np.ndarray] = {boundary: points}
    nodes, stack = 0, [root.outputs[0]]
    while stack and len(stack) <= 4 * DEPTH:
        name = stack[-1]
        node = makers.get(name)
        if name in values:
            stack.pop()
        elif name in known:
            if known[name].size != 1 or known[name].dtype.kind not in "fiu":
                return None
            values[name] = known[name].reshape(()).astype(np.float64)
        elif node is None or node.op not in ELEMENTWISE or node.trouble or "" in node.inputs or not node.inputs:
            return None
        elif missing := [i for i in node.inputs if i not in values]:
            stack += missing
        else:
            nodes += 1
            with np.errstate(all="ignore"):
                values[name] = np.asarray(ELEMENTWISE[node.op](node.attrs, *(values[i] for i in node.inputs)))
    return None if nodes < 2 or stack else values[root.outputs[0]]


def _same(values: np.ndarray, wanted: np.ndarray) -> bool:
    if values.shape != wanted.shape or not np.isfinite(values[: len(_NEAR)]).all():
        return False
    finite = np.isfinite(values)
    return bool(np.all(np.abs(values - wanted)[finite] <= TOLERANCE * np.maximum(1, np.abs(wanted[finite]))))


def _threshold(graph: FileGraph, known: Known) -> FileGraph:
    """Where(x > theta, x, value), or the same by <=: one node with both numbers."""
    makers = {o: n for n in graph.nodes for o in n.outputs}
    return dataclasses.replace(graph, nodes=tuple(_one_threshold(n, makers, known) for n in graph.nodes))


def _one_threshold(root: FileNode, makers: Mapping[str, FileNode], known: Known) -> FileNode:
    test = makers.get(root.inputs[0]) if root.op == "Where" and not root.trouble else None
    if test is None or test.trouble or test.op not in ("Greater", "LessOrEqual"):
        return root
    x, value = root.inputs[1:] if test.op == "Greater" else root.inputs[:0:-1]
    numbers = [known.get(name, np.zeros(0)) for name in (test.inputs[1], value)]
    if test.inputs[0] != x or any(n.size != 1 or not np.isfinite(n).all() for n in numbers):
        return root
    theta, other = (attribute_float(float(n.reshape(()))) for n in numbers)
    return FileNode(root.name, "Threshold", (x,), root.outputs, {"theta": theta, "value": other})


def _uses(graph: FileGraph) -> Counter[str]:
    return Counter([i for n in graph.nodes for i in n.inputs] + list(graph.outputs))


def _bias(graph: FileGraph, known: Known) -> FileGraph:
    """MatMul with a constant matrix, then Add of a constant vector and nothing else: the vector becomes the bias."""
    uses = _uses(graph)
    makers = {o: n for n in graph.nodes for o in n.outputs}
    replaced: dict[str, FileNode] = {}
    for add in graph.nodes:
        if add.op != "Add" or add.trouble or len(add.inputs) != 2 or "axis" in add.attrs:
            continue
        for product, vector in (add.inputs, add.inputs[::-1]):
            node = makers.get(product)
            if node is None or node.op != "MatMul" or node.trouble or uses[product] != 1 or len(node.inputs) != 2:
                continue
            width = known[node.inputs[1]].shape[-1:] if node.inputs[1] in known and known[node.inputs[1]].ndim > 1 else None
            if (
                vector in known
                and known[vector].ndim
                and known[vector].shape == (1,) * (known[vector].ndim - 1) + (width or ())
            ):
                replaced[add.outputs[0]] = dataclasses.replace(node, inputs=(*node.inputs, vector), outputs=add.outputs)
    nodes = tuple(replaced.get(n.outputs[0], n) for n in graph.nodes)
    return dataclasses.replace(graph, nodes=nodes)


def _unit_axes(graph: FileGraph, known: Known) -> FileGraph:
    """Unsqueeze, BatchNormalization, Squeeze of the same trailing axes (BatchNorm1d in old exporters): the BatchNorm alone."""
    uses = _uses(graph)
    makers = {o: n for n in graph.nodes for o in n.outputs}
    replaced: dict[str, FileNode] = {}
    for squeeze in graph.nodes:
        norm = makers.get(squeeze.inputs[0]) if squeeze.op == "Squeeze" and not squeeze.trouble else None
        if norm is None or norm.op != "BatchNormalization" or norm.trouble or uses[squeeze.inputs[0]] != 1:
            continue
        first = makers.get(norm.inputs[0])
        if first is None or first.op != "Unsqueeze" or first.trouble or uses[norm.inputs[0]] != 1:
            continue
        axes = {_axes(first, known), _axes(squeeze, known)}
        if len(axes) == 1 and all(k >= 2 for k in axes.pop() or (0,)):
            inputs = (first.inputs[0], *norm.inputs[1:])
            replaced[squeeze.outputs[0]] = dataclasses.replace(norm, inputs=inputs, outputs=squeeze.outputs)
    return dataclasses.replace(graph, nodes=tuple(replaced.get(n.outputs[0], n) for n in graph.nodes))


def _own_statistics(graph: FileGraph, known: Known) -> FileGraph:
    """Layer- and InstanceNormalization in pieces: (x - mean(x)) / sqrt(mean((x - mean(x))**2) + epsilon) is one node."""
    makers = {o: n for n in graph.nodes for o in n.outputs}
    return dataclasses.replace(graph, nodes=tuple(_one_normalised(n, makers, known) for n in graph.nodes))


def _one_normalised(root: FileNode, makers: Mapping[str, FileNode], known: Known) -> FileNode:
    def maker(name: str, *ops: str) -> FileNode | None:
        node = makers.get(name)
        return node if node is not None and node.op in ops and not node.trouble else None

    if root.op not in ("Div", "Mul") or root.trouble or len(root.inputs) != 2:
        return root
    for left, right in (root.inputs,) if root.op == "Div" else (root.inputs, root.inputs[::-1]):
        inverse = None if root.op == "Div" else maker(right, "Reciprocal")
        spread = maker(right if root.op == "Div" else inverse.inputs[0] if inverse else "", "Sqrt")
        centred, shifted = maker(left, "Sub"), maker(spread.inputs[0], "Add") if spread else None
        if centred is None or shifted is None:
            continue
        mean, numbers = maker(centred.inputs[1], "ReduceMean"), [known.get(i) for i in shifted.inputs]
        place = next((k for k, n in enumerate(numbers) if n is not None and n.size == 1 and n.dtype.kind == "f"), None)
        square = None if place is None else maker(shifted.inputs[1 - place], "ReduceMean")
        power = maker(square.inputs[0], "Pow", "Mul") if square else None
        if mean is None or square is None or power is None or place is None or mean.inputs[0] != centred.inputs[0]:
            continue
        two = known.get(power.inputs[1]) if power.op == "Pow" else None
        squared = power.inputs[0] == left and (power.inputs[1] == left if two is None else two.size == 1 and two.item() == 2)
        axes = {_axes(mean, known), _axes(square, known)}
        kept = all(n.attrs.get("keepdims", 1) for n in (mean, square))
        if squared and kept and len(axes) == 1 and None not in axes:
            number = numbers[place]
            assert number is not None
            epsilon = attribute_float(float(number.item()))
            attributes = {"axes": list(axes.pop() or ()), "epsilon": epsilon}
            return FileNode(root.name, "MeanVarianceNormalization", (mean.inputs[0],), root.outputs, attributes)
    return root


def _axes(node: FileNode, known: Known) -> tuple[int, ...] | None:
    operand = known.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return axes_of(node.attrs, operand)
