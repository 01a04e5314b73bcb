"""``nn2hls passes``: the list of passes, and the graph after one of them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from nn2hls.commands.base import Command, Result, UsageError, config_arguments, load_graph, read


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--print-after", metavar="PASS", help="show the graph of CONFIG after this pass; 'load': as it was read"
    )
    parser.add_argument("--no-names", action="store_true", help="number the nodes, so that equal networks print equally")
    config_arguments(parser, optional=True)


def _run(args: Namespace) -> Result:
    from nn2hls.errors import suggest
    from nn2hls.passes import PIPELINE
    from nn2hls.text import table

    names = ["load", *(p.name for p in PIPELINE)]
    wanted = args.print_after
    if wanted is None:
        rows = [[p.name, "fixed" if p.typed else "float", p.why] for p in PIPELINE]
        listed = [{"name": p.name, "graph": "fixed" if p.typed else "float", "why": p.why} for p in PIPELINE]
        return Result({"passes": listed}, table(["pass", "graph", "why here"], rows))
    if wanted not in names:
        fix = suggest(wanted, names) or f"Known are {', '.join(names)}."
        raise UsageError(f"There is no pass '{wanted}'.", fix=fix)
    if args.config is None:
        raise UsageError("--print-after needs a CONFIG.", fix="Name a YAML config or a model file.")
    text = _graph_after(args, wanted)
    return Result({"pass": wanted, "graph": text}, text)


def _graph_after(args: Namespace, wanted: str) -> str:
    from nn2hls.design.design import convert

    config = read(args)
    graph = load_graph(config)
    shown = {"load": graph.text(names=not args.no_names)}
    if wanted != "load":
        convert(graph, config, after=lambda name, g: shown.__setitem__(name, g.text(names=not args.no_names)))
    return shown[wanted]


COMMAND = Command("passes", "list the passes, or show the graph after one", _arguments, _run)
