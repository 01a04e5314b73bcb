"""Programs that end badly."""

import sys

import pytest

from nn2hls.errors import ToolError
from nn2hls.tools.step import run_step


def python(tmp_path, code, seconds=60):
    return run_step([sys.executable, "-c", code], tmp_path, tmp_path / "step.log", seconds)


def test_a_program_that_ends_by_itself(tmp_path):
    done = python(tmp_path, "import os; print('said', os.getcwd()); raise SystemExit(3)")
    assert done.status == 3
    assert done.tail == f"said {tmp_path.resolve()}"
    assert done.command.split()[1] == "-c"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "print('std::bad_alloc'); raise SystemExit(1)",
            r"ended with exit status 1, most likely for want of memory",
        ),
        ("import os; os.kill(os.getpid(), 9)", r"exit status -9 \(SIGKILL\), most likely for want of memory"),
        ("print('last words', flush=True); import os; os.abort()", r"(?s)exit status -6 \(SIGABRT\):.*last words"),
        ("import time; time.sleep(60)", r"took longer than 0.2 s and was ended"),
    ],
)
def test_a_program_that_does_not(tmp_path, code, message):
    with pytest.raises(ToolError, match=message):
        python(tmp_path, code, 0.2 if "sleep" in code else 60)


def test_a_program_that_does_not_start(tmp_path):
    with pytest.raises(ToolError, match=r"nothing does not start: No such file"):
        run_step([tmp_path / "nothing"], tmp_path, tmp_path / "step.log", 1)
