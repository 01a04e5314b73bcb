"""ONNX operators that choose by values: the largest elements, their places, rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

from nn2hls.converters.lower import choice
from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.onnx.context import At, Handler, Value


def _extreme(*, smallest: bool) -> Handler:
    def handler(at: At) -> Value:
        x = at.tensor(plain=True)
        if at.attr("select_last_index", 0):
            raise Refusal("select_last_index is not supported")
        keepdims = bool(at.attr("keepdims", 1))
        return choice.place_of_extreme(at, x, x.axis(at.attr("axis", 0)), keepdims=keepdims, smallest=smallest)

    return handler


def _top(at: At) -> Sequence[Value]:
    x = at.tensor(plain=True)
    count = at.attr("k") if "k" in at.node.attrs else int(at.scalar(1, "k"))
    return choice.top(at, x, count, x.axis(at.attr("axis", -1)), smallest=not at.attr("largest", 1))


CHOICE: dict[str, Handler] = {
    "ArgMax": _extreme(smallest=False),
    "ArgMin": _extreme(smallest=True),
    "TopK": _top,
}
