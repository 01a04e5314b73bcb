"""Small convolutional networks, made of patches, Dense and Reduce as converters make them."""

import numpy as np

from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.ops import Dense, Input, Move, Reduce, Reduction, Relu
from nn2hls.ops.places import padded, patches


def seen(shape, kernel, stride=1, pad=0):
    """A Move to (*positions, *kernel, channels)."""
    rank = len(kernel)
    return Move.of(
        lambda a: patches(padded(a, [(pad, pad)] * rank), kernel, (stride,) * rank, (1,) * rank),
        shape,
    )


def convolution(builder, name, x, weight, bias, pad=0, stride=1):
    """Of weights (*kernel, channels, results)."""
    shape, kernel = builder.shape(x), weight.shape[:-2]
    windows = seen(shape, kernel, stride, pad)
    index = windows.index.array
    positions = index.shape[: len(kernel)]
    windows = Move(Places(index.reshape(*positions, -1)), (shape,))
    x = builder.add(f"{name}_patches", windows, [x])
    return builder.add(name, Dense(Const(weight.reshape(-1, weight.shape[-1])), Const(bias)), [x])


def pooling(builder, name, x, kind=Reduction.MAX, size=2, pad=0):
    """Windows that do not overlap; padding does not count."""
    windows = seen(builder.shape(x), (size, size), size, pad)
    mask = Places((windows.index.array >= 0).astype(int)) if pad else None
    x = builder.add(f"{name}_patches", windows, [x])
    return builder.add(name, Reduce(kind, (2, 3), present=mask), [x])


def cnn(rng, size=(6, 6, 2), channels=(3, 4), classes=2, density=1.0, kind=Reduction.MAX):
    """Convolutions of 3 x 3 with padding, ReLU and pooling, then a Dense layer."""
    builder = Builder()
    x = builder.add("x", Input(size))
    for k, n in enumerate(channels):
        weight = rng.normal(size=(3, 3, builder.shape(x)[-1], n))
        weight *= (rng.random(weight.shape) < density) / np.sqrt(weight[..., 0].size * density)
        x = convolution(builder, f"conv{k}", x, weight, rng.normal(size=n) * 0.1, pad=1)
        x = builder.add(f"conv{k}_relu", Relu(), [x])
        x = pooling(builder, f"pool{k}", x, kind)
    shape = builder.shape(x)
    x = builder.add("flatten", Move.of(np.ravel, shape), [x])
    weight = rng.normal(size=(int(np.prod(shape)), classes)) * 0.3
    return builder.build([builder.add("fc", Dense(Const(weight), Const(rng.normal(size=classes))), [x])])


def convolved(x, weight, bias, pad=0, stride=1):
    """Two-dimensional convolution of (rows, columns, channels), an element at a time."""
    x = np.pad(x, [(pad, pad), (pad, pad), (0, 0)])
    k, wide = weight.shape[:2]
    rows, columns = ((n - m) // stride + 1 for n, m in zip(x.shape, (k, wide), strict=False))
    out = np.zeros((rows, columns, weight.shape[-1]))
    for r, c, n in np.ndindex(out.shape):
        window = x[r * stride : r * stride + k, c * stride : c * stride + wide]
        out[r, c, n] = (window * weight[..., n]).sum() + bias[n]
    return out
