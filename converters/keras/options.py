"""Which options of a layer change nothing that is read here; every other one must be read, or the layer is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nn2hls.converters.keras.model import Layer, Model
from nn2hls.guard import shortened

# What concerns training and saving alone.
_TRAINING = """
    name trainable dtype dynamic batch_input_shape batch_shape input_shape rate noise_shape stddev seed l1 l2 momentum
    renorm_momentum renorm_clipping virtual_batch_size fused dropout power_iterations synchronized optional sparse
    autocast ragged flash_attention recurrent_dropout unit_forget_bias implementation unroll use_cudnn zero_output_for_mask
    ema_freeze_delay quantization_config quantization_mode lora_alpha
"""
# What the shapes of the weights, or the operands, say again.
_SAID = """
    units filters depth_multiplier input_dim output_dim input_length num_heads num_query_heads num_key_value_heads key_dim
    value_dim head_dim output_shape query_shape key_shape value_shape shared_axes num layer sorted function center scale
"""
_INERT = frozenset((*_TRAINING.split(), *_SAID.split()))
_ENDS = ("_initializer", "_regularizer", "_constraint")
# Options that may stand in a file with this value where a layer does not read them.
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "groups": (1,),
    "data_format": ("channels_last",),
    "fill_mode": ("constant",),
    "fill_value": (0, 0.0),
    "dilation_rate": (1, [1], [1, 1], [1, 1, 1]),
}


def not_understood(layer: Layer) -> Iterator[str]:
    """Why a layer that was lowered is refused: for each option that nothing has read and that is not known to be idle."""
    for key, value in layer.config.items():
        idle = key in layer.read or key in _INERT or key.endswith(_ENDS) or value is None or value is False
        if not idle and value not in _ONLY.get(key, ()):
            yield f"its option '{key[:40]}' = {shortened(value, 40)} is not understood; leave it out"
    if layer.inner is not None and not isinstance(layer.inner, Model):
        yield from not_understood(layer.inner)
