"""QKeras' quantisers as activations: casts where they are casts, levels between thresholds where they are few values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.converters.keras.emit import Activation
from nn2hls.converters.keras.qkeras_options import Quantiser, read
from nn2hls.converters.keras.qkeras_weights import EPSILON, power_ends
from nn2hls.converters.lower import activations as lower
from nn2hls.converters.lower import arith, quantised
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.guard import shortened

ABOVE_ZERO = math.ulp(0.0)
# A function of one tensor, applied at a site or at a step on the way.
Apply = Callable[[Site, Tensor], Tensor]


def activation(value: Any) -> Activation:
    """The function of a quantiser in a config.

    Raises:
        Refusal: It is not offered for values, or has options that are not.
    """
    quantiser = read(value)
    if quantiser is None or quantiser.kind not in _ACTIVATIONS:
        raise Refusal(f"quantiser {shortened(repr(value))} is not offered for activations; {', '.join(_ACTIVATIONS)} are")
    if quantiser.options.get("qnoise_factor", 1.0) != 1.0:
        raise Refusal("its quantiser has a 'qnoise_factor' other than 1: it was still fading in; train it to the end")
    return Activation(quantiser.kind, _ACTIVATIONS[quantiser.kind](quantiser))


def _scaled(q: Quantiser, apply: Apply) -> Apply:
    """The function times alpha, a number or one for each channel."""
    alpha = q.alpha()
    if isinstance(alpha, str):
        raise Refusal(f"an 'alpha' of '{alpha}' follows each batch, which no design can; give the activation a number")
    if np.all(alpha == 1):
        return apply
    factor = np.asarray(alpha, np.float64)
    return lambda site, x: arith.scale(quantised.Exact(site), apply(site.step("levels"), x), factor)


def _cast(kind: FixedType) -> Apply:
    return lambda site, x: quantised.quantize(site, x, kind)


def _levels(thresholds: list[float], values: list[float]) -> Apply:
    return lambda site, x: quantised.levels(site, x, thresholds, values)


def _kind(bits: int, integer: int, *, signed: bool, symmetric: bool = False) -> FixedType:
    """``integer`` bits beside the sign; rounded half to even, saturating."""
    return quantised.integer_type(bits, 2.0 ** (integer + signed - bits), signed=signed, narrow=symmetric)


def _bits(q: Quantiser) -> Apply:
    negative = q.flag("keep_negative")
    if q.bits == 1 and negative:
        return _scaled(q, _levels([0.0], [-1.0, 1.0]))
    if q.bits == 1 and q.integer("integer") > 200:
        raise Refusal("its integer bits are out of reach; take up to 200")
    return _scaled(q, _cast(_kind(q.bits, q.integer("integer"), signed=negative, symmetric=q.flag("symmetric"))))


def _relu(q: Quantiser) -> Apply:
    """Positive values as a type without sign; with a slope one with it, whose negative end is the slope's."""
    if q.flag("use_sigmoid"):
        raise Refusal(
            "'use_sigmoid' of its quantized_relu is not offered; train with quantized_relu alone or quantized_sigmoid"
        )
    slope, integer = q.number("negative_slope"), q.integer("integer")
    top = q.options["relu_upper_bound"] if not q.flag("is_quantized_clip") else None
    end = q.number("relu_upper_bound") if top else math.inf
    if not slope:
        return _clipped(_cast(_kind(q.bits, integer, signed=False)), -math.inf, end)
    if math.frexp(slope)[0] != 0.5 or slope < 0 or slope * 2 ** (q.bits - 1) < 1:
        raise Refusal(f"a 'negative_slope' of {slope:g} of its quantized_relu is not offered; powers of two down to a step are")
    cast = _clipped(_cast(_kind(q.bits, integer, signed=True)), -slope * 2.0**integer, end)
    return lambda site, x: cast(site, lower.leaky_relu(site.step("slope"), x, slope))


def _clipped(apply: Apply, low: float, high: float) -> Apply:
    """The function within two ends."""
    if (low, high) == (-math.inf, math.inf):
        return apply
    return lambda site, x: lower.clip(site, apply(site.step("cast"), x), low, high)


def _after(name: str, table: Apply, hard: Apply, kind: FixedType, low: float = -math.inf) -> Callable[[bool], Apply]:
    """A cast of a function, the real one or its line, at the steps ``name`` on the way."""
    cast = _clipped(_cast(kind), low, math.inf)

    def chosen(real: bool) -> Apply:
        inner = table if real else hard
        return lambda site, x: cast(site, inner(site.step(name), x))

    return chosen


def _tanh(q: Quantiser) -> Apply:
    """The hard one is x within -1 and 1, which the cast's ends are, or lie within."""
    kind = _kind(q.bits, 0, signed=True, symmetric=q.flag("symmetric"))
    if q.bits < 2:
        raise Refusal("its quantized_tanh of one bit is not offered; binary_tanh is")
    if not q.flag("use_real_tanh"):
        return _cast(kind)
    return _after("tanh", lambda site, x: lower.function(site, x, "tanh"), _cast(kind), kind)(True)


def _sigmoid(q: Quantiser) -> Apply:
    kind = _kind(q.bits, 0, signed=False)
    low = 2.0**-q.bits if q.flag("symmetric") else -math.inf
    real, hard = (lambda site, x: lower.function(site, x, "sigmoid")), _line(0.5)
    return _after("sigmoid", real, hard, kind, low)(q.flag("use_real_sigmoid"))


def _line(slope: float) -> Apply:
    return lambda site, x: lower.hard_sigmoid(site, x, slope, 0.5)


def _binary(q: Quantiser) -> Apply:
    return _scaled(q, _levels([0.0], [0.0 if q.kind == "binary" and q.flag("use_01") else -1.0, 1.0]))


def _ternary(q: Quantiser) -> Apply:
    """Zero within the threshold; on it the value counts as beyond."""
    t = float(np.float32(0.33 if q.options["threshold"] is None else q.number("threshold")))
    if t <= 0:
        raise Refusal(f"a threshold of {t:g} of its {q.kind} is not offered; it must be above zero")
    return _scaled(q, _levels([math.nextafter(-t, math.inf), t], [-1.0, 0.0, 1.0]))


def _po2(q: Quantiser) -> Apply:
    """A level for each power of two, between thresholds where the logarithm rounds to the next."""
    steps, powers = _exponents(q)
    if q.kind == "quantized_relu_po2":
        if q.number("negative_slope"):
            raise Refusal("a 'negative_slope' of quantized_relu_po2 is not offered for activations")
        return _levels(steps, powers)
    below = [math.nextafter(-t, math.inf) for t in reversed(steps)]
    return _levels([*below, 0.0, *steps], [-v for v in reversed(powers)] + powers)


def _exponents(q: Quantiser) -> tuple[list[float], list[float]]:
    """Thresholds of magnitudes and the powers between them; those that float32 or the largest value never reach left out."""
    if q.flag("quadratic_approximation"):
        raise Refusal("'quadratic_approximation' is offered for weights only; leave it out of activations")
    low, high = power_ends(q)
    top = math.inf if q.options["max_value"] is None else q.number("max_value")
    half = 0.0 if q.options["log2_rounding"] == "floor" else 0.5
    steps, powers = [], [2.0**low if low > -150 else 0.0]
    if q.options["log2_rounding"] not in ("rnd", "floor"):
        raise Refusal(f"'log2_rounding' = {q.options['log2_rounding']!r:.20} is not understood")
    for k in range(low + 1, high + 1):
        start = max(2.0 ** (k - half), float(EPSILON)) if -150 < k < 128 else math.inf
        if start <= top and start < math.inf and 2.0 ** (k + 1 - half) > float(EPSILON):
            steps.append(start)
            powers.append(2.0**k)
    return steps, powers


_ACTIVATIONS: Mapping[str, Callable[[Quantiser], Apply]] = {
    "quantized_bits": _bits,
    "quantized_relu": _relu,
    "quantized_tanh": _tanh,
    "quantized_sigmoid": _sigmoid,
    "quantized_po2": _po2,
    "quantized_relu_po2": _po2,
    "binary": _binary,
    "stochastic_binary": _binary,
    "ternary": _ternary,
    "stochastic_ternary": _ternary,
    "hard_sigmoid": lambda q: _line(0.5),
    "smooth_sigmoid": lambda q: _line(0.1875),
    "hard_tanh": lambda q: lambda site, x: lower.clip(site, x, -1.0, 1.0),
    "binary_sigmoid": lambda q: _levels([ABOVE_ZERO], [0.0, 1.0]),
    "binary_tanh": lambda q: _levels([ABOVE_ZERO], [-1.0, 1.0]),
}
