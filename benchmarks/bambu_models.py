"""The small networks of the Bambu runs, from seeds, as ONNX files: `python -m benchmarks.bambu_models` writes them again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MODELS = Path(__file__).parent / "bambu" / "models"
# Every activation that is exact in fixed point, as ONNX nodes on one tensor: (op, attributes, constants).
EXACT = (
    ("Relu", {}, ()),
    ("LeakyRelu", {"alpha": 0.125}, ()),
    ("PRelu", {}, ("slopes",)),
    ("Clip", {}, (0.0, 6.0)),
    ("Clip", {}, (-1.0, 1.0)),
    ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, ()),
    ("HardSwish", {}, ()),
    ("ThresholdedRelu", {"alpha": 0.5}, ()),
    ("Abs", {}, ()),
    ("Neg", {}, ()),
    ("Sign", {}, ()),
)


class _Net:
    """Nodes and constants of an ONNX graph, layer by layer."""

    def __init__(self, seed: int) -> None:
        self.rng, self.nodes, self.constants = np.random.default_rng(seed), [], []

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        """One more node; its result's name."""
        from onnx import helper

        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: object) -> str:
        """One more constant."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=np.float32), name))
        return name

    def dense(self, x: str, n_in: int, n_out: int, density: float = 0.5) -> str:
        """A dense layer with some weights zero."""
        weights = self.rng.normal(size=(n_in, n_out)) * (self.rng.random((n_in, n_out)) < density) / np.sqrt(n_in * density)
        names = [x, self.constant(weights), self.constant(self.rng.normal(size=n_out) * 0.2)]
        return self.node("Gemm", names)

    def save(self, path: Path, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        """Write the file."""
        import onnx
        from onnx import TensorProto, helper

        def ports(sizes: dict[str, int]) -> list[object]:
            return [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["N", n]) for k, n in sizes.items()]

        graph = helper.make_graph(self.nodes, path.stem, ports(inputs), ports(outputs), self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))


def residual(path: Path, width: int = 6) -> None:
    """A chain of x + activation(dense(x)), with every exact activation, and a last dense layer."""
    net, x = _Net(1), "x"
    for op, attributes, constants in EXACT:
        values = [net.constant(net.rng.random(width) if c == "slopes" else c) for c in constants]
        x = net.node("Add", [x, net.node(op, [net.dense(x, width, width), *values], **attributes)])
    net.save(path, {"x": width}, {net.dense(x, width, 3): 3})


def tables(path: Path) -> None:
    """Sigmoid and tanh, from tables, between dense layers."""
    net = _Net(2)
    h = net.node("Tanh", [net.dense("x", 8, 8)])
    h = net.node("Sigmoid", [net.dense(h, 8, 6)])
    net.save(path, {"x": 8}, {net.dense(h, 6, 4): 4})


def two_by_two(path: Path) -> None:
    """Two inputs that meet, and two outputs: a class and a number."""
    net = _Net(3)
    a, b = net.node("Relu", [net.dense("track", 6, 8)]), net.node("Relu", [net.dense("calo", 4, 8)])
    h = net.node("Relu", [net.dense(net.node("Add", [a, b]), 8, 8)])
    klass = net.node("Softmax", [net.dense(h, 8, 3)], axis=-1)
    net.save(path, {"track": 6, "calo": 4}, {klass: 3, net.dense(h, 8, 1): 1})


NETWORKS = {"residual": residual, "tables": tables, "two_by_two": two_by_two}


def main() -> None:
    """Write every file."""
    for name, make in NETWORKS.items():
        make(MODELS / f"{name}.onnx")
        print(f"wrote {MODELS / name}.onnx")


if __name__ == "__main__":
    main()
