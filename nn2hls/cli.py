"""The command line: ``nn2hls COMMAND``. Heavy imports happen inside the commands."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Sequence
from typing import IO, Any, NoReturn

from nn2hls._version import __version__
from nn2hls.commands import COMMANDS
from nn2hls.commands.base import Result, UsageError, refuse_over_inputs
from nn2hls.commands.examples import EXAMPLES
from nn2hls.errors import Nn2hlsError, suggest
from nn2hls.text import finite, fitted, one_line, plural, printable

OK, FAILED, USAGE = 0, 1, 2
INTERRUPTED = 130  # as shells say it of SIGINT


_FIRST = "Model and config are named without an option: nn2hls COMMAND FILE."
# Options of hls4ml's command line.
_OF_HLS4ML = {
    **dict.fromkeys(("-m", "--model", "-c", "--config"), _FIRST),
    "-w": "It is --weights here.",
    **dict.fromkeys(("-p", "--project", "-d", "--dir"), "OutputDir and ProjectName of the config name the project."),
    **dict.fromkeys(("-f", "--fpga", "-bo", "--board"), "It is --part here, for a device or a board."),
    "-ba": "It is --backend here.",
    **dict.fromkeys(("-g", "--granularity"), "Leave it out: every layer has types of its own."),
    "-x": "It is --precision here.",
    "-r": "It is --reuse here.",
    **dict.fromkeys(
        ("-s", "--synthesis", "-v", "--vsynth", "-e", "--export", "-a", "--all"), "Name the steps: nn2hls build --help."
    ),
}


_TELL = ("config", "convert", "report", "passes")  # commands that say every note, also to people
_COLOURS = (
    (re.compile(r"\b(?:DOES NOT FIT|FAILED|DIFFERENT|STALE|CONTRADICTION|clock NOT met|NOTHING was compared)\b"), "1;31"),
    (re.compile(r"^warning:", re.M), "1;33"),
    (re.compile(r"^note:", re.M), "36"),
    (re.compile(r"\bare equal\b|\ball as the emulator\b|(?<=  )ok(?=  |$)", re.M), "32"),
    (re.compile(r"^wrote |^next: ", re.M), "2"),
)


class _Parser(argparse.ArgumentParser):
    """argparse with a suggestion for every misspelt word."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def error(self, message: str) -> NoReturn:
        match = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if match:
            hint = suggest(match[1], re.findall(r"[\w.+-]+", match[2]))
            message = f"{message.split(':')[0]}: there is no '{match[1]}'. {hint or 'Known are ' + match[2] + '.'}"
        self.exit(USAGE, f"{self.prog}: {printable(message)}\nTry: {self.prog} --help\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """End over arguments that nobody takes."""
        word = unknown[0].split("=")[0]
        if word in _OF_HLS4ML:
            self.error(f"'{word}' is hls4ml's. {_OF_HLS4ML[word]}")
        known = [s for action in self._actions for s in action.option_strings if s.startswith("--")]
        hint = suggest(word, known) if word.startswith("-") else ""
        self.error(f"'{unknown[0]}' is not understood. {hint}".rstrip())


def parser() -> tuple[argparse.ArgumentParser, dict[str, _Parser]]:
    """The parser, and that of each command."""
    lines = "\n".join(f"  {c.name:10} {c.help}" for c in COMMANDS)
    top = _Parser(
        prog="nn2hls",
        usage="nn2hls COMMAND [CONFIG] [options]",
        description="Trained neural networks to verified, sized FPGA designs.",
        epilog=f"commands:\n{lines}\n\nnn2hls help COMMAND explains a command. CONFIG is a YAML file or a model file.",
    )
    top.add_argument("--version", action="version", version=f"nn2hls {__version__}")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", help=argparse.SUPPRESS)
    own = {}
    for command in COMMANDS:
        shown = "".join(f"\n  {line}" for line in EXAMPLES[command.name])
        sub = subparsers.add_parser(
            command.name,
            prog=f"nn2hls {command.name}",
            description=f"{command.help}\n{command.more}",
            epilog=f"examples:{shown}",
        )
        command.arguments(sub)
        sub.add_argument("--json", action="store_true", help="write one JSON document to the standard output")
        sub.add_argument("--quiet", action="store_true", help="no notes and no progress; results, warnings and errors stay")
        sub.add_argument("--verbose", action="store_true", help="all notes, what tools print, and the time it took")
        own[command.name] = sub
    return top, own


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when it did what was asked, 1 when it failed, 2 when the command line is wrong, 130 when
    it was interrupted.
    """
    _open_streams()
    argv = _asked_for_help(list(sys.argv[1:] if argv is None else argv))
    try:
        top, own = parser()
        _complete(top)
        args, unknown = top.parse_known_args(argv)
        if args.command is None:
            top.print_help(sys.stderr)
            return USAGE
        if unknown:
            own[args.command].refuse(unknown)
    except SystemExit as end:  # argparse has said why
        return end.code if isinstance(end.code, int) else USAGE
    command = next(c for c in COMMANDS if c.name == args.command)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _show_warning
        return _run(command.run, args, argv)


def _asked_for_help(argv: list[str]) -> list[str]:
    """``help COMMAND`` is ``COMMAND --help``, ``help`` alone ``--help``."""
    return [*argv[1:2], "--help"] if argv[:1] == ["help"] else argv


def _complete(top: argparse.ArgumentParser) -> None:
    """Answer a shell that asks how a word may go on (extra ``completion``), which ends the process."""
    if "_ARGCOMPLETE" in os.environ:
        with contextlib.suppress(ImportError):
            from argcomplete import autocomplete

            autocomplete(top)


def _run(run: Any, args: argparse.Namespace, words: Sequence[str]) -> int:
    from nn2hls.history.state import told
    from nn2hls.tools.waiting import be_quiet, waiting

    start = time.monotonic()
    be_quiet(args.quiet)
    try:
        refuse_over_inputs(args)
        with waiting(args.command), told():
            result: Result = run(args)
        _keep(result, words)
        _write(result, args)
        if args.verbose:
            print(f"took {time.monotonic() - start:.1f} s", file=sys.stderr)
        return OK if result.ok else FAILED
    except UsageError as error:
        _fail(str(error), args, {"what": error.what, "fix": error.fix})
        return USAGE
    except Nn2hlsError as error:
        kind = type(error).__name__
        _fail(str(error), args, {"kind": kind, "where": error.where, "what": error.what, "fix": error.fix})
    except BrokenPipeError:
        _silence()  # the reader of a pipe went away
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}.", args, {"kind": "OSError", "what": str(error)})
    except KeyboardInterrupt:
        _fail("interrupted", args, {"kind": "KeyboardInterrupt", "what": "interrupted"})
        return INTERRUPTED
    finally:
        be_quiet(False)
    return FAILED


def _keep(result: Result, words: Sequence[str]) -> None:
    """The step in the history beside what was written."""
    if result.made is not None:
        from nn2hls.history.state import keep

        made = result.made
        keep(made.place, made.kind, words, made.inputs, made.outputs, made.seed)


def _open_streams() -> None:
    """Streams that take every character; one that is closed becomes one that swallows all, and no file takes its number."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            handle = os.open(os.devnull, os.O_WRONLY)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an ASCII terminal shows other names by their numbers


def _silence() -> None:
    """What is left in the standard output's buffer goes nowhere: writing it at the exit would fail again."""
    with contextlib.suppress(OSError, ValueError):
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, sys.stdout.fileno())
        os.close(handle)


def _write(result: Result, args: argparse.Namespace) -> None:
    for note in _notes(result.notes, args):
        print(_painted(f"note: {one_line(note)}", sys.stderr), file=sys.stderr)
    document = {"ok": result.ok, **result.document, "notes": result.notes}
    text = json.dumps(finite(document), indent=1, allow_nan=False) if args.json else _for_people(result.text)
    try:
        print(text, end="" if text.endswith("\n") else "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence()
        raise OSError(error.errno, error.strerror, "standard output") from error


def _notes(notes: Sequence[str], args: argparse.Namespace) -> Sequence[str]:
    """What is said of them: to people at a terminal all of it where a design is made, else only that there are some."""
    if args.quiet:
        return ()
    if args.verbose or args.command in _TELL or not notes or not sys.stderr.isatty():
        return notes
    return (f"{plural(len(notes), 'note')} on this design: see `nn2hls convert`, or --verbose.",)


def _for_people(text: str) -> str:
    """Text for whoever looks: lines that fit the terminal, and colours, where the standard output is one."""
    shown = printable(text)
    if not sys.stdout.isatty():
        return shown
    return _painted(fitted(shown, shutil.get_terminal_size().columns), sys.stdout)


def _painted(text: str, stream: IO[str]) -> str:
    """Words of good and bad news in colour, on a terminal that has any (https://no-color.org)."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    for words, code in _COLOURS:
        text = words.sub(lambda found, code=code: f"\033[{code}m{found[0]}\033[0m", text)  # type: ignore[misc]
    return text


def _fail(message: str, args: argparse.Namespace, error: dict[str, str]) -> None:
    print(f"nn2hls {args.command}: {printable(message)}", file=sys.stderr)
    if args.json:
        print(json.dumps({"ok": False, "error": error}, indent=1))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: IO[str] | None = None,
    line: str | None = None,
) -> None:
    from nn2hls.errors import OverflowWarning, ProjectWarning, ReadWarning

    if issubclass(category, (OverflowWarning, ProjectWarning, ReadWarning)):
        print(_painted(f"warning: {printable(str(message))}", sys.stderr), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
