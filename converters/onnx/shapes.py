"""ONNX operators on shapes: other axes for the same elements, and their sizes; the batch axis stays the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.converters.lower import layout, shape
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.onnx.context import At, Handler, Known, Value
from nn2hls.converters.onnx.fold import axes_of, flattened, reshaped, squeezed, unsqueezed


def _targets(at: At, x: Tensor) -> list[tuple[int, ...]]:
    """The full shapes that a node which only changes the shape asks for, one a trial batch size."""
    shapes = [x.full(n) for n in at.batches]
    if at.node.op == "Flatten":
        return [flattened(s, at.attr("axis", 1)) for s in shapes]
    operand: Sequence[Any] = [None] * len(shapes)
    if at.has(1):
        value = at.value(1)
        if isinstance(value, Tensor):
            raise Refusal(f"its operand '{at.name(1)}' is computed and must be a constant")
        operand = value.arrays
    if at.node.op == "Squeeze":
        return [squeezed(s, axes_of(at.node.attrs, a)) for s, a in zip(shapes, operand, strict=True)]
    if at.node.op == "Unsqueeze":
        return [unsqueezed(s, axes_of(at.node.attrs, a) or ()) for s, a in zip(shapes, operand, strict=True)]
    zero = bool(at.attr("allowzero", 0))
    return [reshaped(s, at.attr("shape", a), zero) for s, a in zip(shapes, operand, strict=True)]


def _reshape(at: At) -> Value:
    """Reshape, Flatten, Squeeze, Unsqueeze: the batch axis must stay the first one."""
    x = at.tensor()
    try:
        targets = _targets(at, x)
    except ValueError as error:
        raise Refusal(f"it does not keep the batch as the first axis, here {x.full(at.batches[-1])[0]}: {error}") from None
    plans = {_where(x, target, n) for target, n in zip(targets, at.batches, strict=True)}
    if len(plans) > 1 or None in plans:
        raise Refusal(f"it mixes or moves the batch axis: {x.full(at.batches[-1])} becomes {targets[-1]}")
    return layout.regroup(at, x, targets[0], at.batches[0])


def _where(x: Tensor, target: Sequence[int], batch: int) -> Any:
    """Where the batch is in a target, and the other sizes; None where it is mixed with others."""
    try:
        return layout.plan(x, target, batch)
    except Refusal:
        return None


def _transpose(at: At) -> Value:
    x = at.tensor()
    return layout.permute(at, x, at.attr("perm", list(reversed(range(x.rank)))))


def _concat(at: At) -> Value:
    operands = [at.as_tensor(k) for k in range(len(at.node.inputs))]
    return shape.concatenate(at, operands, operands[0].axis(at.attr("axis", 1)))


def _shape(at: At) -> Value:
    x = at.tensor()
    start, end = at.attr("start", 0), at.attr("end")
    return Known(tuple(np.asarray(x.full(n)[start:end], dtype=np.int64) for n in at.batches))


def _size(at: At) -> Value:
    x = at.tensor()
    return Known(tuple(np.asarray(math.prod(x.full(n)), dtype=np.int64) for n in at.batches))


SHAPES: dict[str, Handler] = {
    "Concat": _concat,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Squeeze": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
