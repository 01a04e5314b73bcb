"""What is known is never taken for a misspelt word: it comes later, or is not offered at all, and the message says which."""

import inspect
import json
import re

import numpy as np
import pytest

from nn2hls import known_layers
from nn2hls.converters.keras.layers import LAYERS
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.operations import OPERATIONS
from nn2hls.converters.keras.refusals import refusal
from nn2hls.converters.pytorch.lower import _not_offered
from nn2hls.converters.pytorch.ops import LOWER
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.frontends import load

LATER = "is not offered yet; it comes later"


def message(*args, **kwargs):
    with pytest.raises(UnsupportedError) as caught:
        load(*args, **kwargs)
    assert "Did you mean" not in str(caught.value)
    return str(caught.value)


# --- Keras ---


def reason(kind, **fields):
    return refusal(Layer("x", ("x",), kind, {"trainable": True, **fields.pop("config", {})}, **fields), [*LAYERS, "InputLayer"])


def keras_classes():
    keras = pytest.importorskip("keras")
    return sorted(n for n, c in vars(keras.layers).items() if inspect.isclass(c) and issubclass(c, keras.layers.Layer))


def test_every_layer_of_keras_is_known():
    classes = keras_classes()
    assert len(classes) > 120
    for name in classes:
        if name == "Lambda":
            continue
        said = {reason(name, module=module) for module in ("keras.layers", "")}  # Keras 2 and .h5 files tell no module
        assert len(said) == 1
        (text,) = said
        if name in LAYERS or name == "InputLayer":
            assert not text
            continue
        assert text.startswith(f"{name} is not offered")
        assert "Did you mean" not in text
        assert known_layers.is_layer_type(name)
        assert (LATER in text) == (name in known_layers.KERAS_COMING)
        assert LATER in text or len(text) > len(f"{name} is not offered: ") + 10  # a way out


_OLD = """
    LocallyConnected1D LocallyConnected2D SlicingOpLambda TensorFlowOpLayer TFOpLambda ThresholdedReLU RandomHeight RandomWidth
    DenseFeatures SparseEmbedding BinaryDense TernaryDense BinaryConv2D TernaryConv2D GroupedQueryAttention
"""  # of Keras 2, of TensorFlow and of hls4ml


def test_what_the_tables_name_exists():
    keras, torch, onnx = (pytest.importorskip(name) for name in ("keras", "torch", "onnx"))
    old = set(_OLD.split())
    assert not [n for n in known_layers.KERAS - old if not hasattr(keras.layers, n)]
    operators = {s.name for s in onnx.defs.get_all_schemas_with_history()}
    assert not known_layers.ONNX - operators
    assert not [n for n in known_layers._TORCH_MODULES.split() if not hasattr(torch.nn, n)]
    schemas = {s.name.removeprefix("aten::") for s in torch._C._jit_get_all_schemas()}
    assert not set(known_layers._ATEN_COMING.split()) - schemas
    from keras.src import ops

    theirs = {n for module in (ops.core, ops.linalg, ops.math, ops.nn, ops.numpy) for n in vars(module)}
    assert not set(known_layers._KERAS_OPERATIONS_COMING.split()) - theirs


def test_what_comes_is_not_offered_today():
    pytest.importorskip("onnx")
    from nn2hls.converters.onnx import HANDLERS

    assert not known_layers.KERAS_COMING & LAYERS.keys()
    assert not set(known_layers._KERAS_OPERATIONS_COMING.split()) & OPERATIONS.keys()
    assert not set(known_layers._ONNX_COMING.split()) & HANDLERS.keys()
    today = {target.partition(".")[0] for target in LOWER} - {"max", "min"}  # of two tensors; along an axis they come
    assert not set(known_layers._ATEN_COMING.split()) & today


def test_words_that_nobody_has_get_a_suggestion():
    assert "Did you mean 'Dense'?" in reason("Dens")
    assert "Did you mean 'LSTM'?" in reason("LSTMM")


@pytest.mark.parametrize(("kind", "fields", "said"), [
    ("PruneLowMagnitude", {"custom": "TFMOT>PruneLowMagnitude"}, "strip_pruning(model)"),
    ("PruneLowMagnitude", {"module": "tensorflow_model_optimization.python.core"}, "strip_pruning(model)"),
    ("QuantizeWrapperV2", {}, "not offered yet; convert the float model"),
    ("ClusterWeights", {}, "strip_clustering(model)"),
    ("QLSTM", {"module": "qkeras.qlayers"}, "this quantised layer (QKeras, HGQ) is not offered yet"),
    ("QGRU", {"module": "hgq.layers"}, "this quantised layer (QKeras, HGQ) is not offered yet"),
    ("QLSTM", {"module": "hgq.layers.rnn", "custom": "hgq>QLSTM"}, "this quantised layer (QKeras, HGQ) is not offered yet"),
    ("BinaryDense", {}, "kernel_lr_multiplier and bias_lr_multiplier do; use Dense with the binary or ternary weights"),
    ("TernaryDense", {"custom": "Custom>TernaryDense"}, "('Custom>TernaryDense'), whose code is never run from a file; its"),
    ("BinaryConv2D", {"module": "mine"}, "use Conv2D with the binary or ternary weights"),
    ("CenterCrop", {"module": "keras.layers"}, "CenterCrop is not offered: do this before"),
    ("Masking", {}, "Masking is not offered: masks that depend on the data"),
    ("Vdot", {"module": "keras.src.ops.numpy"}, "Vdot is not offered: it works over the batch axis"),
    ("Round", {"module": "keras.src.ops.numpy"}, f"Round {LATER}"),
    ("FFT", {"module": "keras.src.ops.math"}, "FFT is not offered: write it with other operations"),
    ("Mine", {"module": "mine"}, "a class of your own ('mine.Mine')"),
])  # fmt: skip
def test_keras_layers_with_a_sentence_of_their_own(kind, fields, said):
    text = reason(kind, **fields)
    assert said in text
    assert "Did you mean" not in text


def test_quantised_keras_models(tmp_path):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, name="a"), keras.layers.Dense(3, name="b")])
    model.quantize("float8")
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
    for source in (tmp_path / "m.keras", tmp_path / "m.h5", model):
        text = message(source)
        line = r"[ab] \(Dense\): its weights are quantised \('float8[^']*'\).*weights alone, or convert the model as it was"
        assert len(re.findall(line, text)) == 2


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_other_policies_are_no_quantisation(policy):
    assert not reason("Dense", config={"dtype": policy})
    assert not reason("Dense", config={"dtype": {"class_name": "DTypePolicy", "config": {"name": policy}}})
    assert reason("Dense", config={"dtype": "float8_from_float32"})


def test_activations_of_qkeras(tmp_path):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, name="a", activation="relu")])
    model.save_weights(tmp_path / "m.weights.h5")
    for name in ("bernoulli(2)",):
        (tmp_path / "m.json").write_text(model.to_json().replace('"relu"', json.dumps(name)))
        assert f"such as '{name}' are not offered yet" in message(tmp_path / "m.json", weights=tmp_path / "m.weights.h5")


# --- PyTorch ---


def test_operators_of_pytorch():
    torch = pytest.importorskip("torch")
    names = {s.name for s in torch._C._jit_get_all_schemas() if s.name.startswith("aten::")}
    assert len(names) > 500
    for name in names:
        text = _not_offered(f"{name.removeprefix('aten::')}.default")
        ways = [way in text for way in ("comes later", "write it with other operators", "default is not offered; ")]
        assert ways.count(True) == 1


def test_operators_of_pytorch_that_never_come():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.linalg.inv(x)

    assert "is not offered: write it with other operators" in message(Net(), example=torch.zeros(1, 3, 3))
    assert "library of its own" in _not_offered("torch.ops.mine.op.default")


# --- ONNX ---


def test_every_operator_of_onnx_is_known():
    onnx = pytest.importorskip("onnx")
    from nn2hls.converters.onnx import HANDLERS
    from nn2hls.converters.onnx.file import FileNode
    from nn2hls.converters.onnx.refusals import not_offered_node

    schemas = [s for s in onnx.defs.get_all_schemas() if s.domain in ("", "ai.onnx.ml")]
    assert len(schemas) > 200
    for schema in schemas:
        op = f"{schema.domain}.{schema.name}" if schema.domain else schema.name
        if op in HANDLERS:
            continue
        text = not_offered_node(FileNode("n", op, ("x",), ("y",)), labels=False)
        assert text.startswith(f"{schema.name} is not offered")
        assert (schema.name in known_layers._ONNX_COMING.split()) == (LATER in text)
    assert "Did you mean 'Softmax'" in not_offered_node(FileNode("n", "Softmx", ("x",), ("y",)), labels=False)
    for op in ("qonnx.custom_op.general.FloatQuant", "onnx.brevitas.FloatQuant"):
        assert "QONNX" in not_offered_node(FileNode("n", op, ("x",), ("y",)), labels=False)


def onnx_model(nodes, constants, outputs=("y",)):
    from tests.kit.onnx_tools import model

    return model(nodes, {"x": ["N", 4]}, constants, outputs, domains=["ai.onnx.ml"])


RNG = np.random.default_rng(4)


@pytest.mark.parametrize("size", [4, 1])
def test_a_scaler_of_scikit_learn_is_a_scale(size):
    pytest.importorskip("onnx")
    from tests.kit.onnx_tools import helper, reference

    scale, offset = (RNG.uniform(0.5, 2, size).astype(np.float32).tolist() for _ in "ab")
    node = helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", scale=scale, offset=offset)
    made = onnx_model([node], {})
    graph = load(made)
    assert [type(n.op).__name__ for n in graph] == ["Input", "Scale"]
    from nn2hls import convert

    x = RNG.normal(size=(20, 4))
    wanted = (x - offset) * scale
    assert np.abs(convert(graph).predict_float(x) - wanted).max() < 1e-6
    if size == 4:
        assert np.abs(reference(made, {"x": x})[0] - wanted).max() < 1e-5
    wrong = helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", scale=[1.0, 2.0, 3.0], offset=offset)
    assert "must hold one number, or one for each feature" in message(onnx_model([wrong], {}))


@pytest.mark.parametrize("classes", [np.arange(3), np.array(["pion", "kaon", "muon"], dtype=object)], ids=["numbers", "names"])
def test_labels_of_scikit_learn_are_cut_off(tmp_path, classes):
    """The line that the message gives makes a model that converts."""
    onnx = pytest.importorskip("onnx")
    from tests.kit.onnx_tools import helper

    n = helper.make_node
    nodes = [
        n("MatMul", ["x", "w"], ["h"]), n("Softmax", ["h"], ["p"]), n("ArgMax", ["p"], ["a"], axis=1),
        n("ZipMap", ["p"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
        n("ArrayFeatureExtractor", ["c", "a"], ["label"], domain="ai.onnx.ml"),
    ]  # fmt: skip
    constants = {"w": RNG.normal(size=(4, 3)).astype(np.float32), "c": classes}
    made = onnx_model(nodes, constants, ("label", "y"))
    text = message(made)
    assert text.count("it makes a label of the network's answers") == 2
    line = re.search(r"onnx\.utils\.extract_model\('model\.onnx', 'cut\.onnx', \['x'\], \['p'\], check_model=False\)", text)
    assert line
    made.graph.value_info.append(helper.make_tensor_value_info("p", 1, ["N", 3]))
    onnx.save(made, tmp_path / "model.onnx")
    onnx.utils.extract_model(str(tmp_path / "model.onnx"), str(tmp_path / "cut.onnx"), ["x"], ["p"], check_model=False)
    assert "Softmax" in load(tmp_path / "cut.onnx").text()
    lone = onnx_model([n("ArgMax", ["x"], ["y"], axis=1)], {})
    assert "TopK" in load(lone).text()  # where no label is made of it, it is a layer as others are


def test_several_labels_of_scikit_learn_are_cut_off():
    from tests.kit.onnx_tools import helper

    n = helper.make_node
    nodes = [
        n("MatMul", ["x", "w"], ["h"]), n("Sigmoid", ["h"], ["p"]), n("Cast", ["b"], ["label"], to=7),
        n("Binarizer", ["p"], ["b"], name="cut", domain="ai.onnx.ml", threshold=0.5),
    ]  # fmt: skip
    text = message(onnx_model(nodes, {"w": RNG.normal(size=(4, 3)).astype(np.float32)}, ("label", "p")))
    assert "cut (ai.onnx.ml.Binarizer): Binarizer is not offered: it makes a label of the network's answers" in text
    assert "onnx.utils.extract_model('model.onnx', 'cut.onnx', ['x'], ['p'], check_model=False)" in text


def test_words_that_are_no_names_of_classes_are_refused():
    from tests.kit.onnx_tools import helper

    words = np.array(["one", "two"], dtype=object)
    with pytest.raises(ModelError, match="'k': It holds STRING values"):
        load(onnx_model([helper.make_node("Add", ["x", "k"], ["y"])], {"k": words}))


def test_programs_of_pytorch_before_2_8(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        for name in ("serialized_exported_program.json", "serialized_state_dict.pt", "serialized_constants.pt", "version"):
            archive.writestr(name, "")
    with pytest.raises(ModelError, match=r"saved by PyTorch before 2\.8.*PyTorch 2\.8 or newer"):
        load(tmp_path / "m.pt2")
