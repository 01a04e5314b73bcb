"""The scale of whole numbers goes behind what reads them: layers of a quantised model compute on whole numbers."""

from __future__ import annotations

import dataclasses
import math
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
    that take it as a factor of their result, where all operands have it; there it becomes part of the next scale. Products of
    computed tensors are multiplied by the product of what their operands have. A layer that the user gave a type of its own
    stays.
    """
    done: dict[str, Node] = {}
    cast: set[str] = set()  # what the model cast, and what is computed of that without a factor
    taken = {node.name for node in graph}
    for node in graph:
        scales = [done[name] for name in node.inputs]
        outside = _outside(node, scales, cast, context)
        parts = None if outside is None else _parts(node, outside)
        if parts is None or context.settings(node).own_type:
            done[node.name] = node
            cast |= {node.name} if _is_cast(node, cast) else set()
            continue
        inner, outer = parts
        name = unused(f"{node.name}_whole", taken)
        hidden = dataclasses.replace(node.origin, is_result=False, holds=None)
        given = {**_unit_weights(inner), **{word: kind for word, kind in node.given.items() if word != "bias"}}
        inputs = tuple(s.inputs[0] if _factor(s, cast, context) else s.name for s in scales)
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
    """Whether the model cast a value, perhaps with a shift, an end of its range or a move behind the cast."""
    op, affine = node.op, node.op.affine
    if op.casts_to is not None or "level" in node.given:
        return True
    if affine is None:
        unscaled = op.pointwise or op.homogeneous or op.multilinear
    else:
        unscaled = bool((np.frexp(affine[0])[0] == 0.5).all())
    return unscaled and bool(node.inputs) and cast.issuperset(node.inputs)


def _factor(node: Node, cast: set[str], context: Context) -> float | None:
    """The number that what the model cast is multiplied by; None where there is none, or one that the user gave a type."""
    number = number_of(node.op)
    return number if number and node.inputs[0] in cast and not context.settings(node).own_type else None


def _outside(node: Node, operands: Sequence[Node], cast: set[str], context: Context) -> Op | None:
    """The factor, no power of two, that may stand behind a node in place of those before it."""
    factors = [_factor(operand, cast, context) for operand in operands]
    first = next((k for k, factor in enumerate(factors) if factor), None)
    if first is None:
        return None
    if node.op.multilinear:
        if not all(factor or operand.name in cast for factor, operand in zip(factors, operands, strict=True)):
            return None
        others = math.prod(factor or 1.0 for k, factor in enumerate(factors) if k != first)
        outside = operands[first].op.folded(np.asarray(others), np.zeros(()))
    else:
        outside = operands[first].op if len({*factors}) == 1 else None
    number = None if outside is None else number_of(outside)
    return None if number is None or np.frexp(number)[0] == 0.5 else outside


def _unit_weights(op: Op) -> dict[str, FixedType]:
    """The type of whole weights that are not trained ones: each is zero or plus or minus one."""
    if op.linear is None or not np.isin(op.linear[0], (-1, 0, 1)).all():
        return {}
    return {"weight": holding_type(op.linear[0])}


def _parts(node: Node, scale: Op) -> tuple[Op, Op] | None:
    """The op on operands without their scale, and what is made of its result; None where there is no such op."""
    bias, inner = np.zeros(()), node.op if node.op.homogeneous or node.op.multilinear else None
    if node.op.linear is not None and ("weight" in node.given or _unit_weights(node.op)):
        bias = node.op.linear[1]
        inner = node.op.folded(np.ones(()), -bias)
    outer = scale.folded(np.ones(()), bias)
    return None if inner is None or outer is None else (inner, outer)
