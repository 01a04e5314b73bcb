"""The closed set of ops: one module per family, one line per op."""

from nn2hls.arith.functions import Function
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.op import Op
from nn2hls.ops.activation import Clip, LeakyRelu, Relu, Simple, Threshold, Unary
from nn2hls.ops.carry import Carry
from nn2hls.ops.dense import Dense
from nn2hls.ops.divide import Divide
from nn2hls.ops.elementwise import Elementwise, Merge
from nn2hls.ops.embedding import Embedding
from nn2hls.ops.gather import Gather
from nn2hls.ops.hard import HardSigmoid, HardSwish
from nn2hls.ops.inverse import Normalised
from nn2hls.ops.lookup import Lookup
from nn2hls.ops.matmul import MatMul
from nn2hls.ops.move import Move
from nn2hls.ops.norm import Norm
from nn2hls.ops.order import TopK
from nn2hls.ops.portion import Portion
from nn2hls.ops.products.affine import Strategy
from nn2hls.ops.quantize import Quantize
from nn2hls.ops.quantize_each import QuantizeEach
from nn2hls.ops.reduce import Reduce, Reduction
from nn2hls.ops.scale import Scale
from nn2hls.ops.scan import Scan
from nn2hls.ops.shape import Concatenate, Reshape, Transpose
from nn2hls.ops.softmax import Softmax
from nn2hls.ops.steps import Steps
from nn2hls.ops.table import Table

__all__ = [
    "Carry",
    "Clip",
    "Concatenate",
    "Constant",
    "Dense",
    "Divide",
    "Elementwise",
    "Embedding",
    "Function",
    "Gather",
    "HardSigmoid",
    "HardSwish",
    "Input",
    "LeakyRelu",
    "Lookup",
    "MatMul",
    "Merge",
    "Move",
    "Norm",
    "Normalised",
    "Op",
    "Portion",
    "Quantize",
    "QuantizeEach",
    "Reduce",
    "Reduction",
    "Relu",
    "Reshape",
    "Scale",
    "Scan",
    "Simple",
    "Softmax",
    "Steps",
    "Strategy",
    "Table",
    "Threshold",
    "TopK",
    "Transpose",
    "Unary",
]
