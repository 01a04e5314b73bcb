"""ONNX files: what exporters write, what is refused and how, and files that want to do harm."""

import io
import re
import warnings

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx

import nn2hls
from nn2hls.converters import onnx as frontend
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.extras import install
from tests.kit.onnx_tools import TensorProto, evaluate, helper, model, reference

RNG = np.random.default_rng(6)
N = helper.make_node


def draw(*shape):
    return RNG.normal(0, 1, shape).astype(np.float32)


def refusal(made, kind=ModelError):
    with pytest.raises(kind) as caught:
        frontend.load_live(made)
    return str(caught.value)


# --- files of exporters ---


@pytest.mark.parametrize(("name", "kinds"), [
    ("three_layer_keras.onnx", "Input Dense Relu Dense Relu Dense Relu Dense Softmax"),
    ("three_layer_bn_pytorch.onnx", "Input Dense Scale Relu Dense Scale Relu Dense Scale Relu Dense Scale Softmax"),
])  # fmt: skip
def test_public_models(shared, name, kinds):
    path = shared / "models" / "onnx" / name
    graph = frontend.load_file(path)
    assert " ".join(type(n.op).__name__ for n in graph) == kinds
    x = draw(50, 16)
    (got,) = evaluate(graph, {graph.inputs[0].name: x})
    np.testing.assert_allclose(got, _independent(onnx.load(path), x), rtol=1e-5, atol=1e-6)


def _independent(made, x):
    """The two public models by hand: onnx's evaluator does not know BatchNormalization of opset 6."""
    constants = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in made.graph.initializer}
    for node in made.graph.node:
        k = [constants.get(i) for i in node.input]
        if node.op_type == "MatMul":
            x = x @ k[1]
        elif node.op_type == "Add":
            x = x + k[1]
        elif node.op_type == "Gemm":
            x = x @ k[1].T + k[2]
        elif node.op_type == "BatchNormalization":
            epsilon = next(a.f for a in node.attribute if a.name == "epsilon")
            x = (x - k[3]) / np.sqrt(k[4] + epsilon) * k[1] + k[2]
        elif node.op_type == "Relu":
            x = np.maximum(x, 0)
        elif node.op_type == "Softmax":
            x = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return x


def test_a_public_quantised_model_is_exact_throughout(shared):
    """As QONNX wrote it, with channels last; on a smaller picture."""
    made = onnx.load(shared / "models" / "onnx" / "separable_conv_model_ch_last.onnx")
    for value in (*made.graph.input, *made.graph.output, *made.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            dim.dim_value = 8 if dim.dim_value == 512 else dim.dim_value
    design = nn2hls.convert(frontend.load_live(made))
    x = np.random.default_rng(0).uniform(-1, 1, size=(4, 8, 8, 3))
    assert np.array_equal(design.predict(x), design.predict_float(x))
    assert str(design.graph["global_in"].type) == "ap_fixed<4,0,AP_RND_CONV,AP_SAT>"
    assert "Quant_6" not in design.graph.by_name


def test_a_public_model_with_convolutions(shared):
    """As its exporter wrote it: channels first inside, transposes around."""
    path = shared / "models" / "onnx" / "conv1d_small_keras.onnx"
    graph = frontend.load_file(path)
    made = onnx.load(path)
    (name,) = (i.name for i in made.graph.input if i.name not in {t.name for t in made.graph.initializer})
    x = draw(1, *graph.inputs[0].shape)  # the file has a batch of one
    np.testing.assert_allclose(evaluate(graph, {name: x})[0], reference(made, {name: x})[0], rtol=1e-5, atol=1e-5)


def torch_models():
    import torch
    from torch import nn

    torch.manual_seed(1)

    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(18, 2)

        def forward(self, x):
            return self.b(torch.relu(self.a(x)).reshape(x.size(0), -1)) * 0.25 + 1.0

    norm = nn.BatchNorm1d(6)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    activations = [
        nn.SiLU(),
        nn.Mish(),
        nn.Hardswish(),
        nn.Hardsigmoid(),
        nn.Softplus(),
        nn.Softplus(beta=2),
        nn.PReLU(6),
        nn.LeakyReLU(0.2),
    ]
    activations += [
        nn.ReLU6(),
        nn.CELU(0.5),
        nn.SELU(),
        nn.ELU(0.7),
        nn.GELU("tanh"),
        nn.GELU(),
        nn.LogSigmoid(),
        nn.Tanhshrink(),
        nn.Softsign(),
    ]
    layers = [layer for activation in activations for layer in (nn.Linear(6, 6), activation)]
    tail = [norm, nn.Hardtanh(-0.5, 2), nn.Dropout(), nn.LogSoftmax(-1)]
    return {
        "views": (Views(), (4, 3, 4)),
        "activations": (nn.Sequential(*layers, *tail), (4, 6)),
        "threshold": (nn.Sequential(nn.Threshold(0.1, 0.5)), (4, 6)),
    }


@pytest.mark.parametrize(
    ("name", "dynamo"), [("views", False), ("views", True), ("activations", False), ("activations", True), ("threshold", True)]
)
@pytest.mark.parametrize("symbolic", [False, True])
def test_pytorch_exporters_agree_with_pytorch(name, dynamo, symbolic):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    module, shape = torch_models()[name]
    module.eval()
    example = torch.from_numpy(draw(*shape))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if dynamo:
            dims = ({0: torch.export.Dim("n")},) if symbolic else None
            made = torch.onnx.export(module, (example,), dynamo=True, dynamic_shapes=dims, verbose=False).model_proto
        else:
            stream = io.BytesIO()
            axes = {"x": {0: "n"}} if symbolic else None
            torch.onnx.export(module, (example,), stream, dynamo=False, dynamic_axes=axes, input_names=["x"])
            made = onnx.load_from_string(stream.getvalue())
        graph = frontend.load_live(made)
        x = draw(30, *shape[1:])
        wanted = module(torch.from_numpy(x)).numpy()
    (got,) = evaluate(graph, {graph.inputs[0].name: x})
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_names_and_origins():
    nodes = [
        N("MatMul", ["x", "w"], ["h"], name="fc1/MatMul"), N("Add", ["h", "b"], ["s"], name="fc1/Add"), N("Relu",
        ["s"], ["r"]),
        N("Sigmoid", ["r"], ["g"], name="gate"), N("Mul", ["r", "g"], ["y"], name="swish"),
    ]  # fmt: skip
    graph = frontend.load_live(model(nodes, {"x": ["N", 3]}, {"w": draw(3, 4), "b": draw(4)}))
    assert [(n.name, n.origin.layer, n.origin.kind) for n in graph] == [
        ("x", "x", "Input"), ("fc1/MatMul", "fc1/MatMul", "MatMul"), ("r", "r", "Relu"), ("swish", "swish", "Swish"),
    ]  # fmt: skip


def test_several_inputs_and_outputs_in_their_order():
    nodes = [N("Relu", ["b"], ["p"]), N("Add", ["a", "p"], ["q"])]
    made = model(nodes, {"b": ["N", 3], "a": ["N", 3]}, outputs=("q", "p", "a"))
    graph = frontend.load_live(made)
    assert [n.name for n in graph.inputs] == ["b", "a"]
    feeds = {"a": draw(2, 3), "b": draw(2, 3)}
    for got, wanted in zip(evaluate(graph, feeds), reference(made, feeds), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_nodes_in_any_order():
    nodes = [N("Neg", ["h"], ["y"]), N("Relu", ["x"], ["h"])]
    assert [n.name for n in frontend.load_live(model(nodes, {"x": ["N", 3]}))] == ["x", "h", "y"]


def test_dead_nodes_do_not_matter():
    nodes = [N("Relu", ["x"], ["y"]), N("Conv", ["x", "w"], ["z"])]
    assert [n.name for n in frontend.load_live(model(nodes, {"x": ["N", 3]}, {"w": draw(1, 1, 1)}))] == ["x", "y"]


# --- what is refused ---


def test_all_unsupported_nodes_are_listed_at_once():
    nodes = [N("Det", ["x"], ["a"], name="first"), N("Relu", ["a"], ["b"]), N("NonZero", ["b"], ["c"], name="second"),
             N("Bernoulli", ["c"], ["y"], name="third")]  # fmt: skip
    text = refusal(model(nodes, {"x": ["N", 3, 3]}), UnsupportedError)
    assert "3 of its nodes" in text
    assert all(line in text for line in ("first (Det): ", "second (NonZero): ", "third (Bernoulli): "))
    assert "extract_model" in text


REFUSED = {
    "batch transpose": ([N("Transpose", ["x"], ["y"], perm=[1, 0])], {}, "is not the batch alone"),
    "batch softmax": ([N("Softmax", ["x"], ["y"], axis=0)], {}, "batch axis"),
    "batch concat": ([N("Concat", ["x", "x"], ["y"], axis=0)], {}, "batch axis"),
    "batch reshape": ([N("Reshape", ["x", "s"], ["y"])], {"s": np.array([3, -1])}, "batch"),
    "batch flatten": ([N("Flatten", ["x"], ["y"], axis=0)], {}, "is not the batch alone"),
    "batch product": ([N("MatMul", ["w", "x"], ["y"])], {"w": draw(2, 2)}, "mixes the samples"),
    "transA": ([N("Gemm", ["x", "w"], ["y"], transA=1)], {"w": draw(4, 2)}, "transA"),
    "live product": ([N("MatMul", ["x", "x"], ["y"])], {}, "is not one for each event"),
    "zero divisor": ([N("Div", ["x", "w"], ["y"])], {"w": np.float32([1, 0, 1, 1])}, "holds zeros"),
    "rows": ([N("Add", ["x", "w"], ["y"])], {"w": draw(3, 4)}, "varies along the batch axis"),
    "exponent": ([N("Pow", ["x", "e"], ["y"])], {"e": np.float32(2.5)}, "powers of 2.5"),
    "nan": ([N("MatMul", ["x", "w"], ["y"])], {"w": np.float32([[1], [2], [np.nan], [1]])}, "'w' holds NaN"),
    "inf": ([N("Add", ["x", "w"], ["y"])], {"w": np.float32([1, np.inf, 1, 1])}, "'w' holds Inf"),
    "nan clip": ([N("Clip", ["x", "w"], ["y"])], {"w": np.float32(np.nan)}, "no single number"),
    "cast": ([N("Cast", ["x"], ["h"], to=7), N("Cast", ["h"], ["y"], to=1)], {}, "no float"),
    "attribute": ([N("Elu", ["x"], ["y"], alpha="x")], {}, "breaks the operator's definition"),
    "newer operator": ([N("Gelu", ["x"], ["y"])], {}, "opset 17"),
    "wrong shape": ([N("MatMul", ["x", "w"], ["y"])], {"w": draw(3, 2)}, "weights take 3"),
    "huge constant": ([N("ConstantOfShape", ["s"], ["c"]), N("Add", ["x", "c"], ["y"])], {"s": np.array([2**40])},
    "is refused"),
    "huge growth": ([N("Expand", ["w", "s"], ["c"]), N("Add", ["x", "c"], ["y"])], {"w": draw(1),
    "s": np.array([2**20, 2**20])}, "is refused"),
    "integer overflow": ([N("Tile", ["w", "s"], ["c"]), N("Add", ["x", "c"], ["y"])], {"w": draw(1),
    "s": np.array([2**62])}, "is refused"),
    "bad gather": ([N("Gather", ["w", "s"], ["c"]), N("Add", ["x", "c"], ["y"])], {"w": draw(2), "s": np.array([9])},
    "cannot be evaluated"),
    "dropout mask": ([N("Dropout", ["x"], ["h", "y"])], {}, "further result 'y'"),
    "training": ([N("Dropout", ["x", "r", "t"], ["y"])], {"r": np.float32(0.5), "t": np.array(True)}, "training mode"),
    "constant output": ([N("Neg", ["w"], ["y"])], {"w": draw(2)}, "does not depend on any input"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name):
    nodes, constants, reason = REFUSED[name]
    assert reason in refusal(model(nodes, {"x": ["N", 4]}, constants), UnsupportedError)


def test_custom_domains_functions_and_subgraphs_are_refused_by_name():
    made = model([N("Fancy", ["x"], ["y"], name="f", domain="com.me")], {"x": ["N", 3]}, domains=["com.me"])
    assert "f (com.me.Fancy): operators of the domain 'com.me'" in refusal(made, UnsupportedError)
    body = helper.make_function("com.me", "Fancy", ["x"], ["y"], [N("Relu", ["x"], ["y"])], [helper.make_opsetid("", 17)])
    made.functions.append(body)
    assert "inline_local_functions" in refusal(made, UnsupportedError)
    branch = helper.make_graph([N("Neg", ["x"], ["z"])], "b", [], [helper.make_tensor_value_info("z", 1, None)])
    made = model(
        [N("If", ["c"], ["y"], name="cond", then_branch=branch, else_branch=branch)], {"x": ["N", 3]}, {"c": np.array(True)}
    )
    assert "cond (If): " in refusal(made, UnsupportedError)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (["N", "L"], "Axis 1 has the size 'L'"),
        (["N", None], "unknown"),
        ([], "without a batch axis"),
        (["N", 2**40], "more than"),
    ],
)
def test_input_shapes(shape, reason):
    assert reason in refusal(model([N("Relu", ["x"], ["y"])], {"x": shape}))


def test_broken_graphs():
    relu = [N("Relu", ["x"], ["y"])]
    assert "holds no graph" in refusal(onnx.ModelProto())
    assert "form a cycle: a, b" in refusal(
        model([N("Add", ["x", "q"], ["p"], name="a"), N("Neg", ["p"], ["q"], name="b")], {"x": ["N", 3]}, outputs=("q",))
    )
    assert "reads tensor 'nowhere'" in refusal(model([N("Relu", ["nowhere"], ["y"])], {"x": ["N", 3]}))
    assert "The output list reads tensor 'z'" in refusal(model(relu, {"x": ["N", 3]}, outputs=("z",)))
    assert "computed twice" in refusal(model([*relu, N("Neg", ["x"], ["y"])], {"x": ["N", 3]}))
    assert "no input" in refusal(model([N("Relu", ["w"], ["y"])], {}, {"w": draw(2)}))
    assert "opset 5" in refusal(model(relu, {"x": ["N", 3]}, opset=5))
    made = model(relu, {"x": ["N", 3]})
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    assert "STRING" in refusal(made)


def test_tensors_that_lie_about_their_size():
    made = model([N("Add", ["x", "w"], ["y"])], {"x": ["N", 3]}, {"w": draw(3)})
    made.graph.initializer[0].dims[:] = [2**40]
    assert "asks for 1099511627776 values, the file holds 3" in refusal(made)
    made.graph.initializer[0].dims[:] = [-3]
    assert "negative" in refusal(made)
    made.graph.initializer[0].data_type = TensorProto.STRING
    assert "STRING" in refusal(made)


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"\x08\x08\x12\xff\xff\xff\xff\x0fabc", b"not a protobuf at all", bytes(range(7, 71))]
)
def test_corrupt_files(tmp_path, data):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=re.escape(str(path))):
        frontend.load_file(path)


@pytest.mark.parametrize("name", ["Relu", "first", "hidden", "kept", "weight", "axis"])
def test_names_that_are_no_text(tmp_path, name):
    """Of operators, nodes, values, constants, attributes and what the graph declares alone: protobuf gives bytes for them."""
    made = model(
        [
            N("Gemm", ["x", "weight"], ["hidden"], name="first"),
            N("Relu", ["hidden"], ["kept"]),
            N("Softmax", ["kept"], ["y"], axis=1),
        ],
        {"x": ["N", 3]},
        {"weight": draw(3, 2)},
    )
    path, word = tmp_path / "m.onnx", name.encode()
    path.write_bytes(made.SerializeToString().replace(word, b"\xff" + word[1:]))
    with pytest.raises(ModelError, match="A name in it is no text"):
        frontend.load_file(path)


def test_every_truncation_is_an_error_or_a_graph(tmp_path):
    data = model(
        [N("Gemm", ["x", "w"], ["h"]), N("Relu", ["h"], ["y"])], {"x": ["N", 3]}, {"w": draw(3, 2)}
    ).SerializeToString()
    path = tmp_path / "m.onnx"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ModelError):
            frontend.load_file(path)


def test_damaged_files_give_errors_of_ours_or_graphs():
    """Flipped bits anywhere in a file: a graph, an error of ours, or no protobuf at all."""
    from google.protobuf.message import DecodeError

    nodes = [
        N("Shape", ["x"], ["s"]), N("Slice", ["s", "0", "1"], ["n"]), N("Concat", ["n", "r"], ["t"], axis=0),
        N("Reshape", ["x", "t"], ["f"]), N("Gemm", ["f", "w"], ["g"], alpha=0.5), N("Clip", ["g", "lo", ""], ["c"]),
        N("Sigmoid", ["c"], ["q"]), N("Mul", ["c", "q"], ["m"]), N("Softmax", ["m"], ["y"], axis=1),
    ]  # fmt: skip
    constants = {"0": np.array([0]), "1": np.array([1]), "r": np.array([-1]), "w": draw(12, 2), "lo": np.float32(-1)}
    data = model(nodes, {"x": ["N", 3, 4]}, constants).SerializeToString()
    rng, seen = np.random.default_rng(1), set()
    for _ in range(600):
        damaged = bytearray(data)
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(8)
        made = onnx.ModelProto()
        try:
            made.ParseFromString(bytes(damaged))
            frontend.load_live(made)
            seen.add("graph")
        except (ModelError, DecodeError) as error:
            seen.add(type(error).__name__)
    assert seen == {"graph", "ModelError", "UnsupportedError", "DecodeError"}


def test_onnx_is_named_when_it_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x08")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ModelError, match=re.escape(f"Install it with: {install('onnx')}.")):
        frontend.load_file(path)
