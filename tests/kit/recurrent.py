"""Small recurrent networks with seeded weights, built by the lowerings without any framework."""

import numpy as np

from nn2hls.converters.lower import activations, recurrent
from nn2hls.converters.lower.recurrent import Activation, Gate
from nn2hls.converters.lower.value import Site, Tensor
from nn2hls.converters.lower.window import Window
from nn2hls.graph.builder import Builder
from nn2hls.graph.graph import Origin
from nn2hls.ops import Input

KINDS = ("rnn", "lstm", "gru", "gru before")


class Place(Site):
    """Nodes of one layer."""

    def __init__(self, builder, layer):
        self.builder, self.layer = builder, layer

    def add(self, op, nodes, word):
        name = f"{self.layer}_{word}" if word else self.layer
        return self.builder.add(name, op, nodes, Origin(self.layer, "LSTM", not word))


def function(name):
    return Activation(name, lambda site, x: activations.function(site, x, name))


def cell(kind, rng, features, units, density=1.0):
    """A cell with drawn weights."""

    def gate(apart=False):
        arrays = [rng.normal(0, 0.7, shape) * (rng.random(shape) < density) for shape in ((features, units), (units, units))]
        return Gate(*arrays, rng.normal(0, 0.3, units), rng.normal(0, 0.3, units) if apart else None)

    sigmoid, tanh = function("sigmoid"), function("tanh")
    if kind == "rnn":
        return recurrent.rnn_cell(gate(), tanh)
    if kind == "lstm":
        return recurrent.lstm_cell({k: gate() for k in ("input", "forget", "candidate", "output")}, sigmoid, tanh, tanh)
    after = kind == "gru"
    gates = {"update": gate(), "reset": gate(), "candidate": gate(after)}
    return recurrent.gru_cell(gates, sigmoid, tanh, reset_after=after)


def images(seed=0, shape=(3, 3, 4, 1), filters=2, whole=True):
    """A graph of a convolutional LSTM 'r' over images 'x' of (length, rows, columns, channels)."""
    builder, rng = Builder(), np.random.default_rng(seed)

    def gate():
        kernels = [rng.normal(0, 0.5, (2, 2, n, filters)) for n in (shape[-1], filters)]
        return Gate(*kernels, rng.normal(0, 0.3, filters))

    gates = {k: gate() for k in ("input", "forget", "candidate", "output")}
    window = Window((2, 2), (1, 1), (1, 1), ((0, 0), (0, 0)))
    made = recurrent.conv_lstm_cell(gates, function("sigmoid"), function("tanh"), shape[1:3], window, (1, 1))
    x = Tensor(builder.add("x", Input(shape), (), Origin("x", "Input")), shape)
    site = Place(builder, "r")
    run = recurrent.recurrence(site, x, made)
    y = run.sequence(site) if whole else run.last(site)
    return builder.build([y.node])


def network(kind, seed=0, shape=(3, 2), units=2, reverse=False, whole=True, density=1.0, initial=()):
    """A graph of one layer 'r' over an input 'x'; its last state alone where not ``whole``."""
    builder, rng = Builder(), np.random.default_rng(seed)
    x = Tensor(builder.add("x", Input(shape), (), Origin("x", "Input")), shape)
    site = Place(builder, "r")
    run = recurrent.recurrence(site, x, cell(kind, rng, shape[1], units, density), initial, reverse=reverse)
    y = run.sequence(site) if whole else run.last(site)
    return builder.build([y.node])
