"""YAML text or a dict as a tree of items that know their place, so that every message can name ``file:line``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nn2hls.errors import ConfigError
from nn2hls.guard import MAX_WORD, Guard, shortened

# Some 4 s of reading each: a model as text within the config (12 MiB of ONNX), and the keys and values of 12,000 layers.
MAX_BYTES = 16 << 20
MAX_ITEMS = 200_000  # as written, and again after aliases are expanded
MAX_DEPTH = 40
_GUARD = Guard(ConfigError, "The config", smaller="Name a file of the model in it, in place of the model itself.")

_PLAIN_TAGS = {f"tag:yaml.org,2002:{t}" for t in ("null", "bool", "int", "float", "str", "seq", "map")}


# Where hls4ml writes the model itself into its hls4ml_config.yml, and the shape of PyTorch's input as a tuple.
_MODELS = frozenset(("model", "kerasmodel", "pytorchmodel", "onnxmodel"))
_BINARY, _TUPLE = "tag:yaml.org,2002:binary", "tag:yaml.org,2002:python/tuple"


@dataclass(frozen=True)
class Tagged:
    """A model that hls4ml wrote into the file: its tag, and what is plain text or bytes in it."""

    tag: str
    value: str | bytes | None = None


@dataclass(frozen=True)
class Item:
    """A value and where it stands.

    Args:
        value: A dict of Items by the key's text, a list of Items, a scalar as YAML reads it, or a Tagged model.
        where: ``file:line``, or the way through a dict: ``config['HLSConfig']['Model']``.
    """

    value: Any
    where: str


def read_yaml(path: Path) -> Item:
    """Read a YAML file without constructing anything but plain values.

    Raises:
        ConfigError: The file is missing, too large, not YAML, asks for a Python object, repeats a key or nests without end.
    """
    data = _GUARD.read(path, MAX_BYTES)
    try:
        loader = _Loader(data.decode("utf-8-sig"), path)
        root = loader.get_single_node()
        return _Tree(path, loader).item(root) if root is not None else Item({}, f"{path}:1")
    except UnicodeDecodeError as error:
        raise ConfigError("The config is not UTF-8 text.", where=str(path), fix="Is it a YAML file?") from error
    except yaml.YAMLError as error:
        raise _yaml_error(path, error) from error
    except RecursionError as error:
        raise ConfigError("The config nests too deeply.", where=str(path)) from error


def _yaml_error(path: Path, error: yaml.YAMLError) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    words = [w for w in (getattr(error, "context", None), getattr(error, "problem", None) or str(error)) if w]
    text = ", ".join(" ".join(w.split()) for w in words)
    hint = "Tabs do not indent in YAML; use spaces." if "\\t" in text else "Check indentation, quotes and colons on this line."
    return ConfigError(f"This is not YAML ({text}).", where=where, fix=hint)


class _Loader(yaml.SafeLoader):
    """Stops at a count of keys and values: they take longer than their text."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self._path, self._count = path, 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._count += 1
        if self._count > MAX_ITEMS:
            where = f"{self._path}:{self.line + 1}"
            fix = "Set values for types of layers (LayerType), or for all of them (Model)."
            raise ConfigError(f"The config has more than {MAX_ITEMS} keys and values.", where=where, fix=fix)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


class _Tree:
    """Turns the nodes of one file into Items."""

    def __init__(self, path: Path, loader: yaml.SafeLoader) -> None:
        self._path, self._loader, self._count = path, loader, 0

    def item(self, node: yaml.Node, depth: int = 0) -> Item:
        where = f"{self._path}:{node.start_mark.line + 1}"
        self._count += 1
        if self._count > MAX_ITEMS or depth > MAX_DEPTH:
            raise ConfigError("The config grows without end through its aliases.", where=where, fix="Write the values out.")
        if node.tag == _TUPLE and isinstance(node, yaml.SequenceNode):
            return Item([self.item(n, depth + 1) for n in node.value], where)
        if node.tag not in _PLAIN_TAGS and not node.tag.endswith((":timestamp", ":merge")):
            fix = "Configs hold plain values only; nothing in them is executed."
            raise ConfigError(f"The tag {node.tag!r} is not accepted.", where=where, fix=fix)
        if isinstance(node, yaml.MappingNode):
            return Item(self._mapping(node, depth + 1), where)
        if isinstance(node, yaml.SequenceNode):
            return Item([self.item(n, depth + 1) for n in node.value], where)
        return Item(self._scalar(node, where), where)

    def _scalar(self, node: yaml.Node, where: str) -> Any:
        if not _is_text(node.value):
            raise ConfigError(f"{node.value!r} holds half of a surrogate pair, which is no text.", where=where)
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind in ("timestamp", "merge") or (kind in ("int", "float") and ":" in node.value):
            return node.value  # YAML 1.1 reads 1:30 as 90; here it is text
        try:
            value = self._loader.construct_object(node)
        except (ValueError, LookupError, TypeError, OverflowError) as error:  # such as `!!int abc`, `!!bool maybe`, `!!int ""`
            raise ConfigError(f"{shortened(node.value)} is not what its tag says.", where=where) from error
        return _fitting(value, where)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Item]:
        result: dict[str, Item] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            where = f"{self._path}:{line}"
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("A key must be a word.", where=where)
            name = key.value  # the text: a layer may be called 'on' or '1'
            if not _is_text(name):
                raise ConfigError(f"The key {name!r} holds half of a surrogate pair, which is no text.", where=where)
            if name in result:
                first = result[name].where.rsplit(":", 1)[-1]
                fix = f"It stands on line {first} already; keep one."
                raise ConfigError(f"The key '{name}' is repeated.", where=where, fix=fix)
            model = depth == 1 and name.lower() in _MODELS and value.tag not in _PLAIN_TAGS
            result[name] = Item(_tagged(value) if model else self.item(value, depth).value, where)
        return result


def _is_text(value: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in value)


def _tagged(node: yaml.Node) -> Tagged:
    """A model in the file: a name, the bytes of an ONNX message, or what only unpickling could read and nobody does."""
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    if isinstance(node, yaml.ScalarNode):
        return Tagged(tag, _bytes(node) if node.tag == _BINARY else str(node.value))
    inner: yaml.Node | None = node
    if tag.startswith("python/object") and tag.endswith(".ModelProto"):
        for key in ("state", "serialized"):
            pairs = inner.value if isinstance(inner, yaml.MappingNode) else []
            inner = next((v for k, v in pairs if k.value == key), None)
        if isinstance(inner, yaml.ScalarNode) and inner.tag == _BINARY:
            return Tagged(tag, _bytes(inner))
    return Tagged(tag)


def _bytes(node: yaml.ScalarNode) -> bytes | None:
    try:
        return base64.b64decode("".join(node.value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def plain(value: Any) -> Any:
    """The value of an item: the items of lists and blocks become values too."""
    if isinstance(value, dict):
        return {name: plain(v.value) for name, v in value.items()}
    return [plain(v.value) for v in value] if isinstance(value, list) else value


def from_mapping(source: Mapping[Any, Any], where: str = "config", above: tuple[int, ...] = ()) -> Item:
    """The same tree from a dict; keys become text, tuples lists.

    Raises:
        ConfigError: The dict contains itself, or two keys have the same text.
    """
    if id(source) in above:
        raise ConfigError("The dict contains itself.", where=where)
    _bounded(above, where)
    result: dict[str, Item] = {}
    for key, value in source.items():
        name = str(_fitting(key, where))
        place = f"{where}[{name!r}]"
        if name in result:
            raise ConfigError(f"The key '{name}' is repeated.", where=place)
        result[name] = _plain(value, place, (*above, id(source)))
    return Item(result, where)


def _plain(value: Any, where: str, above: tuple[int, ...]) -> Item:
    if isinstance(value, Mapping):
        return from_mapping(value, where, above)
    if isinstance(value, (list, tuple)):
        if id(value) in above:
            raise ConfigError("The list contains itself.", where=where)
        _bounded(above, where)
        return Item([_plain(v, f"{where}[{i}]", (*above, id(value))) for i, v in enumerate(value)], where)
    return Item(_fitting(value, where), where)


def _bounded(above: tuple[int, ...], where: str) -> None:
    if len(above) > MAX_DEPTH:
        raise ConfigError(f"The config nests more than {MAX_DEPTH} deep.", where=where)


def _fitting(value: Any, where: str) -> Any:
    """A scalar that every reader can print and compute with: an integer of 64 bits, a text of whole characters."""
    if isinstance(value, int) and not -MAX_WORD <= value < 2 * MAX_WORD:
        raise ConfigError("This integer has more than 64 bits.", where=where)
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{shortened(value)} holds half a character (a lone surrogate).", where=where) from None
    return value
