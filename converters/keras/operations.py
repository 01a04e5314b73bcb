"""Operations of ``keras.ops`` and operators (``x * 2 + 1``) in functional models: class name -> how a call is lowered."""

from __future__ import annotations

import numpy as np

from nn2hls.converters.keras import activations as activations
from nn2hls.converters.keras.activations import PLAIN, Ops, leaky, table
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.layers import concatenate, from_ops, identity, reshaped, resolve_size
from nn2hls.converters.keras.model import Layer
from nn2hls.errors import UnsupportedError
from nn2hls.graph.const import Const
from nn2hls.ops import Clip, Constant, Elementwise, Function, Merge, Op, Scale, Simple, Table, Threshold, Transpose, Unary

Operand = str | np.ndarray


def plain(*ops: Op) -> Entry:
    """The same ops whatever the config."""
    return from_ops(lambda layer: lambda shape: ops)


def _two(site: Site) -> tuple[Operand, Operand]:
    """Two operands, at least one of them a tensor; constants lose a batch axis of size one."""
    ranks = {len(site.shape(o)) for o in site.operands if isinstance(o, str)}
    found = tuple(o for o in site.operands if isinstance(o, (str, np.ndarray)))
    if len(found) != 2 or len(site.operands) != 2 or not ranks:
        raise UnsupportedError("it needs two operands, values of the network or numbers")
    if len(ranks) > 1:
        raise UnsupportedError("its operands differ in rank, so that one of them broadcasts over the batch axis")
    (rank,) = ranks
    a, b = (o if isinstance(o, str) else _without_batch(o, rank) for o in found)
    return a, b


def _without_batch(array: np.ndarray, rank: int) -> np.ndarray:
    array = array[0] if array.ndim == rank + 1 and array.shape[0] == 1 else array
    if array.ndim > rank:
        raise UnsupportedError(f"a constant of shape {array.shape} reaches over the batch axis")
    if not np.isfinite(array).all():
        raise UnsupportedError("a constant holds NaN or Inf")
    return array


def _with_constant(site: Site, x: str, array: np.ndarray, merge: Merge, scale: Scale | None) -> str:
    """One Scale, or an element-wise op with a Constant where there is none or the constant makes x larger."""
    shape = site.shape(x)
    if scale is not None and len(array.shape) <= len(shape) and np.broadcast_shapes(shape, array.shape) == shape:
        return site.emit(scale, [x])
    constant = site.emit(Constant(Const(array)), [], word="const", last=False)
    return site.emit(Elementwise(merge), [x, constant])


def _affine(scale: np.ndarray | float, bias: np.ndarray | float) -> Scale:
    return Scale(Const(np.asarray(scale, np.float64)), Const(np.asarray(bias, np.float64)))


def add(layer: Layer) -> Prepared:
    """x + y, x + c."""

    def lower(site: Site) -> str:
        match _two(site):
            case (str(x), np.ndarray() as c) | (np.ndarray() as c, str(x)):
                return _with_constant(site, x, c, Merge.ADD, _affine(1.0, c))
        return site.emit(Elementwise(Merge.ADD), site.tensors)

    return lower


def subtract(layer: Layer) -> Prepared:
    """x - y, x - c, c - x."""

    def lower(site: Site) -> str:
        match _two(site):
            case (str(x), np.ndarray() as c):
                return _with_constant(site, x, -c, Merge.ADD, _affine(1.0, -c))
            case (np.ndarray() as c, str(x)) if np.broadcast_shapes(site.shape(x), c.shape) == site.shape(x):
                return site.emit(_affine(-1.0, c), [x])
            case (np.ndarray() as c, str(x)):
                constant = site.emit(Constant(Const(c)), [], word="const", last=False)
                return site.emit(Elementwise(Merge.SUB), [constant, x])
        return site.emit(Elementwise(Merge.SUB), site.tensors)

    return lower


def multiply(layer: Layer) -> Prepared:
    """x * y, x * c."""

    def lower(site: Site) -> str:
        match _two(site):
            case (str(x), np.ndarray() as c) | (np.ndarray() as c, str(x)):
                return _with_constant(site, x, c, Merge.MUL, _affine(c, 0.0))
        return site.emit(Elementwise(Merge.MUL), site.tensors)

    return lower


def divide(layer: Layer) -> Prepared:
    """x / c."""

    def lower(site: Site) -> str:
        match _two(site):
            case (str(x), np.ndarray() as c) if (c != 0).all():
                return _with_constant(site, x, 1 / c, Merge.MUL, _affine(1 / c, 0.0))
            case (str(), np.ndarray()):
                raise UnsupportedError("it divides by zero")
        raise UnsupportedError("only a division by a constant is supported; multiply by keras.ops.reciprocal(y) instead")

    return lower


def extreme(merge: Merge) -> Entry:
    """Maximum or minimum of two tensors, or of a tensor and a constant (a number gives a Clip)."""

    def lower(site: Site) -> str:
        match _two(site):
            case (str(x), np.ndarray() as c) | (np.ndarray() as c, str(x)):
                if c.size == 1:
                    if merge is Merge.MAX:
                        ops = PLAIN["relu"] if c.item() == 0 else (Clip(c.item(), np.inf),)
                    else:
                        ops = (Clip(-np.inf, c.item()),)
                    return site.chain(ops, x)
                return _with_constant(site, x, c, merge, None)
        return site.emit(Elementwise(merge), site.tensors)

    return lambda layer: lower


POWERS: dict[float, tuple[Op, ...]] = {
    -1.0: (Table(Function.RECIPROCAL),),
    -0.5: (Table(Function.RSQRT),),
    0.5: (Table(Function.SQRT),),
    1.0: (),
    2.0: (Unary(Simple.SQUARE),),
}


def power(layer: Layer) -> Prepared:
    """x ** c for the exponents in POWERS."""

    def lower(site: Site) -> str:
        match _two(site):
            case (str(x), np.ndarray() as c) if c.ndim == 0 and c.item() in POWERS:
                return site.chain(POWERS[c.item()], x)
        raise UnsupportedError(f"only the exponents {', '.join(f'{p:g}' for p in POWERS)} are supported")

    return lower


def clip(layer: Layer) -> Prepared:
    """Clip between two numbers."""
    low, high = layer.number("x_min", default=0.0), layer.number("x_max", default=0.0)
    op = Clip(low, high)
    return lambda site: site.emit(op)


def reshape(layer: Layer) -> Prepared:
    """Reshape to ``newshape``, with batch axis."""
    target = layer.integers("newshape")
    if target[:1] != (-1,):
        raise UnsupportedError(f"a new shape of {target} must keep the batch axis first, as -1")

    def lower(site: Site) -> str:
        return reshaped(site, site.tensor, resolve_size(target[1:], site.shape(site.tensor)))

    return lower


def transpose(layer: Layer) -> Prepared:
    """Transpose with the batch axis in its place."""
    axes = layer.integers("axes")
    if axes[:1] != (0,):
        raise UnsupportedError(f"axes {axes} move the batch axis")
    return lambda site: site.emit(Transpose(tuple(k - 1 for k in axes[1:])))


def gelu(layer: Layer) -> Ops:
    """``keras.ops.gelu`` approximates with tanh unless told otherwise, unlike the activation of that name."""
    op = Table(Function.GELU_TANH if layer.flag("approximate", True) else Function.GELU)
    return lambda shape: (op,)


def leaky_relu(layer: Layer) -> Ops:
    """Leaky ReLU."""
    ops = leaky(layer.number("negative_slope", default=0.2))
    return lambda shape: ops


def threshold(layer: Layer) -> Ops:
    """x above the threshold, else another value."""
    op = Threshold(layer.number("threshold", default=0.0), layer.number("default_value", default=0.0))
    return lambda shape: (op,)


def log_softmax(layer: Layer) -> Ops:
    """LogSoftmax along one axis."""
    return activations.softmax(layer, log=True)


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
        raise UnsupportedError(
            f"TFOpLambda of {function!s:.80} is not offered; write it with layers, or leave it out of the model"
        )
    return OPERATIONS[TF_FUNCTIONS[function]](layer)


def _tables(*functions: Function) -> dict[str, Entry]:
    return {f.value.title().replace("_", ""): plain(Table(f)) for f in functions}


OPERATIONS: dict[str, Entry] = {
    "Absolute": plain(Unary(Simple.ABS)),
    "Add": add,
    "Celu": from_ops(table(Function.CELU, "alpha")),
    "Clip": clip,
    "Concatenate": concatenate,
    "Copy": identity,
    "Divide": divide,
    "Elu": from_ops(table(Function.ELU, "alpha")),
    "Gelu": from_ops(gelu),
    "HardSigmoid": from_ops(lambda layer: activations.named("hard_sigmoid", layer).ops),
    "HardSilu": plain(*PLAIN["hard_silu"]),
    "HardTanh": plain(*PLAIN["hard_tanh"]),
    "LeakyRelu": from_ops(leaky_relu),
    "LogSoftmax": from_ops(log_softmax),
    "Maximum": extreme(Merge.MAX),
    "Minimum": extreme(Merge.MIN),
    "Multiply": multiply,
    "Negative": plain(Unary(Simple.NEG)),
    "Power": power,
    "ReLU": from_ops(activations.relu),
    "Relu": plain(*PLAIN["relu"]),
    "Relu6": plain(*PLAIN["relu6"]),
    "Reshape": reshape,
    "Sign": plain(Unary(Simple.SIGN)),
    "Softmax": from_ops(activations.softmax),
    "SparseSigmoid": plain(*PLAIN["sparse_sigmoid"]),
    "Square": plain(Unary(Simple.SQUARE)),
    "StopGradient": identity,
    "Subtract": subtract,
    "Threshold": from_ops(threshold),
    "Transpose": transpose,
    "TrueDivide": divide,
    **_tables(Function.SIGMOID, Function.TANH, Function.SOFTPLUS, Function.SOFTSIGN, Function.SELU, Function.SILU),
    **_tables(Function.EXP, Function.LOG, Function.SQRT, Function.RSQRT, Function.RECIPROCAL, Function.ERF),
    **_tables(Function.SIN, Function.COS, Function.MISH, Function.LOG_SIGMOID, Function.TANH_SHRINK),
}
