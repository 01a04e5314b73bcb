"""``nn2hls weights``: other weights for a design that was built with ``Weights: reloadable``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nn2hls.commands.base import Command, Made, Result


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("project", metavar="DIR", type=Path, help="the project, as convert or build wrote it")
    parser.add_argument("model", metavar="MODEL", type=Path, help="the model with the new weights: .keras, .h5, .onnx or .pt2")
    words = "the image: an address and a word in each line, as Verilog's $readmemh reads it"
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help=words)


def _run(args: Namespace) -> Result:
    from nn2hls.design.reload import read_memories, reloaded, weights_image
    from nn2hls.files import write_whole
    from nn2hls.text import plural

    built = read_memories(args.project)
    design = reloaded(args.project, str(args.model))
    text, place = weights_image(design), args.output.expanduser()
    write_whole(place, text)
    words, names = len(text.splitlines()), [layer.name for layer in built.layers]
    document = {"output": str(place), "words": words, "layers": names}
    said = f"wrote {plural(words, 'word')} for {', '.join(names)} to {place}\n"
    return Result(document, said, design.notes, made=Made("weights", place, (args.model,), (place,)))


COMMAND = Command(
    "weights",
    "an image of other weights for a built design",
    _arguments,
    _run,
    "Layers with Weights: reloadable take the model's weights; whatever else of it is not as it was built is refused by name.",
)
