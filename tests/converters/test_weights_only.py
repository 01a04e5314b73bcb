"""``model.quantize()`` of Keras for weights alone: whole numbers behind which a scale stands; all else is refused by name."""

import io
import zipfile

import h5py
import numpy as np
import pytest

import nn2hls
from nn2hls.errors import UnsupportedError

keras = pytest.importorskip("keras")
RNG = np.random.default_rng(5)


def quantised(*layers, shape=(3, 6), **config):
    """A model of these layers with random biases, its weights quantised."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), *layers])
    for weight in model.weights:
        weight.assign(RNG.normal(size=weight.shape))
    kind = config.pop("kind")
    own = {"activation_quantizer": None, **config}
    model.quantize(config=getattr(keras.quantizers, f"{kind}QuantizationConfig")(**own))
    return model


def sources(model, folder):
    for name in ("m.keras", "m.h5"):
        model.save(folder / name)
    return folder / "m.keras", folder / "m.h5", model


def test_weights_of_eight_bits_are_whole_numbers_and_a_scale(tmp_path):
    dense = keras.layers.Dense(5, activation="relu", name="fc")
    last = keras.layers.EinsumDense("btc,cd->btd", (3, 4), bias_axes="d", name="last")
    model = quantised(dense, last, kind="Int8")
    x = np.round(RNG.normal(size=(50, 3, 6)) * 256) / 256
    want = np.asarray(model(x.astype(np.float32)))
    texts = set()
    for source in sources(model, tmp_path):
        graph = nn2hls.load(source)
        texts.add(graph.text())
        for name, layer in (("fc_product", dense), ("last_product", last)):
            assert np.array_equal(graph[name].op.weight.array, np.asarray(layer._kernel))
        design = nn2hls.convert(graph, {"Model": {}, "LayerName": {graph.inputs[0].name: {"Precision": "ap_fixed<14,6>"}}})
        assert np.abs(design.predict_float(x) - want).max() < 1e-5
        assert np.abs(design.predict(x) - want).max() < 0.02
    assert len(texts) == 1


@pytest.mark.parametrize("block", [-1, 128])
def test_weights_of_four_bits(block, tmp_path):
    model = quantised(keras.layers.Dense(5, name="fc"), kind="Int4", block_size=block)
    x = np.round(RNG.normal(size=(50, 3, 6)) * 256) / 256
    want = np.asarray(model(x.astype(np.float32)))
    for source in sources(model, tmp_path):
        graph = nn2hls.load(source)
        weight = graph["fc_product"].op.weight.array
        assert weight.shape == (6, 5)
        assert np.array_equal(weight, np.rint(weight))
        assert np.abs(weight).max() <= (8 if block == -1 else 15)
        assert np.abs(nn2hls.convert(graph).predict_float(x) - want).max() < 1e-5


@pytest.mark.parametrize("config", [{"kind": "Int8"}, {"kind": "Int4", "block_size": -1}, {"kind": "Int4", "block_size": 128}])
def test_tables_of_rows(config, tmp_path):
    model = quantised(keras.layers.Embedding(7, 5, name="rows"), shape=(2,), **config)
    x = np.array([[0, 6], [3, 1]])
    want = np.asarray(model(x))
    for source in sources(model, tmp_path):
        assert np.array_equal(nn2hls.convert(nn2hls.load(source)).predict_float(x), want)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "Int4", "block_size": 2}, r"its weights have scales for 3 blocks; Int4QuantizationConfig\(block_size=-1\)"),
    ],
)
def test_what_has_no_fixed_type_is_refused_by_name(config, message, tmp_path):
    model = quantised(keras.layers.Dense(5, name="fc"), **config)
    for source in sources(model, tmp_path):
        with pytest.raises(UnsupportedError, match=rf"fc \(Dense\): .*{message}"):
            nn2hls.load(source)


def test_einstein_sums_of_four_bits_are_refused(tmp_path):
    layer = keras.layers.EinsumDense("btc,cd->btd", (3, 4), name="sums")
    model = quantised(layer, kind="Int4", block_size=-1)
    with pytest.raises(UnsupportedError, match=r"sums \(EinsumDense\): its weights are quantised \('int4/-1'\), which is off"):
        nn2hls.load(model)


def test_a_scale_that_is_none_is_refused(tmp_path):
    layer = keras.layers.Dense(5, name="fc")
    model = quantised(layer, kind="Int8")
    layer.kernel_scale.assign(np.array([1, 0, 2, 3, 4], np.float32))
    with pytest.raises(UnsupportedError, match=r"fc \(Dense\): its scale 0 must be a finite number above zero"):
        nn2hls.load(model)


@pytest.mark.parametrize("place", ["0", "2", "3"])
def test_arrays_that_do_not_fit_are_refused(place, tmp_path):
    """Of a file in which one of them is shorter."""
    quantised(keras.layers.Dense(5, name="fc"), kind="Int4", block_size=128).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO(members["model.weights.h5"])
    with h5py.File(stream, "r+") as file:
        group = file["layers/dense/vars"]
        shorter = group[place][..., :-1]
        del group[place]
        group[place] = shorter
    with zipfile.ZipFile(tmp_path / "bad.keras", "w") as archive:
        for name, data in {**members, "model.weights.h5": stream.getvalue()}.items():
            archive.writestr(name, data)
    with pytest.raises(UnsupportedError, match=r"fc \(Dense\): its weights of shape .* scales do not fit; save it again"):
        nn2hls.load(tmp_path / "bad.keras")
