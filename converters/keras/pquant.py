"""PQuantML layers: Keras' own between casts, with weights that are pruned and quantised. PQuantML is not needed.

Their quantisers are those of HGQ2, or have a sign, a number of integer and one of fraction bits for a tensor, a channel or
a weight: each layer is written as one of HGQ2 and read as that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.keras import hgq, hgq_quantisers, hgq_tables, layers, norms, windows
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.hgq_weights import quantiser_arrays
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.pquant_weights import LANES, SUBLAYERS, inner, quantised, settings, uses, weights_of
from nn2hls.converters.lower import activations, arith
from nn2hls.converters.lower.quantised import Exact
from nn2hls.converters.lower.tables import PLAIN_ADDRESS
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.guard import shortened

# What concerns training, or is said again by the arrays.
_IDLE = """
    config layer_type enable_pruning final_compression_done enable_ebops quantize_parameters parallelization_factor
    activity_regularizer
"""
_IDLE_BITS = ("quantizer", "quant_bits", "quant_granularity")


def _as_hgq(layer: Layer, kind: str) -> Layer:
    """The layer with quantisers of what enters and leaves as HGQ2 has them; its arrays are those of ``layer`` then."""
    layer.read.update(_IDLE.split())
    layer.read.update(key for key in layer.config if key.endswith(_IDLE_BITS))
    layer.read.update(("quantize_input", "quantize_output"))
    config = {k: v for k, v in layer.config.items() if k not in ("iq_conf", "oq_conf")}
    for word, part in LANES.items():
        used = uses(layer, part)
        config |= {f"enable_{word}": used, f"{word}_conf": _conf(layer) if used else None}
    return replace(layer, kind=kind, config={**config, "activation": "linear"})


def _conf(layer: Layer) -> dict[str, Any]:
    """The quantisers of a layer's values as a config of HGQ2."""
    given = settings(layer)
    modes = {"round_mode": given.get("round_mode"), "overflow_mode": given.get("overflow_mode_data")}
    return {"class_name": "QuantizerConfig", "config": {"q_type": "kif", **modes}}


def _between(layer: Layer, kind: str, compute: Callable[[Layer, Site], Tensor]) -> Prepared:
    """What ``compute`` makes of the cast operand, cast."""
    written = _as_hgq(layer, kind)
    prepared = hgq.between(written, lambda site: compute(written, site))

    def lower(site: Site) -> Tensor:
        written.weights = layer.weights
        found = prepared(site)
        assert isinstance(found, Tensor)
        return found

    return lower


def _product(kind: str, keras: Entry) -> Entry:
    """A layer of products."""

    def entry(layer: Layer) -> Prepared:
        plain = replace(layer, kind=kind, config={**layer.config, "activation": "linear"})
        prepared = keras(plain)

        def compute(_: Layer, site: Site) -> Tensor:
            plain.weights = quantised(layer)
            found = prepared(replace(site, exact=True))
            assert isinstance(found, Tensor)
            return found

        return _between(layer, kind, compute)

    return entry


def _pool(kind: str) -> Entry:
    """A mean over windows."""

    def entry(layer: Layer) -> Prepared:
        prepared = windows.LAYERS[kind](replace(layer, kind=kind))
        layer.read.update(("pool_size", "strides", "padding", "data_format"))
        return _between(layer, kind, lambda _, site: prepared(site))  # type: ignore[arg-type, return-value]

    return entry


def batch_norm(layer: Layer) -> Prepared:
    """A normalisation by running statistics, factor and offset quantised before they meet these."""
    plain = replace(layer, kind="BatchNormalization")
    prepared = norms.batch_norm(plain)

    def compute(_: Layer, site: Site) -> Tensor:
        own = {name: layer.weights[name] for name in ("moving_mean", "moving_variance")}
        plain.weights = {**own, **quantised(layer)}
        found = prepared(site)
        assert isinstance(found, Tensor)
        return found

    return _between(layer, "BatchNormalization", compute)


FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "relu": lambda site, x: activations.function(site, x, "relu"),
    "tanh": lambda site, x: activations.function(site, x, "tanh"),
    "hard_tanh": lambda site, x: activations.clip(site, x, -1.0, 1.0),
}


def _searching(layer: Layer) -> bool:
    given = layer.value("config")
    found = given.get("fitcompress_parameters") if isinstance(given, dict) else None
    return isinstance(found, dict) and bool(found.get("enable_fitcompress"))


def activation(layer: Layer) -> Prepared:
    """A function between casts, before them a factor of a power of two that training chose for a ReLU."""
    word, given = layer.value("activation"), settings(layer)
    if not isinstance(word, str) or word not in FUNCTIONS:
        raise Refusal(f"its activation {shortened(word)} is not offered; {', '.join(FUNCTIONS)} are")
    if word == "relu" and _searching(layer):
        raise Refusal(
            "its FITcompress, which casts nothing while it searches, leaves no word of when that was over; set it off"
        )
    written = _as_hgq(layer, "Activation")
    confs = [hgq_quantisers.read(written.value(f"{lane}_conf")) for lane in LANES]
    between = _between(layer, "Activation", lambda _, site: FUNCTIONS[word](site, site.tensor))

    def prepared(site: Site) -> Tensor | Sequence[Tensor]:
        """A tanh between two casts, of few bits, is a table of its words."""
        before, behind = confs
        if word != "tanh" or before is None or behind is None:
            return between(site)
        written.weights = layer.weights
        if before.bits(quantiser_arrays(written, "iq")).hull.width > PLAIN_ADDRESS:
            return between(site)
        return hgq_tables.tabled(written, "", np.tanh, before, behind)(site, site.tensor)

    scaled = word == "relu" and given.get("use_relu_multiplier") and not given.get("use_high_granularity_quantization")

    def lower(site: Site) -> Tensor:
        power = float(np.rint(layer.weights["multiplier"].reshape(-1)[0])) if scaled else 0.0
        if abs(power) > 64:
            raise Refusal(f"its multiplier 2^{power:g} is out of reach; train it again")
        if power:
            x = arith.scale(Exact(site.step("multiplier")), site.tensor, 2.0**power)
            site = replace(site, operands=(x,))
        found = prepared(site)
        assert isinstance(found, Tensor)
        return found

    return lower


def softmax(layer: Layer) -> Prepared:
    """Two functions by table, as HGQ2's QSoftmax has them."""
    layer.read.update((*_IDLE.split(), "axis", "stable", "input_scaler", "quantize_input", "quantize_output"))
    layer.read.update(key for key in layer.config if key.endswith(_IDLE_BITS))
    confs = {f"{table}_{word}_conf": _conf(layer) for table in ("exp", "inv") for word in LANES}
    lanes = {f"{word}_conf": _conf(layer) for word in LANES}
    flags = {f"enable_{word}": uses(layer, part) for word, part in LANES.items()}
    kept = {"stable": layer.value("stable"), "input_scaler": layer.value("input_scaler"), "axes": layer.value("axis")}
    written = replace(layer, kind="QSoftmax", config={**confs, **lanes, **flags, **kept})
    if not settings(layer).get("enable_quantization", True):
        raise Refusal("its tables are not quantised; use Softmax")
    compute = hgq_tables.softmax(written)

    def lower(site: Site) -> Tensor:
        written.weights = layer.weights
        return compute(site)

    return lower


def separable(layer: Layer) -> Prepared:
    """A depthwise convolution, then one of single positions."""
    layer.read.update(layer.config)
    first, second = (inner(layer, name) for name in SUBLAYERS)
    steps = [LAYERS[part.kind](part) for part in (first, second)]

    def lower(site: Site) -> Tensor:
        for part in (first, second):
            part.weights = weights_of(layer, part.name)
        found = steps[0](site.at("depthwise", site.tensor))
        assert isinstance(found, Tensor)
        result = steps[1](replace(site, operands=(found,), keywords=("",)))
        assert isinstance(result, Tensor)
        return result

    return lower


LAYERS: Mapping[str, Entry] = {
    "PQDense": _product("Dense", layers.dense),
    "PQConv1d": _product("Conv1D", windows.LAYERS["Conv1D"]),
    "PQConv2d": _product("Conv2D", windows.LAYERS["Conv2D"]),
    "PQDepthwiseConv2d": _product("DepthwiseConv2D", windows.LAYERS["DepthwiseConv2D"]),
    "PQSeparableConv2d": separable,
    "PQAvgPool1d": _pool("AveragePooling1D"),
    "PQAvgPool2d": _pool("AveragePooling2D"),
    "PQBatchNormalization": batch_norm,
    "PQActivation": activation,
    "PQSoftmax": softmax,
}
