"""The scale of whole numbers goes behind what reads them: layers of a quantised model compute on whole numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import holding_type
from nn2hls.graph.builder import unused
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.op import Op
from nn2hls.passes.base import Context


def sink_scales(graph: Graph, context: Context) -> Graph:
    """Let layers of a quantised model read their operands without a factor, and multiply their results by it.

    Only by a positive number that is no power of two, which costs a multiplier and a rounding where it stands. It goes behind
    sums of products whose weights the model gives, or that only add and subtract, as sums along an axis do, and behind layers
    that take it as a factor of their result, where all operands have it; there it becomes part of the next scale. A layer that
    the user gave a type of its own stays.
    """
    done: dict[str, Node] = {}
    cast: set[str] = set()  # what the model cast, and what is computed of that without a factor
    taken = {node.name for node in graph}
    for node in graph:
        scales = [done[name] for name in node.inputs]
        parts = _parts(node, scales[0].op) if scales and _common(scales, cast, context) else None
        if parts is None or context.settings(node).own_type:
            done[node.name] = node
            cast |= {node.name} if _is_cast(node, cast) else set()
            continue
        inner, outer = parts
        name = unused(f"{node.name}_whole", taken)
        hidden = dataclasses.replace(node.origin, is_result=False, holds=None)
        given = {**_unit_weights(inner), **{word: kind for word, kind in node.given.items() if word != "bias"}}
        inputs = tuple(scale.inputs[0] for scale in scales)
        done[name] = dataclasses.replace(node, name=name, op=inner, inputs=inputs, origin=hidden, given=given)
        done[node.name] = dataclasses.replace(node, op=outer, inputs=(name,), given={})
        cast.add(name)
    return Graph(tuple(done.values()), graph.outputs)


def number_of(op: Op) -> float | None:
    """The positive number that an op multiplies by and does nothing else; None for others."""
    if op.affine is None:
        return None
    scale, shift = op.affine
    first = float(scale.reshape(-1)[0])
    return first if first > 0 and (scale == first).all() and not shift.any() else None


def _is_cast(node: Node, cast: set[str]) -> bool:
    """Whether the model cast a value, perhaps with a shift or an end of its range behind the cast."""
    if node.op.casts_to is not None or "level" in node.given:
        return True
    affine = node.op.affine
    unscaled = node.op.pointwise if affine is None else bool((affine[0] == 1).all())
    return unscaled and bool(node.inputs) and cast.issuperset(node.inputs)


def _common(scales: Sequence[Node], cast: set[str], context: Context) -> bool:
    """Whether all are products of what the model cast with one number that is no power of two."""
    factors = {number_of(scale.op) for scale in scales}
    first = factors.pop()
    if factors or first is None or np.frexp(first)[0] == 0.5:
        return False
    return all(scale.inputs[0] in cast and not context.settings(scale).own_type for scale in scales)


def _unit_weights(op: Op) -> dict[str, FixedType]:
    """The type of whole weights that are not trained ones: each is zero or plus or minus one."""
    if op.linear is None or not np.isin(op.linear[0], (-1, 0, 1)).all():
        return {}
    return {"weight": holding_type(op.linear[0])}


def _parts(node: Node, scale: Op) -> tuple[Op, Op] | None:
    """The op on operands without their scale, and what is made of its result; None where there is no such op."""
    bias, inner = np.zeros(()), node.op if node.op.homogeneous else None
    if node.op.linear is not None and ("weight" in node.given or _unit_weights(node.op)):
        bias = node.op.linear[1]
        inner = node.op.folded(np.ones(()), -bias)
    outer = scale.folded(np.ones(()), bias)
    return None if inner is None or outer is None else (inner, outer)
