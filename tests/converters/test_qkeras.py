"""QKeras files: answers recorded from QKeras itself, equal in every value where its scales are powers of two."""

import json
import warnings
from functools import cache

import h5py
import numpy as np
import pytest

import nn2hls
from nn2hls.converters.keras.qkeras import LAYERS
from nn2hls.converters.keras.qkeras_adaptive import integer_bits
from nn2hls.converters.keras.qkeras_options import read
from nn2hls.converters.keras.qkeras_recurrent import LAYERS as RECURRENT
from nn2hls.converters.lower.value import Refusal
from nn2hls.errors import Nn2hlsError, UnsupportedError
from nn2hls.known_layers import QUANTISED_LAYERS
from tests.kit.paths import ROOT

FIXTURES = ROOT / "tests" / "fixtures" / "qkeras"
# What is no fixed-point number in QKeras either, and how far apart answers may be: of its own float32, or by a step of a table.
BOUNDED = {
    "bn": 2.5e-5,
    "conv2d_auto": 3e-6,
    "dense_auto": 3e-5,
    "dense_ternary_auto": 3e-7,
    "dense_float_bias": 2e-7,
    "act_real_sigmoid": 2.0**-6,
    "act_real_tanh": 2.0**-5,
}


@cache
def recorded():
    with np.load(FIXTURES / "answers.npz") as file:
        return {key: file[key] for key in file.files}


NAMES = sorted({key.split("|")[0] for key in recorded()})


def config_of(name):
    return json.loads(str(recorded()[f"{name}|config"]))


def saved(name, folder, change=lambda config: config):
    """The model as JSON and weights, as QKeras saves them."""
    weights = folder / f"{name}.h5"
    with h5py.File(weights, "w") as file:
        layers = {}
        for key, array in recorded().items():
            model, layer, weight = [*key.split("|"), ""][:3]
            if model == name and weight:
                layers.setdefault(layer, []).append(weight)
                file.create_dataset(f"{layer}/{weight}", data=array)
        file.attrs["layer_names"] = list(layers)
        file.attrs["keras_version"] = "2.17.0"
        for layer, own in layers.items():
            file[layer].attrs["weight_names"] = own
    model = folder / f"{name}.json"
    model.write_text(json.dumps({**change(config_of(name)), "keras_version": "2.17.0"}))
    return model, weights


def converted(graph):
    config = {"Model": {}, "LayerName": {n.name: {"Precision": {"result": "ap_fixed<24,12>"}} for n in graph.inputs}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn2hls.convert(graph, config)


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_qkeras(name, tmp_path):
    model, weights = saved(name, tmp_path)
    design = converted(nn2hls.load(model, weights=weights))
    x, want = (recorded()[f"{name}|{key}"] for key in "xy")
    assert np.abs(design.predict(x) - want).max() <= BOUNDED.get(name, 0.0)
    assert np.abs(design.predict_float(x) - want).max() <= BOUNDED.get(name, 0.0)


@pytest.mark.parametrize("file", ["dense_bn.h5", "conv_bn_ema.keras"])
def test_files_as_qkeras_saves_them(file):
    name = file.partition(".")[0]
    design = converted(nn2hls.load(FIXTURES / file))
    x, want = (recorded()[f"{name}|{key}"] for key in "xy")
    assert np.array_equal(design.predict(x), want)
    assert np.array_equal(design.csim(x), want)


def test_one_bit_and_three_values_are_no_multiplier(tmp_path):
    for name in ("dense_binary", "dense_ternary", "dense_one", "dense_stoch_b"):
        design = converted(nn2hls.load(*saved(name, tmp_path)[:1], weights=tmp_path / f"{name}.h5"))
        assert design.estimate().dsp == 0, name
        assert set(np.unique(design.graph["fc"].op.weight.array)) <= {-1, 0, 1}


@pytest.mark.parametrize(
    ("text", "bits", "symmetric"),
    [("quantized_bits(4, 0, 1)", 4, 1), ("quantized_bits(bits=6,integer=-1,alpha='auto')", 6, 0), ("quantized_bits", 8, 0)],
)
def test_text_is_read_as_a_call_with_constants(text, bits, symmetric):
    quantiser = read(text)
    assert (quantiser.kind, quantiser.bits, quantiser.options["symmetric"]) == ("quantized_bits", bits, symmetric)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("quantized_bits(4,0,alpha=__import__('os'))", "is not offered"),
        ("quantized_bits(*range(9))", "is not offered"),
        ("quantized_bit(4)", "quantized_bits"),
        ({"class_name": "quantized_bits", "config": {"bits": 4, "post_training_scale": [1.0]}}, "'post_training_scale'"),
        ({"class_name": "my>quantized_linear", "config": {}}, "is not offered"),
        (7, "is not offered"),
    ],
)
def test_what_is_not_understood_is_refused(value, reason):
    with pytest.raises(Refusal, match=reason):
        read(value)


def changed(key, value, layer="fc"):
    """A change of one option of the quantiser of a layer, or of its activation."""

    def change(config):
        for spec in config["config"]["layers"]:
            if spec["config"]["name"] == layer:
                held = spec["config"].get("kernel_quantizer") or spec["config"]["activation"]
                held["config"][key] = value
        return config

    return change


@pytest.mark.parametrize(
    ("name", "layer", "key", "value", "reason"),
    [
        ("dense_bits", "fc", "bits", 0, "has 0 bits; 1 to 64 are offered"),
        ("dense_bits", "fc", "bits", 65, "has 65 bits; 1 to 64 are offered"),
        ("dense_bits", "fc", "alpha", 0.0, "'alpha' of its quantized_bits must be finite and above zero"),
        ("dense_bits", "fc", "alpha", -1.0, "must be finite and above zero"),
        ("dense_bits", "fc", "alpha", "best", "'alpha' = 'best' of its quantized_bits is not understood"),
        ("dense_bits", "fc", "qnoise_factor", 0.5, "'qnoise_factor' other than 1"),
        ("dense_bits", "fc", "bits", 2.5, "'bits' of its quantized_bits must be a whole number"),
        ("act_bits", "act", "alpha", "auto", "an 'alpha' of 'auto' follows each batch"),
        ("act_bits", "act", "bits", 80, "has 80 bits; 1 to 64 are offered"),
        ("act_relu", "act", "use_sigmoid", 1, "'use_sigmoid' of its quantized_relu is not offered"),
        ("act_relu_slope", "act", "negative_slope", 0.3, "a 'negative_slope' of 0.3"),
        ("act_po2", "act", "quadratic_approximation", True, "'quadratic_approximation' is offered for weights only"),
        ("act_binary", "act", "use_01", 1000, "'use_01' of its binary must be true or false"),
        ("dense_po2", "fc", "max_value", 0.0, "'max_value' = 0 of its quantized_po2 must be above zero"),
        ("dense_bits", "fc", "integer", float("inf"), "'integer' of its quantized_bits must be a whole number"),
    ],
)
def test_a_bad_option_is_refused_by_the_name_of_the_layer(name, layer, key, value, reason, tmp_path):
    model, weights = saved(name, tmp_path, changed(key, value, layer))
    with pytest.raises(UnsupportedError, match=reason) as caught:
        nn2hls.load(model, weights=weights)
    assert f"\n  {layer} (Q" in str(caught.value)


def test_an_activation_without_its_quantiser_is_refused(tmp_path):
    def change(config):
        next(spec for spec in config["config"]["layers"] if spec["config"]["name"] == "act")["config"]["activation"] = None
        return config

    model, weights = saved("act_bits", tmp_path, change)
    with pytest.raises(UnsupportedError, match="it has no 'activation', its quantiser"):
        nn2hls.load(model, weights=weights)


def test_extremes_that_do_not_fit_are_refused(tmp_path):
    model, weights = saved("adaptive_bits", tmp_path)
    with h5py.File(weights, "a") as file:
        del file["act/ema_min"]
        file["act/ema_min"] = np.zeros(2, np.float32)
    with pytest.raises(UnsupportedError, match="its extremes, 2 smallest and 1 largest, do not fit"):
        nn2hls.load(model, weights=weights)


def test_layers_that_are_read_are_known_by_name():
    """Else they are refused as those of a package that is not read."""
    assert {*LAYERS, *RECURRENT} <= QUANTISED_LAYERS


def test_layers_that_are_not_offered_are_refused(tmp_path):
    def change(config):
        for spec in config["config"]["layers"]:
            spec["class_name"] = "QDenseBatchnorm" if spec["class_name"] == "QDense" else spec["class_name"]
        return config

    model, weights = saved("dense_bits", tmp_path, change)
    with pytest.raises(Nn2hlsError, match=r"fc \(QDenseBatchnorm\): this quantised layer \(QKeras, HGQ\) is not offered yet"):
        nn2hls.load(model, weights=weights)


@pytest.mark.parametrize(
    ("low", "high", "more", "bits"),
    [
        (-3.9, 1.0, {}, 3),  # symmetric: nothing lies below -3.75
        (-3.9, 1.0, {"symmetric": False}, 2),
        (0.0, 3.75, {}, 2),
        (0.0, 3.8, {}, 3),
        (0.0, 2.7, {"nearest": True}, 1),
        (-200.0, 1.0, {"negative": False}, 1),
        (0.0, 1000.0, {}, 4),  # no more than there are bits beside the sign
        (0.0, 0.0, {}, 0),
    ],
)
def test_integer_bits_hold_what_training_saw(low, high, more, bits):
    """As QKeras' own function finds them, by hand."""
    flags = {"symmetric": True, "negative": True, "nearest": False, **more}
    assert integer_bits(np.float32([low]), np.float32([high]), 5, **flags).tolist() == [bits]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (
            "activation",
            "quantized_tanh",
            "its quantiser 'quantized_tanh' is not offered; quantized_bits and quantized_relu are",
        ),
        ("total_bits", 0, "0 bits"),
        ("relu_neg_slope", 0.3, "a 'negative_slope' of 0.3"),
        ("dither", 1, "its option 'dither' = 1 is not understood"),
    ],
)
def test_adaptive_activations_with_bad_options_are_refused(key, value, reason, tmp_path):
    def change(config):
        next(spec for spec in config["config"]["layers"] if spec["config"]["name"] == "act")["config"][key] = value
        return config

    model, weights = saved("adaptive_relu", tmp_path, change)
    with pytest.raises(UnsupportedError, match=rf"act \(QAdaptiveActivation\): .*{reason}"):
        nn2hls.load(model, weights=weights)


def test_a_live_adaptive_relu_has_its_upper_bound():
    """Which its config leaves out; its quantiser, an object of QKeras, is read by the words of that config."""
    keras = pytest.importorskip("keras")

    class QAdaptiveActivation(keras.layers.Layer):
        relu_upper_bound = 1.25

        def build(self, shape):
            self.activation = quantized_relu()
            for name, value in (("Variable", 7.0), ("ema_min", 0.0), ("ema_max", 1.75)):
                self.add_weight(shape=(1,), initializer=keras.initializers.Constant(value), name=name, trainable=False)

        def call(self, x):
            return keras.ops.minimum(keras.ops.clip(keras.ops.round(x * 16) / 16, 0, 2 - 1 / 16), self.relu_upper_bound)

        def get_config(self):
            own = {"activation": "quantized_relu", "total_bits": 5, "symmetric": True, "relu_neg_slope": 0.0}
            return {"name": self.name, "trainable": False, **own, "per_channel": False, "po2_rounding": False}

    class quantized_relu:  # noqa: N801  (as QKeras calls it)
        pass

    for kind, home in ((QAdaptiveActivation, "qkeras.qlayers"), (quantized_relu, "qkeras.quantizers")):
        kind.__module__, kind.__qualname__ = home, kind.__name__
    given = keras.Input((3,))
    model = keras.Model(given, QAdaptiveActivation(name="act")(given))
    x = (np.arange(-150, 150).reshape(-1, 3) / 64).astype(np.float32)
    found = nn2hls.convert(nn2hls.load(model)).predict(x)
    assert np.array_equal(found, model.predict(x, verbose=0))
    assert found.max() == 1.25
