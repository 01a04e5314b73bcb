"""HGQ2 files: answers recorded from HGQ2 itself, equal in every value; what is not understood is refused by name."""

import copy
import json
import re

import h5py
import numpy as np
import pytest

import nn2hls
from nn2hls.converters.keras import hgq_layers, hgq_quantisers
from nn2hls.converters.keras.hgq_layers import LAYERS
from nn2hls.converters.lower.value import Refusal
from nn2hls.errors import ModelError, Nn2hlsError, UnsupportedError
from tests.kit.answers import entries, recorded_arrays, saved
from tests.kit.paths import ROOT


def recorded():
    return entries("hgq2")


NAMES = sorted({key.split("|")[0] for key in recorded()})


def config_of(name):
    return json.loads(recorded_arrays("hgq2", name)[0])


def arrays_of(name):
    return recorded_arrays("hgq2", name)[1]


def numbered(name, word):
    return [recorded()[key] for key in sorted(recorded()) if key.startswith(f"{name}|{word}")]


def design_of(name, folder):
    return nn2hls.convert(saved(folder, config_of(name), arrays_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_that_of_hgq2(name, tmp_path):
    design, xs, want = design_of(name, tmp_path), numbered(name, "x"), numbered(name, "y")
    assert min(len(np.unique(y)) for y in want) > 2
    for found in (design.predict(xs if len(xs) > 1 else xs[0]), design.predict_float(xs if len(xs) > 1 else xs[0])):
        for y, one in zip(want, found if isinstance(found, list) else [found], strict=True):
            assert np.array_equal(one, y)


def test_the_net_and_the_compiled_code_answer_the_same(tmp_path):
    design, (x,) = design_of("dense", tmp_path), numbered("dense", "x")
    raw = design.predict_raw(x)
    assert np.array_equal(design.csim_raw(x).mantissas, raw.mantissas)


def test_inputs_of_any_float_are_cast_as_the_model_casts_them(tmp_path):
    """Where inputs lie close to the middle between two steps a type with too few bits below would round them twice."""
    design = design_of("dense", tmp_path)
    (x,) = numbered("dense", "x")
    near = x + np.random.default_rng(0).choice([-1e-6, 0.0, 1e-6], x.shape).astype(np.float32)
    assert np.array_equal(design.predict(near), design.predict_float(near.astype(np.float64)))


def test_a_type_for_each_element_is_told(tmp_path):
    text = "\n".join(design_of("dense", tmp_path).notes)
    assert "first_iq: 6 elements" in text
    assert "bits in all" in text


def changed(name, change):
    """A config in which the first layer's own config is changed."""
    config = copy.deepcopy(config_of(name))
    layer = next(spec for spec in config["config"]["layers"] if spec["class_name"].startswith("Q"))
    change(layer["config"])
    return config


def option(part, key, value):
    return lambda config: config[part]["config"].update({key: value})


REFUSED = {
    "unknown": (
        option("iq_conf", "dither", 3),
        r"first \(QDense\): its quantiser has an option 'dither' = 3 that",
    ),
    "float": (option("kq_conf", "q_type", "float"), r"its quantiser is of the type 'float'; kif and kbi are offered"),
    "scaler": (option("iq_conf", "scaler", 3.0), r"its quantiser has a 'scaler', which is not offered"),
    "mode": (
        option("iq_conf", "overflow_mode", "WRAP_SM"),
        r"'overflow_mode' = 'WRAP_SM' of its quantiser is not offered",
    ),
    "mapper": (option("iq_conf", "bw_mapper", {"class_name": "Mine"}), r"'bw_mapper' of its own, whose code is never run"),
    "affine": (option("iq_conf", "affine", [1.0]), r"'affine' = \[1.0\] of its quantiser must be two finite numbers"),
    "flag": (option("kq_conf", "is_weight", "no"), r"'is_weight' = 'no' of its quantiser must be true or false"),
    "layer": (
        lambda config: config.update(twist=2),
        r"first \(QDense\): its option 'twist' = 2 is not understood",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_understood_is_refused_by_name(case, tmp_path):
    change, message = REFUSED[case]
    path = saved(tmp_path, changed("dense", change), arrays_of("dense"))
    with pytest.raises(Nn2hlsError, match=message):
        nn2hls.load(path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("layers/q_dense/iq/quantizer/vars/0", np.nan, r"first: Its iq/f holds 6 NaN or Inf values"),
        (
            "layers/q_dense/iq/quantizer/vars/2",
            -1e9,
            r"first \(QDense\): its quantiser was left undefined, or has more",
        ),
        ("layers/q_dense/iq/quantizer/vars/2", 63, r"first \(QDense\): its type of \d+ bits is not offered; up to 64 are"),
        ("layers/q_dense/iq/quantizer/vars/1", 2, r"first \(QDense\): its quantiser has signs other than 0 and 1"),
    ],
)
def test_bits_that_are_none_are_refused(place, value, message, tmp_path):
    arrays = arrays_of("dense")
    arrays[place] = np.full(arrays[place].shape, value, dtype=np.float32)
    with pytest.raises(Nn2hlsError, match=message):
        nn2hls.load(saved(tmp_path, config_of("dense"), arrays))


def test_missing_arrays_of_a_quantiser_are_told(tmp_path):
    arrays = arrays_of("dense")
    del arrays["layers/q_dense/kq/quantizer/vars/0"]
    with pytest.raises(ModelError, match=r"first: The quantiser kq of a QDense has the weights b, i, k; the file holds 2"):
        nn2hls.load(saved(tmp_path, config_of("dense"), arrays))


def test_weights_under_wrap_are_rounded_and_no_more():
    """As the package computes them: a weight beyond its bits is not wrapped, one of a bias is."""
    config = {"q_type": "kif", "round_mode": "RND", "overflow_mode": "WRAP", "trainable": True}
    arrays = {"k": np.ones(3), "i": np.array([0, 0, 0.0]), "f": np.array([1, 1, -3.0])}
    values = np.array([0.3, 2.6, 0.25])
    for is_weight, want in ((True, [0.5, 2.5, 0.0]), (False, [0.5, 0.5, 0.0])):
        quantiser = hgq_quantisers.read({"class_name": "QuantizerConfig", "config": {**config, "is_weight": is_weight}})
        assert hgq_quantisers.constants(quantiser, arrays, values).tolist() == want
    frozen = hgq_quantisers.read({"class_name": "QuantizerConfig", "config": {**config, "is_weight": True, "trainable": False}})
    assert hgq_quantisers.constants(frozen, arrays, values).tolist() == [0.5, 0.5, 0.0]


def test_a_hard_sigmoid_is_a_cast_and_a_line():
    config = {"class_name": "HardSigmoidConfig", "config": {"q_type": "kif", "round_mode": "TRN"}}
    arrays = {"k": np.ones(1), "i": np.ones(1), "f": np.array([2.0])}
    found = hgq_quantisers.constants(hgq_quantisers.read(config), arrays, np.array([-5, -0.3, 0.6, 5]))
    assert found.tolist() == [0.0, 0.375, 0.625, 0.9375]


def test_other_quantisers_are_refused():
    with pytest.raises(Refusal, match="its quantiser 'x' is not understood; QuantizerConfig, "):
        hgq_quantisers.read("x")


def test_files_in_the_older_format_are_refused(tmp_path):
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config_of("dense"))
        file.attrs["keras_version"] = "3.15.1"
        file.attrs["layer_names"] = []
    with pytest.raises(ModelError, match="It holds layers of HGQ2 in the older format"):
        nn2hls.load(tmp_path / "model.h5")


def test_every_layer_of_the_list_is_recorded():
    recorded_kinds = {spec["class_name"] for name in NAMES for spec in config_of(name)["config"]["layers"]}
    assert {*LAYERS} <= recorded_kinds


def test_the_documented_layers_are_those_that_are_read_and_those_that_are_refused():
    text = (ROOT / "docs" / "quantised.md").read_text(encoding="utf-8")
    table = text.partition("| layer of HGQ2 |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines()[2:]]
    found = {
        verdict: {word.strip() for names, told in rows if told.strip().startswith(verdict) for word in names.split(",")}
        for verdict in VERDICTS
    }
    assert found == {"read": {*LAYERS}, "refused": {*hgq_layers.REFUSED}}


VERDICTS = ("read", "refused")


@pytest.mark.parametrize("kind", sorted(hgq_layers.REFUSED))
def test_other_layers_are_refused_with_the_way_out(kind, tmp_path):
    config = config_of("dense")
    spec = next(spec for spec in config["config"]["layers"] if spec["class_name"] == "QDense")
    spec.update(class_name=kind, registered_name=f"hgq>{kind}")
    with pytest.raises(UnsupportedError, match=rf"first \({kind}\): {hgq_layers.REFUSED[kind][:20]}"):
        nn2hls.load(saved(tmp_path, config, arrays_of("dense")))


@pytest.mark.parametrize(
    ("name", "layer", "key", "value", "message"),
    [
        ("recurrent", "first", "enable_oq", True, "what HGQ2 itself cannot compute; put a Quantizer behind it"),
        ("recurrent", "third", "activation", "tanh", "'activation' = 'tanh' is no function of fixed point; leave it linear"),
        ("recurrent", "third", "stateful", True, "'stateful' keeps its state from event to event"),
        ("attention", "one", "fuse", "all", "'fuse' = 'all' is not one of none, kv, qkv"),
        ("attention", "one", "use_gate", True, "'use_gate' = True is not offered; leave it out"),
        ("attention", "two", "stable_softmax", False, "'stable' = False is not offered without a quantiser of what enters"),
        ("luts", "mixed", "d_hl", 2, "2 numbers enter each of its tables, and there is one, so that HGQ2 itself cannot"),
        ("luts", "dense", "subnn_activation", "mine", "its function 'mine' is not offered as a table"),
        ("luts", "over", "data_format", "channels_first", "channels first, and groups, are not offered with tables"),
    ],
)
def test_options_of_layers_in_layers_are_refused_by_name(name, layer, key, value, message, tmp_path):
    config, arrays = config_of(name), arrays_of(name)
    spec = next(spec for spec in config["config"]["layers"] if spec["config"].get("name") == layer)
    spec["config"][key] = value
    if key == "d_hl":
        kernel = "layers/q_einsum_dense_t/module/layers/einsum_dense/vars/0"
        arrays[kernel] = np.repeat(arrays[kernel], 2, axis=-2)
    with pytest.raises(UnsupportedError, match=message):
        nn2hls.load(saved(tmp_path, config, arrays))


def test_masks_that_hide_all_keys_of_a_query_are_refused(tmp_path):
    config = config_of("attention")
    spec = next(spec for spec in config["config"]["layers"] if spec["config"].get("name") == "two")
    mask = {"class_name": "__numpy__", "config": {"value": [[[True] * 3, [False] * 3, [True] * 3]], "dtype": "bool"}}
    spec["inbound_nodes"][0]["kwargs"]["attention_mask"] = mask
    with pytest.raises(UnsupportedError, match="its mask hides all keys from a query"):
        nn2hls.load(saved(tmp_path, config, arrays_of("attention")))


def test_bit_operations_stand_in_the_estimate(tmp_path):
    design = design_of("dense", tmp_path)
    found = design.estimate()
    assert found.to_dict()["ebops"] == sum(layer["ebops"] for layer in found.to_dict()["layers"]) > 0
    assert f"effective bit operations (EBOPs): {found.to_dict()['ebops']:,}\n" in found.text()


# A place in a file and what stands there in its place: arrays of another shape, values of another kind.
_ARRAYS = {
    "normed tables": ("luts", "mixed", r"q_einsum_dense_t\w*/vars/0$", lambda a: np.resize(a, a.size + 2)),
    "weights of a step": ("recurrent", "first", r"cell/kq/quantizer/vars/0$", lambda a: np.zeros(4096, a.dtype)),
    "one kind of bits": ("dense", "first", r"q_dense/kq/quantizer/vars/0$", lambda a: np.zeros((1, 1), a.dtype)),
    "a normalisation": ("dense", "norm", r"q_batch_normalization/vars/0$", lambda a: np.resize(a, a.size + 1)),
    "a kernel before its normalisation": ("dense", "second", r"q_batch_norm_dense/vars/0$", lambda a: a.T.reshape(-1)),
    "a state": ("recurrent", "second", r"qgru/cell/vars/1$", lambda a: a[:, :-1]),
}


@pytest.mark.parametrize("case", _ARRAYS)
def test_arrays_of_other_shapes_are_refused_with_their_layer(case, tmp_path):
    name, layer, place, change = _ARRAYS[case]
    arrays = arrays_of(name)
    found = next(key for key in sorted(arrays) if re.search(place, key))
    arrays[found] = change(arrays[found])
    with pytest.raises(Nn2hlsError, match=rf"\b{layer}\b"):
        nn2hls.load(saved(tmp_path, config_of(name), arrays))


_VALUES = {
    "a class that is none": ("dense", "first", "iq_conf", {"class_name": {"a": 1}, "config": {}}),
    "a type that is none": ("dense", "first", "iq_conf", {"class_name": "QuantizerConfig", "config": {"q_type": {}}}),
    "no size": ("attention", "one", "key_dim", 0),
    "a size below zero": ("attention", "one", "key_dim", -3),
    "layers without an end": ("luts", "dense", "n_hl", 1 << 62),
    "quantisers that are a number": ("dense", "add", "iq_confs", 3),
    "a quantiser of a step": ("recurrent", "first", "kq_conf", {"class_name": "QuantizerConfig", "config": 5}),
}


@pytest.mark.parametrize("case", _VALUES)
def test_values_of_another_kind_are_refused_with_their_layer(case, tmp_path):
    name, layer, key, value = _VALUES[case]
    config = config_of(name)
    spec = next(spec for spec in config["config"]["layers"] if spec["config"].get("name") == layer)
    spec["config"][key] = value
    with pytest.raises(Nn2hlsError, match=rf"\b{layer}\b"):
        nn2hls.load(saved(tmp_path, config, arrays_of(name)))


def test_arrays_of_a_quantiser_that_the_config_leaves_out_are_refused(tmp_path):
    """Its values would not be cast at all."""
    path = saved(tmp_path, changed("dense", lambda config: config.pop("kq_conf")), arrays_of("dense"))
    with pytest.raises(ModelError, match="Its config has no 'kq_conf', and the file holds arrays of that quantiser"):
        nn2hls.load(path)
