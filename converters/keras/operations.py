"""Operations of ``keras.ops`` and operators (``x * 2 + 1``) in functional models: class name -> how a call is lowered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn2hls.converters.keras import activations as activations
from nn2hls.converters.keras import attention
from nn2hls.converters.keras.activations import PLAIN, function
from nn2hls.converters.keras.choice import OPERATIONS as CHOICE
from nn2hls.converters.keras.emit import Apply, Entry, Prepared, Site, per_event
from nn2hls.converters.keras.layers import concatenate, identity, of_one
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.moves import OPERATIONS as MOVES
from nn2hls.converters.keras.norms import OPERATIONS as NORMS
from nn2hls.converters.keras.products import OPERATIONS as PRODUCTS
from nn2hls.converters.keras.reductions import OPERATIONS as REDUCTIONS
from nn2hls.converters.keras.window_operations import OPERATIONS as WINDOWS
from nn2hls.converters.lower import activations as lower
from nn2hls.converters.lower import arith, moves, over_axes, shape
from nn2hls.converters.lower.value import Operand, Refusal, Tensor


def plain(apply: Apply) -> Entry:
    """The same function whatever the config."""
    return of_one(lambda layer: apply)


def _pair(site: Site) -> tuple[Operand, Operand]:
    """Two operands, at least one of them a tensor; constants lose a batch axis of size one."""
    ranks = [o.rank for o in site.operands if isinstance(o, Tensor)]
    found = tuple(o for o in site.operands if isinstance(o, (Tensor, np.ndarray)))
    if len(found) != 2 or len(site.operands) != 2 or not ranks:
        raise Refusal("it needs two operands, values of the network or numbers")
    a, b = (o if isinstance(o, Tensor) else per_event(o, ranks[0]) for o in found)
    return a, b


def two(meaning: Callable[[Site, Operand, Operand], Tensor]) -> Entry:
    """An operation on two operands, either of which may be a constant."""
    return lambda layer: lambda site: meaning(site, *_pair(site))


def clip(layer: Layer) -> Prepared:
    """Clip between two numbers."""
    low, high = layer.number("x_min", default=0.0), layer.number("x_max", default=0.0)
    return lambda site: lower.clip(site, site.tensor, low, high)


def reshape(layer: Layer) -> Prepared:
    """Reshape to ``newshape``, with batch axis."""
    target = layer.integers("newshape")
    if target[:1] != (-1,):
        raise Refusal(f"a new shape of {target} must keep the batch axis first, as -1")
    return lambda site: shape.reshape(site, site.tensor, shape.full_size(target[1:], site.tensor.shape))


def transpose(layer: Layer) -> Prepared:
    """Transpose with the batch axis in its place."""
    axes = layer.integers("axes")
    if axes[:1] != (0,):
        raise Refusal(f"axes {axes} move the batch axis")
    return lambda site: shape.transpose(site, site.tensor, [k - 1 for k in axes[1:]])


def gelu(layer: Layer) -> Apply:
    """``keras.ops.gelu`` approximates with tanh unless told otherwise, unlike the activation of that name."""
    approximate = layer.flag("approximate", True)
    return lambda site, x: lower.gelu(site, x, approximate=approximate)


def celu(layer: Layer) -> Apply:
    """CELU."""
    alpha = layer.number("alpha", default=1.0)
    return lambda site, x: lower.celu(site, x, alpha)


def threshold(layer: Layer) -> Apply:
    """x above the threshold, else another value."""
    theta, value = layer.number("threshold", default=0.0), layer.number("default_value", default=0.0)
    return lambda site, x: lower.step_threshold(site, x, theta, value)


def glu(layer: Layer) -> Prepared:
    """The first half times the sigmoid of the second."""
    axis = layer.integer("axis", -1)
    return lambda site: moves.glu(site, site.tensor, site.tensor.axis(axis))


def shrink(meaning: Callable[[Site, Tensor, float], Tensor]) -> Callable[[Layer], Apply]:
    """Towards zero, or zero, within a threshold."""

    def prepare(layer: Layer) -> Apply:
        threshold = layer.number("threshold", default=0.5)
        return lambda site, x: meaning(site, x, threshold)

    return prepare


def squareplus(layer: Layer) -> Apply:
    """Squareplus."""
    b = layer.number("b", default=4.0)
    return lambda site, x: lower.squareplus(site, x, b)


def log_softmax(layer: Layer) -> Apply:
    """LogSoftmax along one axis."""
    return activations.softmax(layer, log=True)


def hard_sigmoid(layer: Layer) -> Apply:
    """HardSigmoid, which Keras 2 and 3 define differently."""
    return activations.hard_sigmoid(layer)


def log_add_exp(layer: Layer) -> Prepared:
    """log(exp(x) + exp(y)) of two values."""

    def lower_pair(site: Site) -> Tensor:
        x, y = _pair(site)
        if not isinstance(x, Tensor) or not isinstance(y, Tensor):
            raise Refusal("it needs two values of the network")
        return over_axes.log_add_exp(site, x, y)

    return lower_pair


# Functions in Keras 2's TFOpLambda layers, by the operation of Keras 3 that does the same.
TF_FUNCTIONS = {
    "__operators__.add": "Add",
    "identity": "Copy",
    "math.abs": "Absolute",
    "math.add": "Add",
    "math.divide": "Divide",
    "math.exp": "Exp",
    "math.log": "Log",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "math.multiply": "Multiply",
    "math.negative": "Negative",
    "math.pow": "Power",
    "math.reciprocal": "Reciprocal",
    "math.rsqrt": "Rsqrt",
    "math.sigmoid": "Sigmoid",
    "math.sign": "Sign",
    "math.softplus": "Softplus",
    "math.sqrt": "Sqrt",
    "math.square": "Square",
    "math.subtract": "Subtract",
    "math.tanh": "Tanh",
    "math.truediv": "Divide",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.selu": "Selu",
    "nn.softsign": "Softsign",
}


def tf_function(layer: Layer) -> Prepared:
    """TFOpLambda, which Keras 2.4 and later write for ``x * 2`` and for functions of TensorFlow."""
    function = layer.value("function", default="an unknown function")
    if function not in TF_FUNCTIONS:
        raise Refusal(f"TFOpLambda of {function!s:.80} is not offered; write it with layers, or leave it out of the model")
    return OPERATIONS[TF_FUNCTIONS[function]](layer)


# Operations without parameters, by the function that they are where that has another name.
_FUNCTIONS = """
    Sigmoid Tanh Softplus Softsign Selu Silu Exp Log Sqrt Rsqrt Reciprocal Erf Sin Cos Mish LogSigmoid TanhShrink Sign Square
    Relu Relu6 HardTanh SparseSigmoid
"""
_NAMES = {"LogSigmoid": "log_sigmoid", "TanhShrink": "tanh_shrink", "HardTanh": "hard_tanh", "SparseSigmoid": "sparse_sigmoid"}

OPERATIONS: dict[str, Entry] = {
    **MOVES,
    **REDUCTIONS,
    **PRODUCTS,
    **NORMS,
    **CHOICE,
    **attention.OPERATIONS,
    **WINDOWS,
    **{name: plain(function(_NAMES.get(name, name.lower()))) for name in _FUNCTIONS.split()},
    "Absolute": plain(function("abs")),
    "Add": two(arith.add),
    "Celu": of_one(celu),
    "Clip": clip,
    "Concatenate": concatenate,
    "Copy": identity,
    "Divide": two(arith.divide),
    "Elu": of_one(activations.elu),
    "Gelu": of_one(gelu),
    "HardSigmoid": of_one(hard_sigmoid),
    "Glu": glu,
    "HardShrink": of_one(shrink(lower.hard_shrink)),
    "SoftShrink": of_one(shrink(lower.soft_shrink)),
    "Squareplus": of_one(squareplus),
    "HardSilu": plain(PLAIN["hard_silu"]),
    "LeakyRelu": of_one(activations.leaky_relu(0.2)),
    "LogSoftmax": of_one(log_softmax),
    "Logaddexp": log_add_exp,
    "Maximum": two(arith.maximum),
    "Minimum": two(arith.minimum),
    "Multiply": two(arith.multiply),
    "Negative": plain(function("neg")),
    "Power": two(arith.power),
    "ReLU": of_one(activations.relu),
    "Reshape": reshape,
    "Softmax": of_one(activations.softmax),
    "StopGradient": identity,
    "Subtract": two(arith.subtract),
    "Threshold": of_one(threshold),
    "Transpose": transpose,
    "TrueDivide": two(arith.divide),
}
