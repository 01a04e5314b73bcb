"""Convolutional networks: emulation beside PyTorch's float32, and what a network of CNN size costs to convert and estimate."""

from __future__ import annotations

import resource
import time
import warnings

import numpy as np

from benchmarks.measure import Row, measured_apart, pairs

JET = ((16, 16, 1), (8, 16), (32, 5), 1)  # input, channels of the convolutions, dense layers, padding
SVHN = ((32, 32, 3), (16, 16, 24), (42, 64, 10), 0)
EVENTS, IMAGES = 10_000, 1_000
PRUNED = 0.7


def weights(network, density: float = 1.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of every layer: (kernel, bias), kernels of convolutions (3, 3, channels, results), pooled by two after each."""
    rng, (shape, channels, dense, pad) = np.random.default_rng(7), network
    sizes, n_in = list(shape[:2]), shape[2]
    found = []
    for n in channels:
        found.append((3, 3, n_in, n))
        sizes, n_in = [(s + 2 * pad - 2) // 2 for s in sizes], n
    n_in *= sizes[0] * sizes[1]
    for n in dense:
        found.append((n_in, n))
        n_in = n
    kernels = [rng.normal(size=s) * (rng.random(s) < density) / np.sqrt(np.prod(s[:-1]) * density) for s in found]
    return [(k, rng.normal(size=k.shape[-1]) * 0.1) for k in kernels]


def graph(network, layers):
    """The network as a float graph: patches and Dense, ReLU, the largest of two by two."""
    from nn2hls.graph.builder import Builder
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense, Input, Move, Reduce, Reduction, Relu
    from nn2hls.ops.places import padded, patches

    shape, channels, _, pad = network
    b = Builder()
    x = b.add("x", Input(shape))
    for k, (kernel, bias) in enumerate(layers):
        if kernel.ndim == 4:
            seen = Move.of(lambda a: _flat(patches(padded(a, [(pad, pad)] * 2), (3, 3), (1, 1), (1, 1))), b.shape(x))
            x = b.add(f"patches{k}", seen, [x])
        elif k == len(channels):
            x = b.add("flatten", Move.of(np.ravel, b.shape(x)), [x])
        x = b.add(f"layer{k}", Dense(Const(kernel.reshape(-1, kernel.shape[-1])), Const(bias)), [x])
        if k < len(layers) - 1:
            x = b.add(f"relu{k}", Relu(), [x])
        if kernel.ndim == 4:
            x = b.add(f"windows{k}", Move.of(lambda a: patches(a, (2, 2), (2, 2), (1, 1)), b.shape(x)), [x])
            x = b.add(f"pool{k}", Reduce(Reduction.MAX, (2, 3)), [x])
    return b.build([x])


def _flat(index: np.ndarray) -> np.ndarray:
    return index.reshape(*index.shape[:2], -1)


def torch_model(network, layers):
    """The same in PyTorch, float32."""
    import torch

    *_, pad = network
    modules: list[torch.nn.Module] = []
    for k, (kernel, bias) in enumerate(layers):
        if kernel.ndim == 4:
            module = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=pad)
            module.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1), dtype=torch.float32)
        else:
            if not any(isinstance(m, torch.nn.Flatten) for m in modules):
                modules.append(torch.nn.Flatten())
            module = torch.nn.Linear(*kernel.shape)
            module.weight.data = torch.tensor(kernel.T.copy(), dtype=torch.float32)
        module.bias.data = torch.tensor(bias, dtype=torch.float32)
        modules.append(module)
        if k < len(layers) - 1:
            modules.append(torch.nn.ReLU())
        if kernel.ndim == 4:
            modules.append(torch.nn.MaxPool2d(2))
    return torch.nn.Sequential(*modules).eval()


def jet_times() -> tuple[float, float, float]:
    """(median of the ratios, seconds of predict, seconds of PyTorch) for EVENTS events on all cores."""
    import torch

    import nn2hls

    layers = weights(JET)
    data = np.random.default_rng(1).normal(size=(EVENTS, *JET[0])).astype(np.float32)
    design, model = nn2hls.convert(graph(JET, layers), calibration=data[:1000]), torch_model(JET, layers)
    images = torch.tensor(data.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        return pairs(lambda: design.predict(data), lambda: model(images), times=5)


def svhn_costs() -> tuple[float, float, float]:
    """(seconds to convert and estimate, seconds to emulate IMAGES, peak MB of the process until the estimate)."""
    import nn2hls

    warnings.simplefilter("ignore")
    network = graph(SVHN, weights(SVHN, 1 - PRUNED))
    start = time.perf_counter()
    design = nn2hls.convert(network)
    design.estimate()
    took, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    data = np.random.default_rng(1).normal(size=(IMAGES, *SVHN[0])).astype(np.float32)
    start = time.perf_counter()
    design.predict(data)
    return took, time.perf_counter() - start, peak


def rows() -> list[Row]:
    """Both networks, each in a process of its own."""
    ratio, ours, theirs = measured_apart("convolution:jet_times")
    took, images, peak = measured_apart("convolution:svhn_costs")
    note = f"{ours:.2f} s against {theirs:.2f} s, medians"
    return [
        Row(f"CNN of 16x16, predict, {EVENTS:,} events: time / PyTorch", ratio, 3, note=note),
        Row("CNN of 32x32x3, 70 % pruned: convert and estimate", took, 5, "s"),
        Row("the same, peak memory of the process", peak, 600, "MB"),
        Row(f"the same, emulating {IMAGES:,} images", images, 3, "s"),
    ]
