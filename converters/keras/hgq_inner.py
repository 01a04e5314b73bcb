"""Layers that layers of HGQ2 hold: in which folder of a file, and with which config, that of the outer one says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower.value import Refusal

# Whether a file has arrays in a folder of the layer.
Held = Callable[[str], bool]
MAX_HIDDEN = 64  # layers of the little network of a table
LETTERS = "fghijklmnopqrstuvwxyz"

PROJECTIONS = {"query_dense": "...c,cde->...de", "key_dense": "...c,cde->...de", "value_dense": "...c,cde->...de"}
BACK, SOFTMAX = "output_dense", "softmax"
SHORTER = ("lin_k_proj", "lin_v_proj")  # Linformer's, which make fewer keys and values of all
FUSIONS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "kv": ("key_dense", "value_dense"),
    "qkv": ("query_dense", "key_dense", "value_dense"),
}
OWN_NORM = ("QEinsumDenseT",)  # which normalises by arrays of its own
_TABLE = """
    n_hl d_hl subnn_activation batch_norm bn_center bn_scale bn_epsilon
"""


def inside(layer: Layer, held: Held) -> dict[str, Layer]:
    """The layers in a layer by their folders; none for most."""
    if layer.kind not in _INSIDE:
        return {}
    configs = _INSIDE[layer.kind](layer, held)
    counts = {"enable_ebops": layer.value("enable_ebops", default=False)}
    return {f: _layer(layer, kind, {**(counts if kind[0] == "Q" else {}), **own}) for f, (kind, own) in configs.items()}


def inner(layer: Layer, folder: str) -> Layer:
    """One of them, with its arrays, once those of the outer layer are attached."""
    found = inside(layer, lambda part: any(name.startswith(f"{part}/") for name in layer.weights))[folder]
    start = f"{folder}/"
    return replace(found, weights={k.removeprefix(start): a for k, a in layer.weights.items() if k.startswith(start)})


def _layer(layer: Layer, kind: str, config: dict[str, Any]) -> Layer:
    return Layer(layer.name, layer.path, kind, config, "hgq.layers", keras=layer.keras)


Configs = dict[str, tuple[str, dict[str, Any]]]


def fused(layer: Layer) -> tuple[str, ...]:
    """The projections of an attention layer that have one quantiser of what enters, which files have with the first one."""
    word = str(layer.value("fuse", default="none")).lower()
    if word not in FUSIONS:
        raise Refusal(f"'fuse' = {word!r:.40} is not one of {', '.join(FUSIONS)}")
    return FUSIONS[word] if layer.flag("enable_iq", True) else ()


def _attention(layer: Layer, held: Held) -> Configs:
    by_table, biased = layer.kind.endswith("T"), layer.flag("use_bias", True)
    enters, shared = layer.flag("enable_iq", True), fused(layer)
    count = len(layer.integers("output_shape")) if layer.value("output_shape") is not None else 1
    last = LETTERS[:count]
    equations = {**PROJECTIONS, BACK: f"...de,de{last}->...{last}"}
    found: Configs = {}
    for folder, equation in equations.items():
        axes = (last if folder == BACK else "de") if biased and folder != "key_dense" else None
        flags = {"enable_iq": enters or folder == BACK, "enable_oq": True if folder != BACK else layer.flag("enable_oq", False)}
        if folder in shared and folder != "key_dense":
            flags["enable_iq"] = False
        found[folder] = _projection(layer, equation, axes, flags, by_table=by_table)
    found[SOFTMAX] = "QSoftmax", _softmax(layer)
    if layer.kind.startswith("QLinformer"):
        found |= _shorter(layer, held)
    return found


def _projection(
    layer: Layer, equation: str, axes: str | None, flags: dict[str, bool], *, by_table: bool
) -> tuple[str, dict[str, Any]]:
    """A layer by an equation, of products or of tables."""
    words = ("iq", "toq", "oq") if by_table else ("iq", "kq", "bq", "oq")
    confs = {f"{word}_conf": layer.value(f"qkvo_{word}_conf") for word in words if flags.get(f"enable_{word}", True)}
    if axes is None:
        confs.pop("bq_conf", None)
    config = {"equation": equation, "bias_axes": axes, **confs, **flags}
    if by_table:
        return "QEinsumDenseT", {**config, **{key: layer.value(key) for key in _TABLE.split()}}
    return "QEinsumDense", config


def _softmax(layer: Layer) -> dict[str, Any]:
    """Scores are divided by the root of the size of a key where the exponential is taken."""
    size, stable = layer.integer("key_dim"), layer.flag("stable_softmax", True)
    words = ["exp_oq", "inv_iq", "inv_oq", "oq", *(["exp_iq"] if stable else [])]
    confs = {f"{word}_conf": layer.value(f"softmax_{word}_conf") for word in words}
    layer.read.update(("softmax_iq_conf", "softmax_exp_iq_conf", "softmax_allow_heterogeneous_table"))
    return {**confs, "stable": stable, "input_scaler": 1 / math.sqrt(size), "enable_iq": False, "enable_oq": True}


def _shorter(layer: Layer, held: Held) -> Configs:
    """Sums over the places of keys and of values, whose quantisers the package's own settings switched on or off."""
    axes = layer.integers("attention_axes")
    if not all(0 <= k < len(LETTERS) for k in axes):
        raise Refusal(f"'attention_axes' = {list(axes)[:8]} are no axes of keys")
    letters = "".join(chr(ord("a") + k) for k in range(max(axes) + 1))
    new = dict(zip((letters[k] for k in axes), LETTERS, strict=False))
    weight = "".join(new) + "".join(new.values())
    equation = f"{letters}...,{weight}->{''.join(new.get(c, c) for c in letters)}..."
    by_table = layer.value("lin_kv_proj_mode", default="dense") == "dense_t"
    found = {}
    for folder in SHORTER[: 1 if layer.flag("share_kv_proj", False) else 2]:
        flags = {f"enable_{word}": held(f"{folder}/{word}") for word in ("iq", "oq")}
        found[folder] = _projection(layer, equation, None, flags, by_table=by_table)
    return found


def _tables(layer: Layer, held: Held) -> Configs:
    """The little network of which each table is made, and a normalisation of what it gives."""
    normed = layer.flag("batch_norm", False)
    biased = layer.value("bias_axes") is not None and not normed if layer.kind in OWN_NORM else layer.flag("use_bias", True)
    dense = {"bias_axes": "io" if biased else None}
    hidden = layer.integer("n_hl", 1)
    if not 0 <= hidden <= MAX_HIDDEN:
        raise Refusal(f"'n_hl' = {hidden} of its tables is no number of hidden layers up to {MAX_HIDDEN}")
    numbers = range(hidden + 1)
    found: Configs = {f"module/layers/einsum_dense{f'_{k}' if k else ''}": ("EinsumDense", dense) for k in numbers}
    if normed and layer.kind not in OWN_NORM:
        flags = {key: layer.flag(f"bn_{key}", True) for key in ("center", "scale")}
        found["bn_module"] = "BatchNormalization", flags
    return found


def _cell(layer: Layer, held: Held) -> Configs:
    """What one step does."""
    return {"cell": (f"{layer.kind}Cell", {**layer.config, "enable_ebops": False})}


_INSIDE: Mapping[str, Callable[[Layer, Held], Configs]] = {
    **dict.fromkeys(("QMultiHeadAttention", "QMultiHeadAttentionT", "QLinformerAttention", "QLinformerAttentionT"), _attention),
    **dict.fromkeys(("QDenseT", "QEinsumDenseT", "QConvT1D", "QConvT2D"), _tables),
    **dict.fromkeys(("QSimpleRNN", "QGRU"), _cell),
}
