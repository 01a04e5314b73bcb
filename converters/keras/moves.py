"""Keras layers and operations that take, repeat, pad or leave out elements; the batch axis stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn2hls.converters.keras.calls import Key
from nn2hls.converters.keras.emit import Entry, Prepared, Site, per_event
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.windows import is_first, sizes, space_of
from nn2hls.converters.lower import chosen, layout, linear, moves, shape
from nn2hls.converters.lower.value import Refusal, Tensor, const, plain
from nn2hls.errors import ModelError
from nn2hls.ops import Constant


def _pairs(layer: Layer, key: str, rank: int) -> list[tuple[int, int]]:
    """(before, behind) of each axis of the space: a number for all, one for each, or pairs."""
    value = layer.value(key)
    given = [value] * rank if isinstance(value, int) else value
    if rank == 1 and isinstance(given, (list, tuple)) and len(given) == 2 and all(isinstance(n, int) for n in given):
        given = [given]  # of one axis the pair stands alone
    pairs = [(n, n) if isinstance(n, int) else tuple(n) for n in given] if isinstance(given, (list, tuple)) else []
    if len(pairs) != rank or any(len(p) != 2 or not all(isinstance(n, int) and n >= 0 for n in p) for p in pairs):
        raise ModelError(f"'{key}' must be numbers or pairs for {rank} axes, not {value!r}.", where=layer.where)
    return [(int(p[0]), int(p[1])) for p in pairs]


def _around(rank: int, key: str, sign: int) -> Entry:
    def entry(layer: Layer) -> Prepared:
        pairs, first = [(sign * a, sign * b) for a, b in _pairs(layer, key, rank)], is_first(layer)

        def lower(site: Site) -> Tensor:
            x = site.tensor
            if len(plain(x)) != rank + 1:
                raise Refusal(f"it needs channels and {rank} axes of space, and gets {x.shape}")
            return moves.pad(site, x, [(0, 0), *pairs] if first else pairs)

        return lower

    return entry


def upsampling(rank: int) -> Entry:
    """To the nearest neighbour, or between neighbours."""

    def entry(layer: Layer) -> Prepared:
        factors, first = sizes(layer, "size", rank, 2), is_first(layer)
        how = layer.value("interpolation", default="nearest")
        if how == "nearest":
            return lambda site: moves.upsample(site, site.tensor, factors, first=first)
        if how != "bilinear":
            raise Refusal(f"'interpolation' = {how!r} is not offered; 'nearest' and 'bilinear' are")

        def lower(site: Site) -> Tensor:
            space = space_of(site.tensor, rank, first=first)
            at = [linear.coordinates(n, n * f) for n, f in zip(space, factors, strict=True)]
            return linear.resize_linear(site, site.tensor, [None, *at] if first else [*at, None])

        return lower

    return entry


def repeat_vector(layer: Layer) -> Prepared:
    """A vector so often, one under the other."""
    count = layer.integer("n")
    return lambda site: moves.expand(site, shape.unsqueeze(site.step("row"), site.tensor, 0), (count, *plain(site.tensor)))


def getitem(layer: Layer) -> Prepared:
    """x[key], whose first part is the whole batch."""

    def lower(site: Site) -> Tensor:
        keys = [o for o in site.operands if isinstance(o, Key)]
        tensors = [o for o in site.operands if isinstance(o, Tensor)]
        if len(site.operands) != 2 or len(keys) != 1 or len(tensors) != 1:
            raise Refusal("it is indexed by more than slices and numbers")
        return moves.slice_(site, tensors[0], _without_batch(keys[0].cuts, plain(tensors[0])))

    return lower


def _without_batch(cuts: Sequence[Any], size: Sequence[int]) -> list[Any]:
    if not cuts or cuts[0] is Ellipsis:
        named = sum(1 for c in cuts if c is not None and c is not Ellipsis)
        if named > len(size):
            raise Refusal("its key reaches the batch axis")
        return list(cuts)
    whole = isinstance(cuts[0], slice) and cuts[0].start in (None, 0) and cuts[0].stop is None and cuts[0].step in (None, 1)
    if not whole:
        raise Refusal("its key cuts the batch axis")
    return list(cuts[1:])


def _slice(layer: Layer) -> Prepared:
    """Starts are an operand, the shape is an argument."""
    wanted = layer.integers("shape")

    def lower(site: Site) -> Tensor:
        x, starts = _with_array(site)
        at = [int(n) for n in starts.reshape(-1)]
        if len(at) != x.rank or len(wanted) != x.rank or at[0] != 0:
            raise Refusal("it cuts the batch axis, or does not fit its operand")
        return moves.slice_(site, x, [slice(a, a + n) for a, n in zip(at[1:], wanted[1:], strict=True)])

    return lower


def _with_array(site: Site) -> tuple[Tensor, np.ndarray]:
    if len(site.operands) != 2 or not isinstance(site.operands[0], Tensor) or not isinstance(site.operands[1], np.ndarray):
        raise Refusal("it needs a value of the network and constant numbers")
    return site.operands[0], site.operands[1]


def _split(layer: Layer) -> Prepared:
    """Into equal parts, or at places."""
    axis, value = layer.integer("axis", 0), layer.value("indices_or_sections")
    ends = layer.integers("indices_or_sections")

    def lower(site: Site) -> Sequence[Tensor]:
        x = site.tensor
        place = x.axis(axis)
        if isinstance(value, int):
            return moves.split(site, x, moves.equal_parts(x.shape[place], value), place)
        cuts = [0, *ends, x.shape[place]]
        return moves.split(site, x, np.diff(cuts).tolist(), place)

    return lower


def _unstack(layer: Layer) -> Prepared:
    axis = layer.integer("axis", 0)
    return lambda site: moves.unstack(site, site.tensor, site.tensor.axis(axis))


def _new_axis(axis: int, rank: int) -> int:
    """The node's axis before which a new one goes; the framework counts it in the result of ``rank`` axes."""
    place = axis + rank if axis < 0 else axis
    if not 1 <= place < rank:
        raise Refusal(f"its axis {axis} would stand before the batch, or is none")
    return place - 1


def _stack(layer: Layer) -> Prepared:
    axis = layer.integer("axis", 0)
    return lambda site: shape.stack(site, site.tensors, _new_axis(axis, site.tensors[0].rank + 1))


def _expand_dims(layer: Layer) -> Prepared:
    axes = layer.integers("axis")

    def lower(site: Site) -> Tensor:
        x = site.tensor
        places = [k + x.rank + len(axes) if k < 0 else k for k in axes]
        if len(set(places)) < len(places) or min(places) < 1 or max(places) >= x.rank + len(axes):
            raise Refusal(f"its axes {list(axes)} would stand before the batch, or are none")
        rest = iter(plain(x))
        new = tuple(1 if k in places else next(rest) for k in range(1, x.rank + len(axes)))
        return shape.reshape(site, x, new)

    return lower


def _squeeze(layer: Layer) -> Prepared:
    axes = None if layer.value("axis") is None else layer.integers("axis")

    def lower(site: Site) -> Tensor:
        x = site.tensor
        chosen = tuple(range(len(x.shape))) if axes is None else x.axes(axes)
        if axes is not None and any(x.shape[k] != 1 for k in chosen):
            raise Refusal(f"its axes {list(axes)} are not all of size one")
        return layout.squeeze(site, x, chosen)

    return lower


def _pad(layer: Layer) -> Prepared:
    widths, mode = layer.value("pad_width"), layer.value("mode", default="constant")
    if isinstance(widths, int) or not isinstance(widths, (list, tuple)):
        raise Refusal("it pads the batch axis")
    pairs = [_pair(layer, p) for p in widths]

    def lower(site: Site) -> Tensor:
        x = next((o for o in site.operands if isinstance(o, Tensor)), None)
        numbers = [o for o in site.operands if isinstance(o, np.ndarray)]
        if x is None or len(pairs) != x.rank or pairs[0] != (0, 0) or any(n.size != 1 for n in numbers):
            raise Refusal("it pads the batch axis, or does not fit its operand")
        value = float(numbers[0].item()) if numbers else 0.0
        return moves.pad(site, x, pairs[1:], mode=mode, value=value)

    return lower


def _pair(layer: Layer, value: object) -> tuple[int, int]:
    """The widths before and behind one axis."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or any(type(n) is not int for n in value):
        raise ModelError(f"'pad_width' must be a pair of integers for each axis, not {value!r}.", where=layer.where)
    return value[0], value[1]


def _flip(layer: Layer) -> Prepared:
    axes = layer.integers("axis")
    return lambda site: moves.flip(site, site.tensor, site.tensor.axes(axes))


def _roll(layer: Layer) -> Prepared:
    axes, shifts = layer.integers("axis"), layer.integers("shift")
    return lambda site: moves.roll(site, site.tensor, shifts, [site.tensor.axis(k) for k in axes])


def _repeat(layer: Layer) -> Prepared:
    axis, counts = layer.integer("axis"), layer.integers("repeats")
    return lambda site: moves.repeat(site, site.tensor, counts, site.tensor.axis(axis))


def _tile(layer: Layer) -> Prepared:
    counts = layer.integers("repeats")

    def lower(site: Site) -> Tensor:
        x = site.tensor
        full = [1] * (x.rank - len(counts)) + list(counts)
        if len(full) != x.rank or full[0] != 1:
            raise Refusal("it repeats the batch, or adds axes before it")
        return moves.tile(site, x, full[1:])

    return lower


def _take(layer: Layer) -> Prepared:
    axis = layer.integer("axis")

    def lower(site: Site) -> Tensor:
        x, numbers = _with_array(site)
        return moves.take(site, x, numbers, x.axis(axis))

    return lower


def _take_along(layer: Layer) -> Prepared:
    axis = layer.integer("axis")

    def lower(site: Site) -> Tensor:
        if all(isinstance(o, Tensor) for o in site.operands) and len(site.operands) == 2:
            x, places = site.tensors
            return chosen.take_at(site, x, places, x.axis(axis))
        x, numbers = _with_array(site)
        if numbers.ndim != x.rank or not (numbers == numbers[:1]).all():
            raise Refusal("its indices differ along the batch axis, or do not fit its operand")
        return moves.take_along(site, x, numbers[0], x.axis(axis))

    return lower


def _filled(value: float | None) -> Entry:
    """A constant in the shape of a tensor, the same for every event; None: the number is an operand."""

    def entry(layer: Layer) -> Prepared:
        def lower(site: Site) -> Tensor:
            x, number = _with_array(site) if value is None else (site.tensor, np.asarray(value))
            if number.size != 1:
                raise Refusal("what it fills with is no single number")
            return site.emit(Constant(const(np.full(plain(x), float(number.item())))))

        return lower

    return entry


def _broadcast_to(layer: Layer) -> Prepared:
    wanted = layer.integers("shape")

    def lower(site: Site) -> Tensor:
        if len(wanted) != site.tensor.rank or wanted[0] not in (-1, 1):
            raise Refusal("it repeats the batch, or adds axes before it; give the batch as 1")
        return moves.expand(site, site.tensor, wanted[1:])

    return lower


def _swapaxes(layer: Layer) -> Prepared:
    one, other = layer.integer("axis1"), layer.integer("axis2")

    def lower(site: Site) -> Tensor:
        x = site.tensor
        a, b, order = x.axis(one), x.axis(other), list(range(len(x.shape)))
        order[a], order[b] = order[b], order[a]
        return shape.transpose(site, x, order)

    return lower


def _moveaxis(layer: Layer) -> Prepared:
    source, target = layer.integers("source"), layer.integers("destination")

    def lower(site: Site) -> Tensor:
        x = site.tensor
        order = shape.moved(len(x.shape), [x.axis(k) for k in source], [x.axis(k) for k in target])
        return shape.transpose(site, x, order)

    return lower


def _where(layer: Layer) -> Prepared:
    """With a constant condition."""

    def lower(site: Site) -> Tensor:
        mask, one, other = site.operands if len(site.operands) == 3 else (None, None, None)
        if not isinstance(mask, np.ndarray):
            raise Refusal("its condition is computed from the input; a constant is expected")
        if isinstance(one, Tensor | np.ndarray) and isinstance(other, Tensor | np.ndarray):
            rank = next(o.rank for o in (one, other) if isinstance(o, Tensor))
            one, other = (per_event(o, rank) if isinstance(o, np.ndarray) else o for o in (one, other))
            return moves.where(site, per_event(mask, rank).astype(bool), one, other)
        raise Refusal("its operands are neither values of the network nor numbers")

    return lower


def _triangle(keep: Callable[..., np.ndarray]) -> Entry:
    def entry(layer: Layer) -> Prepared:
        k = layer.integer("k", 0)

        def lower(site: Site) -> Tensor:
            x = site.tensor
            if len(plain(x)) < 2:
                raise Refusal("it would cut the batch")
            return moves.where(site, keep(np.ones(x.shape[-2:], dtype=bool), k), x, np.asarray(0.0))

        return lower

    return entry


def _joined(axis: int) -> Entry:
    return lambda layer: lambda site: shape.concatenate(site, site.tensors, site.tensors[0].axis(axis))


def _cast(layer: Layer) -> Prepared:
    """To another floating-point type: nothing is computed."""
    kind = layer.value("dtype", default="float32")
    name = kind if isinstance(kind, str) else ""
    if name and not name.startswith(("float", "bfloat")):
        raise Refusal(f"it casts to '{name}'; only floating-point types are offered")
    return lambda site: site.tensor


LAYERS: dict[str, Entry] = {
    **{f"ZeroPadding{n}D": _around(n, "padding", 1) for n in (1, 2, 3)},
    **{f"Cropping{n}D": _around(n, "cropping", -1) for n in (1, 2, 3)},
    **{f"UpSampling{n}D": upsampling(n) for n in (1, 2, 3)},
    "RepeatVector": repeat_vector,
    "SlicingOpLambda": getitem,
}
OPERATIONS: dict[str, Entry] = {
    "BroadcastTo": _broadcast_to,
    "Cast": _cast,
    "ExpandDims": _expand_dims,
    "Flip": _flip,
    "GetItem": getitem,
    "Hstack": _joined(1),
    "FullLike": _filled(None),
    "Moveaxis": _moveaxis,
    "OnesLike": _filled(1.0),
    "Pad": _pad,
    "Repeat": _repeat,
    "Roll": _roll,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Stack": _stack,
    "Swapaxes": _swapaxes,
    "Take": _take,
    "TakeAlongAxis": _take_along,
    "Tile": _tile,
    "Tril": _triangle(np.tril),
    "Triu": _triangle(np.triu),
    "Unstack": _unstack,
    "Where": _where,
    "ZerosLike": _filled(0.0),
}
