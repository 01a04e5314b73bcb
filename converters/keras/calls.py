"""How a Keras config says what a layer is called with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nn2hls.errors import ModelError

# Arguments of a call that are not data; a value other than None or False is refused.
_SETTINGS = (
    *("mask", "training", "attention_mask", "use_causal_mask", "return_attention_scores"),
    *("query_mask", "value_mask", "key_mask"),
)


@dataclass(frozen=True)
class Ref:
    """A value: which layer, which of its calls, which of the call's results."""

    layer: str
    call: int = 0
    output: int = 0

    def shifted(self, by: int) -> Ref:
        """The same with a smaller call number."""
        return replace(self, call=self.call - by)


@dataclass(frozen=True)
class Other:
    """An argument that is neither a value of the model nor a number, as text."""

    text: str


@dataclass(frozen=True)
class Key:
    """What stands in the brackets of ``x[...]``: slices, numbers, None and Ellipsis."""

    cuts: tuple[Any, ...]


Operand = Ref | np.ndarray | Other | Key


@dataclass(frozen=True)
class Call:
    """One call of a layer: its operands in order, their names where they are given by name, and what else was given."""

    operands: tuple[Operand, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()

    @property
    def refs(self) -> Iterator[Ref]:
        """The operands that are values of the model."""
        return (o for o in self.operands if isinstance(o, Ref))

    def shifted(self, by: Mapping[str, int]) -> Call:
        """The same with smaller call numbers for the layers in ``by``."""
        return replace(
            self, operands=tuple(o.shifted(by[o.layer]) if isinstance(o, Ref) and o.layer in by else o for o in self.operands)
        )


def parse_call(node: Any, path: tuple[str, ...]) -> Call:
    """One entry of ``inbound_nodes``: Keras 3's ``args`` and ``kwargs``, Keras 2's lists ``[layer, call, result, kwargs]``."""
    where = "/".join(path)
    if isinstance(node, dict) and "args" in node:
        kwargs = node.get("kwargs") or {}
        return _call(*_positional(node["args"], where), kwargs, where)
    if not isinstance(node, list):
        raise ModelError(f"A call of it is written as {type(node).__name__}.", where=where)
    entries = [node] if node and isinstance(node[0], str) else node
    operands: list[Operand] = []
    kwargs = {}
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) in (3, 4)):
            raise ModelError(f"A call of it has the operand {entry!r}.", where=where)
        constant = entry[0] == "_CONSTANT_VALUE"  # Keras 2.4 and later, in operators
        operands += _flat(entry[2], where) if constant else [_ref(entry[:3], where)]
        kwargs.update(entry[3] if len(entry) == 4 and isinstance(entry[3], dict) else {})
    return _call(operands, [""] * len(operands), kwargs, where)


def _positional(args: Any, where: str) -> tuple[list[Operand], list[str]]:
    """Operands given without a name, and the numbers of those behind an argument that is None."""
    if not isinstance(args, list):
        return [*_flat(args, where)], [""] * len([*_flat(args, where)])
    operands: list[Operand] = []
    words: list[str] = []
    for place, value in enumerate(args):
        found = [*_flat(value, where)]
        operands += found
        words += [str(place) if any(v is None for v in args[:place]) else ""] * len(found)
    return operands, words


def _call(operands: list[Operand], names: list[str], kwargs: Any, where: str) -> Call:
    if not isinstance(kwargs, dict):
        raise ModelError("The named arguments of a call must be an object.", where=where)
    settings = {k: kwargs[k] for k in _SETTINGS if kwargs.get(k) not in (None, False)}
    for key, value in kwargs.items():
        if key not in _SETTINGS and key != "name":
            is_ref = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
            found = [_ref(value, where)] if is_ref else [*_flat(value, where)]
            operands += found
            names += [key] * len(found)
    return Call(tuple(operands), settings, tuple(names))


def mask_of(value: Any, where: str) -> list[np.ndarray | None] | None:
    """Masks given with a call: one array, or one or none for each operand; None where they are computed."""
    parts = value if isinstance(value, list) and not _is_numbers(value) else [value]
    found: list[np.ndarray | None] = []
    for part in parts:
        arrays = [None] if part is None else [*_flat(part, where)]
        if len(arrays) != 1 or not (arrays[0] is None or isinstance(arrays[0], np.ndarray)):
            return None
        found.append(arrays[0])
    return found


def _flat(value: Any, where: str) -> Iterator[Operand]:
    """The operands in an argument, lists and tuples opened; None is no operand."""
    if isinstance(value, (list, tuple)) and any(_cut(v) is not _NO_CUT and isinstance(v, dict) for v in value):
        yield Key(tuple(_cut(v) for v in value))
    elif isinstance(value, dict) and _cut(value) is not _NO_CUT:
        yield Key((_cut(value),))
    elif isinstance(value, (list, tuple)) and value and _is_numbers(value):
        yield _array(value, where)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(item, where)
    elif isinstance(value, dict):
        yield from _object(value, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield np.asarray(value, dtype=np.float64)
    elif value is not None:
        yield Other(repr(value)[:80])


_NO_CUT = object()


def _cut(value: Any) -> Any:
    """A slice, number, None or Ellipsis of a key, as Keras 3 or Keras 2 writes it; ``_NO_CUT`` for anything else."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, dict):
        return _NO_CUT
    if value.get("class_name") in ("__ellipsis__", "ellipsis"):
        return Ellipsis
    body = value.get("config") if value.get("class_name") in ("__slice__", "slice") else value
    if not isinstance(body, dict) or not {"start", "stop", "step"} <= set(body):
        return _NO_CUT
    ends = [body[k] for k in ("start", "stop", "step")]
    if any(n is not None and (isinstance(n, bool) or not isinstance(n, int)) for n in ends) or ends[2] == 0:
        return _NO_CUT
    return slice(*ends)


def _is_numbers(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_numbers(v) for v in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _array(value: Any, where: str) -> np.ndarray:
    try:
        return np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError):
        raise ModelError("A constant array of a call is damaged.", where=where) from None


def _object(value: dict[str, Any], where: str) -> Iterator[Operand]:
    kind, config = value.get("class_name"), value.get("config")
    if kind == "__keras_tensor__" and isinstance(config, dict):
        yield _ref(config.get("keras_history"), where)
    elif kind in ("__numpy__", "__tensor__") and isinstance(config, dict):
        yield _array(config.get("value"), where)
    elif kind == "__tuple__":
        yield from _flat(value.get("items"), where)
    elif kind is None:
        for key in sorted(value):  # Keras flattens dictionaries in the order of their keys
            yield from _flat(value[key], where)
    else:
        yield Other(str(kind).strip("_"))


def _ref(value: Any, where: str) -> Ref:
    match value:
        case [str(layer), int(call), int(output)] | (str(layer), int(call), int(output)) if call >= 0 and output >= 0:
            return Ref(layer, call, output)
    raise ModelError(f"{value!r} does not name a layer, a call and a result.", where=where)


def references(value: Any, where: str) -> tuple[Ref, ...]:
    """``input_layers`` or ``output_layers``: one reference, a list, or a dictionary, which Keras orders by its keys."""
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        value = value.get("items")
    if isinstance(value, dict):
        return tuple(r for key in sorted(value) for r in references(value[key], where))
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], str):
        return tuple(r for item in value for r in references(item, where))
    return (_ref(value, where),)
