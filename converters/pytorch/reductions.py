"""Sums, means, products and extremes over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nn2hls.converters.lower import over_axes, reductions
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.ops import Reduction


def _axes(a: Args) -> tuple[Tensor, tuple[int, ...], bool]:
    x = a.tensor()
    if "dim" not in a or not a.items("dim"):
        raise Refusal("it works along all axes, the batch among them; name the axes, such as dim=1")
    return x, x.axes(a.items("dim")), bool(a.get("keepdim", False))


def _over(kind: Reduction) -> Callable[[Lowering, Args], Value]:
    def lower(c: Lowering, a: Args) -> Value:
        x, axes, keepdims = _axes(a)
        return reductions.reduce(c, x, kind, axes, keepdims=keepdims)

    return lower


def _spread(*, root: bool) -> Callable[[Lowering, Args], Value]:
    """Variance or standard deviation; PyTorch divides by one less than the number of elements unless told otherwise."""

    def lower(c: Lowering, a: Args) -> Value:
        x, axes, keepdims = _axes(a)
        less = a.number("correction", 1 if a.get("unbiased", True) else 0)
        return reductions.variance(c, x, axes, keepdims=keepdims, less=less, root=root)

    return lower


def _norm(c: Lowering, a: Args) -> Value:
    x, axes, keepdims = _axes(a)
    order = a.number("ord" if "ord" in a else "p", 2)
    return reductions.vector_norm(c, x, axes, order, keepdims=keepdims)


def _log_sum_exp(c: Lowering, a: Args) -> Value:
    x, axes, keepdims = _axes(a)
    return over_axes.log_sum_exp(c, x, axes, keepdims=keepdims)


def _running_sum(c: Lowering, a: Args) -> Value:
    (axis,) = a.tensor().axes([a.whole("dim")])
    return over_axes.running_sum(c, a.tensor(), axis)


_WHOLE = {
    "max": Reduction.MAX, "min": Reduction.MIN, "mean": Reduction.MEAN, "prod": Reduction.PROD, "sum": Reduction.SUM
}  # fmt: skip

REDUCTIONS: Mapping[str, Callable[[Lowering, Args], Value]] = {
    "amax.default": _over(Reduction.MAX),
    "amin.default": _over(Reduction.MIN),
    "max.dim": _over(Reduction.MAX),
    "min.dim": _over(Reduction.MIN),
    "cumsum.default": _running_sum,
    "logsumexp.default": _log_sum_exp,
    "mean.dim": _over(Reduction.MEAN),
    "prod.dim_int": _over(Reduction.PROD),
    "sum.dim_IntList": _over(Reduction.SUM),
    **{f"{name}.default": _over(kind) for name, kind in _WHOLE.items()},  # refused, for they take the batch along
    **dict.fromkeys(("std.dim", "std.correction"), _spread(root=True)),
    **dict.fromkeys(("var.dim", "var.correction"), _spread(root=False)),
    **dict.fromkeys(("linalg_vector_norm.default", "norm.ScalarOpt_dim"), _norm),
}
