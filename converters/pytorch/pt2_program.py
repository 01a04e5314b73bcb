"""The exported PyTorch program as plain data, decoded from the graph JSON of a ``.pt2`` file.

Layout of the JSON: ``torch/_export/serde/schema.py``, schema version 8. Nothing in it is evaluated: symbolic expressions are
only recognised as "not a number", and names, module stacks and operator names are compared as strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn2hls.converters.pytorch.foreign import outermost
from nn2hls.errors import ModelError

SCHEMA_MAJOR = 8
DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64", 12: "bool",
    13: "bfloat16",
}  # fmt: skip
FLOATS = ("float16", "bfloat16", "float32", "float64")
_INFINITE = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}


@dataclass(frozen=True)
class Ref:
    """A value of the program, by name."""

    name: str


@dataclass(frozen=True)
class Opaque:
    """An argument that has no meaning for a network's values (device, layout) or that is not understood."""

    kind: str


@dataclass(frozen=True)
class Meta:
    """What the file says about a value: element type, and sizes with None where a size is symbolic."""

    dtype: str
    sizes: tuple[int | None, ...]


@dataclass(frozen=True)
class Module:
    """The innermost module a call comes from: path, class name, and the key that tells its calls apart.

    ``is_layer`` holds for the classes of ``torch.nn`` that are not containers. ``foreign`` is the outermost module around it
    of a package whose modules are refused, see :mod:`foreign`.
    """

    path: str = ""
    kind: str = ""
    key: str = ""
    is_layer: bool = False
    foreign: tuple[str, str] | None = None


@dataclass(frozen=True)
class Call:
    """One operator call; ``target`` is ``linear.default`` for aten operators, the full name for all others."""

    target: str
    args: Mapping[str, Any]
    outputs: tuple[str, ...]
    name: str
    function: str
    module: Module = field(default_factory=Module)

    def refs(self) -> Iterator[str]:
        """Names of the values it reads, lists included."""
        for value in self.args.values():
            for item in value if isinstance(value, list) else (value,):
                if isinstance(item, Ref):
                    yield item.name


@dataclass(frozen=True)
class Program:
    """Inputs (name), constants (value by name, and the user's own name for it), calls in order, outputs (name)."""

    inputs: tuple[str, ...]
    constants: Mapping[str, np.ndarray]
    titles: Mapping[str, str]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]
    metas: Mapping[str, Meta]


def decode(model: Any, weights: Mapping[str, np.ndarray], where: str) -> Program:
    """The program in ``models/<name>.json``, with the arrays of its parameters, buffers and constants.

    Raises:
        ModelError: Another schema version, or the JSON is not laid out as this version prescribes.
    """
    try:
        version = model["schema_version"]["major"]
        if version != SCHEMA_MAJOR:
            raise ModelError(
                f"Its graph has schema version {version}; {SCHEMA_MAJOR} is known.",
                where=where,
                fix="Export it again with PyTorch 2.13, the version that is tested.",
            )
        return _program(model["graph_module"], weights)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise ModelError(
            f"Its graph is not laid out as schema version {SCHEMA_MAJOR} prescribes ({type(error).__name__}: {error}).",
            where=where,
            fix="Export it again with PyTorch 2.13, the version that is tested.",
        ) from None


def _program(module: Any, weights: Mapping[str, np.ndarray]) -> Program:
    graph = module["graph"]
    inputs: list[str] = []
    titles: dict[str, str] = {}
    for spec in module["signature"]["input_specs"]:
        kind, body = _only(spec)
        if kind == "user_input":
            what, value = _only(body["arg"])
            if what == "as_tensor":
                inputs.append(_text(value["name"]))
            elif what.startswith("as_sym"):
                raise ValueError("an input that is a symbolic number, not a tensor")
        elif kind in ("parameter", "buffer", "tensor_constant"):
            titles[_text(body["arg"]["name"])] = _text(body[f"{kind}_name"])
        elif kind != "constant_input":
            raise ValueError(f"an input of kind {kind}")
    constants = {name: weights[title] for name, title in titles.items()}
    outputs = tuple(o for spec in module["signature"]["output_specs"] for o in _output(spec))
    metas = {k: _meta(v) for k, v in graph["tensor_values"].items()}
    if not metas.keys() >= set(inputs):
        raise ValueError("an input without a shape")
    return Program(tuple(inputs), constants, titles, tuple(_call(n) for n in graph["nodes"]), outputs, metas)


def _output(spec: Any) -> list[str]:
    kind, body = _only(spec)
    if kind == "user_input_mutation":
        return []
    if kind != "user_output":
        raise ValueError(f"an output of kind {kind}: a network that changes its own state")
    what, value = _only(body["arg"])
    if what == "as_none":
        return []
    if what != "as_tensor":
        raise ValueError(f"an output that is no tensor ({what})")
    return [_text(value["name"])]


def _call(node: Any) -> Call:
    target = _text(node["target"])
    outputs = [name for o in node["outputs"] for name in _names(o)]
    name = _text(node.get("name") or (outputs or [target])[0])
    metadata = node.get("metadata") or {}
    target = target.removeprefix("torch.ops.aten.")
    base = target.split(".")[0].strip("_")
    return Call(
        target,
        {_text(i["name"]): _argument(i["arg"]) for i in node["inputs"]},
        tuple(outputs),
        name,
        _function(metadata.get("torch_fn"), base),
        _module(metadata.get("nn_module_stack")),
    )


def _names(argument: Any) -> list[str]:
    kind, body = _only(argument)
    if kind == "as_tensors":
        return [_text(t["name"]) for t in body]
    if kind == "as_none":
        return []
    return [_text(body["name"] if "name" in body else body["as_name"])]


def _argument(argument: Any) -> Any:
    kind, body = _only(argument)
    if kind in _ARGUMENT:
        return _ARGUMENT[kind](body)
    return Opaque(kind)


def _sym(value: Any) -> Any:
    kind, body = _only(value)
    return Ref(_text(body)) if kind == "as_name" else _number(body)


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return _INFINITE[value]
    if not isinstance(value, (int, float)):
        raise TypeError("a number is expected")
    return value


_ARGUMENT: Mapping[str, Any] = {
    "as_none": lambda body: None,
    "as_tensor": lambda body: Ref(_text(body["name"])),
    "as_optional_tensor": lambda body: _argument(body),
    "as_tensors": lambda body: [Ref(_text(t["name"])) for t in body],
    "as_optional_tensors": lambda body: [_argument(t) for t in body],
    "as_int": _number,
    "as_float": _number,
    "as_bool": bool,
    "as_string": str,
    "as_ints": lambda body: [_number(v) for v in body],
    "as_floats": lambda body: [_number(v) for v in body],
    "as_bools": lambda body: [bool(v) for v in body],
    "as_sym_int": _sym,
    "as_sym_float": _sym,
    "as_sym_ints": lambda body: [_sym(v) for v in body],
    "as_scalar_type": lambda body: DTYPES.get(body, f"type {body}"),
}


def _meta(value: Any) -> Meta:
    kinds = [_only(s) for s in value["sizes"]]
    sizes = tuple(int(body) if kind == "as_int" else None for kind, body in kinds)
    return Meta(DTYPES.get(value["dtype"], f"type {value['dtype']}"), sizes)


def _module(stack: Any) -> Module:
    """The innermost entry of ``key,path,class;key,path,class``; an empty Module for anything else."""
    entries = [entry.split(",") for entry in str(stack).split(";")]
    foreign = outermost((e[1], e[2]) for e in entries if len(e) == 3)
    if len(entries[-1]) != 3 or not entries[-1][1]:
        return Module(foreign=foreign)
    key, path, kind = entries[-1]
    is_layer = kind.startswith(("torch.nn.modules.", "torch.nn.utils.parametrize.")) and ".container." not in kind
    return Module(path, kind.split(".")[-1].removeprefix("Parametrized"), key, is_layer, foreign)


def _function(text: Any, fallback: str) -> str:
    """The ``relu`` of ``relu_1;function.relu``."""
    name = str(text).split(".")[-1].strip("_")
    return name if name.isidentifier() and str(text).count(";") == 1 and name != "default" else fallback


def _only(union: Any) -> tuple[str, Any]:
    ((kind, body),) = union.items()
    return kind, body


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a name is expected")
    return value
