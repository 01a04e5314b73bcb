"""The config of `make board` again: `nn2hls search` on further jets, with the words of docs/boards.md.

    python -m benchmarks.board_search   # two minutes on one core; needs nn2hls[test]; fails where another config is found

The search starts from the committed config, whose types give way. What it finds depends on the versions of Optuna and
NumPy, and on whether alkaid is installed: another end of the same search is no error of the config, but this script says so.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import ROOT

CONFIG = ROOT / "example-configs" / "jet_tagger_board.yml"
WORDS = ("--max-loss", "2.5", "--widest", "10", "--trials", "100", "--seed", "0")


def main() -> int:
    """Search, and compare what the configs mean."""
    from nn2hls.config.check import bind
    from nn2hls.config.read import read_config
    from nn2hls.design.model import load_model
    from nn2hls.trials.network import config_digest

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(ROOT / "examples" / "jet_tagging" / "more_jets.py", "--out", folder)
        data = ("--input", folder / "jets_more.npy", "--labels", folder / "jets_more_labels.npy")
        _run("-m", "nn2hls", "search", CONFIG, *data, *WORDS, "-o", folder / "found.yml")
        kept, found = (read_config(path) for path in (CONFIG, folder / "found.yml"))
        graph = load_model(None, kept)
        same = config_digest(bind(kept, graph), graph) == config_digest(bind(found, graph), graph)
    print(f"{CONFIG.relative_to(ROOT)} is {'' if same else 'NOT '}what the search finds")
    return 0 if same else 1


def _run(*words: str | Path) -> None:
    subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
