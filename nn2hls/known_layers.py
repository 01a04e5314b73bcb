"""Layers by the names that Keras, PyTorch, ONNX and hls4ml have for them: what is offered, what comes later, what never does.

A name that stands here is known, so that no message takes it for a misspelt one.
"""

from __future__ import annotations

from collections.abc import Mapping

_KERAS_OFFERED = """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention Average
    AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization Bidirectional
    Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D
    Convolution1D
    Convolution1DTranspose Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D
    Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout EinsumDense ELU Embedding Flatten
    GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D
    GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalMaxPooling3D GroupedQueryAttention GroupNormalization GroupQueryAttention GRU Identity
    InputLayer LayerNormalization LeakyReLU LocallyConnected1D LocallyConnected2D LSTM Maximum MaxPool1D MaxPool2D
    MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Minimum MultiHeadAttention Multiply Normalization Permute PReLU
    ReLU RepeatVector Rescaling Reshape Resizing RMSNormalization RNN SeparableConv1D SeparableConv2D SeparableConvolution1D
    SeparableConvolution2D SimpleRNN SlicingOpLambda Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D
    SpectralNormalization Subtract TFOpLambda ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D
    UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
_KERAS_COMING = """
    TensorFlowOpLayer
"""
# Layers of the field that are no part of Keras: read by their name and config.
FIELD = frozenset({"GarNet", "GarNetStack", "GlobalExchange", "GravNet", "KLLoss", "Sampling"})
_BEFORE = "do this before the data enters the design, and leave the layer out of the model"
_FOREIGN = "it holds code of another framework; build the model from Keras layers, or convert that framework's model"
_BINARY = (
    "its file does not say what its code makes of a weight, as those with H, kernel_lr_multiplier and bias_lr_multiplier do; "
    "use {} with the binary or ternary weights that it computes with, as floats, and `weight: ap_int<2>` in the config"
)
# Classes of many people's own, under one name: what to do where the config is not that of BinaryNet.
OWN_CLASSES = {
    **dict.fromkeys(("BinaryDense", "TernaryDense"), _BINARY.format("Dense")),
    **dict.fromkeys(("BinaryConv2D", "TernaryConv2D"), _BINARY.format("Conv2D")),
}
_KERAS_PREPROCESSING = """
    AugMix AutoContrast CategoryEncoding CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix Discretization
    Equalization HashedCrossing Hashing IntegerLookup MaxNumBoundingBoxes MelSpectrogram MixUp Pipeline RandAugment
    RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
    RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective
    RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth
    RandomZoom STFTSpectrogram Solarization StringLookup TextVectorization DenseFeatures SparseEmbedding
"""
_CELL = "a cell stands in a layer that runs it over a sequence: put it into an RNN"
_KERAS_NEVER = {
    **dict.fromkeys(("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"), _CELL),
    **OWN_CLASSES,
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), _FOREIGN),
    **dict.fromkeys(_KERAS_PREPROCESSING.split(), _BEFORE),
    "Layer": "a layer without a class of its own",
    "Masking": "masks that depend on the data are not built; pad events to one length, and multiply by an input of 0 and 1",
    "ReversibleEmbedding": "use Embedding and Dense",
    "Wrapper": "leave the wrapper out: save the layer that it holds",
}
# Operations of keras.ops that come; every other one is not offered.
_KERAS_OPERATIONS_COMING = """
    Ceil Equal Floor Greater GreaterEqual Less LessEqual NotEqual OneHot Round
"""
_ACROSS = "it works over the batch axis, and each event must be computed for itself; name other axes"
_KERAS_OPERATIONS_NEVER = dict.fromkeys(("Outer", "Ravel", "Vdot", "Vstack"), _ACROSS)
_QUANTISED_LAYERS = """
    FixedPointQuantizer HActivation HAdd HConv1D HConv2D HDense HQuantize QActivation QAdaptiveActivation QAdd
    QAffinedUnaryFunctionLUT QAverage QAveragePooling1D QAveragePooling2D QAveragePooling3D QAveragePow2 QBatchNormDense
    QBatchNormalization QConv1D QConv2D QConv2DBatchnorm QConv3D QConvT1D QConvT2D QDense QDenseBatchnorm QDenseT
    QDepthwiseConv2D QDepthwiseConv2DBatchnorm QDot QEinsum QEinsumDense QEinsumDenseBatchnorm QEinsumDenseT QGRU
    QGlobalAveragePooling1D QGlobalAveragePooling2D QGlobalAveragePooling3D QGlobalMaxPooling1D QGlobalMaxPooling2D
    QGlobalMaxPooling3D QLSTM QLinformerAttention QLinformerAttentionT QMaxPooling1D QMaxPooling2D QMaxPooling3D QMaximum
    QMeanPow2 QMinimum QMultiHeadAttention QMultiHeadAttentionT QMultiply QSeparableConv1D QSeparableConv2D QSimpleRNN QSoftmax
    QSubtract QSum QUnaryFunctionLUT Quantizer UnaryLUT
"""

_TORCH_MODULES = """
    AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AlphaDropout
    AvgPool1d AvgPool2d AvgPool3d BatchNorm1d BatchNorm2d BatchNorm3d Bilinear CELU ChannelShuffle ConstantPad1d ConstantPad2d
    ConstantPad3d Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CosineSimilarity Dropout Dropout1d
    Dropout2d Dropout3d ELU Embedding EmbeddingBag FeatureAlphaDropout Flatten Fold GELU GLU GRU GRUCell GroupNorm Hardshrink
    Hardsigmoid Hardswish Hardtanh Identity InstanceNorm1d InstanceNorm2d InstanceNorm3d LPPool1d LPPool2d LSTM LSTMCell
    LayerNorm LeakyReLU Linear LocalResponseNorm LogSigmoid LogSoftmax MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d
    Mish MultiheadAttention PReLU PairwiseDistance PixelShuffle PixelUnshuffle RMSNorm RNN RNNCell RReLU ReLU ReLU6
    ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus
    Softshrink Softsign SyncBatchNorm Tanh Tanhshrink Threshold Transformer TransformerDecoder TransformerDecoderLayer
    TransformerEncoder TransformerEncoderLayer Unflatten Unfold Upsample UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d
    ZeroPad2d ZeroPad3d
"""
# Operators of aten, without overload, that come; every other one that is not offered today is not offered at all.
_ATEN_COMING = """
    _native_batch_norm_legit _transformer_encoder_layer_fwd bilinear ceil copy eq floor ge gt le lt ne round
    scalar_tensor unfold
"""
_ONNX_OFFERED = """
    Abs Add ArgMax ArgMin Attention AveragePool BatchNormalization Cast Celu Clip Concat Constant Conv ConvInteger
    ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu Erf Exp Expand Flatten Gather GatherElements
    GatherND ScatterElements Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization GRU HardSigmoid HardSwish
    Identity InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax LpNormalization LpPool LSTM MatMul MatMulInteger
    Max MaxPool Mean MeanVarianceNormalization Min Mish Mul Neg Pad Pow PRelu QLinearConv QLinearMatMul QuantizeLinear
    Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize RMSNormalization RNN Selu Shape Shrink Sigmoid Sign Sin Size Slice Softmax
    Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tanh ThresholdedRelu Tile TopK Transpose Trilu
    Unsqueeze Upsample Where
"""
_ONNX_COMING = """
    Ceil Equal Floor Greater GreaterOrEqual Hardmax Less LessOrEqual OneHot Round Scan SwiGLU
"""
ONNX_QUANTISERS = frozenset(("Quant", "BipolarQuant", "IntQuant", "FloatQuant", "Trunc"))
LABELS = "it makes a label of the network's answers, which stays outside of a design"
_TREES = "nn2hls offers networks; for trees there is conifer"
_OUTSIDE = "do it before the data enters the design, and cut the model behind it"
_ONNX_PREPROCESSING = """
    DictVectorizer FeatureVectorizer Imputer Normalizer OneHotEncoder StringNormalizer TfIdfVectorizer
"""
_ONNX_NEVER = {
    **dict.fromkeys(("ZipMap", "ArrayFeatureExtractor", "LabelEncoder", "CategoryMapper", "CastMap", "Binarizer"), LABELS),
    **dict.fromkeys(("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"), _TREES),
    **dict.fromkeys(_ONNX_PREPROCESSING.split(), _OUTSIDE),
    "DynamicQuantizeLinear": (
        "its scale comes from the values of each event, as is offered for products of weights that quantize_dynamic wrote; "
        "quantise with calibration data, as onnxruntime.quantization.quantize_static does"
    ),
    "LRN": "local response normalisation is no part of today's networks; use BatchNormalization, which costs no divider",
    **dict.fromkeys(
        ("If", "Loop"),
        "export the model without control flow, for one shape of the input, recurrent layers of Keras with unroll=True; "
        "Keras' own files are read",
    ),
    **dict.fromkeys(("SVMClassifier", "SVMRegressor"), "nn2hls offers networks, no support vector machines"),
}
_HLS4ML_TYPES = """
    Activation ApplyAlpha BatchNormOnnx BatchNormalization BatchNormalizationQuantizedTanh BiasAdd Bidirectional BipolarQuant
    Broadcast Clone Concatenate Constant Conv Conv1D Conv2D Conv2DBatchnorm Cropping1D Cropping2D DACombinational Dense
    DepthwiseConv1D DepthwiseConv2D Dot Einsum EinsumDense Embedding FixedPointQuantizer GRU GarNet GarNetStack
    GlobalPooling1D GlobalPooling2D HardActivation IFNeuron Input InputLayer LIFNeuron LSTM LayerGroup LayerNormalization
    MatMul Merge PReLU ParametrizedActivation PointwiseConv1D PointwiseConv2D Pooling1D Pooling2D Quant Repack Reshape Resize
    SNNReadout SeparableConv1D SeparableConv2D SimpleRNN Softmax SymbolicExpression TernaryTanh TimeDistributed Transpose
    UnaryLUT ZeroPadding1D ZeroPadding2D
"""

QUANTISED_LAYERS = frozenset(_QUANTISED_LAYERS.split())
KERAS_COMING = frozenset(_KERAS_COMING.split())
KERAS = frozenset(_KERAS_OFFERED.split()) | KERAS_COMING | _KERAS_NEVER.keys()
ONNX = frozenset(_ONNX_OFFERED.split()) | frozenset(_ONNX_COMING.split()) | _ONNX_NEVER.keys()
_TYPES = frozenset(
    name.lower()
    for names in (KERAS, FIELD, QUANTISED_LAYERS, ONNX, ONNX_QUANTISERS, _TORCH_MODULES.split(), _HLS4ML_TYPES.split())
    for name in names
)
_ACTIVATIONS_COMING = frozenset(("sparse_plus", "threshold"))
_SPARSEMAX = {"sparsemax": "take softmax, or leave it out of the model"}
_QUANTISED_ACTIVATIONS = """
    quantized_bits quantized_relu quantized_tanh quantized_sigmoid quantized_po2 quantized_relu_po2 binary stochastic_binary
    ternary stochastic_ternary binary_tanh ternary_tanh bernoulli
"""
QUANTISED_ACTIVATIONS = frozenset(_QUANTISED_ACTIVATIONS.split())
_WAYS: dict[str, tuple[frozenset[str], Mapping[str, str]]] = {
    "Keras": (KERAS_COMING, _KERAS_NEVER),
    "keras.ops": (frozenset(_KERAS_OPERATIONS_COMING.split()), _KERAS_OPERATIONS_NEVER),
    "activation": (_ACTIVATIONS_COMING, _SPARSEMAX),
    "aten": (frozenset(_ATEN_COMING.split()), {}),
    "ONNX": (frozenset(_ONNX_COMING.split()), _ONNX_NEVER),
}


def is_layer_type(name: str) -> bool:
    """Whether a class of layers, in any case, is one that a framework or hls4ml has."""
    return name.lower() in _TYPES


def not_offered(framework: str, name: str, otherwise: str = "") -> str:
    """Why a known layer is refused: it comes later, or it is not offered at all, and then what to do.

    Args:
        framework: ``Keras``, ``keras.ops``, ``activation``, ``aten`` or ``ONNX``.
        name: Its name there.
        otherwise: What to do where nothing better is known.
    """
    coming, never = _WAYS[framework]
    if name in coming:
        return f"{name} is not offered yet; it comes later"
    way_out = never.get(name, otherwise)
    return f"{name} is not offered" + (f": {way_out}" if way_out else "")
