"""Programs that are run: their output, their time, and that nothing of them is left."""

import os
import signal
import sys

import pytest
from amd_tools import all_end

from nn2hls.tools.process import run_logged

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
