"""Constant sub-graphs, evaluated with NumPy in the file's own types; the sizes a file may ask for are limited."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nn2hls.converters.onnx.file import ELEMENT_LIMIT, FileNode
from nn2hls.converters.onnx.quantised_values import VALUES, check_words

Attrs = Mapping[str, Any]
Evaluate = Callable[..., Any]

_ERF = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0, -x))


def clip(x: Any, low: Any, high: Any) -> Any:
    """min(max(x, low), high), where None leaves an end open."""
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def _clip(a: Attrs, x: Any, low: Any = None, high: Any = None) -> Any:
    return clip(x, a.get("min", low), a.get("max", high))


def _divide(a: Attrs, x: Any, y: Any) -> Any:
    if np.asarray(x).dtype.kind in "iu":
        if np.any(np.asarray(y) == 0):
            raise ValueError("it divides an integer by zero")
        return (np.sign(x) * np.sign(y) * (np.abs(x) // np.abs(y))).astype(x.dtype)
    return x / y


# Element by element; used for folding and to recognise the functions that exporters write as several nodes.
ELEMENTWISE: dict[str, Evaluate] = {
    "Abs": lambda a, x: np.abs(x),
    "Add": lambda a, x, y: x + y,
    "And": lambda a, x, y: np.logical_and(x, y),
    "Ceil": lambda a, x: np.ceil(x),
    "Clip": _clip,
    "Div": _divide,
    "Elu": lambda a, x: np.where(x > 0, x, a.get("alpha", 1.0) * np.expm1(np.minimum(x, 0))),
    "Equal": lambda a, x, y: x == y,
    "Erf": lambda a, x: _ERF(x),
    "Exp": lambda a, x: np.exp(x),
    "Floor": lambda a, x: np.floor(x),
    "Greater": lambda a, x, y: x > y,
    "GreaterOrEqual": lambda a, x, y: x >= y,
    "HardSigmoid": lambda a, x: np.clip(x * a.get("alpha", 0.2) + a.get("beta", 0.5), 0, 1),
    "Identity": lambda a, x: x,
    "LeakyRelu": lambda a, x: np.where(x >= 0, x, x * a.get("alpha", 0.01)),
    "Less": lambda a, x, y: x < y,
    "LessOrEqual": lambda a, x, y: x <= y,
    "Log": lambda a, x: np.log(x),
    "Max": lambda a, *xs: _reduce(np.maximum, xs),
    "Min": lambda a, *xs: _reduce(np.minimum, xs),
    "Mod": lambda a, x, y: np.fmod(x, y) if a.get("fmod", 0) else np.mod(x, y),
    "Mul": lambda a, x, y: x * y,
    "Neg": lambda a, x: -x,
    "Not": lambda a, x: np.logical_not(x),
    "Or": lambda a, x, y: np.logical_or(x, y),
    "Pow": lambda a, x, y: np.power(x, y),
    "Reciprocal": lambda a, x: 1 / x,
    "Relu": lambda a, x: np.maximum(x, 0),
    "Sigmoid": lambda a, x: _sigmoid(x),
    "Sign": lambda a, x: np.sign(x),
    "Softplus": lambda a, x: np.logaddexp(x, 0),
    "Softsign": lambda a, x: x / (1 + np.abs(x)),
    "Sqrt": lambda a, x: np.sqrt(x),
    "Sub": lambda a, x, y: x - y,
    "Sum": lambda a, *xs: _reduce(np.add, xs),
    "Tanh": lambda a, x: np.tanh(x),
    "Where": lambda a, c, x, y: np.where(c, x, y),
    "Xor": lambda a, x, y: np.logical_xor(x, y),
}


def _reduce(function: Any, xs: Sequence[Any]) -> Any:
    total = xs[0]
    for x in xs[1:]:
        total = function(total, x)
    return total


def axes_of(a: Attrs, axes: Any) -> tuple[int, ...] | None:
    """The axes of Squeeze, Unsqueeze or a reduction: an attribute in old opsets, an operand in new ones."""
    given = a.get("axes", axes)
    return None if given is None else tuple(int(k) for k in np.asarray(given).reshape(-1))


def unsqueezed(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """A shape with unit axes inserted; ``axes`` count in the result."""
    rank = len(shape) + len(axes)
    places = {k + rank if k < 0 else k for k in axes}
    if len(places) != len(axes) or not all(0 <= k < rank for k in places):
        raise ValueError(f"its axes {tuple(axes)} do not fit a tensor of rank {len(shape)}")
    rest = iter(shape)
    return tuple(1 if k in places else next(rest) for k in range(rank))


def squeezed(shape: Sequence[int], axes: Sequence[int] | None) -> tuple[int, ...]:
    """A shape without the given axes of size one, or without all of them."""
    rank = len(shape)
    places = {k for k in range(rank) if shape[k] == 1} if axes is None else {k + rank if k < 0 else k for k in axes}
    if not all(0 <= k < rank and shape[k] == 1 for k in places):
        raise ValueError(f"its axes {axes} are not axes of size one of {tuple(shape)}")
    return tuple(n for k, n in enumerate(shape) if k not in places)


def reshaped(shape: Sequence[int], target: Sequence[int], allow_zero: bool = False) -> tuple[int, ...]:
    """The shape a Reshape asks for: 0 copies an axis (unless ``allow_zero``), -1 is what is left."""
    if np.ndim(target) != 1:
        raise ValueError(f"its shape must be a list of sizes, not a tensor of rank {np.ndim(target)}")
    target = [int(n) for n in target]
    if any(n == 0 and k >= len(shape) for k, n in enumerate(target)) and not allow_zero:
        raise ValueError(f"its shape {tuple(target)} copies an axis that {tuple(shape)} does not have")
    sizes = [shape[k] if n == 0 and not allow_zero else int(n) for k, n in enumerate(target)]
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) > 1 or any(n < -1 for n in sizes) or (-1 in sizes and (known == 0 or math.prod(shape) % known)):
        raise ValueError(f"{tuple(shape)} does not reshape to {tuple(target)}")
    sizes = [math.prod(shape) // known if n == -1 else n for n in sizes]
    if math.prod(sizes) != math.prod(shape):
        raise ValueError(f"{tuple(shape)} does not reshape to {tuple(target)}")
    return tuple(sizes)


def flattened(shape: Sequence[int], axis: int) -> tuple[int, int]:
    """The two axes of Flatten."""
    if not -len(shape) <= axis <= len(shape):
        raise ValueError(f"its axis {axis} is not one of {tuple(shape)}")
    axis = axis + len(shape) if axis < 0 else axis
    return math.prod(shape[:axis]), math.prod(shape[axis:])


def _limited(shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(int(n) for n in shape)
    if any(n < 0 for n in shape) or math.prod(shape) > ELEMENT_LIMIT:
        raise ValueError(f"a constant of shape {shape} is refused: at most {ELEMENT_LIMIT} values")
    return shape


def _constant(a: Attrs) -> Any:
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    for name, kind in kinds.items():
        if name in a:
            return np.asarray(a[name], dtype=kind)
    if "value" not in a:
        raise ValueError("its value is no number or tensor")
    return a["value"]


def _cast(a: Attrs, x: Any) -> Any:
    kinds = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"}
    if a["to"] not in kinds:
        raise ValueError(f"constants of data type {a['to']} are not read")
    return x.astype(kinds[a["to"]])


def _slice(a: Attrs, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    starts, ends = a.get("starts", starts), a.get("ends", ends)
    axes = a.get("axes", axes)
    cuts = [slice(None)] * x.ndim
    for k, axis in enumerate(range(len(starts)) if axes is None else axes):
        step = 1 if steps is None else int(steps[k])
        start, end = int(starts[k]), int(ends[k])
        cuts[int(axis)] = slice(start, None if step < 0 and end < -x.shape[int(axis)] else end, step)
    return x[tuple(cuts)]


def _gemm(a: Attrs, x: Any, y: Any, c: Any = None) -> Any:
    x, y = (x.T if a.get("transA") else x), (y.T if a.get("transB") else y)
    out = (a.get("alpha", 1.0) * (x @ y)).astype(x.dtype)
    return out if c is None else (out + a.get("beta", 1.0) * c).astype(x.dtype)


def _range(a: Attrs, start: Any, limit: Any, step: Any) -> Any:
    _limited([max(0, math.ceil((float(limit) - float(start)) / float(step)))])
    return np.arange(start, limit, step, dtype=start.dtype)


def _tile(a: Attrs, x: Any, repeats: Any) -> Any:
    _limited([n * int(k) for n, k in zip(x.shape, repeats, strict=True)])
    return np.tile(x, repeats)


def _over(function: Any) -> Evaluate:
    def evaluate(a: Attrs, x: Any, axes: Any = None) -> Any:
        places = axes_of(a, axes)
        return function(x, axis=places or None, keepdims=bool(a.get("keepdims", 1)), dtype=x.dtype)

    return evaluate


_FOLD: dict[str, Evaluate] = {
    **ELEMENTWISE,
    **VALUES,
    "Cast": _cast,
    "Concat": lambda a, *xs: np.concatenate(xs, axis=a.get("axis", 1)),
    "Constant": _constant,
    "ConstantOfShape": lambda a, s: np.full(_limited(s), np.asarray(a.get("value", np.float32(0))).reshape(-1)[0]),
    "Expand": lambda a, x, s: np.broadcast_to(x, _limited(np.broadcast_shapes(x.shape, tuple(map(int, s))))).copy(),
    "Flatten": lambda a, x: x.reshape(flattened(x.shape, a.get("axis", 1))),
    "Gather": lambda a, x, i: np.take(x, i.astype(np.int64), axis=a.get("axis", 0)),
    "Gemm": _gemm,
    "MatMul": lambda a, x, y, bias=0.0: (x @ y + bias).astype(x.dtype),  # a bias after it may have become part of it
    "Range": _range,
    "ReduceMax": lambda a, x, axes=None: np.max(x, axis=axes_of(a, axes), keepdims=bool(a.get("keepdims", 1))),
    "ReduceMean": _over(np.mean),
    "ReduceProd": _over(np.prod),
    "ReduceSum": _over(np.sum),
    "Reshape": lambda a, x, s=None: x.reshape(reshaped(x.shape, a.get("shape", s), bool(a.get("allowzero", 0)))),
    "Slice": _slice,
    "Squeeze": lambda a, x, axes=None: x.reshape(squeezed(x.shape, axes_of(a, axes))),
    "Tile": _tile,
    "Transpose": lambda a, x: np.transpose(x, a.get("perm")),
    "Trilu": lambda a, x, k=0: (np.triu if a.get("upper", 1) else np.tril)(x, int(k)),
    "Unsqueeze": lambda a, x, axes=None: x.reshape(unsqueezed(x.shape, axes_of(a, axes) or ())),
}


def foldable(node: FileNode) -> bool:
    """Whether a node whose operands are all constant can be evaluated."""
    return node.op in _FOLD and not node.trouble and len([o for o in node.outputs if o]) == 1


def split(node: FileNode, x: np.ndarray, sizes: np.ndarray | None = None) -> list[np.ndarray]:
    """The parts of a constant, one for each output of a Split.

    Raises:
        ValueError: The parts do not make it up.
    """
    axis, count = node.attrs.get("axis", 0), len(node.outputs)
    sizes = np.asarray(node.attrs["split"]) if "split" in node.attrs else sizes
    if not -x.ndim <= axis < x.ndim or (sizes is not None and (len(sizes) != count or sizes.sum() != x.shape[axis])):
        raise ValueError(f"its {count} parts do not make up a constant of {x.shape}")
    longest = -(-x.shape[axis] // count)
    return np.split(x, np.cumsum(sizes)[:-1] if sizes is not None else np.arange(1, count) * longest, axis)


FOLD_LIMIT = 2**26  # values of all constants that are computed from others


def spent(before: int, *arrays: np.ndarray) -> int:
    """How many values were computed so far, these included.

    Raises:
        ValueError: They are too many.
    """
    total = before + sum(a.size for a in arrays)
    if total > FOLD_LIMIT:
        raise ValueError(f"the constants computed up to here hold more than {FOLD_LIMIT} values")
    return total


def fold(node: FileNode, operands: Sequence[np.ndarray | None]) -> np.ndarray:
    """The value of a node with constant operands; None is an operand left out.

    Raises:
        ValueError: The node asks for something that cannot be computed; the text has no place.
    """
    while operands and operands[-1] is None:
        operands = operands[:-1]
    given = [x for x in operands if x is not None]
    try:
        size = _result_size(node, given)
        if size > max([ELEMENT_LIMIT, *(x.size for x in given)]):
            raise ValueError(f"a constant of {size} values is refused: at most {ELEMENT_LIMIT}")
        with np.errstate(all="ignore"):
            if node.op in VALUES:
                check_words(node.op, node.attrs, len(operands))
            value = np.asarray(_FOLD[node.op](node.attrs, *operands))
    except (IndexError, TypeError, KeyError, OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"it cannot be evaluated ({error})") from None
    if node.op in ELEMENTWISE and given and given[0].dtype.kind == "f" and value.dtype.kind == "f":
        return value.astype(given[0].dtype)
    return value


def _result_size(node: FileNode, xs: Sequence[np.ndarray]) -> int:
    """The number of values of a result that can be larger than its operands; 0 for the rest."""
    if node.op in ELEMENTWISE:
        return math.prod(np.broadcast_shapes(*(x.shape for x in xs)))
    if node.op == "Concat":
        return sum(x.size for x in xs)
    if node.op == "Gather":
        return int(xs[0].size // max(1, xs[0].shape[node.attrs.get("axis", 0)]) * xs[1].size)
    if node.op in ("MatMul", "Gemm"):
        longest = max(xs[0].shape[-2:], default=1)  # an upper bound: the summed axis may be another
        return int(xs[0].size // longest * max(xs[1].shape[-2:], default=1) ** 2)
    return 0
