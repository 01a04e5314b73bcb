"""PQuantML's attention and its softmax of two tables, of PyTorch's own operators between casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nn2hls.converters.lower.value import Refusal
from nn2hls.converters.pytorch.pquant_casts import cast, table, used

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def softmax(module: Any) -> Any:
    """e[i] / sum of e, e = exp of max x - x[i] by table; one over the sum by table, too."""
    if not module.enable_quantization:
        raise Refusal("its tables are not quantised; use torch.nn.Softmax")
    entering, leaving, stable = cast(module, "input"), cast(module, "output"), bool(module.stable)
    exponential, inverse = module.exp_table, module.inv_table
    if not (stable or used(module, "input")):
        raise Refusal("it casts nothing that enters, without which its exponential is no table; set quantize_input=True")
    before_exp = cast(exponential, "input", "exp_iq") if stable else None
    asked = (exponential, "input") if stable else (module, "input")
    exp = table(exponential.activation_function, asked, (exponential, "output"), "exp")
    before_inv = cast(inverse, "input", "inv_iq")
    over = table(inverse.activation_function, (inverse, "input"), (inverse, "output"), "inv")
    axes = tuple(module.axes)

    def forward(inputs: Any, mask: Any = None) -> Any:
        x = _through(entering, inputs)
        if stable:
            x = x.amax(dim=axes, keepdim=True) - x
        e = exp(_through(before_exp, x))
        if mask is not None:
            e = mask.to(e.dtype) * e
        divisor = over(_through(before_inv, e.sum(dim=axes, keepdim=True)))
        return _through(leaving, e * divisor)

    return holding(forward)


def attention(module: Any, made: Callable[[Any], Any]) -> Any:
    """Scores of projected queries and keys, a softmax by table, sums of projected values, projected back.

    Args:
        module: A PQMultiheadAttention.
        made: What makes the modules that stand in for those that it holds.
    """
    q_proj, k_proj, v_proj, out_proj = (made(getattr(module, name)) for name in PROJECTIONS)
    weigh = softmax(module.softmax)
    heads, size, scale, batch_first = module.num_heads, module.head_dim, float(module.scale), bool(module.batch_first)

    def split(x: Any) -> Any:
        return x.reshape(x.shape[0], x.shape[1], heads, size).transpose(1, 2)

    def forward(
        query: Any, key: Any, value: Any, key_padding_mask: Any = None, attn_mask: Any = None, need_weights: bool = True
    ) -> tuple[Any, Any]:
        if not batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        q, k, v = split(q_proj(query)), split(k_proj(key)), split(v_proj(value))
        scores = q @ k.transpose(-2, -1)
        scores = scores if scale == 1 else scores * scale
        if attn_mask is not None:
            fits = {2: (1, 1, *attn_mask.shape), 3: (-1, heads, *attn_mask.shape[-2:])}
            scores = scores + attn_mask.reshape(fits.get(attn_mask.ndim, attn_mask.shape))
        mask = None if key_padding_mask is None else ~key_padding_mask[:, None, None]
        weights = weigh(scores, mask)
        seen = (weights @ v).transpose(1, 2).reshape(query.shape[0], query.shape[1], heads * size)
        back = out_proj(seen)
        back = back if batch_first else back.transpose(0, 1)
        return back, weights.mean(dim=1) if need_weights else None

    parts = zip((*PROJECTIONS, "softmax"), (q_proj, k_proj, v_proj, out_proj, weigh), strict=True)
    return holding(forward, **dict(parts))


def _through(step: Callable[[Any], Any] | None, x: Any) -> Any:
    return x if step is None else step(x)


def holding(forward: Callable[..., Any], **parts: Any) -> Any:
    """A module that computes a function, and holds others under their names."""
    import torch

    holder = torch.nn.Module()
    holder.forward = forward
    for name, part in parts.items():
        holder.add_module(name, part)
    return holder.eval()
