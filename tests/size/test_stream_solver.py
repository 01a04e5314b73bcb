"""Positions and reuse factors from a target, for designs in streams."""

import json

import pytest
import torch
from torch import nn

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import LimitError
from nn2hls.size.solution import measures
from nn2hls.size.solver import Limits
from nn2hls.size.stream_solver import StreamSolver
from tests.kit import networks_of_layers

WORDS = {"reuse": "ReuseFactor", "positions": "ParallelizationFactor"}


def classifier():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 2),
    )  # fmt: skip


def designed(model, shape, level=None, layers=None, backend="Vitis"):
    torch.manual_seed(1)
    level = {"Precision": "ap_fixed<16,6>", **(level or {})}
    config = {"IOType": "io_stream", "Backend": backend, "HLSConfig": {"Model": level, "LayerName": layers or {}}}
    return nn2hls.convert(model.eval(), config, example=torch.randn((1, *shape)))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return classifier()


@pytest.fixture(scope="module")
def solver(model):
    return StreamSolver(designed(model, (2, 8, 8)).streams)


def as_config(found):
    return {name: {WORDS[k]: v for k, v in own.items()} for name, own in found.settings().items()}


@pytest.mark.parametrize("target", [20, 40, 150, 600])
def test_a_target_is_met_and_its_config_gives_the_same(model, solver, target):
    found = solver.solve(Limits(ii=target))
    assert found.estimate.ii <= target
    assert found.bottleneck in {p.name for p in found.estimate.fifos.pace}
    again = designed(model, (2, 8, 8), layers=as_config(found))
    assert measures(again.estimate()) == measures(found.estimate)
    assert again.streams.fifos.depths == found.estimate.fifos.depths
    assert found.second is not None
    assert found.second.ii != found.estimate.ii
    document = json.loads(json.dumps(found.to_dict()))
    assert document["figures"]["ii"] == found.estimate.ii
    assert f"{found.bottleneck} is the slowest" in str(found)


@pytest.mark.long
def test_our_own_verilog_is_sized_by_its_own_figures(model):
    found = StreamSolver(designed(model, (2, 8, 8), backend="Verilog").streams).solve(Limits(ii=40))
    again = designed(model, (2, 8, 8), layers=as_config(found), backend="Verilog")
    assert found.estimate.tool == "verilog"
    assert again.estimate().ii == found.estimate.ii <= 40
    assert again.verify(tool="rtl").interval == found.estimate.ii


def test_more_time_needs_less(solver):
    """More positions where there is little time, more reuse where there is much."""
    figures = [measures(solver.solve(Limits(ii=n)).estimate) for n in (20, 40, 80, 300, 2000)]
    assert [f["dsp"] for f in figures] == sorted((f["dsp"] for f in figures), reverse=True)
    assert figures[0]["dsp"] > 4 * figures[-1]["dsp"]
    assert max(solver.solve(Limits(ii=20)).knobs.positions.values()) > 1
    assert max(solver.solve(Limits(ii=2000)).knobs.reuse.values()) > 1


def test_other_settings_of_the_config_do_not_get_in_the_way(model):
    """The answer says what it needs of each layer, whatever held for all of them."""
    design = designed(model, (2, 8, 8), {"ReuseFactor": 3, "ParallelizationFactor": 4})
    found = StreamSolver(design.streams).solve(Limits(ii=80))
    again = designed(model, (2, 8, 8), {"ReuseFactor": 3, "ParallelizationFactor": 4}, as_config(found))
    assert measures(again.estimate()) == measures(found.estimate)


@pytest.mark.parametrize("measure", ["dsp", "lut"])
def test_the_fastest_within_a_limit(solver, measure):
    ends = [measures(solver.solve(Limits(ii=n)).estimate)[measure] for n in (20, 2000)]
    limit = sum(ends) // 2
    found = solver.solve(Limits(**{measure: limit}))
    amounts = measures(found.estimate)
    assert amounts[measure] <= limit
    ladder = solver._intervals()
    faster = [n for n in ladder if n < amounts["ii"]]
    assert all(measures(solver._estimate(n))[measure] > limit for n in faster[-1:])
    assert found.second is None or found.second.ii > amounts["ii"]


def test_what_cannot_be_met_names_the_nearest(solver):
    with pytest.raises(LimitError, match=r"II 1 needs DSP [\d,]+ of 90\. The nearest with .* is II \d+") as caught:
        solver.solve(Limits(ii=1, dsp=90))
    nearest = int(str(caught.value).rstrip(".").rsplit(" ", 1)[1].replace(",", ""))
    assert solver.solve(Limits(ii=nearest)).estimate.ii <= nearest
    with pytest.raises(LimitError, match=r"The smallest design needs LUT [\d,]+ of 50"):
        solver.solve(Limits(lut=50))


def test_what_no_setting_reaches_is_named():
    """Tokens of an input whose rows two layers read in different ways cannot become one."""
    design = designed(*networks_of_layers.network("interaction network"))
    with pytest.raises(LimitError, match=r"II 1 cannot be met.*its settings reach is II 2, which x needs"):
        StreamSolver(design.streams).solve(Limits(ii=1))


NET = """\
OnnxModel: net.onnx
IOType: io_stream
Backend: Vitis
HLSConfig: {Model: {Precision: "ap_fixed<8,3>"}}
"""


def test_plan_writes_a_config_that_gives_what_it_says(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.onnx.export(model.eval(), (torch.randn(1, 2, 8, 8),), "net.onnx", dynamo=True, verbose=False)
    (tmp_path / "net.yml").write_text(NET)
    assert main(["plan", "net.yml", "--target-ii", "40", "-o", "fast.yml", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["estimate", "fast.yml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {k: found[k] for k in said["estimate"]} == said["estimate"]
    assert said["figures"]["ii"] <= 40
    assert main(["plan", "net.yml"]) == 0
    assert "is the slowest" in capsys.readouterr().out
    assert main(["plan", "net.yml", "--max-lut", "60"]) == 1
    assert "The smallest design needs LUT" in capsys.readouterr().err


def test_reuse_factors_to_show_are_for_io_parallel(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.export.save(torch.export.export(model, (torch.zeros(1, 2, 8, 8),)), tmp_path / "m.pt2")
    (tmp_path / "c.yml").write_text("PytorchModel: m.pt2\nIOType: io_stream\n", encoding="utf-8")
    assert main(["plan", "c.yml", "--reuse", "1..4"]) == 2
    assert "--reuse shows further reuse factors of io_parallel" in capsys.readouterr().err
