"""What hls4ml 1.3.0 writes loads: the configs of its projects, its dicts, its names of layers; its command line is known.

The files in tests/data/hls4ml were written by hls4ml 1.3.0 for the networks below.
"""

import base64
import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import nn2hls
from nn2hls.arith.fixed import FixedType
from nn2hls.config.check import bind
from nn2hls.config.read import read_config
from nn2hls.errors import ConfigError
from tests.kit.paths import ROOT

T = FixedType.parse
WRITTEN = ROOT / "tests" / "data" / "hls4ml"
DICTS = json.loads((WRITTEN / "dicts.json").read_text())
X = np.linspace(-1, 1, 30).reshape(5, 6)


def tagger(keras):
    layers = keras.layers
    keras.backend.clear_session()  # Keras counts the inputs of a process in their names
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="fc1"),
            layers.Dropout(0.2, name="dropout"),
            layers.Dense(8, name="fc2"),
            layers.Activation("tanh", name="act2"),
            layers.Dense(3, name="out"),
            layers.Softmax(name="softmax"),
        ]
    )


def branches(keras):
    layers = keras.layers
    x = keras.Input((6,), name="x")
    both = layers.Add(name="sum")([layers.Dense(4, activation="relu", name="a")(x), layers.Dense(4, name="b")(x)])
    last = layers.LeakyReLU(negative_slope=0.25, name="leaky")(both)
    ends = [layers.Dense(3, activation="softmax", name="y")(last), layers.Dense(1, activation="sigmoid", name="z")(last)]
    return keras.Model(x, ends)


@pytest.fixture(scope="module")
def models():
    keras, torch = pytest.importorskip("keras"), pytest.importorskip("torch")
    keras.utils.set_random_seed(1)
    torch.manual_seed(1)
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.drop = nn.Linear(6, 8), nn.Linear(8, 3), nn.Dropout(0.2)
            self.act, self.norm = nn.ReLU(), nn.BatchNorm1d(8)

        def forward(self, x):
            return torch.softmax(self.fc2(self.drop(self.act(self.norm(self.fc1(x))))), dim=-1)

    seq = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3), nn.Softmax(dim=-1))
    small = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Dropout(0.1), nn.Linear(3, 2))
    return {
        "keras-tagger": tagger(keras),
        "keras-branches": branches(keras),
        "torch-net": Net().eval(),
        "torch-seq": seq.eval(),
        "torch-small": small.eval(),
    }


def near(design, x=X):
    """Fixed and float agree about as well as the types allow."""
    fixed, wanted = design.predict(x), design.predict_float(x)
    for a, b in zip(fixed, wanted, strict=True) if isinstance(fixed, list) else [(fixed, wanted)]:
        assert np.abs(a - b).max() < 0.01
    return True


@pytest.mark.parametrize("name", sorted(p.stem for p in WRITTEN.glob("keras-*.yml")))
def test_configs_of_keras_projects(models, name, tmp_path, monkeypatch):
    """The model lies beside the config; its path in there is that from the folder hls4ml ran in."""
    shutil.copy(WRITTEN / f"{name}.yml", tmp_path / "hls4ml_config.yml")
    model = models[name.rpartition("-")[0]]
    model.save(tmp_path / "keras_model.keras")
    design = nn2hls.convert(None, tmp_path / "hls4ml_config.yml")
    assert near(design)
    assert np.abs(design.predict_float(X)[0] - np.asarray(model(X.astype("float32"))[0])).max() < 1e-5
    config = design.config
    assert config.model == tmp_path / "keras_model.keras"
    assert (config.clock_uncertainty, config.io_type) == (0.125 if name.endswith("max") else 0.27, "io_parallel")
    if not name.endswith("model"):
        softmax = config.settings_of(next(n for n in design.graph if type(n.op).__name__ == "Softmax"))
        assert softmax.precision["exp_table"] == softmax.precision["inv_table"] == T("ap_fixed<18,8,AP_RND,AP_SAT>")
        assert softmax.table_size == 1024
    if name.endswith("max"):
        assert config.settings_of(design.graph["fc1"]).max_width == 24
    there = tmp_path / "elsewhere" / f"prj-{name}"  # the config alone was moved
    there.mkdir(parents=True)
    (tmp_path / "keras_model.keras").rename(there / "keras_model.keras")
    monkeypatch.chdir(there.parent)
    assert read_config(tmp_path / "hls4ml_config.yml").model == there / "keras_model.keras"


@pytest.mark.parametrize("name", ["onnx-net-name", "onnx-net-type"])
def test_configs_of_onnx_projects_hold_the_model(name):
    pytest.importorskip("onnx")
    path = WRITTEN / f"{name}.yml"
    design = nn2hls.convert(None, path)
    assert near(design)
    data = yaml.load(path.read_text(), _Bytes)["OnnxModel"]["state"]["serialized"]
    assert nn2hls.load(data).text() == nn2hls.load(design.config.live).text()
    assert not [n for n in design.notes if "no layer 'w1'" in n]


def test_a_config_with_a_model_of_half_a_million_weights_is_read(tmp_path):
    data = np.random.default_rng(0).bytes(2 << 20)  # 2.8 MB of text
    lines = "".join(f"      {line}\n" for line in base64.encodebytes(data).decode().splitlines())
    tag = "!!python/object:onnx.onnx_ml_pb2.ModelProto"
    (tmp_path / "c.yml").write_text(f"OnnxModel: {tag}\n  state:\n    serialized: !!binary |\n{lines}HLSConfig: {{}}\n")
    assert read_config(tmp_path / "c.yml").live == data


def test_a_config_with_every_key_of_two_thousand_layers_is_read(tmp_path):
    keys = ("weight", "bias", "result", "accum", "table")
    level = {"Precision": dict.fromkeys(keys, "auto"), "ReuseFactor": 1, "Strategy": "Latency", "Trace": False}
    layers = {f"layer_{k}_of_a_very_long_chain_of_dense_layers_of_one_block": level for k in range(2000)}
    text = yaml.dump({"HLSConfig": {"Model": {"Precision": "fixed<16,6>"}, "LayerName": layers}}, Dumper=_Plain)
    (tmp_path / "c.yml").write_text(text)
    assert len(read_config(tmp_path / "c.yml").layer_names) == 2000


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


class _Bytes(yaml.SafeLoader):
    """Reads the tag that hls4ml writes as a plain block."""


_Bytes.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, tag, node: loader.construct_mapping(node, deep=True))


def test_a_pickled_module_is_never_opened(models, tmp_path, capsys):
    path = tmp_path / "hls4ml_config.yml"
    evil = (WRITTEN / "torch-small-name.yml").read_text()
    mark = tmp_path / "owned"
    evil = evil.replace("training: false\n", f"training: !!python/object/apply:os.mkdir ['{mark}']\n", 1)
    path.write_text(evil)
    config = read_config(path)
    assert (config.model, config.input_shape) == (None, (2,))
    with pytest.raises(ConfigError, match="pickled Sequential, which is never opened") as error:
        nn2hls.convert(None, config)
    assert ".pt2" in error.value.fix
    assert near(nn2hls.convert(models["torch-small"], path), X[:, :2])
    from nn2hls.cli import main

    assert main(["estimate", str(path)]) == 2
    said = capsys.readouterr().err
    assert "never opened" in said
    assert "convert(" not in said
    assert not mark.exists()


def test_other_tags_are_refused_everywhere(tmp_path):
    for text in (
        "PytorchModel: !boom x\n",
        "HLSConfig:\n  PytorchModel: !!python/object:os.System {}\n",
        "Part: !keras_model x\n",
    ):
        (tmp_path / "c.yml").write_text(text)
        with pytest.raises(ConfigError, match="not accepted"):
            read_config(tmp_path / "c.yml")


@pytest.mark.parametrize("name", DICTS)
def test_dictionaries_of_every_granularity(models, name):
    """config_from_keras_model, _pytorch_model, _onnx_model at model, type and name."""
    base, _, granularity = name.rpartition("-")
    source = copy.deepcopy(DICTS[name])
    if base == "onnx-net":
        pytest.importorskip("onnx")
        model = read_config(WRITTEN / "onnx-net-name.yml").live
    else:
        model = models[base]
    if base.startswith("torch"):
        source["PytorchModel"] = model  # as hls4ml has it; the tuple of its shape became a list in JSON
        alone = nn2hls.convert(None, source)
        assert near(alone)
        assert alone.config.live is None
        source["InputShape"] = tuple(source["InputShape"])
    before = copy.copy(source)
    design = nn2hls.convert(model, source)
    assert near(design)
    assert source == before
    if granularity == "model":
        first = next(n for n in design.graph if type(n.op).__name__ == "Dense")
        assert first.op.weight_t == T("ap_fixed<16,6>")


def test_names_that_hls4ml_has_for_pytorch_layers(models):
    types = {"_0": "int5", "_1": "int6", "_3": "int7", "input_1": "ap_fixed<12,2>"}
    source = {"LayerName": {name: {"Precision": {"result": kind}} for name, kind in types.items()}, "InputShape": [6]}
    design = nn2hls.convert(models["torch-seq"], source)
    found = [str(n.result_type) for n in design.graph]
    assert found[:4] == ["ap_fixed<12,2>", "ap_fixed<5,5>", "ap_fixed<6,6>", "ap_fixed<7,7>"]
    assert (
        nn2hls.convert(models["torch-seq"], {"LayerName": {"_2": {"ReuseFactor": 1}}, "InputShape": [6]})
        .notes[0]
        .endswith("_2: Its settings have no effect: it changes no value.")
    )


def test_layers_that_left_no_node():
    """A bias Add is part of its product: the type of its result is that of the sum. Constants have none of their own."""
    pytest.importorskip("onnx")
    data = read_config(WRITTEN / "onnx-net-name.yml").live
    for name in ("Add_0", "bn_Add_0", "MatMul_0", "Dense_MatMul_0"):
        design = nn2hls.convert(data, {"LayerName": {name: {"Precision": {"result": "int9"}, "ReuseFactor": 2}}})
        product = design.graph["MatMul_0"]
        assert product.result_type == T("int9")
        assert design.config.settings_of(product).reuse == (1 if "Add" in name else 2)
    with pytest.raises(ConfigError, match="'w1' is a constant"):
        nn2hls.convert(data, {"LayerName": {"w1": {"Precision": {"result": "int9"}}}})
    assert nn2hls.convert(data, {"LayerName": {"w1": {"Precision": {"result": "auto"}, "Trace": False}}})
    for name in ("bn_MatMul_0", "Dense_Add_9", "Dense_Relu_0"):  # hls4ml makes no such thing
        with pytest.raises(ConfigError, match=f"There is no layer '{name}'"):
            nn2hls.convert(data, {"LayerName": {name: {"ReuseFactor": 2}}})
    with pytest.raises(ConfigError, match="There is no layer 'w9'"):
        nn2hls.convert(data, {"LayerName": {"w9": {}}})
    both = {"MatMul_0": {"Precision": {"result": "int9"}}, "Add_0": {"Precision": {"result": "int8"}}}
    with pytest.raises(ConfigError, match="Two names address 'MatMul_0'"):
        nn2hls.convert(data, {"LayerName": both})


def test_nodes_of_onnx_that_change_nothing():
    pytest.importorskip("onnx")
    from tests.kit.onnx_tools import helper, model

    nodes = [helper.make_node("Dropout", ["x"], ["h"], name="drop"), helper.make_node("Relu", ["h"], ["y"], name="act")]
    design = nn2hls.convert(model(nodes, {"x": ["N", 4]}), {"LayerName": {"drop": {"ReuseFactor": 2}}})
    assert [n.split(": ", 1)[1] for n in design.notes] == ["drop: Its settings have no effect: it changes no value."]


def test_a_type_of_layers_that_the_model_has_not():
    pytest.importorskip("onnx")
    graph = nn2hls.load(read_config(WRITTEN / "onnx-net-name.yml").live)
    words = ["Conv2D", "merge", "Linear"]
    config = bind(read_config({"LayerType": {key: {"ReuseFactor": 2} for key in words}}), graph)
    assert [n.split(": ", 1)[1] for n in config.notes] == [f"{w}: The model has no layer of this type." for w in words]
    with pytest.raises(ConfigError, match="Did you mean 'MatMul'"):
        bind(read_config({"LayerType": {"MatMull": {}}}), graph)


def test_a_config_with_its_model_inside_writes_back():
    pytest.importorskip("onnx")
    from nn2hls.config.write import to_yaml

    config = read_config(WRITTEN / "onnx-net-name.yml")
    graph = nn2hls.load(config.live)
    text = to_yaml(bind(config, graph), graph, Path())
    again = read_config(yaml.safe_load(text))
    assert again.live == config.live
    assert to_yaml(again, graph, Path()) == text


def test_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_config({"OutputDir": "~/x"}).output_dir == tmp_path / "x"


@pytest.mark.parametrize(("text", "words"), [
    ("ClockPeriod: !!bool maybe\n", "not what its tag says"), ("ClockPeriod: !!int ''\n", "not what its tag says"),
    ("ClockPeriod: 1:30\n", "must be a number, not '1:30'"), ("ClockPeriod: 9:9:9:9:9:9:9.5\n", "must be a number"),
    ('OutputDir: "\\ud800"\n', "half of a surrogate pair"), ('"\\udfff": 1\n', "half of a surrogate pair"),
    ("HLSConfig: {Model: {ReuseFactor: 1:30}}\n", "whole number, not '1:30'"),
])  # fmt: skip
def test_values_that_yaml_reads_in_surprising_ways(tmp_path, text, words):
    (tmp_path / "c.yml").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path / "c.yml")
    assert words in str(error.value)
    assert error.value.where == f"{tmp_path / 'c.yml'}:1"


# --- the command line ---


@pytest.mark.parametrize(("words", "said"), [
    ("config -m model.h5 -w weights.h5", "without an option"), ("convert -c hls4ml_config.yml", "without an option"),
    ("convert c.yml -x int8", "--precision"), ("convert c.yml -r 4", "--reuse"), ("convert c.yml -ba Vitis", "--backend"),
    ("config m.keras -f xcku115", "--part"), ("config m.keras -g name", "every layer"), ("build c.yml -s -v", "build --help"),
])  # fmt: skip
def test_options_of_hls4ml(capsys, words, said):
    from nn2hls.cli import main

    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert "hls4ml's" in error
    assert said in error


def test_the_command_line_names_its_own_options(tmp_path, capsys):
    from nn2hls.cli import main

    (tmp_path / "m.json").write_text("{}")
    assert main(["estimate", str(tmp_path / "m.json")]) == 2
    error = capsys.readouterr().err
    assert "--weights m_weights.h5" in error
    assert "weights=" not in error
    assert main(["estimate", str(tmp_path / "m.json"), "--weights", str(tmp_path / "none.h5")]) == 1
