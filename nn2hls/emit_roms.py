"""The C++ of constant arrays: weights of reused layers, tables, indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nn2hls.emit_names import PARTS
from nn2hls.emit_tool import Tool
from nn2hls.errors import GraphError
from nn2hls.ops.base import Rom
from nn2hls.ops.literals import c_integer, literals

PER_LINE = 16  # numbers of a constant array
MOST_SELECTED = 16  # words that are selected by logic where each bank has an array of its own


def roms(found: Mapping[str, Rom], ident: str, tool: Tool) -> str:
    """All constant arrays of the layer ``ident``."""
    text = ""
    for name, rom in found.items():
        if name not in PARTS:
            raise GraphError(f"Its constants '{name}' are not in nn2hls.emit_names.PARTS.", where=ident)
        apart = tool.own_arrays and (rom.lookups or rom.banks)
        text += _apart(rom, f"{ident}_{name}") if apart else _array(_word(rom), f"{ident}_{name}", rom.values)
    return text


def _word(rom: Rom) -> str:
    return f"ap_{'int' if rom.signed else 'uint'}<{rom.width}>" if rom.width else "int"


def _array(kind: str, name: str, values: np.ndarray) -> str:
    listed = literals(values)
    rows = [", ".join(listed[k : k + PER_LINE]) for k in range(0, len(listed), PER_LINE)]
    return f"static const {kind} {name}[{len(listed)}] = {{\n    " + ",\n    ".join(rows) + "};\n\n"


def _apart(rom: Rom, name: str) -> str:
    """A struct in place of the array, with an array for each lookup or bank, of the narrowest C integer.

    A bank of few words is a tree of selections between constants, which are bits of logic rather than a memory.
    """
    word = _word(rom)
    text, answers = "", []
    banks = list(rom.values.reshape(-1, rom.banks).T) if rom.banks else [rom.values] * rom.lookups
    for number, values in enumerate(banks):
        if rom.banks and len(values) <= MOST_SELECTED:
            answers.append(_selected(literals(values)))
        else:
            text += _array(c_integer(rom.width, rom.signed), f"{name}_{number}", values)
            answers.append(f"{name}_{number}[at]")
    cases = [f"            case {k}:\n                return word({a});" for k, a in enumerate(answers[:-1])]
    lines = [
        f"struct {name}_type {{",
        f"    typedef {word} word;",
        "    static word at(int number, int at) {",
        "        (void)at;",
        "        switch (number) {",
        *cases,
        f"            default:\n                return word({answers[-1]});",
        "        }",
        "    }",
        "};",
        f"static const {name}_type {name} = {{}};",
    ]
    return text + "\n".join(lines) + "\n\n"


def _selected(words: Sequence[str]) -> str:
    """The word number ``at`` as C++, by the bits of ``at``."""
    if len(words) == 1:
        return words[0]
    half = 1 << ((len(words) - 1).bit_length() - 1)
    return f"(at & {half} ? {_selected(words[half:])} : {_selected(words[:half])})"
