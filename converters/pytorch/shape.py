"""Operators that move values: reshapes, transposes, joins, and those that leave everything as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.lower import layout, shape
from nn2hls.converters.lower.value import Refusal, Tensor, limited, plain
from nn2hls.converters.pytorch.context import Args, BatchSize, Lowering, Value
from nn2hls.converters.pytorch.pt2_program import FLOATS

PROBE = 1_000_003  # stands for a symbolic batch: a prime, so that no other size is taken for a multiple of it


def _view(c: Lowering, x: Tensor, sizes: Sequence[Any]) -> Tensor:
    """x in other sizes; the batch is one of them, or one with other axes (as a decomposed Linear has it)."""
    batch = c.batch or PROBE
    whole = [s.times * batch if isinstance(s, BatchSize) else s for s in sizes]
    if not all(isinstance(s, int) for s in whole) or whole.count(-1) > 1:
        raise Refusal(f"its sizes {list(sizes)} are not all known before the design is built")
    known = math.prod(s for s in whole if s != -1)
    total = math.prod(x.shape) * batch
    if -1 in whole and (known < 1 or total % known):
        raise Refusal(f"its sizes {list(sizes)} do not hold the elements of a batch of {x.shape}")
    return layout.regroup(c, x, [total // known if s == -1 else s for s in whole], batch)


def _flatten(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    return shape.flatten(c, x, x.axis(a.whole("start_dim")), x.axis(a.whole("end_dim", -1)))


def _unflatten(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    axis, sizes = x.axis(a.whole("dim")), a.items("sizes")
    new = shape.full_size(sizes, (x.shape[axis],))
    at, full = a.whole("dim") % x.rank, x.full(c.batch or PROBE)
    return layout.regroup(c, x, [*full[:at], *new, *full[at + 1 :]], c.batch or PROBE)


def _squeeze(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    if "dim" not in a and c.batch == 1:
        raise Refusal("it would drop the first axis, the batch of one, too; name the axis: squeeze(1)")
    dims = a.items("dim", [d for d in range(x.rank) if d != x.place])
    return layout.squeeze(c, x, x.axes(dims))


def _unsqueeze(c: Lowering, a: Args) -> Value:
    return layout.unsqueeze(c, a.tensor(), a.whole("dim"))


def permuted(c: Lowering, x: Tensor, dims: Sequence[int]) -> Tensor:
    """x with its torch axes in another order."""
    return layout.permute(c, x, [d % x.rank if -x.rank <= d < x.rank else d for d in dims])


def _swapped(c: Lowering, x: Tensor, one: int, other: int) -> Value:
    order = list(range(x.rank))
    order[one], order[other] = order[other], order[one]
    return permuted(c, x, order)


def _sizes_as(c: Lowering, a: Args) -> list[int]:
    return list(a.tensor("other").full(c.batch or PROBE))


def _typed(c: Lowering, a: Args) -> Value:
    a.get("other")  # nothing but its element type counts
    constant = a.get("self")
    return constant if isinstance(constant, np.ndarray) else a.tensor()


def _new(value: Callable[[Args], float]) -> Callable[[Lowering, Args], Value]:
    """A constant of a size that the call states, the batch first."""

    def lower(c: Lowering, a: Args) -> Value:
        a.get("self")  # nothing but its element type counts
        sizes = [1 if k == 0 else n for k, n in enumerate(a.items("size"))]
        if not all(isinstance(n, int) and n > 0 for n in sizes) or a.items("size")[:1] not in ([BatchSize()], [c.batch]):
            raise Refusal(f"its size {a.items('size')} must be the batch and whole numbers")
        return np.full(limited(sizes), value(a))

    return lower


def _cat(c: Lowering, a: Args, *, new_axis: bool = False, axis: int | None = None) -> Value:
    rank = max(v.rank for v in a.tensors())
    if axis is not None and rank <= axis:
        raise Refusal(f"it joins along the axis {axis}, which tensors of rank {rank} do not have; use torch.stack")
    dim = a.whole("dim") if axis is None else axis
    dim += (rank + new_axis) if dim < 0 else 0
    like = a.tensors()[0]
    if not 0 <= dim < rank + new_axis or dim == like.place or (new_axis and dim < like.place):
        raise Refusal("it joins along the batch, or before it")
    operands = [v if isinstance(v, Tensor) else _beside(c, v, like) for v in a.items("tensors")]
    if new_axis:
        return shape.stack(c, operands, dim - 1)
    return shape.concatenate(c, operands, like.axis(dim))


def _beside(c: Lowering, value: Any, like: Tensor) -> Tensor:
    """A constant, equal for all events, as a tensor whose batch stands where that of another one does."""
    place, times = like.place, math.prod(like.joined)
    array = np.asarray(value) if isinstance(value, np.ndarray) and value.ndim == like.rank else None
    if array is None or array.shape[place] % times:
        raise Refusal("it joins a constant that differs along the batch, or has other axes")
    rows = np.moveaxis(array, place, 0).reshape(-1, times, *array.shape[:place], *array.shape[place + 1 :])
    if not (rows == rows[:1]).all():
        raise Refusal("it joins a constant that differs along the batch")
    one = np.moveaxis(rows[0], 0, place)
    size = (*one.shape[:place], *like.joined, *one.shape[place + 1 :])
    made = c.constant(one.reshape(size))
    return replace(like, node=made.node, shape=made.shape)


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


def _size(c: Lowering, a: Args) -> Value:
    x, dim = a.tensor(), a.whole("dim")
    return BatchSize(math.prod(x.joined)) if dim % x.rank == x.place else x.shape[x.axis(dim)]


def _size_product(c: Lowering, a: Args) -> Value:
    one, other = a.get("a"), a.get("b")
    if isinstance(other, BatchSize):
        one, other = other, one
    if isinstance(one, BatchSize) and isinstance(other, int):
        return BatchSize(one.times * other)
    raise Refusal("it computes a size that is not a multiple of the batch")


def _filled(value: Callable[[Args], float]) -> Callable[[Lowering, Args], Value]:
    """A constant in the shape of a computed tensor, the same for the whole batch."""
    return lambda c, a: np.full((1, *plain(a.tensor())), value(a))


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
    "permute.default": lambda c, a: permuted(c, a.tensor(), a.items("dims")),
    "transpose.int": lambda c, a: _swapped(c, a.tensor(), a.whole("dim0"), a.whole("dim1")),
    "t.default": lambda c, a: _swapped(c, a.tensor(), 0, a.tensor().rank - 1),
    "numpy_T.default": lambda c, a: permuted(c, a.tensor(), list(range(a.tensor().rank))[::-1]),
    **dict.fromkeys(
        ("swapaxes.default", "swapdims.default"), lambda c, a: _swapped(c, a.tensor(), a.items("axis0")[0], a.items("axis1")[0])
    ),
    "mT.default": lambda c, a: _swapped(c, a.tensor(), -2, -1),
    **dict.fromkeys(("cat.default", "concat.default", "concatenate.default"), _cat),
    "hstack.default": lambda c, a: _cat(c, a, axis=1),
    "dstack.default": lambda c, a: _cat(c, a, axis=2),
    "view_as.default": lambda c, a: _view(c, a.tensor(), _sizes_as(c, a)),
    "reshape_as.default": lambda c, a: _view(c, a.tensor(), _sizes_as(c, a)),
    **dict.fromkeys(("adjoint.default", "mH.default"), lambda c, a: _swapped(c, a.tensor(), -2, -1)),
    "new_zeros.default": _new(lambda a: 0.0),
    "new_ones.default": _new(lambda a: 1.0),
    "new_full.default": _new(lambda a: a.number("fill_value")),
    "type_as.default": _typed,
    "stack.default": lambda c, a: _cat(c, a, new_axis=True),
    "ones_like.default": _filled(lambda a: 1.0),
    "zeros_like.default": _filled(lambda a: 0.0),
    "full_like.default": _filled(lambda a: a.number("fill_value")),
    "sym_size.int": _size,
    "_operator.mul": _size_product,
}
