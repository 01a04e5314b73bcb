"""C++ identifiers from the user's names, which never reach C++, Tcl or a shell as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nn2hls.ir import Graph

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const constexpr const_cast
continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if
inline int long main mutable namespace new noexcept not not_eq nullptr nn2hls operator or or_eq private protected public
register reinterpret_cast return short signed sizeof static static_assert static_cast std struct switch template this
thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
y
"""
RESERVED = frozenset(_KEYWORDS.split())
LONGEST = 60  # characters: HLS tools build file names from them
SUFFIXES = ("", "_t", "_out")  # what the code calls a layer, its type and its result


def identifiers(graph: Graph, taken: Iterable[str] = ()) -> Mapping[str, str]:
    """A C++ identifier for every node: its name with other characters replaced, unique without regard to case."""
    used = {t.lower() for t in taken} | RESERVED
    found = {}
    for node in graph:
        base = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", node.name)).strip("_")[:LONGEST].strip("_") or "layer"
        base = f"layer_{base}" if base[0].isdigit() else base
        name, n = base, 1
        while used & {name.lower() + s for s in SUFFIXES}:
            n += 1
            name = f"{base}_{n}"
        used.update(name.lower() + s for s in SUFFIXES)
        found[node.name] = name
    return found
