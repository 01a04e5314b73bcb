"""What a PQuantML file says of a layer beside its config: weights, masks of pruning, bits of quantisers, and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nn2hls.converters.keras import hgq_quantisers
from nn2hls.converters.keras.h5 import Weights
from nn2hls.converters.keras.hgq_quantisers import Quantiser
from nn2hls.converters.keras.hgq_weights import SAVE
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower.value import Refusal
from nn2hls.errors import ModelError
from nn2hls.guard import shortened

INPUT, OUTPUT = "input_quantizer", "output_quantizer"
LANES = {"iq": INPUT, "oq": OUTPUT}
SUBLAYERS = ("depthwise_conv", "pointwise_conv")
PROJECTIONS, SOFTMAX = ("q_proj", "k_proj", "v_proj", "out_proj"), "softmax"
_INNER = {"PQSeparableConv2d": SUBLAYERS, "PQMultiheadAttention": (*PROJECTIONS, SOFTMAX)}
TABLES = ("exp_table", "inv_table")
# The axes of a kernel in the order of PyTorch, in which masks are.
_TURNED = {"PQDense": (1, 0), "PQConv1d": (2, 1, 0), "PQConv2d": (3, 2, 0, 1), "PQDepthwiseConv2d": (2, 3, 0, 1)}
# Which of the arrays of a pruning method is its mask.
_MASKS = {"pdp": 0, "wanda": 0, "activation_pruning": 0, "autosparse": 1, "dst": 1, "cs": 2}
_ALWAYS = ("wanda", "activation_pruning")  # whose masks hold while they are still trained
_BARE = ("autosparse", "activation_pruning")  # which prune nothing before that
_BY_SIZE = "mdmm"  # which leaves what is larger than a number once its training is over, and all before that
_FLAGS = ["is_pretraining", "is_finetuning"]
FINISH = "call pquant.apply_final_compression(model) before it is saved"


def settings(layer: Layer) -> Mapping[str, Any]:
    """What the model's settings say of quantisers."""
    return _section(layer, "quantization_parameters")


def _section(layer: Layer, name: str) -> Mapping[str, Any]:
    given = layer.value("config")
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, dict):
        raise Refusal(f"its config holds no '{name}', as those of PQuantML do; save the model again")
    return found


def _granular(layer: Layer) -> bool:
    """Whether its quantisers are those of HGQ2."""
    return bool(settings(layer).get("use_high_granularity_quantization"))


def uses(layer: Layer, part: str) -> bool:
    """Whether what enters, or what leaves, is cast."""
    word = {INPUT: "quantize_input", OUTPUT: "quantize_output"}[part]
    return bool(settings(layer).get("enable_quantization", True)) and layer.flag(word, part == INPUT)


def _quantiser(layer: Layer, *, weights: bool, kernel: bool = False) -> Quantiser:
    """``weights``: of what is trained, not of values; ``kernel``: which HGQ2 never wraps, as it does biases."""
    given = settings(layer)
    word = "overflow_mode_parameters" if weights else "overflow_mode_data"
    modes = {"round_mode": given.get("round_mode"), "overflow_mode": given.get(word)}
    own = {"q_type": "kif", "is_weight": kernel and _granular(layer), **modes}
    found = hgq_quantisers.read({"class_name": "QuantizerConfig", "config": own})
    assert found is not None
    return found


def inner(layer: Layer, name: str) -> Layer:
    """One of the two convolutions of a separable one, of the projections of attention, or its softmax."""
    if layer.kind == "PQMultiheadAttention":
        return _attending(layer, name)
    first = name == SUBLAYERS[0]
    keys = ["config", "data_format", "final_compression_done", "enable_pruning"]
    own: dict[str, Any] = {key: layer.config[key] for key in keys if key in layer.config}
    if first:
        own |= {key: layer.value(key) for key in ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")}
        own |= {"use_bias": False, "quantize_input": layer.value("quantize_input"), "quantize_output": False}
    else:
        own |= {"filters": layer.value("filters"), "kernel_size": [1, 1], "padding": "same"}
        own |= {"use_bias": layer.value("use_bias"), "quantize_input": False}
        own["quantize_output"] = layer.value("quantize_output")
    return replace(layer, name=name, kind="PQDepthwiseConv2d" if first else "PQConv2d", config=own, weights={})


def _attending(layer: Layer, name: str) -> Layer:
    own: dict[str, Any] = {"config": layer.value("config")}
    if name == SOFTMAX:
        own |= {"axis": [-1], "stable": True, "input_scaler": 1.0, "quantize_input": True, "quantize_output": True}
        return replace(layer, name=name, kind="PQSoftmax", config=own, weights={})
    own |= {"units": layer.value("embed_dim"), "use_bias": layer.flag("bias", True), "quantize_input": True}
    own |= {"quantize_output": True, "final_compression_done": layer.flag("final_compression_done", False)}
    if name == PROJECTIONS[-1]:
        own["quantize_output"] = layer.flag("quantize_output", False)
    else:  # which are never pruned
        own |= {"quantize_input": layer.flag("quantize_input", True), "enable_pruning": False}
    return replace(layer, name=name, kind="PQDense", config=own, weights={})


def weights_of(layer: Layer, name: str) -> dict[str, np.ndarray]:
    """The arrays of a layer inside."""
    start = f"{name}/"
    return {k.removeprefix(start): a for k, a in layer.weights.items() if k.startswith(start)}


def _biased(layer: Layer) -> list[str]:
    return ["kernel", *(["bias"] if layer.flag("use_bias", True) else []), *_FLAGS]


def _twice(layer: Layer) -> list[str]:
    """Keras makes a kernel and a bias that the layer replaces by others of its own."""
    own = _biased(layer)[: -len(_FLAGS)]
    return [*(f"unused_{name}" for name in own), *own, *_FLAGS]


def _normed(layer: Layer) -> list[str]:
    own = [name for name, key in (("gamma", "scale"), ("beta", "center")) if layer.flag(key, True)]
    return [*own, "moving_mean", "moving_variance", _FLAGS[0]]


def _function(layer: Layer) -> list[str]:
    return ["multiplier"] if settings(layer).get("use_relu_multiplier") else []


_OWN: Mapping[str, Callable[[Layer], list[str]]] = {
    **dict.fromkeys(_TURNED, _biased),
    "PQDepthwiseConv2d": _twice,
    "PQBatchNormalization": _normed,
    "PQActivation": _function,
    **dict.fromkeys(("PQAvgPool1d", "PQAvgPool2d"), lambda layer: _FLAGS[:1]),
}


def _lanes(layer: Layer) -> Iterator[tuple[str, str, bool]]:
    """The folder of each quantiser that is used, the name of its arrays here, and whether it is one of weights."""
    for word, part in LANES.items():
        if uses(layer, part):
            yield part, word, False
    if layer.kind == "PQSoftmax":
        for table in TABLES:
            for word, part in LANES.items():
                if (table, word) != (TABLES[0], "iq") or layer.flag("stable", True):
                    yield f"{table}/{part}", f"{table}/{word}", False
    if (layer.kind in _TURNED or layer.kind == "PQBatchNormalization") and not finished(layer):
        yield "weight_quantizer", "wq", True
        if layer.kind == "PQBatchNormalization" or layer.flag("use_bias", True):
            yield "bias_quantizer", "bq", True


def finished(layer: Layer) -> bool:
    """Whether its weights are quantised and pruned as they are stored, or are never quantised."""
    if layer.flag("final_compression_done", False):
        return True
    return not (settings(layer).get("enable_quantization", True) and layer.flag("quantize_parameters", True))


def of(layer: Layer, key: str, weights: Weights) -> dict[str, np.ndarray]:
    """The arrays of a layer by name; those of a quantiser are ``iq/k``, ``wq/f`` ...

    Raises:
        ModelError: Some are missing, or there are others.
    """
    if layer.kind in _INNER:
        parts = {name: of(inner(layer, name), f"{key}/{name}", weights) for name in _INNER[layer.kind]}
        return {f"{name}/{own}": array for name, arrays in parts.items() for own, array in arrays.items()}
    found = {}
    if layer.kind in _OWN:
        found = _named(layer, _OWN[layer.kind](layer), weights.groups.get(key, ()), weights)
    for folder, word, of_weights in _lanes(layer):
        found |= {f"{word}/{name}": a for name, a in _bits(layer, f"{key}/{folder}", weights, of_weights).items()}
    if layer.kind in _TURNED and not layer.flag("final_compression_done", False):
        found |= {f"pruning/{name}": a for name, a in weights.groups.get(f"{key}/pruning_layer", ())}
    return found


def _bits(layer: Layer, folder: str, weights: Weights, of_weights: bool) -> dict[str, np.ndarray]:
    quantiser = _quantiser(layer, weights=of_weights)
    if _granular(layer):
        arrays = _named(layer, quantiser.order, weights.groups.get(f"{folder}/quantizer/quantizer", ()), weights)
        return {name: array for name, array in arrays.items() if name in quantiser.names}
    arrays = _named(layer, ["k", "i", "f", "b"], weights.groups.get(folder, ()), weights)
    for name, array in arrays.items():
        if not (array == np.rint(array)).all():
            part = folder.rpartition("/")[2]
            raise ModelError(f"'{name}' of its {part} is no whole number.", where=layer.where, fix="Train it again.")
    return {"k": arrays["k"], "i": np.maximum(arrays["i"], -arrays["f"]), "f": arrays["f"]}


def _named(layer: Layer, names: list[str], arrays: Any, weights: Weights) -> dict[str, np.ndarray]:
    if len(names) != len(arrays):
        what = f"A {layer.kind} has the weights {', '.join(names) or 'none'}; the file holds {len(arrays)} arrays for it."
        raise ModelError(what, where=f"{weights.where}: {layer.where}", fix=SAVE)
    return {name: array for name, (_, array) in zip(names, arrays, strict=True)}


def quantised(layer: Layer) -> dict[str, np.ndarray]:
    """The weights as the layer computes with them: pruned and quantised, in the order that its settings say."""
    words: tuple[str, ...] = ("kernel", "bias", "gamma", "beta")
    found = {name: layer.weights[name] for name in words if name in layer.weights}
    if layer.flag("final_compression_done", False):
        return found
    for name, word in (("bias", "bq"), ("beta", "bq"), ("gamma", "wq")):
        if name in found:
            found[name] = _cast(layer, word, found[name])
    if "kernel" in found:
        first = _section(layer, "training_parameters").get("pruning_first")
        w = found["kernel"] if first else _cast(layer, "wq", found["kernel"])
        w = w * _mask(layer, w)
        found["kernel"] = _cast(layer, "wq", w) if first else w
    return found


def _cast(layer: Layer, word: str, array: np.ndarray) -> np.ndarray:
    bits = {name: layer.weights[f"{word}/{name}"] for name in "kif" if f"{word}/{name}" in layer.weights}
    return hgq_quantisers.constants(_quantiser(layer, weights=True, kernel=word == "wq"), bits, array) if bits else array


def _mask(layer: Layer, kernel: np.ndarray) -> np.ndarray:
    """What pruning multiplies the kernel with."""
    given = _section(layer, "pruning_parameters")
    if not layer.flag("enable_pruning", bool(given.get("enable_pruning"))):
        return np.ones(())
    method = str(given.get("pruning_method"))
    before, after = (bool(np.any(layer.weights[name])) for name in _FLAGS)
    if method == _BY_SIZE:
        least = np.float32(given["epsilon"]) if after and isinstance(given.get("epsilon"), (int, float)) else -1
        return np.asarray(np.abs(np.asarray(kernel, np.float32)) > least)
    if before and method in _BARE:
        return np.ones(())
    if method not in _MASKS or not (before or after or method in _ALWAYS):
        raise Refusal(f"its weights are still being pruned by {shortened(method)}; {FINISH}")
    mask = np.asarray(layer.weights[f"pruning/{_MASKS[method]}"])
    turned = _TURNED[layer.kind]
    return np.transpose(np.broadcast_to(mask, [layer.weights["kernel"].shape[k] for k in turned]), np.argsort(turned))
