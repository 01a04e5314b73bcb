"""HGQ2's functions by table: a quantised function of a quantised value, and the softmax that is made of two of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn2hls.converters.keras import hgq_quantisers
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.hgq_quantisers import Quantiser
from nn2hls.converters.keras.hgq_weights import quantiser_arrays
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import arith, moves, quantised, reductions, tables
from nn2hls.converters.lower.tables import Function
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.lower.value import Site as LowerSite
from nn2hls.graph.const import Places
from nn2hls.guard import shortened
from nn2hls.ops import Merge, Reduce, Reduction

EPSILON = np.float32(1e-7)  # keras.config.epsilon(), which the inverse adds
_IDLE = ("enable_ebops", "ebops_factor", "beta0", "parallelization_factor", "allow_heterogeneous_table")
_ONE, _HALF = np.float32(1), np.float32(0.5)

# Functions of float32, as Keras has them.
FUNCTIONS: Mapping[str, Function] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "tanh": np.tanh,
    "sigmoid": lambda x: _ONE / (_ONE + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(x / 6 + _HALF, 0, 1).astype(np.float32),
    "exponential": np.exp,
    "softplus": lambda x: np.logaddexp(x, np.float32(0)),
    "softsign": lambda x: x / (_ONE + np.abs(x)),
    "silu": lambda x: x / (_ONE + np.exp(-x)),
    "swish": lambda x: x / (_ONE + np.exp(-x)),
    "gelu": lambda x: x * _HALF * (1 + np.vectorize(math.erf)(x / math.sqrt(2))).astype(np.float32),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x: np.where(x > 0, x, x * np.float32(0.2)),
}


def function_of(value: Any) -> Function:
    """The function of a config.

    Raises:
        Refusal: It is none of Keras' own that are offered; code of a model is never run.
    """
    if not isinstance(value, str) or value not in FUNCTIONS:
        raise Refusal(f"its function {shortened(value)} is not offered as a table; {', '.join(FUNCTIONS)} are")
    return FUNCTIONS[value]


def tabled(
    layer: Layer, part: str, function: Function, before: Quantiser, behind: Quantiser, *, entered: str = ""
) -> Callable[..., Tensor]:
    """What a site makes of a value: the cast of it, then the quantised function of that by table.

    Args:
        layer: Whose arrays the quantisers have.
        part: The folder of its table, with a slash, or nothing.
        function: Of float32.
        before, behind: The quantisers of what enters, and of what leaves.
        entered: Where what enters is cast already, the part of the layer whose arrays that quantiser has.
    """
    entering, leaving = (quantiser_arrays(layer, word) for word in (entered or f"{part}iq", f"{part}oq"))
    cast = hgq_quantisers.cast(before, entering)
    if cast is None or before.affine is not None or behind.affine is not None or behind.never_wraps:
        raise Refusal("the quantisers of its table have an 'affine' or are made for weights, which is not offered")
    kind = before.bits(entering).address
    found, types = tables.words(function, kind, behind.bits(leaving))
    which = types[0] if types.ndim else types  # without the batch; none where one type is that of all

    def apply(site: LowerSite, x: Tensor) -> Tensor:
        return quantised.table(site, x if entered else cast(site.step("iq"), x), kind, found, which)

    return apply


def _needed(layer: Layer, part: str) -> Quantiser:
    found = hgq_quantisers.read(layer.value(f"{part}_conf"))
    if found is None:
        raise Refusal(f"it has no quantiser '{part}', without which its function is no table")
    return found


def unary(layer: Layer) -> Prepared:
    """QUnaryFunctionLUT, and QAffinedUnaryFunctionLUT, which is one of x * scale + bias."""
    layer.read.update((*_IDLE, "allow_heterogeneous_input"))
    if not (layer.flag("enable_iq", True) and layer.flag("enable_oq", True)):
        raise Refusal("it has no quantiser of what enters or of what leaves, without which its function is no table")
    function, before, behind = function_of(layer.value("activation")), _needed(layer, "iq"), _needed(layer, "oq")

    def at_line(x: np.ndarray) -> np.ndarray:
        if "scale" not in layer.weights:
            return function(x)
        factor, offset = (layer.weights[name].astype(np.float32) for name in ("scale", "bias"))
        return function(x * factor + offset)

    return lambda site: tabled(layer, "", at_line, before, behind)(site, site.tensor)


def softmax(layer: Layer, keep: np.ndarray | None = None) -> Callable[[Site], Tensor]:
    """e[i] / sum of e, e = exp(x[i] - max x) by table; one over the sum by table, too.

    Args:
        layer: A QSoftmax.
        keep: Which elements of x count, constant; the others are zero in the result. None: all.
    """
    layer.read.update(_IDLE)
    stable, scale = layer.flag("stable", True), np.float32(layer.number("input_scaler", default=1.0))
    entering = hgq_quantisers.read(layer.value("iq_conf")) if layer.flag("enable_iq", False) else None
    leaving = hgq_quantisers.read(layer.value("oq_conf")) if layer.flag("enable_oq", False) else None
    axes, inverse = layer.integers("axes"), [_needed(layer, f"inv_{word}") for word in ("iq", "oq")]
    exp_out = _needed(layer, "exp_oq")
    exp_in = _needed(layer, "exp_iq") if stable else None
    before = exp_in if stable else entering
    if before is None:
        raise Refusal("'stable' = False is not offered without a quantiser of what enters; train with the stable one")

    def compute(site: Site) -> Tensor:
        x, over = site.tensor, site.tensor.axes(axes)
        if entering is not None:
            cast = hgq_quantisers.cast(entering, quantiser_arrays(layer, "iq"))
            x = x if cast is None else cast(site.step("iq"), x)
        if stable:
            highest = _highest(site.step("max"), x, over, keep)
            x = arith.merge(site.step("below"), Merge.SUB, [highest, x], ranks=False)
        sign = -scale if stable else scale
        exponential = tabled(layer, "exp_table/", lambda v: np.exp(v * sign), before, exp_out, entered="" if stable else "iq")
        e = exponential(site.step("exp"), x)
        if keep is not None:
            e = moves.where(site.step("seen"), keep, e, np.zeros(()))
        total = reductions.reduce(site.step("sum"), e, Reduction.SUM, over, keepdims=True)
        one_over = tabled(layer, "inv_table/", lambda v: _ONE / (v + EPSILON), *inverse)
        divisor = one_over(site.step("inv"), total)
        if leaving is None:
            return arith.merge(site, Merge.MUL, [e, divisor], ranks=False)
        product = arith.merge(site.step("product"), Merge.MUL, [e, divisor], ranks=False)
        last = hgq_quantisers.cast(leaving, quantiser_arrays(layer, "oq"))
        return product if last is None else last(site, product)

    return compute


def _highest(site: LowerSite, x: Tensor, axes: tuple[int, ...], keep: np.ndarray | None) -> Tensor:
    """The largest of the elements that count."""
    if keep is None:
        return reductions.reduce(site, x, Reduction.MAX, axes, keepdims=True)
    return site.emit(Reduce(Reduction.MAX, axes, keepdims=True, present=Places(keep.astype(np.int64))), x)


LAYERS: dict[str, Entry] = {
    **dict.fromkeys(("QUnaryFunctionLUT", "QAffinedUnaryFunctionLUT"), unary),
    "QSoftmax": softmax,
}
