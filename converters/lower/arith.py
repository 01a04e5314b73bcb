"""Arithmetic on tensors and constants; at least one operand of each function is a tensor.

Constants are for every event: they have no batch axis, and broadcast with NumPy's rules.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nn2hls.converters.lower.activations import clip
from nn2hls.converters.lower.layout import meeting
from nn2hls.converters.lower.value import Operand, Refusal, Site, Tensor, const, trimmed
from nn2hls.ops import Divide, Elementwise, Function, Merge, Scale, Simple, Table, Unary

_FOLD: Mapping[Merge, Callable[..., np.ndarray]] = {
    Merge.ADD: np.add,
    Merge.MUL: np.multiply,
    Merge.MAX: np.maximum,
    Merge.MIN: np.minimum,
}


def scale(site: Site, x: Tensor, factor: np.ndarray | float, offset: np.ndarray | float = 0.0) -> Tensor:
    """x * factor + offset, constants that broadcast to x."""
    return site.emit(Scale(const(factor), const(offset)), x)


def _grows(x: Tensor, array: np.ndarray) -> bool:
    """Whether the constant makes the tensor larger.

    Raises:
        Refusal: They do not broadcast, or would along the batch.
    """
    own = x.free if x.before or x.merged else x.shape
    try:
        grows = array.ndim > len(own) or np.broadcast_shapes(own, array.shape) != own
    except ValueError:
        raise Refusal(f"its constant of shape {array.shape} does not fit a tensor of {own}") from None
    if grows and not x.is_plain:
        raise Refusal("its constant makes a tensor larger whose first axis is not the batch alone")
    return grows


def _tensor(*operands: Operand) -> Tensor:
    found = next((x for x in operands if isinstance(x, Tensor)), None)
    if found is None:
        raise Refusal("neither of its operands depends on the input")
    return found


def _elementwise(site: Site, kind: Merge | Divide, *operands: Operand, ranks: bool = True) -> Tensor:
    """One element-wise op; constants become nodes. Tensors of one rank meet, for the batch must stay the first axis of both."""
    if ranks:
        met = iter(meeting(site, [x for x in operands if isinstance(x, Tensor)]))
        operands = tuple(next(met) if isinstance(x, Tensor) else x for x in operands)
    if ranks and len({(x.rank, x.place, x.before, x.joined) for x in operands if isinstance(x, Tensor)}) > 1:
        raise Refusal("its operands differ in rank, so that one of them broadcasts over the batch axis; unsqueeze that one")
    op = Elementwise(kind) if isinstance(kind, Merge) else kind
    return site.emit(op, *(x if isinstance(x, Tensor) else site.constant(x) for x in operands))


def merge(site: Site, kind: Merge, operands: Sequence[Operand], *, ranks: bool = True) -> Tensor:
    """All operands added, multiplied, averaged or compared; constants among them are one, the last operand.

    Tensors must have one rank; with ``ranks`` off those of lower rank gain axes after the batch axis.
    """
    first = _tensor(*operands)
    tensors = [x for x in operands if isinstance(x, Tensor)]
    constants = [trimmed(np.asarray(x, np.float64)) for x in operands if not isinstance(x, Tensor)]
    for array in constants:
        _grows(first, array)
    if constants and kind in _FOLD:
        constants = [functools.reduce(_FOLD[kind], constants)]
    if len(operands) == 1:
        return first
    return _elementwise(site, kind, *tensors, *constants, ranks=ranks)


def add(site: Site, x: Operand, y: Operand, factor: float = 1.0) -> Tensor:
    """x + factor * y; subtraction is a factor of -1. A constant that broadcasts to the tensor is part of one Scale."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        y = y if abs(factor) == 1 else scale(site.step("alpha"), y, abs(factor))
        return _elementwise(site, Merge.ADD if factor > 0 else Merge.SUB, x, y)
    if isinstance(x, Tensor):
        array = trimmed(np.asarray(y, np.float64) * factor)
        if (array <= HIDES).any():
            return _masked(site, x, array)
        if not _grows(x, array):
            return scale(site, x, 1.0, array)
        return _elementwise(site, Merge.ADD, x, array)
    y = _tensor(y)
    if factor == 1:
        return add(site, y, x)
    array = trimmed(np.asarray(x, np.float64))
    if not _grows(y, array):
        return scale(site, y, factor, array)
    y = y if abs(factor) == 1 else scale(site.step("alpha"), y, abs(factor))
    return _elementwise(site, Merge.ADD, y, array) if factor > 0 else _elementwise(site, Merge.SUB, array, y)


HIDES = -1e9  # a mask that adds this or less leaves nothing of an element in the softmax after it


def _masked(site: Site, x: Tensor, array: np.ndarray) -> Tensor:
    """The sum with a constant: elements are hidden at which that is as low as ``HIDES``, the rest is added."""
    if _grows(x, array):
        raise Refusal("the mask that it adds makes a tensor larger")
    low = array <= HIDES
    hidden = np.broadcast_to(low, x.shape) if x.hidden is None else np.broadcast_to(low, x.shape) | x.hidden
    rest = np.where(low, 0.0, array)
    result = add(site, replace(x, hidden=None), rest) if rest.any() else x
    return replace(result, hidden=hidden)


def subtract(site: Site, x: Operand, y: Operand) -> Tensor:
    """x - y."""
    return add(site, x, y, -1.0)


def multiply(site: Site, x: Operand, y: Operand) -> Tensor:
    """x * y; x * x is a square, and a product with the number 1 is the tensor itself."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return site.emit(Unary(Simple.SQUARE), x) if x == y else _elementwise(site, Merge.MUL, x, y)
    tensor, other = (x, y) if isinstance(x, Tensor) else (_tensor(y), x)
    array = trimmed(np.asarray(other, np.float64))
    if array.ndim == 0 and array == 1:
        return tensor
    if not _grows(tensor, array):
        return scale(site, tensor, array)
    return _elementwise(site, Merge.MUL, tensor, array)


def reciprocal(site: Site, x: Tensor) -> Tensor:
    """1 / x."""
    return site.emit(Table(Function.RECIPROCAL), x)


def divide(site: Site, x: Operand, y: Operand) -> Tensor:
    """x / y; with a constant x * (1 / y), or the reciprocal of y times x."""
    if not isinstance(y, Tensor):
        array = np.asarray(y, np.float64)
        if not array.all():
            raise Refusal("it divides by a constant that holds zeros")
        return multiply(site, x, 1.0 / array)
    if isinstance(x, Tensor):
        return _elementwise(site, Divide(), x, y)
    one = np.size(x) == 1 and np.asarray(x).item() == 1
    return multiply(site, reciprocal(site.step("" if one else "reciprocal"), y), x)


def maximum(site: Site, *operands: Operand) -> Tensor:
    """The largest; with one number it is a clip."""
    return _extreme(site, Merge.MAX, operands)


def minimum(site: Site, *operands: Operand) -> Tensor:
    """The smallest; with one number it is a clip."""
    return _extreme(site, Merge.MIN, operands)


def _extreme(site: Site, kind: Merge, operands: Sequence[Operand]) -> Tensor:
    number = next((np.asarray(x) for x in operands if not isinstance(x, Tensor)), np.zeros(0))
    x = _tensor(*operands)
    if len(operands) == 2 and number.size == 1 and not _grows(x, trimmed(number)):
        ends = (number.item(), math.inf) if kind is Merge.MAX else (-math.inf, number.item())
        return clip(site, x, *ends)
    return merge(site, kind, operands)


_POWERS: Mapping[float, Table | Unary | Elementwise] = {
    -1.0: Table(Function.RECIPROCAL),
    -0.5: Table(Function.RSQRT),
    0.5: Table(Function.SQRT),
    2.0: Unary(Simple.SQUARE),
}


def power(site: Site, x: Operand, exponent: Operand) -> Tensor:
    """x to a constant power; a cube is one product of three, rounded once."""
    if not isinstance(x, Tensor) or isinstance(exponent, Tensor) or np.size(exponent) != 1:
        raise Refusal("only powers of a computed tensor to one constant number are offered")
    value = float(np.asarray(exponent).item())
    if value == 1:
        return x
    if value == 3:
        return site.emit(Elementwise(Merge.MUL), x, x, x)
    if value not in _POWERS:
        raise Refusal(f"powers of {value:g} are not offered; -1, -0.5, 0.5, 1, 2 and 3 are")
    return site.emit(_POWERS[value], x)
