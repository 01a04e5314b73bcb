"""Keras 2's locally connected layers: a kernel at each position, stored in one of three forms (``implementation``)."""

from __future__ import annotations

import math

import numpy as np

from nn2hls.converters.keras import activations
from nn2hls.converters.keras.emit import Entry, Prepared, Site
from nn2hls.converters.keras.model import Layer
from nn2hls.converters.keras.windows import is_first, padding, sizes, space_of
from nn2hls.converters.lower import window
from nn2hls.converters.lower.value import Refusal, Tensor, limited_weights
from nn2hls.converters.lower.window import Pads, Window
from nn2hls.errors import ModelError
from nn2hls.graph.const import Shape
from nn2hls.ops import places


def locally_connected(rank: int) -> Entry:
    """Over ``rank`` axes, then the activation."""

    def entry(layer: Layer) -> Prepared:
        function, first, word = activations.activation(layer), is_first(layer), padding(layer, 2)
        size, strides = sizes(layer, "kernel_size", rank), sizes(layer, "strides", rank, 1)
        form = layer.integer("implementation", 1)
        if form not in (1, 2, 3):
            raise Refusal(f"'implementation' = {form} is not one of 1, 2, 3")

        def lower(site: Site) -> Tensor:
            x = site.tensor
            space, one = space_of(x, rank, first=first), (1,) * rank
            seen = Window(size, strides, one, _around(space, size, strides) if word == "same" else ((0, 0),) * rank)
            positions, channels = seen.positions(space), window.channels_of(x, first=first)
            filters = layer.integer("filters")
            read = {1: _rows, 2: _full, 3: _sparse}[form]
            kernel = read(layer, seen, space, positions, channels, filters, first)
            bias = layer.weights.get("bias")
            bias = np.moveaxis(bias, 0, -1) if bias is not None and first and bias.ndim > 1 else bias
            return window.locally_connected(site, x, kernel, bias, seen, first=first)

        return lambda site: site.then(function, lower)

    return entry


def _around(space: Shape, kernel: Shape, strides: Shape) -> Pads:
    """Pads of 'same': a position's middle lies ``stride`` elements after the last one's, whatever a convolution would do."""
    found = []
    for n, k, s in zip(space, kernel, strides, strict=True):
        before = k // 2
        found.append((before, (-(-n // max(s, 1)) - 1) * s + k - n - before))
    return tuple(found)


def _stored(layer: Layer, shape: Shape) -> np.ndarray:
    kernel = layer.weights["kernel"]
    if kernel.shape != shape:
        raise ModelError(f"Its kernel has shape {kernel.shape}; its config asks for {shape}.", where=layer.where)
    return kernel


def _rows(layer: Layer, seen: Window, space: Shape, at: Shape, channels: int, filters: int, first: bool) -> np.ndarray:
    """(positions, elements of the kernel, filters); channels stand before the kernel's places if ``first``."""
    kernel = _stored(layer, (math.prod(at), math.prod(seen.kernel) * channels, filters))
    if not first:
        return kernel.reshape(*at, *seen.kernel, channels, filters)
    split = kernel.reshape(*at, channels, *seen.kernel, filters)
    return np.moveaxis(split, len(at), -2)


def _between(wide: np.ndarray, seen: Window, space: Shape, at: Shape) -> np.ndarray:
    """From (elements of the space * channels, positions * filters), channels last, what each position sees."""
    channels, filters = wide.shape[0] // math.prod(space), wide.shape[1] // math.prod(at)
    index = places.places((*space, channels))[0]
    taken = places.patches(places.padded(index, seen.pads), seen.kernel, seen.strides, seen.dilation)
    rows = taken.reshape(math.prod(at), -1)
    found = wide.reshape(len(wide), -1, filters)[rows, np.arange(len(rows))[:, None]]
    found[rows == places.EMPTY] = 0
    return np.asarray(found.reshape(*at, *seen.kernel, channels, filters))


def _full(layer: Layer, seen: Window, space: Shape, at: Shape, channels: int, filters: int, first: bool) -> np.ndarray:
    """(*space, channels, *positions, filters), all elements for all positions, channels first if ``first``."""
    rank = len(space)
    if first:
        kernel = np.moveaxis(_stored(layer, (channels, *space, filters, *at)), (0, rank + 1), (rank, -1))
    else:
        kernel = _stored(layer, (*space, channels, *at, filters))
    return _between(kernel.reshape(math.prod(space) * channels, -1), seen, space, at)


def _sparse(layer: Layer, seen: Window, space: Shape, at: Shape, channels: int, filters: int, first: bool) -> np.ndarray:
    """The numbers alone, in the order of (element of the result, element of the operand)."""
    count, inputs = math.prod(at), math.prod(space) * channels
    limited_weights([inputs, count * filters])
    of_input, of_result = places.places((*space, channels))[0], places.places((*at, filters))[0]
    rows = places.patches(places.padded(of_input, seen.pads), seen.kernel, seen.strides, seen.dilation).reshape(count, -1)
    together = zip(of_result.reshape(count, -1), rows, strict=True)
    pairs = [(o, i) for parts, taken in together for o in parts for i in taken if i != places.EMPTY]
    result, operand = (np.asarray(part) for part in zip(*pairs, strict=True))
    kernel = _stored(layer, (len(pairs),))
    order = np.lexsort((_numbers((*space, channels), first)[operand], _numbers((*at, filters), first)[result]))
    wide = np.zeros((inputs, count * filters))
    wide[operand[order], result[order]] = kernel
    return _between(wide, seen, space, at)


def _numbers(shape: Shape, first: bool) -> np.ndarray:
    """For each element of a tensor, channels last, its number in the file's order."""
    if not first:
        return np.arange(math.prod(shape))
    rank = len(shape) - 1
    return np.moveaxis(places.places((shape[-1], *shape[:rank]))[0], 0, -1).reshape(-1)


LAYERS: dict[str, Entry] = {f"LocallyConnected{n}D": locally_connected(n) for n in (1, 2)}
