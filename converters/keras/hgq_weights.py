"""Which arrays the layers of HGQ2 own, those of their quantisers among them, and where a ``.keras`` file has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nn2hls.converters.keras.h5 import Arrays, Weights
from nn2hls.converters.keras.hgq_inner import inside
from nn2hls.converters.keras.hgq_quantisers import read
from nn2hls.converters.keras.model import Layer
from nn2hls.errors import ModelError

SAVE = "Save the model with model.save('model.keras'), which keeps the arrays of quantisers apart."


def _biased(layer: Layer) -> list[str]:
    return ["kernel", *(["bias"] if layer.flag("use_bias", True) else [])]


def _by_equation(layer: Layer) -> list[str]:
    return ["kernel", *([] if layer.value("bias_axes") is None else ["bias"])]


def _normed(layer: Layer) -> list[str]:
    return [name for name, key in (("gamma", "scale"), ("beta", "center")) if layer.flag(key, True)]


def _table_norm(layer: Layer) -> list[str]:
    if not layer.flag("batch_norm", False):
        return []
    return [*(name for name, key in (("gamma", "bn_scale"), ("beta", "bn_center")) if layer.flag(key, True)), *_COUNTS]


def _recurrent(layer: Layer) -> list[str]:
    return ["kernel", "recurrent_kernel", *_biased(layer)[1:]]


PARTS = ("iq", "kq", "bq", "oq", "toq", "sq", "rkq", "paq", "praq", "rhq")  # what a layer has quantisers of
BY_CELL = ("QSimpleRNN", "QGRU")  # all of theirs is in what they do at a step
_COUNTS = ["moving_mean", "moving_variance"]
# By class the arrays that are trained, and the others behind what counts bits.
_OWN: Mapping[str, Callable[[Layer], tuple[list[str], list[str]]]] = {
    "QDense": lambda layer: (_biased(layer), []),
    "QBatchNormDense": lambda layer: ([*_biased(layer), *_normed(layer)[:1]], _COUNTS),
    **dict.fromkeys(("QConv1D", "QConv2D", "QConv3D"), lambda layer: (_biased(layer), [])),
    **dict.fromkeys(("QEinsumDense", "EinsumDense"), lambda layer: (_by_equation(layer), [])),
    "QEinsumDenseT": lambda layer: (_table_norm(layer), []),
    "BatchNormalization": lambda layer: ([*_normed(layer), *_COUNTS], []),
    **dict.fromkeys(("QSimpleRNNCell", "QGRUCell"), lambda layer: (_recurrent(layer), [])),
    "QEinsumDenseBatchnorm": lambda layer: ([*_by_equation(layer), *(["gamma"] if layer.flag("scale", True) else [])], _COUNTS),
    "QAffinedUnaryFunctionLUT": lambda layer: (["scale", "bias"], []),
}


def own(layer: Layer) -> list[str]:
    """The names of a layer's arrays in a file, without those of its quantisers."""
    counts = ["beta0", "ebops"] if layer.value("enable_ebops", default=False) else []
    if layer.kind == "QBatchNormalization":
        return [*_normed(layer), *_COUNTS, *counts]
    trained, others = _OWN[layer.kind](layer) if layer.kind in _OWN else ([], [])
    return [*trained, *counts, *others]


def parts(layer: Layer) -> Iterator[tuple[str, Any]]:
    """The folder of each quantiser, and its config."""
    config = layer.config
    if layer.kind in BY_CELL:
        return
    for word in PARTS:
        if config.get(f"{word}_conf") is not None:
            yield word, config[f"{word}_conf"]
    for k, conf in enumerate(config.get("iq_confs") or ()):
        yield "iq/quantizers/quantizer" + (f"_{k}" if k else ""), conf
    for table in ("exp", "inv"):
        for word in ("iq", "oq"):
            if config.get(f"{table}_{word}_conf") is not None:
                yield f"{table}_table/{word}", config[f"{table}_{word}_conf"]
    if layer.kind == "Quantizer":
        yield "", config.get("config")


def of(layer: Layer, key: str, weights: Weights) -> dict[str, np.ndarray]:
    """The arrays by name; those of a quantiser are ``iq/k``, ``exp_table/oq/b`` ...

    Raises:
        ModelError: Some are missing, or there are others.
    """
    found = _named(layer, own(layer), weights.groups.get(key, ()), weights)
    places = _places(key, weights)
    for folder, inner in inside(layer, places.__contains__).items():
        found |= {f"{folder}/{name}": a for name, a in of(inner, places.get(folder, f"{key}/{folder}"), weights).items()}
    for part in PARTS:
        if layer.config.get(f"{part}_conf") is None and weights.groups.get(f"{key}/{part}/quantizer"):
            what = f"Its config has no '{part}_conf', and the file holds arrays of that quantiser."
            raise ModelError(what, where=f"{weights.where}: {layer.where}", fix=SAVE)
    for part, config in parts(layer):
        quantiser = read(config)
        if quantiser is not None:
            folder = "/".join(filter(None, (key, part, "quantizer")))
            arrays = _named(layer, quantiser.order, weights.groups.get(folder, ()), weights, part)
            found |= {f"{part}/{name}": array for name, array in arrays.items() if name in quantiser.names}
    return found


def _places(key: str, weights: Weights) -> dict[str, str]:
    """The folders in that of a layer and where a file has them: attributes may begin with an underscore."""
    found = {}
    for name in weights.groups:
        if name.startswith(f"{key}/"):
            parts = name.removeprefix(f"{key}/").split("/")
            for depth in range(1, len(parts) + 1):
                found["/".join(p.lstrip("_") for p in parts[:depth])] = "/".join((key, *parts[:depth]))
    return found


def quantiser_arrays(layer: Layer, part: str) -> dict[str, np.ndarray]:
    """The arrays of one quantiser."""
    names = {name: name.removeprefix(f"{part}/") for name in layer.weights if name.startswith(f"{part}/")}
    return {bare: layer.weights[name] for name, bare in names.items() if "/" not in bare}


def _named(layer: Layer, names: list[str], arrays: Arrays, weights: Weights, part: str = "") -> dict[str, np.ndarray]:
    if len(names) != len(arrays):
        whose = f"The quantiser {part} of a {layer.kind}" if part else f"A {layer.kind}"
        what = f"{whose} has the weights {', '.join(names) or 'none'}; the file holds {len(arrays)} arrays for it."
        raise ModelError(what, where=f"{weights.where}: {layer.where}", fix=SAVE)
    return {name: array for name, (_, array) in zip(names, arrays, strict=True)}
