"""A Keras config as a tree of layers, with who calls whom: Keras 2 and Keras 3 spellings become one form."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from nn2hls.converters.keras.calls import Call, Ref, parse_call, references
from nn2hls.errors import ModelError
from nn2hls.graph.const import Const

MAX_DEPTH = 32
MODELS = ("Sequential", "Functional", "Model")
WRAPPERS = ("Bidirectional", "SpectralNormalization", "TimeDistributed")  # layers that hold one other
VECTOR = "vector_u"  # what SpectralNormalization trains with; the kernel is stored divided by its norm
PROXIES = ("FixedPointQuantizer", "UnaryLUT")  # classes of proxy models of HGQ 1, which no other package has
# Where Keras says that its own classes are found, and where they are defined.
PUBLIC = re.compile(r"(keras|tf_keras|tensorflow\.keras)(\.(layers|models|activations|ops))?")
PRIVATE = re.compile(r"(keras|tf_keras|tensorflow\.python\.keras)\.(src|engine|layers|models)\..+")


@dataclass(eq=False)
class Layer:
    """One layer or operation of a model.

    Args:
        name: Its name, unique within its model.
        path: The names of the models around it and its own.
        kind: The Keras class name.
        config: What ``get_config`` returned.
        module: Where Keras says the class lives; empty in files that do not tell.
        custom: The name under which a class of the user's own was registered, or empty.
        calls: One for each time the layer is called.
        keras: Keras' major version.
        shared: Equal for copies of one layer that several models hold, None when there is one.
        weights: Its arrays by name, once they are attached.
        inner: The layer that a wrapper holds.
        read: Keys of the config that were asked for.
    """

    name: str
    path: tuple[str, ...]
    kind: str
    config: dict[str, Any]
    module: str = ""
    custom: str = ""
    calls: tuple[Call, ...] = ()
    keras: int = 3
    shared: int | None = None
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    inner: Layer | None = None
    read: set[str] = field(default_factory=set)

    @property
    def where(self) -> str:
        """The layer for messages: ``outer/inner``."""
        return "/".join(self.path) or self.name

    @property
    def of_hgq(self) -> bool:
        """True for a layer of HGQ2, whose classes share names with those of QKeras."""
        return self.custom.startswith("hgq>") or self.module.partition(".")[0] == "hgq"

    @property
    def of_hgq_1(self) -> bool:
        """True for a layer of HGQ 1, which is a package of its own; files of older versions name its class alone."""
        bare = self.kind in PROXIES and not self.custom and self.module.partition(".")[0] in ("", "HGQ", "hls4ml")
        return bare or self.custom.startswith("HGQ>")

    @property
    def of_pquant(self) -> bool:
        """True for a layer of PQuantML."""
        return self.custom.startswith(("PQuantML>", "PQuant>")) or self.module.partition(".")[0] == "pquant"

    @property
    def of_package(self) -> bool:
        """True for a layer of a package that quantises, whose classes are registered under its name."""
        return self.of_hgq or self.of_hgq_1 or self.of_pquant

    @property
    def is_operation(self) -> bool:
        """True for an operation of ``keras.ops``, which is not a layer; legacy files tell it only by its bare config."""
        if self.module:
            return self.module.startswith(("keras.src.ops", "keras.src.activations", "keras.ops"))
        has_type = self.value("dtype") is not None and self.kind != "Cast"  # which operations have where they make a tensor
        return self.keras > 2 and not has_type and not {"trainable", "batch_shape", "layers"} & set(self.config)

    def value(self, *keys: str, default: Any = None) -> Any:
        """The first of ``keys`` that the config holds."""
        self.read.update(keys)
        return next((self.config[k] for k in keys if self.config.get(k) is not None), default)

    def number(self, *keys: str, default: float) -> float:
        """A finite number from the config; float32 values that Keras 2 wrote as double (0.30000001192092896) read as meant."""
        value = self.value(*keys, default=default)
        if isinstance(value, dict):  # Keras 2 wrote NumPy scalars so
            value = value.get("value")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ModelError(f"'{keys[0]}' must be a finite number, not {value!r}.", where=self.where)
        single = np.float32(value)
        short = float(f"{single:.6g}")
        return short if float(single) == value and np.float32(short) == single else float(value)

    def flag(self, key: str, default: bool) -> bool:
        """A bool from the config."""
        value = self.value(key, default=default)
        if not isinstance(value, bool):
            raise ModelError(f"'{key}' must be true or false, not {value!r}.", where=self.where)
        return value

    def integers(self, *keys: str) -> tuple[int, ...]:
        """A list of integers from the config, or a single one."""
        value = self.value(*keys)
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(v, bool) or not isinstance(v, int) for v in values):
            raise ModelError(f"'{keys[0]}' must be integers, not {value!r}.", where=self.where)
        return tuple(values)

    def integer(self, key: str, default: int | None = None) -> int:
        """One integer from the config."""
        values = self.integers(key) if default is None or self.value(key) is not None else (default,)
        if len(values) != 1:
            raise ModelError(f"'{key}' must be an integer, not {list(values)}.", where=self.where)
        return values[0]

    def array(self, key: str) -> np.ndarray:
        """A finite array from the config, written as numbers, lists, or Keras' form of a NumPy array."""
        value = self.value(key)
        if isinstance(value, dict):
            value = value["config"].get("value") if isinstance(value.get("config"), dict) else value.get("value")
        try:
            array = np.asarray(value, dtype=np.float64)
        except (ValueError, TypeError):
            array = np.asarray(np.nan)
        if not np.isfinite(array).all():
            raise ModelError(f"'{key}' must be finite numbers.", where=self.where)
        return array

    def const(self, name: str) -> Const:
        """A weight as float64."""
        return Const(self.weights[name])


@dataclass(eq=False)
class Model(Layer):
    """A Sequential or functional model: layers, and the values that enter and leave."""

    layers: tuple[Layer, ...] = ()
    inputs: tuple[Ref, ...] = ()
    outputs: tuple[Ref, ...] = ()

    def leaves(self) -> Iterator[Layer]:
        """All layers that are not models, those of inner models included, also of such that a wrapper holds."""
        for layer in self.layers:
            if isinstance(layer, Model):
                yield from layer.leaves()
                continue
            yield layer
            if isinstance(layer.inner, Model):
                yield from layer.inner.leaves()


def parse(config: dict[str, Any], keras: int, where: str) -> Model:
    """The tree of a whole model.

    Raises:
        ModelError: The config is not that of a Sequential or functional model, or contradicts itself.
    """
    kind = config.get("class_name")
    inner = config.get("config")
    if not (kind == "Sequential" or (isinstance(inner, dict) and {"layers", "output_layers"} <= set(inner))):
        fix = "Rebuild it as a Sequential or functional model with the same layers and weights."
        raise ModelError(f"A '{kind}' does not say how its layers are wired.", where=where, fix=fix)
    model = _layer(config, None, keras)
    if not isinstance(model, Model):
        raise ModelError("It is a layer, not a model.", where=where)
    return model


def _layer(spec: Any, outer: tuple[str, ...] | None, keras: int) -> Layer:
    place = "/".join(outer or ()) or "the model's config"
    inner = spec.get("config") if isinstance(spec, dict) else None
    if isinstance(inner, list):  # Keras 2.0 and 2.1 wrote a Sequential's layers directly
        inner = {"layers": inner}
    if not isinstance(inner, dict) or not isinstance(spec.get("class_name"), str):
        raise ModelError("A layer needs 'class_name' and 'config'.", where=place)
    if outer is not None and len(outer) > MAX_DEPTH:
        raise ModelError(f"Models nest more than {MAX_DEPTH} deep.", where=place)
    name = str(spec.get("name") or inner.get("name") or spec["class_name"].lower())
    kind, _, custom = spec["class_name"].rpartition(">")[::-1]
    fields: dict[str, Any] = {
        "name": name,
        "path": () if outer is None else (*outer, name),  # the outermost model's name is not part of it
        "kind": kind,
        "config": inner,
        "module": str(spec.get("module") or ""),
        "custom": spec["class_name"] if custom else foreign(spec),
        "keras": keras,
        "shared": spec.get("shared_object_id"),
    }
    calls = spec.get("inbound_nodes") or []
    if not isinstance(calls, list):
        raise ModelError("'inbound_nodes' must be a list.", where=place)
    fields["calls"] = tuple(parse_call(c, fields["path"]) for c in calls if kind != "InputLayer")
    if kind == "Sequential":
        return _sequential(spec, fields)
    if "output_layers" in inner and not fields["custom"]:
        return _functional(fields)
    held = inner.get("layer") if kind in WRAPPERS and not fields["custom"] else None
    return Layer(**fields, inner=None if held is None else _layer(held, fields["path"], keras))


def foreign(spec: dict[str, Any]) -> str:
    """The name under which Keras saved a class that is not its own; empty for its own, and where the file does not tell.

    Keras 3, and Keras 2 in ``.keras`` files, give a class of their own the public module it is found in (``keras.layers``) and
    no registered name, or the private module it is defined in and its own name. Older files hold nothing but the class name.
    """
    if "module" not in spec and "registered_name" not in spec:
        return ""
    module, registered = str(spec.get("module") or ""), str(spec.get("registered_name") or "")
    if registered in ("", spec.get("class_name")) and PRIVATE.fullmatch(module):
        return ""
    return "" if not registered and PUBLIC.fullmatch(module) else registered or str(spec.get("class_name"))


def _children(fields: dict[str, Any]) -> list[Layer]:
    specs = fields["config"].get("layers")
    where = "/".join(fields["path"]) or fields["name"]
    if not isinstance(specs, list):
        raise ModelError("A model needs a list of layers.", where=where)
    layers = [_layer(s, fields["path"], fields["keras"]) for s in specs]
    twice = sorted(name for name, count in Counter(layer.name for layer in layers).items() if count > 1)
    if twice:
        raise ModelError(f"Several layers are named '{twice[0]}'.", where=where)
    return layers


def _functional(fields: dict[str, Any]) -> Model:
    layers = _children(fields)
    where = "/".join(fields["path"]) or fields["name"]
    inputs = references(fields["config"].get("input_layers"), where)
    outputs = references(fields["config"]["output_layers"], where)
    by_name = {layer.name: layer for layer in layers}
    for ref in [*inputs, *outputs, *(r for layer in layers for call in layer.calls for r in call.refs)]:
        if ref.layer not in by_name:
            raise ModelError(f"It refers to a layer '{ref.layer}' that is not there.", where=where)
    for ref in inputs:
        if by_name[ref.layer].kind != "InputLayer":
            raise ModelError(f"Its input '{ref.layer}' is not an InputLayer.", where=where)
    latest = Counter[str]()
    for ref in (r for layer in layers for call in layer.calls for r in call.refs):
        latest[ref.layer] = max(latest[ref.layer], ref.call)
    shift = {layer.name: _shift(layer, latest[layer.name], outputs) for layer in layers if isinstance(layer, Model)}
    inside = {name: by for name, (by, _) in shift.items()}
    for layer in layers:
        layer.calls = tuple(call.shifted(inside) for call in layer.calls)
    outputs = tuple(r.shifted(shift[r.layer][1]) if r.layer in shift else r for r in outputs)
    return Model(**fields, layers=tuple(layers), inputs=inputs, outputs=outputs)


def _shift(inner: Layer, latest: int, outputs: tuple[Ref, ...]) -> tuple[int, int]:
    """What to subtract from call numbers that refer to an inner model: in calls (``latest`` is the largest), in the outputs.

    Keras 2 counts the inner model's own construction as its call 0. Keras 3 does so only in ``output_layers`` and only
    for functional models.
    """
    count = len(inner.calls)
    outside = max((r.call for r in outputs if r.layer == inner.name), default=0)
    if inner.keras > 2:
        return int(latest >= count), int(inner.kind != "Sequential" or outside >= count)
    shift = int(max(latest, outside) >= count)
    return shift, shift


def _sequential(spec: dict[str, Any], fields: dict[str, Any]) -> Model:
    layers = _children(fields)
    where = "/".join(fields["path"]) or fields["name"]
    if not layers:
        raise ModelError("The Sequential model has no layers.", where=where)
    if layers[0].kind != "InputLayer":
        shape = _input_shape(layers[0]) or fields["config"].get("build_input_shape")
        build = spec.get("build_config")
        shape = shape or (build.get("input_shape") if isinstance(build, dict) else None)
        name = f"{layers[0].name}_input"
        layers.insert(0, Layer(name, (*layers[0].path[:-1], name), "InputLayer", {"batch_shape": shape}, keras=fields["keras"]))
    for before, layer in pairwise(layers):
        layer.calls = (Call((Ref(before.name),)),)
    return Model(**fields, layers=tuple(layers), inputs=(Ref(layers[0].name),), outputs=(Ref(layers[-1].name),))


def _input_shape(layer: Layer) -> Any:
    """The shape with batch axis that a layer at the start of a Sequential model was given, if any."""
    if isinstance(layer, Model):
        return _input_shape(layer.layers[0])
    return layer.value("batch_shape", "batch_input_shape")
