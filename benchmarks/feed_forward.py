"""Convolutions and interaction networks: speed against PyTorch, memory, and what conversion takes as networks grow."""

from __future__ import annotations

import resource
import sys
import time
import tracemalloc

import numpy as np

from benchmarks.measure import ROOT, Row, fastest, measured_apart, pairs

EVENTS, IMAGES = 10_000, 1_000
SEED = 5


def jet_image():
    """Two convolutions of 3 x 3 with maxima of 2 x 2 on one channel of 16 x 16, then five classes: PyTorch, seeded, dense."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    parts = []
    for before, after in ((1, 4), (4, 8)):
        parts += [nn.Conv2d(before, after, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(128, 5), nn.Softmax(dim=1)), (1, 16, 16)


def interaction_network():
    """That of examples/jet_particles with seeded weights: 6 particles, 30 pairs."""
    import torch

    folder = str(ROOT / "examples/jet_particles")
    sys.path.insert(0, folder)
    try:
        from interaction_network import PARTICLES, InteractionNetwork
    finally:
        sys.path.remove(folder)
    torch.manual_seed(SEED)
    return InteractionNetwork(), (PARTICLES, 3)


NETWORKS = {"jet images, two convolutions": "jet_image", "JEDI-net": "interaction_network"}


def prepared(network: str, events: int):
    """(PyTorch module, its design, events as float32)."""
    import torch

    import nn2hls

    module, shape = globals()[network]()
    x = np.random.default_rng(SEED).uniform(-1, 1, (events, *shape)).astype(np.float32)
    return module.eval(), nn2hls.convert(module.eval(), example=torch.from_numpy(x[:2]), calibration=x[:1000]), x


def times(network: str) -> tuple[float, float, float]:
    """(time of ``predict`` / PyTorch's, the seconds of each), medians, in this process."""
    import torch

    module, design, x = prepared(network, EVENTS)
    given = torch.from_numpy(x)

    def theirs() -> None:
        with torch.inference_mode():
            module(given)

    return pairs(lambda: design.predict(x), theirs, times=7)


def peak_bytes(network: str, events: int) -> int:
    """Largest memory that ``predict`` holds beside its input and its answer."""
    _, design, x = prepared(network, events)
    design.predict(x[:100])
    tracemalloc.start()
    answer = design.predict(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - answer.nbytes


def speed_rows() -> list[Row]:
    """Emulation against PyTorch in float32, and its memory for eight times the events."""
    rows = []
    for what, network in NETWORKS.items():
        ratio, ours, theirs = measured_apart("feed_forward:times", network)
        note = f"{ours:.3f} s against {theirs:.3f} s, medians"
        rows.append(Row(f"predict, {EVENTS:,} events, {what}: time / PyTorch", ratio, 3, note=note))
        one = {"OPENBLAS_NUM_THREADS": "1"}  # each thread holds as much
        few, many = (measured_apart("feed_forward:peak_bytes", network, n, **one) for n in (EVENTS // 2, 4 * EVENTS))
        note = f"{few / 2**20:.1f} MiB and {many / 2**20:.1f} MiB beside input and answer, with one thread"
        rows.append(Row(f"peak memory, {4 * EVENTS:,} events / {EVENTS // 2:,}, {what}", many / few, 1.1, note=note))
    return rows


def house_numbers():
    """32 x 32 x 3, three convolutions of 16, 16 and 24 filters, dense layers of 42 and 64: PyTorch, seeded, 70 % pruned."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    parts: list[nn.Module] = []
    for before, after in ((3, 16), (16, 16), (16, 24)):
        parts += [nn.Conv2d(before, after, 3), nn.ReLU(), nn.MaxPool2d(2)]
    parts.append(nn.Flatten())
    for before, after in ((96, 42), (42, 64)):
        parts += [nn.Linear(before, after), nn.ReLU()]
    module = nn.Sequential(*parts, nn.Linear(64, 10), nn.Softmax(dim=1))
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                weight *= weight.abs() > weight.abs().flatten().quantile(0.7)
    return module, (3, 32, 32)


def house_times() -> tuple[float, float, float, float]:
    """(seconds to convert and estimate, CPU seconds and further MiB of that, seconds for the images)."""
    import torch

    import nn2hls

    module, shape = house_numbers()
    graph = nn2hls.load(module.eval(), example=torch.zeros(2, *shape))
    before = _resident()
    start, used = time.perf_counter(), time.process_time()
    design = nn2hls.convert(graph)
    design.estimate()
    seconds, cpu, most = time.perf_counter() - start, time.process_time() - used, _resident() - before
    x = np.random.default_rng(SEED).uniform(-1, 1, (IMAGES, *shape)).astype(np.float32)
    return seconds, cpu, most, fastest(lambda: design.predict(x), times=3)[0]


def _resident() -> float:
    """MiB that the process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def chain(layers: int):
    """Dense layers of 4, each with ReLU."""
    from nn2hls.graph.builder import Builder
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense, Input, Relu

    rng, builder = np.random.default_rng(SEED), Builder()
    x = builder.add("x", Input((4,)))
    for i in range(layers // 2):
        x = builder.add(f"fc{i}", Dense(Const(rng.normal(0, 0.7, (4, 4))), Const(np.zeros(4))), [x])
        x = builder.add(f"relu{i}", Relu(), [x])
    return builder.build([x])


def residual(blocks: int):
    """Blocks x + relu(fc(x)), 8 wide."""
    from nn2hls.graph.builder import Builder
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense, Elementwise, Input, Merge, Relu

    rng, builder = np.random.default_rng(SEED), Builder()
    x = builder.add("x", Input((8,)))
    for i in range(blocks):
        inner = builder.add(f"fc{i}", Dense(Const(rng.normal(0, 0.05, (8, 8))), Const(np.zeros(8))), [x])
        inner = builder.add(f"relu{i}", Relu(), [inner])
        x = builder.add(f"add{i}", Elementwise(Merge.ADD), [x, inner])
    return builder.build([x])


def growth(make, sizes: tuple[int, int]) -> tuple[float, float, float]:
    """(time for each layer of the large network / of the small one, seconds of each) to convert."""
    import nn2hls

    graphs = [make(n) for n in sizes]
    seconds = fastest(*(lambda g=g: nn2hls.convert(g) for g in graphs), times=3)
    return seconds[1] / seconds[0] / (sizes[1] / sizes[0]), *seconds


def size_rows() -> list[Row]:
    """A network for house numbers (SVHN), deep chains, and residual blocks."""
    seconds, cpu, most, emulation = measured_apart("feed_forward:house_times")
    rows = [
        Row("SVHN, 3 convolutions, 70 % pruned: convert and estimate", seconds, 5, "s", note=f"CPU {cpu:.2f} s"),
        Row("its memory beside what was loaded before", most, 600, "MiB"),
        Row(f"emulating {IMAGES:,} images of it", emulation, 3, "s"),
    ]
    for what, make, sizes in (("a chain of layers", chain, (250, 2000)), ("residual blocks", residual, (10, 50))):
        ratio, few, many = growth(make, sizes)
        note = f"{few:.2f} s and {many:.2f} s"
        rows.append(Row(f"time per layer, {what}, {sizes[1]:,} / {sizes[0]:,}", ratio, 1.5, note=note))
    return rows
