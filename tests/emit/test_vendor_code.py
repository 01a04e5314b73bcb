"""What Vivado HLS and Vitis HLS get to read: C++ of their standard, and no pragma outside their documented sets."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.hardware.code import Pragma
from nn2hls.ops import Dense, Elementwise, Function, Input, Merge, Relu, Softmax, Table
from nn2hls.tools.folder import data_folder
from tests.kit.networks import mlp
from tests.kit.tools import require_tool

# The documented pragmas that the project uses, with options that they take there.
# Vivado HLS: UG902 and UG1253, 2018 to 2020.1. Vitis HLS: UG1399, 2020.2 to 2025.2.
PARTITION = r"variable=\w+ (complete dim=\d+|(cyclic|block) factor=[1-9]\d*)"
COMMON = {
    "ARRAY_PARTITION": PARTITION,
    "ARRAY_RESHAPE": PARTITION,
    "INTERFACE": r"(ap_none|ap_stable|ap_vld|ap_ack|ap_hs|ap_ovld|ap_fifo|ap_memory|bram) port=\w+",
    "PIPELINE": r"II=[1-9]\d*",
    "UNROLL": r"|factor=[1-9]\d*",
    "DATAFLOW": "",
}
ROMS = "|".join(f"ROM_{ports}_{kind}" for ports in ("1P", "2P", "nP") for kind in ("BRAM", "LUTRAM"))
DOCUMENTED = {
    "Vivado": {**COMMON, "RESOURCE": rf"variable=\w+ core=({ROMS})"},
    "Vitis": {**COMMON, "BIND_STORAGE": r"variable=\w+ type=rom_(1p|2p|np) impl=(bram|lutram|uram|auto)"},
}


def residual():
    """Two inputs, two outputs, a sum, a table and a softmax."""
    b, rng = Builder(), np.random.default_rng(1)
    x, z = b.add("x", Input((4,))), b.add("z", Input((4,)))
    fc = b.add("fc", Dense(Const(rng.normal(size=(4, 4))), Const(rng.normal(size=4))), [x])
    total = b.add("sum", Elementwise(Merge.ADD), [b.add("relu", Relu(), [fc]), z])
    tanh = b.add("tanh", Table(Function.TANH), [total])
    return b.build(
        [b.add("soft", Softmax(0), [b.add("last", Dense(Const(rng.normal(size=(4, 3))), Const(np.ones(3))), [total])]), tanh]
    )


def block_roms():
    return mlp(np.random.default_rng(0), (20, 40, 3))


NETWORKS = {
    "parallel": (block_roms, {}),
    "reused": (block_roms, {"ReuseFactor": 4}),
    "one multiplier": (block_roms, {"ReuseFactor": 800}),
    "in block RAM": (block_roms, {"ReuseFactor": 100, "Strategy": "Resource"}),
    "two inputs": (residual, {}),
    "two inputs, reused": (residual, {"ReuseFactor": 2}),
}


def project(backend, network):
    graph, model = NETWORKS[network]
    model = {"Precision": "ap_fixed<16,6>", **model}
    return convert(graph(), {"Backend": backend, "ProjectName": "net", "HLSConfig": {"Model": model}}).project


def pragmas(folder, *defines):
    """The pragmas that a tool sees in net.cpp, after its preprocessor."""
    program = shutil.which("g++")
    require_tool("g++", program)
    command = [program, "-E", "-P", *defines, "-I", str(data_folder("firmware_lib") / "ap_types"), "firmware/net.cpp"]
    text = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in text.splitlines() if line.lstrip().startswith("#")]
    return [line for line in lines if not line.startswith("#pragma GCC")]  # the libraries' own


def undocumented(backend, lines):
    found = []
    for line in lines:
        match = re.fullmatch(r"#pragma HLS (\w+)(?: (.+))?", line)
        options = DOCUMENTED[backend].get(match[1]) if match else None
        if options is None or not re.fullmatch(options, match[2] or ""):
            found.append(line)
    return found


@pytest.mark.parametrize("backend", DOCUMENTED)
def test_every_pragma_is_documented_for_its_tool(tmp_path, backend):
    used = set()
    for network in NETWORKS:
        folder = project(backend, network).write(tmp_path / "net")
        lines = pragmas(folder)
        assert undocumented(backend, lines) == []
        used |= {line.split()[2] for line in lines}
    assert used == set(DOCUMENTED[backend])  # each of them was seen


def test_the_check_finds_what_is_not_documented():
    lines = ["#pragma HLS BIND_STORAGE variable=w type=rom_np impl=bram", "#pragma HLS UNROL", "#pragma once"]
    lines += ["#pragma HLS INTERFACE ap_vld port=a,b", "#pragma HLS PIPELINE II=0", "#pragma HLS DATAFLOW"]
    assert undocumented("Vivado", lines) == lines[:5]
    assert undocumented("Vitis", lines) == lines[1:5]


@pytest.mark.parametrize("network", NETWORKS)
def test_pragmas_name_what_the_code_declares(network):
    for path, text in project("Vitis", network).files.items():
        if path.startswith("firmware/") and "nn2hls/" not in path:
            for name in re.findall(r"#pragma HLS .*?(?:variable|port)=(\w+)", text):
                assert len(re.findall(rf"\b{name}\b", text)) > text.count(f"={name}"), f"{path}: {name}"


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("backend", ["Vivado", "Vitis"])
def test_the_sources_are_of_the_tool_s_standard(tmp_path, backend, compiler):
    program = shutil.which(compiler)
    require_tool(compiler, program)
    for network in ("two inputs, reused", "in block RAM"):
        folder = project(backend, network).write(tmp_path / "net")
        standard = "c++0x" if backend == "Vivado" else "c++14"  # the older name of C++11
        flags = [f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fsyntax-only"]
        stand_ins = ["-isystem", str(data_folder("firmware_lib") / "ap_types")]  # the tools bring their own
        command = [program, *flags, *stand_ins, "-I.", "net_test.cpp", "firmware/net.cpp"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stderr) == (0, "")
        assert f'set standard "-std={standard}"' in (folder / "build_prj.tcl").read_text()


def test_a_pragma_has_the_same_words_for_every_tool():
    from nn2hls.emit.tool import TOOLS

    assert TOOLS["Vivado"].pragmas.keys() == TOOLS["Vitis"].pragmas.keys()
    assert TOOLS["Vivado"].text(Pragma("port", "a")) == "#pragma HLS INTERFACE ap_vld port=a"
