"""QAdaptiveActivation of QKeras: a quantiser whose integer bits follow from the extremes that training saw.

A file holds moving averages of these and not the bits, which QKeras itself has from them after its first answer only; the
answers meant are those from the second one on.
"""

from __future__ import annotations

import numpy as np

from nn2hls.arith.fixed import Overflow, Rounding
from nn2hls.converters.keras.emit import Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.qkeras_activations import activation
from nn2hls.converters.lower import quantised
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.guard import shortened

# What a file has of it: the count of its training's steps, and moving averages of the extremes.
WEIGHTS = ["Variable", "ema_min", "ema_max"]
KINDS = ("quantized_bits", "quantized_relu")
_TRAINING = ("current_step", "quantization_delay", "ema_freeze_delay", "ema_decay", "per_channel", "po2_rounding")


def integer_bits(low: np.ndarray, high: np.ndarray, bits: int, *, symmetric: bool, negative: bool, nearest: bool) -> np.ndarray:
    """Integer bits that hold the extremes, or are next to them, as QKeras finds them in float32; at most as many as bits."""
    if not negative:
        low, high = np.maximum(low, 0), np.maximum(high, 0)
    whole = bits - negative

    def size(x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            log = np.log(np.abs(x)) / np.float32(np.log(2.0))
        return np.asarray((np.rint if nearest else np.ceil)(np.where(log > 0, log, 0)), np.float64)

    below, above = size(low), size(high)
    if not nearest:
        above = above + (high > 2.0**above - 2.0 ** np.minimum(above - whole, 0))
        if symmetric:
            below = below + (low < 2.0 ** np.minimum(below - whole, 0) - 2.0**below)
    return np.asarray(np.minimum(whole, np.maximum(below, above)), np.int64)


def adaptive(layer: Layer) -> Prepared:
    """The quantiser with the integer bits that hold the extremes, for all or for each channel."""
    kind = layer.value("activation")
    if kind not in KINDS:
        raise Refusal(f"its quantiser {shortened(kind)} is not offered; {' and '.join(KINDS)} are")
    layer.read.update(_TRAINING)
    slope, symmetric = layer.number("relu_neg_slope", default=0.0), layer.flag("symmetric", True)
    bits, top = layer.integer("total_bits"), layer.value("relu_upper_bound")
    own = {"symmetric": symmetric, "alpha": 1.0} if kind == KINDS[0] else {"negative_slope": slope, "relu_upper_bound": top}
    if kind == KINDS[1]:
        own["is_quantized_clip"] = False

    def lower(site: Site) -> Tensor:
        x, (low, high) = site.tensor, (np.asarray(layer.weights[name], np.float32).reshape(-1) for name in WEIGHTS[1:])
        if low.shape != high.shape or len(low) not in (1, x.shape[-1]):
            what = f"its extremes, {len(low)} smallest and {len(high)} largest, do not fit values of shape {x.shape}"
            raise Refusal(f"{what}; save the model again")
        negative, nearest = kind == KINDS[0] or slope != 0, layer.flag("po2_rounding", False)
        integer = integer_bits(low, high, bits, symmetric=symmetric, negative=negative, nearest=nearest)
        if len(np.unique(integer)) == 1:
            config = {"bits": bits, "integer": int(integer[0]), **own}
            apply = activation({"class_name": kind, "config": config}).apply
            assert apply is not None
            return apply(site, x)
        if slope or top is not None:
            raise Refusal(
                "a slope or an upper bound with bits for each channel is not offered; train it with per_channel=False"
            )
        signed = kind == KINDS[0]
        overflow = Overflow.SAT_SYM if signed and symmetric else Overflow.SAT
        whole = integer + signed
        widths, signs = np.full(whole.shape, bits), np.full(whole.shape, int(signed))
        if bits < 1:
            raise Refusal(f"it has {bits} bits; 1 to 64 are offered")
        return quantised.quantize_each(site, x, widths, whole, signs, Rounding.RND_CONV, overflow)

    return lower
