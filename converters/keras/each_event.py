"""``model.quantize("int8")`` of Keras as it is without more words: each event is divided by its own largest value."""

from __future__ import annotations

from typing import Any

from nn2hls.arith.fixed import Rounding
from nn2hls.converters.keras.emit import Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.lower import each_event
from nn2hls.converters.lower.each_event import Steps, Weights
from nn2hls.converters.lower.einsum import Equation
from nn2hls.converters.lower.value import Refusal, Tensor, plain

_EPSILON = 1e-6  # what Keras adds to the largest value: so much is nothing beside it, and breaks ties towards zero
_MOST = 1 << 15
DEFAULT: dict[str, Any] = {"class_name": "AbsMaxQuantizer", "config": {"value_range": [-127, 127], "epsilon": 1e-7}}


def steps(config: Any, mode: str) -> Steps | None:
    """How the values of a layer with this ``quantization_config`` and mode become whole numbers; None where they do not.

    Older versions of Keras 3 have no such config: values are quantised with eight bits, and not with four. With blocks of
    weights Keras leaves values as they are whatever the config says.

    Raises:
        Refusal: Its quantiser is not understood.
    """
    inner = config.get("config") if isinstance(config, dict) else None
    if isinstance(inner, dict):
        quantiser = inner.get("activation_quantizer")
    else:
        quantiser = DEFAULT if mode == "int8" else None
    if quantiser is None or mode not in ("int8", "int4", "int4/-1"):
        return None
    kind = quantiser.get("class_name") if isinstance(quantiser, dict) else None
    own = quantiser.get("config") if isinstance(quantiser, dict) else None
    if kind != "AbsMaxQuantizer" or quantiser.get("registered_name") or not isinstance(own, dict):
        raise Refusal(f"its activation quantiser {kind!r:.60} is not keras.quantizers.AbsMaxQuantizer, which is offered")
    ends, epsilon = own.get("value_range", [-127, 127]), own.get("epsilon", 1e-7)
    if not (isinstance(ends, (list, tuple)) and len(ends) == 2 and all(type(e) is int for e in ends)):
        raise Refusal(f"its activation quantiser has no whole numbers for its 'value_range', but {ends!r:.60}")
    if not 1 <= ends[1] <= -ends[0] <= _MOST:
        raise Refusal(f"its activation quantiser cuts values at {ends[0]} and {ends[1]}; ends such as -127 and 127 are offered")
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float)) or not 0 <= epsilon <= _EPSILON:
        raise Refusal(f"its activation quantiser adds an epsilon of {epsilon!r:.60}; from 0 to {_EPSILON:g} are offered")
    return Steps(ends[1], Rounding.RND_ZERO if epsilon else Rounding.RND_CONV)


def product(site: Site, layer: Layer, weights: Weights, how: Steps) -> Tensor:
    """The result of a Dense or EinsumDense layer without its activation."""
    if layer.kind == "Dense":
        return each_event.dense(site, site.tensor, weights, how)
    text = layer.value("equation")
    if not isinstance(text, str):
        raise Refusal(f"'equation' = {text!r:.80} is no equation")
    equation = Equation.read(text, [(1, *plain(site.tensor)), weights.numbers.shape])
    return each_event.einsum_constant(site, equation, site.tensor, weights, how)
