"""``nn2hls plot``: figures of a design as files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn2hls.commands.base import (
    Command,
    Result,
    UsageError,
    config_arguments,
    input_arguments,
    input_data,
    label_data,
    make_design,
    metric_arguments,
)

if TYPE_CHECKING:
    from nn2hls.design.design import Design

_ALONE = ("network", "profile", "resources", "timeline")  # figures that need no data
_WITH_DATA = ("noise", "ranges", "scatter")
_WITH_LABELS = ("classes", "roc", "confusion")
FIGURES = (*_ALONE, *_WITH_DATA, *_WITH_LABELS)


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser)
    input_arguments(parser)
    metric_arguments(parser, "class numbers or one-hot rows; once for each output", several=True)
    parser.add_argument("--classes", metavar="NAMES", help="what the numbers of classes stand for, with commas")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="where to write the figures")
    words = f"with commas, of {', '.join(FIGURES)}, scan, search (default: all that there is data for)"
    parser.add_argument("--only", metavar="WORDS", default="", help=words)
    words = "png, svg or pdf (default: png)"
    parser.add_argument("--format", metavar="WORD", choices=("png", "svg", "pdf"), default="png", help=words)
    for name in ("scan", "search"):
        parser.add_argument(f"--{name}", metavar="FILE", type=Path, help=f"what `nn2hls {name} --json` has printed")


def _run(args: Namespace) -> Result:
    from nn2hls.figures.style import save_all

    wanted = [word for word in args.only.split(",") if word]
    _check(wanted, args)
    design = make_design(args)
    there = {**_of_design(args, design, wanted), **_of_files(args)}
    figures = {name: make() for name, make in there.items() if not wanted or name in wanted}
    paths = save_all(figures, args.output, f".{args.format}")
    return Result({"written": list(map(str, paths))}, "".join(f"wrote {path}\n" for path in paths), design.notes)


def _check(wanted: list[str], args: Namespace) -> None:
    """Raises UsageError for figures that do not exist, or lack what they show."""
    from nn2hls.errors import suggest

    known = (*FIGURES, "scan", "search")
    for word in wanted:
        if word not in known:
            fix = suggest(word, known) or f"Known are {', '.join(known)}."
            raise UsageError(f"There is no figure '{word}'.", where="--only", fix=fix)
    if any(word in _WITH_LABELS for word in wanted) and not args.labels:
        raise UsageError("These figures need labels.", where="--only", fix="Add --labels FILE.")
    for word in ("scan", "search"):
        if word in wanted and getattr(args, word) is None:
            raise UsageError(f"This figure is of a {word}.", where="--only", fix=f"Add --{word} FILE.")


def _of_design(args: Namespace, design: Design, wanted: list[str]) -> Mapping[str, Callable[[], Any]]:
    """How to make each figure that there is data for."""
    plots = design.plot
    found: dict[str, Callable[[], Any]] = {"network": plots.network, "resources": plots.resources, "timeline": plots.timeline}
    run = args.input or design.config.input_data
    if not run and not any(word in _WITH_DATA for word in wanted):
        return {**found, "profile": plots.profile}
    data = input_data(args, design.config, design.graph)
    names = [name.strip() for name in args.classes.split(",")] if args.classes else []
    labels = label_data(args, design.graph.outputs)
    comparison = design.compare(data, labels, metric=args.metric, threshold=args.threshold)
    found |= {"profile": lambda: plots.profile(data), "scatter": lambda: plots.scatter(data, names)}
    found |= {"noise": comparison.plot.noise, "ranges": comparison.plot.ranges}
    if any(output.classes for output in comparison.outputs):
        found["classes"] = lambda: comparison.plot.classes(names)
        found["roc"] = lambda: plots.roc(data, labels, names)
        found["confusion"] = lambda: plots.confusion(data, labels, names)
    return found


def _of_files(args: Namespace) -> Mapping[str, Callable[[], Any]]:
    from nn2hls.figures.sets import DesignsPlots
    from nn2hls.report.given import read_scan, read_search

    found: dict[str, Callable[[], Any]] = {}
    if args.scan:
        found["scan"] = DesignsPlots(read_scan(args.scan)["points"]).pareto
    if args.search:
        search = read_search(args.search)
        found["search"] = DesignsPlots(search["front"], search["chosen"]).pareto
    return found


COMMAND = Command(
    "plot",
    "draw the network, types, accuracy, size and schedule of a design",
    _arguments,
    _run,
    "A figure is written for all that there is data for: profiles of weights and values before the range of their types,\n"
    "noise of each layer, float against fixed, classes, ROC, resources, timeline, and the fronts of a scan or search.",
)
