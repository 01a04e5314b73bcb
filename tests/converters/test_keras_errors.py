"""Damaged, hostile and contradictory Keras files: a ModelError that says where and what, never another exception."""

import contextlib
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nn2hls.converters.keras import load_file
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.extras import install

h5py = pytest.importorskip("h5py")

LAYERS = [
    {"class_name": "InputLayer", "config": {"dtype": "float32", "batch_input_shape": [None, 4], "name": "x"}},
    {"class_name": "Dense", "config": {"name": "fc", "trainable": True, "units": 3, "use_bias": True, "activation": "relu"}},
]
ARRAYS = {"fc/kernel:0": np.ones((4, 3), "f4"), "fc/bias:0": np.zeros(3, "f4")}


def model(**changes):
    config = json.loads(json.dumps(LAYERS))
    config[1]["config"].update(changes)
    return {"class_name": "Sequential", "keras_version": "2.9.0", "config": {"name": "s", "layers": config}}


def write(path, config=None, arrays=ARRAYS, names=None):
    """A whole Keras 2 file; ``names`` lists other weights than there are."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config or model())
        root = file.create_group("model_weights")
        file.attrs["keras_version"] = root.attrs["keras_version"] = "2.9.0"
        root.attrs["layer_names"] = [b"fc"]
        group = root.create_group("fc")
        group.attrs["weight_names"] = [n.encode() for n in (names or arrays)]
        for name, array in arrays.items():
            group[name] = array
    return path


def archive(path, h5=None, **members):
    """A .keras archive with other members than usual."""
    if h5 is None:
        data = io.BytesIO()
        with h5py.File(data, "w") as file:
            for k, array in enumerate(ARRAYS.values()):
                file[f"layers/dense/vars/{k}"] = array
        h5 = data.getvalue()
    parts = {
        "config.json": json.dumps(model()),
        "metadata.json": '{"keras_version": "3.0.0"}',
        "model.weights.h5": h5,
        **members,
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            if content is not None:
                file.writestr(name, content)
    return path


def refused(path, match, weights=None, error=ModelError):
    with pytest.raises(error, match=match) as caught:
        load_file(path, weights)
    assert str(path) in str(caught.value) or "fc" in str(caught.value)


def test_the_fixtures_are_readable(tmp_path):
    text = load_file(write(tmp_path / "m.h5")).text()
    assert load_file(archive(tmp_path / "m.keras")).text() == text


def test_files_that_are_no_models(tmp_path):
    write(tmp_path / "model.h5")
    refused(tmp_path / "modle.h5", r"no such file\. Did you mean 'model\.h5'\?")
    refused(tmp_path, "is a directory")
    for name, content, match in (
        ("empty.h5", b"", "is empty"),
        ("text.keras", b"hello", "neither a .keras archive nor HDF5 nor JSON"),
        ("broken.json", b'{"class_name": ', "JSON is damaged"),
        ("deep.json", b'{"a":' * 100_000, "JSON nests more than 200 deep"),
        ("list.json", b"[1]", "must be an object"),
        ("other.json", b'{"a": 1}', "holds no weights"),
    ):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, match)
    (tmp_path / "m.json").write_text(json.dumps(model()))
    refused(tmp_path / "m.json", r"holds no weights\. Name the file with its weights")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["x"] = 1
    refused(tmp_path / "w.h5", "holds no Keras weights")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file.attrs["layer_names"] = [b"x"]
        del file["x"]
        file.create_group("x")
    refused(tmp_path / "w.h5", "weights and no model")
    load = load_file(tmp_path / "m.json", tmp_path / "model.h5")
    assert [n.name for n in load] == ["x", "fc", "fc_relu"]


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (
            {"fc/kernel:0": ARRAYS["fc/kernel:0"]},
            r"fc: A Dense has the weights kernel, bias; the file holds fc/kernel:0 for it",
        ),
        ({**ARRAYS, "fc/more:0": np.ones(3)}, "holds fc/kernel:0, fc/bias:0, fc/more:0"),
        ({**ARRAYS, "fc/kernel:0": np.ones((4, 2))}, r"fc: Its kernel has shape \(4, 2\) and must end with 3 units"),
        ({**ARRAYS, "fc/kernel:0": np.ones((5, 3))}, "fc: Its weights take 5 values"),
        ({**ARRAYS, "fc/kernel:0": np.ones(3)}, r"fc: Its kernel has shape \(3,\)"),
        ({**ARRAYS, "fc/bias:0": np.ones((3, 1))}, "fc: Its bias has shape"),
        ({**ARRAYS, "fc/bias:0": np.array([0, np.nan, np.inf])}, "fc: Its bias holds 2 NaN or Inf values"),
        ({**ARRAYS, "fc/bias:0": np.array([b"a", b"b", b"c"])}, "holds .*, not numbers"),
    ],
)
def test_weights_that_do_not_fit(tmp_path, arrays, match):
    refused(write(tmp_path / "m.h5", arrays=arrays), match)


def test_batch_norm_weights_of_two_sizes(tmp_path):
    config = model()
    config["config"]["layers"].append({"class_name": "BatchNormalization", "config": {"name": "bn", "trainable": True}})
    path = write(tmp_path / "m.h5", config)
    with h5py.File(path, "a") as file:
        root = file["model_weights"]
        root.attrs["layer_names"] = [b"fc", b"bn"]
        for name, size in (("gamma", 3), ("beta", 2), ("moving_mean", 3), ("moving_variance", 3)):
            root[f"bn/{name}"] = np.ones(size)
        root["bn"].attrs["weight_names"] = list(root["bn"])
    with pytest.raises(ModelError, match=r"bn .*: its constants have the shapes .*\(2,\)"):
        load_file(path)


def test_arrays_that_are_not_there(tmp_path):
    refused(write(tmp_path / "m.h5", names=[*ARRAYS, "fc/gone:0"]), "'/model_weights/fc/fc/gone:0' is missing from the file")
    path = write(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["model_weights"].attrs["layer_names"] = [b"fc", b"gone"]
    refused(path, "'/model_weights/gone' is missing from the file")


def test_nothing_outside_the_file_is_read(tmp_path):
    write(tmp_path / "other.h5")
    inside = "model_weights/fc/fc/bias:0"
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), inside, (3,))
    (tmp_path / "raw").write_bytes(bytes(12))
    for make, match in (
        (lambda f: f.__setitem__(inside, h5py.ExternalLink(str(tmp_path / "other.h5"), inside)), "is a link out of its place"),
        (lambda f: f.__setitem__(inside, h5py.SoftLink("/model_weights/fc/fc/kernel:0")), "is a link out of its place"),
        (lambda f: f.create_virtual_dataset(inside, layout), "keeps its values in another file"),
        (
            lambda f: f.create_dataset(inside, (3,), "f4", external=[(str(tmp_path / "raw"), 0, 12)]),
            "keeps its values in another file",
        ),
        (lambda f: f.create_dataset(inside, (1 << 40,), "f4"), "beyond 33554432 values"),
        (lambda f: f.create_dataset(inside, (1 << 20,), "f4"), "claims 4194304 bytes and stores 0"),
        (lambda f: f.create_dataset(inside, (1 << 20,), "f4", chunks=(1024,)), "claims 4194304 bytes and stores 0"),
        (lambda f: f.create_group(inside), "is not an array"),
    ):
        path = write(tmp_path / "m.h5")
        with h5py.File(path, "a") as file:
            del file[inside]
            make(file)
        refused(path, match)


def test_groups_in_a_circle(tmp_path):
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        for k, array in enumerate(ARRAYS.values()):
            file[f"layers/dense/vars/{k}"] = array
        file["layers/dense/again"] = file["layers"]
    refused(archive(tmp_path / "m.keras", data.getvalue()), "is linked in a circle")


def test_archives(tmp_path):
    path = tmp_path / "m.keras"
    for changes, match in (
        ({"config.json": None}, "holds no 'config.json'"),
        ({"config.json": None, "../config.json": json.dumps(model())}, "holds no 'config.json'"),
        ({"metadata.json": "[]"}, "metadata.json: The JSON must be an object"),
        ({"metadata.json": '{"keras_version": "1.2"}'}, "saved by Keras '1.2'; versions from 2 on"),
        ({"model.weights.h5": None}, "holds no 'model.weights.h5'"),
        ({"model.weights.h5": None, "model.weights.npz": b""}, "weights are in NumPy's format"),
        ({"model.weights.h5": b"nothing"}, "HDF5 data is damaged"),
        ({"config.json": b"\xff\xfe"}, "config.json: The JSON is damaged"),
    ):
        refused(archive(path, **changes), match)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(archive(path), "a") as file:
        file.writestr("config.json", "{}")
    refused(path, "holds 2 'config.json'")


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("nn2hls.converters.keras.files.MAX_FILE", 1 << 16)
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(model()))
        file.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        file.writestr("model.weights.h5", bytes(1 << 20))
    refused(path, "'model.weights.h5' is larger")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"use_bias": "yes"}, "fc: 'use_bias' must be true or false, not 'yes'"),
        ({"units": "3"}, "fc: 'units' must be integers"),
        ({"units": 2.5}, "fc: 'units' must be integers"),
    ],
)
def test_config_values_of_the_wrong_kind(tmp_path, changes, match):
    refused(write(tmp_path / "m.h5", model(**changes)), match)


@pytest.mark.parametrize(
    ("activation", "match"),
    [
        ("sigmoyd", r"fc \(Dense\): 'sigmoyd' is not an activation of Keras; .*Did you mean 'sigmoid'\?"),
        ({"class_name": "__lambda__", "config": {"value": ["cHJpbnQ=", None, None]}}, "Python code in a file is never run"),
        ({"class_name": "function", "config": "evil", "module": "os"}, "'evil' is not one of Keras"),
        ({"class_name": "Mine>Act", "config": {}}, "'Mine>Act' is not one of Keras"),
        (["relu"], "is not one of Keras"),
    ],
)
def test_activations_that_are_not_keras_own(tmp_path, activation, match):
    refused(write(tmp_path / "m.h5", model(activation=activation)), match, error=UnsupportedError)


def test_layers_that_are_not_keras_own(tmp_path):
    config = model()
    extra = [("Dence", {}), ("Lambda", {"function": ["4wEAAAA=", None, None]}), ("Mine>Dense", {}), ("QDenseBatchnorm", {})]
    config["config"]["layers"] += [{"class_name": k, "config": {"name": f"l{n}", **c}} for n, (k, c) in enumerate(extra)]
    with pytest.raises(UnsupportedError) as caught:
        load_file(write(tmp_path / "m.h5", config))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("4 of its layers cannot be converted:")
    for line, match in zip(
        lines[1:], ("Did you mean 'Dense'?", "never run from a file", "'Mine>Dense'", "QKeras"), strict=True
    ):
        assert match in line


def wired(nodes, inputs=(("x", 0, 0),), outputs=(("fc", 0, 0),)):
    layers = json.loads(json.dumps(LAYERS))
    for layer, inbound in zip(layers, ([], nodes), strict=True):
        layer.update(name=layer["config"]["name"], inbound_nodes=inbound)
    config = {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "keras_version": "2.9.0", "config": config}


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (wired([[["fc", 0, 0, {}]]]), "fc: What it is called with is never computed"),
        (wired([[["gone", 0, 0, {}]]]), "refers to a layer 'gone' that is not there"),
        (wired([[["x", 3, 0, {}]]]), "never computed"),
        (wired([[["x", 0, 2, {}]]]), "asks 'x' for more than the 1 it gives"),
        (wired([[["x", 0]]]), "has the operand"),
        (wired([[["x", -1, 0, {}]]]), "does not name a layer"),
        (wired([[["x", 0, 0, {}], ["x", 0, 0, {}]]]), "called with 2 values instead of one"),
        (wired([[["x", 0, 0, {}]]], outputs=[["fc", 1, 0]]), "result 0 of call 1 of 'fc'"),
        (wired([[["x", 0, 0, {}]]], outputs=[[]]), "does not name a layer"),
        (wired([5]), "written as int"),
        ({"class_name": "Mine", "config": {}}, "'Mine' does not say how its layers are wired"),
        ({"class_name": "Sequential", "config": {"layers": []}}, "has no layers"),
        ({"class_name": "Sequential", "config": {"layers": [LAYERS[0]] * 2}}, "Several layers are named 'x'"),
        ({"class_name": "Sequential", "config": {"layers": [5]}}, "needs 'class_name' and 'config'"),
        ({"class_name": "Sequential", "config": {"layers": LAYERS[1:]}}, "input shape None is not fixed"),
    ],
)
def test_contradictory_configs(tmp_path, config, match):
    with pytest.raises(ModelError, match=match):
        load_file(write(tmp_path / "m.h5", config))


def test_deep_nesting(tmp_path):
    config = model()
    for _ in range(40):
        config = {"class_name": "Sequential", "keras_version": "2.9.0", "config": {"name": "s", "layers": [config]}}
    refused_deep = write(tmp_path / "m.h5", config)
    with pytest.raises(ModelError, match="nest more than 32 deep"):
        load_file(refused_deep)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["m.h5", "m.keras"]), st.data())
def test_cut_and_changed_files(tmp_path, name, data):
    """Any cut file is refused; a file with changed bytes is refused or read."""
    path = (write if name == "m.h5" else archive)(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelError):
        load_file(path)
    bad = bytearray(whole)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), min_size=1)):
        bad[place] = value
    path.write_bytes(bytes(bad))
    with contextlib.suppress(ModelError):
        load_file(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["x", "fc", "relu", "", "Dense"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["class_name", "config", "name", "args"]), inner)
    ),
    max_leaves=6,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def chain(*layers):
    """A Keras 3 Sequential model of layers without weights on four inputs."""
    specs = [{"class_name": k, "config": {"name": f"l{n}", "trainable": True, **c}} for n, (k, c) in enumerate(layers)]
    return {"class_name": "Sequential", "keras_version": "3.1.0", "config": {"name": "s", "layers": [*LAYERS, *specs]}}


def keras3(name, call):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, 0]}}


CONFIGS = [
    model(),
    wired([[["x", 0, 0, {}]]]),
    wired([{"args": [keras3("x", 0)], "kwargs": {"mask": None}}]),
    wired([{"args": [keras3("x", 0)], "kwargs": {}}, {"args": [[keras3("x", 0)]], "kwargs": {}}]),
    chain(
        ("ReLU", {"max_value": 6.0, "negative_slope": 0.1, "threshold": 0.0}),
        ("Softmax", {"axis": [-1]}),
        ("ELU", {"alpha": 1.0}),
    ),
    chain(
        ("Rescaling", {"scale": [1.0, 2.0, 3.0], "offset": 0.5}),
        ("Reshape", {"target_shape": [3, -1]}),
        ("Permute", {"dims": [2, 1]}),
    ),
    chain(
        ("Normalization", {"axis": [-1], "mean": [1.0, 2.0, 3.0], "variance": [1.0, 1.0, 4.0]}), ("Concatenate", {"axis": -1})
    ),
    chain(("LeakyReLU", {"alpha": {"class_name": "__numpy__", "value": 0.3}}), ("Flatten", {"data_format": "channels_first"})),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(CONFIGS), json_values, st.data())
def test_any_value_anywhere_in_the_config(tmp_path, config, value, data):
    """Whatever stands in the config, the answer is a graph or a ModelError."""
    config = json.loads(json.dumps(config))
    *path, last = data.draw(st.sampled_from([p for p in places(config) if p]))
    target = config
    for key in path:
        target = target[key]
    target[last] = value
    (tmp_path / "m.json").write_text(json.dumps(config))
    weights = tmp_path / "w.h5"
    if not weights.exists():
        write(weights)
    with contextlib.suppress(ModelError):
        load_file(tmp_path / "m.json", weights)


def test_without_h5py(tmp_path):
    path = write(tmp_path / "m.h5")
    code = (
        "import sys; sys.modules['h5py'] = None\n"
        "from nn2hls.converters.keras import load_file\n"
        "from nn2hls.errors import ModelError\n"
        "try:\n    load_file(sys.argv[1])\nexcept ModelError as e:\n    print(e)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    assert f"Install it with: {install('keras')}." in run.stdout
