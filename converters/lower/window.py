"""What slides over a space, and convolutions.

Inside, tensors are channels last, (*space, channels); with ``first`` the operand and the result are (channels, *space), and the
window reads through the other order. A convolution is a Move to what the kernel sees at each position, then a Dense layer over
it: nothing is computed twice, zeros of the kernel cost nothing, and padding is zeros that the constants absorb.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.converters.lower.linear import dense
from nn2hls.converters.lower.shape import move, reshape, transpose
from nn2hls.converters.lower.value import Refusal, Site, Tensor, limited, limited_weights, plain
from nn2hls.graph.const import Shape
from nn2hls.ops import places

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Window:
    """How a kernel slides.

    Args:
        kernel: Its size along each axis of the space.
        strides: Steps from one position to the next.
        dilation: Steps between elements of the kernel.
        pads: Zeros before and behind each axis.
    """

    kernel: Shape
    strides: Shape
    dilation: Shape
    pads: Pads

    def check(self, rank: int) -> None:
        """Refuse sizes that are not positive, or not one for each of ``rank`` axes."""
        for what, sizes in (("kernel", self.kernel), ("strides", self.strides), ("dilation", self.dilation)):
            if len(sizes) != rank or min(sizes, default=1) < 1:
                raise Refusal(f"its {what} {tuple(sizes)} must be {rank} positive numbers, one for each axis of the space")
        if len(self.pads) != rank:
            raise Refusal(f"its {len(self.pads)} pairs of pads do not fit {rank} axes")

    def positions(self, space: Shape) -> Shape:
        """How many places the kernel has along each axis of a space.

        Raises:
            Refusal: A size is not positive, or the kernel does not fit.
        """
        self.check(len(space))
        padded = limited([n + sum(p) for n, p in zip(space, self.pads, strict=True)])
        steps = zip(padded, self.kernel, self.strides, self.dilation, strict=True)
        found = tuple(places.windows(n, k, s, d) for n, k, s, d in steps)
        if min(found, default=1) < 1 or min(padded, default=1) < 1:
            raise Refusal(f"its kernel of {self.kernel} does not fit a space of {space} with the pads {self.pads}")
        return found

    def with_overhang(self, space: Shape) -> tuple[Window, Shape]:
        """The window with as many more pads behind as a last, partial position needs (``ceil_mode``), and how many these are.

        A position that would begin in the padding behind is none.
        """
        more = []
        for n, k, s, d, (before, behind) in zip(space, self.kernel, self.strides, self.dilation, self.pads, strict=True):
            reach = (k - 1) * d + 1
            last = -(-max(n + before + behind - reach, 0) // s) * s  # where the last one begins
            last -= s if last >= n + before else 0
            more.append(max(last + reach - (n + before + behind), 0))
        pads = tuple((a, b + m) for (a, b), m in zip(self.pads, more, strict=True))
        return replace(self, pads=pads), tuple(more)


def same_pads(space: Shape, kernel: Shape, strides: Shape, dilation: Shape, *, lower: bool = False) -> Pads:
    """Pads with which there is a position for every ``stride`` elements; the odd one stands behind, or before if ``lower``."""
    found = []
    for n, k, s, d in zip(space, kernel, strides, dilation, strict=True):
        total = max((-(-n // max(s, 1)) - 1) * s + (k - 1) * d + 1 - n, 0)
        before = (total + lower) // 2
        found.append((before, total - before))
    return tuple(found)


def causal_pads(kernel: Shape, dilation: Shape) -> Pads:
    """Pads with which no position sees what comes after it."""
    return tuple(((k - 1) * d, 0) for k, d in zip(kernel, dilation, strict=True))


def space_of(x: Tensor, *, first: bool) -> Shape:
    """The axes of a tensor that are not its channels."""
    shape = plain(x)
    if len(shape) < 2:
        raise Refusal(f"its operand of shape {shape} has no space beside its channels")
    return shape[1:] if first else shape[:-1]


def channels_of(x: Tensor, *, first: bool) -> int:
    """How many channels a tensor has."""
    return x.shape[0] if first else x.shape[-1]


# From the numbers of a tensor's elements to those of what a kernel slides over, channels last.
View = Callable[[np.ndarray], np.ndarray]


def channels_last(index: np.ndarray) -> np.ndarray:
    """Places (channels, *space) as (*space, channels)."""
    return np.moveaxis(index, 0, -1)


def as_it_is(index: np.ndarray) -> np.ndarray:
    """Places that are channels last already."""
    return index


def channels_first(site: Site, x: Tensor, *, first: bool) -> Tensor:
    """The layer's result, (channels, *space) if ``first``."""
    rank = len(x.shape)
    return transpose(site, x, (rank - 1, *range(rank - 1))) if first else x


def conv(
    site: Site,
    x: Tensor,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    *,
    groups: int = 1,
    first: bool = False,
) -> Tensor:
    """Convolution (cross-correlation): kernel (*k, channels / groups, filters), bias (filters,)."""
    view = channels_last if first else as_it_is
    step, channels = _product(site, first=first), channels_of(x, first=first)
    product = _convolved(step, x, view, space_of(x, first=first), kernel, bias, window, channels, groups)
    return channels_first(site, product, first=first)


def _product(site: Site, *, first: bool) -> Site:
    """Where the product goes: the channels of the result stand last before they stand first."""
    return site.step("product" if first else "")


def _convolved(
    site: Site,
    x: Tensor,
    view: View,
    space: Shape,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    channels: int,
    groups: int,
) -> Tensor:
    """The convolution over the view of x, of the size ``space``, channels last."""
    positions = window.positions(space)
    if kernel.ndim != len(space) + 2 or kernel.shape[:-2] != window.kernel:
        raise Refusal(f"its kernel of shape {kernel.shape} does not fit a space of {space}")
    inner, filters = kernel.shape[-2:]
    if not kernel.size:
        raise Refusal(f"its kernel of shape {kernel.shape} holds no weights")
    if groups < 1 or filters % groups or inner * groups != channels:
        raise Refusal(f"its {groups} groups do not divide {channels} channels and {filters} filters of {inner}")
    limited([*positions, *window.kernel, channels])

    def change(index: np.ndarray) -> np.ndarray:
        padded = places.padded(view(index), window.pads)
        return places.patches(padded, window.kernel, window.strides, window.dilation).reshape(*positions, -1)

    seen = move(site.step("patches"), change, x)
    grouped = (groups, inner) if groups > 1 else None
    return dense(site, seen, _block_diagonal(kernel, groups).reshape(-1, filters), bias, grouped)


def patches(site: Site, x: Tensor, window: Window, *, first: bool = False) -> Tensor:
    """What the window sees at each position: (*positions, places of the kernel * channels)."""
    space, channels = space_of(x, first=first), channels_of(x, first=first)
    positions = window.positions(space)
    limited([*positions, *window.kernel, channels])
    view = channels_last if first else as_it_is

    def change(index: np.ndarray) -> np.ndarray:
        padded = places.padded(view(index), window.pads)
        seen = places.patches(padded, window.kernel, window.strides, window.dilation).reshape(*positions, -1)
        return np.moveaxis(seen, -1, 0) if first else seen

    return move(site, change, x)


def locally_connected(
    site: Site, x: Tensor, kernel: np.ndarray, bias: np.ndarray | None, window: Window, *, first: bool = False
) -> Tensor:
    """A kernel of its own at each position: kernel (*positions, *k, channels, filters), bias (*positions, filters).

    One Dense layer over all elements, with zeros where a position sees none of them.
    """
    space, channels = space_of(x, first=first), channels_of(x, first=first)
    positions, rank = window.positions(space), len(space)
    filters = kernel.shape[-1]
    if kernel.shape != (*positions, *window.kernel, channels, filters) or (
        bias is not None and bias.shape != (*positions, filters)
    ):
        raise Refusal(f"its kernel of shape {kernel.shape} does not fit positions {positions} of {channels} channels")
    count, inputs = math.prod(positions), math.prod(x.shape)
    limited_weights([inputs, count * filters])
    index = places.places(x.shape)[0]
    padded = places.padded(channels_last(index) if first else index, window.pads)
    seen = places.patches(padded, window.kernel, window.strides, window.dilation).reshape(count, -1)
    matrix = np.zeros((inputs, count, filters))
    rows, parts = kernel.reshape(count, -1, filters), np.arange(count)
    for k in range(seen.shape[1]):
        inside = seen[:, k] != places.EMPTY
        matrix[seen[inside, k], parts[inside]] = rows[inside, k]
    flat = reshape(site.step("flat"), x, (inputs,))
    product = dense(site.step("product"), flat, matrix.reshape(inputs, -1), None if bias is None else bias.reshape(-1))
    wide = reshape(site.step("positions" if first else ""), product, (*positions, filters))
    return transpose(site, wide, (rank, *range(rank))) if first else wide


def _block_diagonal(kernel: np.ndarray, groups: int) -> np.ndarray:
    """A kernel (*k, channels / groups, filters) as (*k, channels, filters): filters see the channels of their group alone."""
    *size, inner, filters = kernel.shape
    limited_weights([*size, groups * inner, filters])
    full = np.zeros((*size, groups, inner, groups, filters // groups))
    for g in range(groups):
        full[..., g, :, g, :] = kernel.reshape(*size, inner, groups, -1)[..., g, :]
    return full.reshape(*size, groups * inner, filters)


def depthwise_kernel(kernel: np.ndarray) -> np.ndarray:
    """(*k, channels, m) as the kernel (*k, 1, channels * m) of as many groups as channels."""
    return kernel.reshape(*kernel.shape[:-2], 1, math.prod(kernel.shape[-2:]))


def separable_conv(
    site: Site,
    x: Tensor,
    depthwise: np.ndarray,
    pointwise: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    *,
    first: bool = False,
) -> Tensor:
    """A kernel (*k, channels, m) for each channel, then a mix of all: pointwise (1, ..., channels * m, filters)."""
    view, groups = (channels_last if first else as_it_is), depthwise.shape[-2]
    if pointwise.shape[:-2].count(1) != pointwise.ndim - 2 or pointwise.shape[-2] != groups * depthwise.shape[-1]:
        raise Refusal(f"its pointwise kernel {pointwise.shape} does not fit its depthwise kernel {depthwise.shape}")
    kernel, space = depthwise_kernel(depthwise), space_of(x, first=first)
    each = _convolved(site.step("depthwise"), x, view, space, kernel, None, window, channels_of(x, first=first), groups)
    product = dense(_product(site, first=first), each, pointwise.reshape(pointwise.shape[-2:]), bias)
    return channels_first(site, product, first=first)


def conv_transpose(
    site: Site,
    x: Tensor,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    *,
    groups: int = 1,
    extra: Sequence[int] = (),
    first: bool = False,
) -> Tensor:
    """Transposed convolution: y[o] = sum of x[i] * kernel[k] over o = i * stride + k * dilation - pad.

    A convolution with the kernel the other way round, over x with ``stride - 1`` zeros between its elements.

    Args:
        site: Where it goes.
        x: The operand.
        kernel: (*k, channels, filters / groups).
        bias: (filters,).
        window: Its pads are cut off the result.
        groups: As in :func:`conv`.
        extra: More positions behind each axis.
        first: See the module.
    """
    space, channels = space_of(x, first=first), channels_of(x, first=first)
    window.check(len(space))
    rank, extra = len(space), tuple(extra) or (0,) * len(space)
    if kernel.ndim != rank + 2 or kernel.shape[-2] != channels or groups < 1 or channels % groups:
        raise Refusal(f"its kernel of shape {kernel.shape} and {groups} groups do not fit {channels} channels in {space}")
    size = kernel.shape[:rank]
    turned = kernel[(slice(None, None, -1),) * rank].reshape(*size, groups, channels // groups, -1)
    turned = np.moveaxis(turned, rank, -2).reshape(*size, channels // groups, -1)
    pads = tuple(
        ((k - 1) * d - before, (k - 1) * d - behind + more)
        for k, d, (before, behind), more in zip(size, window.dilation, window.pads, extra, strict=True)
    )
    spread = limited([(n - 1) * s + 1 for n, s in zip(space, window.strides, strict=True)])
    limited([*spread, channels])

    def view(index: np.ndarray) -> np.ndarray:
        return places.spread(channels_last(index) if first else index, window.strides)

    inner = Window(window.kernel, (1,) * rank, window.dilation, pads)
    product = _convolved(_product(site, first=first), x, view, spread, turned, bias, inner, channels, groups)
    return channels_first(site, product, first=first)
