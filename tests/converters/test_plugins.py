"""examples/plugin, installed as its user installs it: three frameworks read its layer, and every witness agrees."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata

import pytest

from nn2hls.converters import plugins
from nn2hls.errors import Nn2hlsError
from tests.kit.paths import ROOT

PROGRAM = """
import json, sys
import keras, numpy as np, onnx, torch
import nn2hls
from onnx import TensorProto, helper

@keras.saving.register_keras_serializable("phases")
class Phase(keras.layers.Layer):
    def __init__(self, unit="turns", **own):
        super().__init__(**own)
        self.unit = unit
    def build(self, shape):
        self.start = self.add_weight(name="start", shape=shape[-1:], initializer="ones")
    def call(self, x):
        y = x + self.start
        return y - keras.ops.floor(y)
    def get_config(self):
        return {**super().get_config(), "unit": self.unit}

@torch.library.custom_op("phases::phase", mutates_args=())
def phase(x: torch.Tensor) -> torch.Tensor:
    return x - torch.floor(x)
phase.register_fake(lambda x: torch.empty_like(x))

class Net(torch.nn.Module):
    def forward(self, x):
        return torch.ops.phases.phase(x)

def keras_model(unit):
    x = keras.Input((4,))
    model = keras.Model(x, Phase(unit, name="angle")(x))
    model.layers[1].start.assign(np.array([0.25, 0, -1.5, 3], "f4"))
    model.save(f"{unit}.keras")

node = helper.make_node("Phase", ["x"], ["y"], "angle", domain="phases")
value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 4]) for n in "xy"]
graph = helper.make_graph([node], "net", value[:1], value[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("phases", 1)])
keras_model("turns")
keras_model("degrees")
config = {"Model": {"Precision": "ap_fixed<14,5>"}}
said = {}
x = np.random.default_rng(0).normal(size=(200, 4)) * 8
for name, source in (("keras", "turns.keras"), ("torch", torch.export.export(Net(), (torch.zeros(2, 4),))), ("onnx", model)):
    try:
        design = nn2hls.convert(source, config)
    except nn2hls.Nn2hlsError as error:
        said[name] = str(error)
        continue
    shifted = design.predict_float(np.zeros((1, 4)))[0]
    steps = np.floor(x * 512) / 512
    said[name] = {
        "ops": [type(n.op).__name__ for n in design.graph],
        "float": float(abs(design.predict_float(x) - np.mod(x + shifted, 1)).max()),
        "fixed": float(abs(design.predict(x) - np.mod(steps + shifted, 1)).max()),
        "csim": bool(np.array_equal(design.csim(x), design.predict(x))),
        "lut": design.estimate().lut,
    }
try:
    nn2hls.load("degrees.keras")
except nn2hls.Nn2hlsError as error:
    said["degrees"] = str(error)
json.dump(said, open("said.json", "w"))
"""


def run(folder, **environment):
    for framework in ("keras", "torch", "onnx"):
        pytest.importorskip(framework)
    (folder / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([environment.get("path", ""), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "said.json").read_text())


@pytest.mark.long
def test_three_frameworks_read_the_layer_of_a_plug_in(tmp_path):
    source = shutil.copytree(ROOT / "examples" / "plugin", tmp_path / "source")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*command, tmp_path / "installed", source], check=True, capture_output=True)
    said = run(tmp_path, path=str(tmp_path / "installed"))
    assert "angle" in said.pop("degrees")
    assert set(said) == {"keras", "torch", "onnx"}
    for name, found in said.items():
        assert found["ops"] == (["Input", "Scale", "Phase"] if name == "keras" else ["Input", "Phase"])
        assert found["float"] < 1e-12
        assert found["fixed"] == 0
        assert found["csim"]
        assert (found["lut"] > 0) == (name == "keras")  # an addition; a phase is wires


@pytest.mark.long
def test_without_it_the_layer_is_refused(tmp_path):
    said = run(tmp_path)
    assert all("angle" in said[name] or "phases" in said[name] for name in ("keras", "torch", "onnx"))


class Point:
    """An entry point that needs no package."""

    def __init__(self, name, load):
        self.name, self.value, self.dist, self.load = name, f"{name}:PLUGIN", None, load


def fails():
    raise ImportError("no module named 'absent'")


@pytest.mark.parametrize(
    ("loads", "said"),
    [
        ([fails], r"The plug-in a \(a:PLUGIN\) cannot be loaded: ImportError: no module named 'absent'"),
        ([lambda: 3], r"The plug-in a \(a:PLUGIN\) is a int, no nn2hls.converters.plugins.Plugin"),
        ([lambda: plugins.Plugin(onnx={"d.Op": 1})] * 2, r"a \(a:PLUGIN\) and b \(b:PLUGIN\) both bring 'd.Op' of onnx"),
    ],
    ids=["broken", "no plugin", "twice"],
)
def test_plug_ins_that_do_not_fit_are_named(monkeypatch, loads, said):
    points = [Point(name, load) for name, load in zip("ab", loads, strict=False)]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "nn2hls.layers" else [])
    plugins._tables.cache_clear()
    try:
        with pytest.raises(Nn2hlsError, match=said):
            plugins.brought("onnx", "d.Op")
    finally:
        plugins._tables.cache_clear()
