"""Live Keras models: config and weights by Keras' own methods, whatever its version and back end; Keras is not imported."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.converters.keras.attention import MULTI_HEAD, PARTS, QUANTISED
from nn2hls.converters.keras.files import major
from nn2hls.converters.keras.h5 import Arrays, Weights
from nn2hls.converters.keras.model import foreign
from nn2hls.errors import ModelError, UnsupportedError

_ROOTS = ("keras", "tf_keras", "tensorflow")


@dataclass(frozen=True)
class Live:
    """Like ``keras_files.Saved``."""

    config: dict[str, Any]
    weights: Weights
    version: int
    where: str


def _root(model: object) -> str:
    """The package that the object's Keras class comes from."""
    return next(r for cls in type(model).__mro__ if (r := cls.__module__.partition(".")[0]) in _ROOTS)


def has_quantisers(model: Any) -> bool:
    """Whether any layer of a model, or of a model in it, is one of HGQ2 or PQuantML."""
    inside = getattr(model, "layers", None) or ()
    return any(type(layer).__module__.partition(".")[0] in ("hgq", "pquant") or has_quantisers(layer) for layer in inside)


def mark_compressed(model: Any, specs: Any) -> None:
    """Write into the specs of a saved config which attention of PQuantML has its final weights, which its own config omits."""
    for layer, spec in _beside(model, specs):
        if type(layer).__module__.startswith("pquant.") and hasattr(layer, "out_proj"):
            spec["config"]["final_compression_done"] = bool(layer.out_proj.final_compression_done)


def _beside(model: Any, specs: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The layers of a model, and those of models in it, each with its own spec of a config."""
    layers = {layer.name: layer for layer in model.layers}
    for spec in specs if isinstance(specs, list) else ():
        layer = layers.get(spec["config"].get("name"))
        if layer is not None:
            yield layer, spec
            if _is_model(layer):
                yield from _beside(layer, spec["config"].get("layers"))


def read(model: Any) -> Live:
    """Config, weights and version of a Sequential or functional model.

    Raises:
        ModelError: It is a layer, a subclassed model, or was never built.
    """
    name = str(getattr(model, "name", type(model).__name__))
    kinds = {cls.__name__ for cls in type(model).__mro__ if cls.__module__.partition(".")[0] in _ROOTS}
    if not kinds & {"Sequential", "Functional"} or not hasattr(model, "layers"):
        fix = "Rebuild it as a Sequential or functional model: keras.Model(inputs, outputs) with the same layers."
        raise ModelError(f"A {type(model).__name__} does not say how its layers are wired.", where=name, fix=fix)
    if not getattr(model, "built", False):
        raise ModelError("The model has no weights yet.", where=name, fix="Call it once, or model.build((None, n_inputs)).")
    kind = "Sequential" if "Sequential" in kinds else "Functional"
    _check_call(model, name)
    config = {"class_name": kind, "config": _plain(model.get_config())}
    _mark(model, config["config"].get("layers"))
    if kind == "Sequential" and getattr(model, "input_shape", None):
        config["build_config"] = {"input_shape": _plain(model.input_shape)}
    package = sys.modules[_root(model)]
    version = str(getattr(package, "__version__", "") if package.__name__ != "tensorflow" else "2")
    return Live(config, Weights(dict(_groups(model, "")), "live", version, name), major(version, name), name)


def _is_own(thing: Any) -> bool:
    """Whether a class or function is Keras' own: the one that its module holds under its name."""
    name = str(getattr(thing, "__module__", ""))
    return (
        name.partition(".")[0] in _ROOTS and getattr(sys.modules.get(name), getattr(thing, "__qualname__", ""), None) is thing
    )


def _mark(model: Any, specs: Any) -> None:
    """Write into the specs of a config which layers and activations are not Keras' own, whatever they are called."""
    for layer, spec in _beside(model, specs):
        if _is_model(layer):
            _check_call(layer, layer.name)
        elif not _is_own(type(layer)) and not foreign(spec):
            spec.update(module=None, registered_name=_place(type(layer)))
        if getattr(layer, "relu_upper_bound", None) is not None:  # which the config of a QAdaptiveActivation leaves out
            spec["config"].setdefault("relu_upper_bound", layer.relu_upper_bound)
        _mark_functions(layer, spec["config"])
        _mark_cells(layer, spec["config"])
        _mark_projections(layer, spec["config"])
        for side in ("layer", "backward_layer"):  # of a Bidirectional layer
            inner = spec["config"].get(side)
            if isinstance(inner, dict) and hasattr(layer, _SIDES[side]):
                _mark_functions(getattr(layer, _SIDES[side]), inner["config"])
                _mark_cells(getattr(layer, _SIDES[side]), inner["config"])


_SIDES = {"layer": "forward_layer", "backward_layer": "backward_layer"}


def _mark_functions(layer: Any, config: dict[str, Any]) -> None:
    for key in ("activation", "recurrent_activation"):
        function = getattr(layer, key, None)
        if function is not None and isinstance(config.get(key), str):
            thing = function if isinstance(function, types.FunctionType) else type(function)
            if not (_is_own(thing) or thing.__module__.startswith("qkeras.")):  # whose quantisers are read by their words
                config[key] = {"class_name": "function", "config": _place(thing)}


def _mark_cells(layer: Any, config: dict[str, Any]) -> None:
    """The same of the cells of an RNN, one or several."""
    cell, spec = getattr(layer, "cell", None), config.get("cell")
    if cell is None or not isinstance(spec, dict):
        return
    inner = spec["config"].get("cells")
    both = zip(cell.cells, inner, strict=True) if isinstance(inner, list) else [(cell, spec)]
    for one, own in both:
        if not _is_own(type(one)) and not foreign(own):
            own.update(module=None, registered_name=_place(type(one)))
        _mark_functions(one, own["config"])


def _mark_projections(layer: Any, config: dict[str, Any]) -> None:
    """How the projections of attention are quantised, of which Keras' config says nothing."""
    found = {}
    for word, part in PARTS.items():
        inner: Any = getattr(layer, f"_{word}", None)
        if inner is not None and getattr(inner, "quantization_mode", None):
            found[part] = {key: value for key, value in _plain(inner.get_config()).items() if key in _TYPES}
    if found:
        config[QUANTISED] = found


_TYPES = ("dtype", "quantization_config", "equation")


def _is_model(layer: Any) -> bool:
    return hasattr(layer, "layers") and bool({"Sequential", "Functional"} & {c.__name__ for c in type(layer).__mro__})


def _place(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _check_call(model: Any, path: str) -> None:
    """Refuse a model that is called otherwise than its layers are wired."""
    for method in ("call", "__call__"):
        owner = next((c for c in type(model).__mro__ if method in vars(c)), None)
        if owner is not None and not _is_own(owner):
            what = f"Its class {_place(owner)} has a {method} of its own."
            raise UnsupportedError(what, where=path, fix="Use keras.Model(inputs, outputs) with the same layers.")


def _groups(model: Any, prefix: str) -> Iterator[tuple[str, Arrays]]:
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        if _is_model(layer):
            yield from _groups(layer, f"{path}/")
            continue
        held = getattr(layer, "layer", None)  # of a wrapper
        if held is not None and _is_model(held):
            yield from _groups(held, f"{path}/{held.name}/")
            continue
        function = getattr(layer, "activation", None)
        if isinstance(function, types.FunctionType) and function.__name__ == "gelu" and ".ops." in function.__module__:
            # Keras' config has the same word for keras.ops.gelu and keras.activations.gelu, and they differ.
            fix = f"Use keras.activations.{function.__name__}, or keras.ops on the layer's output."
            raise ModelError(f"Its activation is {_place(function)}.", where=path, fix=fix)
        kept = "path" if type(layer).__name__ in MULTI_HEAD else "name"  # projections use each name again
        names, arrays = [str(getattr(w, kept, w.name)) for w in layer.weights], layer.get_weights()
        if len(arrays) < len(names):  # of a class that keeps some of its own
            arrays = [np.asarray(w) for w in layer.weights]
        yield path, [(n, np.asarray(a, dtype=np.float64)) for n, a in zip(names, arrays, strict=True)]


def _plain(value: Any) -> Any:
    """The config as JSON would hold it."""
    return json.loads(json.dumps(value, default=_item))


def _item(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if hasattr(value, "as_list"):
        return value.as_list()
    return {"class_name": type(value).__name__, "config": {}}
