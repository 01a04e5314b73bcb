"""What PyTorch's export makes of an activation that has no operator of its own, as data.

A tree is ``(operator, operand, ...)``; an operand is a tree, a number or None (equal to it), or a string: a name for what
stands there, the same wherever the name is repeated. A trailing ``...`` lets further arguments follow. Operands of commutative
operators match in either order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nn2hls.converters.pytorch.pt2_program import Call, Ref

_COMMUTATIVE = frozenset(("add.Tensor", "mul.Tensor", "minimum.default", "maximum.default"))
# Keywords of operators that create tensors; they do not change the values.
_NEUTRAL = frozenset(("dtype", "layout", "device", "pin_memory", "memory_format"))


@dataclass(frozen=True)
class Pattern:
    """A tree, and the operator it stands for: ``target`` with the named operands as arguments."""

    name: str
    target: str
    tree: tuple[Any, ...]


def _softplus(x: str) -> tuple[Any, ...]:
    return ("where.self", ("gt.Scalar", x, 20), x, ("log1p.default", ("exp.default", x)))


_SHIFTED_RELU6 = (
    ("clamp.default", ("clamp.default", ("add.Tensor", "self", 3), 0), None, 6),
    ("clamp.default", ("add.Tensor", "self", 3), 0, 6),
    ("hardtanh.default", ("add.Tensor", "self", 3), 0, 6),
    ("relu6.default", ("add.Tensor", "self", 3)),
)
_EXP_SCALED = ("exp.default", ("mul.Tensor", "self", "beta"))

_SOFTMAX = ("_softmax.default", "self", "dim", False)
_NOT_HIDDEN = ("any.dim", ("logical_not.default", ("eq.Scalar", "self", float("-inf"))), "dim", True)


def _lp_pool(rank: int, *stride: str) -> tuple[Any, ...]:
    """The root of a mean of squares times their number; LPPool of order 2 without ``ceil_mode``, whose edges differ."""
    mean = (f"avg_pool{rank}d.default", ("pow.Tensor_Scalar", "self", 2), "kernel_size", *stride)
    size = ("relu.default", ("abs.default", mean))
    return ("pow.Tensor_Scalar", ("mul.Tensor", ("mul.Tensor", ("sign.default", mean), size), "count"), 0.5)


PATTERNS = (
    *(Pattern("lp_pool", f"lp_pool{n}d", _lp_pool(n, *stride)) for n in (1, 2, 3) for stride in ((), ("stride",))),
    # Zero for rows that a mask hides entirely, which is refused here.
    Pattern(
        "softmax",
        "_softmax.default",
        ("where.self", ("logical_not.default", _NOT_HIDDEN), ("full_like.default", _SOFTMAX, 0), _SOFTMAX),
    ),
    Pattern("softsign", "softsign", ("div.Tensor", "self", ("add.Tensor", ("abs.default", "self"), 1))),
    Pattern("silu", "silu.default", ("mul.Tensor", "self", ("sigmoid.default", "self"))),
    Pattern("tanhshrink", "tanhshrink", ("sub.Tensor", "self", ("tanh.default", "self"))),
    Pattern(
        "celu",
        "celu.default",
        (
            "where.self",
            ("gt.Scalar", "self", 0),
            "self",
            ("mul.Tensor", ("expm1.default", ("div.Tensor", "self", "alpha")), "alpha"),
        ),
    ),
    Pattern(
        "leaky_relu",
        "leaky_relu.broadcast",
        ("where.self", ("gt.Scalar", "self", 0), "self", ("mul.Tensor", "slope", "self")),
    ),
    Pattern("softplus", "softplus.default", _softplus("self")),
    Pattern(
        "softplus",
        "softplus.default",
        (
            "where.self",
            ("gt.Scalar", ("mul.Tensor", "self", "beta"), "threshold"),
            "self",
            ("div.Tensor", ("log1p.default", _EXP_SCALED), "beta"),
        ),
    ),
    *(
        Pattern("mish", "mish.default", ("mul.Tensor", "self", ("tanh.default", ("softplus.default", "self", *rest))))
        for rest in ((), (1, 20))
    ),
    *(Pattern("hardsigmoid", "hardsigmoid.default", ("div.Tensor", tree, 6)) for tree in _SHIFTED_RELU6),
    *(Pattern("hardswish", "hardswish.default", ("div.Tensor", ("mul.Tensor", "self", tree), 6)) for tree in _SHIFTED_RELU6),
    Pattern("hardswish", "hardswish.default", ("mul.Tensor", "self", ("hardsigmoid.default", "self"))),
    Pattern(
        "threshold",
        "threshold.default",
        ("where.self", ("le.Scalar", "self", "threshold"), ("scalar_tensor.default", "value", ...), "self"),
    ),
    Pattern(
        "threshold",
        "threshold.default",
        ("where.self", ("gt.Scalar", "self", "threshold"), "self", ("scalar_tensor.default", "value", ...)),
    ),
    Pattern("threshold", "threshold.default", ("where.ScalarOther", ("gt.Scalar", "self", "threshold"), "self", "value")),
    Pattern(
        "log_sigmoid",
        "log_sigmoid.default",
        (
            "sub.Tensor",
            ("minimum.default", ("full.default", "empty", 0, ...), "self"),
            ("log1p.default", ("exp.default", ("neg.default", ("abs.default", "self")))),
        ),
    ),
    Pattern("log_sigmoid", "log_sigmoid.default", ("log.default", ("sigmoid.default", "self"))),
)


def match(tree: tuple[Any, ...], call: Call, by_output: Mapping[str, Call]) -> dict[str, Any] | None:
    """The operands that the tree names, if ``call`` and the calls behind it have its form."""
    return next(_matches(tree, call, by_output, {}), None)


def _matches(tree: Any, value: Any, by_output: Mapping[str, Call], found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All ways to match a call, or a value that a call may have computed, given what was found so far."""
    if isinstance(tree, str):
        if tree not in found or found[tree] == value:
            yield {**found, tree: value}
        return
    if not isinstance(tree, tuple):
        if not isinstance(value, (Ref, list)) and value == tree and isinstance(value, bool) == isinstance(tree, bool):
            yield found
        return
    call = by_output.get(value.name) if isinstance(value, Ref) else value
    if not isinstance(call, Call) or call.target != tree[0]:
        return
    operands = list(tree[1:])
    values = [v for k, v in call.args.items() if k not in _NEUTRAL]
    if operands[-1] is ...:
        operands.pop()
        values = values[: len(operands)]
    if len(values) != len(operands):
        return
    orders = itertools.permutations(values) if tree[0] in _COMMUTATIVE else [tuple(values)]
    for order in orders:
        yield from _all(operands, order, by_output, found)


def _all(
    trees: list[Any], values: tuple[Any, ...], by_output: Mapping[str, Call], found: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if not trees:
        yield found
        return
    for first in _matches(trees[0], values[0], by_output, found):
        yield from _all(trees[1:], values[1:], by_output, first)
