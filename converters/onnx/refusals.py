"""Why an ONNX operator cannot be converted, and the way out."""

from __future__ import annotations

from nn2hls.converters.onnx.file import ML, FileNode, require_onnx
from nn2hls.converters.onnx.graph import FileGraph
from nn2hls.converters.onnx.quantised_values import MICROSOFT
from nn2hls.errors import suggest
from nn2hls.known_layers import LABELS, ONNX, ONNX_QUANTISERS, not_offered

LABEL_MAKERS = frozenset(f"{ML}.{name}" for name in ("ZipMap", "ArrayFeatureExtractor", "LabelEncoder", "Binarizer"))
_FIRST = ("ArgMax", f"{ML}.Binarizer")  # the first step from answers to labels, of one class and of several
CONTROL = frozenset(("If", "Loop", "Scan"))  # refused as such, whatever their subgraphs hold
NO_OPERATORS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
# What tf2onnx leaves as it was where it has no translation: calls of functions that TensorFlow compiles.
_LEFT = (
    "tf2onnx left this call of TensorFlow's, as it does Keras' grouped convolutions; Keras' own files are read, and so is "
    "tf.nn.conv2d with a kernel of fewer channels"
)
# Operators of onnxruntime in which a DynamicQuantizeLinear is hidden.
_AT_RUN_TIME = frozenset(("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulIntegerToFloat"))
_OTHERWISE = "write it with other operators, or cut the model before it"


def makes_labels(graph: FileGraph) -> bool:
    """Whether the model ends with labels, as those of scikit-learn's classifiers do."""
    return any(n.op in LABEL_MAKERS for n in graph.nodes)


def way_out(graph: FileGraph) -> str:
    """What to do about the nodes that are refused; for labels the line that cuts them off."""
    first = next((n for n in graph.nodes if n.op in _FIRST), None)
    if first is None or not makes_labels(graph):
        return "Export the model without them, or cut it before them with onnx.utils.extract_model."
    ends = f"{[str(name) for name in graph.inputs]}, {[str(first.inputs[0])]}"
    return f"Cut the labels off: onnx.utils.extract_model('model.onnx', 'cut.onnx', {ends}, check_model=False)."


def not_offered_node(node: FileNode, labels: bool) -> str:
    """The reason, for a node whose operator has no handler.

    Args:
        node: The node.
        labels: Whether the model makes labels of its answers, as scikit-learn's do: then ArgMax is the first step of it.
    """
    domain, _, name = node.op.rpartition(".")
    if name in ONNX_QUANTISERS and "onnx" in domain and domain != ML:
        return "this quantiser (QONNX) is not offered; Quant, IntQuant, BipolarQuant, Trunc and MultiThreshold are"
    if node.op in NO_OPERATORS:
        return _LEFT
    if domain == MICROSOFT and name in _AT_RUN_TIME:
        return not_offered("ONNX", "DynamicQuantizeLinear", _OTHERWISE)
    if domain == MICROSOFT and name.startswith("QLinear"):
        return "this operator of onnxruntime is not offered; quantise with quant_format=QuantFormat.QDQ"
    if domain not in ("", ML):
        return f"operators of the domain '{domain}' are not offered; export the model without them"
    if labels and name == "ArgMax":
        return LABELS
    if name in ONNX or require_onnx().defs.has(name, domain):
        return not_offered("ONNX", name, _OTHERWISE)
    return f"ONNX has no operator {name}. {suggest(name, ONNX)}".rstrip()
