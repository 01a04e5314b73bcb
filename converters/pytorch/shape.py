"""Operators that move values: reshapes, transposes, joins, and those that leave everything as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nn2hls.converters.pytorch.context import Args, BatchSize, Lowering, Refusal, Tensor, Value
from nn2hls.converters.pytorch.pt2_program import FLOATS
from nn2hls.ops import Concatenate, Reshape, Transpose


def _view(c: Lowering, x: Tensor, sizes: Sequence[Any], suffix: str = "") -> Tensor:
    """x in other sizes, of which the first is the batch, or the batch times leading axes of x (as a decomposed Linear does)."""
    shape = c.shape(x)
    known = math.prod(s for s in sizes[1:] if isinstance(s, int) and s >= 0)
    if not sizes or not all(isinstance(s, int) for s in sizes[1:]) or not known:
        raise Refusal(f"its sizes {list(sizes)} do not keep the batch as the first axis")
    times = _times(c, sizes, math.prod(shape), known)
    rest = tuple(math.prod(shape) // (known * max(times, 1)) if s == -1 else s for s in sizes[1:])
    if times < 1 or times * math.prod(rest) != math.prod(shape):
        raise Refusal(f"its sizes {list(sizes)} do not keep the batch of {shape} as the first axis")
    if times == 1:
        return reshaped(c, Tensor(x.node), rest, suffix)
    merged = next((k for k in range(1, len(shape) + 1) if math.prod(shape[:k]) == times and shape[k:] == rest), 0)
    return Tensor(x.node, merged) if merged else Tensor(reshaped(c, Tensor(x.node), (times, *rest), suffix or "split").node, 1)


def _times(c: Lowering, sizes: Sequence[Any], total: int, known: int) -> int:
    """How many times the batch the first size is; 0 where it is no multiple."""
    first = sizes[0]
    if isinstance(first, BatchSize):
        return first.times
    if not isinstance(first, int):
        raise Refusal("its first size is not a number")
    if first == -1:
        return total // known
    if c.batch is None:
        raise Refusal(f"its first size is {first}, although the batch is symbolic")
    return first // c.batch if first % c.batch == 0 else 0


def reshaped(c: Lowering, x: Tensor, shape: tuple[int, ...], suffix: str = "") -> Tensor:
    """x in the node shape ``shape``; no node when it has that already."""
    return x if c.shape(x) == shape else c.emit(Reshape(shape), [x], suffix=suffix)


def _plain(c: Lowering, x: Tensor) -> tuple[int, ...]:
    if x.merged:
        raise Refusal("its first axis is the batch merged with others")
    return c.shape(x)


def _flatten(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    shape = _plain(c, x)
    start, end = c.axis(x, a.whole("start_dim")), c.axis(x, a.whole("end_dim", -1))
    return reshaped(c, x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def _unflatten(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    shape = _plain(c, x)
    axis, sizes = c.axis(x, a.whole("dim")), a.items("sizes")
    known = math.prod(s for s in sizes if s != -1)
    return reshaped(c, x, (*shape[:axis], *(shape[axis] // known if s == -1 else s for s in sizes), *shape[axis + 1 :]))


def _squeeze(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    shape = _plain(c, x)
    dims = a.items("dim", range(1, c.rank(x)))
    if "dim" not in a and c.batch == 1:
        raise Refusal("it would drop the first axis, the batch of one, too; name the axis: squeeze(1)")
    axes = {c.axis(x, d) for d in dims}
    return reshaped(c, x, tuple(n for k, n in enumerate(shape) if k not in axes or n != 1))


def _unsqueeze(c: Lowering, a: Args) -> Value:
    x, dim = a.tensor(), a.whole("dim")
    shape = list(_plain(c, x))
    dim += c.rank(x) + 1 if dim < 0 else 0
    if dim < 1:
        raise Refusal("it puts an axis before the batch, which must stay the first")
    shape.insert(dim - 1, 1)
    return reshaped(c, x, tuple(shape))


def _permuted(c: Lowering, x: Tensor, dims: Sequence[int]) -> Value:
    _plain(c, x)
    rank = c.rank(x)
    if len(dims) != rank:
        raise Refusal(f"its order of axes {list(dims)} is not one of a tensor of rank {rank}")
    axes = tuple(c.axis(x, d) for d in dims[1:])  # refuses the batch, which must stay the first
    return x if axes == tuple(range(rank - 1)) else c.emit(Transpose(axes), [x])


def _swapped(c: Lowering, x: Tensor, one: int, other: int) -> Value:
    order = list(range(c.rank(x)))
    order[one], order[other] = order[other], order[one]
    return _permuted(c, x, order)


def _cat(c: Lowering, a: Args, *, new_axis: bool = False) -> Value:
    values = a.items("tensors")
    rank = max(c.rank(v) for v in a.tensors())
    dim = a.whole("dim")
    dim += (rank + new_axis) if dim < 0 else 0
    if not 1 <= dim < rank + new_axis:
        raise Refusal("it joins along the first axis, the batch")
    operands = [v if isinstance(v, Tensor) else c.constant(_row(c, v, rank)) for v in values]
    for k, x in enumerate(operands):
        shape = _plain(c, x)
        if new_axis:
            operands[k] = reshaped(c, x, (*shape[: dim - 1], 1, *shape[dim - 1 :]), "unsqueeze")
    return operands[0] if len(operands) == 1 else c.emit(Concatenate(dim - 1), operands)


def _row(c: Lowering, value: Any, rank: int) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.ndim != rank or not (value == value[:1]).all():
        raise Refusal("it joins a constant that differs along the first axis, the batch")
    return np.asarray(value[0])


def _same(c: Lowering, a: Args) -> Value:
    """Nothing is computed; a conversion to another floating-point type is none, for the float graph holds float64."""
    dtype = a.get("dtype") or (c.meta.dtype if c.meta else "float32")
    if dtype not in FLOATS:
        raise Refusal(f"it converts to {dtype}; only floating-point types are offered")
    return a.tensor("self") if "self" in a else a.tensor("input")


def _dropout(c: Lowering, a: Args) -> Value:
    if a.get("train", False):
        raise Refusal("it was exported in training mode; call model.eval() before torch.export.export")
    return a.tensor("input")


def _expand(c: Lowering, a: Args) -> Value:
    x, sizes = a.tensor(), a.items("size")
    if len(sizes) != c.rank(x) or any(s not in (-1, n) for s, n in zip(sizes[1:], _plain(c, x), strict=True)):
        raise Refusal("it repeats values along an axis, which is not offered; arithmetic broadcasts by itself")
    return x


def _size(c: Lowering, a: Args) -> Value:
    x, dim = a.tensor(), a.whole("dim")
    shape = c.shape(x)
    return BatchSize(math.prod(shape[: x.merged])) if dim % c.rank(x) == 0 else shape[c.axis(x, dim)]


def _size_product(c: Lowering, a: Args) -> Value:
    one, other = a.get("a"), a.get("b")
    if isinstance(other, BatchSize):
        one, other = other, one
    if isinstance(one, BatchSize) and isinstance(other, int):
        return BatchSize(one.times * other)
    raise Refusal("it computes a size that is not a multiple of the batch")


def _filled(value: Callable[[Args], float]) -> Callable[[Lowering, Args], Value]:
    """A constant in the shape of a computed tensor, the same for the whole batch."""
    return lambda c, a: np.full((1, *_plain(c, a.tensor())), value(a))


_SAME = ("clone", "detach", "alias", "contiguous", "lift_fresh_copy", "_to_copy", "requires_grad", "positive")

SHAPE: Mapping[str, Callable[[Lowering, Args], Value]] = {
    **dict.fromkeys((*(f"{n}.default" for n in _SAME), "to.dtype", "to.dtype_layout", "to.device", "to.other"), _same),
    **dict.fromkeys(("dropout.default", "alpha_dropout.default", "feature_dropout.default"), _dropout),
    "native_dropout.default": _dropout,
    "view.default": lambda c, a: _view(c, a.tensor(), a.items("size")),
    "_unsafe_view.default": lambda c, a: _view(c, a.tensor(), a.items("size")),
    "reshape.default": lambda c, a: _view(c, a.tensor(), a.items("shape")),
    "flatten.using_ints": _flatten,
    "unflatten.int": _unflatten,
    **dict.fromkeys(("squeeze.dim", "squeeze.dims", "squeeze.default"), _squeeze),
    "unsqueeze.default": _unsqueeze,
    "permute.default": lambda c, a: _permuted(c, a.tensor(), a.items("dims")),
    "transpose.int": lambda c, a: _swapped(c, a.tensor(), a.whole("dim0"), a.whole("dim1")),
    "t.default": lambda c, a: _swapped(c, a.tensor(), 0, c.rank(a.tensor()) - 1),
    "mT.default": lambda c, a: _swapped(c, a.tensor(), -2, -1),
    **dict.fromkeys(("cat.default", "concat.default"), _cat),
    "stack.default": lambda c, a: _cat(c, a, new_axis=True),
    "expand.default": _expand,
    "ones_like.default": _filled(lambda a: 1.0),
    "zeros_like.default": _filled(lambda a: 0.0),
    "full_like.default": _filled(lambda a: a.number("fill_value")),
    "sym_size.int": _size,
    "_operator.mul": _size_product,
}
