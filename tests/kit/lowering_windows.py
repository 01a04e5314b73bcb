"""Cases of the closed set of lowerings: convolutions and pooling, with channels first, which all three frameworks have."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kit.lowerings import Case, constant, draw, node

SIZES = (7, 6, 5)


def _torch() -> Any:
    import torch

    return torch


def _keras() -> Any:
    import keras

    return keras


def _tuple(value: Any, rank: int) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) * rank


def conv(rank: int, k: Any = 3, *, strides: Any = 1, dilation: Any = 1, padding: str = "valid", groups: int = 1) -> Case:
    """4 channels to 6 filters, in all three frameworks."""
    size = _tuple(k, rank)
    kernel, bias = draw(*size, 4 // groups, 6), draw(6)
    weight = np.moveaxis(kernel, (-1, -2), (0, 1)).copy()
    steps, apart = _tuple(strides, rank), _tuple(dilation, rank)

    def keras(x):
        layer = getattr(_keras().layers, f"Conv{rank}D")
        return layer(
            6, size, strides=steps, dilation_rate=apart, padding=padding, groups=groups, data_format="channels_first",
            kernel_initializer=constant(kernel), bias_initializer=constant(bias),
        )(x)  # fmt: skip

    def torch(x):
        function = getattr(_torch().nn.functional, f"conv{rank}d")
        w, b = _torch().tensor(weight), _torch().tensor(bias)
        return function(x, w, b, stride=steps, padding=padding, dilation=apart, groups=groups)

    auto = {"valid": "VALID", "same": "SAME_UPPER"}[padding]
    made = node("Conv", "x w b", strides=steps, dilations=apart, auto_pad=auto, group=groups)
    strided_same = padding == "same" and max(steps) > 1  # PyTorch has none
    return Case(
        "window.conv", (4, *SIZES[:rank]), keras, None if strided_same else torch, (made,), {"w": weight, "b": bias},
        cannot_run=("keras",),
    )  # fmt: skip


def transposed(rank: int, k: Any = 3, *, strides: Any = 2, dilation: Any = 1, groups: int = 1, keras: bool = True) -> Case:
    """4 channels to 6 filters, nothing cut off."""
    size, steps, apart = _tuple(k, rank), _tuple(strides, rank), _tuple(dilation, rank)
    kernel, bias = draw(*size, 6 // groups, 4), draw(6)
    weight = np.moveaxis(kernel, (-1, -2), (0, 1)).copy()

    def of_keras(x):
        layer = getattr(_keras().layers, f"Conv{rank}DTranspose")
        return layer(
            6, size, strides=steps, dilation_rate=apart, data_format="channels_first",
            kernel_initializer=constant(kernel), bias_initializer=constant(bias),
        )(x)  # fmt: skip

    def torch(x):
        function = getattr(_torch().nn.functional, f"conv_transpose{rank}d")
        return function(x, _torch().tensor(weight), _torch().tensor(bias), stride=steps, groups=groups, dilation=apart)

    made = node("ConvTranspose", "x w b", strides=steps, dilations=apart, group=groups)
    return Case(
        "window.conv_transpose", (4, *SIZES[:rank]), of_keras if keras else None, torch, (made,), {"w": weight, "b": bias},
        cannot_run=("keras",) if groups == 1 else ("keras", "onnx"),
    )  # fmt: skip


def separable(rank: int) -> Case:
    """Depthwise, two for each channel, then pointwise; PyTorch and ONNX have two layers for it."""
    size = (3,) * rank
    each, mix, bias = draw(*size, 4, 2), draw(*(1,) * rank, 8, 5), draw(5)

    def keras(x):
        layer = getattr(_keras().layers, f"SeparableConv{rank}D")
        return layer(
            5, size, depth_multiplier=2, depthwise_initializer=constant(each), pointwise_initializer=constant(mix),
            bias_initializer=constant(bias),
        )(x)  # fmt: skip

    return Case("window.separable_conv", (*SIZES[:rank], 4), keras)


def depthwise(rank: int) -> Case:
    """Two kernels for each channel: as many groups as channels."""
    size = (3,) * rank
    kernel, bias = draw(*size, 4, 2), draw(8)
    weight = np.moveaxis(kernel.reshape(*size, 1, 8), (-1, -2), (0, 1)).copy()

    def keras(x):
        layer = getattr(_keras().layers, f"DepthwiseConv{rank}D")
        return layer(
            size, depth_multiplier=2, data_format="channels_first",
            depthwise_initializer=constant(kernel), bias_initializer=constant(bias),
        )(x)  # fmt: skip

    def torch(x):
        function = getattr(_torch().nn.functional, f"conv{rank}d")
        return function(x, _torch().tensor(weight), _torch().tensor(bias), groups=4)

    made = node("Conv", "x w b", group=4)
    return Case(
        "window.conv", (4, *SIZES[:rank]), keras, torch, (made,), {"w": weight, "b": bias}, cannot_run=("keras",)
    )  # fmt: skip


def pool(rank: int, kind: str, k: Any = 2, *, strides: Any = None, padding: str = "valid") -> Case:
    """The largest or the mean."""
    size = _tuple(k, rank)
    steps = size if strides is None else _tuple(strides, rank)

    def keras(x):
        layer = getattr(_keras().layers, f"{'Max' if kind == 'max' else 'Average'}Pooling{rank}D")
        return layer(size, strides=steps, padding=padding, data_format="channels_first")(x)

    def torch(x):
        return getattr(_torch().nn.functional, f"{kind}_pool{rank}d")(x, size, stride=steps)

    auto = {"valid": "VALID", "same": "SAME_UPPER"}[padding]
    op = "MaxPool" if kind == "max" else "AveragePool"
    return Case(
        "pooling.pool", (4, *SIZES[:rank]), keras, torch if padding == "valid" else None,
        (node(op, kernel_shape=size, strides=steps, auto_pad=auto),), cannot_run=("keras",),
    )  # fmt: skip


def padded_pool(kind: str, *, counts: bool = False, ceil: bool = False) -> Case:
    """With pads on both sides."""

    def torch(x):
        more = {} if kind == "max" else {"count_include_pad": counts}
        return getattr(_torch().nn.functional, f"{kind}_pool2d")(
            x, (3, 2), stride=(2, 2), padding=(1, 1), ceil_mode=ceil, **more
        )

    attributes = {} if kind == "max" else {"count_include_pad": int(counts)}
    op = "MaxPool" if kind == "max" else "AveragePool"
    made = node(op, kernel_shape=(3, 2), strides=(2, 2), pads=(1, 1, 1, 1), ceil_mode=int(ceil), **attributes)
    broken = ("onnx",) if ceil and counts else ()  # its own evaluator divides by the whole kernel where PyTorch does not
    return Case("pooling.pool", (3, 7, 6), None, torch, (made,), opset=20, cannot_run=broken)


def pool_that_ends_in_its_pads(kind: str) -> Case:
    """With ``ceil_mode``, where a last position would begin in the padding."""

    def torch(x):
        more = {} if kind == "max" else {"count_include_pad": False}
        return getattr(_torch().nn.functional, f"{kind}_pool1d")(x, 2, stride=3, padding=1, ceil_mode=True, **more)

    return Case("pooling.pool", (3, 4), None, torch)


def global_pool(rank: int, kind: str) -> Case:
    """One number a channel, the axes kept."""

    def keras(x):
        layer = getattr(_keras().layers, f"Global{'Max' if kind == 'max' else 'Average'}Pooling{rank}D")
        return layer(keepdims=True, data_format="channels_first")(x)

    def torch(x):
        return getattr(_torch().nn.functional, f"adaptive_{kind}_pool{rank}d")(x, 1)

    made = node("GlobalMaxPool" if kind == "max" else "GlobalAveragePool")
    wrong = ("onnx",) if kind == "max" and rank != 2 else ()  # its own evaluator takes two axes for granted
    return Case("pooling.global_pool", (4, *SIZES[:rank]), keras, torch, (made,), cannot_run=wrong)


def adaptive_pool(kind: str, size: tuple[int, int]) -> Case:
    """To a size that divides the space, or does not."""

    def keras(x):
        layer = getattr(_keras().layers, f"Adaptive{'Max' if kind == 'max' else 'Average'}Pooling2D")
        return layer(size, data_format="channels_first")(x)

    def torch(x):
        return getattr(_torch().nn.functional, f"adaptive_{kind}_pool2d")(x, size)

    has = hasattr(_keras().layers, "AdaptiveMaxPooling2D")
    return Case("pooling.adaptive_pool", (4, 7, 6), keras if has else None, torch, cannot_run=("keras",))


def patches() -> Case:
    """What a window sees, places before channels."""

    def torch(x):
        seen = _torch().nn.functional.unfold(x, 2, dilation=2, padding=1, stride=2)
        return seen.reshape(-1, 4, 4, seen.shape[-1]).transpose(1, 2).reshape(-1, 16, 3, 2)

    return Case("window.patches", (4, 5, 3), None, torch)


def lp_pool(rank: int, *, stride: int | None = None, p: int = 2, padded: bool = False) -> Case:
    """The norm of a window; PyTorch's order 1 is a sum without magnitudes, and it has no pads."""
    size = (2,) * rank

    def torch(x):
        return getattr(_torch().nn, f"LPPool{rank}d")(p, size if rank > 1 else 2, stride=stride)(x)

    pads = {"pads": [1, 0] * rank} if padded else {}
    made = node("LpPool", kernel_shape=size, strides=[stride or 2] * rank, p=p, **pads)
    return Case("pooling.lp_pool", (3, *(5, 6, 4)[:rank]), None, torch if p == 2 and not padded else None, (made,))


CASES: dict[str, Case] = {
    **{f"lp pool {n}d": lp_pool(n) for n in (1, 2, 3)},
    "lp pool strides": lp_pool(2, stride=1),
    "lp pool of magnitudes": lp_pool(2, p=1),
    "lp pool padded": lp_pool(2, stride=3, padded=True),
    **{f"conv {n}d": conv(n) for n in (1, 2, 3)},
    "conv 1x1": conv(2, 1),
    "conv strides": conv(2, (3, 2), strides=(2, 1)),
    "conv dilation": conv(2, (2, 3), dilation=(3, 2)),
    "conv same": conv(2, (2, 3), padding="same"),
    "conv same strides": conv(2, (3, 2), padding="same", strides=2),
    "conv same dilation": conv(1, 4, padding="same", dilation=2),
    "conv groups": conv(2, groups=2),
    **{f"depthwise {n}d": depthwise(n) for n in (1, 2)},
    **{f"separable {n}d": separable(n) for n in (1, 2)},
    **{f"transposed {n}d": transposed(n) for n in (1, 2, 3)},
    "transposed overlap": transposed(2, (3, 2), strides=(1, 2)),
    "transposed dilation": transposed(1, 3, dilation=2, strides=1),
    "transposed groups": transposed(2, groups=2, keras=False),
    **{f"{kind} pool {n}d": pool(n, kind) for n in (1, 2, 3) for kind in ("max", "avg")},
    **{f"{kind} pool strides": pool(2, kind, (3, 2), strides=(1, 2)) for kind in ("max", "avg")},
    **{f"{kind} pool same": pool(2, kind, 3, strides=2, padding="same") for kind in ("max", "avg")},
    "max pool padded": padded_pool("max"),
    "max pool ceil": padded_pool("max", ceil=True),
    **{f"{kind} pool ceil in the pads": pool_that_ends_in_its_pads(kind) for kind in ("max", "avg")},
    "avg pool padded": padded_pool("avg"),
    "avg pool counts": padded_pool("avg", counts=True),
    "avg pool ceil": padded_pool("avg", ceil=True),
    "avg pool ceil counts": padded_pool("avg", ceil=True, counts=True),
    **{f"global {kind} pool {n}d": global_pool(n, kind) for n in (1, 2, 3) for kind in ("max", "avg")},
    "patches": patches(),
    **{f"adaptive {kind} pool {size}": adaptive_pool(kind, size) for kind in ("max", "avg") for size in ((7, 3), (3, 4))},
}
