"""The table from aten operators to their meaning: products, arithmetic and activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from nn2hls.converters.lower import activations, arith, contract, einsum, linear, moves, norm, over_axes
from nn2hls.converters.lower.value import Operand, Refusal, Tensor
from nn2hls.converters.pytorch import run_time
from nn2hls.converters.pytorch.attention import ATTENTION
from nn2hls.converters.pytorch.choice import CHOICE
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.converters.pytorch.moves import MOVES, Lower
from nn2hls.converters.pytorch.norms import NORMS, TRAINING
from nn2hls.converters.pytorch.places import PLACES
from nn2hls.converters.pytorch.pquant_casts import LOWERED as PQUANT
from nn2hls.converters.pytorch.quantised import QUANTISED
from nn2hls.converters.pytorch.recurrent import RECURRENT
from nn2hls.converters.pytorch.reductions import REDUCTIONS
from nn2hls.converters.pytorch.shape import SHAPE
from nn2hls.converters.pytorch.windows import WINDOWS


def _dense(c: Lowering, x: Tensor, weight: np.ndarray | None, bias: np.ndarray | None) -> Value:
    """Dense with a weight of shape (n_in, n_out)."""
    if weight is None or weight.ndim != 2:
        raise Refusal("its second operand must be a constant matrix")
    return linear.dense(c, x, weight, None if bias is None else c.without_batch(bias, x.rank))


def _linear(c: Lowering, a: Args) -> Value:
    weight = a.const("weight")
    if a.measured():
        return run_time.linear(c, a)
    return _dense(c, a.tensor("input"), None if weight is None else weight.T, a.const("bias"))


def _factor(c: Lowering, value: Value, other: Value) -> Operand:
    """A tensor, one constant matrix for all, or one for each place of leading axes."""
    rank = other.rank if isinstance(other, Tensor) else 0
    while isinstance(value, np.ndarray) and 2 < value.ndim <= rank and (value == value[:1]).all():
        value = value[0]  # decomposed products of moved batches repeat it
    if isinstance(value, np.ndarray) and value.ndim < 3:
        return np.asarray(value, np.float64)
    return c.operand(value, other)


def _product(left: str, right: str) -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        x, y = a.get(left), a.get(right)
        if not isinstance(x, Tensor) and np.ndim(x) < 3 and isinstance(y, Tensor) and y.rank < 3:
            raise Refusal("a constant matrix on the left mixes the batch; put it on the right")
        return einsum.matmul(c, _factor(c, x, y), _factor(c, y, x))

    return lower


def _baddbmm(c: Lowering, a: Args) -> Value:
    product = einsum.matmul(c.step("product"), a.tensor("batch1"), a.tensor("batch2"))
    scaled = arith.multiply(c.step("alpha"), product, np.asarray(a.number("alpha", 1)))
    beta, extra = np.asarray(a.number("beta", 1)), c.operand(a.get("self"), product)
    extra = arith.multiply(c.step("beta"), extra, beta) if isinstance(extra, Tensor) else extra * beta
    return arith.add(c, scaled, extra)


def _einsum(c: Lowering, a: Args) -> Value:
    """Tensors and constants; the order of products that ``path`` asks for changes no value."""
    operands = [v for v in a.items("tensors") if v is not None]
    return contract.contract(c, str(a.get("equation")), operands)


def _tensordot(c: Lowering, a: Args) -> Value:
    x, y = (v if isinstance(v, Tensor) else np.asarray(v, np.float64) for v in (a.get("self"), a.get("other")))
    return contract.tensordot(c, x, y, (a.items("dims_self"), a.items("dims_other")))


def _inner(c: Lowering, a: Args) -> Value:
    x, y = (v if isinstance(v, Tensor) else np.asarray(v, np.float64) for v in (a.get("self"), a.get("other")))
    return contract.tensordot(c, x, y, ([-1], [-1]))


def _biased(c: Lowering, a: Args) -> Value:
    return _dense(c, a.tensor("input"), a.const("weight"), a.const("bias"))


def _addmm(c: Lowering, a: Args) -> Value:
    bias, weight = a.const("self"), a.const("mat2")
    alpha, beta = a.number("alpha", 1), a.number("beta", 1)
    if weight is not None and alpha != 1:
        weight = weight * alpha
    return _dense(c, a.tensor("mat1"), weight, bias if bias is None or beta == 1 else bias * beta)


def _pair(c: Lowering, a: Args) -> tuple[Operand, Operand]:
    x, y = a.get("self"), a.get("other")
    return c.operand(x, y), c.operand(y, x)


def _added(sign: float, *, swapped: bool = False) -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        x, y = _pair(c, a)
        return arith.add(c, *((y, x) if swapped else (x, y)), sign * a.number("alpha", 1))

    return lower


def _two(meaning: Callable[[Lowering, Operand, Operand], Tensor]) -> Lower:
    return lambda c, a: meaning(c, *_pair(c, a))


def _pow(c: Lowering, a: Args) -> Value:
    return arith.power(c, a.tensor(), np.asarray(a.number("exponent")))


def _log_add_exp(c: Lowering, a: Args) -> Value:
    return over_axes.log_add_exp(c, a.tensor(), a.tensor("other"))


def _softmax(*, log: bool) -> Lower:
    return lambda c, a: activations.softmax(c, a.tensor(), a.tensor().axis(a.whole("dim")), log=log)


def _elu(c: Lowering, a: Args) -> Value:
    if a.number("input_scale", 1) != 1:
        raise Refusal("only an input scale of 1 is offered")
    return activations.elu(c, a.tensor(), a.number("alpha", 1), a.number("scale", 1))


def _softplus(c: Lowering, a: Args) -> Value:
    """PyTorch answers x beyond ``threshold``: a difference under 2e-9 at its default, 20."""
    if a.number("threshold", 20) < 20:
        raise Refusal("a threshold under 20 is not offered; leave threshold at 20")
    return activations.softplus(c, a.tensor(), a.number("beta", 1))


def _given(a: Args, name: str) -> np.ndarray:
    value = a.const(name)
    if value is None:
        raise Refusal(f"its operand '{name}' is missing")
    return value


def _prelu(c: Lowering, a: Args) -> Value:
    """One slope, or one per entry of the second torch axis."""
    x, slope = a.tensor(), _given(a, "weight")
    return activations.leaky_relu(c, x, slope.reshape(()) if slope.size == 1 else norm.along(slope, (x.axis(1),), x))


def _leaky_broadcast(c: Lowering, a: Args) -> Value:
    slope = c.without_batch(_given(a, "slope"), a.tensor().rank)
    return activations.leaky_relu(c, a.tensor(), slope.reshape(()) if slope.size == 1 else slope)


def _gelu(c: Lowering, a: Args) -> Value:
    form = a.get("approximate", "none")
    if form not in ("none", "tanh"):
        raise Refusal(f"its approximation {form!r} is not known")
    return activations.gelu(c, a.tensor(), approximate=form == "tanh")


def _rrelu(c: Lowering, a: Args) -> Value:
    if a.get("training", False):
        raise Refusal(TRAINING)
    return activations.leaky_relu(c, a.tensor(), (a.number("lower", 1 / 8) + a.number("upper", 1 / 3)) / 2)


def _clip(low: str, high: str, lowest: float = -math.inf, highest: float = math.inf) -> Lower:
    return lambda c, a: activations.clip(c, a.tensor(), a.number(low, lowest), a.number(high, highest))


def _function(name: str) -> Lower:
    return lambda c, a: activations.function(c, a.tensor(), name)


# Functions without parameters whose aten operator has another name, or none.
_OTHER_NAMES = ("hard_tanh", "hard_sigmoid", "hard_swish", "sparse_sigmoid", "softsign", "tanh_shrink")
_RENAMED = {"hardsigmoid.default": "hard_sigmoid", "hardswish.default": "hard_swish", "tanhshrink": "tanh_shrink"}

LOWER: Mapping[str, Lower] = {
    **SHAPE,
    **MOVES,
    **PLACES,
    **REDUCTIONS,
    **ATTENTION,
    **NORMS,
    **RECURRENT,
    **CHOICE,
    **WINDOWS,
    **QUANTISED,
    **PQUANT,
    **{f"{name}.default": _function(name) for name in activations.FUNCTIONS if name not in _OTHER_NAMES},
    **{target: _function(name) for target, name in _RENAMED.items()},
    "softsign": _function("softsign"),
    "hardtanh.default": _clip("min_val", "max_val", -1, 1),
    "clamp.default": _clip("min", "max"),
    "clip.default": _clip("min", "max"),
    "clamp_min.default": _clip("min", ""),
    "clamp_max.default": _clip("", "max"),
    "leaky_relu.default": lambda c, a: activations.leaky_relu(c, a.tensor(), a.number("negative_slope", 0.01)),
    "rrelu.default": _rrelu,
    "threshold.default": lambda c, a: activations.step_threshold(c, a.tensor(), a.number("threshold"), a.number("value")),
    "gelu.default": _gelu,
    "celu.default": lambda c, a: activations.celu(c, a.tensor(), a.number("alpha", 1)),
    "softshrink.default": lambda c, a: activations.soft_shrink(c, a.tensor(), a.number("lambd", 0.5)),
    "hardshrink.default": lambda c, a: activations.hard_shrink(c, a.tensor(), a.number("lambd", 0.5)),
    "glu.default": lambda c, a: moves.glu(c, a.tensor(), a.tensor().axis(a.whole("dim", -1))),
    "elu.default": _elu,
    "softplus.default": _softplus,
    "prelu.default": _prelu,
    "leaky_relu.broadcast": _leaky_broadcast,
    "linear.default": _linear,
    "addmm.default": _addmm,
    "biased_product": _biased,
    "mm.default": _product("self", "mat2"),
    "bmm.default": _product("self", "mat2"),
    "matmul.default": _product("self", "other"),
    "baddbmm.default": _baddbmm,
    "einsum.default": _einsum,
    "tensordot.default": _tensordot,
    "inner.default": _inner,
    **dict.fromkeys(("add.Tensor", "add.Scalar"), _added(1.0)),
    **dict.fromkeys(("sub.Tensor", "sub.Scalar"), _added(-1.0)),
    **dict.fromkeys(("rsub.Tensor", "rsub.Scalar"), _added(-1.0, swapped=True)),
    **dict.fromkeys(("mul.Tensor", "mul.Scalar", "multiply.Tensor"), _two(arith.multiply)),
    **dict.fromkeys(("div.Tensor", "div.Scalar", "true_divide.Tensor"), _two(arith.divide)),
    **dict.fromkeys(("maximum.default", "max.other"), _two(arith.maximum)),
    **dict.fromkeys(("minimum.default", "min.other"), _two(arith.minimum)),
    "logaddexp.default": _log_add_exp,
    "pow.Tensor_Scalar": _pow,
    "softmax.int": _softmax(log=False),
    "_softmax.default": _softmax(log=False),
    "log_softmax.int": _softmax(log=True),
    "_log_softmax.default": _softmax(log=True),
}
