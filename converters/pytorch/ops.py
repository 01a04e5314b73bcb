"""The table from aten operators to their lowering: products, arithmetic and activations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping

import numpy as np

from nn2hls.converters.pytorch.context import Args, Lowering, Refusal, Tensor, Value
from nn2hls.converters.pytorch.shape import SHAPE
from nn2hls.graph.const import Const
from nn2hls.ops import (
    Clip,
    Dense,
    Elementwise,
    Function,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Merge,
    Op,
    Relu,
    Scale,
    Simple,
    Softmax,
    Table,
    Threshold,
    Unary,
)

Lower = Callable[[Lowering, Args], Value]
_SELU = (1.6732632423543772, 1.0507009873554805)


def _dense(c: Lowering, x: Tensor, weight: np.ndarray | None, bias: np.ndarray | None) -> Value:
    """Dense with a weight of shape (n_in, n_out)."""
    if weight is None or weight.ndim != 2:
        raise Refusal("its second operand must be a constant matrix")
    if c.rank(x) < 2:
        raise Refusal("it sums over the first axis, the batch")
    full = np.zeros(weight.shape[1]) if bias is None else np.broadcast_to(c.without_batch(bias, c.rank(x)), weight.shape[1:])
    return c.emit(Dense(Const(weight), Const(full.astype(np.float64))), [x])


def _linear(c: Lowering, a: Args) -> Value:
    weight = a.const("weight")
    return _dense(c, a.tensor("input"), None if weight is None else weight.T, a.const("bias"))


def _product(c: Lowering, a: Args, left: str, right: str) -> Value:
    if not isinstance(a.get(left), Tensor) or isinstance(a.get(right), Tensor):
        raise Refusal("only the product of a computed tensor with a constant matrix on its right is offered")
    return _dense(c, a.tensor(left), a.const(right), None)


def _biased(c: Lowering, a: Args) -> Value:
    return _dense(c, a.tensor("input"), a.const("weight"), a.const("bias"))


def _addmm(c: Lowering, a: Args) -> Value:
    bias, weight = a.const("self"), a.const("mat2")
    alpha, beta = a.number("alpha", 1), a.number("beta", 1)
    if weight is not None and alpha != 1:
        weight = weight * alpha
    return _dense(c, a.tensor("mat1"), weight, bias if bias is None or beta == 1 else bias * beta)


def _scaled(c: Lowering, x: Tensor, factor: np.ndarray, offset: np.ndarray, suffix: str = "") -> Value:
    """x * factor + offset with one Scale; constants that make x larger become a node of their own."""
    factor, offset = c.without_batch(factor, c.rank(x)), c.without_batch(offset, c.rank(x))
    shape = c.shape(x)
    free = shape[x.merged :]
    larger = [k for k in (factor, offset) if np.broadcast_shapes(free, k.shape) != free]
    if not larger:
        return c.emit(Scale(Const(np.asarray(factor, np.float64)), Const(np.asarray(offset, np.float64))), [x], suffix=suffix)
    adds = larger[-1] is offset
    merge, other, plain = (Merge.ADD, offset, (factor == 1).all()) if adds else (Merge.MUL, factor, not offset.any())
    if x.merged or not plain:
        raise Refusal(f"its constant of shape {other.shape} makes a tensor of {shape} larger")
    return c.emit(Elementwise(merge), [x, c.constant(other)])


_ONE, _ZERO = np.asarray(1.0), np.asarray(0.0)


def _two(c: Lowering, merge: Merge, x: Tensor, y: Tensor) -> Value:
    if c.rank(x) != c.rank(y) or x.merged != y.merged:
        raise Refusal("its operands differ in rank, so that the batch of one would meet another axis; unsqueeze one of them")
    return c.emit(Elementwise(merge), [x, y])


def _add(c: Lowering, a: Args) -> Value:
    return _sum(c, a.get("self"), a.get("other"), 1.0, a.number("alpha", 1))


def _sub(c: Lowering, a: Args) -> Value:
    return _sum(c, a.get("self"), a.get("other"), 1.0, -a.number("alpha", 1))


def _rsub(c: Lowering, a: Args) -> Value:
    return _sum(c, a.get("other"), a.get("self"), 1.0, -a.number("alpha", 1))


def _sum(c: Lowering, x: Value, y: Value, p: float, q: float) -> Value:
    """p * x + q * y, where p or q is 1 or -1 and at least one of x, y depends on the input."""
    if not isinstance(x, Tensor):
        x, y, p, q = y, x, q, p
    if not isinstance(x, Tensor):
        raise Refusal("neither of its operands depends on the input")
    if not isinstance(y, Tensor):
        return _scaled(c, x, np.asarray(p), _number(y) * q)
    if abs(q) != 1:
        y = c.emit(Scale(Const(np.asarray(abs(q))), Const(_ZERO)), [y], suffix="alpha")
    return _two(c, Merge.ADD if q > 0 else Merge.SUB, x, y)


def _number(value: Value) -> np.ndarray:
    if isinstance(value, (int, float, np.ndarray)):
        return np.asarray(value, np.float64)
    raise Refusal("its operand is neither a tensor nor a number")


def _mul(c: Lowering, a: Args) -> Value:
    x, y = a.get("self"), a.get("other")
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return c.emit(Unary(Simple.SQUARE), [x]) if x == y else _two(c, Merge.MUL, x, y)
    return _scaled(c, *((x, _number(y)) if isinstance(x, Tensor) else (a.tensor("other"), _number(x))), _ZERO)


def _div(c: Lowering, a: Args) -> Value:
    x, y = a.get("self"), a.get("other")
    if isinstance(y, Tensor):
        if isinstance(x, Tensor):
            raise Refusal("the quotient of two computed tensors is not offered; divide by a constant")
        if np.ndim(x) == 0 and x == 1:
            return c.emit(Table(Function.RECIPROCAL), [y])
        inverse = c.emit(Table(Function.RECIPROCAL), [y], suffix="reciprocal")
        return _scaled(c, inverse, _number(x), _ZERO)
    divisor = _number(y)
    if not divisor.all():
        raise Refusal("it divides by a constant that holds zeros")
    return _scaled(c, a.tensor(), 1.0 / divisor, _ZERO)


def _extreme(merge: Merge) -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        x, y = a.get("self"), a.get("other")
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            return _two(c, merge, x, y)
        x, const = (x, _number(y)) if isinstance(x, Tensor) else (a.tensor("other"), _number(x))
        const = c.without_batch(const, c.rank(x))
        if const.ndim == 0:
            low, high = (float(const), math.inf) if merge is Merge.MAX else (-math.inf, float(const))
            return c.emit(_clip(low, high), [x])
        return c.emit(Elementwise(merge), [x, c.constant(const)])

    return lower


def _pow(c: Lowering, a: Args) -> Value:
    x, exponent = a.tensor(), a.number("exponent")
    if exponent == 1:
        return x
    if exponent == 3:
        return c.emit(Elementwise(Merge.MUL), [c.emit(Unary(Simple.SQUARE), [x], suffix="square"), x])
    tables = {0.5: Function.SQRT, -1.0: Function.RECIPROCAL, -0.5: Function.RSQRT}
    if exponent != 2 and exponent not in tables:
        raise Refusal(f"powers of {exponent:g} are not offered; -1, -0.5, 0.5, 1, 2 and 3 are")
    return c.emit(Unary(Simple.SQUARE) if exponent == 2 else Table(tables[exponent]), [x])


def _norm(c: Lowering, a: Args) -> Value:
    """BatchNorm: scale = gamma / sqrt(var + eps), bias = beta - mean * scale, in float64; along the second torch axis."""
    x = a.tensor("input")
    if a.get("training", False):
        raise Refusal("it was exported in training mode; call model.eval() before torch.export.export")
    mean, var = a.const("running_mean"), a.const("running_var")
    if mean is None or var is None:
        raise Refusal("it keeps no running statistics (track_running_stats=False); train it with them")
    gamma, beta = a.const("weight"), a.const("bias")
    spread = var.astype(np.float64) + a.number("eps", 1e-5)
    if (spread <= 0).any():
        raise Refusal("its variance plus eps is not positive")
    scale = (1.0 if gamma is None else gamma.astype(np.float64)) / np.sqrt(spread)
    bias = (0.0 if beta is None else beta.astype(np.float64)) - mean.astype(np.float64) * scale
    column = (-1,) + (1,) * (len(c.shape(x)) - 1 - c.axis(x, 1))
    return c.emit(Scale(Const(scale.reshape(column)), Const(bias.reshape(column))), [x])


def _softmax(log: bool) -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        return c.emit(Softmax(c.axis(a.tensor(), a.whole("dim")), log), [a.tensor()])

    return lower


def _clip(low: float, high: float) -> Op:
    if low > high:
        raise Refusal(f"its lower end {low:g} lies above its upper end {high:g}")
    return Relu() if (low, high) == (0, math.inf) else Clip(low, high)


def _elu(c: Lowering, a: Args) -> Value:
    form = (a.number("alpha", 1), a.number("scale", 1))
    if a.number("input_scale", 1) != 1 or (form[1] != 1 and form != _SELU):
        raise Refusal("only scale 1, or the two constants of SELU, are offered")
    return c.emit(Table(Function.SELU) if form == _SELU else Table(Function.ELU, form[0]), [a.tensor()])


def _softplus(c: Lowering, a: Args) -> Value:
    """log(1 + exp(beta x)) / beta. PyTorch answers x beyond ``threshold``: a difference under 2e-9 at its default, 20."""
    x, beta = a.tensor(), a.number("beta", 1)
    if a.number("threshold", 20) < 20 or beta <= 0:
        raise Refusal("a threshold under 20 or a beta that is not positive is not offered; leave threshold at 20")
    if beta == 1:
        return c.emit(Table(Function.SOFTPLUS), [x])
    scaled = c.emit(Scale(Const(np.asarray(beta)), Const(_ZERO)), [x], suffix="beta")
    plus = c.emit(Table(Function.SOFTPLUS), [scaled], suffix="softplus")
    return c.emit(Scale(Const(np.asarray(1 / beta)), Const(_ZERO)), [plus])


def _given(a: Args, name: str) -> np.ndarray:
    value = a.const(name)
    if value is None:
        raise Refusal(f"its operand '{name}' is missing")
    return value


def _prelu(c: Lowering, a: Args) -> Value:
    """One slope, or one per entry of the second torch axis."""
    x, slope = a.tensor(), _given(a, "weight")
    column = () if slope.size == 1 else (-1,) + (1,) * (len(c.shape(x)) - 1 - c.axis(x, 1))
    return c.emit(LeakyRelu(Const(slope.reshape(column))), [x])


def _leaky_broadcast(c: Lowering, a: Args) -> Value:
    slope = c.without_batch(_given(a, "slope"), c.rank(a.tensor()))
    return c.emit(LeakyRelu(Const(slope.reshape(()) if slope.size == 1 else slope)), [a.tensor()])


def _gelu(a: Args) -> Op:
    form = a.get("approximate", "none")
    if form not in ("none", "tanh"):
        raise Refusal(f"its approximation {form!r} is not known")
    return Table(Function.GELU if form == "none" else Function.GELU_TANH)


def _threshold(a: Args) -> Op:
    theta, value = a.number("threshold"), a.number("value")
    return Relu() if theta == value == 0 else Threshold(theta, value)


def _rrelu(a: Args) -> Op:
    if a.get("training", False):
        raise Refusal("it was exported in training mode; call model.eval() before torch.export.export")
    return LeakyRelu(Const(np.asarray((a.number("lower", 1 / 8) + a.number("upper", 1 / 3)) / 2)))


def _always(op: Op) -> Callable[[Args], Op]:
    return lambda a: op


# Table functions whose aten operator has their name and no arguments.
_BY_NAME = (
    Function.SIGMOID, Function.TANH, Function.SELU, Function.SILU, Function.EXP, Function.MISH, Function.LOG, Function.SQRT,
    Function.RSQRT, Function.RECIPROCAL, Function.ERF, Function.SIN, Function.COS, Function.LOG_SIGMOID,
)  # fmt: skip
# Operators with one operand, ``self``: the op that its arguments give.
_UNARY: Mapping[str, Callable[[Args], Op]] = {
    "relu.default": _always(Relu()),
    "relu6.default": _always(Clip(0.0, 6.0)),
    "hardtanh.default": lambda a: _clip(a.number("min_val", -1), a.number("max_val", 1)),
    "clamp.default": lambda a: _clip(a.number("min", -math.inf), a.number("max", math.inf)),
    "clip.default": lambda a: _clip(a.number("min", -math.inf), a.number("max", math.inf)),
    "clamp_min.default": lambda a: _clip(a.number("min"), math.inf),
    "clamp_max.default": lambda a: _clip(-math.inf, a.number("max")),
    "leaky_relu.default": lambda a: LeakyRelu(Const(np.asarray(a.number("negative_slope", 0.01)))),
    "rrelu.default": _rrelu,
    "hardsigmoid.default": _always(HardSigmoid(1 / 6, 0.5)),
    "hardswish.default": _always(HardSwish(1 / 6, 0.5)),
    "threshold.default": _threshold,
    "gelu.default": _gelu,
    "celu.default": lambda a: Table(Function.CELU, a.number("alpha", 1)),
    **{f"{simple.value}.default": _always(Unary(simple)) for simple in Simple},
    **{f"{function.value}.default": _always(Table(function)) for function in _BY_NAME},
    "softsign": _always(Table(Function.SOFTSIGN)),
    "tanhshrink": _always(Table(Function.TANH_SHRINK)),
}


def _apply(make: Callable[[Args], Op], c: Lowering, a: Args) -> Value:
    return c.emit(make(a), [a.tensor()])


LOWER: Mapping[str, Lower] = {
    **SHAPE,
    **{target: functools.partial(_apply, make) for target, make in _UNARY.items()},
    "linear.default": _linear,
    "addmm.default": _addmm,
    "biased_product": _biased,
    "mm.default": lambda c, a: _product(c, a, "self", "mat2"),
    "matmul.default": lambda c, a: _product(c, a, "self", "other"),
    **dict.fromkeys(("add.Tensor", "add.Scalar"), _add),
    **dict.fromkeys(("sub.Tensor", "sub.Scalar"), _sub),
    **dict.fromkeys(("rsub.Tensor", "rsub.Scalar"), _rsub),
    **dict.fromkeys(("mul.Tensor", "mul.Scalar", "multiply.Tensor"), _mul),
    **dict.fromkeys(("div.Tensor", "div.Scalar"), _div),
    **dict.fromkeys(("maximum.default", "max.other"), _extreme(Merge.MAX)),
    **dict.fromkeys(("minimum.default", "min.other"), _extreme(Merge.MIN)),
    "pow.Tensor_Scalar": _pow,
    "batch_norm.default": _norm,
    "_native_batch_norm_legit_no_training.default": _norm,
    "softmax.int": _softmax(False),
    "_softmax.default": _softmax(False),
    "log_softmax.int": _softmax(True),
    "_log_softmax.default": _softmax(True),
    "elu.default": _elu,
    "softplus.default": _softplus,
    "prelu.default": _prelu,
    "leaky_relu.broadcast": _leaky_broadcast,
}
