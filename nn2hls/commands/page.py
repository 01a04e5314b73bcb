"""``nn2hls report --html``: gathers all that is known of a design, and says of what is not there how to have it."""

from __future__ import annotations

import shlex
import warnings
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn2hls.commands.base import Result, UsageError, input_data, label_data, load_graph, options_given, read, refuse_options
from nn2hls.errors import ConversionWarning, Nn2hlsError

if TYPE_CHECKING:
    from nn2hls.design.design import Design
    from nn2hls.report.document import Gathered


def run(args: Namespace) -> Result:
    """Write the page; the result's document is the one inside it."""
    from nn2hls.files import write_whole
    from nn2hls.report.document import Gathered, document
    from nn2hls.report.given import read_scan, read_search
    from nn2hls.report.page import page
    from nn2hls.text import plural

    _check(args)
    names = [name.strip() for name in args.classes.split(",")] if args.classes else []
    found = Gathered(class_names=names)
    found.scans = [read_scan(path) for path in args.scan or ()]
    found.searches = [read_search(path) for path in args.search or ()]
    folder = _network(args, found)
    _tools(args, folder, found)
    _compare(args, found)
    found.commands = _commands(args, folder, found)
    data = document(found)
    text = page(data)
    write_whole(args.html, text)
    said = "".join(f"missing: {line}\n" for line in found.missing)
    size = f"{len(text.encode()) / 1e6:.2f} MB, {plural(len(data['layers']), 'layer')}"
    notes = found.design.notes if found.design else ()
    return Result({**data, "written": str(args.html)}, f"{said}wrote {args.html}: {size}\n", notes, ok=found.ok)


def _check(args: Namespace) -> None:
    """Raises UsageError when options do not go together."""
    if args.html.suffix.lower() not in (".html", ".htm"):
        raise UsageError("A page is written as .html.", where=str(args.html))
    if args.markdown or args.output:
        where = "--markdown" if args.markdown else "--output"
        raise UsageError("A page is no Markdown.", where=where, fix="Leave it out, or --html.")
    if args.labels and not args.input and args.config.is_dir():
        raise UsageError("These labels are of no data.", where="--labels", fix="Add --input FILE.")
    if args.config.is_dir():
        refuse_options(args)


def _network(args: Namespace, found: Gathered) -> Path:
    """Convert the network, by the config or by the one in the folder; the folder of the project is returned."""
    if not args.config.is_dir():
        config = read(args)
        _for_folder(args, Path(config.output_dir))
        found.design = _convert(args)
        return Path(config.output_dir)
    folder: Path = args.config
    args.config = folder / "config.yml"
    try:
        if not args.config.is_file():
            raise Nn2hlsError("The folder has no config.yml, which says how it was made.", where=str(folder))
        _for_folder(args, folder)
        found.design = _convert(args)
    except Nn2hlsError as error:
        found.missing.append(f"The network, its types and its estimate. {error}")
    return folder


def _for_folder(args: Namespace, folder: Path) -> None:
    """The back end that the project in the folder is for: build --tool decides for which tool the sources are written."""
    from nn2hls.tools.folder import Manifest

    try:
        manifest = Manifest.read(folder)
    except Nn2hlsError:
        return  # said by the project's own report
    if manifest is not None and args.backend is None:
        args.backend = manifest.backend


def _convert(args: Namespace) -> Design:
    from nn2hls.design.design import convert

    config = read(args)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConversionWarning)  # they are among the notes of the page
        return convert(load_graph(config), config)


def _tools(args: Namespace, folder: Path, found: Gathered) -> None:
    """What tools made of the project, as far as it can be read."""
    from nn2hls.report.project import Today, project_report

    damage: list[Nn2hlsError] = []
    design = found.design
    today = Today(str(args.config), design.project.digest, design.estimate()) if design else None
    try:
        found.project = project_report(folder, today, damage)
    except Nn2hlsError as error:
        damage = damage or [error]
    found.missing += [f"Of tools: {error}" for error in damage]


def _compare(args: Namespace, found: Gathered) -> None:
    """Float against fixed, where there is data."""
    design = found.design
    if design is None:
        return
    if not args.input and design.config.input_data is None:
        found.missing.append("Accuracy, ranges and noise: there is no data to run. Add --input FILE, and --labels FILE.")
        return
    try:
        data = input_data(args, design.config, design.graph)
        found.comparison = design.compare(data, label_data(args, design.graph.outputs))
    except Nn2hlsError as error:
        if args.input or not args.config.parent.samefile(Path(design.config.output_dir)):
            raise
        found.missing.append(f"Accuracy, ranges and noise. {error}")
    if not args.labels:
        found.missing.append("Accuracy by labels: there are none. Add --labels FILE.")


def _commands(args: Namespace, folder: Path, found: Gathered) -> dict[str, str]:
    """What to type to have all this again."""
    config = str(args.config)
    options = [w for o in options_given(args) if o != "--backend" for w in (o, str(getattr(args, _field(o))))]
    data = ["--input", *map(str, args.input)] if args.input else []
    data += [w for label in args.labels or () for w in ("--labels", str(label))]
    rest = ["--classes", args.classes] if args.classes else []
    rest += [w for name in ("scan", "search") for path in getattr(args, name) or () for w in (f"--{name}", str(path))]
    lines: dict[str, Any] = {"This page": ["report", config, *options, "--html", str(args.html), *data, *rest]}
    if found.design:
        lines["The project"] = ["convert", config, *options, "-o", str(folder)]
        lines["The estimate"] = ["estimate", config, *options]
    if found.comparison:
        lines["Float against fixed"] = ["compare", config, *options, *data]
    for tool in found.project.tools if found.project else ():
        lines[f"What {tool.report.tool} made of it"] = _build(config, options, tool.report.tool, folder)
    if found.design and not found.project:
        lines["Its test bench, compiled and run here"] = _build(config, options, "csim", folder)
    return {what: shlex.join(["nn2hls", *words]) for what, words in _known(lines).items()}


def _build(config: str, options: list[str], tool: str, folder: Path) -> list[str]:
    return ["build", config, *options, "--tool", tool, "-o", str(folder)]


def _known(lines: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    return {what: [word for word in words if word] for what, words in lines.items()}


def _field(option: str) -> str:
    return option[2:].replace("-", "_")
