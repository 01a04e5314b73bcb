"""Ops that several tests draw from: activations with their slow evaluation, and shapes that broadcast."""

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.graph.const import Const, Marks, Places
from nn2hls.ops import Clip, HardSigmoid, HardSwish, LeakyRelu, Quantize, Relu, Simple, Steps, Threshold, Unary
from tests.slow import activation as slow

ROWS = Marks(np.array([[-0.6, 0.7], [-1.1, -1.1], [0.0, 0.0]]))
LEVELS = Const(np.array([[-1, 0.3, 1], [0.5, -0.25, 2], [3, 3, -2]]))
OPS = {
    "relu": (Relu(), slow.relu),
    "relu6": (Clip(0.0, 6.0), slow.clip),
    "hard_tanh": (Clip(-1.0, 1.0), slow.clip),
    "clip": (Clip(-np.inf, 0.3), slow.clip),
    "clip_low": (Clip(-0.7, 1e30), slow.clip),
    "hard_sigmoid": (HardSigmoid(1 / 6, 0.5), slow.hard_sigmoid),
    "hard_sigmoid_2": (HardSigmoid(0.2, 0.5), slow.hard_sigmoid),
    "hard_sigmoid_down": (HardSigmoid(-0.3, 0.1), slow.hard_sigmoid),
    "hard_swish": (HardSwish(1 / 6, 0.5), slow.hard_swish),
    "hard_swish_down": (HardSwish(-0.4, 0.25), slow.hard_swish),
    "abs": (Unary(Simple.ABS), slow.unary),
    "neg": (Unary(Simple.NEG), slow.unary),
    "square": (Unary(Simple.SQUARE), slow.unary),
    "sign": (Unary(Simple.SIGN), slow.unary),
    "threshold": (Threshold(0.4), slow.threshold),
    "threshold_value": (Threshold(-1.3, 20.0), slow.threshold),
    "threshold_far": (Threshold(1e9, -0.1), slow.threshold),
    "quantize": (Quantize(FixedType(4, 1, True, Rounding.RND_CONV, Overflow.SAT_SYM)), slow.quantize),
    "quantize_up": (Quantize(FixedType(6, 0, False, Rounding.RND_INF, Overflow.SAT)), slow.quantize),
    "quantize_wrap": (Quantize(FixedType(5, 2, True, Rounding.TRN_ZERO, Overflow.WRAP)), slow.quantize),
    "binary": (Steps.of((0.0,), (-1.0, 1.0)), slow.steps),
    "ternary": (Steps.of((-0.33, 0.33), (-1.0, 0.0, 1.0)), slow.steps),
    "steps": (Steps.of((-1.5, -0.3, -0.3, 0.7, 2.1), (0.3, -0.5, 8.0, 0.25, 1.0, -2.0)), slow.steps),
    "steps_each": (Steps(ROWS, LEVELS, Places(np.array([1, 0, 2]))), slow.steps),
    "leaky": (LeakyRelu(Const(np.array(0.3))), slow.leaky_relu),
    "prelu": (LeakyRelu(Const(np.array([[0.25, -1.5, 3.0]]))), slow.leaky_relu),
}
SHAPES = [
    [(2, 3), (2, 3)],
    [(2, 3), (3,)],
    [(2, 1), (1, 3)],
    [(2, 3, 2), (3, 1)],
    [(2, 1, 2), (2, 3, 2)],
    [(2, 1, 2, 1), (1, 3, 1, 2)],
    [(), (4,)],
]
