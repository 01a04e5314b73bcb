"""docs/networks.md: a row for each network, and three of them made again."""

import re

import pytest

from benchmarks import networks
from tests.kit.paths import ROOT

PAGE = ROOT / "docs" / "networks.md"
AGAIN = ("Deep Sets", "Autoencoder trigger", "VAE trigger")


def shown():
    """The rows of the page, by the first column."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| .* \| `", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(networks.HEAD, row, strict=True)) for row in cells}


def test_every_network_has_a_row_that_every_witness_agrees_on():
    assert list(shown()) == [row["network"] for row in networks.rows()]
    for row in shown().values():
        assert row["C++"].startswith("equal")
        assert row["Verilog"].startswith("equal")


@pytest.mark.parametrize("name", AGAIN)
def test_a_row_is_made_again(name):
    row = next(row for row in networks.rows() if row["network"] == name)
    made = networks.figures(row, networks.design_of(row))
    assert {word: shown()[name][word] for word in made} == made


def test_triggers_take_raw_words_and_answer_with_a_bit_each_clock():
    for name in ("autoencoder_trigger", "vae_trigger"):
        design = networks.design_of({"config": f"{name}.yml"})
        (source,), (output,) = design.graph.inputs, design.graph.outputs
        assert str(source.result_type) == "ap_ufixed<12,12>"
        assert str(design.graph[output].result_type) == "ap_ufixed<1,1>"
        assert design.estimate().ii == 1


@pytest.mark.long
@pytest.mark.parametrize("name", AGAIN)
def test_the_witnesses_of_a_row_agree(name):
    row = next(row for row in networks.rows() if row["network"] == name)
    said = networks.witnesses(row, networks.design_of(row))
    assert said["C++"].startswith("equal")
    assert said["Verilog"].startswith("equal")
