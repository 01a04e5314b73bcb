"""C++ identifiers from the user's names, which never reach C++, Tcl or a shell as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nn2hls.graph.graph import Graph
from nn2hls.hardware.words import names_layer

LONGEST = 60  # characters: HLS tools build file names from them
TYPE, RESULT = "_result_t", "_out"  # of a layer's result: its type and its array; POSIX has a size_t, a time_t, a key_t
# What else the code names after a layer: constant arrays, a struct, functions of its own; some of them are numbered.
PARTS = frozenset(
    [
        "absent",
        "address",
        "biases",
        "config",
        "constant",
        "core",
        "fires",
        "order",
        "part",
        "position",
        "rom",
        "step",
        "table",
        "token",
        "weights",
        "wires",
    ]
)
_NUMBER = re.compile(r"(_(?:absent(?:_rows|_columns)?|address|constant|order|part|table))[\d_]*\Z")
_SUFFIXES = ("", TYPE, RESULT, *(f"_{p}" for p in sorted(PARTS)))


def identifiers(graph: Graph, taken: Iterable[str] = ()) -> Mapping[str, str]:
    """A C++ identifier for every node: its name with other characters replaced, unique without regard to case.

    What the code names after one node (see PARTS) is no other node's name either.
    """
    used = {t.lower() for t in taken}
    found = {}
    for node in graph:
        base = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", node.name)).strip("_")[:LONGEST].strip("_") or "layer"
        base = f"layer_{base}" if base[0].isdigit() or not names_layer(base) else base
        name, n = base, 1
        apart = "_layer" if _NUMBER.search(base) else ""  # a number alone would be that of a part
        while used & _names(name):
            n += 1
            name = f"{base}{apart}_{n}"
        used |= _names(name)
        found[node.name] = name
    return found


def _names(ident: str) -> set[str]:
    """What the code makes of an identifier; numbered parts count as one."""
    small = _NUMBER.sub(r"\1", ident.lower())
    return {small + s for s in _SUFFIXES}


def is_part(name: str) -> bool:
    """Whether the code may call a constant array so: a part, numbered or not."""
    return _NUMBER.sub(r"\1", f"_{name}").removeprefix("_") in PARTS
