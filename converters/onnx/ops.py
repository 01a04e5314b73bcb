"""ONNX operators on computed tensors: products, arithmetic and normalisation, one function an operator."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.onnx.context import Context, Handler, Known, Live, RefusedError, Value, number
from nn2hls.converters.onnx.file import FileNode
from nn2hls.graph.const import Const
from nn2hls.ops import (
    Clip,
    Constant,
    Dense,
    Elementwise,
    Function,
    Merge,
    Op,
    Relu,
    Reshape,
    Scale,
    Simple,
    Table,
    Transpose,
    Unary,
)


def _dense(weight: np.ndarray, bias: np.ndarray | None = None) -> Dense:
    return Dense(Const(weight), Const(np.zeros(weight.shape[1]) if bias is None else bias))


def matmul(c: Context, node: FileNode) -> Value:
    """x @ W with a constant W; a third operand is the bias that :mod:`onnx_patterns` found after it."""
    if isinstance(c.operand(node, 0), Known):
        return _matmul_left(c, node)
    x = c.live(node)
    if isinstance(c.operand(node, 1), Live):
        raise RefusedError("a product of two computed tensors is not supported; one operand must be a constant")
    weight = c.array(node, 1, "weight")
    if weight.ndim == 1:
        if x.merged:
            raise RefusedError("its weight is a vector and the first axis of its operand is the batch mixed with others")
        product = c.emit(node, _dense(weight[:, None]), x, part="product")
        return c.emit(node, Reshape(x.shape[:-1]), product)
    return c.emit(node, _dense(_matrix(weight, x), c.array(node, 2, "bias").reshape(-1) if c.has(node, 2) else None), x)


def _matrix(weight: np.ndarray, x: Live) -> np.ndarray:
    """A constant matrix; leading unit axes must not add axes to the result."""
    if not 2 <= weight.ndim <= x.rank or any(n != 1 for n in weight.shape[:-2]):
        raise RefusedError(f"its weight of shape {weight.shape} is not one matrix for every sample")
    matrix: np.ndarray = weight.reshape(weight.shape[-2:])
    return matrix


def _matmul_left(c: Context, node: FileNode) -> Live:
    """W @ x = transpose(transpose(x) @ transpose(W)) over the last two axes."""
    x, weight = c.live(node, 1, plain=True), c.array(node, 0, "weight")
    rank = len(x.shape)
    if rank < 2 or weight.ndim < 2:
        raise RefusedError("a constant matrix on the left mixes the samples of a batch; put it on the right")
    swap = Transpose((*range(rank - 2), rank - 1, rank - 2))
    turned = c.emit(node, swap, x, part="transposed")
    product = c.emit(node, _dense(_matrix(weight, x).T), turned, part="product")
    return c.emit(node, swap, product)


def gemm(c: Context, node: FileNode) -> Value:
    """alpha * x @ W + beta * C, W transposed by ``transB``."""
    if isinstance(c.operand(node, 1), Live):
        raise RefusedError("its second operand is computed; it must be a constant matrix")
    x = c.live(node)
    if node.attrs.get("transA", 0):
        raise RefusedError("transA would transpose the batch axis; export the layer without it")
    if x.rank != 2:
        raise RefusedError(f"its operand must have two axes with the batch, not {x.rank}")
    weight = _matrix(c.array(node, 1, "weight"), x)
    weight = node.attrs.get("alpha", 1.0) * (weight.T if node.attrs.get("transB", 0) else weight)
    beta = node.attrs.get("beta", 1.0)
    if not c.has(node, 2) or beta == 0:
        return c.emit(node, _dense(weight), x)
    extra = c.operand(node, 2)
    if isinstance(extra, Live):
        if extra.rank != 2 or extra.merged != x.merged:
            raise RefusedError("its third operand has another number of axes than the product")
        product = c.emit(node, _dense(weight), x, part="product")
        if beta != 1:
            extra = c.emit(node, Scale(number(beta), number(0)), extra, part="beta")
        return c.emit(node, Elementwise(Merge.ADD), product, extra)
    bias = np.broadcast_to(beta * c.per_sample(node, 2, 2), (weight.shape[1],))
    return c.emit(node, _dense(weight, bias), x)


def batch_norm(c: Context, node: FileNode) -> Value:
    """Inference: x * gamma / sqrt(variance + epsilon) + (beta - mean * scale) per channel, in float64."""
    if node.attrs.get("training_mode", 0) or (c.opset < 7 and not node.attrs.get("is_test", 0)):
        raise RefusedError("it is in training mode; export the model in evaluation mode")
    x = c.live(node)
    if x.rank < 2:
        raise RefusedError("its operand has no channel axis")
    names = ("scale", "bias", "mean", "variance")
    gamma, beta, mean, variance = (c.array(node, k, what) for k, what in enumerate(names, start=1))
    if any(a.shape != (x.free[0],) for a in (gamma, beta, mean, variance)):
        raise RefusedError(f"its constants must hold one number for each of {x.free[0]} channels")
    root = variance + node.attrs.get("epsilon", 1e-5)
    if (root <= 0).any():
        raise RefusedError("its variance plus epsilon is not positive")
    scale = gamma / np.sqrt(root)
    bias = beta - mean * scale
    spread = (-1, *(1,) * (x.rank - 2))
    scale, bias = scale.reshape(spread), bias.reshape(spread)
    return c.emit(node, Scale(Const(scale), Const(bias)), x)


def _with_constant(c: Context, node: FileNode, x: Live, array: np.ndarray, op: Op, merge: Merge) -> Live:
    """One op with the constant inside, or an Elementwise when the constant makes the tensor larger."""
    try:
        grows = np.broadcast_shapes(x.free, array.shape) != x.free
    except ValueError:
        raise RefusedError(f"its constant of shape {array.shape} does not fit a tensor of {x.free}") from None
    if not grows:
        return c.emit(node, op, x)
    if x.merged:
        raise RefusedError("its constant makes a tensor larger whose first axis is the batch mixed with others")
    constant = c.emit(node, Constant(Const(array)), part="const")
    return c.emit(node, Elementwise(merge), x, constant)


def _merge(c: Context, node: FileNode, merge: Merge) -> Live:
    """Computed tensors; constants among them become nodes."""
    lives = [v for k in range(len(node.inputs)) if isinstance(v := c.operand(node, k), Live)]
    if len({(v.rank, v.shape[: v.merged]) for v in lives}) != 1:
        raise RefusedError("its operands have different numbers of axes, so that one would spread over the batch axis")
    operands = []
    for k, name in enumerate(node.inputs):
        value = c.operand(node, k)
        if isinstance(value, Known):
            array = c.per_sample(node, k, lives[0].rank)
            value = c.emit(node, Constant(Const(array)), part=f"const_{name}")
        operands.append(value)
    return operands[0] if len(operands) == 1 else c.emit(node, Elementwise(merge), *operands)


def add(c: Context, node: FileNode) -> Value:
    """x + y, either one constant."""
    if len(node.inputs) == 2 and any(isinstance(c.operand(node, k), Known) for k in (0, 1)):
        k = 0 if isinstance(c.operand(node, 0), Known) else 1
        x = c.live(node, 1 - k)
        array = c.per_sample(node, k, x.rank)
        return _with_constant(c, node, x, array, Scale(number(1), Const(array)), Merge.ADD)
    return _merge(c, node, Merge.ADD)


def subtract(c: Context, node: FileNode) -> Value:
    """x - y, either one constant."""
    left, right = c.operand(node, 0), c.operand(node, 1)
    if isinstance(right, Known):
        x = c.live(node)
        array = -c.per_sample(node, 1, x.rank)
        return _with_constant(c, node, x, array, Scale(number(1), Const(array)), Merge.ADD)
    if isinstance(left, Known):
        array = c.per_sample(node, 0, right.rank)
        if np.broadcast_shapes(right.free, array.shape) != right.free:
            return _merge(c, node, Merge.SUB)
        return c.emit(node, Scale(number(-1), Const(array)), right)
    return _merge(c, node, Merge.SUB)


def multiply(c: Context, node: FileNode) -> Value:
    """x * y, either one constant; x * x is a square."""
    left, right = c.operand(node, 0), c.operand(node, 1)
    if isinstance(left, Known) or isinstance(right, Known):
        k = 0 if isinstance(left, Known) else 1
        x = c.live(node, 1 - k)
        array = c.per_sample(node, k, x.rank)
        return _with_constant(c, node, x, array, Scale(Const(array), number(0)), Merge.MUL)
    if left == right:
        return c.emit(node, Unary(Simple.SQUARE), left)
    return _merge(c, node, Merge.MUL)


def divide(c: Context, node: FileNode) -> Value:
    """x / y with one of them constant."""
    left, right = c.operand(node, 0), c.operand(node, 1)
    if isinstance(right, Known):
        x = c.live(node)
        array = c.per_sample(node, 1, x.rank)
        if (array == 0).any():
            raise RefusedError(f"its divisor '{node.inputs[1]}' holds zero")
        return _with_constant(c, node, x, 1 / array, Scale(Const(1 / array), number(0)), Merge.MUL)
    if isinstance(left, Live):
        raise RefusedError("a quotient of two computed tensors is not supported; multiply with a Reciprocal instead")
    array = c.per_sample(node, 0, right.rank)
    if (array == 1).all() and array.size == 1:
        return c.emit(node, Table(Function.RECIPROCAL), right)
    inverse = c.emit(node, Table(Function.RECIPROCAL), right, part="reciprocal")
    return _with_constant(c, node, inverse, array, Scale(Const(array), number(0)), Merge.MUL)


def power(c: Context, node: FileNode) -> Value:
    """x to a constant power that has an op of its own."""
    x, exponent = c.live(node), c.scalar(node, 1, "exponent")
    ops: dict[float, Op] = {
        2.0: Unary(Simple.SQUARE),
        0.5: Table(Function.SQRT),
        -0.5: Table(Function.RSQRT),
        -1.0: Table(Function.RECIPROCAL),
    }
    if exponent == 1:
        return x
    if exponent == 3:
        return c.emit(node, Elementwise(Merge.MUL), x, x, x)
    if exponent not in ops:
        raise RefusedError(f"the exponent {exponent:g} is not supported; 2, 3, 0.5, -0.5 and -1 are")
    return c.emit(node, ops[exponent], x)


def clip_op(low: float, high: float) -> Op:
    """Relu or Clip; float32's largest numbers are open ends."""
    limit = float(np.finfo(np.float32).max)
    low, high = (-np.inf if low <= -limit else low), (np.inf if high >= limit else high)
    return Relu() if (low, high) == (0.0, np.inf) else Clip(low, high)


def clip(c: Context, node: FileNode) -> Value:
    """The ends are attributes before opset 11 and operands after it."""
    ends = [node.attrs.get("min", -np.inf), node.attrs.get("max", np.inf)]
    for k in (1, 2):
        if c.has(node, k):
            ends[k - 1] = c.scalar(node, k, "end")
    x, op = c.live(node), clip_op(*ends)
    return x if op.__class__ is Clip and ends == [-np.inf, np.inf] else c.emit(node, op, x)


def _extreme(c: Context, node: FileNode, merge: Merge) -> Live:
    """Max or Min; with one number it is a Clip."""
    if len(node.inputs) == 2 and any(isinstance(c.operand(node, k), Known) for k in (0, 1)):
        k = 0 if isinstance(c.operand(node, 0), Known) else 1
        if c.raw(node, k, "constant").size == 1:
            c.per_sample(node, k, c.live(node, 1 - k).rank)
            end = c.scalar(node, k, "constant")
            ends = (end, np.inf) if merge is Merge.MAX else (-np.inf, end)
            return c.emit(node, clip_op(*ends), c.live(node, 1 - k))
    return _merge(c, node, merge)


def scaler(c: Context, node: FileNode) -> Value:
    """(x - offset) * scale along the last axis: scikit-learn's StandardScaler and its like."""
    x = c.live(node)
    scale, offset = (np.asarray(node.attrs.get(k, default), dtype=np.float64) for k, default in (("scale", 1), ("offset", 0)))
    if x.rank < 2 or any(a.size not in (1, x.free[-1]) for a in (scale, offset)):
        raise RefusedError("its scale and offset must hold one number, or one for each feature")
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise RefusedError("its scale or offset holds NaN or Inf")
    scale, offset = (a.reshape(()) if a.size == 1 else a for a in (scale, offset))
    return c.emit(node, Scale(Const(scale), Const(-offset * scale)), x)


ARITHMETIC: dict[str, Handler] = {
    "Add": add,
    "BatchNormalization": batch_norm,
    "Clip": clip,
    "Div": divide,
    "Gemm": gemm,
    "MatMul": matmul,
    "Max": lambda c, n: _extreme(c, n, Merge.MAX),
    "Mean": lambda c, n: _merge(c, n, Merge.AVERAGE),
    "Min": lambda c, n: _extreme(c, n, Merge.MIN),
    "Mul": multiply,
    "Pow": power,
    "Sub": subtract,
    "Sum": add,
    "ai.onnx.ml.Scaler": scaler,
}
