"""nn2hls: trained neural networks to verified, sized FPGA designs."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nn2hls._version import __version__

if TYPE_CHECKING:
    from nn2hls.arith.fixed import FixedType
    from nn2hls.design.design import Design, convert
    from nn2hls.design.start import config_for
    from nn2hls.errors import ConversionWarning, Nn2hlsError, OverflowWarning
    from nn2hls.export.run import export
    from nn2hls.frontends import load
    from nn2hls.graph.graph import Graph
    from nn2hls.report.written import open  # noqa: A004
    from nn2hls.scan.run import scan
    from nn2hls.search.run import search

# In a checkout `converters` lies beside this folder, which a Python that starts there imports whatever is installed.
if not os.path.isdir(os.path.join(os.path.dirname(__file__), "converters")):
    __path__.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Loaded when they are first used: `import nn2hls` alone stays instant.
_LAZY = {
    "ConversionWarning": "errors",
    "Design": "design.design",
    "FixedType": "arith.fixed",
    "Graph": "graph.graph",
    "Nn2hlsError": "errors",
    "OverflowWarning": "errors",
    "config_for": "design.start",
    "convert": "design.design",
    "export": "export.run",
    "load": "frontends",
    "open": "report.written",
    "scan": "scan.run",
    "search": "search.run",
}

__all__ = [
    "ConversionWarning",
    "Design",
    "FixedType",
    "Graph",
    "Nn2hlsError",
    "OverflowWarning",
    "__version__",
    "config_for",
    "convert",
    "export",
    "load",
    "open",
    "scan",
    "search",
]


class _Package(ModuleType):
    """The package as a module that keeps its public names: importing the room ``scan`` does not hide the function ``scan``."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _LAZY and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'nn2hls' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nn2hls.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
