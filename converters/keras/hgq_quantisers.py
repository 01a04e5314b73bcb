"""What an HGQ2 file says of a quantiser: modes in its config; sign, integer and fraction bits in its arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn2hls.arith.fixed import Overflow, Rounding
from nn2hls.converters.lower import arith, float32, quantised, tables
from nn2hls.converters.lower.tables import Types
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.guard import shortened

_KINDS = {"kif": ("k", "i", "f"), "kbi": ("k", "b", "i")}
# What concerns training, or says again what the arrays' shapes say.
_IDLE = """
    place qnoise_factor i0 f0 b0 k0 ic ir fc fr bc br i_decay_speed homogeneous_axis heterogeneous_axis trainable name dtype
"""
_READ = frozenset((*_IDLE.split(), "q_type", "scaler", "affine", "round_mode", "overflow_mode", "bw_mapper", "is_weight"))
_ROUNDINGS = {mode.name: mode for mode in Rounding} | {f"S_{name}": Rounding[name] for name in ("RND", "RND_CONV")}
_OVERFLOWS = {name: Overflow[name] for name in ("WRAP", "SAT", "SAT_SYM")}
# Classes of configs that leave out what they always have.
_FIXED: Mapping[str, Mapping[str, Any]] = {
    "QuantizerConfig": {},
    "HardTanhConfig": {"overflow_mode": "SAT"},
    "HardSigmoidConfig": {"overflow_mode": "SAT", "affine": [0.25, 0.5]},
}


@dataclass(frozen=True)
class Quantiser:
    """A quantiser's config.

    Args:
        names: Of its three arrays of bits: k, i, f or k, b, i.
        rounding, overflow: The modes.
        never_wraps: It quantises weights, which under WRAP are rounded and no more.
        affine: Factor and offset behind the cast.
    """

    names: tuple[str, ...]
    rounding: Rounding
    overflow: Overflow
    never_wraps: bool
    affine: tuple[float, float] | None

    @property
    def order(self) -> list[str]:
        """The arrays as files have them: those that are trained, then all others, each in the order of their making."""
        wraps = self.overflow is Overflow.WRAP
        trained = [name for name in self.names if name != "k" and not (name == "i" and wraps)]
        return [*trained, *(name for name in self.names if name not in trained), *(["i_decay_speed"] if wraps else [])]

    def bits(self, arrays: Mapping[str, np.ndarray]) -> Types:
        """The bits of each element, rounded as the package rounds them."""
        if len({arrays[name].shape for name in self.names}) > 1:
            raise Refusal(f"its quantiser has bits of shapes {', '.join(str(arrays[name].shape) for name in self.names)}")
        k, *_ = (np.rint(arrays[name]).astype(np.int64) for name in self.names)
        i = np.rint(arrays["i"]).astype(np.int64)
        f = np.rint(arrays["b"]).astype(np.int64) - i if "b" in self.names else np.rint(arrays["f"]).astype(np.int64)
        if not np.isin(k, (0, 1)).all():
            raise Refusal("its quantiser has signs other than 0 and 1")
        if max(np.abs(i).max(initial=0), np.abs(f).max(initial=0)) > quantised.MAX_WIDTH:
            raise Refusal(f"its quantiser was left undefined, or has more than {quantised.MAX_WIDTH} bits; trace its ranges")
        return Types(k, i, f, self.rounding, self.overflow)


def read(value: Any) -> Quantiser | None:
    """A quantiser from the form in which Keras writes its config; None where a layer has none, or one that does nothing.

    Raises:
        Refusal: It is no quantiser to fixed point, or has an option that is not understood.
    """
    if value is None:
        return None
    kind = str(value.get("class_name")) if isinstance(value, dict) else ""
    given = value.get("config") if isinstance(value, dict) else None
    if kind not in _FIXED or not isinstance(given, dict):
        raise Refusal(f"its quantiser {shortened(value)} is not understood; {', '.join(_FIXED)} are")
    given = {**given, **_FIXED[kind]}
    for key in given.keys() - _READ:
        raise Refusal(f"its quantiser has an option {shortened(key)} = {shortened(given[key])} that is not understood")
    word = str(given.get("q_type"))
    if word == "dummy":
        return None
    if word not in _KINDS:
        raise Refusal(f"its quantiser is of the type {shortened(word)}; {' and '.join(_KINDS)} are offered")
    if given.get("scaler") not in (None, 1, 1.0):
        raise Refusal("its quantiser has a 'scaler', which is not offered; train without one")
    _check_mapper(given.get("bw_mapper"))
    rounding, overflow = _mode(given, "round_mode", _ROUNDINGS), _mode(given, "overflow_mode", _OVERFLOWS)
    rounds_alone = word == "kif" or rounding is Rounding.RND
    for key in ("is_weight", "trainable"):
        if not isinstance(given.get(key, True), bool):
            raise Refusal(f"'{key}' = {shortened(given[key])} of its quantiser must be true or false")
    never = given.get("is_weight", False) and given.get("trainable", True) and overflow is Overflow.WRAP and rounds_alone
    return Quantiser(_KINDS[word], rounding, overflow, never, _affine(given.get("affine")))


def _mode(given: Mapping[str, Any], key: str, known: Mapping[str, Any]) -> Any:
    word = str(given.get(key)).upper()
    if word not in known:
        raise Refusal(f"'{key}' = {shortened(word)} of its quantiser is not offered; {', '.join(known)} are")
    return known[word]


def _check_mapper(value: Any) -> None:
    if value is not None and not (isinstance(value, dict) and value.get("class_name") == "DefaultBitwidthMapper"):
        raise Refusal("its quantiser has a 'bw_mapper' of its own, whose code is never run from a file")


def _affine(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 2 or not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers):
        raise Refusal(f"'affine' = {shortened(value)} of its quantiser must be two finite numbers")
    return float(numbers[0]), float(numbers[1])


def cast(quantiser: Quantiser | None, arrays: Mapping[str, np.ndarray]) -> Callable[[Site, Tensor], Tensor] | None:
    """What a quantiser makes of values of the network; None where it does nothing."""
    if quantiser is None:
        return None
    bits = quantiser.bits(arrays)
    if quantiser.never_wraps:
        raise Refusal("its quantiser is made for weights and wraps; give values of the network one of the place 'datalane'")

    def apply(site: Site, x: Tensor) -> Tensor:
        alike = not bits.k.ndim  # one type for all
        if not alike and (bits.k.ndim != len(x.shape) + 1 or bits.k.shape[0] != 1 or not x.is_plain):
            raise Refusal(f"its quantiser has bits of shape {bits.k.shape} for values of shape {x.shape}")
        at = site if quantiser.affine is None else site.step("cast")
        own = bits if alike else replace(bits, k=bits.k[0], i=bits.i[0], f=bits.f[0])
        result = tables.cast(at, x, own)
        if quantiser.affine is None:
            return result
        return arith.scale(quantised.Exact(site), result, *quantiser.affine)

    return apply


def constants(quantiser: Quantiser | None, arrays: Mapping[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Weights as the package computes with them, in float32."""
    x = np.asarray(values, np.float32)
    if quantiser is None:
        return x.astype(np.float64)
    bits = quantiser.bits(arrays)
    try:
        x = float32.cast(x, bits.k, bits.i, bits.f, bits.rounding, bits.overflow, only_rounds=quantiser.never_wraps)
    except ValueError:
        raise Refusal(f"its quantiser has bits of shape {bits.k.shape} for weights of shape {x.shape}") from None
    if quantiser.affine is not None:
        x = x * np.float32(quantiser.affine[0]) + np.float32(quantiser.affine[1])
    return np.asarray(x, np.float64)
