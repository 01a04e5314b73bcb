"""Recurrent layers of the three frameworks: their options against the frameworks' own answers, and what is refused."""

import warnings

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import UnsupportedError
from tests.kit import lowering_recurrent, onnx_tools
from tests.kit.keras_zoo import evaluate
from tests.kit.lowering_recurrent import ORDER, in_onnx, onnx_case, weights
from tests.kit.lowerings import keras_graph, node, onnx_graph, torch_graph

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
L = keras.layers
EVENTS, SHAPE = 6, (4, 3)


def x():
    return np.random.default_rng(2).normal(size=(EVENTS, *SHAPE)).astype(np.float32)


def built(make, shape=SHAPE):
    """A Keras model with drawn weights."""
    rng = np.random.default_rng(1)
    inputs = keras.Input(shape, name="x")
    model = keras.Model(inputs, make(inputs))
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.6, weight.shape))
    return model


def listed(found):
    return list(found) if isinstance(found, (list, tuple)) else [found]


def same(graph, values, wanted):
    found = evaluate(graph, [values])
    for got, want in zip(found, listed(wanted), strict=True):
        np.testing.assert_allclose(got, np.asarray(want), rtol=1e-5, atol=1e-5)


KERAS = {
    "last": lambda i: L.LSTM(4)(i),
    "sequence": lambda i: L.LSTM(4, return_sequences=True)(i),
    "states": lambda i: L.LSTM(4, return_sequences=True, return_state=True)(i),
    "backwards": lambda i: L.GRU(4, go_backwards=True, return_sequences=True, return_state=True)(i),
    "backwards last": lambda i: L.SimpleRNN(4, go_backwards=True)(i),
    "reset before": lambda i: L.GRU(4, reset_after=False)(i),
    "no bias": lambda i: L.GRU(4, use_bias=False)(i),
    "activations": lambda i: L.LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", unroll=True)(i),
    "linear": lambda i: L.SimpleRNN(4, activation="linear")(i),
    "stacked": lambda i: L.GRU(2)(L.LSTM(3, return_sequences=True)(i)),
    "given states": lambda i: L.LSTM(3)(i, initial_state=[L.Dense(3)(i[:, 0]), L.Dense(3)(i[:, 1])]),
    "given state of both": lambda i: L.Bidirectional(L.GRU(3))(i, initial_state=[L.Dense(3)(i[:, 0]), L.Dense(3)(i[:, 1])]),
    "states of both": lambda i: L.Bidirectional(L.LSTM(3, return_state=True))(i),
    "own backward": lambda i: L.Bidirectional(L.GRU(3), backward_layer=L.GRU(3, go_backwards=True, reset_after=False))(i),
    "cell": lambda i: L.RNN(L.LSTMCell(2))(i),
    "cell, backwards": lambda i: L.RNN(
        L.GRUCell(2, reset_after=False, activation="relu"), go_backwards=True, return_sequences=True
    )(i),
    "cells": lambda i: L.RNN(L.StackedRNNCells([L.SimpleRNNCell(2), L.GRUCell(3)]), return_sequences=True)(i),
    "cells of a class": lambda i: L.RNN([L.LSTMCell(2), L.LSTMCell(3, use_bias=False), L.GRUCell(2)])(i),
    "states of cells": lambda i: L.RNN([L.SimpleRNNCell(2), L.SimpleRNNCell(3)], return_state=True)(i),
    "cells of both": lambda i: L.Bidirectional(L.RNN([L.GRUCell(2), L.LSTMCell(2)], return_sequences=True))(i),
    "convolution": lambda i: L.ConvLSTM1D(2, 2)(L.Reshape((2, 3, 2))(i)),
    "convolution, strides": lambda i: L.ConvLSTM1D(2, 3, padding="same", strides=2, go_backwards=True, return_sequences=True)(
        L.Reshape((2, 3, 2))(i)
    ),
    "convolution of images": lambda i: L.ConvLSTM2D(
        2, (2, 1), padding="same", return_sequences=True, return_state=True, use_bias=False
    )(L.Reshape((2, 2, 3, 1))(i)),
    "convolution of both": lambda i: L.Bidirectional(L.ConvLSTM2D(1, 2, recurrent_activation="hard_sigmoid"))(
        L.Reshape((2, 2, 3, 1))(i)
    ),
    "time": lambda i: L.TimeDistributed(L.LSTM(2))(L.Reshape((2, 2, 3))(i)),
    **{
        f"{mode} {whole}": lambda i, mode=mode, whole=whole: L.Bidirectional(
            L.LSTM(3, return_sequences=whole), merge_mode=mode
        )(i)
        for mode in ("concat", "sum", "ave", "mul", None)
        for whole in (False, True)
    },
}


@pytest.mark.parametrize("name", KERAS)
def test_keras_live_and_from_its_files(name, tmp_path):
    model = built(KERAS[name])
    want = model(x())
    same(nn2hls.load(model), x(), want)
    for file in ("m.keras", "m.h5"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(tmp_path / file)
        same(nn2hls.load(tmp_path / file), x(), want)


class Layers(torch.nn.Module):
    """A recurrent module, with the batch behind time inside where ``first`` is off; all its results."""

    def __init__(self, inner, first=True):
        super().__init__()
        self.inner, self.first = inner, first

    def forward(self, values):
        y, states = self.inner(values if self.first else values.transpose(0, 1))
        states = states if isinstance(states, tuple) else (states,)
        return (y if self.first else y.transpose(0, 1), *[s.transpose(0, 1) for s in states])


class ByHand(torch.nn.Module):
    """Cells over time in a loop, as users write it."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = torch.nn.LSTMCell(3, 2), torch.nn.GRUCell(3, 2), torch.nn.RNNCell(3, 2, nonlinearity="relu")

    def forward(self, values):
        state, b, c = None, None, None
        for t in range(values.shape[1]):
            state, b, c = self.a(values[:, t], state), self.b(values[:, t], b), self.c(values[:, t], c)
        return torch.cat([*state, b, c], dim=1)


class Equations(torch.nn.Module):
    """An LSTM as its equations, of linear layers; the first step multiplies a state of zeros."""

    def __init__(self):
        super().__init__()
        self.x, self.h, self.r = torch.nn.Linear(3, 8), torch.nn.Linear(2, 8), torch.nn.Parameter(torch.randn(2, 8))

    def forward(self, values):
        h = c = torch.zeros(values.shape[0], 2)
        before = torch.full((values.shape[0], 2), 0.5)
        for t in range(values.shape[1]):
            more = torch.addmm(self.h.bias, before, self.r, beta=0.5, alpha=2)
            i, f, g, o = (self.x(values[:, t]) + self.h(h) + more).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            before, h = h, torch.sigmoid(o) * torch.tanh(c)
        return h


class Given(torch.nn.Module):
    """States computed from the input."""

    def __init__(self):
        super().__init__()
        self.inner, self.h = torch.nn.LSTM(3, 4, batch_first=True), torch.nn.Linear(3, 4)

    def forward(self, values):
        state = torch.tanh(self.h(values[:, 0]))[None]
        return self.inner(values, (state, state))[0][:, -1]


TORCH = {
    "lstm": lambda: Layers(torch.nn.LSTM(3, 4, batch_first=True)),
    "layers in both directions": lambda: Layers(torch.nn.GRU(3, 2, 2, batch_first=True, bidirectional=True, dropout=0.3)),
    "projection": lambda: Layers(torch.nn.LSTM(3, 4, proj_size=2, bias=False), first=False),
    "relu": lambda: Layers(torch.nn.RNN(3, 4, nonlinearity="relu", batch_first=True)),
    "cells": ByHand,
    "equations": Equations,
    "given states": Given,
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("symbolic", [False, True])
def test_pytorch(name, symbolic, tmp_path):
    torch.manual_seed(0)
    module = TORCH[name]().eval()
    batch = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if symbolic else {}
    torch.export.save(torch.export.export(module, (torch.zeros(3, *SHAPE),), **batch), tmp_path / "m.pt2")
    with torch.no_grad():
        want = [y.numpy() for y in listed(module(torch.tensor(x())))]
    same(nn2hls.load(tmp_path / "m.pt2"), x(), want)


@pytest.mark.parametrize("kind", ORDER)
@pytest.mark.parametrize("both", [False, True])
def test_one_scan_from_all_frameworks(kind, both):
    cases = (("keras", keras_graph), ("torch", torch_graph), ("onnx", onnx_graph))
    three = lowering_recurrent.CASES[f"{kind} in both directions" if both else f"{kind} sequence"]
    made = {name: make(onnx_case(kind, both=both) if name == "onnx" else three)[1] for name, make in cases}
    scans = {
        name: [line.partition("[")[2] for line in g.needed().text(names=False).splitlines() if "Scan(" in line]
        for name, g in made.items()
    }
    assert len(scans["keras"]) == 1 + both
    assert scans["keras"] == scans["torch"] == scans["onnx"]


def onnx_model(kind, operands="turned w r b", layout=0, extra=None, **attributes):
    both = attributes.get("direction") == "bidirectional"
    _, constants = in_onnx(kind, both=both)
    steps = [node("Transpose", "x", "turned", perm=[1, 0, 2])] * (not layout)
    operands = operands if not layout else operands.replace("turned", "x")
    results, back = ("all hidden", [node("Transpose", "all", "y", perm=[2, 0, 1, 3])]) if not layout else ("y hidden", [])
    steps += [node(kind.removeprefix("Simple"), "", results, hidden_size=2, layout=layout, **attributes), *back]
    nodes = [onnx_tools.helper.make_node(op, ins or operands.split(" "), outs, **more) for op, ins, outs, more in steps]
    return onnx_tools.model(nodes, {"x": ["N", *SHAPE]}, {**constants, **(extra or {})}, opset=20, ir_version=8)


ONNX = {
    "reverse": ("LSTM", {"direction": "reverse"}),
    "layout": ("GRU", {"layout": 1}),
    "before": ("GRU", {"linear_before_reset": 0}),
    "lengths": ("SimpleRNN", {"operands": "turned w r b n", "extra": {"n": np.array([4])}}),
    "given states": ("LSTM", {"operands": "turned w r b  h h", "extra": {"h": np.full((1, 1, 2), 0.3, np.float32)}}),
}


@pytest.mark.parametrize("name", ONNX)
def test_onnx(name):
    kind, options = ONNX[name]
    model = onnx_model(kind, **options)
    same(nn2hls.load(model), x(), onnx_tools.reference(model, {"x": x()})[:1])


def test_activations_of_onnx_by_hand():
    """The reference evaluator of the onnx package knows none but its own."""
    names = {"activations": ["HardSigmoid", "Relu"], "activation_alpha": [0.3], "activation_beta": [0.4]}
    graph = nn2hls.load(onnx_model("GRU", linear_before_reset=1, **names))
    (z, r, n), (uz, ur, un) = (np.split(weights("GRU", "onnx")[k], 3, axis=1) for k in (0, 1))
    first, second = (np.split(weights("GRU", "onnx")[k], 3) for k in (2, 3))
    h = np.zeros((EVENTS, 2))
    for t in range(SHAPE[0]):
        v = x()[:, t]
        update, reset = (
            np.clip(0.3 * (v @ w + h @ u + first[k] + second[k]) + 0.4, 0, 1) for k, (w, u) in enumerate(((z, uz), (r, ur)))
        )
        new = np.maximum(v @ n + first[2] + reset * (h @ un + second[2]), 0)
        h = update * h + (1 - update) * new
    (got,) = evaluate(graph, [x()])
    np.testing.assert_allclose(got[:, -1, 0], h, rtol=1e-5, atol=1e-5)


STATEFUL = {
    "lstm": lambda i: L.LSTM(3, stateful=True)(i),
    "gru, every state, backwards": lambda i: L.GRU(
        3, stateful=True, go_backwards=True, return_sequences=True, return_state=True
    )(i),
    "two layers and a sum": lambda i: L.SimpleRNN(2, stateful=True)(L.GRU(2, stateful=True, return_sequences=True)(i) + 0.5),
    "cells": lambda i: L.RNN([L.GRUCell(2, reset_after=False), L.LSTMCell(3)], stateful=True)(i),
    "convolution": lambda i: L.ConvLSTM1D(2, 2, stateful=True)(L.Reshape((2, 3, 2))(i)),
    "one of two": lambda i: L.LSTM(2)(L.LSTM(3, stateful=True, return_sequences=True)(i)),
    "given states": lambda i: L.LSTM(3, stateful=True)(i, initial_state=[L.Dense(3)(i[:, 0]), L.Dense(3)(i[:, 1])]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", STATEFUL)
def test_stateful_layers_over_batches_of_one(name, tmp_path):
    """Every batch begins with the states that the one before left, as in Keras."""
    rng, inputs = np.random.default_rng(1), keras.Input(batch_shape=(1, *SHAPE), name="x")
    model = keras.Model(inputs, STATEFUL[name](inputs))
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.6, weight.shape))
    model.save(tmp_path / "m.keras")
    want = [[np.asarray(y) for y in listed(model(x()[k : k + 1]))] for k in range(EVENTS)]
    design = nn2hls.convert(tmp_path / "m.keras", {"Model": {"MaxWidth": 20}})
    assert len(design.graph.states) == (0 if name == "given states" else len(design.graph.inputs) - 1)
    for k, got in enumerate(listed(design.predict_float(x()))):
        np.testing.assert_allclose(got, np.concatenate([w[k] for w in want]), rtol=1e-5, atol=1e-5)
    for fixed, exact in zip(listed(design.predict(x())), listed(design.predict_float(x())), strict=True):
        np.testing.assert_allclose(fixed, exact, atol=0.02)


@pytest.mark.filterwarnings("ignore")
def test_events_in_a_row_on_the_command_line(tmp_path, monkeypatch, capsys):
    """Data and labels say nothing of states; a core has the module that keeps them beside its own."""
    monkeypatch.chdir(tmp_path)
    inputs = keras.Input(batch_shape=(1, 2, 3), name="x")
    keras.Model(inputs, L.Dense(2, activation="softmax")(L.SimpleRNN(2, stateful=True)(inputs))).save("m.keras")
    values = np.random.default_rng(0).normal(size=(5, 2, 3))
    np.save("x.npy", values)
    np.save("y.npy", np.array([0, 1, 1, 0, 1]))
    model = "{Precision: auto, MaxWidth: 10, Calibration: x.npy}"
    (tmp_path / "c.yml").write_text(f"KerasModel: m.keras\nProjectName: s\nHLSConfig: {{Model: {model}}}\n", encoding="utf-8")
    assert main(["emulate", "c.yml", "--input", "x.npy", "-o", "a.npy"]) == 0
    np.testing.assert_array_equal(np.load("a.npy"), nn2hls.convert(None, "c.yml").predict(values))
    assert main(["compare", "c.yml", "--input", "x.npy", "--labels", "y.npy"]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert main(["export", "rtl", "c.yml", "-o", "core"]) == 0
    assert (tmp_path / "core" / "rtl" / "s_stateful.v").is_file()


def twice(layer, values):
    return layer(layer(values))


def own_tanh(values):
    return values


class Own(L.SimpleRNNCell):
    """A cell of the user's."""


REFUSED_KERAS = {
    "stateful, called twice": (
        lambda i: twice(L.LSTM(3, stateful=True, return_sequences=True), i),
        "it is stateful and called more",
    ),
    "stateful over time": (
        lambda i: L.TimeDistributed(keras.Sequential([keras.Input(batch_shape=(2, 2, 3)), L.GRU(2, stateful=True)]))(
            L.Reshape((2, 2, 3))(i)
        ),
        "it is stateful and called more than once",
    ),
    "cell of another class": (lambda i: L.RNN(Own(2))(i), "its cell is of the class Own; SimpleRNNCell, LSTMCell, GRUCell"),
    "function of a cell": (lambda i: L.RNN([L.GRUCell(2, activation=own_tanh)])(i), "functions of your own are not run"),
    "channels first": (
        lambda i: L.ConvLSTM1D(1, 2, data_format="channels_first")(L.Reshape((2, 2, 3))(i)),
        "'data_format' = channels_first is not offered for it; build it with channels last",
    ),
    "activation": (lambda i: L.LSTM(2, recurrent_activation="sparsemax")(i), "sparsemax"),
    "mask": (lambda i: L.LSTM(2)(L.Masking()(i)), "Masking is not offered: masks that depend on the data"),
}


@pytest.mark.parametrize("name", REFUSED_KERAS)
def test_what_keras_has_and_is_not_offered(name):
    make, said = REFUSED_KERAS[name]
    inputs = keras.Input(batch_shape=(2, *SHAPE), name="x")
    with pytest.raises(UnsupportedError, match=said):
        nn2hls.load(keras.Model(inputs, make(inputs)))


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("LSTM", {"clip": 1.0}, "'clip' bounds what goes into its activations"),
        ("LSTM", {"input_forget": 1}, "'input_forget' couples two gates"),
        ("LSTM", {"activations": ["Sigmoid", "Tanh", "ScaledTanh"]}, "its activation ScaledTanh is not offered"),
        ("LSTM", {"activations": ["Sigmoid"]}, "it names 1 activations and needs 3"),
        ("GRU", {"operands": "turned w r b n", "extra": {"n": np.array([3])}}, "sequence_lens differ from the 4 elements"),
        (
            "LSTM",
            {"operands": "turned w r b    p", "extra": {"p": np.ones((1, 6), np.float32)}},
            "its peepholes are not offered",
        ),
        ("SimpleRNN", {"direction": "sideways"}, "its direction 'sideways' is none"),
        (
            "SimpleRNN",
            {"operands": "turned w r b  h", "extra": {"h": np.zeros((2, 1, 2), np.float32)}},
            r"its initial state has the shape \(2, 1, 2\), and its directions are 1",
        ),
        (
            "SimpleRNN",
            {"operands": "turned w r b  turned"},
            r"its initial state has the shape \(4, 3\), and its directions are 1",
        ),
    ],
)
def test_what_onnx_has_and_is_not_offered(kind, options, said):
    with pytest.raises(UnsupportedError, match=said):
        nn2hls.load(onnx_model(kind, **options))


def test_functions_of_the_users_own():
    """A function that has the name of one of Keras' own."""

    def tanh(values):
        return values

    with pytest.raises(UnsupportedError, match="functions of your own are not run"):
        nn2hls.load(built(lambda i: L.LSTM(2, recurrent_activation=tanh)(i)))


def test_a_module_that_would_run_along_the_batch():
    with pytest.raises(UnsupportedError, match="batch_first=True"):
        nn2hls.load(torch.nn.GRU(3, 2).eval(), example=torch.zeros(2, *SHAPE))
