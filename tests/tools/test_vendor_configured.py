"""nn2hls build --tool vitis with v++ and vitis-run on the project's config file, held against a table of documented keys."""

import os
import shutil
from pathlib import Path

import pytest

import nn2hls
from nn2hls.tools.amd.run import read_project
from tests.kit.amd_tools import ALL, build, steps

PLACE = "--config hls_config.cfg --work_dir net_prj"
COMMANDS = {
    "csim": f"vitis-run --mode hls --csim {PLACE}",
    "synth": f"v++ -c --mode hls {PLACE}",
    "cosim": f"vitis-run --mode hls --cosim {PLACE}",
    "export": f"vitis-run --mode hls --package {PLACE}",
}


@pytest.mark.parametrize("release", ["2024.2", "2025.2", "2026.1"])
def test_every_step_runs_and_is_read_back(capsys, install, folder, monkeypatch, release):
    install("v++", "vitis-run", "vivado")
    monkeypatch.setenv("FAKE_RELEASE", release)
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", ALL)
    assert (code, steps(report)) == (0, dict.fromkeys(ALL.split(","), True))
    found = {s["name"]: s["command"] for s in report["steps"]}
    assert {k: found[k] for k in COMMANDS} == COMMANDS
    assert {s["name"]: s["log"] for s in report["steps"]}["cosim"] == "reports/vitis_cosim.log"
    assert all((folder / "out" / s["log"]).is_file() for s in report["steps"])
    assert report["total"][2]["resources"]["dsp"] == 17
    assert {c["witness"]: (c["events"], c["differ"]) for c in report["checks"]} == {"csim": (100, 0), "cosim": (100, 0)}
    assert [f["source"] for f in report["layers"]["fc1"]][2:] == ["hls", "synthesis"]
    again = read_project(Path("out"))
    assert ([s.ok for s in again.steps], [s.log for s in again.steps][:2]) == (
        [True] * 5,
        ["reports/vitis_csim.log", "reports/vitis_synth.log"],
    )
    assert not Path("out/net_prj/solution1").exists()


def test_a_key_that_a_release_does_not_know_fails_the_step(capsys, install, folder, monkeypatch):
    install("v++", "vitis-run")
    monkeypatch.setenv("FAKE_RELEASE", "2026.1")
    nn2hls.convert("net.onnx", "net.yml").write("out")
    for wrong in ("flow_target=vivado", "csim.code_analyser=1", "cosim.trace_level=some"):
        text = Path("out/hls_config.cfg").read_text() + wrong + "\n"
        Path("wrong.cfg").write_text(text)
        command = "cd out && v++ -c --mode hls --config ../wrong.cfg --work_dir net_prj > ../log 2>&1"
        assert os.waitstatus_to_exitcode(os.system(command)) == 1
        assert wrong.split("=")[0] in Path("log").read_text()


@pytest.mark.parametrize(
    ("fate", "expected", "words"),
    [
        ("csim=differ", {"csim": False, "synth": None, "cosim": None}, "3 of 100 events differ from the emulator"),
        ("synth=fail", {"csim": True, "synth": False, "cosim": None}, "ERROR: [HLS 200-70] synth is not to be."),
        ("synth=garbage", {"csim": True, "synth": False, "cosim": True}, "csynth.xml: It is no XML"),
        ("cosim=crash", {"csim": True, "synth": True, "cosim": False}, "(SIGSEGV)"),
    ],
)
def test_what_fails_says_why(capsys, install, monkeypatch, folder, fate, expected, words):
    install("v++", "vitis-run")
    monkeypatch.setenv("FAKE", fate)
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", "csim,synth,cosim")
    assert (code, steps(report)) == (1, expected)
    failed = next(s for s in report["steps"] if s["ok"] is False)
    assert words in failed["note"]
    assert f"its log is reports/vitis_{failed['name']}.log" in failed["note"]


def test_a_step_that_was_ended_is_not_taken_for_done(capsys, install, monkeypatch, folder):
    install("v++", "vitis-run")
    assert build(capsys, "--tool", "vitis")[0] == 0
    monkeypatch.setenv("FAKE", "synth=hang")
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", "synth", "--timeout", "1")
    assert (code, steps(report)["synth"]) == (1, False)
    assert "v++ was ended after 1 s" in report["steps"][-1]["note"]
    assert (folder / "out/net_prj/nn2hls_synth.txt").read_text().split()[1] == "started"


def test_the_newest_release_is_taken_and_of_one_the_config_file(capsys, install, folder, monkeypatch):
    install("vitis_hls", "vitis-run")
    assert "vitis-run" in build(capsys, "--tool", "vitis", "--steps", "csim")[1]["steps"][0]["command"]
    install("v++")
    assert build(capsys, "--tool", "vitis", "--steps", "csim")[1]["steps"][0]["command"] == COMMANDS["csim"]
    monkeypatch.setenv("FAKE_RELEASE", "2023.2")  # its config files had other keys: Tcl, as vitis-run passes it on
    assert "--tcl" in build(capsys, "--tool", "vitis", "--steps", "csim")[1]["steps"][0]["command"]
    monkeypatch.setenv("FAKE_RELEASE", "2022.2")
    assert build(capsys, "--tool", "vitis", "--steps", "csim")[1]["steps"][0]["command"].startswith("vitis_hls -f")


def test_what_one_way_left_does_not_speak_for_the_other(capsys, install, folder):
    install("v++", "vitis-run", "vivado")
    assert build(capsys, "--tool", "vitis", "--steps", ALL)[0] == 0
    (folder / "bin" / "v++").unlink()
    assert build(capsys, "--tool", "vitis", "--steps", "csim,synth,vsynth")[0] == 0
    assert sorted(p.name for p in Path("out/net_prj").iterdir() if p.is_dir()) == ["solution1"]
    install("v++")
    assert build(capsys, "--tool", "vitis", "--steps", "synth,vsynth")[0] == 0
    assert sorted(p.name for p in Path("out/net_prj").iterdir() if p.is_dir()) == ["hls"]
    assert not Path("out/net_prj/nn2hls_csim.txt").exists()


def test_what_it_says_works_by_hand_on_another_machine(capsys, install, folder):
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", ALL)
    lines = [line.strip() for line in report["error"]["fix"].splitlines()]
    command = next(line for line in lines if line.startswith("vitis-run --mode hls --csim"))
    assert (code, command) == (1, " && ".join(COMMANDS.values()))
    install("v++", "vitis-run")
    shutil.copytree("out", "elsewhere/out")
    assert os.system(f"cd elsewhere/out && ({command}) > ../log 2>&1") == 0, Path("elsewhere/log").read_text()
    shutil.rmtree("out")
    shutil.copytree("elsewhere/out", "out")
    found = read_project(Path("out"))
    assert [(s.name, s.ok) for s in found.steps] == [(s, True) for s in COMMANDS]
    assert "by its date" in found.steps[1].note


def test_a_project_for_vivado_hls_has_no_config_file(folder):
    nn2hls.convert("net.onnx", "net.yml").write("out")
    assert Path("out/hls_config.cfg").is_file()
    nn2hls.convert("net.onnx", {"ProjectName": "net", "Backend": "Vivado"}).write("old")
    assert not Path("old/hls_config.cfg").exists()
