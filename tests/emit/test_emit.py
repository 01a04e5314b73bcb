"""The generated project: its files, names and bytes."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.emit.names import identifiers
from nn2hls.errors import LimitError, Nn2hlsError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.hardware.words import RESERVED
from nn2hls.ops import Dense, Input, Relu
from nn2hls.tools.folder import data_folder
from nn2hls.tools.gxx import find_compiler
from tests.kit.networks import hls_config, mlp
from tests.kit.tools import require_tool


def design(**layers):
    return convert(mlp(np.random.default_rng(0), (4, 6, 3)), hls_config({"Precision": "ap_fixed<16,6>"}, **layers))


def test_the_project_has_the_shape_users_know():
    files = set(design().project.files)
    assert {
        "build_prj.tcl",
        "myproject_test.cpp",
        "firmware/myproject.cpp",
        "firmware/myproject.h",
        "firmware/defines.h",
    } <= files
    assert {
        "firmware/defines.h",
        "tb_data/tb_input_features.dat",
        "tb_data/tb_output_predictions.dat",
        "firmware/layers/fc0.h",
    } <= files
    assert not any("ap_types" in f for f in files)  # vendor tools bring their own; see test_project_about.py


def test_every_run_writes_the_same_bytes():
    one, other = design(fc0={"ReuseFactor": 2}).project, design(fc0={"ReuseFactor": 2}).project
    assert one.files == other.files
    assert one.digest == other.digest
    assert one.digest != design().project.digest


def hostile():
    b = Builder()
    names = ['a"; system("x"); //', "int", "fc/1", "fc.1", "1st", "FC_1", "fc_1_t", "x" * 200, "日本", "_", "nn2hls"]
    x = b.add("in\nput", Input((2,)))
    for name in names:
        x = b.add(name, Dense(Const(np.eye(2)), Const(np.zeros(2))), [x])
    return b.build([x])


def test_names_never_reach_the_code_unescaped():
    graph = hostile()
    found = identifiers(graph, ["myproject"])
    assert len({n.lower() for n in found.values()}) == len(graph.nodes)
    for ident in found.values():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", ident)
        assert "__" not in ident
        assert ident not in RESERVED
    converted = convert(graph)
    files = dict(converted.project.files)
    assert json.loads(converted.project.about["nn2hls.json"])["layers"]["a_system_x"] == 'a"; system("x"); //'
    text = "".join(files.values())
    assert "system" not in text.replace("a_system_x", "")
    assert converted.verify().equal


PORTS = ["i", "n", "bits", "events", "in_0", "to_0", "out", "out0", "y", "x", "x_1", "EOF", "ap_int", "read_port", "raw"]
LAYERS = ["size", "time", "div", "key", "int8", "write_out0", "AP_SAT", "errno", "a", "a_rom", "a_config", "a_part3", "exp"]


@pytest.mark.parametrize("reuse", [1, 2])
def test_names_mean_nothing_to_the_libraries_the_test_bench_or_other_layers(tmp_path, reuse):
    b = Builder()
    ports = [b.add(name, Input((2,))) for name in PORTS]
    outputs = [ports[0]]
    for port, name in zip(ports, LAYERS, strict=False):
        layer = b.add(name, Dense(Const(np.arange(4.0).reshape(2, 2) - 1.3), Const(np.ones(2))), [port])
        outputs.append(b.add(f"{name}_relu", Relu(), [layer]))
    converted = convert(b.build([*outputs, *ports]), {"Model": {"Precision": "ap_fixed<8,4>", "ReuseFactor": reuse}})
    assert converted.verify().equal
    assert converted.build("csim", tmp_path / "project").ok


@pytest.mark.parametrize("name", ["defines", "errno", "ap_int", "copy_x", "write_out"])
def test_a_project_is_not_called_as_something_it_contains(name):
    with pytest.raises(Nn2hlsError, match="cannot name"):
        convert(mlp(np.random.default_rng(0), (2, 2)), {"ProjectName": name, "HLSConfig": {"Model": {}}})


def test_the_test_bench_runs_and_finds_a_wrong_answer(tmp_path):
    folder = design().write(tmp_path / "project")
    stand_ins = data_folder("firmware_lib") / "ap_types"
    command = [find_compiler(), "-std=c++11", "-I", str(stand_ins), "-I", ".", "-Wno-unknown-pragmas"]
    command += ["myproject_test.cpp", "firmware/myproject.cpp", "-o", "bench"]
    subprocess.run(command, cwd=folder, check=True)
    run = subprocess.run(["./bench"], cwd=folder, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "100 events, 0 differ from the emulator\n")
    expected = folder / "tb_data" / "tb_output_predictions.dat"
    lines = expected.read_text().splitlines()
    lines[7] = " ".join(str(int(v) + 1) for v in lines[7].split())
    expected.write_text("\n".join(lines) + "\n")
    run = subprocess.run(["./bench"], cwd=folder, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "100 events, 1 differ from the emulator\n")


@pytest.mark.parametrize("backend", ["Vivado", "Vitis"])
def test_the_tcl_is_valid_and_runs_the_chosen_steps(tmp_path, backend):
    tclsh = shutil.which("tclsh")
    require_tool("tcl", tclsh)
    config = {"Backend": backend, "HLSConfig": {"Model": {}}}
    text = convert(mlp(np.random.default_rng(0), (2, 2)), config).project.files["build_prj.tcl"]
    commands = [
        "open_project",
        "open_solution",
        "set_top",
        "add_files",
        "set_part",
        "create_clock",
        "set_clock_uncertainty",
        "config_array_partition",
    ]
    steps = ["csim_design", "csynth_design", "cosim_design", "export_design"]
    stubs = "".join(f"proc {c} args {{ puts [list {c} {{*}}$args] }}\n" for c in commands + steps)
    (tmp_path / "run.tcl").write_text(stubs + text)
    run = subprocess.run([tclsh, "run.tcl", "csim=0 cosim=1"], cwd=tmp_path, capture_output=True, text=True, check=True)
    ran = [line.split()[0] for line in run.stdout.splitlines() if line.split()[0] in steps]
    assert ran == ["csynth_design", "cosim_design"]
    assert "set_top myproject" in run.stdout
    assert ("c++0x" if backend == "Vivado" else "c++14") in run.stdout
    wrong = subprocess.run([tclsh, "run.tcl", "cism=0"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (wrong.returncode, "cism" in wrong.stderr) == (2, True)


def test_a_folder_with_other_files_is_not_replaced(tmp_path):
    target = tmp_path / "mine"
    target.mkdir()
    (target / "thesis.tex").write_text("years of work")
    with pytest.raises(Nn2hlsError, match="did not write"):
        design().write(target)
    assert (target / "thesis.tex").read_text() == "years of work"
    assert list(tmp_path.iterdir()) == [target]


def test_writing_again_replaces_what_was_generated_and_keeps_the_rest(tmp_path):
    target = convert(mlp(np.random.default_rng(0), (4, 6, 6, 3))).write(tmp_path / "out" / "project")
    assert (target / "firmware" / "layers" / "fc2.h").exists()
    (target / "predictions.npy").write_text("mine")
    (target / "myproject_prj").mkdir()
    (target / "myproject_prj" / "vendor.log").write_text("theirs")
    assert design().write(target) == target
    assert not (target / "firmware" / "layers" / "fc2.h").exists()
    assert (target / "predictions.npy").read_text() == "mine"
    assert (target / "myproject_prj" / "vendor.log").read_text() == "theirs"
    assert [p.name for p in target.parent.iterdir()] == ["project"]


def test_ports_wider_than_the_test_data_are_refused():
    with pytest.raises(LimitError, match=r"fc1: Its type .* wider"):
        design(fc1={"Precision": {"result": "ap_fixed<70,20>"}}).project  # noqa: B018


def test_several_inputs_and_outputs_and_shared_values():
    b = Builder()
    x, z = b.add("x", Input((3,))), b.add("z", Input((2,)))
    rng = np.random.default_rng(0)
    one = b.add("one", Dense(Const(rng.normal(size=(3, 2))), Const(rng.normal(size=2))), [x])
    two = b.add("two", Relu(), [one])
    three = b.add("three", Dense(Const(rng.normal(size=(2, 4))), Const(rng.normal(size=4))), [z])
    graph = b.build([one, two, three, x])
    for reuse in (1, 2):
        converted = convert(graph, {"Model": {"ReuseFactor": reuse}})
        assert converted.verify().equal
        outputs = converted.predict([np.ones((5, 3)), np.ones((5, 2))])
        assert [o.shape for o in outputs] == [(5, 2), (5, 2), (5, 4), (5, 3)]


def test_strategy_resource_puts_deep_schedules_into_block_ram():
    graph = mlp(np.random.default_rng(0), (20, 40, 3))
    texts, blocks = {}, {}
    for strategy in ("Latency", "Resource"):
        for reuse in (4, 100):
            config = hls_config({"Precision": "ap_fixed<16,6>"}, fc0={"Strategy": strategy, "ReuseFactor": reuse})
            converted = convert(graph, config)
            text = converted.project.files["firmware/layers/fc0.h"]
            texts[strategy, reuse] = ("impl=bram" in text, "ARRAY_RESHAPE variable=fc0_rom cyclic factor=8" in text)
            blocks[strategy, reuse] = converted.estimate().layers[0].report.bram
    deep = texts.pop(("Resource", 100))
    assert deep == (True, True)
    assert not any(any(t) for t in texts.values())
    assert blocks["Resource", 4] == blocks["Latency", 4] == 0
    assert 0 < blocks["Resource", 100] < blocks["Latency", 100]  # side by side, not one memory for each multiplier


def test_with_dataflow_every_process_pipelines_itself_or_its_loop():
    graph = mlp(np.random.default_rng(0), (6, 8, 3))
    files = convert(graph, hls_config(fc0={"ReuseFactor": 4})).project.files
    assert "#pragma HLS DATAFLOW" in files["firmware/myproject.cpp"]
    for layer in ("fc0", "fc0_relu", "fc1"):
        assert files[f"firmware/layers/{layer}.h"].count("#pragma HLS PIPELINE II=1") == 1
    one = convert(graph).project.files
    assert one["firmware/myproject.cpp"].count("#pragma HLS PIPELINE II=1") == 1
    assert not any("PIPELINE" in text for path, text in one.items() if path.startswith("firmware/layers"))


def test_one_multiplier_has_one_memory_and_no_factor():
    text = convert(mlp(np.random.default_rng(0), (6, 8)), hls_config(fc0={"ReuseFactor": 48})).project.files[
        "firmware/layers/fc0.h"
    ]
    assert "multipliers = 1;" in text
    assert "factor=1" not in text


def test_an_input_that_nothing_reads_stays_a_port():
    b = Builder()
    x, _ = b.add("x", Input((3,))), b.add("ignored", Input((2,)))
    graph = b.build([b.add("relu", Relu(), [x])])
    for reuse in (1, 2):
        converted = convert(graph, {"Model": {"ReuseFactor": reuse}})
        assert converted.verify().equal
        assert "(void)ignored;" in converted.project.files["firmware/myproject.cpp"]
