"""ONNX operators that take, repeat, pad or leave out elements; the batch axis stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.converters.lower import choice, chosen, linear, moves
from nn2hls.converters.lower.value import Operand, Refusal, Tensor, limited, plain
from nn2hls.converters.onnx.context import At, Handler, Known, Value


def _numbers(at: At, k: int, name: str) -> list[int] | None:
    """Whole numbers: an attribute of old opsets, operand k of new ones; None where they are left out."""
    if name in at.node.attrs:
        return [int(n) for n in at.attr(name)]
    return [int(n) for n in at.raw(k, name).reshape(-1)] if at.has(k) else None


def _required(at: At, k: int, name: str) -> list[int]:
    found = _numbers(at, k, name)
    if found is None:
        raise Refusal(f"its '{name}' is missing")
    return found


def _slice(at: At) -> Value:
    x = at.tensor()
    starts, ends = _per_batch(at, 1, "starts"), _per_batch(at, 2, "ends")
    axes = _numbers(at, 3, "axes") or list(range(len(starts[0])))
    steps = _numbers(at, 4, "steps") or [1] * len(axes)
    cuts: list[Any] = [slice(None)] * len(x.shape)
    for k, (axis, step) in enumerate(zip(axes, steps, strict=True)):
        if axis % x.rank == x.place:
            whole = all(range(n)[s[k] : e[k] : step] == range(n) for n, s, e in zip(at.batches, starts, ends, strict=True))
            if not whole:
                raise Refusal("it cuts the batch axis")
            continue
        size, place = x.shape[x.axis(axis)], x.axis(axis)
        start, end = starts[0][k], ends[0][k]
        cuts[place] = slice(max(start, -size) if step > 0 else start, None if step < 0 and end < -size else end, step)
        if len({(s[k], e[k]) for s, e in zip(starts, ends, strict=True)}) > 1:
            raise Refusal("its ends depend on the batch size")
    return moves.slice_(at, x, cuts)


def _per_batch(at: At, k: int, name: str) -> list[list[int]]:
    """Like :func:`_required`, for each trial batch size."""
    if name in at.node.attrs:
        return [[int(n) for n in at.attr(name)]] * len(at.batches)
    value = at.value(k)
    if not isinstance(value, Known):
        raise Refusal(f"its '{name}' is computed and must be a constant")
    return [[int(n) for n in array.reshape(-1)] for array in value.arrays]


def _split(at: At) -> Sequence[Value]:
    x = at.tensor()
    axis, count = x.axis(at.attr("axis", 0)), len(at.node.outputs)
    sizes = _numbers(at, 1, "split")
    if sizes is None:
        size = x.shape[axis]
        longest = -(-size // count)
        sizes = moves.chunks(size, longest) if "num_outputs" in at.node.attrs else moves.equal_parts(size, count)
    return moves.split(at, x, sizes, axis)


def _gather(at: At) -> Value:
    """Elements by constant numbers; rows of a constant table by computed ones (an Embedding)."""
    if at.is_known(0) and not at.is_known(1):
        if at.attr("axis", 0) != 0:
            raise Refusal("it chooses by computed numbers along another axis than the first of its table")
        return choice.embedding(at, at.tensor(1, plain=True), at.array(0, "table"))
    x, indices = at.tensor(), at.raw(1, "indices")
    axis = x.axis(at.attr("axis", 0))
    if indices.ndim == 0:
        return moves.slice_(at, x, [*[slice(None)] * axis, int(indices)])
    return moves.take(at, x, indices, axis)


def _gather_nd(at: At) -> Value:
    """Elements, or slices, by constant numbers of their first axes."""
    x, rows = at.tensor(), at.raw(1, "indices")
    apart, count = at.attr("batch_dims", 0), rows.shape[-1] if rows.ndim else 0
    if apart:
        if apart > 1 or not x.is_plain or not (rows == rows[:1]).all():
            raise Refusal("its indices differ along the axes of batch_dims; only the batch may be one of them")
        rows = rows[0]
    numbers = [rows[..., k] for k in range(count)]
    places = [x.axis(k + apart) for k in range(count)]
    if places != list(range(count)):
        raise Refusal("it takes elements of axes on both sides of the batch")
    return moves.gather(at, x, numbers)


def _gather_elements(at: At) -> Value:
    x = at.tensor(plain=True)
    if not at.is_known(1):
        return chosen.take_at(at, x, at.tensor(1, plain=True), x.axis(at.attr("axis", 0)))
    indices = at.raw(1, "indices")
    if indices.shape[:1] != (1,) and not (indices == indices[:1]).all():
        raise Refusal("its indices differ along the batch axis")
    return moves.take_along(at, x, indices[0], x.axis(at.attr("axis", 0)))


def _scatter_elements(at: At) -> Value:
    """Elements set, or added, at constant places."""
    source, reduction = at.tensor(2, plain=True), at.attr("reduction", "none")
    indices = at.raw(1, "indices")
    if indices.shape[:1] != (1,) and not (indices == indices[:1]).all():
        raise Refusal("its indices differ along the batch axis")
    x, axis = at.tensor(plain=True), source.axis(at.attr("axis", 0))
    if reduction not in ("none", "add"):
        raise Refusal(f"its reduction '{reduction}' is not offered; none and add are")
    meaning = chosen.set_at if reduction == "none" else chosen.add_at
    return meaning(at, x, indices[0], source, axis)


def _pad(at: At) -> Value:
    """Pads are listed all before and then all behind; opset 18 names the axes."""
    x, mode = at.tensor(plain=True), at.attr("mode", "constant")
    name = "paddings" if "paddings" in at.node.attrs else "pads"
    flat, axes = _required(at, 1, name), _numbers(at, 3, "axes")
    axes = list(range(x.rank)) if axes is None else [k % x.rank for k in axes]
    if len(flat) != 2 * len(axes):
        raise Refusal(f"its pads {flat} do not fit the axes {axes}")
    pairs = [(0, 0)] * x.rank
    for k, axis in enumerate(axes):
        pairs[axis] = (flat[k], flat[len(axes) + k])
    if pairs[0] != (0, 0):
        raise Refusal("it pads the batch axis")
    value = at.scalar(2, "constant") if at.has(2) else float(at.attr("value", 0.0))
    return moves.pad(at, x, pairs[1:], mode=mode, value=value)


def _tile(at: At) -> Value:
    x, counts = at.tensor(plain=True), _required(at, 1, "repeats")
    if counts[:1] != [1]:
        raise Refusal("it repeats the batch")
    return moves.tile(at, x, counts[1:])


def _expand(at: At) -> Value:
    """Broadcasts with the shape; the batch is not repeated."""
    x, target = at.tensor(), at.value(1)
    if isinstance(target, Tensor):
        raise Refusal("its shape is computed and must be a constant")
    sizes = [tuple(int(n) for n in array) for array in target.arrays]
    full = [np.broadcast_shapes(x.full(n), s) for n, s in zip(at.batches, sizes, strict=True)]
    if all(f == x.full(n) for n, f in zip(at.batches, full, strict=True)):
        return x
    if any(f[0] != n or len(f) != x.rank for n, f in zip(at.batches, full, strict=True)):
        raise Refusal("it repeats the batch, or adds axes before it")
    return moves.expand(at, x, full[0][1:])


def _blocks(at: At) -> Value:
    outside = at.attr("mode", "DCR") == "CRD"
    change = moves.depth_to_space if at.node.op == "DepthToSpace" else moves.space_to_depth
    return change(at, at.tensor(plain=True), at.attr("blocksize"), outside=outside, first=True)


def _where(at: At) -> Value:
    """With a constant condition."""
    if not at.is_known(0):
        raise Refusal("its condition is computed from the input; a constant is expected")
    rank = next(v.rank for v in (at.value(1), at.value(2)) if isinstance(v, Tensor))
    one, other = (at.tensor(k) if not at.is_known(k) else at.per_event(k, rank) for k in (1, 2))
    return moves.where(at, at.per_event(0, rank).astype(bool), one, other)


def _triangle(at: At) -> Value:
    x = at.tensor(plain=True)
    if len(x.shape) < 2:
        raise Refusal("it would cut the batch")
    diagonal = int(at.scalar(1, "diagonal")) if at.has(1) else 0
    keep = np.triu if at.attr("upper", 1) else np.tril
    zero: Operand = np.asarray(0.0)
    return moves.where(at, keep(np.ones(x.shape[-2:], dtype=bool), diagonal), x, zero)


def _resize(at: At) -> Value:
    """Nearest neighbours, or between them; what a place reads depends on how coordinates map and round."""
    mode = at.attr("mode", "nearest")
    if mode not in ("nearest", "linear") or at.attr("antialias", 0):
        raise Refusal(f"a resize of the mode '{mode}' is not offered; 'nearest' and 'linear' are, without antialias")
    x = at.tensor(plain=True)
    scales, sizes = _scales(at, x)
    old = at.node.op == "Upsample" or at.opset < 11
    maps = "asymmetric" if old else at.attr("coordinate_transformation_mode", "half_pixel")
    rounds = "floor" if old else at.attr("nearest_mode", "round_prefer_floor")
    if maps not in _COORDINATES or rounds not in _ROUNDS:
        raise Refusal(f"coordinates of '{maps}' rounded by '{rounds}' are not offered")
    axes = list(zip(x.shape, limited(sizes[1:]), scales[1:], strict=True))
    sources = [_COORDINATES[maps](np.arange(m, dtype=np.float64), s, n, m) for n, m, s in axes]
    if mode == "linear":
        return linear.resize_linear(at, x, [None if n == m else c for c, (n, m, _) in zip(sources, axes, strict=True)])
    chosen = [np.clip(_ROUNDS[rounds](c), 0, n - 1).astype(np.int64) for c, (n, _, _) in zip(sources, axes, strict=True)]
    return moves.nearest(at, x, chosen)


def _scales(at: At, x: Tensor) -> tuple[list[float], list[int]]:
    """(scale, size) of every axis, the batch first; an axis that is not named keeps its size."""
    axes = at.attr("axes") or list(range(x.rank))
    shape = [1, *plain(x)]
    place = 1 if at.node.op == "Upsample" or at.opset < 11 else 2
    word = "sizes" if at.has(3) else "scales"
    given = at.attr(word) if word in at.node.attrs else at.array(3 if at.has(3) else place, word).reshape(-1).tolist()
    if len(given) != len(axes) or not all(-x.rank <= axis < x.rank for axis in axes):
        raise Refusal(f"its {len(given)} {word} do not fit the axes {list(axes)} of a tensor of rank {x.rank}")
    if at.has(3):
        sizes = list(shape)
        for axis, n in zip(axes, given, strict=True):
            sizes[axis] = 1 if axis % x.rank == 0 else int(n)
        if min(sizes) < 1:
            raise Refusal(f"its sizes {sizes[1:]} are not all positive")
        if at.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise Refusal("keep_aspect_ratio_policy is only offered as 'stretch'")
        return [m / n for m, n in zip(sizes, shape, strict=True)], sizes
    scales = [1.0] * x.rank
    for axis, factor in zip(axes, given, strict=True):
        scales[axis] = float(factor)
    if scales[0] != 1 or min(scales) <= 0:
        raise Refusal(f"its scales {scales} resize the batch, or are not positive")
    return scales, [int(np.floor(n * s)) for n, s in zip(shape, scales, strict=True)]


_COORDINATES: dict[str, Any] = {
    "asymmetric": lambda k, s, n, m: k / s,
    "half_pixel": lambda k, s, n, m: (k + 0.5) / s - 0.5,
    "pytorch_half_pixel": lambda k, s, n, m: (k + 0.5) / s - 0.5 if m > 1 else np.zeros(1),
    "align_corners": lambda k, s, n, m: k * (n - 1) / (m - 1) if m > 1 else np.zeros(1),
}
_ROUNDS: dict[str, Any] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda v: np.ceil(v - 0.5),
    "round_prefer_ceil": lambda v: np.floor(v + 0.5),
}

MOVES: dict[str, Handler] = {
    "DepthToSpace": _blocks,
    "Expand": _expand,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterElements": _scatter_elements,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "SpaceToDepth": _blocks,
    "Split": _split,
    "Tile": _tile,
    "Trilu": _triangle,
    "Upsample": _resize,
    "Where": _where,
}
