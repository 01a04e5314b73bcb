"""The config: every key of the table, precedence, messages with their place, and nothing executed from a file."""

import itertools
import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType
from nn2hls.config import docs as config_docs
from nn2hls.config.check import bind
from nn2hls.config.config import Config
from nn2hls.config.decision import Scaling, Score
from nn2hls.config.keys import ALL_KEYS, Place, Status
from nn2hls.config.read import read_config
from nn2hls.config.write import to_dict
from nn2hls.design.design import convert
from nn2hls.errors import ConfigError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Origin
from nn2hls.ops import Dense, Input, Relu, Scale, Softmax
from tests.kit.networks import mlp
from tests.kit.paths import ROOT

T = FixedType.parse

# For each kind of value one that is accepted, and what the config then holds.
SAMPLES = {
    "nn2hls, hls4ml, axis": ("hls4ml", "hls4ml"),
    "file": ("net.onnx", Path("net.onnx").absolute()),
    "folder": ("out", Path("out")),
    "C identifier": ("tagger", "tagger"),
    "part": ("xcku115-flvb2104-2-i", "xcku115-flvb2104-2-i"),
    "device": ("XC7Z020-1CLG484", "xc7z020-1clg484-VVD"),
    "ns": (4, 4.0),
    "such as 12.5%": ("12.5%", 0.125),
    "io_parallel, io_stream": ("IO_Parallel", "io_parallel"),
    "fast, tight": ("Tight", "tight"),
    "Vivado, Vitis, Bambu, Verilog": ("vivado", "Vivado"),
    "1, 2, ..": (3, 3),
    "0, 1, ..": (2, 2),
    "Latency, Resource, DistributedArithmetic": ("resource", "Resource"),
    "Unroll, Off": ("off", "Off"),
    "fixed, reloadable": ("Fixed", "fixed"),
    "power of two": (64, 64),
    "bits": (18, 18),
    "dB": (50, 50.0),
    "type, auto": ("ap_fixed<9,3>", T("ap_fixed<9,3>")),
    "such as [16]": ([16], (16,)),
    "{mean: .., std: ..} or file": ({"mean": [1, 2], "std": 3}, {"": Scaling((1.0, 2.0), 3.0)}),
    "mse, mae, radius, kl, or {kl: [z_mean, z_log_var]}": ({"KL": ["m", "v"]}, Score("kl", ("m", "v"))),
    "number, or {OUTPUT: number}": (2.5, {"": 2.5}),
    "argmax, values, or {OUTPUT: argmax}": ({"out": "argmax"}, {"out": "argmax"}),
}
# Obsolete keys that are accepted with one value only.
SPECIAL = {
    "PipelineStyle": "auto",
    "Implementation": "stable",
    "skip": False,
}


def place_in_file(place, key, value):
    """A config with one key, at one place."""
    if place is Place.TOP:
        return {key: value}
    if place is Place.WRITER:
        return {"WriterConfig": {key: value}}
    if place is Place.HLS:
        return {"HLSConfig": {key: value}}
    if place is Place.WORD:
        return {"HLSConfig": {"LayerName": {"fc1": {"Precision": {key: value}}}}}
    return {"HLSConfig": {"Model": {key: value}} if place is Place.MODEL else {"LayerName": {"fc1": {key: value}}}}


EACH_KEY = [(k, p) for k in ALL_KEYS for p in Place if p in k.places]


@pytest.mark.parametrize(("key", "place"), EACH_KEY, ids=[f"{k.name}-{p.name}" for k, p in EACH_KEY])
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
def test_every_row_of_the_table_does_what_it_says(key, place, case):
    name = case(key.name)
    if key.status is Status.REFUSED:
        with pytest.raises(ConfigError) as error:
            read_config(place_in_file(place, name, "x"))
        assert error.value.fix == key.help
        assert name in error.value.what
    elif key.status is Status.OBSOLETE:
        value = SPECIAL.get(key.name, "ap_fixed<8,2>")
        config = read_config(place_in_file(place, name, value))
        assert len(config.notes) == 1
        assert key.help in config.notes[0]
        assert config.settings_for("fc1", "fc1", "Dense", Dense) == Config().settings_for("fc1", "fc1", "Dense", Dense)
    elif key.values == "cap":
        config = read_config(place_in_file(place, name, "ap_fixed<20,6>"))
        assert config.settings_for("fc1", "fc1", "Dense", Dense).max_width == 20
        assert "MaxWidth, 20 bits" in config.notes[0]
    elif "block" not in key.values:
        given_value, kept = SAMPLES[key.values]
        source = place_in_file(place, name, given_value)
        if key.name == "KerasJson":
            source["KerasH5"] = "weights.h5"
        config = read_config(source)
        assert not config.notes
        assert _held(config, key, place) == kept


def _held(config, key, place):
    if key.name == "KerasH5":
        return config.model
    if place in (Place.TOP, Place.HLS) or key.field in ("calibration", "io_type"):
        return getattr(config, key.field)
    settings = config.settings_for("fc1", "fc1", "Dense", Dense)
    if key.values != "type, auto":
        return getattr(settings, key.field)
    if key.name == "default":
        return settings.precision["weight"]
    if key.name == "input":
        return config.settings_for("fc1", "fc1", "InputLayer", Input).precision["result"]
    return settings.precision[key.field]


SOURCES = {"ReuseFactor": ("reuse", [2, 3, 4]), "TableSize": ("table_size", [2, 4, 8]), "MaxWidth": ("max_width", [12, 13, 14])}
SOURCES["Strategy"] = ("strategy", ["Latency", "Resource", "Latency"])
SOURCES["AdderDepth"] = ("adder_depth", [1, 2, 3])
SOURCES["TargetSQNR"] = ("target_sqnr", [30, 40, 50])


@pytest.mark.parametrize("key", SOURCES)
def test_a_layer_comes_before_its_type_and_that_before_the_model(key):
    field, values = SOURCES[key]
    for levels in itertools.product([False, True], repeat=3):
        config = {"Model": {}, "LayerType": {"Dense": {}}, "LayerName": {"fc1": {}}}
        blocks = [config["Model"], config["LayerType"]["Dense"], config["LayerName"]["fc1"]]
        for present, block, value in zip(levels, blocks, values, strict=True):
            if present:
                block[key] = value
        found = getattr(read_config(config).settings_for("fc1", "fc1", "Dense", Dense), field)
        inner = [v for present, v in zip(levels, values, strict=True) if present]
        expected = inner[-1] if inner else getattr(Config().settings_for("fc1", "fc1", "Dense", Dense), field)
        assert found == expected


WORDS = ["weight", "bias", "result", "accum", "table"]
BLOCKS = st.dictionaries(st.sampled_from(["default", *WORDS]), st.integers(1, 30))


@given(BLOCKS, BLOCKS, BLOCKS)
def test_precision_is_looked_up_word_by_word(model, kind, name):
    blocks = [{w: f"ap_fixed<{n},4>" for w, n in b.items()} for b in (model, kind, name)]
    config = read_config(
        {
            "Model": {"Precision": blocks[0]},
            "LayerType": {"dense": {"Precision": blocks[1]}},
            "LayerName": {"fc1": {"Precision": blocks[2]}},
        }
    )
    found = config.settings_for("fc1", "fc1", "Dense", Dense).precision
    for word in WORDS:
        expected = None
        for block in (model, kind, name):
            fallback = block.get("default") if word in ("weight", "bias", "result") else None
            value = block.get(word, fallback)
            expected = value if value is not None else expected
        assert found.get(word) == (None if expected is None else FixedType(expected, 4))


def test_a_bare_type_leaves_accumulators_and_tables_derived():
    for precision in ("ap_fixed<12,4>", {"default": "ap_fixed<12,4>"}):
        settings = read_config({"Model": {"Precision": precision}}).settings_for("fc1", "fc1", "Dense", Dense)
        assert settings.precision == dict.fromkeys(["weight", "bias", "result"], T("ap_fixed<12,4>"))


def test_auto_asks_for_the_derived_type_below_a_named_one():
    config = read_config({"Model": {"Precision": "ap_fixed<12,4>"}, "LayerName": {"fc1": {"Precision": {"weight": "auto"}}}})
    assert "weight" not in config.settings_for("fc1", "fc1", "Dense", Dense).precision
    assert "weight" in config.settings_for("fc2", "fc2", "Dense", Dense).precision


def test_the_activation_in_a_layer_has_settings_of_its_own():
    config = read_config({"LayerName": {"fc1": {"Precision": "ap_fixed<8,2>"}, "fc2_relu": {"Precision": "ap_fixed<9,2>"}}})
    assert config.settings_for("fc1", "fc1", "Dense", Dense).precision["result"] == T("ap_fixed<8,2>")
    assert config.settings_for("fc1", "fc1_relu", "Dense", Relu).precision == {}
    assert config.settings_for("fc2", "fc2_relu", "Dense", Relu).precision["result"] == T("ap_fixed<9,2>")
    assert config.settings_for("fc2", "fc2", "Dense", Dense).precision == {}
    assert config.settings_for("fc1", "fc1_scale", "Gemm", Scale).precision["result"] == T("ap_fixed<8,2>")


@pytest.mark.parametrize("word", ["Linear", "linear", "Dense"])
def test_layer_types_are_the_words_of_the_framework_or_of_the_ops(word):
    settings = read_config({"LayerType": {word: {"ReuseFactor": 7}}}).settings_for("0", "0", "Linear", Dense)
    assert settings.reuse == 7


def test_a_type_of_its_own_is_a_type_in_a_block_of_the_layer():
    config = read_config(
        {
            "Model": {"Precision": "int8"},
            "LayerType": {"Gemm": {"Precision": "int7"}},
            "LayerName": {
                "fc1": {"ReuseFactor": 2, "Precision": {"weight": "int4", "bias": "auto"}},
                "fc2": {"Precision": "auto"},
            },
        }
    )
    own = {
        name: config.settings_for(name, name, kind, Dense)
        for name, kind in (("fc1", ""), ("fc2", ""), ("fc3", "Gemm"), ("fc4", ""))
    }
    assert [s.own_type for s in own.values()] == [True, False, True, False]
    assert [sorted(s.own) for s in own.values()] == [["reuse", "weight"], [], [], []]


def test_each_value_remembers_its_place(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text(
        "HLSConfig:\n  Model:\n    ReuseFactor: 2\n  LayerName:\n    fc1:\n      Precision:\n        weight: int8\n"
    )
    sources = read_config(path).settings_for("fc1", "fc1", "Dense", Dense).sources
    assert sources == {"reuse": f"{path}:3", "weight": f"{path}:7"}


def test_inputs_take_the_type_of_input():
    config = read_config({"Model": {"Precision": {"default": "ap_fixed<16,6>", "input": "ap_fixed<10,2>"}}})
    assert config.settings_for("x", "x", "InputLayer", Input).precision == {"result": T("ap_fixed<10,2>")}
    config = read_config({"Model": {"Precision": {"result": "ap_fixed<16,6>"}}, "LayerName": {"y": {"Precision": "int4"}}})
    assert config.settings_for("x", "x", "InputLayer", Input).precision == {}
    assert config.settings_for("y", "y", "InputLayer", Input).precision == {"result": T("int4")}


def graph():
    """in -> fc1 (relu) -> fc2 (softmax)."""
    b = Builder()
    b.add("in", Input((3,)))
    for name, source, op in (("fc1", "in", Relu()), ("fc2", "fc1_relu", Softmax(0))):
        dense = Dense(Const(np.ones((3, 3))), Const(np.zeros(3)))
        b.add(name, dense, [source], Origin(name, "Linear", is_result=False))
        b.add(f"{name}_{type(op).__name__.lower()}", op, [name], Origin(name, "Linear"))
    return b.build(["fc2_softmax"])


def test_names_are_checked_against_the_graph_all_at_once(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text("LayerName:\n  fc3: {ReuseFactor: 2}\nLayerType:\n  Conv9: {}\n  Linaer: {}\n")
    with pytest.raises(ConfigError) as error:
        bind(read_config(path), graph())
    lines = str(error.value).splitlines()
    assert lines[1].startswith(f"  {path}:2: There is no layer 'fc3'")
    assert "Did you mean 'fc1'?" in lines[1] or "Did you mean 'fc2'?" in lines[1]
    assert "in, fc1, fc1_relu, fc2, fc2_softmax" in lines[1]
    assert lines[2].startswith(f"  {path}:4: There is no layer type 'Conv9'")
    assert "There is no layer type 'Linaer'" in lines[3]
    assert "Did you mean 'Linear'?" in lines[3]


def test_the_input_of_a_layer_is_the_input_of_the_design():
    names = {"fc1_input": {"Precision": {"result": "int5"}}, "fc2_linear": {"Precision": "int6"}, "fc2": {"ReuseFactor": 3}}
    config = bind(read_config({"LayerName": names}), graph())
    assert config.settings_of(graph()["in"]).precision == {"result": T("int5")}
    fc2 = config.settings_of(graph()["fc2"])
    assert (fc2.reuse, fc2.precision["result"]) == (3, T("int6"))
    with pytest.raises(ConfigError, match="no layer 'fc2_input'"):
        bind(read_config({"LayerName": {"fc2_input": {}}}), graph())
    with pytest.raises(ConfigError, match="not an input of the design"):
        bind(read_config({"LayerName": {"fc2": {"Precision": {"input": "int6"}}}}), graph())
    with pytest.raises(ConfigError, match="Two names address 'fc2'"):
        bind(read_config({"LayerName": {"fc2_linear": {"ReuseFactor": 2}, "fc2": {"ReuseFactor": 3}}}), graph())


def test_uniform_replaces_what_layers_have_of_their_own():
    layers = {"fc1": {"Precision": "int4", "ReuseFactor": 5, "TableSize": 8}}
    config = read_config({"Model": {"Precision": {"accum": "int30"}}, "LayerName": layers})
    settings = config.uniform(T("int9"), 2).settings_for("fc1", "fc1", "Dense", Dense)
    assert (settings.reuse, settings.table_size) == (2, 8)
    assert settings.precision == dict.fromkeys(["weight", "bias", "result"], T("int9"))
    assert config.uniform(reuse=2).settings_for("fc1", "fc1", "Dense", Dense).precision["weight"] == T("int4")
    assert config.uniform(T("int9")).settings_for("fc1", "fc1", "Dense", Dense).reuse == 5


BAD = {
    "ClockPeriod: -5\n": (1, "out of range"),
    "ClockPeriod: fast\n": (1, "must be a number, not 'fast'"),
    "ClockPeriod: .nan\n": (1, "finite"),
    "ClockUncertainty: 0.2\n": (1, "12.5%"),
    "HLSConfig:\n  Model:\n    ReuseFactor: two\n": (3, "whole number, not 'two'"),
    "HLSConfig:\n  Model:\n    ReuseFactor: 0\n": (3, "out of range"),
    "HLSConfig:\n  Model:\n    ReuseFactor: true\n": (3, "whole number, not 'true'"),
    "HLSConfig:\n  Model:\n    ReuseFactr: 1\n": (3, "Did you mean 'ReuseFactor'?"),
    "HLSConfig:\n  Model:\n    Strategy: Banana\n": (3, "Known are Latency, Resource"),
    "HLSConfig:\n  Model:\n    Strategy: Latenci\n": (3, "Did you mean 'Latency'?"),
    "HLSConfig:\n  Model:\n    Precision: ap_fixd<16,6>\n": (3, "not a fixed-point type"),
    "HLSConfig:\n  Model:\n    Precision: {bias: fixed<16}\n": (3, "quote the type"),
    "HLSConfig:\n  Model:\n    Precision: 16\n": (3, "not 16"),
    "HLSConfig:\n  Model:\n    Precision: [a]\n": (3, "not a list"),
    "HLSConfig:\n  Model:\n    Precision: {weight: ap_fixed<16>}\n": (3, "has 1 arguments"),
    "HLSConfig:\n  Model:\n    Precision: {weight: int8, weight_t: int8}\n": (3, "named twice"),
    "HLSConfig:\n  LayerName:\n    a:\n      Precision: {MAXIMUM: int9}\n      MaxWidth: 8\n": (5, "Keep one of them"),
    "HLSConfig:\n  LayerName:\n    a:\n      TableSize: 100\n": (4, "Use 64 or 128"),
    "HLSConfig:\n  LayerName: fc1\n": (2, "block of keys"),
    "HLSConfig:\n  Model: {}\n  ClockPeriod: 5\n": (3, "stands at the top"),
    "IOType: io_serial\n": (1, "write io_stream"),
    "Backend: Quartus\n": (1, "Use Vitis"),
    "Backend: Viva\n": (1, "Did you mean 'Vivado'?"),
    "ProjectName: 2nd-try\n": (1, "such as 'nd_try'"),
    "ProjectName: class\n": (1, "cannot name"),
    "ProjectName: small\n": (1, "small_net"),
    "ProjectName: Entity\n": (1, "Entity_net"),
    "ProjectName: 'a; rm -rf b'\n": (1, "cannot name"),
    "Part: a\nPart: b\n": (2, "stands on line 1"),
    "Part: xcku115\npart: xcku115\n": (2, "in another case"),
    "Part: xcku115\nXilinxPart: xcvu13p\n": (2, "Part names another one"),
    "Part: xcku116\n": (1, "Did you mean 'xcku115'?"),
    "Part: 7\n": (1, "must be text, not 7"),
    "KerasModel: a.h5\nOnnxModel: a.onnx\n": (2, "KerasModel names another one"),
    "KerasJson: a.json\n": (1, "Add KerasH5"),
    "OnnxModel: a.onnx\nKerasH5: a.h5\n": (1, "does not go with OnnxModel"),
    "Part: !!python/object/apply:os.system ['touch owned']\n": (1, "not accepted"),
    "Part: !!binary YQ==\n": (1, "not accepted"),
    "Part: !!int abc\n": (1, "not what its tag says"),
    "a: &a [*a]\n": (1, "without end"),
    "Part: a\n\tPart: b\n": (2, "not YAML"),
    "Part: [a\n": (2, "not YAML"),
    "- a\n": (1, "block of keys"),
    "? [a]\n: b\n": (1, "must be a word"),
    "Part: a\n---\nPart: b\n": (2, "single document"),
}


@pytest.mark.parametrize("text", BAD)
def test_errors_name_file_and_line(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_config(path)
    line, words = BAD[text]
    assert words in str(error.value)
    assert error.value.where == f"{path}:{line}"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.yml"]


def test_all_errors_of_a_file_come_together(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text(
        "ClockPeriod: -1\nHLSConfig:\n  Model:\n    ReuseFactor: two\n  LayerName:\n    a:\n      Strategi: Latency\n"
    )
    with pytest.raises(ConfigError) as error:
        read_config(path)
    for line in (1, 4, 7):
        assert f"{path}:{line}: " in str(error.value)


def test_alias_bombs_deep_nests_and_large_files_are_refused(tmp_path):
    path = tmp_path / "c.yml"
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    for text in (bomb, "a: " + "[" * 5000 + "]" * 5000, "# " + "x" * (17 << 20)):
        path.write_text(text)
        with pytest.raises(ConfigError):
            read_config(path)
    path.write_bytes(b"Part: \xff\xfe\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config(path)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_config(tmp_path / "none.yml")


def test_paths_start_at_the_file_and_outputs_at_the_current_directory(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "c.yml"
    path.write_text("OnnxModel: net.onnx\nInputData: x.npy\nOutputDir: out\nHLSConfig: {Model: {Calibration: c.npy}}\n")
    monkeypatch.chdir(tmp_path)
    config = read_config(os.path.join("sub", "c.yml"))
    assert config.model == tmp_path / "sub" / "net.onnx"
    assert (config.input_data, config.calibration) == (tmp_path / "sub" / "x.npy", tmp_path / "sub" / "c.npy")
    assert config.output_dir == Path("out")


def test_a_board_stands_for_its_part():
    assert read_config({"Board": "PYNQ_Z2"}).part.startswith("xc7z020clg400")
    assert read_config({"Part": "pynq-z2"}).part == read_config({"Board": "pynq-z2"}).part


def test_yaml_and_dict_read_the_same(shared):
    for name in ("keras-config.yml", "config-files/qkeras_3layer_config.yml"):
        path = shared / "models" / name
        from_file = read_config(path)
        from_dict = read_config(yaml.safe_load(path.read_text()))
        for layer in ("fc1", "fc1_input", "relu1", "softmax"):
            a, b = (c.settings_for(layer, layer, "", Dense) for c in (from_file, from_dict))
            assert (a.precision, a.reuse, a.table_size) == (b.precision, b.reuse, b.table_size)
        assert from_file.part == from_dict.part != Config().part
        assert (from_file.project_name, from_file.backend) == ("myproject", "Vivado")


def test_the_config_page_is_up_to_date():
    page = ROOT / "docs" / "config.md"
    assert page.read_text() == config_docs.page(), "run: python -m nn2hls.config.docs > docs/config.md"


# ---- hls4ml's own files --------------------------------------------------------------------------------------------------

BY_NAME = """\
HLSConfig:
  Model:
    BramFactor: 1000000000
    Precision: {model}
    ReuseFactor: 1
    Strategy: Latency
    TraceOutput: false
  LayerName:
    x:
      Precision: {{result: auto}}
      Trace: false
    fc0:
      Precision: {{accum: auto, bias: auto, result: auto, weight: auto}}
      ReuseFactor: 1
      Strategy: Latency
      Trace: false
    fc0_relu:
      Precision: {{result: auto}}
      Trace: false
    fc1:
      Precision: {{accum: auto, bias: auto, result: auto, weight: 'fixed<10,2>'}}
      ReuseFactor: 1
"""


def by_name(tmp_path, model):
    path = tmp_path / "hls4ml.yml"
    path.write_text(BY_NAME.format(model=model))
    return convert(mlp(np.random.default_rng(0), (4, 6, 3)), path)


def test_auto_in_the_files_of_hls4ml_means_its_default_for_what_comes_from_outside(tmp_path):
    design = by_name(tmp_path, "{default: 'fixed<32,16>'}")
    assert design.graph["x"].type == T("ap_fixed<32,16>")
    fc0, fc1 = design.graph["fc0"].op, design.graph["fc1"].op
    assert (fc0.weight_t, fc0.bias_t) == (T("ap_fixed<32,16>"), T("ap_fixed<32,16>"))
    assert (fc1.weight_t, fc1.bias_t) == (T("ap_fixed<10,2>"), T("ap_fixed<32,16>"))
    results = {n: found[0] for n, found in design.types.items() if n != "x"}
    assert all(r.level != "given" and r.type.width <= 24 for r in results.values())
    x = np.random.default_rng(1).normal(size=(1000, 4))
    assert design.compare(x).outputs[0].sqnr > 40
    assert any("as in hls4ml" in n and "MaxWidth" in n and "TargetSQNR" in n for n in design.notes)


def test_auto_after_a_bare_type_asks_for_the_derived_type(tmp_path):
    design = by_name(tmp_path, "fixed<32,16>")
    assert design.types["x"][0].level == "default"
    assert {r.word: r.level for r in design.types["fc0"]} == dict.fromkeys(("result", "weight", "bias", "accum"), "sound")
    assert not any("as in hls4ml" in n for n in design.notes)


def test_what_auto_means_survives_being_written(tmp_path):
    design = by_name(tmp_path, "{default: 'fixed<32,16>', bias: 'fixed<20,8>'}")
    assert design.graph["x"].type == T("ap_fixed<32,16>")
    assert (design.graph["fc0"].op.weight_t, design.graph["fc0"].op.bias_t) == (T("ap_fixed<32,16>"), T("ap_fixed<20,8>"))
    again = read_config(to_dict(design.config, tmp_path))
    for node in design.graph:
        assert again.settings_of(node).precision == design.config.settings_of(node).precision


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [(p.name, text) for p in PAGES for text in re.findall(r"^```yaml\n(.*?)^```", p.read_text(), re.M | re.S)]


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_every_example_of_the_documents_can_be_built(page, text):
    config = {k: v for k, v in yaml.safe_load(text).items() if k not in ("KerasModel", "OnnxModel", "PytorchModel")}
    design = convert(mlp(np.random.default_rng(0), (16, 64, 32, 5)), config)
    assert design.oversize() == ""
    assert design.project.files


def test_the_page_of_the_config_has_an_example():
    assert "config.md" in dict(EXAMPLES)
