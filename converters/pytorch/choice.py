"""Operators that choose by values: the largest elements, their places, rows of a table."""

from __future__ import annotations

from collections.abc import Mapping

from nn2hls.converters.lower import choice
from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.converters.pytorch.moves import Lower, Values


def _extreme(*, smallest: bool) -> Lower:
    def lower(c: Lowering, a: Args) -> Value:
        x = a.tensor()
        if "dim" not in a:
            raise Refusal("it works along all axes, the batch among them; name the axis")
        keepdims = bool(a.get("keepdim", False))
        return choice.place_of_extreme(c, x, x.axis(a.whole("dim")), keepdims=keepdims, smallest=smallest)

    return lower


def _top(c: Lowering, a: Args) -> Values:
    x = a.tensor()
    return choice.top(c, x, a.whole("k"), x.axis(a.whole("dim", -1)), smallest=not a.get("largest", True))


def _sort(c: Lowering, a: Args) -> Values:
    x = a.tensor()
    return choice.sort(c, x, x.axis(a.whole("dim", -1)), descending=bool(a.get("descending", False)))


def _embedding(c: Lowering, a: Args) -> Value:
    table = a.const("weight")
    if table is None:
        raise Refusal("its table is missing")
    return choice.embedding(c, a.tensor("indices"), table)


CHOICE: Mapping[str, Lower] = {
    "argmax.default": _extreme(smallest=False),
    "argmin.default": _extreme(smallest=True),
    "embedding.default": _embedding,
    **dict.fromkeys(("sort.default", "sort.stable"), _sort),
    "topk.default": _top,
}
