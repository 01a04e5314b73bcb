"""The C++ of constant arrays: weights of reused layers, tables, indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nn2hls.arith.ranges import ints
from nn2hls.emit.names import is_part
from nn2hls.emit.tool import Tool
from nn2hls.errors import GraphError
from nn2hls.hardware.code import Rom
from nn2hls.hardware.literals import c_integer, literals

PER_LINE = 16  # numbers of a constant array
LITERAL = 64  # bits of the longest integer literal of C++
MOST_SELECTED = 16  # words that are selected by logic where each bank has an array of its own


def roms(found: Mapping[str, Rom], ident: str, tool: Tool) -> str:
    """All constant arrays of the layer ``ident``."""
    text = ""
    for name, rom in found.items():
        if not is_part(name):
            raise GraphError(f"Its constants '{name}' are not in nn2hls.emit.names.PARTS.", where=ident)
        text += _rom(rom, f"{ident}_{name}", tool)
    return text


def _rom(rom: Rom, name: str, tool: Tool) -> str:
    if rom.written:
        return _memory(rom, name)
    if rom.width > LITERAL:
        return _wide(rom, name)
    return _apart(rom, name) if tool.own_arrays and (rom.lookups or rom.banks) else array(_word(rom), name, rom.values)


def _memory(rom: Rom, name: str) -> str:
    """An array that is no constant."""
    return f"static {_initialised(_word(rom), name, rom.values, rom.size)}"


def _word(rom: Rom) -> str:
    return f"ap_{'int' if rom.signed else 'uint'}<{rom.width}>" if rom.width else "int"


def array(kind: str, name: str, values: np.ndarray) -> str:
    """A constant array of C++."""
    return f"static const {_initialised(kind, name, values, len(values))}"


def _initialised(kind: str, name: str, values: np.ndarray, size: int) -> str:
    listed = literals(values)
    rows = [", ".join(listed[k : k + PER_LINE]) for k in range(0, len(listed), PER_LINE)]
    return f"{kind} {name}[{size}] = {{\n    " + ",\n    ".join(rows) + "};\n\n"


def _apart(rom: Rom, name: str) -> str:
    """A struct in place of the array, with an array for each lookup or bank, of the narrowest C integer.

    A bank of few words is a tree of selections between constants, which are bits of logic rather than a memory.
    """
    text, answers = "", []
    banks = list(rom.values.reshape(-1, rom.banks).T) if rom.banks else [rom.values] * rom.lookups
    for number, values in enumerate(banks):
        if rom.banks and len(values) <= MOST_SELECTED:
            answers.append(_selected(literals(values)))
        else:
            text += array(c_integer(rom.width, rom.signed), f"{name}_{number}", values)
            answers.append(f"{name}_{number}[at]")
    cases = [f"            case {k}:\n                return word({a});" for k, a in enumerate(answers[:-1])]
    body = [
        "        (void)at;",
        "        switch (number) {",
        *cases,
        f"            default:\n                return word({answers[-1]});",
        "        }",
    ]
    return text + _struct(rom, name, body)


def _struct(rom: Rom, name: str, body: Sequence[str], more: Sequence[str] = ()) -> str:
    """An object in place of the array: ``body`` gives word ``at`` of the lookup ``number``."""
    lines = [
        f"struct {name}_type {{",
        f"    typedef {_word(rom)} word;",
        "    static word at(int number, int at) {",
        *body,
        "    }",
        *more,
        "};",
        f"static const {name}_type {name} = {{}};",
    ]
    return "\n".join(lines) + "\n\n"


def _wide(rom: Rom, name: str) -> str:
    """Words that no literal holds, in arrays of their parts; read like an array, or by lookups."""
    values, text, total, at = ints(rom.values.ravel()), "", "", 0
    while at < rom.width:
        bits = min(LITERAL, rom.width - at)
        top = at + bits == rom.width
        part = values >> at if top else (values >> at) & ((1 << bits) - 1)
        text += array(c_integer(bits, top and rom.signed), f"{name}_part{at // LITERAL}", part)
        word = f"word({name}_part{at // LITERAL}[at])"
        total = f"({word} << {at}) + {total}" if at else word
        at += bits
    body = ["        (void)number;", f"        return word({total});"]
    index = ["    word operator[](int at) const { return " + name + "_type::at(0, at); }"]
    return text + _struct(rom, name, body, index)


def _selected(words: Sequence[str]) -> str:
    """The word number ``at`` as C++, by the bits of ``at``."""
    if len(words) == 1:
        return words[0]
    half = 1 << ((len(words) - 1).bit_length() - 1)
    return f"(at & {half} ? {_selected(words[half:])} : {_selected(words[:half])})"
