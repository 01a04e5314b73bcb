"""ONNX sums, means, products and extremes over axes."""

from __future__ import annotations

from nn2hls.converters.lower import activations, over_axes, reductions
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.converters.onnx.context import At, Handler, Value
from nn2hls.ops import Reduction


def axes_of_node(at: At, x: Tensor) -> tuple[int, ...]:
    """The node's axes: an attribute of old opsets, an operand of new ones; none means all, the batch included."""
    axes = at.attr("axes")
    if axes is None and at.has(1):
        axes = [int(n) for n in at.raw(1, "axes").reshape(-1)]
    if not axes:
        if at.attr("noop_with_empty_axes", 0):
            return ()
        raise Refusal("it works along all axes, the batch axis among them; name the axes")
    return x.axes(list(axes))


def _over(kind: Reduction) -> Handler:
    def handler(at: At) -> Value:
        x = at.tensor()
        return reductions.reduce(at, x, kind, axes_of_node(at, x), keepdims=bool(at.attr("keepdims", 1)))

    return handler


def _norm(order: float) -> Handler:
    def handler(at: At) -> Value:
        x = at.tensor()
        return reductions.vector_norm(at, x, axes_of_node(at, x), order, keepdims=bool(at.attr("keepdims", 1)))

    return handler


def _of(inner: str, outer: str) -> Handler:
    """A sum of a function of x, or a function of the sum."""

    def handler(at: At) -> Value:
        x = at.tensor()
        axes, keepdims = axes_of_node(at, x), bool(at.attr("keepdims", 1))
        before = activations.function(at.step(inner), x, inner) if inner else x
        site: Site = at.step("sum" if outer else "")
        total = reductions.reduce(site, before, Reduction.SUM, axes, keepdims=keepdims)
        return activations.function(at, total, outer) if outer else total

    return handler


def _log_sum_exp(at: At) -> Value:
    x = at.tensor()
    return over_axes.log_sum_exp(at, x, axes_of_node(at, x), keepdims=bool(at.attr("keepdims", 1)))


def _running_sum(at: At) -> Value:
    (axis,) = at.tensor().axes([int(at.scalar(1, "axis"))])
    exclusive, reverse = bool(at.attr("exclusive", 0)), bool(at.attr("reverse", 0))
    return over_axes.running_sum(at, at.tensor(), axis, exclusive=exclusive, reverse=reverse)


REDUCTIONS: dict[str, Handler] = {
    "CumSum": _running_sum,
    "ReduceL1": _norm(1),
    "ReduceL2": _norm(2),
    "ReduceLogSum": _of("", "log"),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _over(Reduction.MAX),
    "ReduceMean": _over(Reduction.MEAN),
    "ReduceMin": _over(Reduction.MIN),
    "ReduceProd": _over(Reduction.PROD),
    "ReduceSum": _over(Reduction.SUM),
    "ReduceSumSquare": _of("square", ""),
}
