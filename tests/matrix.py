"""The core on every Python from 3.10 to 3.14 that is on this machine: `make matrix`.

    python -m tests.matrix              # all versions
    python -m tests.matrix 3.10 3.13    # some

Each gets an environment of its own with nn2hls, h5py, onnx, matplotlib and joblib, without frameworks, and runs ROOMS. An
interpreter that is not here is named, and is no failure; to have none at all is one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kit.paths import ROOT

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
FOLDERS = ("~/.pyenv/versions", "~/.local/share/uv/python")  # where managers of interpreters keep them
NEEDS = ("--editable", ".[keras,onnx,plot,scan]", "pytest>=8", "hypothesis>=6", "mpmath", "setuptools>=77")
ROOMS = (
    *("arith/test_fixed.py", "compare/test_judge.py", "config/test_config.py", "data/test_data.py", "design/test_design.py"),
    *("design/test_notebook.py", "emulate/test_emulate.py", "hardware/test_net.py", "passes/test_shrink.py"),
    *("scan/test_scan.py", "size/test_solver.py", "test_extras.py", "test_files.py", "test_guard.py"),
)


def interpreters(version: str) -> Iterator[str]:
    """What may be the interpreter of a version: what the PATH has, then what managers keep."""
    yield f"python{version}"
    for folder in FOLDERS:
        yield from map(str, sorted(Path(folder).expanduser().glob(f"*{version}.*/bin/python{version}"), reverse=True))


def found(version: str) -> str | None:
    """One that says that it is this version."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    for name in interpreters(version):
        try:
            says = subprocess.run([name, "-c", asked], capture_output=True, text=True, timeout=60, check=False)
        except OSError:
            continue
        if says.stdout.strip() == version:
            return name
    return None


def run(version: str, python: str) -> bool:
    """Whether an environment can be made, and all of ROOMS is well in it."""
    place = ROOT / ".venv" / "matrix" / version
    own = str(place / "bin" / "python")
    steps = (
        [python, "-m", "venv", str(place)],
        [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *NEEDS],
        [own, "-m", "pytest", "-q", "-W", "ignore", "-m", "not long", *(str(ROOT / "tests" / room) for room in ROOMS)],
    )
    return all(subprocess.run(step, cwd=ROOT, check=False).returncode == 0 for step in steps)


def main() -> int:
    """All versions that are asked for; the exit status."""
    verdicts = {}
    for version in sys.argv[1:] or VERSIONS:
        python, start = found(version), time.perf_counter()
        print(f"== Python {version}: {python or 'not on this machine'}", flush=True)
        if python:
            verdicts[version] = run(version, python)
            print(f"   {'ok' if verdicts[version] else 'FAILED'} in {time.perf_counter() - start:.0f} s", flush=True)
    print("tested: " + (", ".join(f"{v} {'ok' if ok else 'FAILED'}" for v, ok in verdicts.items()) or "nothing"))
    return 0 if verdicts and all(verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
