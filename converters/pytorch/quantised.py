"""Quantised programs of PyTorch: ``quantized_decomposed``, as torchao's quantisation of exported programs writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nn2hls.converters.lower import integers, norm
from nn2hls.converters.lower.quantised import positive
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.pytorch import run_time
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.converters.pytorch.run_time import LIBRARY, ends

AT_RUN_TIME = (
    "its scale comes from the values of each event, and a type is fixed; quantise with calibration data, is_dynamic=False"
)
# What rearranges a constant and leaves its scales what they are.
REARRANGES = frozenset((
    "alias.default", "clone.default", "contiguous.default", "detach.default", "flatten.using_ints", "permute.default",
    "reshape.default", "squeeze.dim", "t.default", "transpose.int", "unsqueeze.default", "view.default",
))  # fmt: skip


def _constant(a: Args, name: str) -> np.ndarray:
    found = a.const(name)
    if found is None or not np.isfinite(np.asarray(found, np.float64)).all():
        raise Refusal(f"its operand '{name}' holds no finite numbers")
    return np.asarray(found, np.float64)


def _scales(a: Args) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point of a tensor, or of each of its channels."""
    channels = "scales" in a
    words = ("scales", "zero_points") if channels else ("scale", "zero_point")
    scale = _constant(a, words[0])
    zero = _constant(a, words[1]) if words[1] in a else np.zeros(scale.shape)
    if not channels and (scale.size != 1 or zero.size != 1):
        raise Refusal("its scale is no single number")
    return (scale, zero) if channels else (scale.reshape(()), zero.reshape(()))


def _along(a: Args, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The same, shaped so that they broadcast to a tensor."""
    scale, zero = _scales(a)
    if not scale.ndim:
        return scale, zero
    axis = x.axis(a.whole("axis"))
    if scale.shape != (x.shape[axis],) or zero.shape != scale.shape:
        raise Refusal(f"its {scale.size} scales do not fit an axis of {x.shape[axis]}")
    return norm.along(scale, (axis,), x), norm.along(zero, (axis,), x)


def _quantize(c: Lowering, a: Args) -> Value:
    if a.measured():
        return run_time.quantize(a)
    x = a.tensor("input")
    return integers.quantized(c, x, *_along(a, x), *ends(a))


def _dequantize(c: Lowering, a: Args) -> Value:
    if a.measured():
        return run_time.dequantize(a)
    x = a.tensor("input")
    ends(a)
    return integers.dequantized(c, x, *_along(a, x))


def _folded(a: Args) -> np.ndarray:
    """The values of constant whole numbers."""
    x, (scale, zero) = _constant(a, "input"), _scales(a)
    ends(a)
    positive(scale)
    if scale.ndim:
        shape = [-1 if k == a.whole("axis") % x.ndim else 1 for k in range(x.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return np.asarray((x - zero) * scale, np.float32)


def _at_run_time(c: Lowering, a: Args) -> Value:
    raise Refusal(AT_RUN_TIME)


_FORMS = ("per_tensor.default", "per_tensor.tensor", "per_tensor.tensor2", "per_channel.default")
QUANTISED: Mapping[str, Callable[[Lowering, Args], Value | Sequence[Value]]] = {
    **{f"{LIBRARY}quantize_{form}": _quantize for form in _FORMS},
    **{f"{LIBRARY}dequantize_{form}": _dequantize for form in _FORMS},
    f"{LIBRARY}choose_qparams.tensor": run_time.choose,
    f"{LIBRARY}choose_qparams_symmetric.tensor": _at_run_time,
    f"{LIBRARY}choose_qparams_per_token.default": _at_run_time,
    f"{LIBRARY}choose_qparams_per_token_asymmetric.default": _at_run_time,
}
VALUES: Mapping[str, Callable[[Args], Any]] = {f"{LIBRARY}dequantize_{form}": _folded for form in _FORMS}


def scales_of(target: str, args: Args, inherited: np.ndarray | None) -> np.ndarray | None:
    """The scales of the numbers that a call on constants makes; None where they are not those of a quantised model."""
    if target in VALUES:
        return _scales(args)[0]
    return inherited if target in REARRANGES else None
