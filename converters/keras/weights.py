"""Which arrays each Keras layer owns, and how the three layouts of weights are dealt out to the layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from nn2hls.converters.keras import (
    attention,
    graphs,
    hgq1,
    hgq_weights,
    local,
    pquant_weights,
    recurrent,
    weights_only,
    windows,
)
from nn2hls.converters.keras.fitting import fitting
from nn2hls.converters.keras.h5 import Arrays, Weights
from nn2hls.converters.keras.model import VECTOR, Layer, Model
from nn2hls.converters.keras.qkeras_adaptive import WEIGHTS as ADAPTIVE
from nn2hls.converters.keras.windows import depthwise_name
from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.plugins import brought
from nn2hls.errors import ModelError

# Names of the trainable and of the other weights, in Keras' order.
Names = tuple[list[str], list[str]]


def _dense(layer: Layer) -> Names:
    return ["kernel", *(["bias"] if layer.flag("use_bias", True) else [])], []


def _whole(names: Callable[[Layer], list[str]]) -> Callable[[Layer], Names]:
    """Weights that may be whole numbers with scales."""
    return lambda layer: ([*names(layer), *weights_only.arrays(layer)], [])


def _by_equation(layer: Layer) -> list[str]:
    return ["kernel", *([] if layer.value("bias_axes") is None else ["bias"])]


def _batch_norm(layer: Layer) -> Names:
    own = [name for name, key in (("gamma", "scale"), ("beta", "center")) if layer.flag(key, True)]
    return own, ["moving_mean", "moving_variance"]


def _normalization(layer: Layer) -> Names:
    return [], [] if layer.value("mean") is not None else ["mean", "variance", "count"]


def _depthwise(layer: Layer) -> Names:
    return [depthwise_name(layer), *_dense(layer)[0][1:]], []


def _separable(layer: Layer) -> Names:
    return ["depthwise_kernel", "pointwise_kernel", *_dense(layer)[0][1:]], []


def _own_norm(layer: Layer) -> Names:
    if layer.flag("rms_scaling", False):  # Keras makes this gamma whatever 'scale' says
        return ["gamma"], []
    return [name for name, key in (("gamma", "scale"), ("beta", "center")) if layer.flag(key, True)], []


WEIGHTS: dict[str, Callable[[Layer], Names]] = {
    "Dense": _whole(lambda layer: _dense(layer)[0]),
    **dict.fromkeys(local.LAYERS, _dense),
    "Embedding": _whole(lambda layer: ["embeddings"]),
    **dict.fromkeys(attention.MULTI_HEAD, lambda layer: (attention.part_names(layer), [])),
    **dict.fromkeys(("AdditiveAttention", "Attention"), lambda layer: (attention.weight_names(layer), [])),
    "EinsumDense": _whole(_by_equation),
    **dict.fromkeys((kind for kind in windows.LAYERS if "Conv" in kind), _dense),
    **dict.fromkeys((kind for kind in windows.LAYERS if kind.startswith("Depthwise")), _depthwise),
    **dict.fromkeys((kind for kind in windows.LAYERS if kind.startswith("Separable")), _separable),
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _own_norm,
    "LayerNormalization": _own_norm,
    "RMSNormalization": lambda layer: (["scale"], []),
    **dict.fromkeys(recurrent.KINDS, lambda layer: (recurrent.weight_names(layer), [])),
    "Bidirectional": lambda layer: (recurrent.side_names(layer), []),
    "PReLU": lambda layer: (["alpha"], []),
    **dict.fromkeys(graphs.WEIGHTED, lambda layer: (graphs.weight_names(layer), [])),
    "Normalization": _normalization,
}


def _folded(kernel: str) -> Callable[[Layer], Names]:
    """A convolution with its BatchNormalization, which counts the steps of its training."""

    def names(layer: Layer) -> Names:
        own = [kernel, *_dense(layer)[0][1:], *_batch_norm(layer)[0]]
        return own, ["iteration", "moving_mean", "moving_variance"]

    return names


Q_RECURRENT = tuple(f"Q{kind}" for kind in recurrent.GATES)
FOLDED = ("QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm")
# Layers of QKeras keep the weights that are quantised as they were trained.
WEIGHTS |= {
    "QAdaptiveActivation": lambda layer: ([], ADAPTIVE),
    "QBatchNormalization": _batch_norm,
    **dict.fromkeys(("QDense", "QConv1D", "QConv2D"), _dense),
    **dict.fromkeys(Q_RECURRENT, lambda layer: (recurrent.weight_names(layer), [])),
    **dict.fromkeys(("BinaryDense", "TernaryDense", "BinaryConv2D", "TernaryConv2D"), _dense),
    "QDepthwiseConv2D": lambda layer: (["depthwise_kernel", *_dense(layer)[0][1:]], []),
    **dict.fromkeys(("QSeparableConv1D", "QSeparableConv2D"), _separable),
    "QConv2DBatchnorm": _folded("kernel"),
    "QDepthwiseConv2DBatchnorm": _folded("depthwise_kernel"),
}


def expected(layer: Layer) -> Names:
    """Names of the arrays the layer owns; a frozen layer has no trainable ones."""
    if layer.of_hgq_1:
        return [], hgq1.WEIGHTS.get(layer.kind, [])
    if layer.inner is not None and layer.kind not in WEIGHTS:
        first, others = expected(layer.inner)
        return first, [*others, VECTOR] if layer.kind == "SpectralNormalization" else others
    own = brought("keras", layer.custom)
    if own:
        names: Names = [*own.weights], []
    else:
        names = WEIGHTS[layer.kind](layer) if layer.kind in WEIGHTS and not layer.is_operation else ([], [])
    return names if layer.flag("trainable", True) else ([], names[0] + names[1])


def attach(model: Model, weights: Weights) -> None:
    """Give every layer its arrays.

    Raises:
        ModelError: Arrays are missing, too many, or hold NaN or Inf; the message names the layer.
    """
    apart = next((layer for layer in model.leaves() if layer.of_hgq or layer.of_pquant), None)
    if weights.layout != "numbered" and apart is not None:
        whose = "PQuantML" if apart.of_pquant else "HGQ2"
        raise ModelError(f"It holds layers of {whose} in the older format.", where=weights.where, fix=hgq_weights.SAVE)
    {"named": _attach_named, "numbered": _attach_numbered, "live": _attach_live}[weights.layout](model, weights)
    for layer in model.leaves():
        for name, array in layer.weights.items():
            if not np.isfinite(array).all():
                what = f"Its {name} holds {np.count_nonzero(~np.isfinite(array))} NaN or Inf values."
                raise ModelError(what, where=layer.where, fix="Train the model again, or load an earlier checkpoint.")


def _attach_live(model: Model, weights: Weights) -> None:
    for layer in model.leaves():
        _assign(layer, weights.groups.get(layer.where, ()), weights)


def _attach_numbered(model: Model, weights: Weights) -> None:
    top = "layers" if any(k.startswith("layers/") for k in weights.groups) else "_layer_checkpoint_dependencies"
    _numbered(model, top, weights, {})


def _numbered(model: Model, place: str, weights: Weights, seen: dict[int, str]) -> None:
    """``layers/dense``, ``layers/dense_1`` ...: numbered by class, in the model's order; operations are not layers.

    A layer that several models hold is stored where it is met first, which ``seen`` keeps.
    """
    count: Counter[str] = Counter()
    for layer in model.layers:
        if layer.is_operation:
            continue
        snake = recurrent.snake_case(_CLASSES.get(layer.kind, layer.kind))
        key = f"{place}/{snake}_{count[snake]}" if count[snake] else f"{place}/{snake}"
        count[snake] += 1
        if layer.shared is not None:
            key = seen.setdefault(layer.shared, key)
        if isinstance(layer, Model):
            _numbered(layer, f"{key}/{place.split('/')[0]}", weights, seen)
            continue
        if isinstance(layer.inner, Model):
            _numbered(layer.inner, f"{key}/layer/{place.split('/')[0]}", weights, seen)
            continue
        if layer.of_hgq or layer.of_pquant:
            layer.weights = _of_package(layer, key, weights)
            continue
        names = [n for kind in expected(layer) for n in kind]
        found = _own(layer, key, weights)
        arrays = [(name, array) for name, (_, array) in zip(names, found, strict=False)]
        _assign(layer, arrays, weights, found=len(found))


def _of_package(layer: Layer, key: str, weights: Weights) -> dict[str, np.ndarray]:
    """The arrays of a layer of HGQ2 or PQuantML and of its quantisers, whose configs say which these are."""
    try:
        with fitting(layer):
            return pquant_weights.of(layer, key, weights) if layer.of_pquant else hgq_weights.of(layer, key, weights)
    except Refusal as reason:
        what = f"The arrays of a {layer.kind} cannot be told apart: {reason}."
        raise ModelError(what, where=f"{weights.where}: {layer.where}", fix=hgq_weights.SAVE) from reason


# Layers that Keras exports under another name than that of their class, which files of weights have.
_CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}


def _own(layer: Layer, key: str, weights: Weights) -> Arrays:
    """The arrays of a layer, those of its sub-layers in Keras' order."""
    if layer.kind == "Bidirectional":
        inner = layer.inner or layer
        folders = [f for side in recurrent.SIDES for f in recurrent.weight_folders(inner, f"{key}/{side}_layer")]
        return [array for folder in folders for array in weights.groups.get(folder, ())]
    if layer.kind in recurrent.KINDS:
        return [array for folder in recurrent.weight_folders(layer, key) for array in weights.groups.get(folder, ())]
    if layer.inner is not None:
        own = _own(layer.inner, f"{key}/layer", weights)
        return [*own, *weights.groups.get(key, ())[:1]] if layer.kind == "SpectralNormalization" else own
    if layer.kind in graphs.WEIGHTED:
        return [array for name in graphs.own_groups(list(weights.groups), key) for array in weights.groups[name]]
    if layer.kind in FOLDED:
        return _with_norm(layer, weights.groups.get(key, ()), weights.groups.get(f"{key}/batchnorm", ()))
    if layer.kind not in attention.MULTI_HEAD:
        return weights.groups.get(f"{key}/cell" if layer.kind in Q_RECURRENT else key, ())
    folders = [f"{key}/{prefix}{part}" for part in attention.PARTS for prefix in ("", "_")]
    return [array for folder in folders for array in weights.groups.get(folder, ())]


def _with_norm(layer: Layer, own: Arrays, norm: Arrays) -> Arrays:
    """The arrays of a folded layer, that of its steps behind those that are trained."""
    trained = len(_batch_norm(layer)[0])
    return [*own[:-1], *norm[:trained], *own[-1:], *norm[trained:]]


def _attach_named(model: Model, weights: Weights) -> None:
    for layer in model.layers:
        arrays = weights.groups.get(layer.name, ())
        if isinstance(layer, Model):
            _share_out(layer, arrays, weights)
        elif isinstance(layer.inner, Model):
            _share_out(layer.inner, arrays, weights)
        else:
            _assign(layer, arrays, weights)


def _share_out(model: Model, arrays: Arrays, weights: Weights) -> None:
    """The arrays of an inner model are one list: all trainable ones in the layers' order, then all others."""
    leaves = list(model.leaves())
    wanted = [(leaf, name) for part in (0, 1) for leaf in leaves for name in expected(leaf)[part]]
    by_key = {(_parts(name)[0], _parts(name)[1]): array for name, array in arrays}
    keys = {(leaf.name, name) for leaf, name in wanted}
    found: dict[Layer, list[tuple[str, np.ndarray]]] = {leaf: [] for leaf in leaves}
    if len(by_key) == len(arrays) and set(by_key) == keys and len(keys) == len(wanted):
        for leaf, name in wanted:
            found[leaf].append((name, by_key[leaf.name, name]))
    elif [_parts(name)[1] for name, _ in arrays] == [_parts(name)[1] for _, name in wanted]:
        for (leaf, name), (_, array) in zip(wanted, arrays, strict=True):
            found[leaf].append((name, array))
    else:
        what = f"Its layers need {_listed(n for _, n in wanted)}; the weights hold {_listed(n for n, _ in arrays)}."
        raise ModelError(what, where=f"{weights.where}: {model.where}", fix="Save the model as one .keras file.")
    for leaf, own in found.items():
        _assign(leaf, own, weights)


def _parts(name: str) -> tuple[str, str]:
    """Layer and weight in a name such as ``sub/dense/kernel:0``."""
    parts = name.partition(":")[0].split("/")
    return parts[-2] if len(parts) > 1 else "", parts[-1]


def _assign(layer: Layer, arrays: Arrays, weights: Weights, found: int | None = None) -> None:
    names = [n for kind in expected(layer) for n in kind]
    flat = {_parts(name)[1]: array for name, array in arrays}
    whole = {"/".join(_parts(name)): array for name, array in arrays}
    if set(names) == set(whole):
        layer.weights = whole
    elif {n.replace("/", "_") for n in names} == set(flat):  # sub-layers that put their name before that of a weight
        layer.weights = {n: flat[n.replace("/", "_")] for n in names}
    elif any("/" in n for n in names) and [_parts(n)[1] for n in names] == [_parts(n)[1] for n, _ in arrays]:
        layer.weights = {name: array for name, (_, array) in zip(names, arrays, strict=True)}  # sub-layers use a name twice
    else:
        layer.weights = flat
    found = len(arrays) if found is None else found
    missing = [n for n in names if n not in layer.weights and n != "count"]  # older versions keep no count
    if missing or found > len(names) or set(layer.weights) - set(names):
        has = _listed(n for n, _ in arrays) if found == len(arrays) else f"{found} arrays"
        what = f"A {layer.kind} has the weights {_listed(names)}; the file holds {has} for it."
        fix = _QUANTISED if layer.kind in attention.MULTI_HEAD and found > len(names) else _OTHERS
        raise ModelError(what, where=f"{weights.where}: {layer.where}", fix=fix)


_OTHERS = "Are the weights those of this model? Save both in one .keras file."
_QUANTISED = "Is it quantised? Keras' file does not say how, and Keras cannot load it: load the model, nn2hls.load(model)."


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return (", ".join(names[:12]) or "none") + more
