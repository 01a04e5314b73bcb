"""What a notebook shows, and the config to begin with: short forms, HTML with inert names, dicts that change nothing."""

import dataclasses
import pickle

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.design.verdict import Verdict
from nn2hls.errors import ConfigError
from nn2hls.markup import Table, notebook
from nn2hls.tools.report import BuildReport, Check, Figures, Resources, Step
from tests.kit.networks import hls_config, mlp
from tests.kit.pages import Page
from tests.kit.paths import ROOT

EVIL = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture(scope="module")
def design():
    graph = mlp(np.random.default_rng(1), (4, 6, 3))
    names = {"fc0_relu": EVIL}
    nodes = [
        dataclasses.replace(n, name=names.get(n.name, n.name), inputs=tuple(names.get(i, i) for i in n.inputs)) for n in graph
    ]
    return nn2hls.convert(dataclasses.replace(graph, nodes=tuple(nodes)), hls_config())


@pytest.fixture(scope="module")
def results(design):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    found = nn2hls.scan(mlp(rng, (4, 3)), None, x=x, y=y, precisions="ap_fixed<{8,9},4>", jobs=1)
    verdict = Verdict("csim", 5, 15, {EVIL: 0}, (EVIL,))
    steps, checks = (Step("simulate", True, 1.25, note=EVIL), Step("yosys", None, note=EVIL)), (Check("rtl", 1234, 0, 17, 1),)
    built = BuildReport(EVIL, "out", version=EVIL, part="xcvu13p", clock_ns=5.0, steps=steps, checks=checks, notes=(EVIL,))
    return {
        "design": design,
        "estimate": design.estimate(),
        "comparison": design.compare(x, y),
        "scan": found,
        "verdict": verdict,
        "build": dataclasses.replace(built, total=(Figures("synthesis", EVIL, Resources(lut=4321), 17, 1, 4.75),)),
        "additions": dataclasses.replace(design, config=dataclasses.replace(design.config, backend="Verilog")).additions,
    }


def test_results_show_themselves(results):
    for name, result in results.items():
        assert "\n" not in repr(result), name
        assert len(repr(result)) < 200
        assert result.text().strip() == str(result).strip()
        assert all(c.isprintable() or c == "\n" for c in repr(result) + result.text()), name
        seen = Page(result._repr_html_())
        assert "script" not in {tag for tag, _ in seen.tags}
        assert all(c.isprintable() or c == "\n" for c in seen.text)
        assert repr(result) in seen.text
    assert "<script>alert(1)</script>\\x1b[2J" in Page(results["comparison"]._repr_html_()).text


def test_a_notebook_shows_the_numbers_of_the_text(results):
    """Every cell of the tables stands in the text too."""
    for name in ("estimate", "comparison", "scan", "build", "additions"):
        text = results[name].text()
        html = results[name]._repr_html_().replace("</t", " </t").replace("</p>", " </p>")
        words = [w for w in Page(html).text.split() if any(c.isdigit() for c in w)]
        assert len(words) > 10
        beyond = [w for w in words if w not in text and w not in repr(results[name])]
        assert beyond == [], name


def test_a_notebook_shows_figures(design):
    figure = design.plot.resources()
    assert figure._repr_png_().startswith(b"\x89PNG")
    again = pickle.loads(pickle.dumps(figure))
    again.axes[0].set_title("another")
    assert again._repr_png_() != figure._repr_png_()


def test_summary_is_the_estimate(design):
    found, estimate = design.summary(), design.estimate()
    assert [row[0] for row in found.rows] == [n.name for n in design.graph]
    products = {x.name: f"{x.products:,}" for x in estimate.layers}
    assert all(row[4] == products.get(row[0]) for row in found.rows)
    assert f"{estimate.synthesised.lut:,}" in found.foot[0]
    assert repr(found) == found.text().rstrip("\n")


def test_lines_keep_their_places_in_a_notebook():
    """What is to be pasted into YAML is shown as it is."""
    seen = Page(notebook("title", [f"one:\n  two: {EVIL}", "line"]))
    assert "one:\n  two: <script>alert(1)</script>\\x1b[2J" in seen.text
    assert [tag for tag, _ in seen.tags].count("pre") == 1


def test_a_table_escapes_everything():
    table = Table(["<a>", "b"], [[EVIL, 3], [None, "1.5"]], "<t>", ["<f>"])
    seen = Page(table._repr_html_())
    assert {tag for tag, _ in seen.tags} == {"table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    assert all(text in seen.text for text in ("<a>", "<script>alert(1)</script>\\x1b[2J", "<t>", "<f>"))
    assert table.text().splitlines()[0] == "<t>"
    assert table.text().splitlines()[-1] == "<f>"


# ---- a config to begin with ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("granularity", ["model", "type", "name"])
@pytest.mark.parametrize("example", ["jet_tagging/jet_tagger.keras", "jet_particles/interaction_network.onnx"])
def test_a_config_for_a_model_changes_nothing(granularity, example):
    model = ROOT / "examples" / example
    config = nn2hls.config_for(model, granularity)
    plain, made = nn2hls.convert(model), nn2hls.convert(model, config)
    assert made.graph.text() == plain.graph.text()
    assert made.estimate().to_dict() == plain.estimate().to_dict()


def test_a_config_for_a_model_can_be_edited():
    model = ROOT / "examples" / "jet_tagging" / "jet_tagger.keras"
    config = nn2hls.config_for(model)
    assert set(config) == {"Model", "LayerName"}
    assert config["LayerName"]["fc1"] == {
        "Precision": {"result": "auto", "weight": "auto", "bias": "auto"},
        "ReuseFactor": 1,
        "Strategy": "Latency",
    }
    config["LayerName"]["fc1"]["Precision"]["weight"] = "ap_fixed<5,2>"
    config["LayerName"]["fc1"]["ReuseFactor"] = 4
    design = nn2hls.convert(model, config)
    assert str(design.graph["fc1"].op.types()["weight"]) == "ap_fixed<5,2>"
    assert design.estimate().ii == 4
    types = nn2hls.config_for(model, "type")["LayerType"]
    assert types["Dense"]["Precision"]["weight"] == "auto"


def test_a_granularity_that_does_not_exist():
    with pytest.raises(ConfigError, match="Did you mean 'name'"):
        nn2hls.config_for("x.keras", "names")


def test_the_terminal_shows_the_same(capsys):
    assert main(["estimate", str(ROOT / "examples" / "jet_tagging" / "jet_tagger.h5")]) == 0
    shown = capsys.readouterr().out
    estimate = nn2hls.convert(ROOT / "examples" / "jet_tagging" / "jet_tagger.h5").estimate()
    assert shown.splitlines()[:12] == estimate.text().splitlines()[:12]
