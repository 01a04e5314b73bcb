"""What AMD's tools have left in a project: whose results they are, and where they came from."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

import nn2hls
from nn2hls.errors import Nn2hlsError, ToolError
from nn2hls.tools.amd.run import read_project
from nn2hls.tools.report import Resources
from tests.kit.amd_tools import ALL, FIXTURES, build


def test_results_of_other_sources_are_stale_and_give_no_figures(capsys, install, folder):
    install("vitis_hls", "vivado")
    assert build(capsys, "--tool", "vitis", "--steps", ALL)[0] == 0
    nn2hls.convert("net.onnx", "net.yml").write("out")
    assert read_project(Path("out")).total  # the same sources, written again
    design = nn2hls.convert("net.onnx", {"ProjectName": "net", "HLSConfig": {"Model": {"Precision": "ap_fixed<14,6>"}}})
    design.write("out")
    report = read_project(Path("out"))
    assert [(s.ok, s.note) for s in report.steps] == [(None, "stale: it was run on other sources; run it again")] * 5
    assert (report.total, report.layers, report.checks, report.ok) == ((), {}, (), False)
    assert report.digest == design.project.digest


def test_results_without_marks_are_judged_by_their_date(capsys, install, folder):
    install("vitis_hls")
    assert build(capsys, "--tool", "vitis")[0] == 0
    for mark in Path("out/net_prj").glob("nn2hls_*.txt"):
        mark.unlink()
    report = read_project(Path("out"))
    assert [s.ok for s in report.steps] == [True, True]
    assert "by its date" in report.steps[1].note
    os.utime("out/.nn2hls-project", (time.time() + 10, time.time() + 10))
    report = read_project(Path("out"))
    assert [(s.ok, "older than the sources" in s.note) for s in report.steps] == [(None, True)] * 2
    assert report.total == ()


def test_a_file_changed_by_hand_is_told(capsys, install, folder):
    install("vitis_hls")
    assert build(capsys, "--tool", "vitis")[0] == 0
    assert read_project(Path("out")).notes == ()
    with open("out/firmware/net.cpp", "a") as file:
        file.write("// mine\n")
    assert "changed by hand" in read_project(Path("out")).notes[0]


def test_what_it_says_works_by_hand_on_another_machine(capsys, install, folder):
    with pytest.raises(ToolError) as error:
        nn2hls.convert("net.onnx", "net.yml").build("vitis", steps=ALL.split(","))
    install("vitis-run", "vivado")
    shutil.copytree("out", "elsewhere/out")  # which keeps no date
    lines = [line.split("with vitis-run: ")[-1].strip() for line in error.value.fix.splitlines()]
    commands = [line for line in lines if line.startswith(("NN2HLS_STEPS", "vivado "))]
    assert len(commands) == 2
    for command in commands:
        assert os.system(f"cd elsewhere/out && {command} > ../log 2>&1") == 0, Path("elsewhere/log").read_text()
    shutil.rmtree("out")
    shutil.copytree("elsewhere/out", "out", copy_function=shutil.copyfile)
    report = read_project(Path("out"))
    assert (report.ok, [s.name for s in report.steps], report.version) == (True, ALL.split(","), "2024.2")


def test_the_tcl_itself_refuses_steps_whose_sources_are_not_synthesised(install, folder):
    install("vitis_hls", "vivado")
    nn2hls.convert("net.onnx", "net.yml").write("out")
    assert (
        os.waitstatus_to_exitcode(os.system("cd out && vitis_hls -f build_prj.tcl csim=0 synth=0 cosim=1 2> ../err >&2")) == 2
    )
    assert "cosim needs what synth makes" in Path("err").read_text()
    command = "cd out && vivado -mode batch -source vivado_synth.tcl 2> ../err >&2"
    assert os.waitstatus_to_exitcode(os.system(command)) == 2
    assert "run build_prj.tcl with synth=1 first" in Path("err").read_text()


def test_a_folder_without_results_gives_none(folder):
    design = nn2hls.convert("net.onnx", "net.yml")
    design.write("out")
    assert read_project(Path("out")) is None
    assert read_project(Path("bin")) is None
    Path("out/net_prj").mkdir()
    assert read_project(Path("out")) is None
    Path("out/nn2hls.json").write_text("[]")
    with pytest.raises(Nn2hlsError, match="does not describe a project"):
        read_project(Path("out"))
    Path("out/nn2hls.json").write_text(
        json.dumps({"name": "../x", "backend": "Vitis", "part": "", "clock_ns": 5, "layers": {}})
    )
    with pytest.raises(Nn2hlsError, match="no C"):
        read_project(Path("out"))


def test_exported_synthesis_is_read_when_it_is_younger_than_the_synthesis(capsys, install, folder):
    install("vitis-run")
    assert build(capsys, "--tool", "vitis", "--steps", "synth,export")[0] == 0
    place = Path("out/net_prj/solution1/impl/report/verilog")
    place.mkdir(parents=True)
    shutil.copyfile(FIXTURES / "vitis_hls_2024.2/impl/report/verilog/export_syn.xml", place / "export_syn.xml")
    report = read_project(Path("out"))
    assert report.total[1].tool == "vivado 2024.2 synthesis"
    assert report.layers["fc1"][1].resources == Resources(11, 801, 600, 0, 0)
    os.utime(place / "export_syn.xml", (1e9, 1e9))
    assert len(read_project(Path("out")).total) == 1
