"""Small models, configs and data of every format, as the tests make them: what the files fuzzer mutates."""

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from onnx import helper

from tests.fuzz import mutations as m
from tests.fuzz import seed_layers
from tests.fuzz.seed_quantised import quantised_files
from tests.kit.onnx_tools import model as onnx_model

RNG = np.random.default_rng(7)
TORCH = """
import sys, torch
from torch import nn
module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2), nn.Softmax(-1)).eval()
torch.export.save(torch.export.export(module, (torch.zeros(2, 4),)), sys.argv[1])
"""


@dataclass(frozen=True)
class Seed:
    """Files that belong together; ``main`` is opened, and each has its own way to be mutated.

    Args:
        files: Content by name.
        mutate: What changes a file: ``(rng, bytes) -> bytes``, by name; files without one stay.
        main: The file that is opened: a model, a config or data by its suffix.
        weights: The file of weights of a .json model.
    """

    files: dict
    mutate: dict
    main: str
    weights: str | None = None


def _layer(kind, name, inbound=None, **config):
    spec = {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}
    return spec if inbound is None else {**spec, "name": name, "inbound_nodes": inbound}


def _draw(*shape):
    return RNG.normal(size=shape).astype("f4")


ARRAYS = {
    "fc": {"kernel": _draw(4, 3), "bias": _draw(3)},
    "bn": {n: abs(_draw(3)) + 1 for n in ("gamma", "beta", "moving_mean", "moving_variance")},
    "out": {"kernel": _draw(3, 2), "bias": _draw(2)},
}


def _keras2():
    return {
        "class_name": "Functional",
        "keras_version": "2.9.0",
        "config": {
            "name": "m",
            "layers": [
                _layer("InputLayer", "x", [], batch_input_shape=[None, 4]),
                _layer("Dense", "fc", [[["x", 0, 0, {}]]], units=3, use_bias=True, activation="relu"),
                _layer("BatchNormalization", "bn", [[["fc", 0, 0, {}]]], axis=[1], epsilon=0.001, center=True, scale=True),
                _layer("LeakyReLU", "leaky", [[["bn", 0, 0, {}]]], alpha=0.3),
                _layer("Add", "sum", [[["bn", 0, 0, {}], ["leaky", 0, 0, {}]]]),
                _layer("Dense", "out", [[["sum", 0, 0, {}]]], units=2, use_bias=True, activation="sigmoid"),
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["out", 0, 0]],
        },
    }


def _keras3():
    config = _keras2()
    del config["keras_version"]
    for spec in config["config"]["layers"]:
        spec.update(module="keras.layers", registered_name=None)
        calls = spec["inbound_nodes"]
        args = [_tensor(*ref[:3]) for ref in calls[0]] if calls else []
        spec["inbound_nodes"] = [{"args": [args] if len(args) > 1 else args, "kwargs": {}}] if calls else []
    return {**config, "module": "keras.src.models.functional", "registered_name": "Functional"}


def _tensor(*history):
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "dtype": "float32", "keras_history": history}}


def _h5(config=None):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        root = file.create_group("model_weights") if config else file
        if config:
            file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = root.attrs["keras_version"] = b"2.9.0"
        root.attrs["layer_names"] = [b"x", *(n.encode() for n in ARRAYS)]
        for name, arrays in {"x": {}, **ARRAYS}.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/{w}:0".encode() for w in arrays], dtype="S" if arrays else float)
            for word, array in arrays.items():
                group[f"{name}/{word}:0"] = array
    return stream.getvalue()


def _numbered():
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for place, name in (("dense", "fc"), ("batch_normalization", "bn"), ("dense_1", "out")):
            for k, array in enumerate(ARRAYS[name].values()):
                file[f"layers/{place}/vars/{k}"] = array
        file.create_group("layers/add")
    return stream.getvalue()


def packed(members):
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _onnx():
    constants = {"w": _draw(4, 3), "b": _draw(3), "v": _draw(3, 2), "half": np.float32(0.5), "shape": np.array([-1, 3])}
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="fc", alpha=1.0, transB=0),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Mul", ["r", "half"], ["s"], name="scale"),
        helper.make_node("Reshape", ["s", "shape"], ["t"], name="reshape"),
        helper.make_node("Concat", ["t", "h"], ["c"], name="join", axis=1),
        helper.make_node("Slice", ["c", "begin", "end", "axes"], ["q"], name="cut"),
        helper.make_node("MatMul", ["t", "v"], ["m"], name="out"),
        helper.make_node("Softmax", ["m"], ["y"], name="soft", axis=-1),
    ]
    return onnx_model([n for n in nodes if n.op_type != "Slice"], {"x": ["N", 4]}, constants)


def _external():
    made = _onnx()
    data = made.graph.initializer[0].raw_data
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    for key, value in {"location": "w.bin", "offset": "0", "length": str(len(data))}.items():
        tensor.external_data.add(key=key, value=value)
    return made.SerializeToString(), data


CONFIG = b"""KerasModel: model.h5
OutputDir: out
ProjectName: myproject
XilinxPart: xcku115-flvb2104-2-i
ClockPeriod: 5
IOType: io_parallel
Backend: Vitis
InputData: x.npy
HLSConfig:
  Model:
    Precision: ap_fixed<16,6>
    ReuseFactor: 1
    Strategy: Latency
  LayerType:
    Dense:
      ReuseFactor: 2
  LayerName:
    fc:
      Precision:
        weight: ap_fixed<8,2>
        result: ap_fixed<16,6,AP_RND,AP_SAT>
    out_sigmoid:
      TableSize: 512
"""


def _npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _inner(name):
    """How a member of an archive is mutated."""
    if name.endswith(".json"):
        return m.some_json
    return m.some_hdf5 if name.endswith(".h5") else m.some_npy if name.endswith(".npy") else m.some_bytes


def _some_zip(rng, data):
    return m.some_bytes(rng, data) if rng.randrange(5) == 0 else m.some_zip(rng, data, _inner)


MUTATED = {".keras": _some_zip, ".pt2": _some_zip, ".h5": m.some_hdf5, ".onnx": m.some_protobuf}


def layer_seeds(folder, suffixes):
    """A seed for each layer in each format."""
    return _alone(seed_layers.layer_files(folder, suffixes))


def quantised_seeds():
    """A seed for each network that another package quantised."""
    return _alone(quantised_files())


def _alone(files):
    return [Seed({name: content}, {name: MUTATED[Path(name).suffix]}, name) for name, content in files.items()]


def seeds(folder):
    """All seeds but the layers; that of PyTorch is exported by a process of its own, and left out where it is not installed."""
    config, whole = json.dumps(_keras2()).encode(), _h5(_keras2())
    third = {
        "config.json": json.dumps(_keras3()),
        "metadata.json": '{"keras_version": "3.5.0"}',
        "model.weights.h5": _numbered(),
    }
    external, data = _external()
    x = RNG.normal(size=(5, 4))
    table = "\n".join(["a,b,c,d", *(",".join(f"{v:.3f}" for v in row) for row in x)]).encode()
    found = [
        Seed({"model.keras": packed(third)}, {"model.keras": _some_zip}, "model.keras"),
        Seed({"model.h5": whole}, {"model.h5": m.some_hdf5}, "model.h5"),
        Seed({"m.json": config, "w.h5": _h5()}, {"m.json": m.some_json, "w.h5": m.some_hdf5}, "m.json", "w.h5"),
        Seed({"m.json": config, "w.weights.h5": _numbered()}, {"m.json": m.some_json}, "m.json", "w.weights.h5"),
        Seed({"m.onnx": _onnx().SerializeToString()}, {"m.onnx": m.some_protobuf}, "m.onnx"),
        Seed({"m.onnx": external, "w.bin": data}, {"m.onnx": m.some_protobuf, "w.bin": m.some_bytes}, "m.onnx"),
        Seed({"c.yml": CONFIG, "model.h5": whole, "x.npy": _npy(x)}, {"c.yml": m.some_yaml}, "c.yml"),
        Seed({"x.npy": _npy(x)}, {"x.npy": m.some_npy}, "x.npy"),
        Seed({"x.npz": packed({"x.npy": _npy(x), "y.npy": _npy(x[:, 0] > 0)})}, {"x.npz": _some_zip}, "x.npz"),
        Seed({"x.csv": table}, {"x.csv": m.some_text}, "x.csv"),
        Seed({"x.tsv": table.replace(b",", b"\t")}, {"x.tsv": m.some_text}, "x.tsv"),
    ]
    program = folder / "seed.pt2"
    if subprocess.run([sys.executable, "-c", TORCH, str(program)], capture_output=True, check=False).returncode == 0:
        found.append(Seed({"m.pt2": program.read_bytes()}, {"m.pt2": _some_zip}, "m.pt2"))
    return found
