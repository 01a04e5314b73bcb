"""A network whose weights can be written, of layers that use them at many places, and two sets of weights for it."""

import numpy as np

from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input, Move, Relu
from nn2hls.ops.places import patches

TYPES = {"weight": "ap_fixed<7,2>", "bias": "ap_fixed<9,3>", "result": "ap_fixed<12,5>"}
REUSE = {"depthwise": 3, "conv": 5, "each": 2}


def pairs(places, channels):
    """What a kernel of two places sees at each, channels last."""
    return Move.of(lambda index: patches(index, (2,), (1,), (1,)).reshape(places - 1, -1), (places, channels))


def placed_network(seed, zeros=0.0):
    """Of the shape (4, 2): a depthwise convolution of two filters for each channel over three places, one over two, and a
    Dense layer at each of the two places that are left, a matrix of zeros in its midst.
    """
    rng = np.random.default_rng(seed)

    def dense(n_in, n_out, grouped=None):
        op = Dense(Const(rng.uniform(-1.9, 1.9, (n_in, n_out))), Const(rng.uniform(-3, 3, n_out)), grouped=grouped)
        kept = op.seen & (rng.random((n_in, n_out)) >= zeros)
        return op.replace(weight=Const(np.where(kept, op.weight.array, 0)))

    b = Builder()
    x = b.add("x", Input((4, 2)))
    x = b.add("depthwise", dense(4, 4, (2, 1)), [b.add("seen", pairs(4, 2), [x])])
    x = b.add("conv", dense(8, 3), [b.add("further", pairs(3, 4), [b.add("relu", Relu(), [x])])])
    return b.build([b.add("each", dense(3, 2), [x])])


def placed_settings(**changed):
    """Settings for it."""
    layers = {
        name: {"Weights": "reloadable", "Strategy": "Resource", "ReuseFactor": reuse, "Precision": TYPES}
        for name, reuse in REUSE.items()
    }
    return {
        "Backend": "Verilog",
        "ProjectName": "net",
        "ClockPeriod": 20,
        "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>"}, "LayerName": layers},
    } | changed
