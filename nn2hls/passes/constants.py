"""Propagate what rounding and pruning made constant, and what nothing reads, through Dense layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from nn2hls.analysis import demanded, graph_ranges
from nn2hls.fixed import FixedType
from nn2hls.ir import Const, Graph, Node
from nn2hls.ops import Dense
from nn2hls.passes.base import Context
from nn2hls.ranges import Range, ints, width_of


def propagate_constants(graph: Graph, context: Context) -> Graph:
    """Fold constant inputs of Dense layers into their biases, and clear the weights of neurons that nothing reads.

    No answer changes: a folded constant keeps its exact, wider type, and layers with a narrowed accumulator, whose answer
    depends on every addition, keep their constants. Cleared neurons answer zero, and nobody hears it.
    """
    ranges = graph_ranges(graph)
    folded = graph.map(lambda n: _fold(n, ranges, context))
    return _clear_dead(folded, ranges, context)


def _fold(node: Node, ranges: Mapping[str, Range], context: Context) -> Node:
    op = node.op
    if not isinstance(op, Dense) or op.narrowed(ranges[node.inputs[0]]):
        return node
    x = ranges[node.inputs[0]]
    lo, hi = (np.broadcast_to(a, (*node.shape[:-1], op.weight.shape[0])).reshape(-1, op.weight.shape[0]) for a in (x.lo, x.hi))
    constant = np.asarray(np.all((lo == hi) & (lo == lo[:1]), axis=0)) & np.any(op.weight.array != 0, axis=1)
    if not constant.any():
        return node
    weight, bias, fraction = op.aligned(x)
    rows = np.flatnonzero(constant)
    total = ints(bias) + np.dot(ints(lo[0][rows]), ints(weight[rows]))
    kept = op.weight.array.copy()
    kept[rows] = 0
    context.notes.append(f"{node.name}: {len(rows)} of {len(constant)} inputs are constant and moved into the bias.")
    return dataclasses.replace(node, op=_with_constants(op, x, kept, total, fraction))


def _with_constants(op: Dense, x: Range, weight: np.ndarray, bias: np.ndarray, fraction: int) -> Dense:
    low, high = int(bias.min(initial=0)), int(bias.max(initial=0))
    width = width_of(low, high)
    array = bias.astype(np.int64) if width < 63 else bias
    changed = op.replace(weight=Const(weight), bias=Const(array), bias_t=FixedType(width, width - fraction, low < 0))
    return changed.replace(accum_t=changed.exact_accumulator(x))


def _clear_dead(graph: Graph, ranges: Mapping[str, Range], context: Context) -> Graph:
    """A neuron that is read only by dead neurons is dead: the demand of a Dense layer counts its demanded columns alone."""
    needed = demanded(graph)
    return graph.map(
        lambda n: _clear(n, needed[n.name], ranges, context) if isinstance(n.op, Dense) and n.name not in graph.outputs else n
    )


def _clear(node: Node, needed: np.ndarray, ranges: Mapping[str, Range], context: Context) -> Node:
    op = node.op
    assert isinstance(op, Dense)
    dead = np.asarray(~np.any(needed.reshape(-1, node.shape[-1]), axis=0))
    busy = dead & (np.any(op.weight.array != 0, axis=0) | (op.bias.array != 0))
    if not busy.any():
        return node
    weight, bias = op.weight.array.copy(), op.bias.array.copy()
    weight[:, dead], bias[dead] = 0, 0
    context.notes.append(f"{node.name}: {int(dead.sum())} of {len(dead)} neurons are read by nobody and are not computed.")
    changed = op.replace(weight=Const(weight), bias=Const(bias))
    x = ranges[node.inputs[0]]
    if not op.narrowed(x):
        changed = changed.replace(accum_t=changed.exact_accumulator(x))
    return dataclasses.replace(node, op=changed)
