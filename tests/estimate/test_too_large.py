"""A design that its part does not hold is said, and refused before anything is written when it is far from it; short reprs."""

import json
import warnings

import numpy as np
import pytest
from onnx import helper, save

import nn2hls
from nn2hls.cli import main
from nn2hls.design.design import convert
from nn2hls.design.verdict import Verdict
from nn2hls.errors import ConversionWarning, LimitError
from nn2hls.estimate.estimate import estimate
from nn2hls.estimate.result import beyond_lines, beyond_part, does_not_fit
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.hardware.code import STREAM
from nn2hls.hardware.schedule import Kind, Operator, Schedule
from nn2hls.ops import Dense, Input
from nn2hls.targets import find_part
from nn2hls.tools.report import BuildReport, Step
from tests.kit.networks import hls_config, mlp
from tests.kit.onnx_tools import model

SMALL = "xc7z007s"  # 66 DSP slices, 14,400 LUT


def multipliers(n):
    return estimate([("fc", Schedule(operators=(Operator(Kind.MUL, (16, 16), n),)))], find_part(SMALL), 5.0)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(24, 40)), "b": np.zeros(40)}
    weights = {k: v.astype(np.float32) for k, v in weights.items()}
    save(model([helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="fc")], {"x": ("N", 24)}, weights), "net.onnx")
    (tmp_path / "a net.yml").write_text(f"OnnxModel: net.onnx\nPart: {SMALL}\nBackend: Vivado\nOutputDir: out\n")
    return "a net.yml"


def run(capsys, *words):
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_what_fits_is_told_from_what_does_not_at_the_last_slice():
    fits, short, far = multipliers(66), multipliers(67), multipliers(133)
    assert (fits.fits, short.fits, far.fits) == (True, False, False)
    assert does_not_fit(fits) == "" == beyond_part(short) == beyond_part(multipliers(132))
    assert "DOES NOT FIT xc7z007s: DSP 102% (67 of 66). `nn2hls plan " in does_not_fit(short)
    assert "DSP 202% (133 of 66)" in beyond_part(far)
    assert "DOES NOT FIT" not in str(fits)
    assert does_not_fit(short) in str(short)
    assert (fits.to_dict()["fits"], short.to_dict()["fits"]) == (True, False)


@pytest.mark.parametrize(("shape", "said"), [((24,), False), ((2, 24), True)])
def test_a_layer_at_several_positions_hears_of_streams(shape, said):
    b = Builder()
    weight = Const(np.random.default_rng(0).normal(size=(24, 40)))
    dense = b.add("fc", Dense(weight, Const(np.zeros(40))), [b.add("x", Input(shape))])
    config = {"Part": SMALL, "Backend": "Vivado", "HLSConfig": {"Model": {}}}
    found = convert(b.build([dense]), config).estimate()
    assert (STREAM in does_not_fit(found), STREAM in beyond_part(found)) == (said, said)


def test_lines_of_cpp_are_counted_alone():
    assert beyond_lines({"firmware/a.cpp": "\n" * 50_000, "data.dat": "\n" * 90_000}) == ""
    assert "50,001 lines" in beyond_lines({"firmware/a.cpp": "\n" * 49_000, "firmware/b.h": "\n" * 1_001})


def test_the_commands_say_what_does_not_fit_with_the_plan_that_would(capsys, config):
    code, out, _ = run(capsys, "estimate", config, "--clock", "10")
    line = next(x for x in out.splitlines() if x.startswith("DOES NOT FIT xc7z007s: "))
    assert code == 0
    assert "`nn2hls plan 'a net.yml' --clock 10 --fit`" in line
    assert json.loads(run(capsys, "estimate", config, "--json")[1])["fits"] is False
    code, _, _ = run(capsys, "plan", config, "--clock", "10", "--fit", "-o", "fitting.yml")
    assert code == 0
    code, out, _ = run(capsys, "estimate", "fitting.yml")
    assert "DOES NOT FIT" not in out


def test_what_is_far_too_large_is_written_only_by_force(capsys, config, tmp_path):
    code, out, err = run(capsys, "convert", config)
    assert (code, out) == (1, "")
    assert "DOES NOT FIT xc7z007s: " in err
    assert "`nn2hls plan 'a net.yml' --fit`" in err
    assert "--force" in err
    assert not (tmp_path / "out").exists()
    code, out, err = run(capsys, "convert", config, "--force")
    assert code == 0
    assert "DOES NOT FIT" in out
    assert (tmp_path / "out" / "firmware").is_dir()


def test_python_refuses_the_same_and_warns_of_what_is_nearly_right(tmp_path):
    graph = mlp(np.random.default_rng(0), (24, 40))
    config = {"Part": SMALL, "Backend": "Vivado", "HLSConfig": {"Model": {}}}
    with pytest.raises(LimitError, match=r"DOES NOT FIT xc7z007s.*write\(force=True\)"):
        convert(graph, config).write(tmp_path / "p")
    assert not (tmp_path / "p").exists()
    with pytest.warns(ConversionWarning, match="DOES NOT FIT"):
        convert(graph, config).write(tmp_path / "p", force=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert(graph).write(tmp_path / "q")


def test_too_many_lines_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("nn2hls.estimate.result.MOST_LINES", 10)
    with pytest.raises(LimitError, match=r"The C\+\+ has .* lines"):
        convert(mlp(np.random.default_rng(0), (4, 3))).write(tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_reprs_are_short_and_str_reads_like_the_commands(capsys, config):
    design = nn2hls.convert("net.onnx", config)
    layers = run(capsys, "convert", config, "--force")[1]
    assert str(design) in layers
    assert "fc" in str(design)
    found = [design, design.estimate(), Verdict("csim", 10, 30, {"y": 4}), Verdict("csim", 10, 30, {"y": 0})]
    found.append(BuildReport("csim", "out", steps=(Step("csim", False), Step("synth", None))))
    for one in found:
        assert len(repr(one)) < 200
        assert "\n" not in repr(one)
        assert repr(one).startswith(f"<{type(one).__name__} ")
    assert "1 layer" not in repr(design)
    assert "DIFFERENT" in repr(found[2])
    assert "DIFFERENT" in str(found[2])
    assert "equal, 10 events" in repr(found[3])
    assert "csim FAILED, synth not run" in repr(found[4])
    assert "FAILED" in str(found[4])
    assert str(found[1]).startswith(run(capsys, "estimate", config)[1].split("DOES NOT FIT")[0].rstrip())


def test_a_network_that_loses_nothing_is_converted_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convert(mlp(np.random.default_rng(0), (4, 6, 3)), hls_config({"ReuseFactor": 1}))
