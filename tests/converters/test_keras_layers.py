"""Every layer, activation and operation that is read computes what Keras computes; all others are refused by name."""

import numpy as np
import pytest

from nn2hls.converters.keras import convert, load_file, load_live
from nn2hls.converters.keras import live as keras_live
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.ops import Clip, HardSigmoid, LeakyRelu, Relu, Reshape, Scale
from tests.kit.keras_layers import OPERATIONS, WITH_WEIGHTS
from tests.kit.keras_zoo import agrees, randomise

keras = pytest.importorskip("keras")
L = keras.layers
ops = keras.ops

ACTIVATIONS = [
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish", "hard_silu", "hard_swish", "sigmoid",
    "hard_sigmoid", "sparse_sigmoid", "tanh", "hard_tanh", "softplus", "softsign", "exponential", "mish", "log_softmax",
    "softmax", "log_sigmoid", "tanh_shrink", "hard_shrink", "soft_shrink", "squareplus", "linear",
]  # fmt: skip
REFUSED = ["sparse_plus", "sparsemax", "threshold"]
LAYERS = {
    "relu max": lambda x: L.ReLU(max_value=1.5)(x),
    "relu slope": lambda x: L.ReLU(negative_slope=0.3)(x),
    "relu slope max": lambda x: L.ReLU(max_value=1.0, negative_slope=0.3)(x),
    "relu threshold": lambda x: L.ReLU(threshold=0.7)(x),
    "relu threshold max": lambda x: L.ReLU(threshold=0.7, max_value=2)(x),
    "leaky default": lambda x: L.LeakyReLU()(x),
    "prelu": lambda x: L.PReLU()(x),
    "prelu shared": lambda x: L.PReLU(shared_axes=[2])(x),
    "elu": lambda x: L.ELU(alpha=0.4)(x),
    "softmax 1": lambda x: L.Softmax(axis=1)(x),
    "softmax list": lambda x: L.Softmax(axis=[-2])(x),
    "bn axis 1": lambda x: L.BatchNormalization(axis=1)(x),
    "bn no scale": lambda x: L.BatchNormalization(scale=False)(x),
    "bn no center": lambda x: L.BatchNormalization(center=False, epsilon=0.1)(x),
    "bn bare": lambda x: L.BatchNormalization(scale=False, center=False)(x),
    "subtract": lambda x: L.Subtract()([x, L.ReLU()(x)]),
    "multiply": lambda x: L.Multiply()([x, L.ReLU()(x), x]),
    "average": lambda x: L.Average()([x, L.ReLU()(x), x]),
    "maximum": lambda x: L.Maximum()([x, L.ELU()(x), L.ReLU()(x)]),
    "minimum": lambda x: L.Minimum()([x, L.ReLU()(x)]),
    "add ranks": lambda x: L.Add()([x, L.Dense(4)(L.Flatten()(x))]),
    "concatenate": lambda x: L.Concatenate(axis=1)([x, L.ReLU()(x)]),
    "concatenate last": lambda x: L.Concatenate()([x, L.ReLU()(x)]),
    "permute": lambda x: L.Permute((2, 1))(x),
    "reshape": lambda x: L.Reshape((2, -1, 3))(x),
    "flatten": lambda x: L.Flatten()(x),
    "flatten first": lambda x: L.Flatten(data_format="channels_first")(x),
    "rescaling": lambda x: L.Rescaling(0.25, offset=-1)(x),
    "rescaling list": lambda x: L.Rescaling([1.0, 2, 3, 4], offset=[0.5, 0, 0, 1])(x),
    "normalization": lambda x: L.Normalization()(x),
    "normalization axis": lambda x: L.Normalization(axis=1)(x),
    "normalization axes": lambda x: L.Normalization(axis=(1, 2))(x),
    "normalization none": lambda x: L.Normalization(axis=None)(x),
    "normalization given": lambda x: L.Normalization(mean=[1, 2, 3, 4], variance=[4, 1, 2, 0.5])(x),
    "normalization invert": lambda x: L.Normalization(mean=3.0, variance=4.0, axis=None, invert=True)(x),
    "identity": lambda x: L.Dense(2)(L.Identity()(L.ActivityRegularization()(L.SpatialDropout1D(0.2)(x)))),
    "dense rank 3": lambda x: L.Dense(5, activation="softmax")(x),
    "layer activation": lambda x: L.Dense(5, activation=L.LeakyReLU(negative_slope=0.05))(x),
    "relu activation": lambda x: L.Dense(5, activation=L.ReLU(max_value=1.0, negative_slope=0.1))(x),
}
UNSUPPORTED = {
    "bilinear": (lambda x: L.UpSampling2D(2, interpolation="lanczos3")(L.Reshape((3, 4, 1))(x)), "'interpolation'"),
    "cell": (lambda x: L.GRUCell(4)(x[:, 0], [x[:, 1]])[0], "GRUCell is not offered: a cell stands in a layer .* into an RNN"),
    "time": (lambda x: L.TimeDistributed(L.Masking())(x), "Masking"),
    "lambda": (lambda x: L.Lambda(lambda y: y * 2)(x), "Lambda.*Python code, which is never run"),
    "round": (lambda x: ops.round(x), "Round is not offered yet; it comes later"),
    "mean": (lambda x: ops.mean(x), "it works along all axes, the batch among them"),
    "slice": (lambda x: x[1:, :2], "its key cuts the batch axis"),
    "pow": (lambda x: x**5, "powers of 5 are not offered; -1, -0.5, 0.5, 1, 2 and 3 are"),
    "relu": (lambda x: L.ReLU(negative_slope=0.1, threshold=1.0)(x), "'threshold' together with 'negative_slope'"),
    "axes": (lambda x: ops.softmax(x, axis=None), "it works along all axes, the batch among them"),
    "training": (lambda x: L.BatchNormalization()(x, training=True), "called with training"),
    "ranks": (lambda x: ops.add(ops.reshape(x, (-1, 1, 3, 4)), x), "differ in rank"),
}  # fmt: skip


def build(make, shape=(3, 4)):
    x = keras.Input(shape, name="x")
    return randomise(keras.Model(x, make(x)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    model = build(lambda x: L.Dense(5, activation=name, name="d")(x), (4,))
    graph = load_live(model)
    agrees(graph, model)
    as_layer = load_live(build(lambda x: L.Activation(name)(L.Dense(5, name="d")(x)), (4,)))
    assert as_layer.text(names=False) == graph.text(names=False)
    last, word = graph[graph.outputs[0]], name.replace("swish", "silu")  # Keras saves swish as silu
    assert (last.name, last.origin.layer, last.origin.kind) == ("d" if name == "linear" else f"d_{word}", "d", "Dense")
    assert last.origin.is_result


@pytest.mark.parametrize("name", REFUSED)
def test_refused_activation(name):
    x = keras.Input((4,))
    function = keras.activations.get(name)
    config = keras.Sequential([x, L.Dense(4)])
    config.layers[0].activation = function
    with pytest.raises(UnsupportedError, match=f"activation {name} is not offered"):
        load_live(config)


@pytest.mark.parametrize("name", [*LAYERS, *WITH_WEIGHTS, *OPERATIONS])
def test_layer_or_operation(name, tmp_path):
    model = build({**LAYERS, **WITH_WEIGHTS, **OPERATIONS}[name])
    graph = load_live(model)
    agrees(graph, model)
    model.save(tmp_path / "m.keras")
    assert load_file(tmp_path / "m.keras").text() == graph.text()
    keras.saving.save_model(model, tmp_path / "m.h5")
    assert load_file(tmp_path / "m.h5").text() == graph.text()


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported(name):
    make, message = UNSUPPORTED[name]
    with pytest.raises(UnsupportedError, match=message):
        load_live(build(make))


def test_lowering_is_canonical():
    """No node for what does nothing, relu in one form, operators as Scale."""
    graph = load_live(build(lambda x: L.Flatten()(L.Reshape((-1,))(L.Dropout(0.1)(L.Activation("linear")(x)))), (4,)))
    assert [n.name for n in graph] == ["x"] == list(graph.outputs)
    forms = [L.ReLU(), L.Activation("relu"), lambda x: ops.maximum(x, 0), L.LeakyReLU(negative_slope=0.0), ops.relu]
    assert {type(load_live(build(f)).nodes[-1].op) for f in forms} == {Relu}
    assert [type(n.op) for n in load_live(build(lambda x: x * 2 + 1)).nodes[1:]] == [Scale, Scale]
    assert [type(n.op) for n in load_live(build(L.Flatten())).nodes[1:]] == [Reshape]
    relu6 = [n.op for n in load_live(build(lambda x: ops.relu6(x))).nodes[1:]]
    assert [(type(op), op.low, op.high) for op in relu6] == [(Clip, 0, 6)]


def test_numbers_read_as_meant():
    """0.3 stays 0.3, also where Keras 2 rounded it to float32."""
    for alpha in (0.3, float(np.float32(0.3))):
        graph = load_live(build(L.LeakyReLU(negative_slope=alpha)))
        assert graph.nodes[-1].op.slope.array == 0.3
    assert isinstance(graph.nodes[-1].op, LeakyRelu)


def test_names():
    """Shared layers, equal names in inner models, names that look like derived ones."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    d = L.Dense(4, activation="relu", name="d")
    one = keras.Sequential([keras.Input((4,)), L.Dense(4, name="d"), L.Dense(4, name="only")], name="one")
    y = L.Add(name="d_relu")([d(a), d(b)])
    model = randomise(keras.Model([b, a], L.Dense(2, name="d_2")(one(y))))
    graph = load_live(model)
    agrees(graph, model)
    layers = [(n.name, n.origin.layer) for n in graph]
    assert layers[:2] == [("b", "b"), ("a", "a")]
    assert sorted(layers[2:]) == sorted(
        [("d", "d"), ("d_relu_2", "d"), ("d_3", "d"), ("d_3_relu", "d"), ("one/d", "one/d")]
        + [(name, name) for name in ("d_relu", "only", "d_2")]
    )


def test_all_unsupported_layers_at_once():
    inner = keras.Sequential([keras.Input((3, 4)), L.Masking(name="r")], name="in")
    model = build(lambda x: L.Dense(2, activation="sparsemax", name="z")(L.Lambda(lambda y: y, name="c")(inner(x))))
    with pytest.raises(UnsupportedError) as error:
        load_live(model)
    lines = str(error.value).splitlines()
    assert lines[0].endswith("3 of its layers cannot be converted:")
    assert [line.split(":")[0] for line in lines[1:]] == ["  in/r (Masking)", "  c (Lambda)", "  z (Dense)"]


def test_code_of_the_users_own_is_refused(tmp_path):
    @keras.saving.register_keras_serializable(package="mine")
    class Dense(L.Dense):
        """Same name as Keras' own, another function."""

    class Odd(L.Layer):
        def call(self, x):
            return x

    model = build(lambda x: Odd(name="odd")(Dense(4, activation=lambda y: y, name="mine")(x)))
    model.save(tmp_path / "m.keras")
    for load in (lambda: load_live(model), lambda: load_file(tmp_path / "m.keras")):
        with pytest.raises(
            UnsupportedError, match=r"mine \(Dense\): a class of your own \('mine>Dense'\)[^\n]*\n  odd \(Odd\)"
        ):
            load()
    with pytest.raises(UnsupportedError, match="lambda, and Python code in a file is never run"):
        load_live(build(L.Dense(4, activation=lambda y: y)))


def swish(v):
    return 1.787 * (v * ops.sigmoid(v) - 0.207)


class ReLU(L.Layer):
    def call(self, x):
        return 2 * x


class Subclass(L.BatchNormalization):
    def call(self, x):
        return super().call(x) + 1


BORROWED = type("Add", (L.Layer,), {"call": lambda self, x: 3 * x, "__module__": "keras.layers"})


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: L.Dense(4, activation=swish, name="mine"), r"mine \(Dense\): activation '.*swish' is not one of Keras"),
        (lambda: L.Activation(swish, name="mine"), r"mine \(Activation\): activation '.*swish' is not one of Keras"),
        (lambda: ReLU(name="mine"), r"mine \(ReLU\): a class of your own"),
        (lambda: Subclass(name="mine"), r"mine \(Subclass\): a class of your own"),
        (lambda: BORROWED(name="mine"), r"mine \(Add\): a class of your own"),
        (lambda: L.Dense(4, activation=ReLU(), name="mine"), r"mine \(Dense\): activation .* is not one of Keras"),
    ],
)
@pytest.mark.parametrize("inner", [False, True])
def test_a_class_or_function_of_ones_own_with_the_name_of_keras_own(tmp_path, make, match, inner):
    layers = [keras.Input((4,)), make(), L.Dense(3, activation="swish")]
    model = keras.Sequential([keras.Input((4,)), keras.Sequential(layers, name="in")] if inner else layers)
    model.save(tmp_path / "m.keras")
    for load in (lambda: load_live(model), lambda: load_file(tmp_path / "m.keras")):
        with pytest.raises(UnsupportedError, match=match):
            load()


def test_a_model_that_is_called_otherwise_than_it_is_wired():
    class Doubled(keras.Model):
        def call(self, *args, **kwargs):
            return 2 * super().call(*args, **kwargs)

    class Trained(keras.Model):
        def train_step(self, data):
            return {}

    x = keras.Input((4,))
    y = L.Dense(3)(x)
    agrees(load_live(Trained(x, y)), Trained(x, y))
    with pytest.raises(UnsupportedError, match=r"Doubled has a call of its own"):
        load_live(Doubled(x, y))
    with pytest.raises(UnsupportedError, match=r"Doubled has a call of its own"):
        load_live(keras.Sequential([keras.Input((4,)), Doubled(x, y)]))


def test_subclassed_and_unbuilt_models():
    class Sub(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ModelError, match=r"Sub does not say how its layers are wired\. Rebuild it as"):
        load_live(Sub())
    with pytest.raises(ModelError, match="no weights yet"):
        load_live(keras.Sequential([L.Dense(3)]))
    built = keras.Sequential([L.Dense(3)])
    built.build((None, 4))
    agrees(load_live(built), built)
    with pytest.raises(ModelError, match="not fixed"):
        load_live(build(L.Dense(3), (None, 4)))
    with pytest.raises(ModelError, match=r"keras\.src\.ops\.nn\.gelu"):
        load_live(build(L.Dense(3, activation=ops.gelu)))


def test_hard_sigmoid_of_keras_3():
    op = load_live(build(L.Activation("hard_sigmoid"))).nodes[-1].op
    assert isinstance(op, HardSigmoid)
    assert (op.slope, op.offset) == (1 / 6, 0.5)


def test_flatten_channels_first_of_a_picture():
    model = build(L.Flatten(data_format="channels_first"), (2, 3, 4))
    agrees(load_live(model), model)


def test_defaults_stand_in_for_absent_arguments():
    for layer in (L.LeakyReLU(), L.ELU(), L.Softmax(), L.ReLU(), L.BatchNormalization(), L.Concatenate(), L.Rescaling(2.0)):
        model = build(lambda x, layer=layer: layer([x, x]) if isinstance(layer, L.Concatenate) else layer(x))
        config = {"name": layer.name, "trainable": True}
        given = keras_live.read(model)
        (spec,) = (s for s in given.config["config"]["layers"] if s["name"] == layer.name)
        spec["config"] = config | ({"scale": 2.0} if isinstance(layer, L.Rescaling) else {})
        assert convert(given.config, given.weights, 3, "").text() == load_live(model).text()
