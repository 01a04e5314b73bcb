"""A small network in a folder of its own, and stand-ins for AMD's programs: what tests of ``build --tool vitis`` share."""

import json
import os
import shlex
import shutil
import time
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from nn2hls.cli import main
from tests.kit.paths import ROOT
from tests.kit.tools import require_tool

FIXTURES = ROOT / "tests" / "fixtures" / "amd"
REPORTS = {
    "vitis_hls": "vitis_hls_2023.1",
    "vitis-run": "vitis_hls_2024.2",
    "v++": "vitis_hls_2024.2",
    "vivado_hls": "vivado_hls_2019.2",
}
ALL = "csim,synth,cosim,export,vsynth"


def net_folder(tmp_path, monkeypatch):
    """A current directory with net.onnx and net.yml, and a PATH without AMD's programs."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    arrays = {"w1": rng.normal(size=(4, 6)), "b1": rng.normal(size=6), "w2": rng.normal(size=(6, 3)), "b2": rng.normal(size=3)}
    nodes = [helper.make_node("Gemm", [a, f"w{k}", f"b{k}"], [b], name=f"fc{k}") for k, a, b in ((1, "x", "h"), (2, "h", "y"))]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", n]) for name, n in (("x", 4), ("y", 3))]
    constants = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()]
    model = helper.make_model(helper.make_graph(nodes, "net", ends[:1], ends[1:], constants))
    model.opset_import[0].version, model.ir_version = 17, 8
    save(model, "net.onnx")
    config = "OnnxModel: net.onnx\nOutputDir: out\nProjectName: net\nHLSConfig: {Model: {Precision: 'ap_fixed<16,6>'}}\n"
    Path("net.yml").write_text(config)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def installer(folder, monkeypatch):
    """A function that puts stand-ins of these names on the PATH."""
    tclsh = shutil.which("tclsh", path=os.defpath)
    require_tool("tcl", tclsh)

    def put(*names):
        for name in names:
            script = folder / "bin" / name
            words = shlex.join([tclsh, str(FIXTURES / "fake_tool.tcl"), name])
            script.write_text(f'#!/bin/sh\nPATH={os.defpath} exec {words} "$@"\n')
            script.chmod(0o755)
            if name in REPORTS:
                monkeypatch.setenv("FAKE_REPORTS", str(FIXTURES / REPORTS[name]))
        monkeypatch.setenv("FAKE_VIVADO", str(FIXTURES / "vivado" / "2022.2_ultrascale"))
        monkeypatch.setenv("FAKE_TOP", "net")

    return put


def build(capsys, *words):
    """Exit code, the report as read from --json, and the standard error."""
    code = main(["build", "net.yml", *words, "--json"])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, json.loads(captured.out), captured.err


def steps(report):
    return {s["name"]: s["ok"] for s in report["steps"]}


def runs(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def all_end(pids):
    """Whether these processes, which were signalled, are gone within a moment."""
    until = time.monotonic() + 3
    while any(map(runs, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(runs, pids))
