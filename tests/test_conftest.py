"""A run of the tests that skips what it must not skip is red."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.paths import ROOT

PACKAGE = "import pytest\npytest.importorskip('no_such_package')\ndef test(): pass\n"
TOOL = "from tests.kit.tools import require_tool\ndef test(): require_tool('verilator', None)\n"
FINE = "def test_fine(): pass\n"
UNKNOWN = "from tests.kit.tools import require_tool\ndef test(): require_tool('bambu', None)\n"


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
@pytest.mark.parametrize(
    ("text", "tools", "passes"),
    [
        (PACKAGE, None, True),
        (PACKAGE, "verilator", False),
        (TOOL, None, True),
        (TOOL, "verilator", False),
        (TOOL, "yosys", False),
        (UNKNOWN, "verilator", True),
    ],
)
def test_ci_skips_only_what_it_cannot_have(tmp_path, text, tools, passes, workers):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_a.py").write_text(text, encoding="utf-8")
    (tmp_path / "test_b.py").write_text(FINE, encoding="utf-8")
    variables = {k: v for k, v in os.environ.items() if k != "NN2HLS_REQUIRE_TOOLS"}
    variables |= {"PYTHONPATH": str(ROOT), **({"NN2HLS_REQUIRE_TOOLS": tools} if tools else {})}
    command = [sys.executable, "-m", "pytest", "-q", *workers, "."]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == passes, done.stdout + done.stderr
