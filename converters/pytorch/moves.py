"""Operators that take, repeat, pad or leave out elements; axes are counted with the batch, which stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nn2hls.converters.lower import linear, moves, shape
from nn2hls.converters.lower.value import Refusal, Tensor, limited, plain
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.converters.pytorch.shape import permuted

Values = Value | Sequence[Value]
Lower = Callable[[Lowering, Args], Values]
_END = 2**63 - 1  # what PyTorch writes for the end of an axis


def _slice(c: Lowering, a: Args) -> Value:
    x, dim = a.tensor(), a.whole("dim", 0)
    start, end, step = a.get("start", 0), a.get("end", _END), a.whole("step", 1)
    if not all(isinstance(n, int) for n in (start, end)):
        raise Refusal("its ends are not whole numbers known before the design is built")
    if dim % x.rank == 0 and (start, step) == (0, 1) and end in (_END, c.batch):
        return x
    axis = x.axis(dim)
    return moves.slice_(c, x, [*[slice(None)] * axis, slice(start, min(end, x.shape[axis]) if end >= 0 else end, step)])


def _select(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    return moves.slice_(c, x, [*[slice(None)] * x.axis(a.whole("dim")), a.whole("index")])


def _narrow(c: Lowering, a: Args) -> Value:
    x, start = a.tensor(), a.whole("start")
    return moves.slice_(c, x, [*[slice(None)] * x.axis(a.whole("dim")), slice(start, start + a.whole("length"))])


def _chunk(c: Lowering, a: Args) -> Values:
    x = a.tensor()
    axis, count = x.axis(a.whole("dim", 0)), a.whole("chunks")
    if count < 1:
        raise Refusal(f"{count} parts are none")
    return moves.split(c, x, moves.chunks(x.shape[axis], -(-x.shape[axis] // count)), axis)


def _split(c: Lowering, a: Args) -> Values:
    x = a.tensor()
    axis = x.axis(a.whole("dim", 0))
    return moves.split(c, x, moves.chunks(x.shape[axis], a.whole("split_size")), axis)


def _split_sizes(c: Lowering, a: Args) -> Values:
    x = a.tensor()
    name = "split_sizes" if "split_sizes" in a else "split_size"
    return moves.split(c, x, [int(n) for n in a.items(name)], x.axis(a.whole("dim", 0)))


def _tensor_split(c: Lowering, a: Args) -> Values:
    """Into so many parts, the first ones longer by one, or at places."""
    x = a.tensor()
    axis = x.axis(a.whole("dim", 0))
    size = x.shape[axis]
    if "indices" in a:
        ends = [0, *(min(max(int(n) + (size if n < 0 else 0), 0), size) for n in a.items("indices")), size]
        return moves.split(c, x, np.diff(ends).tolist(), axis)
    count = a.whole("sections")
    if not 1 <= count <= size:
        raise Refusal(f"{size} elements do not make {count} parts")
    return moves.split(c, x, [size // count + (k < size % count) for k in range(count)], axis)


def _unbind(c: Lowering, a: Args) -> Values:
    return moves.unstack(c, a.tensor(), a.tensor().axis(a.whole("dim", 0)))


def constants(a: Args, name: str) -> np.ndarray:
    """An argument that does not depend on the input."""
    value = a.const(name)
    if value is None:
        raise Refusal(f"its operand '{name}' is missing")
    return value


def _hsplit(c: Lowering, a: Args) -> Values:
    """Equal parts of the second torch axis."""
    x = a.tensor()
    return moves.split(c, x, moves.equal_parts(x.shape[x.axis(1)], a.whole("sections")), x.axis(1))


def _flip(c: Lowering, a: Args) -> Value:
    return moves.flip(c, a.tensor(), a.tensor().axes(a.items("dims")))


def _roll(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    if not a.items("dims"):
        raise Refusal("it rolls the batch with all other axes; name the axes")
    return moves.roll(c, x, a.items("shifts"), [x.axis(d) for d in a.items("dims")])


def _repeat(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    counts = a.items("repeats" if "repeats" in a else "dims")
    counts = [1] * (x.rank - len(counts)) + counts if "dims" in a else counts  # tile, which may name fewer
    if len(counts) != x.rank or counts[0] != 1:
        raise Refusal(f"its counts {counts} repeat the batch, or add axes before it")
    return moves.tile(c, x, counts[1:])


def _interleave(c: Lowering, a: Args) -> Value:
    x, counts = a.tensor(), a.get("repeats")
    if "dim" not in a:
        raise Refusal("it flattens the batch with all other axes; name the axis")
    return moves.repeat(c, x, [int(n) for n in np.asarray(counts).reshape(-1)], x.axis(a.whole("dim")))


def _expand(c: Lowering, a: Args) -> Value:
    x, sizes = a.tensor(), a.items("size")
    if len(sizes) != x.rank:
        raise Refusal(f"its sizes {sizes} add axes before the batch")
    full = x.full(c.batch or 1)
    if all(s in (-1, n) for k, (s, n) in enumerate(zip(sizes, full, strict=True)) if k != x.place):
        return x
    return moves.expand(c, x, tuple(n if s == -1 else s for s, n in zip(sizes[1:], plain(x), strict=True)))


def _expand_as(c: Lowering, a: Args) -> Value:
    other = a.tensor("other")
    if isinstance(constant := a.get("self"), np.ndarray):  # as the places of a scatter are mostly written
        return np.broadcast_to(constant, (1, *plain(other)))
    x = a.tensor()
    if x.rank != other.rank:
        raise Refusal("its operands differ in rank, so that it adds axes before the batch")
    return moves.expand(c, x, plain(other))


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pad(mode: str = "") -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        x, flat = a.tensor(), a.items("pad" if "pad" in a else "padding")
        word = mode or a.get("mode", "constant")
        if word not in _PAD_MODES:
            raise Refusal(f"its mode {word!r} is not one of {', '.join(_PAD_MODES)}")
        if len(flat) % 2 or len(flat) > 2 * len(plain(x)):
            raise Refusal(f"its pads {flat} reach the batch, or are no pairs")
        pairs = [(flat[k], flat[k + 1]) for k in range(0, len(flat), 2)][::-1]  # the last axis comes first in PyTorch
        missing = [(0, 0)] * (len(x.shape) - len(pairs))
        value = a.number("value", 0.0)
        return moves.pad(c, x, [*missing, *pairs], mode=_PAD_MODES[word], value=value)

    return lower


def _shuffle(c: Lowering, a: Args) -> Value:
    return moves.depth_to_space(c, a.tensor(), a.whole("upscale_factor"), outside=True, first=True)


def _unshuffle(c: Lowering, a: Args) -> Value:
    return moves.space_to_depth(c, a.tensor(), a.whole("downscale_factor"), outside=True, first=True)


def _channel_shuffle(c: Lowering, a: Args) -> Value:
    x, groups = a.tensor(), a.whole("groups")
    channels = plain(x)[0]
    if groups < 1 or channels % groups:
        raise Refusal(f"{channels} channels do not make {groups} groups")
    order = np.arange(channels).reshape(groups, -1).T.reshape(-1)
    return moves.take(c, x, order, 0)


def _movedim(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    names = ("source", "destination")
    source, target = ([d % x.rank for d in a.items(name)] for name in names)
    return permuted(c, x, shape.moved(x.rank, source, target))


def _mask(c: Lowering, mask: Any, rank: int) -> np.ndarray:
    if not isinstance(mask, np.ndarray):
        raise Refusal("its mask is computed from the input; a constant (buffer) is expected")
    return np.asarray(c.without_batch(mask, rank)).astype(bool)


def _where(c: Lowering, a: Args) -> Value:
    x, y = a.get("self"), a.get("other")
    rank = next((v.rank for v in (x, y) if isinstance(v, Tensor)), 0)
    one, other = c.operand(x, y), c.operand(y, x)
    return moves.where(c, _mask(c, a.get("condition"), rank), one, other)


def _masked_fill(c: Lowering, a: Args) -> Value:
    x = a.tensor()
    value = np.asarray(a.number("value"), np.float64)
    return moves.where(c, _mask(c, a.get("mask"), x.rank), value, x)


def _triangle(keep: Callable[..., np.ndarray]) -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        x = a.tensor()
        if len(plain(x)) < 2:
            raise Refusal("it would cut the batch")
        mask = keep(np.ones(x.shape[-2:], dtype=bool), a.whole("diagonal", 0))
        return moves.where(c, mask, x, np.asarray(0.0))

    return lower


def _nearest(rank: int, *, exact: bool = False) -> Lower:
    """PyTorch's nearest neighbour takes element floor(k * n / size), the exact one the middle that is nearest."""

    def lower(c: Lowering, a: Args) -> Value:
        x = a.tensor("input") if "input" in a else a.tensor()
        space = plain(x)[1:]
        sizes, scales = _resized(a, space, rank)
        choose = _middles if exact else _floors
        chosen = [choose(n, m, s) for n, m, s in zip(space, sizes, scales, strict=True)]
        return moves.nearest(c, x, [None, *chosen])

    return lower


def _linear(rank: int) -> Lower:
    """Between neighbours, by the middles of the elements or by those at the corners."""

    def lower(c: Lowering, a: Args) -> Value:
        x = a.tensor("input") if "input" in a else a.tensor()
        space = plain(x)[1:]
        sizes, scales = _resized(a, space, rank)
        corners = bool(a.get("align_corners", False))
        at = [linear.coordinates(n, m, corners=corners, scale=s) for n, m, s in zip(space, sizes, scales, strict=True)]
        return linear.resize_linear(c, x, [None, *at])

    return lower


def _resized(a: Args, space: Sequence[int], rank: int) -> tuple[list[int], list[float | None]]:
    """(sizes, scales as far as they are given) of an interpolation."""
    names = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}[rank]
    factors = a.get("scale_factors")
    scales: list[float | None] = [a.get(name) for name in names] if factors is None else list(factors)
    sizes = a.get("output_size")
    if sizes is None:
        if factors is None:
            raise Refusal("it says neither a size nor a scale")
        sizes = [int(n * f) for n, f in zip(space, factors, strict=True)]
    if len(space) != rank or len(sizes) != rank or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise Refusal(f"its size {sizes} does not fit a space of {tuple(space)}")
    return list(limited(sizes)), scales


def _middles(size: int, wanted: int, scale: float | None) -> np.ndarray:
    """``nearest-exact``: the element whose middle is nearest, in float32 as PyTorch has it."""
    step = np.float32(size / wanted if scale is None else 1 / scale)
    found = np.floor((np.arange(wanted, dtype=np.float32) + np.float32(0.5)) * step).astype(np.int64)
    return np.asarray(np.minimum(found, size - 1))


def _floors(size: int, wanted: int, scale: float | None) -> np.ndarray:
    step = np.float32(size / wanted if scale is None else 1 / scale)
    found = np.floor(np.arange(wanted, dtype=np.float32) * step).astype(np.int64)
    return np.asarray(np.minimum(found, size - 1))


_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}

MOVES: Mapping[str, Lower] = {
    "slice.Tensor": _slice,
    "select.int": _select,
    "narrow.default": _narrow,
    "chunk.default": _chunk,
    "split.Tensor": _split,
    "split.sizes": _split_sizes,
    "split_with_sizes.default": _split_sizes,
    "unbind.int": _unbind,
    "tensor_split.sections": _tensor_split,
    "tensor_split.indices": _tensor_split,
    "hsplit.int": _hsplit,
    "broadcast_to.default": _expand,
    "fliplr.default": lambda c, a: moves.flip(c, a.tensor(), [a.tensor().axis(1)]),
    **dict.fromkeys(("moveaxis.int", "moveaxis.intlist"), _movedim),
    "index_select.default": lambda c, a: moves.take(c, a.tensor(), constants(a, "index"), a.tensor().axis(a.whole("dim"))),
    "flip.default": _flip,
    "roll.default": _roll,
    "repeat.default": _repeat,
    "tile.default": _repeat,
    "repeat_interleave.self_int": _interleave,
    "repeat_interleave.self_Tensor": _interleave,
    "expand.default": _expand,
    "expand_as.default": _expand_as,
    "constant_pad_nd.default": _pad("constant"),
    "pad.default": _pad(),
    **{f"reflection_pad{n}d.default": _pad("reflect") for n in (1, 2, 3)},
    **{f"replication_pad{n}d.default": _pad("replicate") for n in (1, 2, 3)},
    "pixel_shuffle.default": _shuffle,
    "pixel_unshuffle.default": _unshuffle,
    "channel_shuffle.default": _channel_shuffle,
    "movedim.int": _movedim,
    "movedim.intlist": _movedim,
    "where.self": _where,
    "where.ScalarOther": _where,
    "where.ScalarSelf": _where,
    "masked_fill.Scalar": _masked_fill,
    "masked_fill.Tensor": _masked_fill,
    "tril.default": _triangle(np.tril),
    "triu.default": _triangle(np.triu),
    **{f"upsample_{word}{n}d.{form}": _linear(n) for word, n in _LINEAR.items() for form in ("default", "vec")},
    **{f"_upsample_nearest_exact{n}d.{form}": _nearest(n, exact=True) for n in (1, 2, 3) for form in ("default", "vec")},
    **{f"upsample_nearest{n}d.{form}": _nearest(n) for n in (1, 2, 3) for form in ("default", "vec")},
}
