"""``build --tool bambu`` and ``verify --tool bambu`` with a stand-in for Bambu: what works, and every way to fail."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import LimitError
from tests.kit.networks import mlp
from tests.kit.paths import ROOT
from tests.kit.tools import require_tool

FAKE = ROOT / "tests" / "kit" / "fake_bambu.py"
CONFIG = """
OnnxModel: net.onnx
OutputDir: out
ProjectName: net
Backend: Bambu
Part: xc7vx690tffg1930-3
HLSConfig: {Model: {Precision: 'ap_fixed<8,4>'}}
"""


def program(folder, name, text):
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A folder with net.yml: a ReLU on two values, and the stand-in as NN2HLS_BAMBU."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 2]) for n in "xy"]
    model = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", ends[:1], ends[1:]))
    model.opset_import[0].version, model.ir_version = 17, 8
    monkeypatch.chdir(tmp_path)
    save(model, "net.onnx")
    Path("net.yml").write_text(CONFIG)
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "clang-16", "#!/bin/sh\necho clang version 16.0.6\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    fake = program(tmp_path / "bin", "my_bambu", f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    monkeypatch.setenv("NN2HLS_BAMBU", str(fake))
    return tmp_path


def run(capsys, *words):
    """Exit status, the document and the standard error."""
    code = main([*words, "--json"])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, json.loads(captured.out), captured.err


def build(capsys, *words):
    return run(capsys, "build", "net.yml", "--tool", "bambu", *words)


def steps(report):
    return {s["name"]: s["ok"] for s in report["steps"]}


@pytest.mark.long
def test_a_core_is_built_simulated_and_verified(net, capsys):
    require_tool("verilator", shutil.which("verilator"))
    require_tool("yosys", shutil.which("yosys"))
    code, report, _ = build(capsys)
    assert code == 0, report
    assert steps(report) == {"hls": True, "simulate": True, "yosys": True}
    assert report["version"] == "2024.10"
    (check,) = report["checks"]
    assert (check["events"], check["differ"], check["latency"], check["interval"]) == (1000, 0, 1, 1)
    for step in report["steps"]:
        assert (net / "out" / step["log"]).is_file()
    assert "--device-name=xc7vx690t-3ffg1930-VVD" in report["steps"][0]["command"]
    hls = next(f for f in report["total"] if f["source"] == "hls")
    assert (hls["latency"], hls["interval"], hls["clock_ns"]) == (1, 1, 2.5)
    code, verdict, _ = run(capsys, "verify", "net.yml", "--tool", "bambu")
    assert (code, verdict["tool"], verdict["values"], verdict["latency"], verdict["interval"]) == (0, "bambu", 2000, 1, 1)


@pytest.mark.long
def test_the_users_events_are_run_and_their_predictions_compared(net, capsys):
    require_tool("verilator", shutil.which("verilator"))
    design = nn2hls.convert(None, "net.yml")
    x = np.random.default_rng(2).uniform(-1, 1, (23, *design.graph.inputs[0].shape))
    np.save("x.npy", x)
    np.save("y.npy", np.concatenate([np.atleast_2d(a) for a in [design.predict(x)]]) + 1)
    Path("net.yml").write_text(Path("net.yml").read_text() + "InputData: x.npy\nOutputPredictions: y.npy\n")
    code, report, _ = build(capsys, "--steps", "hls,simulate")
    assert (code, report["checks"][0]["events"]) == (0, 1023)
    assert [n for n in report["notes"] if "largest difference from OutputPredictions 1 in event 1" in n]


@pytest.mark.long
def test_one_wrong_value_of_one_output_is_reported(net, capsys, monkeypatch):
    require_tool("verilator", shutil.which("verilator"))
    monkeypatch.setenv("FAKE_BAMBU", "wrong")
    code, report, _ = build(capsys, "--steps", "hls,simulate")
    assert code == 1
    assert steps(report) == {"hls": True, "simulate": False}
    assert report["checks"][0]["differ"] > 0
    assert "[1] of event" in report["steps"][1]["note"]
    assert "is 76, the emulator says 77" in report["steps"][1]["note"]
    code, verdict, _ = run(capsys, "verify", "net.yml", "--tool", "bambu")
    assert (code, verdict["equal"]) == (1, False)


def test_a_core_that_loses_events(net, capsys, monkeypatch):
    require_tool("verilator", shutil.which("verilator"))
    monkeypatch.setenv("FAKE_BAMBU", "slow")
    code, report, _ = build(capsys, "--steps", "hls,simulate")
    assert (code, steps(report)) == (1, {"hls": True, "simulate": False})
    assert "1000 events taken, 500 answers" in report["steps"][1]["note"]


FAILURES = {
    "crash": r"SIGSEGV",
    "memory": r"ran out of memory.*ReuseFactor",
    "error": r"exit status 1: error -> Front-end: unsupported",
    "quiet": r"exit status 3\. Set a higher ReuseFactor",
    "nothing": r"without Verilog",
    "unpipelined": r"pipeline pragma",
}


@pytest.mark.parametrize("mode", FAILURES)
def test_every_failure_is_a_step_that_failed(net, capsys, monkeypatch, mode):
    monkeypatch.setenv("FAKE_BAMBU", mode)
    code, report, _ = build(capsys)
    assert (code, steps(report)) == (1, {"hls": False, "simulate": None, "yosys": None})
    assert re.search(FAILURES[mode], report["steps"][0]["note"]), report["steps"][0]["note"]
    assert report["steps"][1]["note"] == "not reached"
    assert "\x1b" not in report["steps"][0]["note"]
    assert (net / "out" / report["steps"][0]["log"]).is_file()
    assert run(capsys, "report", "out")[0] == 1
    main(["build", "net.yml", "--tool", "bambu"])
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err


def test_a_time_out(net, capsys, monkeypatch):
    monkeypatch.setenv("FAKE_BAMBU", "sleep")
    code, report, _ = build(capsys, "--timeout", "0.5")
    assert (code, steps(report)["hls"]) == (1, False)
    assert "took longer than 0.5 s" in report["steps"][0]["note"]
    assert "--timeout" in report["steps"][0]["note"]


def test_verilog_that_is_none(net, capsys, monkeypatch):
    require_tool("verilator", shutil.which("verilator"))
    monkeypatch.setenv("FAKE_BAMBU", "garbage")
    code, report, _ = build(capsys)
    assert (code, steps(report)) == (1, {"hls": True, "simulate": False, "yosys": None})
    assert "no module 'net_core'" in report["steps"][1]["note"]


def test_missing_programs_are_said_with_what_they_add(net, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(net / "bin"))
    code, report, _ = build(capsys)
    assert (code, steps(report)) == (0, {"hls": True, "simulate": None, "yosys": None})
    assert "verify --tool bambu" in report["steps"][1]["note"]
    assert "LUT, FF, DSP and BRAM" in report["steps"][2]["note"]
    code, found, err = run(capsys, "verify", "net.yml", "--tool", "bambu")
    assert (code, found["ok"]) == (1, False)
    assert "verilator is not on the PATH" in err
    (net / "bin" / "clang-16").unlink()
    code, found, err = build(capsys)
    assert (code, "clang-16 is not on the PATH" in err) == (1, True)
    monkeypatch.delenv("NN2HLS_BAMBU")
    code, found, err = build(capsys)
    assert (code, "bambu is not on the PATH" in err) == (1, True)
    monkeypatch.setenv("NN2HLS_BAMBU", "/nowhere/bambu")
    code, found, err = build(capsys)
    assert (code, "NN2HLS_BAMBU: It names '/nowhere/bambu'" in err) == (1, True)


def test_a_bambu_that_says_no_version(net, capsys, monkeypatch):
    monkeypatch.setenv("NN2HLS_BAMBU", str(program(net / "bin", "odd", "#!/bin/sh\nexit 9\n")))
    code, _, err = build(capsys)
    assert (code, "ended with 9" in err) == (1, True)


def test_verify_refuses_rtl_that_is_not_there_or_of_other_sources(net, capsys):
    code, _, err = run(capsys, "verify", "net.yml", "--tool", "bambu")
    assert (code, "Run `nn2hls build CONFIG --tool bambu` first" in err) == (1, True)
    assert build(capsys, "--steps", "hls")[0] == 0
    code, _, err = run(capsys, "verify", "net.yml", "--tool", "bambu", "--precision", "ap_fixed<8,3>")
    assert (code, "built from other sources" in err) == (1, True)
    (net / "out" / "reports" / "bambu.json").unlink()
    code, _, err = run(capsys, "verify", "net.yml", "--tool", "bambu")
    assert (code, "built from other sources" in err) == (1, True)


def test_files_of_the_user_beside_the_rtl_stay(net, capsys):
    Path("out/bambu/mine").mkdir(parents=True)
    Path("out/.nn2hls-project").touch()
    Path("out/bambu/notes.txt").write_text("hours of work")
    Path("out/bambu/mine/run.log").write_text("theirs")
    for _ in range(2):
        assert run(capsys, "build", "net.yml", "--tool", "bambu", "--steps", "hls")[0] == 0
    assert Path("out/bambu/notes.txt").read_text() == "hours of work"
    assert Path("out/bambu/mine/run.log").read_text() == "theirs"


@pytest.mark.long
def test_rtl_of_a_project_that_is_half_old_is_not_verified(net, capsys):
    require_tool("verilator", shutil.which("verilator"))
    assert run(capsys, "build", "net.yml", "--tool", "bambu", "--steps", "hls")[0] == 0
    Path("out/.nn2hls-writing").write_text("{}")
    code, document, _ = run(capsys, "verify", "net.yml", "--tool", "bambu")
    assert (code, "its files are of two versions" in document["error"]["what"]) == (1, True)
    assert run(capsys, "build", "net.yml", "--tool", "bambu", "--steps", "hls")[0] == 0
    assert run(capsys, "verify", "net.yml", "--tool", "bambu")[0] == 0


def test_a_failed_build_leaves_no_old_rtl(net, capsys, monkeypatch):
    """After a failure nothing of the build before it may be taken for its result."""
    assert build(capsys, "--steps", "hls")[0] == 0
    monkeypatch.setenv("FAKE_BAMBU", "nothing")
    assert build(capsys, "--steps", "hls")[0] == 1
    code, _, err = run(capsys, "verify", "net.yml", "--tool", "bambu")
    assert (code, "has written no Verilog" in err) == (1, True)


def test_parts_and_devices(net, capsys):
    """A part that Bambu has not characterised is refused with the nearest, and built when a device is named for it."""
    code, _, err = build(capsys, "--part", "xcvu13p-flga2577-2-e", "--steps", "hls")
    assert code == 1
    assert re.search(
        r"not characterised xcvu13p .*speed grade -2\. .*(xc\w+-\S+-VVD).*--bambu-device \1", err.replace("\n", " ")
    ), err
    code, report, _ = build(capsys, "--part", "xcvu13p-flga2577-2-e", "--bambu-device", "XC7Z020-1clg484", "--steps", "hls")
    assert code == 0
    assert "--device-name=xc7z020-1clg484-VVD" in report["steps"][0]["command"]
    Path("net.yml").write_text(CONFIG.replace("xc7vx690tffg1930-3", "xcku115-flvb2104-2-i") + "BambuDevice: LFE5U85F8BG756C\n")
    code, report, _ = build(capsys, "--steps", "hls")
    assert (code, "--device-name=LFE5U85F8BG756C" in report["steps"][0]["command"]) == (0, True)
    code, _, err = build(capsys, "--bambu-device", "xc7z021; rm -rf /", "--steps", "hls")
    assert (code, "Bambu has no device" in err) == (1, True)
    code, _, err = build(capsys, "--bambu-device", "", "--part", "xc7vx690tffg1930-2", "--steps", "hls")
    assert code == 1


@pytest.mark.parametrize("part", ["xc7vx690tffg1930-3", "xc7vx690t-ffg1761-3", "XC7VX690T-3ffg1930"])
def test_the_package_does_not_count(net, capsys, part):
    code, report, err = build(capsys, "--part", part, "--steps", "hls")
    assert code == 0, err
    assert "--device-name=xc7vx690t-3ffg1930-VVD" in report["steps"][0]["command"]


@pytest.mark.parametrize(
    ("reuse", "words"),
    [
        (1, r"additions side by side, and Bambu builds at most 6,000 in minutes\. Set ReuseFactor: 34 for all layers"),
        (4, r"It has 1,0\d\d multipliers that take turns, and Bambu builds at most 512 .*--reuse 34"),
    ],
)
def test_what_would_take_hours_is_refused_with_a_reuse_factor_that_works(reuse, words):
    def design(factor):
        model = {"Precision": "ap_fixed<16,6>", "ReuseFactor": factor}
        config = {"Part": "xc7z020-1", "Backend": "Bambu", "HLSConfig": {"Model": model}}
        return nn2hls.convert(mlp(np.random.default_rng(0), (16, 64, 32, 32, 5)), config)

    with pytest.raises(LimitError, match=words):
        design(reuse).project  # noqa: B018
    assert design(34).project.files


def test_what_bambu_makes_no_use_of_is_said():
    graph = mlp(np.random.default_rng(0), (2, 2))
    config = {"Part": "xc7z020-1", "Backend": "Bambu", "ClockUncertainty": "10%", "BambuDevice": "xc7z045-2ffg900"}
    notes = nn2hls.convert(graph, config).notes
    assert any(n.startswith("ClockUncertainty: Bambu has none") for n in notes)
    assert any("builds for xc7z045-2ffg900-VVD; the estimate stays that of xc7z020-1" in n for n in notes)
    plain = nn2hls.convert(graph, {"Part": "xc7z020-1", "Backend": "Bambu", "BambuDevice": "xc7z020-1clg484"}).notes
    assert not any(n.startswith(("ClockUncertainty", "BambuDevice", "Part")) for n in plain)
