"""HGQ 1: proxy models, as ``HGQ.proxy.to_proxy_model`` makes them of trained ones: layers of Keras with casts between them.

Their kernels and biases are those that training quantised, so sums of products have them to the last bit. What a cast's
``overrides`` tell hls4ml of types and of parallel hardware changes no answer of the model and is not used.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import quantised
from nn2hls.converters.lower.tables import MAX_ADDRESS
from nn2hls.converters.lower.value import Refusal, Tensor, plain
from nn2hls.guard import shortened

WEIGHTS = {"FixedPointQuantizer": ["keep_negative", "bits", "integers"], "UnaryLUT": ["table"]}
REFUSED = "a layer of HGQ 1 in training; trace its ranges and save the model that HGQ.proxy.to_proxy_model makes of it"


def _mode(layer: Layer, key: str, modes: type[Enum]) -> Enum:
    word, known = layer.value(key), [mode.name for mode in modes]
    if word not in known:
        raise Refusal(f"'{key}' = {shortened(word)} of its quantiser is not offered; {', '.join(known)} are")
    return modes[word]


def quantizer(layer: Layer) -> Prepared:
    """A cast: bits and integer bits with the sign, and whether there is one, for each element, each channel or all."""
    rounding, overflow = _mode(layer, "RND", Rounding), _mode(layer, "SAT", Overflow)
    layer.read.update(("shape", "overrides", "fusible"))
    assert isinstance(rounding, Rounding)
    assert isinstance(overflow, Overflow)

    def lower(site: Site) -> Tensor:
        x = site.tensor
        signed, bits, integers = (_spread(layer.weights[name], x) for name in WEIGHTS["FixedPointQuantizer"])
        if not np.isin(signed, (0, 1)).all() or bits.min(initial=0) < 0:
            raise Refusal("its quantiser was left undefined: signs other than 0 and 1, or bits below zero; trace its ranges")
        integers, signed = np.where(bits > 0, integers, 0), np.where(bits > 0, signed, 0)
        return quantised.quantize_each(site, x, bits, integers, signed, rounding, overflow)

    return lower


def _spread(array: np.ndarray, x: Tensor) -> np.ndarray:
    """An array that broadcasts to x with the batch, without the batch."""
    full = (1, *plain(x))
    try:
        fits = np.broadcast_shapes(array.shape, full) == full
    except ValueError:
        fits = False
    if not fits:
        raise Refusal(f"its quantiser has bits of shape {array.shape} for values of shape {x.shape}")
    return np.asarray(np.rint(array[0] if array.ndim == len(full) else array), np.int64)


def table(layer: Layer) -> Prepared:
    """A function by table: the word at round(x * 2^f), counted round its end."""
    k, i, f = _bits(layer)
    layer.read.add("kif_out")
    kind = FixedType(k + i + f, k + i, bool(k), Rounding.RND_CONV, Overflow.WRAP)

    def lower(site: Site) -> Tensor:
        words = layer.weights["table"]
        if words.shape != (1 << kind.width,):
            raise Refusal(f"its table of shape {words.shape} has no word for each value of {kind.width} bits")
        ordered = np.roll(words, len(words) // 2) if k else words
        which = np.zeros((1,) * len(plain(site.tensor)), dtype=np.int64)
        return quantised.table(site, site.tensor, kind, ordered[None], which)

    return lower


def _bits(layer: Layer) -> tuple[int, int, int]:
    found = layer.integers("kif_in")
    if (
        len(found) != 3
        or found[0] not in (0, 1)
        or not 0 < sum(found) <= MAX_ADDRESS
        or max(map(abs, found)) > quantised.MAX_WIDTH
    ):
        raise Refusal(f"'kif_in' = {list(found)[:4]} of its table is not a sign and up to {MAX_ADDRESS} bits")
    return found[0], found[1], found[2]


LAYERS: dict[str, Entry] = {"FixedPointQuantizer": quantizer, "UnaryLUT": table}
