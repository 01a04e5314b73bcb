"""What each lowering means in three frameworks: the same layer written in Keras, PyTorch and ONNX.

A case's functions take one symbolic input and give one result; None where a framework has no such layer. Arrays are the same in
all three, written in each framework's own layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Case:
    """One layer.

    Args:
        lowering: ``module.function`` of nn2hls.converters.lower, the one that the case is for.
        shape: Of the input, without batch axis.
        keras, torch: From a symbolic Keras input, a torch tensor, to the result.
        onnx: Nodes, as (operator, operands, results, attributes), from ``x`` to ``y``.
        constants: Initialisers of the ONNX model.
        opset: Of the ONNX model.
        low: Inputs are positive and at least this, for functions that need it.
        whole: Inputs are whole numbers below this, if it is not zero.
        cannot_run: Frameworks whose own answer cannot be had here, such as Keras with channels first on a CPU.
    """

    lowering: str
    shape: tuple[int, ...]
    keras: Make | None = None
    torch: Make | None = None
    onnx: tuple[tuple[Any, ...], ...] = ()
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    opset: int = 20
    low: float | None = None
    whole: int = 0
    cannot_run: tuple[str, ...] = ()


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Float32 numbers, the same for the same arguments."""
    return np.random.default_rng([seed, *shape]).normal(0, 0.8, shape).astype(np.float32)


def node(op: str, operands: str = "x", results: str = "y", **attributes: Any) -> tuple[Any, ...]:
    """One node of an ONNX model."""
    return op, operands.split(), results.split(), attributes


def constant(array: np.ndarray) -> Any:
    """An initialiser of a Keras weight that gives it these values."""
    import keras

    return keras.initializers.Constant(array)


def keras_model(case: Case) -> Any:
    """The layer in a model of one input."""
    import keras

    x = keras.Input(case.shape, name="x")
    return keras.Model(x, case.keras(x))


def keras_graph(case: Case) -> tuple[Any, Any]:
    """(model, graph)."""
    from nn2hls.converters.keras import load_live

    model = keras_model(case)
    return model, load_live(model)


def torch_module(case: Case) -> Any:
    """The layer in a module."""
    import torch

    class Module(torch.nn.Module):
        def forward(self, x):
            return case.torch(x)

    return Module().eval()


def torch_graph(case: Case) -> tuple[Any, Any]:
    """(module, graph)."""
    import torch

    from nn2hls.converters.pytorch import load_live

    module = torch_module(case)
    if case.whole:
        return module, load_live(module, torch.zeros((2, *case.shape), dtype=torch.int64))
    return module, load_live(module, input_shape=case.shape)


def onnx_graph(case: Case) -> tuple[Any, Any]:
    """(model, graph)."""
    from nn2hls.converters.onnx import load_live
    from tests.kit.onnx_tools import TensorProto, helper, model

    nodes = [helper.make_node(op, operands, results, **attributes) for op, operands, results, attributes in case.onnx]
    made = model(nodes, {"x": ["N", *case.shape]}, case.constants, opset=case.opset, ir_version=8 if case.opset < 21 else 10)
    if case.whole:
        made.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return made, load_live(made)
