"""Quantisers of ONNX on constants, in the file's own float type: what they make of trained weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Attrs = Mapping[str, Any]
MICROSOFT = "com.microsoft"
DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")


def in_domains(table: Mapping[str, Any]) -> dict[str, Any]:
    """The same under the names of every domain that has these operators."""
    return {f"{domain}.{name}": entry for domain in DOMAINS for name, entry in table.items()}


def both(name: str) -> tuple[str, str]:
    """The names of an operator that onnxruntime has in a domain of its own as well, for types that older opsets lack."""
    return name, f"{MICROSOFT}.{name}"


def ends(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """The smallest and the largest integer."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


# What qonnx and ONNX say beside the operands of a quantiser, and how many of these there are.
_WORDS: Mapping[str, tuple[frozenset[str], int]] = {
    "Quant": (frozenset(("signed", "narrow", "rounding_mode")), 4),
    "IntQuant": (frozenset(("signed", "narrow", "rounding_mode")), 4),
    "BipolarQuant": (frozenset(), 2),
    "DequantizeLinear": (frozenset(("axis", "block_size")), 3),
    "QuantizeLinear": (frozenset(("axis", "block_size", "output_dtype", "saturate")), 3),
}


def check_words(op: str, attrs: Attrs, operands: int) -> None:
    """Refuse a quantiser with an attribute or an operand that is not understood.

    Raises:
        ValueError: It has one.
    """
    words, most = _WORDS.get(op.rpartition(".")[2], (frozenset(attrs), operands))
    for word in attrs:
        if word not in words:
            raise ValueError(f"its attribute '{word}' is not understood; export the model without it")
    if operands > most:
        raise ValueError(f"it has {operands} operands, of which the first {most} are understood")


def flag(attrs: Attrs, name: str, default: int) -> bool:
    """An attribute that is 0 or 1.

    Raises:
        ValueError: It is neither.
    """
    value = attrs.get(name, default)
    if value not in (0, 1):
        raise ValueError(f"its attribute '{name}' is {str(value)[:20]!r}, and must be 0 or 1")
    return bool(value)


def whole_bits(value: Any) -> int:
    """A width.

    Raises:
        ValueError: It is none of 1 to 64.
    """
    number = float(np.asarray(value).reshape(-1)[0]) if np.size(value) == 1 else np.nan
    if not (number == np.floor(number) and 1 <= number <= 64):
        raise ValueError(f"its bit width is {number:g}; whole numbers from 1 to 64 are offered")
    return int(number)


def checked_scale(scale: Any) -> Any:
    """Scales, which must be finite and above zero.

    Raises:
        ValueError: One is not.
    """
    array = np.asarray(scale, np.float64)
    wrong = array[~(np.isfinite(array) & (array > 0))]
    if wrong.size:
        raise ValueError(f"its scale {wrong[0]:g} must be a finite number above zero; train or calibrate it again")
    return scale


def checked_zero(zero: Any, low: int, high: int) -> Any:
    """Zero points, which must be whole numbers of the type.

    Raises:
        ValueError: One is not.
    """
    array = np.asarray(zero, np.float64)
    wrong = array[~((array == np.floor(array)) & (array >= low) & (array <= high))]
    if wrong.size:
        raise ValueError(f"its zero point {wrong[0]:g} is no whole number from {low} to {high}")
    return zero


_ROUND: Mapping[str, Callable[[Any], Any]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.copysign(np.ceil(np.abs(x)), x),
    "DOWN": np.trunc,
    "HALF_UP": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
    "HALF_DOWN": lambda x: np.copysign(np.ceil(np.abs(x) - 0.5), x),
}


def _quant(a: Attrs, x: Any, scale: Any, zero: Any, width: Any) -> Any:
    bits, signed, narrow = whole_bits(width), flag(a, "signed", 1), flag(a, "narrow", 0)
    low, high = ends(bits, signed=signed, narrow=narrow)
    mode = str(a.get("rounding_mode", "ROUND")).upper()
    if mode not in _ROUND:
        raise ValueError(f"rounding_mode '{mode[:20]}' is not understood")
    y = x / checked_scale(scale) + checked_zero(zero, low, high)
    if bits == 1 and signed:
        whole = np.where(y >= 0, 1.0, -1.0)
    else:
        whole = _ROUND[mode](np.clip(y, low, high))
    return np.asarray((whole - zero) * scale, dtype=x.dtype)


def _bipolar(a: Attrs, x: Any, scale: Any) -> Any:
    return np.asarray(np.where(x >= 0, 1.0, -1.0) * checked_scale(scale), dtype=x.dtype)


# Types of less than a byte, and their ends.
FEW_BITS: Mapping[str, tuple[int, int]] = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
# Types of QuantizeLinear that whole numbers of NumPy hold, and their ends.
_TYPES: Mapping[int, str] = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16"}


def along(array: Any, axis: int, rank: int) -> Any:
    """One number for each entry of an axis, shaped so that it broadcasts."""
    array = np.asarray(array)
    if array.size == 1:
        return array.reshape(())
    if array.ndim != 1:
        raise ValueError("scales for blocks are not offered; one number, or one for each channel")
    if not -rank <= axis < rank:
        raise ValueError(f"its axis {axis} is not one of {rank}")
    return array.reshape([-1 if k == axis % rank else 1 for k in range(rank)])


def kind_of(a: Attrs, zero: Any) -> np.dtype[Any]:
    """The integer type of a QuantizeLinear: that of its zero point, else that of its attribute, else uint8."""
    if zero is not None:
        return np.asarray(zero).dtype
    word = _TYPES.get(int(a.get("output_dtype", 0) or 2))
    if word is None:
        raise ValueError(f"output_dtype {a.get('output_dtype')} is not offered; int8, uint8, int16 and uint16 are")
    return np.dtype(word)


def _quantize_linear(a: Attrs, x: Any, scale: Any, zero: Any = None) -> Any:
    if a.get("block_size", 0):
        raise ValueError("scales for blocks are not offered; one number, or one for each channel")
    kind = kind_of(a, zero)
    low, high = integer_ends(kind)
    s = along(checked_scale(scale), a.get("axis", 1), x.ndim)
    z = 0 if zero is None else along(zero, a.get("axis", 1), x.ndim).astype(np.int64)
    return np.clip(np.rint(x / s) + z, low, high).astype(kind)


def integer_ends(kind: np.dtype[Any]) -> tuple[int, int]:
    """The ends of a type of whole numbers; types of less than a byte have names of their own."""
    name = kind.name
    if name in FEW_BITS:
        return FEW_BITS[name]
    if kind.kind not in "iu" or kind.itemsize > 4:
        raise ValueError(f"its values are {name}, which is not offered for quantised ones")
    info = np.iinfo(kind)
    return int(info.min), int(info.max)


def _dequantize_linear(a: Attrs, x: Any, scale: Any, zero: Any = None) -> Any:
    if a.get("block_size", 0):
        raise ValueError("scales for blocks are not offered; one number, or one for each channel")
    integer_ends(x.dtype)  # refuses values that are none
    s = along(checked_scale(scale), a.get("axis", 1), x.ndim)
    z = 0 if zero is None else along(zero, a.get("axis", 1), x.ndim).astype(np.int64)
    return np.asarray((x.astype(np.int64) - z) * s, dtype=np.asarray(scale).dtype)


# Their results are numbers of a quantised model.
QUANTISED: dict[str, Callable[..., Any]] = {
    **in_domains({"Quant": _quant, "IntQuant": _quant, "BipolarQuant": _bipolar}),
    **dict.fromkeys(both("DequantizeLinear"), _dequantize_linear),
}
VALUES: dict[str, Callable[..., Any]] = {**QUANTISED, **dict.fromkeys(both("QuantizeLinear"), _quantize_linear)}
