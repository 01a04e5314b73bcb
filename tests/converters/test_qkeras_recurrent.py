"""Recurrent layers of QKeras: answers recorded from QKeras itself, equal in every value; what is not understood is refused."""

import json
import shutil

import h5py
import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import Rounding
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph, Node, Origin
from nn2hls.ops import Scale
from tests.kit.answers import equals_the_record
from tests.kit.paths import ROOT

FOLDER = ROOT / "tests" / "fixtures" / "qkeras_recurrent"


@pytest.mark.parametrize("name", ["simple", "lstm", "gru"])
def test_every_answer_is_that_of_qkeras(name):
    design = equals_the_record("qkeras_recurrent", name)
    derived = [node for node in design.graph if node.inputs and not node.op.moves and "result" not in node.given]
    assert [node.name for node in derived if node.result_type.rounding is not Rounding.TRN] == []


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("gru", "recurrent_quantizer", None, "without a 'recurrent_quantizer' QKeras multiplies its state with the other"),
        ("lstm", "stateful", True, "'stateful' keeps its state from event to event"),
        ("lstm", "state_quantizer", "quantized_mine(4)", "quantized_mine"),
        ("simple", "kernel_quantizer", "quantized_mine(4)", "its quantiser .*quantized_mine.* is not offered"),
        ("simple", "twist", 2, "its option 'twist' = 2 is not understood"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(name, key, value, message, tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(FOLDER / f"{name}.h5", path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        spec = next(spec for spec in config["config"]["layers"] if spec["class_name"].startswith("Q"))
        spec["config"][key] = value
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(UnsupportedError, match=message):
        nn2hls.load(path)


def test_what_follows_the_steps_is_kept_exactly():
    graph = nn2hls.load(FOLDER / "gru.h5")
    (out,) = graph.outputs
    line = Scale(Const(np.array(0.6875)), Const(np.zeros(())))
    last = Node("line", line, (out,), graph[out].shape, None, Origin("line"))
    design = nn2hls.convert(Graph((*graph, last), ("line",)))
    with np.load(FOLDER / "answers.npz") as file:
        assert np.array_equal(design.predict(file["gru|x"]), file["gru|y"].astype(np.float64) * 0.6875)


@pytest.mark.parametrize("name", ["simple", "lstm", "gru"])
def test_biases_of_another_shape_are_refused(name, tmp_path):
    path, found = tmp_path / "model.h5", []
    shutil.copyfile(FOLDER / f"{name}.h5", path)
    with h5py.File(path, "r+") as file:
        file["model_weights"].visit(found.append)
        places = [place for place in found if place.endswith("bias:0")]
        for place in places:
            twice = np.tile(file["model_weights"][place][()], 2)
            del file["model_weights"][place]
            file["model_weights"][place] = twice
    with pytest.raises(ModelError, match=r"Its bias has shape \(.*\) and must have "):
        nn2hls.load(path)
