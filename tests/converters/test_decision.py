"""Keys around a network: raw words in, a decision out. The float reference is held to NumPy, the witnesses to the emulator."""

import json

import numpy as np
import pytest
import yaml

from nn2hls.config.read import read_config
from nn2hls.config.write import to_dict
from nn2hls.design.design import convert
from nn2hls.errors import ConfigError, DataError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input, Relu, Softmax
from tests.kit.networks import mlp

FEATURES, LATENT = 21, 4


def vae(seed=0):
    """An encoder with two heads: mean and logarithm of the variance, 21 features to 4 latent values."""
    rng, builder = np.random.default_rng(seed), Builder()

    def dense(name, source, n_in, n_out):
        weight = rng.normal(size=(n_in, n_out)) / np.sqrt(n_in)
        return builder.add(name, Dense(Const(weight), Const(rng.normal(size=n_out) * 0.1)), [source])

    x = builder.add("x", Input((FEATURES,)))
    hidden = builder.add("relu", Relu(), [dense("fc", x, FEATURES, 8)])
    heads = [dense("z_mean", hidden, 8, LATENT), dense("z_log_var", hidden, 8, LATENT)]
    return builder.build(heads)


def raw_words(events=64, seed=1, features=FEATURES):
    return np.random.default_rng(seed).normal(100, 30, size=(events, features)).round()


SCALING = {"mean": [100.0] * FEATURES, "std": [30.0] * FEATURES}


def scaled(x):
    return (x - 100) / 30


def divergence(mean, log_variance):
    return -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance), axis=1, keepdims=True)


def autoencoder():
    return mlp(np.random.default_rng(3), (FEATURES, 8, LATENT, 8, FEATURES))


CASES = {
    "mse": (autoencoder, "mse", lambda x, y: np.mean((x - y) ** 2, axis=1, keepdims=True)),
    "mae": (autoencoder, {"mae": ["x", "fc3"]}, lambda x, y: np.mean(np.abs(x - y), axis=1, keepdims=True)),
    "radius": (vae, {"radius": "z_mean"}, lambda x, m, v: np.mean(m**2, axis=1, keepdims=True)),
    "kl": (vae, "kl", lambda x, m, v: divergence(m, v)),
}


@pytest.mark.parametrize("kind", CASES)
def test_float_reference_of_a_score_is_its_formula_on_scaled_inputs(kind):
    make, score, formula = CASES[kind]
    x = raw_words()
    outputs = convert(make(), {}).predict_float(scaled(x))
    wanted = formula(scaled(x), *(outputs if isinstance(outputs, list) else [outputs]))
    design = convert(make(), {"InputScaling": SCALING, "Score": score}, calibration=x)
    np.testing.assert_allclose(design.predict_float(x), wanted, rtol=1e-12)
    assert design.float_graph.outputs == ("score",)
    assert np.abs(design.predict(x) - wanted).max() < 0.02 * np.abs(wanted).max()
    bit = convert(make(), {"InputScaling": SCALING, "Score": score, "Threshold": float(np.median(wanted))}, calibration=x)
    assert (bit.predict_float(x) == (wanted >= np.median(wanted))).all()
    assert str(bit.graph[bit.graph.outputs[0]].result_type) == "ap_ufixed<1,1>"


@pytest.mark.long
def test_the_trigger_of_a_vae_leaves_as_a_bit_each_clock():
    """21 raw features to the divergence of 4 latent values and its threshold: every witness, and Verilog that takes an event a
    clock."""
    x = raw_words(40)
    asked = {"InputScaling": SCALING, "Score": "kl", "Threshold": 1.5, "Backend": "Verilog"}
    model = {"Model": {"Precision": {"default": "ap_fixed<12,5,AP_RND,AP_SAT>", "input": "ap_uint<8>"}}}
    design = convert(vae(), {**asked, "HLSConfig": model, "OutputDir": "unused"}, calibration=x)
    assert design.estimate().ii == 1
    assert str(design.graph[design.graph.outputs[0]].result_type) == "ap_ufixed<1,1>"
    assert 0 < design.predict(x).mean() < 1
    verdict = design.verify(x, "rtl")
    assert verdict.equal
    assert "II 1" in str(verdict)
    assert design.verify(x).equal


def classifier(with_softmax=True):
    rng, builder = np.random.default_rng(5), Builder()
    x = builder.add("x", Input((6,)))
    y = builder.add("fc", Dense(Const(rng.normal(size=(6, 5))), Const(rng.normal(size=5))), [x])
    return builder.build([builder.add("softmax", Softmax(0), [y]) if with_softmax else y])


def test_argmax_leaves_the_softmax_out_and_is_judged_by_its_classes():
    x = np.random.default_rng(6).normal(size=(200, 6))
    labels = convert(classifier(), {}).predict_float(x).argmax(axis=1)
    design = convert(classifier(), {"Output": "argmax"}, calibration=x)
    assert [type(n.op).__name__ for n in design.graph] == ["Input", "Dense", "TopK"]
    assert str(design.graph[design.graph.outputs[0]].result_type) == "ap_ufixed<3,3>"
    assert (design.predict_float(x)[:, 0] == labels).all()
    (found,) = design.compare(x, labels).outputs
    assert found.judged == "classes"
    assert found.accuracy_float == 1
    assert [c.events for c in found.classes] == np.bincount(labels, minlength=5).tolist()


def test_a_threshold_is_judged_as_an_answer():
    x = raw_words()
    design = convert(autoencoder(), {"InputScaling": SCALING, "Score": "mse", "Threshold": 1.0}, calibration=x)
    assert design.compare(x).outputs[0].judged == "classes"


def test_several_outputs_and_inputs_go_by_name():
    x = raw_words()
    design = convert(vae(), {"Output": {"z_mean": "argmax"}, "Threshold": {"z_log_var": 0.25}, "InputScaling": {"x": SCALING}})
    mean, log_variance = convert(vae(), {}).predict_float(scaled(x))
    places, bits = design.predict_float(x)
    assert (places[:, 0] == mean.argmax(axis=1)).all()
    assert (bits == (log_variance >= 0.25)).all()


@pytest.mark.parametrize("form", ["npz", "sklearn.npz", "npy", "json"])
def test_a_scaling_comes_from_a_file_beside_the_config(tmp_path, form):
    mean, std = np.arange(FEATURES) + 1.0, np.arange(FEATURES) + 2.0
    path = tmp_path / f"scaling.{form.rpartition('.')[2]}"
    if form == "json":
        path.write_text(json.dumps({"mean": mean.tolist(), "std": std.tolist()}))
    elif form == "npy":
        np.save(path, np.stack([mean, std]))
    else:
        np.savez(path, **({"mean_": mean, "scale_": std} if "sklearn" in form else {"mean": mean, "std": std}))
    config = tmp_path / "config.yml"
    config.write_text(yaml.safe_dump({"InputScaling": path.name}))
    x = raw_words(8)
    design = convert(autoencoder(), str(config))
    np.testing.assert_allclose(design.trace_float(x)["x_scaled"], (x - mean) / std, rtol=1e-12)


def test_the_keys_read_back_as_they_were_written(tmp_path):
    config = {
        "InputScaling": {"a": {"mean": 0.5, "std": [1.0, 2.0]}, "b": "scaling.npz"},
        "Score": {"kl": ["z_mean", "z_log_var"]},
        "Threshold": {"score": 2.5},
        "Output": {"other": "argmax"},
    }
    held = read_config(config)
    again = read_config(to_dict(held, tmp_path))
    for name in ("score", "threshold", "output"):
        assert getattr(again, name) == getattr(held, name)
    assert again.input_scaling["a"] == held.input_scaling["a"]


def test_a_network_that_is_decided_is_not_decided_twice():
    design = convert(classifier(), {"Output": "argmax"})
    again = convert(design.float_graph, {"Output": "argmax"})
    assert len(again.graph.nodes) == len(design.graph.nodes)


REFUSED = [
    ({"Score": "kl"}, autoencoder, "two outputs"),
    ({"Score": {"mse": ["x", "fc1"]}}, autoencoder, "of one size"),
    ({"Score": {"radius": "z_mena"}}, vae, "Did you mean 'z_mean'"),
    ({"Score": "rmse"}, autoencoder, "Did you mean 'mse'"),
    ({"Score": {"kl": "z_mean"}}, vae, "made of 2 values"),
    ({"Threshold": {"fc9": 1}}, autoencoder, "no output 'fc9'"),
    ({"Threshold": "high"}, autoencoder, "must be a number"),
    ({"Output": "largest"}, autoencoder, "is not a output"),
    ({"Output": "argmax", "Threshold": 1}, autoencoder, "Keep one of the two"),
    ({"Output": "argmax", "Score": "mse"}, autoencoder, "Use Threshold"),
    ({"InputScaling": {"mean": 1}}, autoencoder, "mean and std"),
    ({"InputScaling": {"mean": 1, "std": 0}}, autoencoder, "above zero"),
    ({"InputScaling": {"mean": [1, 2], "std": 1}}, autoencoder, "shape (2,)"),
    ({"InputScaling": {"y": {"mean": 1, "std": 1}}}, autoencoder, "no input 'y'"),
]


@pytest.mark.parametrize(("config", "make", "words"), REFUSED, ids=lambda v: getattr(v, "__name__", str(v)[:40]))
def test_what_does_not_fit_is_named(config, make, words):
    with pytest.raises(ConfigError) as error:
        convert(make(), config)
    assert words in str(error.value)


@pytest.mark.parametrize("text", ["[1, 2]", '{"mean": "high", "std": 1}', '{"mean": 1}'])
def test_a_file_without_mean_and_std_is_named(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DataError, match=r"s\.json"):
        convert(autoencoder(), {"InputScaling": str(tmp_path / "s.json")})
