"""Constants of more than 64 bits, which no literal of C++ holds: compiled C++ == emulator."""

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Clip, Constant, Dense, Elementwise, HardSigmoid, HardSwish, Input, LeakyRelu, Merge, Scale, Threshold
from tests.kit.networks import hls_config

WIDE = "ap_fixed<100,10>"
FULL = "ap_fixed<100,1>"  # 5.3 saturates to 2**99 - 1, whose every bit is one
RNG = np.random.default_rng(0)
FACTORS = Const(RNG.normal(size=3))

OPS = {
    "clip": (Clip(-1.3, 5.3), {"bound": WIDE}),
    "clip, saturated": (Clip(-5.3, 5.3), {"bound": FULL}),
    "threshold": (Threshold(0.3, -5.3), {"bound": FULL}),
    "hard_sigmoid": (HardSigmoid(1 / 6, 0.5), {"slope": WIDE, "shift": "ap_ufixed<90,0>"}),
    "hard_swish": (HardSwish(1 / 6, 5.3), {"slope": "ap_ufixed<70,0>", "shift": FULL}),
    "leaky_relu": (LeakyRelu(FACTORS), {"slope": WIDE}),
    "scale": (Scale(FACTORS, Const(RNG.normal(size=3))), {"scale": WIDE, "bias": FULL}),
    "scale by one": (Scale(Const(np.array(5.3)), Const(np.zeros(1))), {"scale": FULL}),
    "dense": (Dense(Const(RNG.normal(size=(3, 2))), Const(RNG.normal(size=2))), {"weight": WIDE, "bias": FULL}),
    "dense, narrowed": (Dense(Const(RNG.normal(size=(3, 2))), Const(RNG.normal(size=2))), {"weight": WIDE, "accum": WIDE}),
    "average": (Elementwise(Merge.AVERAGE), {"factor": "ap_ufixed<80,-1>"}),
    "constant": (Elementwise(Merge.ADD), {}),
}


@pytest.mark.parametrize("name", OPS)
def test_the_compiled_code_agrees(name):
    op, types = OPS[name]
    b = Builder()
    x = b.add("x", Input((3,)))
    c = b.add("c", Constant(Const(np.array([5.3]))))
    operands = {"average": [x, x, c], "constant": [x, c]}.get(name, [x])
    y = b.add("y", op, operands)
    types = {"x": {"result": "ap_fixed<12,4>"}, "c": {"result": FULL}, "y": types | {"result": "ap_fixed<60,20>"}}
    design = convert(b.build([y]), hls_config(**{layer: {"Precision": own} for layer, own in types.items()}))
    verdict = design.verify()
    assert verdict.equal, verdict.text()
    assert np.unique(design.predict(np.linspace(-8, 7, 60).reshape(-1, 3))).size > 3
