"""Where the batch stands: transposes and reshapes that move it, or take it as one with other axes.

No node has a batch axis, so that moving it costs nothing; other axes that move past each other do (a Transpose, wires).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.graph.const import Shape
from nn2hls.ops import Reshape, Transpose


def permute(site: Site, x: Tensor, order: Sequence[int]) -> Tensor:
    """The framework's axes, the batch included, in another order."""
    if sorted(order) != list(range(x.rank)):
        raise Refusal(f"its order of axes {list(order)} is not one of a tensor of rank {x.rank}")
    inside = list(range(x.place, x.place + x.before + x.merged))
    groups = [inside if k == x.place else [x.axis(k)] for k in order]
    axes = [k for group in groups for k in group]
    place = sum(len(group) for group in groups[: list(order).index(x.place)])
    whole = replace(x, merged=0, place=0, before=0)
    turned = whole if axes == sorted(axes) else _as_it_stands(site, x, place).emit(Transpose(tuple(axes)), whole)
    return replace(turned, place=place, before=x.before, merged=x.merged)


def _as_it_stands(site: Site, x: Tensor, place: int) -> Site:
    """Nodes whose axes are not in the order of the framework's result are steps on the way."""
    return site if not (place or x.before or x.merged) else site.step("moved")


def regroup(site: Site, x: Tensor, target: Sequence[int], batch: int) -> Tensor:
    """The framework's reshape of x, whose batch is ``batch``, to sizes that all are known.

    Raises:
        Refusal: The sizes do not fit, or cut through the batch.
    """
    left, joined, right = plan(x, target, batch)
    return _grouped(site, x, left, joined, right)


def plan(x: Tensor, target: Sequence[int], batch: int) -> tuple[Shape, tuple[int, int], Shape]:
    """(sizes before the batch, elements that are one with it before and behind, sizes behind it); see :func:`regroup`."""
    before = math.prod(x.shape[: x.place + x.before])
    total = math.prod(x.shape) * batch
    ends = [math.prod(target[: k + 1]) for k in range(len(target))]
    if not target or min(target) < 1 or ends[-1] != total:
        raise Refusal(f"its sizes {list(target)} do not hold the {total} elements of {x.full(batch)}")
    group = _group(ends, before, before * batch)
    if group is None:
        raise Refusal(f"it mixes or moves the batch axis: {x.full(batch)} becomes {tuple(target)}")
    first = before // (ends[group - 1] if group else 1)
    return tuple(target[:group]), (first, target[group] // (first * batch)), tuple(target[group + 1 :])


def _group(ends: Sequence[int], before: int, behind: int) -> int | None:
    """Which of the sizes that end at the products ``ends`` holds the batch, which lies between two products.

    A batch of one lies in several: in one that is nothing else, else as far behind as leaves a last axis without it.
    """
    starts = [1, *ends]
    fits = [k for k, end in enumerate(ends) if before % starts[k] == 0 and starts[k] <= before and end % behind == 0]
    alone = [k for k in fits if ends[k] == starts[k] * (behind // before)]
    inner = [k for k in fits if k < len(ends) - 1]
    return next((found[-1 if found is inner else 0] for found in (alone, inner, fits) if found), None)


def _grouped(site: Site, x: Tensor, left: Shape, joined: tuple[int, int], right: Shape) -> Tensor:
    """x with the axes ``left``, the batch as one with so many elements before and behind it, and the axes ``right``."""
    inside = x.shape[len(left) : len(x.shape) - len(right)]
    if x.shape[: len(left)] == left and x.shape[len(x.shape) - len(right) :] == right and len(x.shape) >= len(left + right):
        for k in range(len(inside) + 1):
            if (math.prod(inside[:k]), math.prod(inside[k:])) == joined and (joined != (1, 1) or not inside):
                return replace(x, place=len(left), before=k, merged=len(inside) - k)
    kept = tuple(n for n in joined if n > 1)
    whole = replace(x, merged=0, place=0, before=0)
    step = site.step("split") if left or kept else site
    size = (*left, *kept, *right)
    found = whole if size == x.shape else step.emit(Reshape(size), whole)
    return replace(found, place=len(left), before=int(joined[0] > 1), merged=int(joined[1] > 1))


def unsqueeze(site: Site, x: Tensor, axis: int) -> Tensor:
    """With an axis of size one, which the framework counts as ``axis`` of the result, the batch included."""
    axis += x.rank + 1 if axis < 0 else 0
    if not 0 <= axis <= x.rank:
        raise Refusal(f"its axis {axis} is not one of the result")
    at = axis if axis <= x.place else axis - 1 + x.before + x.merged
    place = x.place + (axis <= x.place)
    step = site.step("unsqueeze") if place or x.before or x.merged else site
    made = step.emit(Reshape((*x.shape[:at], 1, *x.shape[at:])), replace(x, merged=0, place=0, before=0))
    return replace(made, place=place, before=x.before, merged=x.merged)


def without(x: Tensor, result: Tensor, gone: Sequence[int]) -> Tensor:
    """The result of an op that took the node's axes ``gone`` from x, with the batch where it was."""
    inside = range(x.place, x.place + x.before + x.merged)
    if any(k in inside for k in gone):
        raise Refusal("it works along axes that are one with the batch")
    place = x.place - sum(k < x.place for k in gone)
    return replace(result, place=place, before=x.before, merged=x.merged)


def squeeze(site: Site, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Without those of the node's ``axes`` that have the size one."""
    gone = [k for k in axes if x.shape[k] == 1]
    if not gone:
        return x
    size = tuple(n for k, n in enumerate(x.shape) if k not in gone)
    step = site if x.is_plain else site.step("squeeze")
    return without(x, step.emit(Reshape(size), replace(x, merged=0, place=0, before=0)), gone)


def meeting(site: Site, xs: Sequence[Tensor]) -> list[Tensor]:
    """The tensors; where those that the batch is one with have it beside other axes, with these as one axis in all of them."""
    sizes = {(x.rank, x.place, math.prod(x.joined[: x.before]), math.prod(x.joined[x.before :])) for x in xs}
    if len({(x.before, x.joined) for x in xs}) == 1 or len(sizes) > 1:
        return list(xs)
    ((_, _, *joined),) = sizes
    kept = tuple(n for n in joined if n > 1)
    found = []
    for k, x in enumerate(xs):
        size = (*x.shape[: x.place], *kept, *x.free)
        whole = replace(x, merged=0, place=0, before=0)
        made = whole if size == x.shape else site.step(f"joined{k or ''}").emit(Reshape(size), whole)
        found.append(replace(made, place=x.place, before=int(joined[0] > 1), merged=int(joined[1] > 1)))
    return found
