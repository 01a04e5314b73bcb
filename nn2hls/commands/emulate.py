"""``nn2hls emulate``: what the design will answer, bit for bit."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.commands.base import Command, Result, UsageError, config_arguments, input_arguments, input_data, make_design

if TYPE_CHECKING:
    import numpy as np

_SHOWN = 5  # events printed


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to write the answers: .npy, .npz or .csv")


def _run(args: Namespace) -> Result:
    import numpy as np

    from nn2hls.emulate.states import left_out, own_outputs
    from nn2hls.text import one_line, plural

    design = make_design(args)
    data = input_data(args, design.config, design.graph, states=True)
    found = design.predict(data)
    names = own_outputs(design.graph) if left_out(design.graph, data) else design.graph.outputs
    answers = dict(zip(names, found if isinstance(found, list) else [found], strict=True))
    events = len(data[0])
    document = {
        "events": events,
        "outputs": {name: {"shape": list(a.shape), "first": a[:_SHOWN].tolist()} for name, a in answers.items()},
        "written": str(args.output) if args.output else None,
    }
    text = f"{plural(events, 'event')}\n"
    for name, a in answers.items():
        rows = np.array2string(a[:_SHOWN].reshape(min(events, _SHOWN), -1), precision=6, suppress_small=True, threshold=200)
        text += f"{one_line(name)}, first {min(events, _SHOWN)}:\n{rows}\n"
    if args.output:
        _save(args.output, answers)
        text += f"wrote {args.output}\n"
    return Result(document, text, design.notes)


def _save(path: Path, answers: dict[str, np.ndarray]) -> None:
    import numpy as np

    from nn2hls.files import write_whole

    kind = path.suffix.lower()
    if kind not in (".npy", ".npz", ".csv") or (len(answers) > 1 and kind != ".npz"):
        wanted = ".npz, which holds several outputs" if len(answers) > 1 else ".npy, .npz or .csv"
        raise UsageError(f"Answers are not written as '{kind}'.", where=str(path), fix=f"Give a name that ends in {wanted}.")
    if kind == ".npz":
        write_whole(path, lambda file: np.savez(file, **answers))  # type: ignore[arg-type]
        return
    (array,) = answers.values()
    if kind == ".npy":
        write_whole(path, lambda file: np.save(file, array))
    else:
        rows = array.reshape(len(array), -1)
        write_whole(path, lambda file: np.savetxt(file, rows, delimiter=",", fmt="%.17g"))


COMMAND = Command("emulate", "run data through the design, bit for bit, without a tool", _arguments, _run)
