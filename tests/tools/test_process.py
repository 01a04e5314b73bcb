"""Programs that are run: their output, their time, and that nothing of them is left."""

import contextlib
import io
import os
import signal
import sys
import threading

import pytest

from nn2hls.errors import ToolError
from nn2hls.tools.process import run_logged
from nn2hls.tools.waiting import waiting
from tests.kit.amd_tools import all_end

CHILDREN = "import os, subprocess, sys, time\np = subprocess.Popen(['sleep', '300'])\nprint(os.getpid(), p.pid, flush=True)\n"


@pytest.mark.parametrize("after", ["time.sleep(300)", "signal.pause()", "sys.exit(3)"])
def test_a_whole_process_group_ends(tmp_path, monkeypatch, after):
    monkeypatch.setattr("nn2hls.tools.process.GRACE", 0.5)
    code = CHILDREN + "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" * (after == "signal.pause()") + after
    ended = run_logged([sys.executable, "-c", code], tmp_path, tmp_path / "logs" / "a.log", timeout=1)
    assert ended.status == (3 if "exit" in after else None)
    pids = (tmp_path / "logs" / "a.log").read_text().split()
    assert len(pids) == 2
    assert all_end(pids)


def test_an_interrupt_ends_the_group_and_goes_on(tmp_path):
    def stop(line):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_logged([sys.executable, "-c", CHILDREN + "time.sleep(300)"], tmp_path, tmp_path / "a.log", show=stop)
    assert all_end((tmp_path / "a.log").read_text().split())


ANSWERED = """
import pathlib, sys, time
for k in range(3):
    print('é', k, flush=True)
    while not pathlib.Path(f"{k}.seen").exists():
        time.sleep(0.01)
sys.stdout.write('end')
"""


def test_lines_are_shown_as_they_come_and_kept(tmp_path):
    """The program goes on only when its line was seen."""
    shown = []

    def show(line):
        (tmp_path / f"{len(shown)}.seen").touch()
        shown.append(line)

    environment = {"PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", ANSWERED]
    ended = run_logged(command, tmp_path, tmp_path / "a.log", timeout=100, show=show, environment=environment)
    assert ended.status == 0
    assert shown[:3] == ["é 0", "é 1", "é 2"]
    assert (tmp_path / "a.log").read_text(encoding="utf-8").splitlines() == [*shown[:3], "end"]


class Terminal(io.StringIO):
    """Sets ``told`` once it was written to."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal, self.told = terminal, threading.Event()

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.told.set()
        return super().write(text)


@pytest.mark.parametrize("ending", [None, ToolError("It failed.")])
def test_a_terminal_shows_that_something_is_going_on_and_is_clean_afterwards(monkeypatch, ending):
    terminal = Terminal(True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("nn2hls.tools.waiting.PATIENCE", 0.01)
    with contextlib.suppress(ToolError), waiting("compiling myproject"):
        assert terminal.told.wait(30)
        if ending:
            raise ending
    first, *_, last = terminal.getvalue().split("\r")[1:]
    assert first.removeprefix("\033[K") == "compiling myproject: 0 s"
    assert last == "\033[K"


def test_a_file_gets_nothing_of_it(monkeypatch):
    terminal = Terminal(False)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("nn2hls.tools.waiting.PATIENCE", 0.01)
    with waiting("compiling myproject"):
        assert not terminal.told.wait(0.2)


def test_what_is_over_at_once_shows_nothing(monkeypatch):
    terminal = Terminal(True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("nn2hls.tools.waiting.PATIENCE", 300)
    with waiting("compiling myproject"):
        pass
    assert not terminal.getvalue()
