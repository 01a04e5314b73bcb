"""The catalogue of layers and the tables of the front ends name the same."""

import json

import pytest

from nn2hls.cli import main
from nn2hls.converters.catalogue import COLUMNS, ROWS, expanded, page
from nn2hls.converters.keras.binarised import LAYERS as BINARISED
from nn2hls.converters.keras.layers import LAYERS
from nn2hls.converters.keras.operations import OPERATIONS
from nn2hls.converters.keras.qkeras import LAYERS as QKERAS
from nn2hls.converters.onnx import HANDLERS
from nn2hls.converters.pytorch.ops import LOWER
from tests.kit.paths import ROOT

# What the readers make of several operators, or of sizes; no user writes it.
OWN = {"nn2hls.DynamicConv", "nn2hls.DynamicMatMul", "LogSigmoid", "TanhShrink", "Threshold", "_operator", "nn2hls", "sym_size"}
TABLES = {
    "keras": {*LAYERS, *QKERAS, *BINARISED},
    "operations": set(OPERATIONS),
    "torch": {target.removeprefix("torch.ops.").partition(".")[0] for target in LOWER if "." in target},
    "onnx": set(HANDLERS),
}


@pytest.mark.parametrize("column", [column for _, column in COLUMNS])
def test_the_catalogue_has_what_is_read(column):
    named = [name for row in ROWS for name in row.names(column)]
    assert len(set(named)) == len(named)
    assert set(named) - OWN == TABLES[column] - OWN


def test_names_with_braces():
    assert expanded("a{,_b}{1,2}") == ["a1", "a2", "a_b1", "a_b2"]


def test_the_page_is_written_again():
    assert (ROOT / "docs" / "layers.md").read_text(encoding="utf-8") == page()


def test_the_command(capsys):
    assert main(["layers", "--json", "conv2d"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"conv2d"} <= {name for row in found["layers"] for name in row["torch"]}
    assert main(["layers"]) == 0
    assert "Embedding" in capsys.readouterr().out
    assert main(["layers", "Convv"]) == 2
    assert "Conv" in capsys.readouterr().err
