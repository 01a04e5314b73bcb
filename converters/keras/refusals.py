"""Why a layer cannot be converted, and the way out."""

from __future__ import annotations

from collections.abc import Iterable

from nn2hls.converters.keras import weights_only
from nn2hls.converters.keras.hgq1 import REFUSED as OF_HGQ_1
from nn2hls.converters.keras.hgq_layers import REFUSED as OF_HGQ
from nn2hls.converters.keras.model import Layer
from nn2hls.errors import suggest
from nn2hls.known_layers import FIELD, KERAS, OWN_CLASSES, QUANTISED_LAYERS, not_offered

# What the config of a class has whose weights are those of BinaryNet.
BINARISED = {"H", "kernel_lr_multiplier", "bias_lr_multiplier"}
QUANTISED = ("qkeras", "hgq", "hgq2")
_FLOAT_MODEL = "convert the float model and give precisions in the config"
_QUANTISED = f"this quantised layer (QKeras, HGQ) is not offered yet; {_FLOAT_MODEL}"
_PQUANT = f"this layer of PQuantML is not offered yet; {_FLOAT_MODEL}"
# Wrappers of TensorFlow Model Optimization.
_WRAPPERS = {
    "PruneLowMagnitude": "it is a wrapper for pruning; save tfmot.sparsity.keras.strip_pruning(model), which keeps the zeros",
    "ClusterWeights": "it is a wrapper for clustering; save tfmot.clustering.keras.strip_clustering(model)",
    **dict.fromkeys(
        ("QuantizeAnnotate", "QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2"),
        f"layers quantised by TensorFlow Model Optimization are not offered yet; {_FLOAT_MODEL}",
    ),
}


def refusal(layer: Layer, known: Iterable[str]) -> str:
    """The reason, for a layer whose class has no lowering or is not Keras' own; empty when there is none."""
    known = set(known)
    root = layer.module.partition(".")[0].lower()
    if layer.kind == "Lambda":
        return "it holds Python code, which is never run from a file; write it with layers or keras.ops, or leave it out"
    if layer.kind in _WRAPPERS:
        return _WRAPPERS[layer.kind]
    if layer.kind in known and (layer.of_package or _recognised(layer, root)):
        return ""
    if layer.of_package or root in QUANTISED or layer.kind in QUANTISED_LAYERS:
        return _of_package(layer)
    known -= OWN_CLASSES.keys()
    if layer.custom or root not in ("", "keras", "tf_keras", "tensorflow"):
        name = layer.custom or f"{layer.module}.{layer.kind}"
        way_out = OWN_CLASSES.get(layer.kind, "build it from Keras layers")
        return f"a class of your own ('{name}'), whose code is never run from a file; {way_out}"
    if layer.kind in known:
        return weights_only.refusal(layer)
    if layer.is_operation and (layer.module or layer.kind not in KERAS):
        if layer.module:  # Keras wrote it, so it is no misspelt one
            return not_offered("keras.ops", layer.kind, "write it with other operations, or leave it out of the model")
        return f"keras.ops has no operation {layer.kind} that is offered. {suggest(layer.kind, known)}".rstrip()
    if layer.kind in KERAS or layer.module:
        return not_offered("Keras", layer.kind, "build it from other layers, or leave it out of the model")
    return f"{layer.kind} is not a layer that nn2hls knows. {suggest(layer.kind, known | KERAS)}".rstrip()


def _of_package(layer: Layer) -> str:
    """Why a layer of a package that quantises is not read."""
    if layer.of_pquant:
        return _PQUANT
    return OF_HGQ_1 if layer.of_hgq_1 else OF_HGQ.get(layer.kind, _QUANTISED)


def _recognised(layer: Layer, root: str) -> bool:
    """Whether a class that is not Keras' own is one that is read: by QKeras, or of the field."""
    if layer.kind in FIELD:
        return root not in ("keras", "tf_keras", "tensorflow")
    if layer.kind in OWN_CLASSES:
        return layer.config.keys() >= BINARISED
    return layer.kind in QUANTISED_LAYERS and root in ("", "qkeras") and "hgq" not in layer.custom.lower()
