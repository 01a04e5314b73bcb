"""qonnx itself, where it is installed: networks of its operators with random weights, options and scales, powers of two."""

import numpy as np
import pytest

from tests.kit.answers import converted

onnx = pytest.importorskip("onnx")
DOMAIN = "qonnx.custom_op.general"
ROUNDINGS = ("ROUND", "FLOOR", "HALF_EVEN", "DOWN", "HALF_UP", "HALF_DOWN")
SHAPE, CHANNELS, EVENTS = (2, 6, 6), 4, 40


class Drawn:
    """Nodes and constants of a model with random weights and options.

    Args:
        seed: Of all of them.
    """

    def __init__(self, seed):
        self.rng, self.nodes, self.constants = np.random.default_rng(seed), [], []

    def constant(self, values):
        name = f"k{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def add(self, op, operands, domain=DOMAIN, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op, operands, [name], name=name, domain=domain, **attributes))
        return name

    def power(self, low, high, shape=()):
        return 2.0 ** self.rng.integers(low, high, shape)

    def quant(self, x, bits, scale, signed=1, rounding="ROUND"):
        narrow = int(self.rng.integers(0, 2))
        numbers = [self.constant(v) for v in (scale, 0.0, bits)]
        return self.add("Quant", [x, *numbers], signed=signed, narrow=narrow, rounding_mode=rounding)

    def kernel(self, *shape):
        """Weights with a scale for each output."""
        scale = self.power(-5, -2, (shape[0], *(1 for _ in shape[1:])))
        return self.quant(self.constant(self.rng.normal(0, 0.5, shape)), int(self.rng.integers(2, 6)), scale)

    def signs(self, *shape):
        weights = self.constant(self.rng.normal(size=shape))
        return self.add("BipolarQuant", [weights, self.constant(self.power(-3, 0))])

    def model(self, last, size):
        value = onnx.helper.make_tensor_value_info
        ends = value("x", onnx.TensorProto.FLOAT, [EVENTS, *SHAPE]), value(last, onnx.TensorProto.FLOAT, [EVENTS, *size])
        graph = onnx.helper.make_graph(self.nodes, "g", ends[:1], ends[1:], self.constants)
        opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(DOMAIN, 1)]
        return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def network(seed):
    """(model, events): convolutions, signs, thresholds and Trunc, the rounding of casts by turns."""
    made, rounding = Drawn(seed), ROUNDINGS[seed % len(ROUNDINGS)]
    x = made.quant("x", 8, 1 / 32)
    x = made.add("Conv", [x, made.kernel(CHANNELS, SHAPE[0], 3, 3)], "", pads=[1] * 4, kernel_shape=[3, 3])
    x = made.quant(made.add("Relu", [x], ""), int(made.rng.integers(3, 7)), made.power(-3, -1), 0, rounding)
    x = made.add("MaxPool", [x], "", kernel_shape=[2, 2], strides=[2, 2])
    x = made.add("Conv", [x, made.signs(CHANNELS, 1, 3, 3)], "", pads=[1] * 4, kernel_shape=[3, 3], group=CHANNELS)
    if seed % 2:
        rows = np.sort(made.rng.integers(-40, 40, (CHANNELS, 7)) / 8, axis=1)
        x = made.add("MultiThreshold", [x, made.constant(rows)], out_dtype="UINT3")
    else:
        x = made.quant(x, 8, made.power(-6, -4), 1, rounding)
        scale = onnx.numpy_helper.to_array(next(c for c in made.constants if c.name == made.nodes[-1].input[1]))
        x = made.add("Trunc", [x, *(made.constant(v) for v in (scale, 0.0, 8, 5))], rounding_mode="FLOOR")
    flat = made.add("Flatten", [x], "")
    y = made.add("Gemm", [flat, made.kernel(5, CHANNELS * 9)], "", transB=1)
    events = (np.round(made.rng.normal(size=(EVENTS, *SHAPE)) * 512) / 256).astype(np.float32)
    return made.model(made.quant(y, 9, made.power(-8, -5), 1, rounding), (5,)), events


@pytest.mark.long
@pytest.mark.parametrize("seed", range(len(ROUNDINGS)))
def test_networks_with_new_weights_answer_the_same(seed):
    pytest.importorskip("qonnx", reason="qonnx is not installed; its answers are recorded in tests/fixtures")
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model, x = network(seed)
    (want,) = execute_onnx(ModelWrapper(model).transform(InferShapes()), {"x": x}).values()
    assert len(np.unique(want)) > 10
    design = converted(model)
    assert np.array_equal(design.predict(x), want)
    assert np.array_equal(design.predict_float(x), want)
