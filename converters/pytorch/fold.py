"""Operators on constants: parameters times masks, generated tensors, views of weights; in the file's own element type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.pytorch.context import Args, BatchSize, Lowering
from nn2hls.converters.pytorch.pt2_program import FLOATS, Call
from nn2hls.converters.pytorch.quantised import VALUES

LARGEST = 1 << 28  # elements of a constant that a file may ask to be made


def _sizes(a: Args, name: str) -> list[int]:
    """Sizes of a generated tensor; the batch counts as one, because every event gets the same constant."""
    sizes = [1 if n == BatchSize() else n for n in a.items(name)]
    if not all(isinstance(n, int) for n in sizes) or min(sizes, default=0) < -1 or math.prod(sizes) > LARGEST:
        raise Refusal(f"it makes a constant of size {a.items(name)}")
    return sizes


def _arrays(a: Args, *names: str) -> list[Any]:
    """Operands; numbers stay numbers so that they take the arrays' element type."""
    values = [a.get(n) for n in names]
    if math.prod(np.broadcast_shapes(*(np.shape(v) for v in values))) > LARGEST:
        raise Refusal("it makes a constant that is too large")
    return values


def _scaled(a: Args) -> Any:
    other = a.get("other")
    return other if a.get("alpha", 1) == 1 else other * a.get("alpha")


def _arange(a: Args) -> np.ndarray:
    start, end, step = a.number("start", 0), a.number("end"), a.number("step", 1)
    if step == 0 or abs((end - start) / step) > LARGEST:
        raise Refusal("it makes a constant that is too large")
    whole = all(isinstance(a.get(n, 0), int) for n in ("start", "end", "step"))
    return np.arange(start, end, step).astype(np.int64 if whole else np.float32)


def _slice(a: Args) -> np.ndarray:
    x = a.get("self")
    index: list[Any] = [slice(None)] * x.ndim
    index[a.whole("dim")] = slice(a.get("start"), a.get("end"), a.whole("step", 1))
    return np.asarray(x[tuple(index)])


def _squeeze(a: Args) -> np.ndarray:
    x, dim = a.get("self"), a.whole("dim")
    return np.asarray(np.squeeze(x, dim) if x.shape[dim] == 1 else x)


def _flatten(a: Args) -> np.ndarray:
    x = a.get("self")
    start, end = a.whole("start_dim") % max(x.ndim, 1), a.whole("end_dim", -1) % max(x.ndim, 1)
    return np.asarray(x.reshape((*x.shape[:start], -1, *x.shape[end + 1 :])))


def _weight_norm(a: Args) -> np.ndarray:
    """w = g * v / |v|, the norm over all axes but ``dim``."""
    v, g, dim = a.get("v"), a.get("g"), a.whole("dim")
    axes = tuple(k for k in range(v.ndim) if k != dim % v.ndim)
    return np.asarray(v * (g / np.sqrt((v * v).sum(axis=axes, keepdims=True))))


def _vector_norm(a: Args) -> np.ndarray:
    if a.number("ord", 2) != 2:
        raise Refusal("only the Euclidean norm (ord=2) of constants is offered")
    x = a.get("self")
    axes = tuple(a.items("dim", range(x.ndim)))
    return np.asarray(np.sqrt((x * x).sum(axis=axes, keepdims=bool(a.get("keepdim", False)))))


def _affine(a: Args, bias: str, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """beta * bias + alpha * x @ kernel, as of a state that begins with zeros."""
    found, added = a.get("alpha", 1) * _product(x, kernel), a.get(bias)
    return np.asarray(found if added is None else found + a.get("beta", 1) * added)


def _arrays_product(a: Args, left: str, right: str) -> np.ndarray:
    return _product(a.get(left), a.get(right))


def _product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.size * (y.shape[-1] if y.ndim > 1 else 1) > LARGEST:
        raise Refusal("it makes a constant that is too large")
    return np.asarray(x @ y)


def _eye(a: Args, rows: str, columns: str) -> np.ndarray:
    n, m = a.whole(rows), a.whole(columns)
    if min(n, m) < 0 or n * m > LARGEST:
        raise Refusal(f"it makes a constant of size {(n, m)}")
    return np.eye(n, m)


def _same(a: Args) -> Any:
    return a.get("self")


def _expand(a: Args) -> np.ndarray:
    x, sizes = a.get("self"), _sizes(a, "size")
    old = (1,) * (len(sizes) - x.ndim) + x.shape
    return np.broadcast_to(x, tuple(o if n == -1 else n for n, o in zip(sizes, old, strict=True)))


def _repeat(a: Args) -> np.ndarray:
    x, counts = a.get("self"), _sizes(a, "repeats")
    if x.size * math.prod(counts) > LARGEST:
        raise Refusal("it makes a constant that is too large")
    return np.tile(x, counts)


def _sum(function: Callable[[Any, Any], Any]) -> Callable[[Args], Any]:
    return lambda a: function(_arrays(a, "self", "other")[0], _scaled(a))


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Args], Any]:
    return lambda a: function(*_arrays(a, "self", "other"))


def _unary(function: Callable[[Any], Any]) -> Callable[[Args], Any]:
    return lambda a: function(a.get("self"))


_Two = Mapping[str, Callable[[Any, Any], Any]]
_ADD: _Two = {"add": np.add, "sub": np.subtract}
_BINARY: _Two = {"mul": np.multiply, "div": np.true_divide, "maximum": np.maximum, "minimum": np.minimum}
_UNARY: Mapping[str, Callable[[Any], Any]] = {
    "abs": np.abs, "neg": np.negative, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "square": np.square, "sign": np.sign,
    "tanh": np.tanh, "reciprocal": np.reciprocal, "t": np.transpose, "numpy_T": np.transpose, "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0), "mT": lambda x: np.swapaxes(x, -1, -2),
}  # fmt: skip
_COMPARE: _Two = {
    "gt": np.greater, "ge": np.greater_equal, "lt": np.less, "le": np.less_equal, "eq": np.equal, "ne": np.not_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or,
}  # fmt: skip
_SAME = (
    "clone.default", "detach.default", "alias.default", "contiguous.default", "lift_fresh_copy.default", "lift_fresh.default",
    "requires_grad.default", "dropout.default",
)  # fmt: skip
_CONVERT = ("to.dtype", "to.dtype_layout", "to.device", "_to_copy.default", "type_as.default", "to.other")

FOLD: Mapping[str, Callable[[Args], Any]] = {
    **{f"{k}.{o}": _sum(f) for k, f in _ADD.items() for o in ("Tensor", "Scalar")},
    **{f"{k}.{o}": _binary(f) for k, f in _BINARY.items() for o in ("Tensor", "Scalar", "default")},
    **{f"{k}.default": _unary(f) for k, f in _UNARY.items()},
    **{f"{k}.{o}": _binary(f) for k, f in _COMPARE.items() for o in ("Tensor", "Scalar", "default")},
    "bitwise_not.default": lambda a: np.invert(a.get("self")),
    "logical_not.default": lambda a: np.logical_not(a.get("self")),
    "triu.default": lambda a: np.triu(a.get("self"), a.whole("diagonal", 0)),
    "tril.default": lambda a: np.tril(a.get("self"), a.whole("diagonal", 0)),
    "masked_fill.Scalar": lambda a: np.where(_arrays(a, "mask", "self")[0], a.number("value"), a.get("self")),
    "where.self": lambda a: np.where(*_arrays(a, "condition", "self", "other")),
    "repeat.default": _repeat,
    **dict.fromkeys((*_SAME, *_CONVERT), _same),
    "rsub.Scalar": lambda a: np.subtract(a.get("other"), a.get("self")),
    "pow.Tensor_Scalar": lambda a: np.power(a.get("self"), a.get("exponent")),
    "softplus.default": lambda a: np.log1p(np.exp(a.get("self"))),
    "clamp.default": lambda a: np.clip(a.get("self"), a.number("min", -np.inf), a.number("max", np.inf)),
    "view.default": lambda a: a.get("self").reshape(_sizes(a, "size")),
    "reshape.default": lambda a: a.get("self").reshape(_sizes(a, "shape")),
    "flatten.using_ints": _flatten,
    "permute.default": lambda a: np.transpose(a.get("self"), a.items("dims")),
    "transpose.int": lambda a: np.swapaxes(a.get("self"), a.whole("dim0"), a.whole("dim1")),
    "unsqueeze.default": lambda a: np.expand_dims(a.get("self"), a.whole("dim")),
    "squeeze.dim": _squeeze,
    "expand.default": _expand,
    "select.int": lambda a: np.take(a.get("self"), a.whole("index"), a.whole("dim")),
    "slice.Tensor": _slice,
    "cat.default": lambda a: np.concatenate(a.items("tensors"), a.whole("dim")),
    "stack.default": lambda a: np.stack(a.items("tensors"), a.whole("dim")),
    "full.default": lambda a: np.full(_sizes(a, "size"), a.number("fill_value")),
    "ones.default": lambda a: np.ones(_sizes(a, "size")),
    "zeros.default": lambda a: np.zeros(_sizes(a, "size")),
    "full_like.default": lambda a: np.full_like(a.get("self"), a.number("fill_value")),
    "ones_like.default": lambda a: np.ones_like(a.get("self")),
    "zeros_like.default": lambda a: np.zeros_like(a.get("self")),
    "scalar_tensor.default": lambda a: np.asarray(a.number("s")),
    "arange.default": _arange,
    "arange.start": _arange,
    "arange.start_step": _arange,
    "_weight_norm.default": _weight_norm,
    "linear.default": lambda a: _affine(a, "bias", a.get("input"), a.get("weight").T),
    "addmm.default": lambda a: _affine(a, "self", a.get("mat1"), a.get("mat2")),
    "mv.default": lambda a: a.get("self") @ a.get("vec"),
    "dot.default": lambda a: a.get("self") @ a.get("tensor"),
    "vdot.default": lambda a: a.get("self") @ a.get("other"),
    "mm.default": lambda a: _arrays_product(a, "self", "mat2"),
    "matmul.default": lambda a: _arrays_product(a, "self", "other"),
    "embedding.default": lambda a: np.take(a.get("weight"), a.get("indices").astype(np.int64), axis=0),
    "eye.default": lambda a: _eye(a, "n", "n"),
    "eye.m": lambda a: _eye(a, "n", "m"),
    "linalg_vector_norm.default": _vector_norm,
    **VALUES,
}


def _ends(x: np.ndarray, a: Args, longest: int) -> list[int]:
    size = x.shape[a.whole("dim", 0)]
    if longest < 1:
        raise Refusal(f"parts of {longest} elements are none")
    return list(range(longest, size, longest))


def _chunks(a: Args) -> list[np.ndarray]:
    x = a.get("self")
    longest = -(-x.shape[a.whole("dim", 0)] // max(a.whole("chunks"), 1))
    return np.split(x, _ends(x, a, longest), a.whole("dim", 0))


def _split(a: Args) -> list[np.ndarray]:
    return np.split(a.get("self"), _ends(a.get("self"), a, a.whole("split_size")), a.whole("dim", 0))


def _split_sizes(a: Args) -> list[np.ndarray]:
    sizes = a.items("split_sizes" if "split_sizes" in a else "split_size")
    return np.split(a.get("self"), np.cumsum(sizes)[:-1].tolist(), a.whole("dim", 0))


def _unbind(a: Args) -> list[np.ndarray]:
    return list(np.moveaxis(a.get("self"), a.whole("dim", 0), 0))


# Parts of a constant, which need no rounding.
PARTS: Mapping[str, Callable[[Args], list[np.ndarray]]] = {
    "chunk.default": _chunks,
    "split.Tensor": _split,
    "split.sizes": _split_sizes,
    "split_with_sizes.default": _split_sizes,
    "unbind.int": _unbind,
}


def fold(context: Lowering, call: Call, args: Args) -> np.ndarray:
    """The result of a call on constants, in the element type that the file states."""
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(FOLD[call.target](args))
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise Refusal(f"its constant operands do not fit ({error})") from None
    if context.meta is not None:
        result = as_dtype(result, context.meta.dtype)
    if result.dtype.kind == "f" and (np.isnan(result).any() or np.isposinf(result).any()):  # masks hold minus infinity
        raise Refusal("it makes NaN or infinite values from constants")
    return result


def as_dtype(array: np.ndarray, dtype: str) -> np.ndarray:
    """The array rounded to ``dtype``; bfloat16 values are kept in float32 and rounded half to even."""
    if dtype == "bfloat16":
        bits = array.astype(np.float32).view(np.uint32)
        bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return np.asarray(bits & np.uint32(0xFFFF0000)).view(np.float32)
    if dtype not in FLOATS and dtype not in ("int64", "int32", "int16", "int8", "uint8", "bool"):
        raise Refusal(f"its element type ({dtype}) is not supported")
    return array.astype(dtype)
