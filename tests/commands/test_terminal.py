"""What a person at a terminal sees: help with examples, lines that fit, colours, progress; and what a pipe gets instead."""

import io
import os
import re
import shlex
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls import cli
from nn2hls.commands import COMMANDS
from nn2hls.commands.examples import EXAMPLES
from nn2hls.text import fitted, table
from nn2hls.tools import waiting
from tests.kit.paths import ROOT

MODEL = str(ROOT / "examples" / "jet_tagging" / "jet_tagger.h5")


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Makes both streams terminals, 60 columns wide, and returns them; to be called by the test, for pytest has its own."""

    def look():
        out, err = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return out, err

    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield look
    waiting.be_quiet(False)


# ---- help ------------------------------------------------------------------------------------------------------------------


def test_every_command_has_examples_that_are_read():
    assert set(EXAMPLES) == {c.name for c in COMMANDS}
    top, _ = cli.parser()
    for name, lines in EXAMPLES.items():
        for line in lines:
            program, *words = shlex.split(line)
            args, unknown = top.parse_known_args(words)
            assert (program, args.command, unknown) == ("nn2hls", name, []), line


def test_help_of_a_command_shows_them(capsys):
    assert cli.main(["help", "scan"]) == 0
    shown = capsys.readouterr().out
    assert all(line in shown for line in EXAMPLES["scan"])
    assert cli.main(["scan", "--help"]) == 0
    assert capsys.readouterr().out == shown
    assert cli.main(["help"]) == 0
    assert "nn2hls help COMMAND" in capsys.readouterr().out
    assert cli.main(["help", "scna"]) == 2
    assert "Did you mean 'scan'?" in capsys.readouterr().err


def test_a_shell_is_told_how_a_word_goes_on(tmp_path):
    pytest.importorskip("argcomplete")
    found = tmp_path / "answer"
    line = "nn2hls es"
    protocol = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(found),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    code = "import sys; from nn2hls.cli import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **protocol}, check=True, capture_output=True)
    assert found.read_text().split() == ["estimate"]


# ---- lines and colours -----------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.text("abc ", min_size=1, max_size=40), min_size=3, max_size=3), max_size=5), st.integers(40, 120))
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(rows, width):
    text = table(["one", "two", "and the third"], rows)
    found = fitted(text, width)
    assert max(map(len, found.split("\n"))) <= width
    assert found.replace(" ", "").replace("\n", "") == text.replace(" ", "").replace("\n", "")


def test_what_fits_stays_as_it_is():
    text = "a  b\n  c\n"
    assert fitted(text, 10) == text
    assert fitted("aa  " + "word " * 12, 30).split("\n")[1].startswith("    word")


def test_a_terminal_gets_colours_and_a_pipe_none(terminal, monkeypatch):
    out, _ = terminal()
    assert cli.main(["estimate", MODEL, "--part", "xc7z010clg400-1"]) == 0
    assert "\033[1;31mDOES NOT FIT\033[0m" in out.getvalue()
    plain = re.sub(r"\033\[[\d;]*m", "", out.getvalue())
    assert max(map(len, plain.splitlines())) <= 60
    monkeypatch.setenv("NO_COLOR", "1")
    before = len(out.getvalue())
    assert cli.main(["estimate", MODEL, "--part", "xc7z010clg400-1"]) == 0
    assert "\033" not in out.getvalue()[before:]


def test_a_pipe_gets_what_it_got(capsys):
    assert cli.main(["estimate", MODEL, "--part", "xc7z010clg400-1"]) == 0
    captured = capsys.readouterr()
    assert "\033" not in captured.out + captured.err
    assert max(map(len, captured.out.splitlines())) > 60


# ---- notes, quiet and verbose ----------------------------------------------------------------------------------------------


def said(stream, *words):
    before = len(stream.getvalue())
    assert cli.main(list(words)) == 0
    return re.sub(r"\033\[[\d;]*[mK]|\r", "", stream.getvalue()[before:])


def test_notes_are_told_once(terminal, tmp_path):
    _, err = terminal()
    assert re.search(r"note: \d notes? on this design: see `nn2hls convert`", said(err, "estimate", MODEL))
    verbose = said(err, "estimate", MODEL, "--verbose")
    assert "within" in verbose
    assert re.search(r"took \d+\.\d s", verbose)
    assert "within" in said(err, "convert", MODEL, "-o", str(tmp_path / "p"))
    assert said(err, "estimate", MODEL, "--quiet") == ""


def test_a_pipe_gets_every_note(capsys):
    assert cli.main(["estimate", MODEL]) == 0
    assert "within" in capsys.readouterr().err
    assert cli.main(["estimate", MODEL, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


# ---- progress --------------------------------------------------------------------------------------------------------------


def test_progress_says_how_far_and_how_long(terminal, monkeypatch):
    _, err = terminal()
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    with waiting.waiting("outer"):
        countdown = waiting.Countdown("designs")
        countdown(1, 4)
        time.sleep(0.1)
        with waiting.waiting("inner"):
            time.sleep(0.1)
            inside = len(err.getvalue())
        waiting.line("a tool's line")
    shown = err.getvalue()
    assert re.search(r"\[#{7} +\] 1 of 4 designs, \d+ s left: 0 s", shown)
    assert "outer" not in shown
    assert "inner: 0 s" in shown[:inside]
    assert shown.endswith("\r\033[K")
    assert "\r\033[Ka tool's line\n" in shown


def test_quiet_shows_no_progress(terminal, monkeypatch):
    _, err = terminal()
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    waiting.be_quiet()
    with waiting.waiting("outer"):
        time.sleep(0.05)
    assert err.getvalue() == ""


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (150, "2 min"), (6000, "1.7 h")])
def test_durations(seconds, words):
    assert waiting.duration(seconds) == words


def test_converting_says_its_passes(terminal, monkeypatch):
    terminal()
    told = []
    monkeypatch.setattr(waiting, "tell", told.append)
    assert cli.main(["estimate", MODEL]) == 0
    assert told[0] == "reading the model"
    assert any(re.fullmatch(r"converting, resolve-types: pass \d+ of \d+", line) for line in told)
    assert told[-1] == "estimate"
