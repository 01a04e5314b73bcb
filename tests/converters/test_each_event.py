"""``model.quantize("int8")`` of Keras: whole numbers by the largest value of each event, against Keras itself.

Where Keras' float32 takes the other step for a value next to a middle, a result may differ by what a note says; by no more.
"""

import json
import re
import zipfile

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.graph.graph import Graph
from tests.kit.paths import ROOT

keras = pytest.importorskip("keras")
INPUT = "ap_fixed<14,4>"
FINE = 1024  # steps of one in that type
CLOSE = 3 * 2.0**-24  # relative: float32 computes a sum, a quotient and a product
EPSILON = 1e-7  # that Keras adds


def network(*layers, shape=(3, 6), config=None, function=None):
    """A model of these layers with random weights, quantised."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(5)
    x = keras.Input(shape, name="x")
    y = x
    for layer in layers:
        y = layer(y)
    model = keras.Model(x, y if function is None else function(x))
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    model.quantize("int8" if config is None else None, config=config)
    return model


def events(shape=(3, 6), count=200, seed=0):
    """Numbers of the type of the input, of many sizes; some events are zero."""
    rng = np.random.default_rng(seed)
    size = rng.choice([0.01, 0.5, 1, 2], (count, *(1,) * len(shape)))
    x = np.clip(np.round(rng.normal(size=(count, *shape)) * size * FINE) / FINE, -7.9, 7.9)
    x[:2] = 0
    return x


def answers(model, x):
    return np.asarray(model(x.astype(np.float32)), np.float64)


def designed(source, **settings):
    graph = nn2hls.load(source)
    return nn2hls.convert(graph, {"Model": settings, "LayerName": {graph.inputs[0].name: {"Precision": INPUT}}})


def noted(design, pattern):
    """The numbers of the notes that a pattern finds."""
    return [float(found[1]) for note in design.notes if (found := re.search(pattern, note))]


def steps_off(x, mine, axes):
    """How many whole numbers of an event are not Keras' own, all of which lie next to a middle."""
    scaled = keras.quantizers.abs_max_quantize(x.astype(np.float32), axis=axes)
    off = mine - np.asarray(scaled[0], np.float64)
    largest = np.abs(x).max(axis=axes, keepdims=True)
    exact = np.divide(x * 127, largest, out=np.zeros_like(x), where=largest > 0)
    middle = np.abs(np.abs(exact - np.trunc(exact)) - 0.5)
    assert np.abs(off).max() <= 1
    near = 127 * (CLOSE + EPSILON / np.maximum(largest, EPSILON))
    assert np.all((middle <= near)[off != 0])
    return np.count_nonzero(off.reshape(len(x), -1), axis=1)


CASES = {
    "dense": (lambda: keras.layers.Dense(5, name="fc"), (-1,)),
    "dense without bias": (lambda: keras.layers.Dense(4, use_bias=False, name="fc"), (-1,)),
    "dense and a function": (lambda: keras.layers.Dense(5, activation="relu", name="fc"), (-1,)),
    **{
        equation: (
            lambda equation=equation, out=out, bias=bias: keras.layers.EinsumDense(equation, out, bias_axes=bias, name="fc"),
            axes,
        )
        for equation, out, bias, axes in (
            ("abc,cd->abd", (3, 5), "d", (2,)),
            ("abc,bd->adc", (5, 6), "d", (1,)),
            ("abc,cde->abde", (3, 2, 5), "de", (2,)),
            ("abc,bcd->ad", 5, "d", (1, 2)),
            ("abc,bcd->abd", (3, 5), None, (2,)),
            ("abc,cd->adb", (5, 3), "d", (2,)),
            ("abc,c->abc", (3, 6), None, ()),
        )
    },
}


def whole_numbers(model, x):
    """What the design makes of the values of its first layer."""
    graph = nn2hls.load(model)
    inner = Graph(graph.nodes, ("fc_whole",))
    design = nn2hls.convert(inner, {"Model": {}, "LayerName": {"x": {"Precision": INPUT}}})
    found = design.predict(x)
    assert np.array_equal(found, design.predict_float(x))
    return found


@pytest.mark.parametrize("name", CASES)
def test_results_are_within_what_the_notes_say(name):
    make, axes = CASES[name]
    model, x = network(make()), events()
    want, design = answers(model, x), designed(model)
    off = steps_off(x, whole_numbers(model, x), axes)
    share = noted(design, r"changes no result by more than (\S+) times fc_")
    factor = noted(design, r"they change no value by more than (\S+)\.$")
    assert (len(share), len(factor)) == (1, 1)
    largest = np.abs(x).reshape(len(x), -1).max(axis=1)
    told = off * share[0] * largest + 2e-6 * (1 + np.abs(want).max())
    kind = design.graph["fc"].type
    assert kind.width <= 24
    for found, more in ((design.predict_float(x), 0), (design.predict(x), factor[0] + kind.step)):
        error = np.abs(found - want).reshape(len(x), -1).max(axis=1)
        assert np.all(error <= told + more)
    assert np.mean(off == 0) > 0.9
    smallest = np.asarray(model.get_layer("fc").kernel_scale).min()  # 127 over the largest weight
    assert share[0] == pytest.approx(1 / smallest, rel=0.1)


def test_the_largest_value_keeps_every_bit_and_results_do_not():
    """As the input of a second layer, whose values are as fine as their target asks, or finer where the user says so."""
    graph = nn2hls.load(network(keras.layers.Dense(8, activation="relu", name="fc"), keras.layers.Dense(2, name="last")))
    named = {"x": INPUT, "fc_relu": {"result": "ap_ufixed<24,6>"}}
    design = nn2hls.convert(graph, {"Model": {}, "LayerName": {name: {"Precision": kind} for name, kind in named.items()}})
    types = {node.name: node.type for node in design.graph}
    assert types["fc_relu"].fraction == 18
    assert types["fc_largest"].fraction == types["x"].fraction
    assert types["last_largest"].fraction == types["fc_relu"].fraction
    assert types["fc_sized"].fraction == types["fc_largest"].fraction
    assert max(types[name].width for name in ("fc", "fc_relu", "last")) <= 24
    assert str(types["fc_whole"]) == "ap_fixed<8,8,AP_RND_CONV,AP_SAT_SYM>"


def test_two_layers_in_a_row_from_files_and_live(tmp_path):
    model = network(keras.layers.Dense(8, activation="relu", name="fc"), keras.layers.Dense(2, name="last"))
    x = events()
    want, texts = answers(model, x), set()
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
    for source in (tmp_path / "m.keras", tmp_path / "m.h5", model):
        texts.add(nn2hls.load(source).text())
    assert len(texts) == 1
    design = designed(model)
    assert np.median(np.abs(design.predict_float(x) - want)) < 1e-6
    assert ratio(want, design.predict_float(x)) > 60
    assert ratio(want, design.predict(x)) > 40
    assert np.allclose(answers(model, x[:1]), design.predict_float(x[:1]), atol=1e-6), "zeros give the biases"


def ratio(want, got):
    """The ratio of signal to difference, in dB."""
    return 10 * np.log10(np.mean(want**2) / max(np.mean((got - want) ** 2), 1e-300))


def edited(model, change, folder):
    """The file of a model whose layers' configs are changed."""
    model.save(folder / "m.keras")
    with zipfile.ZipFile(folder / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    for layer in config["config"]["layers"]:
        change(layer["config"])
    with zipfile.ZipFile(folder / "edited.keras", "w") as archive:
        for name, data in {**members, "config.json": json.dumps(config)}.items():
            archive.writestr(name, data)
    return folder / "edited.keras"


def test_files_of_versions_that_do_not_say_it_are_the_same(tmp_path):
    model = network(keras.layers.EinsumDense("abc,cd->abd", (3, 4), bias_axes="d", name="fc"))
    older = edited(model, lambda config: config.pop("quantization_config", None), tmp_path)
    assert nn2hls.load(older).text() == nn2hls.load(model).text()


def test_a_part_of_a_model(tmp_path):
    keras.utils.set_random_seed(2)
    first, second = keras.layers.Dense(6, activation="relu", name="first"), keras.layers.Dense(3, name="fc")
    model = keras.Sequential([keras.Input((6,)), first, second])
    second.quantize("int8")
    model.save(tmp_path / "m.keras")
    x = events((6,))
    graph = nn2hls.load(tmp_path / "m.keras")
    assert [node.name for node in graph if node.op.measures] == ["fc_whole"]
    assert np.median(np.abs(nn2hls.convert(graph).predict_float(x) - answers(model, x))) < 1e-6


def test_fewer_steps_and_weights_of_four_bits():
    steps = keras.quantizers.AbsMaxQuantizer(value_range=(-8, 7))
    for config in (
        keras.quantizers.Int8QuantizationConfig(activation_quantizer=steps),
        keras.quantizers.Int4QuantizationConfig(activation_quantizer=keras.quantizers.AbsMaxQuantizer(), block_size=-1),
    ):
        model, x = network(keras.layers.Dense(5, name="fc"), config=config), events()
        assert np.median(np.abs(designed(model).predict_float(x) - answers(model, x))) < 1e-6


ATTENTION = {
    "MultiHeadAttention": lambda: keras.layers.MultiHeadAttention(2, 4, name="mha"),
    "several axes": lambda: keras.layers.MultiHeadAttention(2, 4, attention_axes=(1,), output_shape=(5,), name="mha"),
    "GroupQueryAttention": lambda: keras.layers.GroupQueryAttention(4, 4, 2, name="mha"),
}


@pytest.mark.parametrize(("name", "values"), [*((name, True) for name in ATTENTION), ("MultiHeadAttention", False)])
def test_attention_with_quantised_projections(name, values, tmp_path):
    """Keras' file does not say how they are quantised; the live model does."""
    config = None if values else keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    layer = ATTENTION[name]()
    model, x = network(config=config, function=lambda x: layer(x, x)), events()
    want, design = answers(model, x), designed(model)
    assert sum(node.op.measures for node in design.graph) == 4 * values
    assert np.median(np.abs(design.predict_float(x) - want)) < 2e-6
    assert ratio(want, design.predict_float(x)) > (50 if values else 100)
    assert ratio(want, design.predict(x)) > 40
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"mha: .*Is it quantised\? Keras' file does not say how.*load the model, nn2hls"):
        nn2hls.load(tmp_path / "m.keras")


REFUSED = {
    "ends": (lambda own: own.update(value_range=[-4, 7]), r"its activation quantiser cuts values at -4 and 7"),
    "no ends": (lambda own: own.update(value_range="all"), r".*no whole numbers for its 'value_range'"),
    "epsilon": (lambda own: own.update(epsilon=0.1), r".*adds an epsilon of 0\.1"),
    "no number": (lambda own: own.update(epsilon=None), r".*adds an epsilon of None"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_quantisers_that_are_not_understood_are_refused_by_name(name, tmp_path):
    change, message = REFUSED[name]

    def edit(config):
        if "quantization_config" in config:
            change(config["quantization_config"]["config"]["activation_quantizer"]["config"])

    source = edited(network(keras.layers.Dense(5, name="fc")), edit, tmp_path)
    with pytest.raises(UnsupportedError, match=rf"fc \(Dense\): its weights are quantised \('int8'\), and {message}"):
        nn2hls.load(source)


def test_other_quantisers_and_other_floats_are_refused_by_name(tmp_path):
    def another(config):
        if "quantization_config" in config:
            config["quantization_config"]["config"]["activation_quantizer"]["class_name"] = "Mine"

    source = edited(network(keras.layers.Dense(5, name="fc")), another, tmp_path)
    with pytest.raises(UnsupportedError, match=r"fc \(Dense\).*its activation quantiser 'Mine' is not keras\.quantizers"):
        nn2hls.load(source)
    model = network(keras.layers.Dense(5, dtype="mixed_bfloat16", name="fc"))
    with pytest.raises(UnsupportedError, match=r"fc \(Dense\).*its scales are those of values in 'mixed_bfloat16'"):
        nn2hls.load(model)


def test_a_layer_that_keras_calls_without_its_scales_is_refused_by_name():
    with pytest.raises(UnsupportedError, match=r"fc \(TimeDistributed\): Keras calls its quantised Dense without the scales"):
        nn2hls.load(network(keras.layers.TimeDistributed(keras.layers.Dense(5), name="fc")))


def test_the_tagger_keeps_its_accuracy():
    folder = ROOT / "examples" / "jet_tagging"
    model = keras.models.load_model(folder / "jet_tagger.keras")
    model.quantize("int8")
    x, labels = (np.load(folder / f"jets_test{end}.npy", allow_pickle=False) for end in ("", "_labels"))
    design = nn2hls.convert(nn2hls.load(model))
    want, float_, fixed = (a.argmax(axis=1) for a in (answers(model, x), design.predict_float(x), design.predict(x)))
    right = [np.mean(found == labels) for found in (want, float_, fixed)]
    assert max(right) - min(right) <= 0.003
    assert np.mean(float_ == want) > 0.999
    assert np.mean(fixed == want) > 0.99
