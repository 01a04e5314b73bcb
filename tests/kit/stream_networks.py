"""Random networks whose tensors have positions: windows, skips, concatenations, pooling, global sums, dense tails."""

import numpy as np

from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.graph.graph import Graph
from nn2hls.ops import Dense, Elementwise, Input, Merge, Move, Reduce, Reduction, Relu, Softmax
from nn2hls.ops.places import padded, patches, repeated


def window_net(rng, most=7) -> Graph:
    """One or two inputs of up to ``most`` x ``most`` positions, three to six layers, one or two outputs."""
    draw = _Draw(rng, most)
    for _ in range(int(rng.integers(3, 7))):
        draw.step()
    return draw.end()


class _Draw:
    def __init__(self, rng, most):
        self.rng, self.builder, self.number = rng, Builder(), 0
        size = (int(rng.integers(3, most + 1)), int(rng.integers(3, most + 1)), int(rng.integers(1, 4)))
        self.maps = [self.builder.add("x", Input(size))]  # tensors with positions
        if rng.random() < 0.3:
            self.maps.append(self.builder.add("z", Input(size)))

    def add(self, op, *operands):
        """A layer; its name."""
        self.number += 1
        return self.builder.add(f"{type(op).__name__.lower()}{self.number}", op, list(operands))

    def shape(self, name):
        """Of a tensor."""
        return self.builder.shape(name)

    def step(self):
        """One more layer on some tensor."""
        x = self.maps[int(self.rng.integers(len(self.maps)))]
        steps = [self.convolution, self.convolution, self.pooling, self.relu, self.merge, self.concatenate, self.moved]
        self.maps.append(steps[int(self.rng.integers(len(steps)))](x))

    def windows(self, x):
        """A Move of any kernel, stride, dilation and padding that fit."""
        height, width, _ = self.shape(x)
        while True:
            kernel, strides, dilation = (tuple(self.rng.integers(1, m, 2).tolist()) for m in (4, 3, 3))
            pads = [tuple(self.rng.integers(0, 3, 2).tolist()) for _ in range(2)]
            sizes = [n + sum(p) - (k - 1) * d for n, p, k, d in zip((height, width), pads, kernel, dilation, strict=True)]
            if min(sizes) >= 1:
                break
        return Move.of(lambda a: patches(padded(a, pads), kernel, strides, dilation), self.shape(x)), kernel

    def convolution(self, x):
        """Of up to four channels, some weights zero."""
        seen, _ = self.windows(x)
        index = seen.index.array
        flat = Move(Places(index.reshape(*index.shape[:2], -1)), seen.shapes)
        n_in, n_out = flat.index.shape[-1], int(self.rng.integers(1, 5))
        weight = self.rng.normal(size=(n_in, n_out)) * (self.rng.random((n_in, n_out)) < 0.6)
        return self.add(Dense(Const(weight), Const(self.rng.normal(size=n_out))), self.add(flat, x))

    def pooling(self, x):
        """Padding counts as zero, or only in windows that are whole it does not occur."""
        seen, _ = self.windows(x)
        kind = [Reduction.MAX, Reduction.SUM, Reduction.MEAN][int(self.rng.integers(3))]
        return self.add(Reduce(kind, (2, 3)), self.add(seen, x))

    def relu(self, x):
        """Pointwise."""
        return self.add(Relu(), x)

    def merge(self, x):
        """With a tensor of the same shape, or with its own mean over the positions."""
        same = [m for m in self.maps if self.shape(m) == self.shape(x)]
        other = same[int(self.rng.integers(len(same)))]
        if self.rng.random() < 0.4:
            other = self.add(Reduce(Reduction.MEAN, (0, 1), keepdims=True), x)
        return self.add(Elementwise([Merge.ADD, Merge.MUL, Merge.MAX][int(self.rng.integers(3))]), x, other)

    def concatenate(self, x):
        """Along any axis along which that fits."""
        axis = int(self.rng.integers(3))
        fits = [m for m in self.maps if np.delete(self.shape(m), axis).tolist() == np.delete(self.shape(x), axis).tolist()]
        other = fits[int(self.rng.integers(len(fits)))]
        shapes = [self.shape(x), self.shape(other)]
        return self.add(Move.of(lambda a, b: np.concatenate([a, b], axis=axis), *shapes), x, other)

    def moved(self, x):
        """A slice, a flip, a transposition or upsampling."""
        change = [
            lambda a: a[:, : max(1, a.shape[1] - 1)],
            lambda a: a[::-1],
            lambda a: np.moveaxis(a, 0, 1),
            lambda a: repeated(a, (2, 1)),
        ][int(self.rng.integers(4))]
        return self.add(Move.of(change, self.shape(x)), x)

    def end(self):
        """Outputs: the last tensor as it is, or flattened through a Dense layer and a softmax; sometimes another one."""
        x = self.maps[-1]
        outputs = [x]
        if self.rng.random() < 0.6:
            flat = self.add(Move.of(np.ravel, self.shape(x)), x)
            n_in = self.shape(flat)[0]
            weight = self.rng.normal(size=(n_in, 3)) / np.sqrt(n_in)
            outputs = [self.add(Dense(Const(weight), Const(np.zeros(3))), flat)]
            if self.rng.random() < 0.5:
                outputs = [self.add(Softmax(axis=0), *outputs)]
        others = [m for m in self.maps[1:-1] if m not in ("x", "z")]
        if others and self.rng.random() < 0.3:
            outputs.append(others[int(self.rng.integers(len(others)))])
        return self.builder.build(outputs)
