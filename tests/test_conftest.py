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


WORKERS = ["-n", "1"]


@pytest.mark.parametrize(
    ("text", "tools", "passes", "workers"),
    [
        (PACKAGE, None, True, WORKERS),
        (PACKAGE, "verilator", False, []),
        (TOOL, None, True, []),
        (TOOL, "verilator", False, WORKERS),
        (TOOL, "yosys", False, []),
        (UNKNOWN, "verilator", True, []),
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


def test_the_library_of_verilator_is_compiled_once(tmp_path):
    """Another command, another state of the library and another file are compiled; what fails is not kept."""
    library = tmp_path / "include"
    library.mkdir()
    (library / "verilated.cpp").write_text("1")
    compiler = tmp_path / "g++"
    compiler.write_text('#!/bin/sh\necho "$@" >> ran\n[ -n "$FAIL" ] && exit 1\necho object > "$3"\n')
    compiler.chmod(0o755)

    def ran(source, *flags, **variables):
        (tmp_path / "x.o").unlink(missing_ok=True)
        before = len((tmp_path / "ran").read_text().splitlines()) if (tmp_path / "ran").exists() else 0
        command = [
            sys.executable,
            ROOT / "tests" / "kit" / "object_cache.py",
            tmp_path,
            compiler,
            "-c",
            "-o",
            "x.o",
            *flags,
            source,
        ]
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **variables}, check=False)
        assert (done.returncode == 0) == (tmp_path / "x.o").is_file() == ("FAIL" not in variables)
        return len((tmp_path / "ran").read_text().splitlines()) - before

    assert ran(library / "verilated.cpp", FAIL="1") == 1
    assert [ran(library / "verilated.cpp") for _ in range(3)] == [1, 0, 0]
    assert ran(library / "verilated.cpp", "-O1") == 1
    (library / "verilated.h").write_text("2")
    assert ran(library / "verilated.cpp") == 1
    assert [ran("bench.cpp") for _ in range(2)] == [1, 1]
