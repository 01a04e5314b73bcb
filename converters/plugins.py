"""Layers that other packages bring, without a fork: each entry point of the group ``nn2hls.layers`` names a :class:`Plugin`.

Its tables are like those of the front ends, and are asked only for what no front end knows. A plug-in is code that the user has
installed; nothing of it comes from a model's file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

from nn2hls.errors import Nn2hlsError

GROUP = "nn2hls.layers"


@dataclass(frozen=True)
class KerasLayer:
    """A class of somebody's own.

    Args:
        entry: As in the tables of ``nn2hls.converters.keras``: reads the layer's config, and returns what lowers a call.
        weights: Names of its variables, in the order in which it creates them.
    """

    entry: Any
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plugin:
    """What a package brings.

    Args:
        keras: A :class:`KerasLayer` by the name under which its class is registered, ``package>Class``.
        pytorch: A lowering, as in the tables of ``nn2hls.converters.pytorch``, by the operator, ``library::operator``.
        onnx: A handler, as in the tables of ``nn2hls.converters.onnx``, by domain and operator, ``domain.Operator``.
    """

    keras: Mapping[str, KerasLayer] = field(default_factory=dict)
    pytorch: Mapping[str, Any] = field(default_factory=dict)
    onnx: Mapping[str, Any] = field(default_factory=dict)


def brought(framework: str, name: str) -> Any:
    """What plug-ins bring for a name of a framework (``keras``, ``pytorch``, ``onnx``); None when none does.

    Raises:
        Nn2hlsError: A plug-in cannot be loaded, or two bring the same.
    """
    return _tables()[framework].get(name) if name else None


@cache
def _tables() -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, dict[str, Any]] = {"keras": {}, "pytorch": {}, "onnx": {}}
    owners: dict[tuple[str, str], str] = {}
    for point in metadata.entry_points(group=GROUP):
        owner = f"{point.name} ({point.value})"
        plugin = _loaded(point, owner)
        for framework, table in found.items():
            for name, entry in getattr(plugin, framework).items():
                if (framework, name) in owners:
                    what = f"The plug-ins {owners[framework, name]} and {owner} both bring '{name}' of {framework}."
                    raise Nn2hlsError(what, fix="Uninstall one of the two packages.")
                owners[framework, name] = owner
                table[name] = entry
    return found


def _loaded(point: metadata.EntryPoint, owner: str) -> Plugin:
    package = point.dist.name if point.dist else "it"
    fix = f"Install a version of {package} that fits this one of nn2hls, or uninstall it."
    try:
        plugin = point.load()
    except Exception as error:
        raise Nn2hlsError(f"The plug-in {owner} cannot be loaded: {type(error).__name__}: {error}.", fix=fix) from error
    if not isinstance(plugin, Plugin):
        raise Nn2hlsError(f"The plug-in {owner} is a {type(plugin).__name__}, no nn2hls.converters.plugins.Plugin.", fix=fix)
    return plugin
