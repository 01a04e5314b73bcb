"""nn2hls build --tool vitis|vivado, end to end, with a stand-in for AMD's programs that runs the project's Tcl."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import ToolError
from nn2hls.tools.amd.run import read_project
from nn2hls.tools.report import BuildReport
from tests.kit.amd_tools import ALL, REPORTS, all_end, build, steps


@pytest.mark.parametrize("program", ["vitis_hls", "vitis-run", "vivado_hls"])
def test_every_step_runs_and_is_read_back(capsys, install, folder, program):
    install(program, "vivado")
    tool = program.split("_")[0].split("-")[0]
    code, report, err = build(capsys, "--tool", tool, "--steps", ALL)
    assert (code, [line for line in err.splitlines() if "The project is for Vivado" not in line]) == (0, [])
    release = REPORTS[program].rsplit("_", 1)[1]
    assert (report["tool"], report["version"], report["ok"]) == (tool, release, True)
    assert steps(report) == dict.fromkeys(ALL.split(","), True)
    assert [f["source"] for f in report["total"]][:2] == ["estimate", "estimate_synthesis"]
    hls, synthesis = report["total"][2:]
    assert (hls["source"], hls["tool"], synthesis["source"]) == ("hls", f"{tool} {release}", "synthesis")
    assert hls["resources"]["dsp"] == (21 if tool == "vivado" else 17)
    assert synthesis["resources"] == {"dsp": 17, "lut": 1180, "ff": 988, "bram": 2, "uram": 0}
    assert synthesis["clock_ns"] == pytest.approx(5 - 1.204)
    assert {c["witness"]: (c["events"], c["differ"]) for c in report["checks"]} == {"csim": (100, 0), "cosim": (100, 0)}
    assert report["checks"][1]["latency"] == (12 if tool == "vivado" else 10)
    assert [f["source"] for f in report["layers"]["fc1"]][2:] == ["hls", "synthesis"]  # layers by the user's names,
    assert [f["source"] for f in report["layers"]["fc2"]][2:] == ["hls", "synthesis"]  # fc2_s and net_fc2 too;
    assert report["layers"]["fc1_part"][0]["resources"]["lut"] == 190  # other modules by their own
    assert "net" not in report["layers"]
    commands = {s["name"]: s["command"] for s in report["steps"]}
    switches = "csim=1 synth=1 cosim=1 export=1"
    expected = f"NN2HLS_STEPS='{switches}' vitis-run --mode hls --tcl build_prj.tcl"
    assert commands["csim"] == (expected if program == "vitis-run" else f"{program} -f build_prj.tcl '{switches}'")
    assert commands["vsynth"].startswith("vivado -mode batch -source vivado_synth.tcl")
    assert all((folder / "out" / s["log"]).is_file() for s in report["steps"])
    saved = BuildReport.from_dict(json.loads((folder / "out" / "reports" / f"{tool}.json").read_text()))
    assert saved.to_dict() == {**own(report), "notes": ()}  # those of the command come on top
    again = read_project(Path("out"))
    assert (again.total, again.checks, again.ok) == (saved.total[2:], saved.checks, True)
    assert again.layers["fc1"] == saved.layers["fc1"][2:]
    log = (folder / "out" / "reports" / f"{tool}.log").read_text()
    assert ("-std=c++0x" if tool == "vivado" else "-std=c++14") in log
    assert ("config_array_partition -maximum_size 4096" in log) == (tool == "vivado")


def own(document):
    """A report's own part of the command's document, with tuples where it has them."""
    names = set(BuildReport("x", "y").to_dict())
    return BuildReport.from_dict({k: v for k, v in document.items() if k in names}).to_dict()


def test_without_steps_it_simulates_and_synthesises(capsys, install, folder):
    install("vitis_hls")
    code = main(["build", "net.yml", "--tool", "vitis"])
    out = capsys.readouterr().out
    assert code == 0
    assert "vitis 2023.1, xcvu13p-flga2577-2-e, 5 ns" in out
    assert "csim: 100 events, all as the emulator" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith(("csim ", "synth "))] == [
        ["csim", "ok"],
        ["synth", "ok"],
    ]
    assert "cosim" not in out


def test_on_a_terminal_lines_come_as_they_are_printed_without_their_colours(capsys, install, folder, monkeypatch):
    install("vitis_hls")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, report, err = build(capsys, "--tool", "vitis", "--steps", "csim")
    assert (code, report["version"]) == (0, "2023.1")  # as the program says, where no report does
    assert "***** csim *****\n" in err
    assert "\\x1b[31mred\n" in err
    assert "\x1b" in (folder / "out" / "reports" / "vitis.log").read_text()


def test_a_step_after_another_run_takes_what_is_there(capsys, install, folder):
    install("vitis_hls", "vivado")
    assert build(capsys, "--tool", "vitis")[0] == 0
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", "vsynth,cosim")
    assert (code, steps(report)) == (0, {"csim": True, "synth": True, "cosim": True, "vsynth": True})
    log = (folder / "out" / "reports" / "vitis.log").read_text()
    assert "open_project net_prj" in log
    assert "-reset" not in log


def test_a_step_that_needs_another_is_refused_with_what_works(capsys, install, folder):
    install("vitis_hls", "vivado")
    for step in ("cosim", "export", "vsynth"):
        code, report, _ = build(capsys, "--tool", "vitis", "--steps", step)
        assert (code, report["error"]["fix"]) == (1, f"Ask for both: --steps synth,{step}.")
    assert build(capsys, "--tool", "vitis", "--steps", "synth")[0] == 0
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", "cosim", "--precision", "ap_fixed<14,6>")
    assert (code, "not done for these sources" in report["error"]["what"]) == (1, True)


@pytest.mark.parametrize(
    ("fate", "expected", "words"),
    [
        ("csim=differ", {"csim": False, "synth": None, "vsynth": None}, "3 of 100 events differ from the emulator"),
        ("synth=fail", {"csim": True, "synth": False, "vsynth": None}, "ERROR: [HLS 200-70] synth is not to be."),
        ("synth=crash", {"csim": True, "synth": False, "vsynth": None}, "(SIGSEGV)"),
        ("synth=silent", {"csim": True, "synth": False, "vsynth": None}, "ended without an error; it began and did not end"),
        (
            "synth=garbage",
            {"csim": True, "synth": False, "vsynth": True},
            "csynth.xml: It is no XML",
        ),
        ("vsynth=fail", {"csim": True, "synth": True, "vsynth": False}, "vivado ended with exit status 1"),
    ],
)
def test_what_fails_says_why_and_where_its_log_is(capsys, install, monkeypatch, folder, fate, expected, words):
    install("vitis_hls", "vivado")
    monkeypatch.setenv("FAKE", fate)
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", "csim,synth,vsynth")
    assert (code, report["ok"], steps(report)) == (1, False, expected)
    failed = next(s for s in report["steps"] if s["ok"] is False)
    assert words in failed["note"]
    log = folder / "out" / failed["log"]
    assert f"its log is {failed['log']}" in failed["note"]
    assert log.read_text()
    assert all(s["note"] == "not reached" for s in report["steps"] if s["ok"] is None)
    monkeypatch.delenv("FAKE")
    assert build(capsys, "--tool", "vitis", "--steps", "csim,synth,vsynth")[0] == 0  # what is left does not stand in the way


def test_a_success_of_an_earlier_run_does_not_hide_a_failure(capsys, install, monkeypatch, folder):
    install("vitis_hls")
    assert build(capsys, "--tool", "vitis")[0] == 0
    monkeypatch.setenv("FAKE", "csim=silent")
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", "csim")
    assert (code, steps(report)["csim"]) == (1, False)
    (folder / "bin" / "vitis_hls").write_text("#!/bin/sh\nexit 0\n")  # does nothing at all
    code, report, _ = build(capsys, "--tool", "vitis")
    assert (code, steps(report)) == (1, {"csim": False, "synth": None})


def test_a_tool_that_dies_after_its_last_step_has_failed(capsys, install, folder):
    install("vitis_hls", "vivado")
    script = folder / "bin" / "vitis_hls"
    script.write_text(script.read_text().replace(" exec ", " ") + "exit 139\n")
    code, report, _ = build(capsys, "--tool", "vitis", "--steps", "csim,synth,vsynth")
    assert (code, steps(report)) == (1, {"csim": True, "synth": False, "vsynth": None})
    assert "exit status 139 (SIGSEGV)" in report["steps"][1]["note"]


def test_after_the_time_out_nothing_is_left_running(capsys, install, monkeypatch, folder):
    install("vitis_hls")
    monkeypatch.setenv("FAKE", "synth=hang")
    code, report, _ = build(capsys, "--tool", "vitis", "--timeout", "2")
    assert (code, steps(report)) == (1, {"csim": True, "synth": False})
    assert "vitis_hls was ended after 2 s" in report["steps"][1]["note"]
    left = re.findall(r"hanging (\d+)", (folder / "out" / "reports" / "vitis.log").read_text())
    assert left
    assert all_end(left)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_command_ends_the_tool(install, monkeypatch, folder, number):
    install("vitis_hls")
    monkeypatch.setenv("FAKE", "synth=hang")
    command = [sys.executable, "-m", "nn2hls", "build", "net.yml", "--tool", "vitis", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log, left, until = folder / "out" / "reports" / "vitis.log", [], time.monotonic() + 30
    while not left and time.monotonic() < until:
        time.sleep(0.1)
        left = re.findall(r"hanging (\d+)\n", log.read_text()) if log.is_file() else []
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert left
    assert all_end(left)


@pytest.mark.parametrize(
    ("tool", "chosen", "lines"),
    [
        ("vitis", "csim,synth", ["vitis_hls -f build_prj.tcl 'csim=1 synth=1 cosim=0 export=0'"]),
        ("vitis", "synth,vsynth", ["NN2HLS_STEPS='csim=0 synth=1 cosim=0 export=0' vitis-run --mode hls --tcl build_prj.tcl"]),
        (
            "vivado",
            ALL,
            ["vivado_hls -f build_prj.tcl 'csim=1 synth=1 cosim=1 export=1'", "vivado -mode batch -source vivado_sy"],
        ),
    ],
)
def test_without_the_tool_it_is_said_what_to_run(capsys, folder, tool, chosen, lines):
    code, report, _ = build(capsys, "--tool", tool, "--steps", chosen)
    message = report["error"]["fix"]
    assert (code, report["error"]["kind"]) == (1, "ToolError")
    assert "not on the PATH" in report["error"]["what"]
    assert all(line in message for line in [*lines, "which is complete", "nn2hls report out", "settings64.sh"])
    assert ("vivado_synth.tcl" in message) == ("vsynth" in chosen)
    assert (folder / "out" / "vivado_synth.tcl").is_file()


WRONG = {
    "--tool vitis --steps synt": (1, "Did you mean 'synth'?"),
    "--tool csim --steps synth": (1, "'synth' is no step of csim."),
    "--tool vitis --backend Vivado": (2, "Leave --backend out"),
    "--tool vitis --timeout 0": (2, "a number of seconds above 0"),
    "--tool vitis --timeout nan": (2, "a number of seconds above 0"),
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_options(capsys, folder, line):
    expected, words = WRONG[line]
    code, report, err = build(capsys, *line.split())
    assert (code, report["ok"], words in err) == (expected, False, True)
    assert not (folder / "out").exists()


def test_the_tool_decides_for_whom_the_project_is_written(capsys, install, folder):
    install("vivado_hls")
    assert build(capsys, "--tool", "vivado")[0] == 0
    assert json.loads(Path("out/nn2hls.json").read_text())["backend"] == "Vivado"
    assert "The project is for Vivado" in build(capsys, "--tool", "vivado", "--steps", "csim")[1]["notes"][0]
    assert nn2hls.convert("net.onnx", "net.yml").build("vivado", "live").tool == "vivado"
    assert json.loads(Path("live/nn2hls.json").read_text())["backend"] == "Vivado"
    with pytest.raises(ToolError, match="There is no tool 'vits'"):
        nn2hls.convert("net.onnx", "net.yml").build("vits")
