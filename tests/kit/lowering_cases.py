"""The closed set of lowerings in three frameworks: arithmetic, products, normalisation, activations, movement."""

from __future__ import annotations

import numpy as np

from tests.kit.lowerings import Case, constant, draw, node

C, W, B = draw(4), draw(4, 3), draw(3)
POSITIVE = np.abs(draw(4)) + 0.5
GROWN = draw(3, 1)
TWO = np.float32(2)


def _k():
    import keras

    return keras


def _t():
    import torch

    return torch


def _f():
    import torch.nn.functional

    return torch.nn.functional


def _tensor(array):
    return _t().tensor(array)


def _functions():
    """Functions without parameters: (name, in Keras, in PyTorch, in ONNX)."""
    rows = [
        ("relu", "relu", "relu", "Relu"),
        ("sigmoid", "sigmoid", "sigmoid", "Sigmoid"),
        ("tanh", "tanh", "tanh", "Tanh"),
        ("softplus", "softplus", None, "Softplus"),
        ("softsign", "softsign", None, "Softsign"),
        ("mish", "mish", None, "Mish"),
        ("exp", "exponential", "exp", "Exp"),
        ("hard_sigmoid", "hard_sigmoid", None, None),
        ("log_sigmoid", "log_sigmoid", None, None),
    ]
    for name, keras, torch, onnx in rows:
        yield (
            f"function {name}",
            Case(
                "activations.function",
                (4,),
                keras=lambda x, k=keras: _k().layers.Activation(k)(x),
                torch=(lambda x, t=torch: getattr(_t(), t)(x)) if torch else None,
                onnx=(node(onnx),) if onnx else (),
            ),
        )
    for name, operation, exponent, torch, onnx in (
        ("square", "square", 2.0, "square", None),
        ("sqrt", "sqrt", 0.5, "sqrt", "Sqrt"),
        ("reciprocal", "reciprocal", -1.0, "reciprocal", "Reciprocal"),
        ("rsqrt", "rsqrt", -0.5, "rsqrt", None),
    ):
        yield (
            f"function {name}",
            Case(
                "activations.function",
                (4,),
                keras=lambda x, o=operation: getattr(_k().ops, o)(x),
                torch=lambda x, t=torch: getattr(_t(), t)(x),
                onnx=(node(onnx),) if onnx else (node("Pow", "x e"),),
                constants={} if onnx else {"e": np.float32(exponent)},
                low=0.3,
            ),
        )


def _powers():
    for exponent in (3.0, 2.0, 0.5, -0.5, -1.0):
        yield (
            f"power {exponent:g}",
            Case(
                "arith.power",
                (4,),
                keras=lambda x, e=exponent: x**e,
                torch=lambda x, e=exponent: x**e,
                onnx=(node("Pow", "x e"),),
                constants={"e": np.float32(exponent)},
                low=0.3,
            ),
        )


CASES: dict[str, Case] = {
    **dict(_functions()),
    **dict(_powers()),
    "add": Case("arith.add", (4,), lambda x: x + C, lambda x: x + _tensor(C), (node("Add", "x c"),), {"c": C}),
    "add grown": Case(
        "arith.add", (1, 4), lambda x: x + GROWN[None], lambda x: x + _tensor(GROWN), (node("Add", "x c"),), {"c": GROWN}
    ),
    "add itself": Case("arith.add", (4,), lambda x: x + x, lambda x: x + x, (node("Add", "x x"),)),
    "subtract": Case("arith.subtract", (4,), lambda x: x - C, lambda x: x - _tensor(C), (node("Sub", "x c"),), {"c": C}),
    "subtract from": Case(
        "arith.subtract", (4,), lambda x: 2 - x, lambda x: 2 - x, (node("Sub", "c x"),), {"c": np.float32(2)}
    ),
    "subtract from grown": Case(
        "arith.subtract",
        (1, 4),
        lambda x: _k().ops.subtract(GROWN[None], x),
        lambda x: _tensor(GROWN) - x,
        (node("Sub", "c x"),),
        {"c": GROWN},
    ),
    "multiply": Case("arith.multiply", (4,), lambda x: x * C, lambda x: x * _tensor(C), (node("Mul", "x c"),), {"c": C}),
    "multiply itself": Case("arith.multiply", (4,), lambda x: x * x, lambda x: x * x, (node("Mul", "x x"),)),
    "scale": Case("arith.scale", (4,), lambda x: x * 2, lambda x: x * 2, (node("Mul", "x c"),), {"c": np.float32(2)}),
    "divide": Case(
        "arith.divide", (4,), lambda x: x / POSITIVE, lambda x: x / _tensor(POSITIVE), (node("Div", "x c"),), {"c": POSITIVE}
    ),
    "divide a number": Case(
        "arith.divide", (4,), lambda x: 2 / x, lambda x: 2 / x, (node("Div", "c x"),), {"c": np.float32(2)}, low=0.3
    ),
    "reciprocal": Case(
        "arith.reciprocal", (4,), lambda x: 1 / x, lambda x: 1 / x, (node("Div", "c x"),), {"c": np.float32(1)}, low=0.3
    ),
    "maximum": Case(
        "arith.maximum",
        (4,),
        lambda x: _k().ops.maximum(x, C),
        lambda x: _t().maximum(x, _tensor(C)),
        (node("Max", "x c"),),
        {"c": C},
    ),
    "maximum of a number": Case(
        "arith.maximum",
        (4,),
        lambda x: _k().ops.maximum(x, 0.5),
        lambda x: _t().clamp(x, min=0.5),
        (node("Max", "x c"),),
        {"c": np.float32(0.5)},
    ),
    "minimum": Case(
        "arith.minimum",
        (4,),
        lambda x: _k().ops.minimum(x, C),
        lambda x: _t().minimum(x, _tensor(C)),
        (node("Min", "x c"),),
        {"c": C},
    ),
    "merge": Case(
        "arith.merge",
        (4,),
        lambda x: _k().layers.Average()([x, x * 2, x]),
        None,
        (node("Mul", "x c", "d"), node("Mean", "x d x")),
        {"c": np.float32(2)},
    ),
    "clip": Case(
        "activations.clip",
        (4,),
        lambda x: _k().ops.clip(x, -0.5, 1),
        lambda x: _t().clamp(x, -0.5, 1),
        (node("Clip", "x a b"),),
        {"a": np.float32(-0.5), "b": np.float32(1)},
    ),
    "leaky_relu": Case(
        "activations.leaky_relu",
        (4,),
        lambda x: _k().layers.LeakyReLU(negative_slope=0.25)(x),
        lambda x: _f().leaky_relu(x, 0.25),
        (node("LeakyRelu", alpha=0.25),),
    ),
    "prelu": Case(
        "activations.leaky_relu",
        (4,),
        lambda x: _k().layers.PReLU(alpha_initializer=constant(C))(x),
        lambda x: _f().prelu(x, _tensor(C)),
        (node("PRelu", "x c"),),
        {"c": C},
    ),
    "relu": Case(
        "activations.relu",
        (4,),
        lambda x: _k().layers.ReLU(max_value=6)(x),
        lambda x: _f().relu6(x),
        (node("Clip", "x a b"),),
        {"a": np.float32(0), "b": np.float32(6)},
    ),
    "step_threshold": Case(
        "activations.step_threshold",
        (4,),
        lambda x: _k().layers.ReLU(threshold=0.5)(x),
        lambda x: _f().threshold(x, 0.5, 0),
        (node("ThresholdedRelu", alpha=0.5),),
    ),
    "elu": Case(
        "activations.elu",
        (4,),
        lambda x: _k().layers.ELU(alpha=0.5)(x),
        lambda x: _f().elu(x, 0.5),
        (node("Elu", alpha=0.5),),
    ),
    "selu": Case(
        "activations.elu",
        (4,),
        lambda x: _k().layers.Activation("selu")(x),
        lambda x: _f().selu(x),
        (node("Selu"),),
    ),
    "celu": Case(
        "activations.celu",
        (4,),
        lambda x: _k().ops.celu(x, 0.5),
        lambda x: _f().celu(x, 0.5),
        (node("Celu", alpha=0.5),),
    ),
    "gelu": Case(
        "activations.gelu",
        (4,),
        lambda x: _k().activations.gelu(x, approximate=True),
        lambda x: _f().gelu(x, approximate="tanh"),
        (node("Gelu", approximate="tanh"),),
    ),
    "swish": Case(
        "activations.swish",
        (4,),
        lambda x: _k().layers.Activation("silu")(x),
        lambda x: _f().silu(x),
        (node("Swish"),),
        opset=24,
    ),
    "softplus": Case("activations.softplus", (4,), None, lambda x: _f().softplus(x, beta=2.0)),
    "hard_sigmoid": Case(
        "activations.hard_sigmoid",
        (4,),
        lambda x: _k().ops.hard_sigmoid(x),
        lambda x: _f().hardsigmoid(x),
        (node("HardSigmoid", alpha=1 / 6, beta=0.5),),
    ),
    "softmax": Case(
        "activations.softmax",
        (3, 4),
        lambda x: _k().layers.Softmax(axis=1)(x),
        lambda x: _f().softmax(x, 1),
        (node("Softmax", axis=1),),
    ),
    "dense": Case(
        "linear.dense",
        (2, 4),
        lambda x: _k().layers.Dense(3, kernel_initializer=constant(W), bias_initializer=constant(B))(x),
        lambda x: _f().linear(x, _tensor(W.T.copy()), _tensor(B)),
        (node("MatMul", "x w", "m"), node("Add", "m b")),
        {"w": W, "b": B},
    ),
    "matmul": Case("linear.matmul", (2, 4), None, lambda x: x @ _tensor(W), (node("MatMul", "x w"),), {"w": W}),
    "matmul_left": Case("linear.matmul_left", (4, 2), None, None, (node("MatMul", "w x"),), {"w": W.T.copy()}),
    "batch_norm": Case(
        "norm.batch_norm",
        (4, 3),
        lambda x: _k().layers.BatchNormalization(
            axis=1,
            epsilon=0.5**10,
            beta_initializer=constant(C),
            gamma_initializer=constant(POSITIVE),
            moving_mean_initializer=constant(C),
            moving_variance_initializer=constant(POSITIVE),
        )(x),
        lambda x: _f().batch_norm(x, _tensor(C), _tensor(POSITIVE), _tensor(POSITIVE), _tensor(C), eps=0.5**10),
        (node("BatchNormalization", "x p c c p", epsilon=0.5**10),),
        {"c": C, "p": POSITIVE},
    ),
    "normalise": Case(
        "norm.normalise", (4,), lambda x: _k().layers.Normalization(mean=C.tolist(), variance=POSITIVE.tolist())(x)
    ),
    "reshape": Case(
        "shape.reshape",
        (2, 6),
        lambda x: _k().layers.Reshape((3, 4))(x),
        lambda x: x.reshape(-1, 3, 4),
        (node("Reshape", "x s"),),
        {"s": np.array([0, 3, 4])},
    ),
    "flatten": Case("shape.flatten", (2, 6), lambda x: _k().layers.Flatten()(x), lambda x: x.flatten(1), (node("Flatten"),)),
    "transpose": Case(
        "shape.transpose",
        (2, 6),
        lambda x: _k().layers.Permute((2, 1))(x),
        lambda x: x.transpose(1, 2),
        (node("Transpose", perm=[0, 2, 1]),),
    ),
    "squeeze": Case("layout.squeeze", (1, 6), None, lambda x: x.squeeze(1), (node("Squeeze", "x a"),), {"a": np.array([1])}),
    "unsqueeze": Case(
        "layout.unsqueeze", (2, 6), None, lambda x: x.unsqueeze(2), (node("Unsqueeze", "x a"),), {"a": np.array([2])}
    ),
    "concatenate": Case(
        "shape.concatenate",
        (2, 6),
        lambda x: _k().layers.Concatenate(axis=1)([x, x]),
        lambda x: _t().cat([x, x], 1),
        (node("Concat", "x x", axis=1),),
    ),
    "stack": Case("shape.stack", (2, 6), None, lambda x: _t().stack([x, x], -1)),
}
