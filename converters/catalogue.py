"""Every layer that is read, by the names that each framework has for it: what ``nn2hls layers`` and docs/layers.md show.

``{1,2}`` in a name stands for one name with each of them. A test holds the names to the tables of the front ends, both ways.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EXACT = "exact"
ROUNDED = "constants rounded"
TABLE = "table"
STRATEGIES = "Latency, Resource, DistributedArithmetic"


@dataclass(frozen=True)
class Row:
    """One layer of the field.

    Args:
        what: In words.
        numbers: ``EXACT``: nothing but the result is rounded. ``ROUNDED``: constants are, to their types. ``TABLE``: values
            come from tables, whose error a note of the design states.
        keras, operations: Classes of keras.layers, and of keras.ops.
        torch: Operators of aten, without overload.
        onnx: Operators.
        strategies: What ``Strategy`` may ask for; ``ReuseFactor`` goes with any of it.
    """

    what: str
    numbers: str
    keras: str = ""
    operations: str = ""
    torch: str = ""
    onnx: str = ""
    strategies: str = ""

    def names(self, column: str) -> list[str]:
        """The names of one framework, written out."""
        return [name for word in getattr(self, column).split() for name in expanded(word)]


def expanded(word: str) -> list[str]:
    """All names that a name with braces stands for."""
    found = re.search(r"\{([^}]*)\}", word)
    if found is None:
        return [word]
    return [w for part in found[1].split(",") for w in expanded(word[: found.start()] + part + word[found.end() :])]


ROWS: tuple[Row, ...] = (
    Row("Dense", ROUNDED, "Dense", "", "linear addmm mm", "Gemm", STRATEGIES),
    Row(
        "Product with a constant matrix, or of two tensors",
        ROUNDED,
        "Dot",
        "Matmul Dot Inner Tensordot",
        "matmul bmm baddbmm tensordot inner",
        "MatMul",
        STRATEGIES,
    ),
    Row("Einstein's sum with a constant or another tensor", ROUNDED, "EinsumDense", "Einsum", "einsum", "Einsum", STRATEGIES),
    Row(
        "Convolution, depthwise and grouped ones too",
        ROUNDED,
        "{Conv,Convolution}{1,2,3}D DepthwiseConv{1,2}D Separable{Conv,Convolution}{1,2}D",
        "{,Depthwise,Separable}Conv",
        "conv{1,2,3}d convolution",
        "Conv",
        STRATEGIES,
    ),
    Row(
        "Transposed convolution",
        ROUNDED,
        "{Conv,Convolution}{1,2,3}DTranspose",
        "ConvTranspose",
        "conv_transpose{1,2,3}d",
        "ConvTranspose",
        STRATEGIES,
    ),
    Row(
        "Products of a quantised model (docs/quantised.md)",
        EXACT,
        "QDense QConv{1,2}D QDepthwiseConv2D QSeparableConv{1,2}D Q{,Depthwise}Conv2DBatchnorm "
        "{Binary,Ternary}{Dense,Conv2D}",
        "",
        "",
        "QLinearConv QLinearMatMul ConvInteger MatMulInteger com.microsoft.QGemm "
        "qonnx.custom_op.channels_last.{Conv,MaxPool,BatchNormalization}",
        STRATEGIES,
    ),
    Row(
        "Casts, levels and scales of a quantised model",
        EXACT,
        "QActivation QAdaptiveActivation QBatchNormalization",
        "",
        "quantized_decomposed",
        "{,com.microsoft.}{Dequantize,Quantize}Linear {qonnx.custom_op.general,finn.custom_op.general,onnx.brevitas}"
        ".{Quant,IntQuant,BipolarQuant,Trunc,MultiThreshold}",
    ),
    Row(
        "Arithmetic and pooling on whole numbers, as onnxruntime's quantiser writes it",
        ROUNDED,
        "",
        "",
        "",
        "com.microsoft.QLinear{Add,Mul,Concat,AveragePool,GlobalAveragePool,LeakyRelu,Sigmoid,Softmax}",
    ),
    Row("Convolution with a kernel at each position", ROUNDED, "LocallyConnected{1,2}D", "", "", "", STRATEGIES),
    Row("Largest of a window", EXACT, "{MaxPooling,MaxPool}{1,2,3}D", "MaxPool", "max_pool{1,2,3}d{,_with_indices}", "MaxPool"),
    Row("Mean of a window", ROUNDED, "{AveragePooling,AvgPool}{1,2,3}D", "AveragePool", "avg_pool{1,2,3}d", "AveragePool"),
    Row("Norm of a window, or of all places", TABLE, "", "", "", "LpPool GlobalLpPool"),
    Row("Largest of all places", EXACT, "Global{MaxPooling,MaxPool}{1,2,3}D", "", "", "GlobalMaxPool"),
    Row("Mean of all places", ROUNDED, "Global{AveragePooling,AvgPool}{1,2,3}D", "", "", "GlobalAveragePool"),
    Row(
        "Pooling to a size",
        ROUNDED,
        "Adaptive{Average,Max}Pooling{1,2,3}D",
        "Adaptive{Average,Max}Pool",
        "{,_}adaptive_avg_pool{1,2,3}d adaptive_max_pool{1,2,3}d",
    ),
    Row(
        "Normalisation by running statistics, scaling",
        ROUNDED,
        "BatchNormalization Normalization Rescaling",
        "BatchNorm",
        "batch_norm _native_batch_norm_legit_no_training",
        "BatchNormalization ai.onnx.ml.Scaler",
    ),
    Row(
        "Normalisation by the event's own statistics",
        TABLE,
        "LayerNormalization GroupNormalization RMSNormalization UnitNormalization",
        "Normalize LayerNorm RMSNorm",
        "{,native_}layer_norm {,native_}group_norm instance_norm rms_norm",
        "LayerNormalization GroupNormalization InstanceNormalization RMSNormalization LpNormalization "
        "MeanVarianceNormalization",
    ),
    Row(
        "Attention of several heads",
        TABLE,
        "MultiHeadAttention {Group,Grouped}QueryAttention",
        "",
        "",
        "",
        STRATEGIES,
    ),
    Row(
        "Attention",
        TABLE,
        "Attention AdditiveAttention",
        "DotProductAttention",
        "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu",
        "Attention",
    ),
    Row(
        "Recurrent layers, in both directions and of several layers",
        TABLE,
        "SimpleRNN LSTM GRU Bidirectional RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D",
        "",
        "rnn_tanh rnn_relu lstm gru {rnn_tanh,rnn_relu,lstm,gru}_cell",
        "RNN LSTM GRU",
        STRATEGIES,
    ),
    Row("Softmax", TABLE, "Softmax", "Softmax LogSoftmax", "{,_}softmax {,_}log_softmax", "Softmax LogSoftmax"),
    Row("Embedding", ROUNDED, "Embedding", "", "embedding"),
    Row("Sums and differences", EXACT, "Add Subtract", "Add Subtract", "add sub rsub", "Add Sub Sum"),
    Row("Product of elements", EXACT, "Multiply", "Multiply", "mul multiply", "Mul"),
    Row("Mean of tensors", ROUNDED, "Average", "", "", "Mean"),
    Row("Largest and smallest of tensors", EXACT, "Maximum Minimum", "Maximum Minimum", "maximum minimum max min", "Max Min"),
    Row("Quotient", TABLE, "", "{,True}Divide Reciprocal", "div true_divide reciprocal", "Div Reciprocal"),
    Row("Powers and roots", TABLE, "", "Power Square Sqrt Rsqrt", "pow square sqrt rsqrt", "Pow Sqrt"),
    Row(
        "Sum, product, largest, smallest over axes",
        EXACT,
        "",
        "Sum Prod Max Amax Min Amin",
        "sum prod amax amin",
        "ReduceSum ReduceProd ReduceMax ReduceMin ReduceSumSquare",
    ),
    Row("Sums up to each element", EXACT, "", "Cumsum", "cumsum", "CumSum"),
    Row("Mean over axes", ROUNDED, "", "Mean Average", "mean", "ReduceMean"),
    Row(
        "Variance, norms, logarithms of sums over axes",
        TABLE,
        "",
        "Var Std Norm Moments Logsumexp Logaddexp",
        "var std linalg_vector_norm norm logsumexp logaddexp",
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp",
    ),
    Row(
        "Largest elements in order, and their places",
        EXACT,
        "",
        "TopK Sort Argmax Argmin",
        "topk sort argmax argmin",
        "TopK ArgMax ArgMin",
    ),
    Row(
        "ReLU and other functions of straight lines",
        ROUNDED,
        "ReLU LeakyReLU PReLU ThresholdedReLU",
        "ReLU Relu Relu6 LeakyRelu Clip Threshold HardTanh HardSigmoid HardSilu SparseSigmoid HardShrink SoftShrink "
        "Absolute Negative Sign",
        "relu relu6 leaky_relu prelu rrelu clamp clamp_min clamp_max clip threshold hardtanh hardsigmoid hardswish hardshrink "
        "softshrink abs neg sign",
        "Relu LeakyRelu PRelu Clip ThresholdedRelu HardSigmoid HardSwish Shrink Abs Neg Sign",
    ),
    Row(
        "Curved functions",
        TABLE,
        "ELU",
        "Sigmoid Tanh Softplus Softsign Selu Silu Exp Log Erf Sin Cos Mish LogSigmoid TanhShrink Elu Celu Gelu Glu Squareplus",
        "sigmoid tanh softplus selu silu exp log erf sin cos mish log_sigmoid elu celu gelu glu",
        "Sigmoid Tanh Softplus Softsign Selu Exp Log Erf Sin Cos Mish Elu Celu Gelu Swish",
    ),
    Row("A function by its name, or a layer over time", ROUNDED, "Activation TimeDistributed SpectralNormalization"),
    Row(
        "Other axes for the same elements",
        EXACT,
        "Flatten Reshape Permute",
        "Reshape Transpose Squeeze ExpandDims Swapaxes Moveaxis",
        "view{,_as} _unsafe_view reshape{,_as} flatten unflatten squeeze unsqueeze permute transpose t "
        "{m,numpy_}T swapaxes swapdims movedim moveaxis adjoint mH",
        "Reshape Flatten Transpose Squeeze Unsqueeze",
    ),
    Row("Joining tensors", EXACT, "Concatenate", "Concatenate Stack Hstack", "cat concat concatenate {h,d,}stack", "Concat"),
    Row(
        "Parts of a tensor",
        EXACT,
        "SlicingOpLambda Cropping{1,2,3}D",
        "GetItem Slice Split Unstack Take TakeAlongAxis ExtractPatches",
        "slice select narrow chunk {h,tensor_,}split split_with_sizes unbind index index_select gather take_along_dim im2col",
        "Slice Split Gather GatherElements GatherND",
    ),
    Row(
        "Sums at constant places",
        ROUNDED,
        "",
        "",
        "index_add scatter_add scatter_reduce",
    ),
    Row("Elements at constant places", EXACT, "", "", "scatter", "ScatterElements"),
    Row(
        "Layers of the field, by name and config",
        TABLE,
        "GarNet GarNetStack GravNet GlobalExchange KLLoss Sampling",
    ),
    Row(
        "Padding",
        EXACT,
        "ZeroPadding{1,2,3}D",
        "Pad",
        "pad constant_pad_nd reflection_pad{1,2,3}d replication_pad{1,2,3}d",
        "Pad",
    ),
    Row(
        "Repeating and turning",
        EXACT,
        "RepeatVector",
        "Repeat Tile BroadcastTo Flip Roll",
        "repeat tile repeat_interleave expand expand_as broadcast_to flip fliplr roll channel_shuffle",
        "Tile Expand",
    ),
    Row(
        "Upsampling and resizing",
        ROUNDED,
        "UpSampling{1,2,3}D Resizing",
        "Resize",
        "upsample_nearest{1,2,3}d _upsample_nearest_exact{1,2,3}d upsample_{linear1,bilinear2,trilinear3}d",
        "Resize Upsample",
    ),
    Row(
        "Channels to blocks of space and back",
        EXACT,
        "",
        "DepthToSpace SpaceToDepth",
        "pixel_shuffle pixel_unshuffle",
        "DepthToSpace SpaceToDepth",
    ),
    Row("Choice by a constant mask", EXACT, "", "Where Tril Triu", "where masked_fill tril triu", "Where Trilu"),
    Row(
        "Nothing at inference",
        EXACT,
        "ActivityRegularization {,Alpha,Gaussian}Dropout GaussianNoise Identity SpatialDropout{1,2,3}D",
        "Copy StopGradient Cast",
        "dropout alpha_dropout feature_dropout native_dropout clone detach alias contiguous lift_fresh_copy _to_copy "
        "requires_grad positive to type_as",
        "Identity Dropout Cast",
    ),
    Row(
        "Sizes and constants",
        EXACT,
        "",
        "{Ones,Zeros,Full}Like",
        "{ones,zeros,full}_like new_{ones,zeros,full}",
        "Shape Size",
    ),
)  # fmt: skip

COLUMNS = (("Keras", "keras"), ("keras.ops", "operations"), ("PyTorch (aten)", "torch"), ("ONNX", "onnx"))

_INTRO = """\
# Layers

What is read, by each framework's own names; `nn2hls layers` prints the same. A layer or an option that is not here is refused
by name, all of them at once. The batch is the first axis of inputs and outputs, and no layer mixes events; inside, tensors may
have it elsewhere, as attention has it.

*exact*: nothing but the layer's result is rounded. *constants rounded*: so are weights and other constants, each to its type.
*table*: values come from tables, whose error bound a note of the design states. `Strategy` and `ReuseFactor` concern layers
that multiply with constants: {strategies}.

Convolutions are a Move to what the kernel sees at each position, and a Dense layer over it; depthwise and grouped ones have
zeros where channels do not meet, and zeros cost nothing. PyTorch and ONNX have channels first, and so have their ports here.
Padding is never the largest element of a pooling window. Masks of attention are constants; what they hide is left out of the
softmax. Constants that add {hides:g} or less before a softmax hide as well.

The steps of a recurrent layer stand side by side: one event every clock, and as much hardware as there are steps. With
`TimeStepLoopParallelism: Off`, for all or under `LayerName`, one step is built, its states are registers, and an event takes
the clocks of a step times the steps, with the same answers; for Verilog, Vitis and Vivado. With io_stream that is the usual
way: a step takes a token, and sends one, or one after the last step; a layer that runs backwards collects the sequence first,
and `estimate` names it. `LayerName`
takes `NAME` for all of a layer and these for one part of it, in every step; a step has the name `NAME_cell_step3` in reports.
LSTM: `input_gate`, `forget_gate`, `candidate`, `output_gate`, behind each `_sigmoid` or `_tanh` its function, `kept`,
`written`, `cell`, `cell_tanh`, `hidden`, and `unprojected` before a projection. GRU: `update_gate`, `reset_gate`, `candidate`
with `_element`, `_recurrent` and `_reset`, `difference`, `change`, `hidden`. SimpleRNN: `hidden`. ConvLSTM: as LSTM, the
gates with `_element` and `_recurrent`. An RNN has the words of its cell, behind `cell0_`, `cell1_` .. where they are several.
Before them stands `forward_`
or `backward_` in a layer of both directions, and `l0_`, `l1_` .. in a PyTorch module of several layers. Every step begins with
the state that the one before it left, and every event with zeros, with the states that it is given, or, in a `stateful` layer,
with those that the event before left ([States from event to event](recurrent.md)). Masked and ragged sequences, `clip`,
peepholes and `sequence_lens` are refused.

"""


def page() -> str:
    """docs/layers.md: ``python -m nn2hls.converters.catalogue > docs/layers.md``."""
    from nn2hls.converters.lower.arith import HIDES

    head = ["layer", "numbers", *(title for title, _ in COLUMNS)]
    lines = [_INTRO.format(strategies=STRATEGIES, hides=HIDES), _line(head), _line(["---"] * len(head))]
    for row in ROWS:
        names = [", ".join(f"`{word}`" for word in getattr(row, column).split()) for _, column in COLUMNS]
        what = f"**{row.what}**" if row.strategies else row.what
        lines.append(_line([what, row.numbers, *names]))
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n\nLayers in bold take `Strategy` and `ReuseFactor`.\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print(page(), end="")
