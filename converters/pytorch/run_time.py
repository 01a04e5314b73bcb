"""Programs whose scales are chosen at run time (``is_dynamic=True``): linear layers of values in steps of their range."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from nn2hls.converters.lower import arith, each_event
from nn2hls.converters.lower import linear as lowered
from nn2hls.converters.lower.each_event import Weights
from nn2hls.converters.lower.quantised import positive
from nn2hls.converters.lower.value import Refusal, Site, Tensor
from nn2hls.converters.pytorch.context import Args, Lowering, Measured, Value
from nn2hls.ops import Op

LIBRARY = "torch.ops.quantized_decomposed."
READERS = frozenset((
    "linear.default", f"{LIBRARY}quantize_per_tensor.tensor", f"{LIBRARY}dequantize_per_tensor.tensor",
))  # fmt: skip
BATCH = (
    "choose_qparams takes one scale for all events of a batch, and a design sees one event: its answers are those of PyTorch "
    "for batches of one."
)
_NEAR = 2.0**-20  # of a step: float32 weights are so near to whole numbers times their scale


def ends(a: Args) -> tuple[int, int]:
    """The smallest and the largest whole number."""
    a.get("dtype"), a.get("out_dtype")
    low, high = (a.number(name) for name in ("quant_min", "quant_max"))
    if any(end != int(end) or abs(end) > 1 << 31 for end in (low, high)):
        raise Refusal(f"its whole numbers from {low:g} to {high:g} are not offered")
    return int(low), int(high)


def choose(c: Lowering, a: Args) -> Sequence[Value]:
    """Scale and zero point of a tensor, which are one value here."""
    x, (low, high), epsilon = a.tensor("input"), ends(a), a.number("eps")
    if not low <= 0 < high or not 0 <= epsilon < 1:
        raise Refusal(f"its whole numbers from {low} to {high} and scales from {epsilon:g} on are not offered")
    if c.batch != 1:
        warnings.warn(BATCH, UserWarning, stacklevel=2)
    numbers, size = each_event.by_range(c, x, range(len(x.shape)), high - low, epsilon)
    found = Measured(x, numbers, size, (low, high))
    return [found, found]


def quantize(a: Args) -> Measured:
    """The tensor by its own scale."""
    chosen = _chosen(a)
    if a.tensor("input") != chosen.x:
        raise Refusal("its scale is that of another tensor; quantise it with calibration data, is_dynamic=False")
    return chosen


def dequantize(a: Args) -> Measured:
    """The same again."""
    if a.get("input") is not _chosen(a):
        raise Refusal("its scale is not the one that it was quantised by; quantise it with calibration data, is_dynamic=False")
    return _chosen(a)


def _chosen(a: Args) -> Measured:
    found = a.get("scale")
    if not isinstance(found, Measured) or a.get("zero_point") is not found or ends(a) != found.ends:
        raise Refusal("its scale, zero point and ends are not those of one choose_qparams; export it again")
    return found


def dequantized(c: Lowering, found: Measured) -> Tensor:
    """The tensor as values again, for what is no linear layer; of a type that is derived, for it is a float there."""
    return arith.scale(c.step("values"), arith.multiply(c.step("values_sized"), found.numbers, found.size), 1 / found.count)


def linear(c: Lowering, a: Args) -> Value:
    """A linear layer with whole weights."""
    x, weight, bias, scales = a.get("input"), a.const("weight"), a.const("bias"), c.scales_of_call()
    if not isinstance(x, Measured) or weight is None or weight.ndim != 2 or not scales:
        raise Refusal("its values have a scale of each event and its weights none; quantise both, or use is_dynamic=False")
    scale = np.asarray(scales[0], np.float64).reshape(-1)
    positive(scale)
    exact = weight.T.astype(np.float64) / scale if scale.size in (1, len(weight)) else np.full((1, 1), 0.5)
    whole = np.rint(exact)
    if np.any(np.abs(exact - whole) > _NEAR * np.maximum(np.abs(whole), 1)):
        raise Refusal("its weights are not whole numbers times their scales; export it again")
    own = Weights(whole, scale.reshape(()) if scale.size == 1 else scale, None if bias is None else bias.reshape(-1))
    total = lowered.dense(_Whole(c), x.numbers, whole)
    return each_event.scaled(c, total, x.size, own, x.count)


class _Whole(Site):
    """Where the sums of whole numbers go."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering, self.builder = lowering, lowering.builder

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:
        return self.lowering.add_whole(op, nodes, "product")
