"""PQuantML files: answers recorded from PQuantML itself, equal in every value; what is not understood is refused by name."""

import copy
import json
import math
import os

import numpy as np
import pytest

import nn2hls
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.pquant_weights import quantised
from nn2hls.errors import ModelError, Nn2hlsError
from tests.fixtures.pquant.record import MODELS, answered, drawn, made
from tests.kit.answers import entries, recorded_arrays, saved

# Factors of a normalisation are no numbers of a type in PQuantML either: answers in the middle between two steps may differ.
BOUNDED = {"norm": 2.0**-1}


def recorded():
    return entries("pquant")


def config_of(name):
    return json.loads(recorded_arrays("pquant", name)[0])


def arrays_of(name):
    return recorded_arrays("pquant", name)[1]


def worst(found, want):
    """The largest difference of one result, or of several."""
    found = found if isinstance(found, list) else [found]
    return max(np.abs(one - other).max() for one, other in zip(found, want, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_every_answer_is_that_of_pquant(name, tmp_path):
    design = nn2hls.convert(saved(tmp_path, config_of(name), arrays_of(name)))
    x, want = recorded()[f"{name}|x0"], [recorded()[key] for key in sorted(recorded()) if key.startswith(f"{name}|y")]
    assert min(len(np.unique(y)) for y in want) > 3
    for found in (design.predict(x), design.predict_float(x)):
        assert worst(found, want) <= BOUNDED.get(name, 0.0)


def test_the_compiled_code_answers_the_same(tmp_path):
    name = "dense_pdp"
    design = nn2hls.convert(saved(tmp_path, config_of(name), arrays_of(name)))
    x = recorded()[f"{name}|x0"]
    assert np.array_equal(design.csim_raw(x).mantissas, design.predict_raw(x).mantissas)


def test_masks_are_zeros_that_cost_nothing(tmp_path):
    """Of a model that is still trained, whose file has masks and weights apart."""
    name = "dense_trained"
    graph = nn2hls.load(saved(tmp_path, config_of(name), arrays_of(name)))
    mask = arrays_of(name)["layers/pq_dense/pruning_layer/vars/0"]
    weight = graph["first"].op.weight.array
    assert mask.T.shape == weight.shape
    assert 0 < np.count_nonzero(mask) < mask.size
    assert not weight[mask.T == 0].any()
    assert np.count_nonzero(weight)


def test_mdmm_leaves_what_is_larger_than_its_epsilon_once_it_is_over(tmp_path):
    def read(tuning):
        def change(spec, arrays):
            spec["config"]["config"]["pruning_parameters"].update(pruning_method="mdmm", epsilon=0.3)
            spec["config"]["config"]["training_parameters"]["pruning_first"] = True
            fill("pq_dense/vars/3", tuning)(spec, arrays)

        return nn2hls.load(saved(tmp_path, *changed("dense_trained", change)))["first"].op.weight.array

    large = np.abs(arrays_of("dense_trained")["layers/pq_dense/vars/0"]) > 0.3
    assert np.count_nonzero(read(0.0)[~large]) > 0
    assert np.array_equal(read(1.0), read(0.0) * large)


def test_biases_wrap_where_kernels_do_not():
    """With HGQ2's quantisers, which take a kernel's range as it is."""
    modes = {"use_high_granularity_quantization": True, "round_mode": "RND", "overflow_mode_parameters": "WRAP"}
    config = {"quantization_parameters": modes, "training_parameters": {}, "pruning_parameters": {}}
    bits = {f"{word}/{name}": np.array([v]) for word in ("wq", "bq") for name, v in (("k", 0), ("i", 1), ("f", 2))}
    layer = Layer("first", "", "PQDense", {"config": config}, "pquant.core.keras.layers", keras=3)
    layer.weights = {"kernel": np.array([[3.25]]), "bias": np.array([-0.5]), **bits}
    found = quantised(layer)
    assert (found["kernel"].item(), found["bias"].item()) == (3.25, 1.5)


def test_a_sign_is_left_where_integer_bits_are_below_the_fraction(tmp_path):
    """-2^-f and 0 are, as PQuantML takes no fewer integer bits than -f."""
    config, arrays = config_of("dense_pdp"), arrays_of("dense_pdp")
    for place, value in enumerate((1.0, -7.0, 2.0)):
        arrays[f"layers/{BITS}/{place}"] = np.float32(value)
    kind = nn2hls.load(saved(tmp_path, config, arrays))["first_iq"].op.kind
    assert (kind.width, float(kind.min), float(kind.max)) == (1, -0.25, 0.0)


def changed(name, change):
    """Config and arrays after ``change(config of the layer 'first', arrays)``."""
    config, arrays = copy.deepcopy(config_of(name)), arrays_of(name)
    spec = next(spec for spec in config["config"]["layers"] if spec["config"]["name"] == "first")
    change(spec, arrays)
    return config, arrays


def setting(section, key, value):
    return lambda spec, arrays: spec["config"]["config"][f"{section}_parameters"].update({key: value})


def fill(place, value):
    return lambda spec, arrays: arrays.update({f"layers/{place}": np.full_like(arrays[f"layers/{place}"], value)})


def in_training(spec, arrays):
    setting("pruning", "pruning_method", "pdp")(spec, arrays)
    for place in ("2", "3"):
        fill(f"pq_dense/vars/{place}", 0.0)(spec, arrays)


def another_class(spec, arrays):
    spec.update(class_name="PQEmbedding", registered_name="PQuantML>PQEmbedding")


def without_settings(spec, arrays):
    del spec["config"]["config"]


def a_gelu(spec, arrays):
    spec.update(class_name="PQActivation", registered_name="PQuantML>PQActivation")
    spec["config"]["activation"] = "gelu"


def searching(spec, arrays):
    spec.update(class_name="PQActivation", registered_name="PQuantML>PQActivation")
    spec["config"].update(activation="relu")
    spec["config"]["config"]["fitcompress_parameters"] = {"enable_fitcompress": True}


BITS = "pq_dense/input_quantizer/vars"


@pytest.mark.parametrize(
    ("change", "message"),
    ids=range(12),
    argvalues=[
        (in_training, r"first \(PQDense\): its weights are still being pruned by 'pdp'; call pquant.apply_final_compression"),
        (setting("pruning", "pruning_method", "dither"), "still being pruned by 'dither'"),
        (searching, "its FITcompress, which casts nothing while it searches"),
        (setting("quantization", "round_mode", "UP"), "'round_mode' = 'UP' of its quantiser is not offered"),
        (setting("quantization", "overflow_mode_data", "WRAP_SM"), "'overflow_mode' = 'WRAP_SM' of its quantiser is not off"),
        (fill(f"{BITS}/2", 3.5), "first: 'f' of its input_quantizer is no whole number"),
        (fill(f"{BITS}/2", np.nan), "first: 'f' of its input_quantizer is no whole number"),
        (fill(f"{BITS}/2", 70), "was left undefined, or has more than 64 bits"),
        (fill(f"{BITS}/0", 2), "its quantiser has signs other than 0 and 1"),
        (another_class, r"\(PQEmbedding\): this layer of PQuantML is not offered yet"),
        (without_settings, "its config holds no 'quantization_parameters', as those of PQuantML do"),
        (a_gelu, "its activation 'gelu' is not offered; relu, tanh, hard_tanh are"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change, message, tmp_path):
    with pytest.raises(Nn2hlsError, match=message):
        nn2hls.load(saved(tmp_path, *changed("dense_trained", change)))


def called_with(word, value):
    """Config and arrays of the attention, called with another argument."""
    config, arrays = copy.deepcopy(config_of("attention")), arrays_of("attention")
    spec = next(spec for spec in config["config"]["layers"] if spec["config"]["name"] == "attend")
    spec["inbound_nodes"][0]["kwargs"][word] = value
    return config, arrays


def array(values):
    return {"class_name": "__numpy__", "config": {"value": np.asarray(values).tolist(), "dtype": "float32"}}


@pytest.mark.parametrize(
    ("word", "value", "message"),
    ids=range(4),
    argvalues=[
        ("key_padding_mask", array(np.zeros((1, 4))), "called with 'key_padding_mask' that is not understood"),
        ("need_weights", False, "called with 'need_weights' that is not understood"),
        ("attn_mask", array(np.zeros((2, 2, 4, 4))), r"'attn_mask' of shape \(2, 2, 4, 4\) must be \(queries, keys\) or"),
        ("attn_mask", "mask", "called with 'attn_mask' that is not understood"),
    ],
)
def test_masks_that_are_not_offered_are_refused(word, value, message, tmp_path):
    with pytest.raises(Nn2hlsError, match=message):
        nn2hls.load(saved(tmp_path, *called_with(word, value)))


def test_a_mask_of_minus_infinity_needs_a_quantiser_that_saturates(tmp_path):
    config, arrays = called_with("need_weights", True)
    spec = next(spec for spec in config["config"]["layers"] if spec["config"]["name"] == "attend")
    spec["config"]["config"]["quantization_parameters"]["overflow_mode_data"] = "WRAP"
    with pytest.raises(Nn2hlsError, match=r"attend .*: a mask of minus infinity before a quantiser that wraps"):
        nn2hls.load(saved(tmp_path, config, arrays))


def test_heads_that_do_not_divide_are_refused(tmp_path):
    config, arrays = called_with("need_weights", True)
    spec = next(spec for spec in config["config"]["layers"] if spec["config"]["name"] == "attend")
    spec["config"]["num_heads"] = 4
    with pytest.raises(Nn2hlsError, match="its 4 heads do not divide 'embed_dim' = 6"):
        nn2hls.load(saved(tmp_path, config, arrays))


def test_a_tanh_between_two_casts_is_a_table(tmp_path):
    config, arrays = copy.deepcopy(config_of("dense_pdp")), arrays_of("dense_pdp")
    spec = next(spec for spec in config["config"]["layers"] if spec["config"]["name"] == "rectified")
    spec["config"]["activation"] = "tanh"
    for word, bits in (("input", (1, 1, 3)), ("output", (1, 0, 5))):
        for place, value in enumerate(bits):
            arrays[f"layers/pq_activation/{word}_quantizer/vars/{place}"] = np.float32(value)
    (table,) = nn2hls.load(saved(tmp_path, config, arrays))["rectified"].op.table.array
    assert table.tolist() == [math.floor(math.tanh(k / 8) * 32 + 0.5) / 32 for k in range(-16, 16)]


def test_an_array_that_is_missing_is_named(tmp_path):
    config, arrays = config_of("dense_pdp"), arrays_of("dense_pdp")
    del arrays[f"layers/{BITS}/3"]
    with pytest.raises(ModelError, match="first: A PQDense has the weights k, i, f, b; the file holds 3 arrays for it"):
        nn2hls.load(saved(tmp_path, config, arrays))


@pytest.fixture(scope="module")
def packages():
    pytest.importorskip("pquant", reason="pquant-ml is not installed; its answers are recorded in tests/fixtures/pquant")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras
    import pquant

    return keras, pquant


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_live_models_with_new_weights_answer_the_same(packages, name):
    keras, pquant = packages
    keras.utils.clear_session()
    rng = np.random.default_rng(11)
    model = made(name, keras, pquant, rng)
    (x,) = drawn(model, rng)
    want = list(answered("", model, [x]).values())
    assert worst(nn2hls.convert(model).predict(x), want) <= BOUNDED.get(name, 0.0)


@pytest.mark.long
def test_its_layers_are_read_or_refused_by_name(packages):
    from nn2hls.converters.keras.pquant_attention import LAYERS

    _, pquant = packages
    found = [*vars(pquant.layers).values(), *vars(pquant.activations).values()]
    kinds = {thing.__name__ for thing in found if isinstance(thing, type) and thing.__module__.startswith("pquant")}
    assert {kind for kind in kinds if kind.startswith("PQ") and not kind.endswith(("Base", "Config"))} == {*LAYERS}
