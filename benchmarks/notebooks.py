"""Run the notebooks of examples/notebooks, say what each takes, and keep them with what they print: `make notebooks`.

    python -m benchmarks.notebooks --out build/notebooks        # all
    python -m benchmarks.notebooks 4_streams                    # one

`make site` shows what was kept, as long as the cells are those of the notebook.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"
# One thread: the networks are so small that threads would wait for each other. TensorFlow, where it is there, is not to speak.
QUIET = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
SECONDS = 600  # that one cell may take, on a machine that does other things, too


def names() -> list[str]:
    """Of all notebooks, in their order."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def run(name: str):
    """The notebook, every cell run from the first to the last, beside its file; an error in a cell is raised."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(NOTEBOOKS)}})
    return client.execute(env={**os.environ, **QUIET})


def main() -> None:
    """Run, keep, and print what each took."""
    import nbformat

    parser = argparse.ArgumentParser(description="Run the notebooks and keep them with what they print.")
    parser.add_argument("names", nargs="*", choices=[[], *names()], help="which; without, all")
    parser.add_argument("--out", type=Path, default=Path("build/notebooks"), help="folder (default: build/notebooks)")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or names():
        start, before = time.perf_counter(), _cpu()
        nbformat.write(run(name), given.out / f"{name}.ipynb")
        print(f"{name:<24} {time.perf_counter() - start:6.1f} s, {_cpu() - before:6.1f} s of CPU", flush=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
