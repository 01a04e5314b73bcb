"""What ``onnxruntime.quantization.quantize_dynamic`` writes: products with values whose scale is computed at run time.

DynamicQuantizeLinear, MatMulInteger or ConvInteger, a Cast and two products are one node here; DynamicQuantizeLinear elsewhere
is refused by its name.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Mapping

import numpy as np

from nn2hls.converters.lower import each_event, linear, quantised
from nn2hls.converters.lower.each_event import Weights
from nn2hls.converters.lower.value import Tensor
from nn2hls.converters.onnx import quantised_values as values
from nn2hls.converters.onnx.context import At, Handler, Value
from nn2hls.converters.onnx.file import FileNode
from nn2hls.converters.onnx.graph import FileGraph
from nn2hls.converters.onnx.quantisers import convolved, weights

_PRODUCTS = {"MatMulInteger": "nn2hls.DynamicMatMul", "ConvInteger": "nn2hls.DynamicConv"}
_LAST = 255  # of uint8
BATCH = (
    "DynamicQuantizeLinear takes one scale for all events of a batch, and a design sees one event: its answers are those of "
    "onnxruntime for batches of one."
)


def grouped(graph: FileGraph, known: Mapping[str, np.ndarray]) -> FileGraph:
    """The graph with each product of values that are quantised at run time as one node: x, weights, their scale, zero point."""
    makers = {o: n for n in graph.nodes for o in n.outputs}
    uses = Counter([i for n in graph.nodes for i in n.inputs] + list(graph.outputs))
    return dataclasses.replace(graph, nodes=tuple(_one(node, makers, uses, known) for node in graph.nodes))


def _one(root: FileNode, makers: Mapping[str, FileNode], uses: Counter[str], known: Mapping[str, np.ndarray]) -> FileNode:
    """The product whose sums the root scales; the root itself where it is none."""

    def maker(name: str, *ops: str) -> FileNode | None:
        node = makers.get(name)
        return node if node is not None and node.op in ops and not node.trouble else None

    if root.op != "Mul" or root.trouble or len(root.inputs) != 2:
        return root
    for left, right in (root.inputs, root.inputs[::-1]):
        cast, scales = maker(left, "Cast"), maker(right, "Mul")
        product = maker(cast.inputs[0], *_PRODUCTS) if cast else None
        first = maker(product.inputs[0], "DynamicQuantizeLinear") if product else None
        if product is None or scales is None or first is None or uses[left] != 1 or uses[product.outputs[0]] != 1:
            continue
        own = [name for name in scales.inputs if name in known]
        if [*product.inputs[2:3]] == [first.outputs[2]] and len(own) == 1 and first.outputs[1] in scales.inputs:
            inputs = (first.inputs[0], product.inputs[1], own[0], *product.inputs[3:4])
            return FileNode(
                product.name, _PRODUCTS[product.op], inputs, root.outputs, product.attrs, product.trouble, product.op
            )
    return root


def _values(at: At) -> tuple[Tensor, Tensor]:
    """Whole numbers, and the range that they are parts of."""
    x = at.tensor()
    if set(at.batches) != {1}:
        warnings.warn(BATCH, UserWarning, stacklevel=2)
    return each_event.by_range(at, x, range(len(x.shape)), _LAST)


def matmul(at: At) -> Value:
    """Sums over the last axis."""
    numbers, extent = _values(at)
    weight = weights(at, 1, 3, -1)
    total = linear.matmul(quantised.Exact(at.step("product")), numbers, weight)
    return each_event.scaled(at, total, extent, Weights(weight, _scale(at, ())), _LAST)


def conv(at: At) -> Value:
    """A convolution, whose padding is zero."""
    numbers, extent = _values(at)
    weight = weights(at, 1, 3, 0)
    total = convolved(at, at.step("product"), numbers, weight, None)
    return each_event.scaled(at, total, extent, Weights(weight, _scale(at, (1,) * (weight.ndim - 2))), _LAST)


def _scale(at: At, behind: tuple[int, ...]) -> np.ndarray:
    """The scale of the weights, one for all or for each channel, before so many other axes."""
    scale = values.checked_scale(at.array(2, "scale"))
    return np.asarray(scale.reshape(() if scale.size == 1 else (-1, *behind)))


RUN_TIME: dict[str, Handler] = {_PRODUCTS["MatMulInteger"]: matmul, _PRODUCTS["ConvInteger"]: conv}
