"""ONNX functions of one tensor, softmax, and the operators that only move values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.converters.onnx.context import Context, Handler, Known, Live, RefusedError, Value, number, trimmed
from nn2hls.converters.onnx.file import FileNode
from nn2hls.converters.onnx.fold import axes_of, flattened, reshaped, squeezed, unsqueezed
from nn2hls.graph.const import Const
from nn2hls.ops import (
    Concatenate,
    Elementwise,
    Function,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Merge,
    Op,
    Relu,
    Reshape,
    Scale,
    Simple,
    Softmax,
    Table,
    Threshold,
    Transpose,
    Unary,
)

_PLAIN: dict[str, Op] = {
    "Abs": Unary(Simple.ABS),
    "Cos": Table(Function.COS),
    "Erf": Table(Function.ERF),
    "Exp": Table(Function.EXP),
    "HardSwish": HardSwish(1 / 6, 0.5),
    "Log": Table(Function.LOG),
    "LogSigmoid": Table(Function.LOG_SIGMOID),
    "Mish": Table(Function.MISH),
    "Neg": Unary(Simple.NEG),
    "Reciprocal": Table(Function.RECIPROCAL),
    "Relu": Relu(),
    "Sigmoid": Table(Function.SIGMOID),
    "Sign": Unary(Simple.SIGN),
    "Sin": Table(Function.SIN),
    "Softplus": Table(Function.SOFTPLUS),
    "Softsign": Table(Function.SOFTSIGN),
    "Sqrt": Table(Function.SQRT),
    "Tanh": Table(Function.TANH),
    "TanhShrink": Table(Function.TANH_SHRINK),
}
_SELU = (np.float32(1.67326319217681884765625), np.float32(1.05070102214813232421875))  # alpha, gamma since opset 6


def _plain(c: Context, node: FileNode) -> Value:
    return c.emit(node, _PLAIN[node.op], c.live(node))


def _gelu(c: Context, node: FileNode) -> Value:
    functions = {"none": Function.GELU, "tanh": Function.GELU_TANH}
    approximate = node.attrs.get("approximate", "none")
    if approximate not in functions:
        raise RefusedError(f"approximate must be 'none' or 'tanh', not '{approximate}'")
    return c.emit(node, Table(functions[approximate]), c.live(node))


def _selu(c: Context, node: FileNode) -> Value:
    alpha, gamma = (node.attrs.get(n, d) for n, d in zip(("alpha", "gamma"), _SELU, strict=True))
    if (np.float32(alpha), np.float32(gamma)) == _SELU:
        return c.emit(node, Table(Function.SELU), c.live(node))
    elu = c.emit(node, Table(Function.ELU, float(alpha)), c.live(node), part="elu")
    return c.emit(node, Scale(number(float(gamma)), number(0)), elu)


def _swish(c: Context, node: FileNode) -> Value:
    """x * sigmoid(alpha * x)."""
    x, alpha = c.live(node), node.attrs.get("alpha", 1.0)
    if alpha == 1:
        return c.emit(node, Table(Function.SILU), x)
    scaled = c.emit(node, Scale(number(alpha), number(0)), x, part="alpha")
    gate = c.emit(node, Table(Function.SIGMOID), scaled, part="sigmoid")
    return c.emit(node, Elementwise(Merge.MUL), x, gate)


def _prelu(c: Context, node: FileNode) -> Value:
    x = c.live(node)
    slope = c.array(node, 1, "slope")
    if c.opset < 7 and slope.size > 1:
        slope = slope.reshape(-1, *(1,) * (x.rank - 2))
    elif slope.ndim > x.rank or (slope.ndim == x.rank and slope.shape[0] != 1):
        raise RefusedError(f"its slope of shape {slope.shape} varies along the batch axis")
    return c.emit(node, LeakyRelu(Const(trimmed(slope))), x)


def _axis(c: Context, node: FileNode, default: int, rank: int) -> int:
    axis: int = node.attrs.get("axis", default)
    if not -rank <= axis < rank:
        raise RefusedError(f"its axis {axis} is not one of {rank}")
    return axis % rank


def _softmax(c: Context, node: FileNode) -> Value:
    """Along one axis; before opset 13 over all axes from ``axis`` on, taken as one."""
    x, log = c.live(node), node.op == "LogSoftmax"
    rank = x.rank
    axis = _axis(c, node, 1 if c.opset < 13 else -1, rank)
    if axis == 0:
        raise RefusedError("its axis is the batch axis")
    inner = axis - 1 + x.merged
    if c.opset >= 13 or axis == rank - 1:
        return c.emit(node, Softmax(inner, log), x)
    if x.merged:
        raise RefusedError("it takes several axes as one, and the first axis is the batch mixed with others")
    flat = c.emit(node, Reshape((*x.shape[:inner], math.prod(x.shape[inner:]))), x, part="flat")
    soft = c.emit(node, Softmax(inner, log), flat, part="softmax")
    return c.emit(node, Reshape(x.shape), soft)


def _targets(c: Context, node: FileNode, x: Live) -> list[tuple[int, ...]]:
    """The full shapes that a node which only changes the shape asks for, one a trial batch size."""
    shapes = [x.full(n) for n in c.batches]
    if node.op == "Flatten":
        return [flattened(s, node.attrs.get("axis", 1)) for s in shapes]
    operand: Sequence[Any] = [None] * len(shapes)
    if c.has(node, 1):
        value = c.operand(node, 1)
        if isinstance(value, Live):
            raise RefusedError(f"its operand '{node.inputs[1]}' is computed and must be a constant")
        operand = value.arrays
    if node.op == "Squeeze":
        return [squeezed(s, axes_of(node.attrs, a)) for s, a in zip(shapes, operand, strict=True)]
    if node.op == "Unsqueeze":
        return [unsqueezed(s, axes_of(node.attrs, a) or ()) for s, a in zip(shapes, operand, strict=True)]
    zero = bool(node.attrs.get("allowzero", 0))
    return [reshaped(s, node.attrs.get("shape", a), zero) for s, a in zip(shapes, operand, strict=True)]


def _reshape(c: Context, node: FileNode) -> Value:
    """Reshape, Flatten, Squeeze, Unsqueeze: the batch axis must stay the first one."""
    x = c.live(node)
    try:
        targets = _targets(c, node, x)
    except ValueError as error:
        raise RefusedError(f"it does not keep the batch as the first axis, here {x.full(c.batches[-1])[0]}: {error}") from None
    merged = next((m for m in range(len(x.shape) + 1) if _is_merged(c, x, m, targets)), None)
    if merged is not None:
        return Live(x.name, x.shape, merged)
    if any(t[:1] != (n,) or t[1:] != targets[0][1:] for t, n in zip(targets, c.batches, strict=True)):
        raise RefusedError(f"it mixes or moves the batch axis: {x.full(c.batches[-1])} becomes {targets[-1]}")
    return c.emit(node, Reshape(targets[0][1:]), Live(x.name, x.shape))


def _is_merged(c: Context, x: Live, merged: int, targets: list[tuple[int, ...]]) -> bool:
    """Whether the targets are x as it is, with its first ``merged`` axes taken as one with the batch."""
    same = Live(x.name, x.shape, merged)
    return all(same.full(n) == t for t, n in zip(targets, c.batches, strict=True))


def _transpose(c: Context, node: FileNode) -> Value:
    x = c.live(node, plain=True)
    rank = x.rank
    perm = node.attrs.get("perm", list(reversed(range(rank))))
    if sorted(perm) != list(range(rank)) or perm[0] != 0:
        raise RefusedError(f"its order {tuple(perm)} moves the batch axis or does not fit {rank} axes")
    return c.emit(node, Transpose(tuple(k - 1 for k in perm[1:])), x)


def _concat(c: Context, node: FileNode) -> Value:
    operands = [c.as_live(node, k) for k in range(len(node.inputs))]
    if len({v.merged for v in operands}) != 1:
        raise RefusedError("the first axis of some of its operands is the batch mixed with other axes")
    axis = _axis(c, node, 1, operands[0].rank)
    if axis == 0:
        raise RefusedError("it joins along the batch axis")
    return operands[0] if len(operands) == 1 else c.emit(node, Concatenate(axis - 1 + operands[0].merged), *operands)


def _dropout(c: Context, node: FileNode) -> Value:
    training = c.has(node, 2) and c.scalar(node, 2, "training mode") != 0
    if training or (c.opset < 7 and not node.attrs.get("is_test", 0)):
        raise RefusedError("it is in training mode; export the model in evaluation mode")
    return c.live(node)


def _cast(c: Context, node: FileNode) -> Value:
    if node.attrs["to"] not in (1, 10, 11, 16):  # FLOAT, FLOAT16, DOUBLE, BFLOAT16
        raise RefusedError("it casts a computed tensor to a type that is no float")
    return c.live(node)


def _expand(c: Context, node: FileNode) -> Value:
    x, target = c.live(node), c.operand(node, 1)
    if isinstance(target, Live):
        raise RefusedError("its shape is computed and must be a constant")
    for n, sizes in zip(c.batches, target.arrays, strict=True):
        if np.broadcast_shapes(x.full(n), tuple(map(int, sizes))) != x.full(n):
            raise RefusedError("repeating values is not supported")
    return x


def _shape(c: Context, node: FileNode) -> Value:
    x = c.live(node)
    start, end = node.attrs.get("start", 0), node.attrs.get("end", None)
    return Known(tuple(np.asarray(x.full(n)[start:end], dtype=np.int64) for n in c.batches))


def _size(c: Context, node: FileNode) -> Value:
    x = c.live(node)
    return Known(tuple(np.asarray(math.prod(x.full(n)), dtype=np.int64) for n in c.batches))


def _threshold(c: Context, node: FileNode) -> Value:
    """ThresholdedRelu, or the Threshold that :mod:`onnx_patterns` found."""
    theta, value = node.attrs.get("theta", node.attrs.get("alpha", 1.0)), node.attrs.get("value", 0.0)
    return c.emit(node, Relu() if theta == value == 0 else Threshold(theta, value), c.live(node))


UNARY: dict[str, Handler] = {
    **dict.fromkeys(_PLAIN, _plain),
    "Cast": _cast,
    "Celu": lambda c, n: c.emit(n, Table(Function.CELU, n.attrs.get("alpha", 1.0)), c.live(n)),
    "Concat": _concat,
    "Dropout": _dropout,
    "Elu": lambda c, n: c.emit(n, Table(Function.ELU, n.attrs.get("alpha", 1.0)), c.live(n)),
    "Expand": _expand,
    "Flatten": _reshape,
    "Gelu": _gelu,
    "HardSigmoid": lambda c, n: c.emit(n, HardSigmoid(n.attrs.get("alpha", 0.2), n.attrs.get("beta", 0.5)), c.live(n)),
    "Identity": lambda c, n: c.live(n),
    "LeakyRelu": lambda c, n: c.emit(n, LeakyRelu(number(n.attrs.get("alpha", 0.01))), c.live(n)),
    "LogSoftmax": _softmax,
    "PRelu": _prelu,
    "Reshape": _reshape,
    "Selu": _selu,
    "Shape": _shape,
    "Size": _size,
    "Softmax": _softmax,
    "Squeeze": _reshape,
    "Swish": _swish,
    "Threshold": _threshold,
    "ThresholdedRelu": _threshold,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
