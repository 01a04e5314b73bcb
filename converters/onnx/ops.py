"""ONNX operators on computed tensors: products, arithmetic and normalisation, one function an operator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn2hls.converters.lower import activations, arith, contract, einsum, linear
from nn2hls.converters.lower.value import Operand, Refusal, Tensor
from nn2hls.converters.onnx.context import At, Handler, Value
from nn2hls.ops import Merge


def matmul(at: At) -> Value:
    """x @ W with a constant W; a third operand is the bias that :mod:`patterns` found after it."""
    if at.is_known(0):
        return einsum.matmul(at, _for_every_event(at, 0, at.tensor(1, plain=True)), at.tensor(1, plain=True))
    if not at.is_known(1):
        return einsum.matmul(at, at.tensor(), at.tensor(1))
    weight = at.array(1, "weight")
    if weight.ndim > 2 and not at.has(2):
        return einsum.matmul(at, at.tensor(plain=True), _for_every_event(at, 1, at.tensor()))
    bias = at.optional(2, "bias")
    return linear.matmul(at, at.tensor(), at.array(1, "weight"), None if bias is None else bias.reshape(-1))


def _for_every_event(at: At, k: int, other: Tensor) -> np.ndarray:
    """A constant without its batch axis."""
    array = at.array(k, "weight")
    return at.per_event(k, other.rank) if 2 < array.ndim >= other.rank else array


def einstein(at: At) -> Value:
    """Tensors and constants."""
    count = len(at.node.inputs)
    operands = [at.array(k, "constant") if at.is_known(k) else at.tensor(k, plain=True) for k in range(count)]
    return contract.contract(at, at.attr("equation", ""), operands)


def gemm(at: At) -> Value:
    """alpha * x @ W + beta * C, W transposed by ``transB``."""
    if not at.is_known(1):
        raise Refusal("its second operand is computed; it must be a constant matrix")
    x = at.tensor()
    if at.attr("transA", 0):
        raise Refusal("transA would transpose the batch axis; export the layer without it")
    if x.rank != 2:
        raise Refusal(f"its operand must have two axes with the batch, not {x.rank}")
    weight = at.array(1, "weight")
    weight = at.attr("alpha", 1.0) * (weight.T if at.attr("transB", 0) else weight)
    beta = at.attr("beta", 1.0)
    if not at.has(2) or beta == 0:
        return linear.dense(at, x, weight)
    if at.is_known(2):
        return linear.dense(at, x, weight, beta * at.per_event(2, 2))
    extra = at.tensor(2)
    product = linear.dense(at.step("product"), x, weight)
    return arith.add(at, product, extra if beta == 1 else arith.scale(at.step("beta"), extra, beta))


def scaler(at: At) -> Value:
    """(x - offset) * scale along the last axis: scikit-learn's StandardScaler and its like."""
    x = at.tensor()
    scale, offset = (np.asarray(at.attr(k, default), dtype=np.float64) for k, default in (("scale", 1), ("offset", 0)))
    if x.rank < 2 or any(a.size not in (1, x.free[-1]) for a in (scale, offset)):
        raise Refusal("its scale and offset must hold one number, or one for each feature")
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise Refusal("its scale or offset holds NaN or Inf")
    scale, offset = (a.reshape(()) if a.size == 1 else a for a in (scale, offset))
    return arith.scale(at, x, scale, -offset * scale)


def clip(at: At) -> Value:
    """The ends are attributes before opset 11 and operands after it."""
    ends = [at.attr("min", -np.inf), at.attr("max", np.inf)]
    for k in (1, 2):
        if at.has(k):
            ends[k - 1] = at.scalar(k, "end")
    return activations.clip(at, at.tensor(), *ends)


def _two(meaning: Callable[[At, Operand, Operand], Tensor]) -> Handler:
    def handler(at: At) -> Value:
        x, y = at.operands()
        return meaning(at, x, y)

    return handler


def total(at: At) -> Value:
    """The sum of any number of operands."""
    operands = at.operands()
    if len(operands) == 2:
        return arith.add(at, operands[0], operands[1])
    return arith.merge(at, Merge.ADD, operands)


def power(at: At) -> Value:
    """x to a constant power."""
    return arith.power(at, at.tensor(), np.asarray(at.scalar(1, "exponent")))


ARITHMETIC: dict[str, Handler] = {
    "Add": total,
    "Clip": clip,
    "Div": _two(arith.divide),
    "Einsum": einstein,
    "Gemm": gemm,
    "MatMul": matmul,
    "Max": lambda at: arith.maximum(at, *at.operands()),
    "Mean": lambda at: arith.merge(at, Merge.AVERAGE, at.operands()),
    "Min": lambda at: arith.minimum(at, *at.operands()),
    "Mul": _two(arith.multiply),
    "Pow": power,
    "Sub": _two(arith.subtract),
    "Sum": total,
    "ai.onnx.ml.Scaler": scaler,
}
