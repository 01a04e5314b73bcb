"""What commands share: their result, the CONFIG argument with its options, and data."""

from __future__ import annotations

import os
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn2hls.design.kept import files_of
from nn2hls.errors import Nn2hlsError

if TYPE_CHECKING:
    import numpy as np

    from nn2hls.config.config import Config
    from nn2hls.design.design import Design
    from nn2hls.graph.graph import Graph

CONFIG_SUFFIXES = (".yml", ".yaml")


class UsageError(Nn2hlsError):
    """The command line asks for something that does not fit together."""


@dataclass(frozen=True)
class Made:
    """What a command wrote, for the history beside it.

    Args:
        kind: The command.
        place: The file or folder that has the history.
        inputs, outputs: Files that went in and came out.
        seed: Of what was drawn.
    """

    kind: str
    place: Path
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    seed: int | None = None


@dataclass(frozen=True)
class Result:
    """What a command found.

    Args:
        document: For ``--json``.
        text: For people.
        notes: For the standard error, beside either.
        ok: False when what was asked for does not hold.
        made: What the history keeps; None where nothing was written.
    """

    document: Mapping[str, Any]
    text: str
    notes: tuple[str, ...] = ()
    ok: bool = True
    made: Made | None = None


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        name: The word on the command line.
        help: One line.
        arguments: Adds the arguments to its parser.
        run: Does it.
        more: Further lines of its own help.
    """

    name: str
    help: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], Result]
    more: str = field(default="")


def config_arguments(
    parser: ArgumentParser,
    *,
    optional: bool = False,
    several: bool = False,
    leave_out: Sequence[str] = (),
    name: str = "CONFIG",
    words: str = "a YAML config, or a model file (.keras .h5 .json .onnx .pt2)",
) -> None:
    """CONFIG and the options that come before what it says, but for those that the command reads in its own way."""
    count = "+" if several else "?" if optional else None
    parser.add_argument("config", metavar=name, nargs=count, type=Path, help=words)
    group = parser.add_argument_group("in place of what CONFIG says")
    for option, (metavar, kind, text) in _IN_PLACE.items():
        if option not in leave_out:
            group.add_argument(f"--{option}", metavar=metavar, type=kind, help=text)


def options_given(args: Namespace) -> list[str]:
    """The options in place of what CONFIG says that the command line has."""
    return [f"--{name}" for name in _IN_PLACE if getattr(args, name.replace("-", "_"), None) is not None]


def refuse_options(args: Namespace) -> None:
    """A folder is as it is.

    Raises:
        UsageError: Options would change what it was made with.
    """
    given = options_given(args)
    if given:
        fix = "Give the config in place of the folder, or leave it out."
        raise UsageError("A folder's reports are as they are.", where=given[0], fix=fix)


_IN_PLACE: dict[str, tuple[str, type, str]] = {
    "weights": ("FILE", Path, "weights of a Keras architecture in .json"),
    "precision": ("TYPE", str, "type of inputs, weights, biases and results, such as 'ap_fixed<16,6>'"),
    "reuse": ("N", str, "reuse factor of all layers without their own"),
    "strategy": ("WORD", str, "Latency, Resource or DistributedArithmetic"),
    "adder-depth": ("N", str, "additions beyond the fewest on the longest way, with DistributedArithmetic"),
    "part": ("PART", str, "the device"),
    "bambu-device": ("DEVICE", str, "what Bambu builds for in place of the device, by Bambu's name"),
    "clock": ("NS", str, "clock period"),
    "backend": ("TOOL", str, "Vivado, Vitis, Bambu or Verilog"),
    "calibration": ("FILE", Path, "data that may set types"),
    "io-type": ("WORD", str, "io_parallel or io_stream"),
    "fifo": ("WORD", str, "depths of queues in streams: fast, which keep the pace, or tight, the least without deadlock"),
    "max-width": ("BITS", str, "no derived type is wider"),
    "target-sqnr": ("DB", str, "signal to rounding noise that derived types keep"),
}


def plan_command(args: Namespace) -> str:
    """The command line that picks reuse factors for the same design, so that its part holds it."""
    words = ["nn2hls", "plan", str(args.config)]
    for option in options_given(args):
        if option != "--reuse":
            words += [option, str(getattr(args, option[2:].replace("-", "_")))]
    return f"`{shlex.join([*words, '--fit'])}`"


def worker_arguments(parser: ArgumentParser) -> None:
    """Where many designs run."""
    group = parser.add_argument_group("where it runs")
    group.add_argument("--jobs", metavar="N", type=int, help="local processes (default: one per core, where that saves time)")
    group.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, such as tcp://127.0.0.1:8786")


def progress() -> Callable[[int, int], None]:
    """A bar with the time that is left on the standard error, where that is a terminal; called with done and total."""
    from nn2hls.tools.waiting import Countdown

    return Countdown("designs")


def input_arguments(parser: ArgumentParser) -> None:
    """The data to run."""
    parser.add_argument(
        "--input",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="data to run, .npy .npz .csv .dat: a file per input, or one .npz (default: InputData of CONFIG)",
    )


def metric_arguments(parser: ArgumentParser, labels: str, *, several: bool = False, target: str = "") -> None:
    """What answers are judged by, and with which labels."""
    many = {"action": "append", "default": []} if several else {"type": Path}
    parser.add_argument("--labels", metavar="[OUTPUT=]FILE" if several else "FILE", help=labels, **many)
    names = "accuracy, agreement, auc of classes; mse, mae, sqnr of values (default: by what the output is)"
    parser.add_argument("--metric", metavar="NAME", help=names)
    parser.add_argument("--threshold", metavar="X", type=float, help="above it a single value answers yes (default: 0.5)")
    if target:
        parser.add_argument("--target", metavar="SCORE", type=float, help=target)


def label_data(args: Namespace, outputs: Sequence[str]) -> Any:
    """The labels of ``--labels``: one array of the only output, else a list with one or None per output; None without.

    Raises:
        UsageError: There are more files than outputs, or one output has two.
    """
    from nn2hls.data.files import load_labels
    from nn2hls.text import plural

    words = args.labels if isinstance(args.labels, list) else [args.labels] if args.labels else []
    if not words:
        return None
    if len(words) == 1 and not _named(words[0], outputs):
        found = load_labels(words[0], outputs)
        return found if len(outputs) > 1 else found[0]
    unnamed = iter([name for name in outputs if not any(_named(w, [name]) for w in words)])
    placed: dict[str, Any] = {}
    for word in words:
        name = _named(word, outputs) or next(unnamed, None)
        if name is None or name in placed:
            count = f"{plural(len(words), 'file')} for {plural(len(outputs), 'output')}"
            what = f"There are {count}." if name is None else f"'{name}' has two files."
            raise UsageError(what, where="--labels", fix=f"Outputs are {', '.join(outputs)}: --labels OUTPUT=FILE for each.")
        placed[name] = load_labels(str(word).removeprefix(f"{name}="), [name])[0]
    return [placed.get(name) for name in outputs]


def _named(word: Any, outputs: Sequence[str]) -> str | None:
    """The output that ``OUTPUT=FILE`` names."""
    return next((name for name in outputs if str(word).startswith(f"{name}=")), None)


_OUTPUTS = ("output", "record", "plot", "plots", "html", "svg")  # options that name what is written


def refuse_over_inputs(args: Namespace, more: Iterable[Path] = ()) -> None:
    """What a command writes never takes the place of what it reads, nor of another file that it writes.

    Args:
        args: The command line.
        more: Files beside those of the command line, as a config names them.

    Raises:
        UsageError: An output is also an input, or two outputs are one file.
    """
    written: dict[str, str] = {}
    asked = () if hasattr(args, "force") else _OUTPUTS  # such a command writes over no file, or was told to
    for name in [n for n in asked if getattr(args, n, None) is not None]:
        option, place = f"--{name}", os.path.realpath(getattr(args, name).expanduser())
        if place in written:
            raise UsageError(f"{written[place]} names this file, too.", where=option, fix="Give each a file of its own.")
        written[place] = option
    for path in [*_files_read(args), *more]:
        option = written.get(os.path.realpath(path.expanduser()), "")
        if option and path.is_file():
            raise UsageError(f"{path} is read: it is not written over.", where=option, fix="Give another name.")


def _files_read(args: Namespace) -> Iterator[Path]:
    """The files that the command line names, apart from outputs."""
    for name, value in vars(args).items():
        if name not in _OUTPUTS:
            words = value if isinstance(value, list) else [value]
            yield from (w for w in words if isinstance(w, Path))
            if name == "labels":
                yield from (Path(part) for w in words if isinstance(w, str) for part in (w, w.partition("=")[2]) if part)


def read(args: Namespace, path: Path | None = None, leave_out: Sequence[str] = ()) -> Config:
    """The config, with the options of the command line in place of its own.

    Args:
        args: The command line.
        path: The config; None: that of ``args.config``.
        leave_out: Options that the command reads in its own way.

    Raises:
        ConfigError: What the config says, or an option, is wrong.
        UsageError: The command would write over what it reads.
    """
    from nn2hls.config.config import Config
    from nn2hls.config.options import with_options
    from nn2hls.config.read import read_config

    path = path or args.config
    assert path is not None
    config = read_config(path) if path.suffix.lower() in CONFIG_SUFFIXES else Config(model=path)
    names = [name.replace("-", "_") for name in _IN_PLACE if name not in leave_out]
    found = with_options(config, {name: getattr(args, name, None) for name in names})
    refuse_over_inputs(args, files_of(found))
    return found


def config_target(args: Namespace) -> Path | None:
    """Where a command writes a config; None: nowhere.

    Raises:
        UsageError: The file is there already, or would not be read as a config.
    """
    target: Path | None = args.output
    if target is None:
        return None
    if target.suffix.lower() not in CONFIG_SUFFIXES:
        raise UsageError("A config is written as .yml.", where=str(target))
    if target.exists() and not args.force:
        raise UsageError("The file is there already.", where=str(target), fix="Add --force to write over it.")
    return target


def load_graph(config: Config) -> Graph:
    """The network of a config.

    Raises:
        UsageError: The config names no model.
    """
    from nn2hls.design.model import load_model

    if config.model is None and config.live is None:
        fix = (
            f"{config.name_a_model} Or give a model file in place of the config." if not config.unread else config.name_a_model
        )
        raise UsageError(config.unread or "The config names no model.", where=str(config.path), fix=fix)
    if config.model is not None and config.model.suffix.lower() == ".json" and config.weights is None:
        fix = f"Name the weights too: --weights {config.model.stem}_weights.h5, or KerasH5 in a config."
        raise UsageError("A .json file holds no weights.", where=str(config.model), fix=fix)
    return load_model(None, config)


def make_design(args: Namespace) -> Design:
    """The design of a command's CONFIG."""
    from nn2hls.design.design import convert
    from nn2hls.passes import PIPELINE
    from nn2hls.tools.waiting import tell

    config, done = read(args), list[str]()

    def after(name: str, graph: Graph) -> None:
        done.append(name)
        tell(f"converting, {name}: pass {len(done)} of {len(PIPELINE)}")

    tell("reading the model")
    graph = load_graph(config)
    design = convert(graph, config, after=after)
    tell(args.command)
    return design


def input_data(args: Namespace, config: Config, graph: Graph, *, states: bool = False) -> list[np.ndarray]:
    """The data of ``--input``, or of InputData: one array per input of the design; ``states``: those may be left out.

    Raises:
        UsageError: There is neither.
    """
    from nn2hls.data.files import load_inputs

    paths = args.input or ([config.input_data] if config.input_data else [])
    if not paths:
        raise UsageError("There is no data to run.", fix="Give --input FILE, or InputData in the config.")
    return load_inputs(paths, {n.name: n.shape for n in graph.inputs}, graph.states if states else ())
