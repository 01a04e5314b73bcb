"""Other weights for a design that was built with ``Weights: reloadable``: an image of its memories, or why they do not fit."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nn2hls.config.read import read_config
from nn2hls.design.about import CONFIG
from nn2hls.design.design import Design, convert
from nn2hls.design.projects import memories
from nn2hls.emit.reload import FILE, FIRMWARE, Memories
from nn2hls.emit.rtl_project import FOLDER
from nn2hls.errors import ModelError, ToolError
from nn2hls.guard import Guard
from nn2hls.hardware.reload import image, widths
from nn2hls.text import plural
from nn2hls.tools.boards.frames import image_words
from nn2hls.tools.record import read_json, record

_GUARD = Guard(ToolError, "The file")


def read_memories(folder: str | os.PathLike[str]) -> Memories:
    """What can be written into the design of a written project.

    Raises:
        ToolError: Nothing can, or the file is damaged.
    """
    for path in (Path(folder) / place / FILE for place in (FOLDER, FIRMWARE)):
        if _GUARD.status(path) is not None:
            return record(Memories, read_json(path), str(path))
    fix = "Set Weights: reloadable for its layers, and build it with: nn2hls build CONFIG --tool rtl, vitis or vivado."
    raise ToolError("This project has no weights that can be reloaded.", where=str(folder), fix=fix)


def reloaded(folder: str | os.PathLike[str], model: Any, example: Any = None) -> Design:
    """The design of a written project with the weights of another model: its emulator is what the hardware answers with them.

    Args:
        folder: The project.
        model: A file, or a live model; as for :func:`nn2hls.convert`.
        example: An example input, where the model is a PyTorch module.

    Raises:
        ToolError: The project has no such weights.
        ModelError: The model does not fit it; each layer and what is wrong with it is named.
    """
    built, place = read_memories(folder), Path(folder) / CONFIG
    config = dataclasses.replace(read_config(place), model=None, weights=None, input_data=None, output_predictions=None)
    design = convert(model, config, example=example)
    new = _memories_of(design)
    wrong = list(_wrong(built, new, design))
    if wrong:
        fix = "Train it with these shapes and types, or build a design for it."
        raise ModelError("\n  ".join(["These weights do not fit the design:", *wrong]) + "\n", where=str(folder), fix=fix)
    return design


def _memories_of(design: Design) -> Memories | None:
    """Those of the project that a design is written as."""
    files = design.project.files
    found = next((files[path] for path in (f"{FOLDER}/{FILE}", f"{FIRMWARE}/{FILE}") if path in files), None)
    return None if found is None else record(Memories, json.loads(found), FILE)


def weights_image(design: Design) -> str:
    """The words of a design's memories as Verilog's $readmemh reads them: an address and the bits of its word in each line."""
    return image(memories(design.sizer))


def load(design: Design, text: str) -> int:
    """Write an image into the memories of a design's compiled C++, which answers with these weights from then on.

    Args:
        design: A design with ``Weights: reloadable``, for Vitis or Vivado; it is compiled if it is not yet.
        text: Of a file of ``nn2hls weights``.

    Returns:
        Words that were written.

    Raises:
        ToolError: The C++ has no such memories, or the text is no image for them.
    """
    found = memories(design.sizer)
    compiled = (design if design._compiled else design.compile())._compiled
    if not found or compiled is None:
        fix = "Set Weights: reloadable for its layers, and Backend: Vitis or Vivado."
        raise ToolError("The C++ of this design has no weights that can be written.", fix=fix)
    words = image_words(text, *widths(found))
    compiled.write(words)
    return len(words)


def _wrong(built: Memories, new: Memories | None, design: Design) -> Iterator[str]:
    """What does not fit, by layer."""
    have = {layer.name: layer for layer in (new.layers if new else ())}
    for layer in built.layers:
        if layer.name not in have:
            yield f"{layer.name}: the model has no such layer"
            continue
        mine = have.pop(layer.name)
        if mine.shape != layer.shape:
            yield f"{layer.name}: its weights have the shape {mine.shape}, the design's {layer.shape}"
            continue
        for word in ("weight", "bias"):
            if (own := getattr(mine, word)) != (theirs := getattr(layer, word)):
                yield f"{layer.name}: its {word} type is {own}, the design's {theirs}"
        yield from _outside(layer.name, design)
    yield from (f"{name}: the design has no such layer" for name in have)
    digests = new.digests if new else {}
    same = {layer.name for layer in built.layers}
    for name in [*built.digests, *(n for n in digests if n not in built.digests)]:
        if built.digests.get(name) != digests.get(name) and name and (name not in same or _fits(built, new, name)):
            yield f"{name}: it is not what was built, and cannot be reloaded"
    if built.digests.get("") != digests.get("") and built.digests.keys() == digests.keys():
        yield "the layers are not connected, or not in the clocks, as they were built"


def _fits(built: Memories, new: Memories | None, name: str) -> bool:
    """Whether a layer's memories are alike in both, so that something else of it is not."""
    pairs = zip(*([x for x in m.layers if x.name == name] for m in (built, new) if m), strict=False)
    return any(a == b for a, b in pairs)


def _outside(name: str, design: Design) -> Iterator[str]:
    """The weights that their type does not hold."""
    op = design.float_graph[name].op
    assert op.linear is not None
    fixed = design.graph[name].op.memory_types()
    for word, values, kind in zip(("weight", "bias"), op.linear, fixed, strict=True):
        mantissas = np.rint(np.asarray(values, dtype=np.float64) * 2.0**kind.fraction)
        outside = (mantissas < kind.min_mantissa) | (mantissas > kind.max_mantissa)
        if outside.any():
            worst = float(values.flat[int(np.abs(np.where(outside, values, 0)).argmax())])
            what = plural(int(outside.sum()), word)
            yield f"{name}: {what} outside {kind}, which holds {kind.min:g} to {kind.max:g}: the farthest is {worst:g}"
