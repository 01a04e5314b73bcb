"""How long reading and converting a quantised network takes: a MobileNet-like one with 152 Quant nodes of QONNX.

python -m benchmarks.quant_nodes
"""

from __future__ import annotations

import time
import warnings

import numpy as np

BLOCKS, SIZE, DOMAIN = 37, 32, "qonnx.custom_op.general"


class Network:
    """Nodes and constants of a model as they are added, random weights of 4 bits."""

    def __init__(self):
        self.nodes, self.constants, self.rng = [], [], np.random.default_rng(0)

    def constant(self, name, values):
        """An initialiser."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def add(self, op, operands, name, **attributes):
        """A node with one result of its name."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, operands, [name], name=name, **attributes))
        return name

    def quant(self, x, name, bits, signed, scale):
        """A Quant."""
        extra = [self.constant(f"{name}_{k}", v) for k, v in enumerate((scale, 0.0, bits))]
        return self.add("Quant", [x, *extra], name, domain=DOMAIN, signed=signed, narrow=0)

    def conv(self, x, name, n_in, n_out, size, groups, stride):
        """A convolution with BatchNormalization, ReLU and a Quant of 4 bits."""
        weights = self.rng.normal(size=(n_out, n_in // groups, size, size)) / np.sqrt(n_in // groups * size * size)
        kernel = self.quant(self.constant(f"{name}_w", weights), f"{name}_wq", 4, 1, 0.125)
        form = {"strides": [stride] * 2, "pads": [size // 2] * 4, "kernel_shape": [size] * 2}
        y = self.add("Conv", [x, kernel], name, group=groups, **form)
        numbers = (self.rng.uniform(0.5, 1.5, n_out), *self.rng.normal(size=(2, n_out)), self.rng.uniform(0.5, 2, n_out))
        y = self.add("BatchNormalization", [y, *(self.constant(f"{name}_n{k}", v) for k, v in enumerate(numbers))], f"{name}_n")
        return self.quant(self.add("Relu", [y], f"{name}_r"), f"{name}_q", 4, 0, 0.25)


def model():
    """Depthwise and pointwise convolutions in turn, on images of 32 x 32."""
    from onnx import TensorProto, helper

    made, channels = Network(), 8
    x = made.conv(made.quant("x", "xq", 8, 1, 1 / 64), "c0", 3, channels, 3, 1, 2)
    for k in range(BLOCKS):
        stride = 2 if k % 9 == 4 else 1
        wider = channels * 2 if stride == 2 and channels < 64 else channels
        x = made.conv(x, f"d{k}", channels, channels, 3, channels, stride)
        x, channels = made.conv(x, f"p{k}", channels, wider, 1, 1, 1), wider
    flat = made.add("Flatten", [made.add("GlobalAveragePool", [x], "g")], "f")
    last = made.quant(made.constant("w", made.rng.normal(size=(10, channels))), "wq", 4, 1, 0.125)
    made.add("Gemm", [flat, last], "y", transB=1)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", ["N", 3, SIZE, SIZE]), ("y", ["N", 10]))]
    graph = helper.make_graph(made.nodes, "g", ends[:1], ends[1:], made.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)], ir_version=8)


def main():
    """Print seconds of the processor and of the clock."""
    import nn2hls

    made = model()
    warnings.simplefilter("ignore")
    start = time.process_time(), time.time()
    graph = nn2hls.load(made)
    read = time.process_time() - start[0]
    nn2hls.convert(graph)
    count = sum(n.op_type == "Quant" for n in made.graph.node)
    print(f"{count} Quant nodes: read in {read:.2f} s, all in {time.process_time() - start[0]:.2f} s of CPU time, ", end="")
    print(f"{time.time() - start[1]:.2f} s by the clock")


if __name__ == "__main__":
    main()
