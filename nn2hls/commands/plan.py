"""``nn2hls plan``: the reuse factors each layer can have; with limits, the ones that meet them."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn2hls.commands.base import (
    Command,
    Result,
    UsageError,
    config_arguments,
    config_target,
    input_arguments,
    input_data,
    label_data,
    load_graph,
    metric_arguments,
    read,
)

if TYPE_CHECKING:
    from nn2hls.config.config import Config
    from nn2hls.design.design import Design
    from nn2hls.graph.graph import Graph
    from nn2hls.size.choices import Sizer
    from nn2hls.size.solver import Limits
    from nn2hls.size.streams import StreamSizer
    from nn2hls.trials.widths import Narrowed

_LIMITS = {
    "target_ii": ("ii", "CLOCKS", "clocks between two inputs, at most"),
    "max_latency": ("latency", "CLOCKS", "clocks from input to output, or a time such as 75ns"),
    "max_dsp": ("dsp", "N", "DSP slices, or a share of the part such as 50%%"),
    "max_lut": ("lut", "N", "LUTs after synthesis, or a share"),
    "max_ff": ("ff", "N", "flip-flops after synthesis, or a share"),
    "max_bram": ("bram", "N", "block RAMs of 18 Kbit, or a share"),
}


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser, leave_out=["reuse"])
    parser.add_argument("--reuse", metavar="RANGE", dest="shown", default="", help="reuse factors to show too, such as 1..64")
    group = parser.add_argument_group("limits: with any of them, reuse factors are picked")
    for name, (_, metavar, text) in _LIMITS.items():
        group.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
    group.add_argument("--fit", action="store_true", help="no limit but the part: the fastest design that fits")
    words = "lower MaxWidth, too, as far as the design loses no more than that on --input against float, in per cent"
    group.add_argument("--max-loss", metavar="POINTS", type=float, help=words)
    input_arguments(parser)
    metric_arguments(parser, "with --max-loss: class numbers, one-hot rows, or values of the first output")
    group.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the config with the reuse factors picked")
    group.add_argument("--force", action="store_true", help="write over a file that is there")


def _run(args: Namespace) -> Result:
    from nn2hls.design.design import convert
    from nn2hls.scan.run import parse_reuses

    config = read(args)
    graph = load_graph(config)
    named = parse_reuses(args.shown)
    solving = args.fit or any(getattr(args, name) is not None for name in _LIMITS)
    if args.output and not solving:
        raise UsageError(
            "There is nothing to write: no reuse factors are picked without a limit.", fix="Add --fit, or a limit."
        )
    target = config_target(args)
    narrowed = _narrowed(args, graph, config, solving)
    design = convert(graph, config if narrowed is None else narrowed.config)
    return _with_loss(_planned(args, design, graph, named, solving, target), narrowed)


def _narrowed(args: Namespace, graph: Graph, config: Config, solving: bool) -> Narrowed | None:
    """The narrowest types that --max-loss allows; None without it."""
    if args.max_loss is None:
        given = next((name for name in ("input", "labels", "metric", "threshold") if getattr(args, name) is not None), None)
        if given:
            raise UsageError("Only types that give way are judged.", where=f"--{given}", fix="Add --max-loss POINTS.")
        return None
    if not solving or not 0 <= args.max_loss <= 100:
        what = "Types give way to a limit." if not solving else "A loss is between 0 and 100 per cent."
        raise UsageError(what, where="--max-loss", fix="Add --fit, or a limit." if not solving else "Write --max-loss 0.5.")
    from nn2hls.trials.network import Network
    from nn2hls.trials.widths import narrowest

    data, labels = input_data(args, config, graph), label_data(args, graph.outputs[:1])
    network = Network.prepare(graph, config, data, labels, args.metric, args.threshold)
    return narrowest(network, args.max_loss / 100)


def _with_loss(result: Result, narrowed: Narrowed | None) -> Result:
    if narrowed is None:
        return result
    return replace(result, document={**result.document, "precision": narrowed.to_dict()}, text=f"{narrowed}\n{result.text}")


def _planned(args: Namespace, design: Design, graph: Graph, named: list[int], solving: bool, target: Path | None) -> Result:
    """The choices of a design, or what its limits lead to."""
    if design.streams is not None:
        if named:
            raise UsageError(
                "--reuse shows further reuse factors of io_parallel.", fix="Leave it out, or set IOType: io_parallel."
            )
        return _of_streams(design, design.streams, graph, args if solving else None, target)
    if not solving:
        return _list(design.sizer, named, design.notes)
    limits = _limits(args, design.sizer)
    return _solve(design, graph, limits, named, target)


def _list(sizer: Sizer, named: list[int], notes: tuple[str, ...]) -> Result:
    found = [sizer.choices(name, named) for name in sizer.reusable]
    head = f"{sizer.part.name}, {sizer.clock_ns:g} ns. Each layer alone; LUT and FF after synthesis; latency in clocks.\n\n"
    document = {"part": sizer.part.name, "clock_ns": sizer.clock_ns, "layers": [layer.to_dict() for layer in found]}
    body = "\n".join(layer.text() for layer in found) or "No layer has a reuse factor.\n"
    return Result(document, head + body, notes)


def _of_streams(design: Design, sizer: StreamSizer, graph: Graph, args: Namespace | None, target: Path | None) -> Result:
    """Of a design in streams: with limits positions and reuse factors; without, the pace of every layer."""
    from nn2hls.size.stream_solver import StreamSolver

    if args is None:
        return Result(sizer.fifos.to_dict(), str(sizer.fifos), design.notes)
    found = StreamSolver(sizer).solve(_limits(args, sizer))
    shown = str(found)
    if target:
        _write(design, graph, found.settings(), target)
        shown += f"\nwrote {target}\nnext: nn2hls convert {target}\n"
    return Result({**found.to_dict(), "written": str(target) if target else None}, shown, design.notes)


def _limits(args: Namespace, sizer: Sizer | StreamSizer) -> Limits:
    from nn2hls.size.solver import Limits

    part = {"dsp": sizer.part.dsp, "lut": sizer.part.lut, "ff": sizer.part.ff, "bram": sizer.part.bram18}
    found: dict[str, int] = {}
    for name, (measure, _, _) in _LIMITS.items():
        text = getattr(args, name)
        if text is None:
            continue
        match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*(ns|%)?", text)
        unit = match[2] if match else None
        if match is None or (unit == "ns" and measure != "latency") or (unit == "%" and measure not in part):
            raise UsageError(
                f"'{text}' is no limit.", where=f"--{name.replace('_', '-')}", fix="Write a whole number" + _units(measure)
            )
        value = float(match[1])
        scale = {"ns": 1 / sizer.clock_ns, "%": part.get(measure, 0) / 100, None: 1.0}[unit]
        found[measure] = int(value * scale + 1e-9)
    return Limits(**found)


def _units(measure: str) -> str:
    if measure == "ii":
        return "."
    return ", or a time such as 75ns." if measure == "latency" else ", or a share of the part such as 50%."


def _solve(design: Design, graph: Graph, limits: Limits, named: list[int], target: Path | None) -> Result:
    from nn2hls.size.solution import document, text
    from nn2hls.size.solver import Solver

    found = Solver(design.sizer, named).solve(limits)
    data: dict[str, Any] = {**document(found), "written": str(target) if target else None}
    shown = text(found)
    if target:
        verilog = design.config.backend == "Verilog"
        _write(design, graph, {k: x.settings() if verilog else {"reuse": x.reuse} for k, x in found.layouts.items()}, target)
        shown += f"\nwrote {target}\nnext: nn2hls convert {target}\n"
    return Result(data, shown, design.notes)


def _write(design: Design, graph: Graph, found: Mapping[str, Mapping[str, Any]], target: Path) -> None:
    """The config with settings of nodes, by name."""
    from nn2hls.config.write import to_yaml
    from nn2hls.files import write_whole

    known = {n.name for n in graph}
    settings = {name if name in known else design.graph[name].origin.layer: own for name, own in found.items()}
    config = design.config.with_settings(settings, str(target))
    write_whole(target, to_yaml(config, graph, target.parent.absolute()))


COMMAND = Command(
    "plan",
    "list each layer's reuse factors, or pick the ones that meet limits",
    _arguments,
    _run,
    "With a limit on II or latency the smallest design is picked, else the fastest. The part is a limit, too. With io_stream\n"
    "positions side by side are picked as well.",
)
