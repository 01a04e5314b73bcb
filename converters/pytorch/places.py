"""Operators that take, set and add elements at places of an axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nn2hls.converters.lower import chosen, moves
from nn2hls.converters.lower.value import Operand, Refusal, Tensor
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.converters.pytorch.moves import Lower, constants

_COMPUTED = "its places are computed; only constant ones are offered here"
PER_EVENT = "torch.gather(x.unsqueeze(1).expand(-1, n, -1, -1), 2, index.unsqueeze(-1).expand(-1, -1, -1, c)) takes per event"


def _index(c: Lowering, a: Args) -> Value:
    """x[:, i, j]: None, or an array of numbers, for each axis; the batch is not indexed."""
    x, given = a.tensor(), a.items("indices")
    if any(isinstance(i, Tensor) for i in given):
        raise Refusal(f"it indexes by computed numbers; {PER_EVENT}")
    if len(given) > x.place and given[x.place] is not None:
        raise Refusal("it indexes the batch")
    if len(given) > x.place:
        inside = [None] * (x.before + x.merged)
        given = [*given[: x.place], *inside, *given[x.place + 1 :]]
    return moves.gather(c, x, [None if i is None else np.asarray(i) for i in given])


def _taken(name: str, axis_of: Lower) -> Lower:
    """Elements by numbers along an axis, constant or computed."""

    def lower(c: Lowering, a: Args) -> Value:
        x, axis = a.tensor(), axis_of(c, a)
        assert isinstance(axis, int)
        numbers = a.get(name)
        if isinstance(numbers, Tensor):
            return chosen.take_at(c, x, numbers, axis)
        return moves.take_along(c, x, _one_row(a, name), axis)

    return lower


def _axis(c: Lowering, a: Args) -> Value:
    if "dim" not in a:
        raise Refusal("it flattens the batch with all other axes; name the axis")
    return a.tensor().axis(a.whole("dim"))


def _one_row(a: Args, name: str) -> np.ndarray:
    if isinstance(a.get(name), Tensor):
        raise Refusal(_COMPUTED)
    index = constants(a, name)
    if not (index == index[:1]).all():
        raise Refusal("its indices differ along the batch axis")
    return np.asarray(index[0])


def _own(c: Lowering, a: Args, source: Tensor) -> tuple[Operand, int]:
    """What is added to or set, for every event where it is constant, and the node's axis."""
    own = a.get("self")
    if isinstance(own, Tensor):
        return own, own.axis(a.whole("dim"))
    array = c.without_batch(np.asarray(own, np.float64), source.rank)
    return array.reshape((1,) * (len(source.shape) - array.ndim) + array.shape), source.axis(a.whole("dim"))


def _index_add(c: Lowering, a: Args) -> Value:
    source = a.tensor("source")
    own, axis = _own(c, a, source)
    if isinstance(a.get("index"), Tensor):
        raise Refusal(_COMPUTED)
    return chosen.add_at(c, own, constants(a, "index").reshape(-1), source, axis, a.number("alpha", 1.0))


def _scatter(kind: str) -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        source = a.tensor("src")
        own, axis = _own(c, a, source)
        numbers, reduce = _one_row(a, "index"), str(a.get("reduce", kind))
        if reduce == "set":
            return chosen.set_at(c, own, numbers, source, axis)
        if reduce not in ("sum", "mean") or not a.get("include_self", True):
            raise Refusal(f"of its reductions sum and mean with the element itself are offered, not '{reduce}'")
        return chosen.add_at(c, own, numbers, source, axis, mean=reduce == "mean")

    return lower


PLACES: Mapping[str, Lower] = {
    "index.Tensor": _index,
    "gather.default": _taken("index", _axis),
    "take_along_dim.default": _taken("indices", _axis),
    "index_add.default": _index_add,
    "scatter_add.default": _scatter("sum"),
    "scatter.src": _scatter("set"),
    "scatter_reduce.two": _scatter("sum"),
}
