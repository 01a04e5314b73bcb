"""What README.md shows is what the commands print today."""

import pytest

from nn2hls.cli import main
from tests.kit.paths import ROOT

DATA = "examples/jet_tagging/jets_test"
COMMANDS = {
    "convert": ["-o", "{out}"],
    "estimate": [],
    "compare": ["--input", f"{DATA}.npy", "--labels", f"{DATA}_labels.npy"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_line_of_the_output_stands_in_the_readme(command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    options = [word.format(out=tmp_path / "out") for word in COMMANDS[command]]
    assert main([command, "example-configs/jet_tagger.yml", *options]) == 0
    shown = {line.rstrip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()}
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(printed) > 10
    assert [line for line in printed if line not in shown and not line.startswith("wrote")] == []
