"""Why a layer cannot be converted, and the way out."""

from __future__ import annotations

from collections.abc import Iterable

from nn2hls.converters.keras_model import Layer
from nn2hls.errors import suggest

# Keras' own layers that have no lowering yet.
_NOT_YET = """
    AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D
    AdaptiveMaxPooling3D AdditiveAttention Attention AveragePooling1D AveragePooling2D AveragePooling3D Bidirectional
    CategoryEncoding Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D
    Cropping1D Cropping2D Cropping3D DepthwiseConv1D DepthwiseConv2D Discretization Dot EinsumDense Embedding GRU GRUCell
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GroupNormalization GroupedQueryAttention LSTM LSTMCell LayerNormalization LocallyConnected1D
    LocallyConnected2D Masking MaxPooling1D MaxPooling2D MaxPooling3D MultiHeadAttention RMSNormalization RNN RepeatVector
    SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell SlicingOpLambda SpectralNormalization StackedRNNCells
    TensorFlowOpLayer TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D
    ZeroPadding2D ZeroPadding3D
"""
NOT_YET = frozenset(_NOT_YET.split())
QUANTISED = ("qkeras", "hgq")
_QUANTISED_LAYERS = (
    "QActivation QBatchNormalization QConv1D QConv2D QDense QDenseBatchnorm QConv2DBatchnorm QDepthwiseConv2D "
    "QSeparableConv1D QSeparableConv2D QAdaptiveActivation HDense HActivation HConv1D HConv2D HQuantize HAdd"
)
QUANTISED_LAYERS = frozenset(_QUANTISED_LAYERS.split())


def refusal(layer: Layer, known: Iterable[str]) -> str:
    """The reason, for a layer whose class has no lowering or is not Keras' own; empty when there is none."""
    known = set(known)
    root = layer.module.partition(".")[0].lower()
    if layer.kind == "Lambda":
        return "it holds Python code, which is never run from a file; write it with layers or keras.ops, or leave it out"
    if root in QUANTISED or layer.kind in QUANTISED_LAYERS:
        return "quantised layers (QKeras, HGQ) are not supported yet; convert the float model and give precisions in the config"
    if layer.custom or root not in ("", "keras", "tf_keras", "tensorflow"):
        name = layer.custom or f"{layer.module}.{layer.kind}"
        return f"a class of your own ('{name}'), whose code is never run from a file; build it from Keras layers"
    if layer.kind in known:
        policy = layer.value("dtype", default="")
        inner = policy.get("config") if isinstance(policy, dict) else None
        name = str(inner.get("name", "") if isinstance(inner, dict) else policy)
        if name.startswith(("int", "float8")) and layer.kind != "InputLayer":
            return f"its weights are quantised ('{name}'); convert the model as it was before quantize()"
        return ""
    if layer.kind in NOT_YET:
        return f"{layer.kind} is not supported yet"
    if layer.is_operation:
        return f"the operation {layer.kind} is not supported yet. {suggest(layer.kind, known)}".rstrip()
    return f"{layer.kind} is not a layer that nn2hls knows. {suggest(layer.kind, known | NOT_YET)}".rstrip()
