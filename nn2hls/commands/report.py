"""``nn2hls report``: what every tool made of a project, against the estimate; and all that is known of it as a page."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nn2hls.commands.base import Command, Result, UsageError, config_arguments, load_graph, read, refuse_options

if TYPE_CHECKING:
    from nn2hls.report.project import Today
    from nn2hls.report.written import Written

_OF_PAGES = ("input", "labels", "classes", "scan", "search")  # options that only a page shows


def _arguments(parser: ArgumentParser) -> None:
    config_arguments(parser, name="DIR|CONFIG", words="a project's folder, or the config whose OutputDir it is")
    parser.add_argument("--markdown", action="store_true", help="write Markdown instead of text")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the report to a file, as Markdown")
    group = parser.add_argument_group("a page for the browser, of all that is known")
    group.add_argument("--html", metavar="FILE", type=Path, help="where to write it; nothing in it is loaded from elsewhere")
    words = "data to compare with float: a file per input, or one .npz (default: InputData of CONFIG)"
    group.add_argument("--input", metavar="FILE", nargs="+", type=Path, help=words)
    words = "class numbers, one-hot rows, or values; once for each output"
    group.add_argument("--labels", metavar="[OUTPUT=]FILE", action="append", help=words)
    group.add_argument("--classes", metavar="NAMES", help="what the numbers of classes stand for, with commas")
    for name in ("scan", "search"):
        words = f"what `nn2hls {name} --json` has printed; more than once for several"
        group.add_argument(f"--{name}", metavar="FILE", type=Path, action="append", help=words)


def _run(args: Namespace) -> Result:
    if args.html:
        from nn2hls.commands.page import run

        return run(args)
    given = next((name for name in _OF_PAGES if getattr(args, name)), None)
    if given:
        raise UsageError("Only a page shows this.", where=f"--{given}", fix="Add --html FILE.")
    return _tools(args)


def _tools(args: Namespace) -> Result:
    """What tools have made of the project."""
    from nn2hls.files import write_whole
    from nn2hls.report.project import project_report
    from nn2hls.report.text import report_markdown, report_text, summary
    from nn2hls.report.written import open as open_project

    if args.output and args.output.suffix.lower() != ".md":
        raise UsageError("A report is written as .md.", where=str(args.output), fix="For JSON use --json and a redirection.")
    project: Written | None = None
    notes: tuple[str, ...] = ()
    if args.config.is_dir():
        refuse_options(args)
        project = open_project(args.config)
        if not project.tools:
            return Result({"project": project.to_dict()}, project.text(), ok=project.ok)
        report = project_report(args.config, damage=[])
    else:
        folder, today, notes = _today(args)
        report = project_report(folder, today)
    if args.output:
        write_whole(args.output, report_markdown(report))
        text = f"{summary(report)}\nwrote {args.output}\n"
    else:
        about = project.text() + "\n" if project and not args.markdown else ""
        text = report_markdown(report) if args.markdown else about + report_text(report)
    document = {**report.to_dict(), "written": str(args.output) if args.output else None}
    ok = report.ok and (project is None or project.ok)
    return Result(document | ({"project": project.to_dict()} if project else {}), text, notes, ok=ok)


def _today(args: Namespace) -> tuple[Path, Today, tuple[str, ...]]:
    """The folder of a config's project, what the config makes today, and its notes."""
    from nn2hls.design.design import convert
    from nn2hls.report.project import Today
    from nn2hls.tools.folder import Manifest

    config = read(args)
    folder = Path(config.output_dir)
    manifest = Manifest.read(folder)
    if manifest is not None and args.backend is None:  # build --tool decides for which tool the sources are written
        args.backend = manifest.backend
        config = read(args)
    design = convert(load_graph(config), config)
    return folder, Today(str(args.config), design.project.digest, design.estimate()), design.notes


COMMAND = Command(
    "report",
    "one report of what every tool made of a project, against the estimate",
    _arguments,
    _run,
    "It reads reports/*.json of the project and what AMD's tools left there, wherever they ran. With a CONFIG the estimate is\n"
    "that of today, and a project that the config would not write any more is stale. Ends with 1 when something is stale,\n"
    "failed, differs from the emulator or misses its clock. With --html no project is needed: the page shows the network, its\n"
    "types, accuracy, size and schedule, what tools made of it where they did, and says what is missing.",
)
