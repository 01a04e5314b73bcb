"""External data of ONNX files: read from the model's own folder, refused from anywhere else."""

import os

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx

from nn2hls.converters import onnx as frontend
from nn2hls.errors import ModelError
from tests.kit.onnx_tools import TensorProto, helper, model

N = helper.make_node


def external(folder, location, **entries):
    made = model([N("Add", ["x", "w"], ["y"])], {"x": ["N", 3]}, {"w": np.float32([1, 2, 3])})
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "m.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def test_external_data_beside_the_model(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"skip" + np.float32([1, 2, 3]).tobytes())
    graph = frontend.load_file(external(tmp_path, "w.bin", offset=4, length=12))
    assert graph[graph.outputs[0]].op.bias.array.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "location", ["../secret.bin", "a/../../secret.bin", "{root}/secret.bin", "link.bin", "folder/secret.bin"]
)
def test_external_data_outside_the_folder_is_refused(tmp_path, location):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    (home / "link.bin").symlink_to(tmp_path / "secret.bin")
    (home / "folder").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="outside the model's folder"):
        frontend.load_file(external(home, location.format(root=tmp_path)))


@pytest.mark.parametrize(("entries", "reason"), [
    ({"length": 8}, "8 bytes"), ({"offset": 4}, "ends at byte 16"), ({"offset": -4}, "offset -4"), ({"offset": "x"},
    "must be numbers"),
    ({"offset": 2**70}, "ends at byte"),
])  # fmt: skip
def test_external_data_of_a_wrong_size(tmp_path, entries, reason):
    (tmp_path / "w.bin").write_bytes(bytes(12))
    with pytest.raises(ModelError, match=reason):
        frontend.load_file(external(tmp_path, "w.bin", **entries))


def test_a_name_that_is_no_text_is_refused(tmp_path):
    path = external(tmp_path, "w.bin")
    path.write_bytes(path.read_bytes().replace(b"w.bin", b"\xff.bin"))
    with pytest.raises(ModelError, match="no text"):
        frontend.load_file(path)


def test_external_data_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for location, reason in (
        ("pipe", "no regular file"),
        ("folder", "no regular file"),
        ("gone.bin", "is missing"),
        ("", "names no file"),
    ):
        with pytest.raises(ModelError, match=reason):
            frontend.load_file(external(tmp_path, location))
    with pytest.raises(ModelError, match="not a file"):
        frontend.load_live(onnx.load(external(tmp_path, "gone.bin"), load_external_data=False))
