"""The estimate of a design in streams for HLS tools: each core as a layer of its own, and the memories around it.

A queue or a delay of up to 1,024 bits is a shift register of LUTs, 32 tokens of a bit in each; a longer one lies in block RAM
(UG1399, "Specifying FIFO depth" and `config_dataflow`; single tokens are registers). Masks and firing times are tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from nn2hls.estimate.estimate import estimate, roms
from nn2hls.estimate.memories import Memories
from nn2hls.estimate.result import Estimate, Figures, LayerEstimate
from nn2hls.streams.network import Network, Process, Stream
from nn2hls.targets import Part
from nn2hls.targets.family import ram_blocks

SHIFT_REGISTER = 32  # tokens of a bit in a LUT
SMALL = 1024  # bits that HLS tools leave in LUTs
SHALLOW = 64  # words of a ROM of which a LUT holds a bit


def core_estimates(
    network: Network, part: Part, clock_ns: float, tool: str, uncertainty: float | None, most_digits: int | None
) -> dict[str, LayerEstimate]:
    """For each process its core alone, behind registers.

    Args:
        network: The processes.
        part, clock_ns, tool, uncertainty: See ``nn2hls.estimate.estimate``.
        most_digits: See Net.
    """
    found = {}
    for process in network.processes:
        bits = {s.value: network.streams[s.value].bits for s in process.front.sources}
        layers = [(process.name, process.schedule(most_digits))]
        alone = estimate(layers, part, clock_ns, tool, {process.name: tuple(bits)}, bits, uncertainty)
        found[process.name] = alone.layers[0]
    return found


def estimate_stream(
    network: Network,
    cores: Mapping[str, LayerEstimate],
    depths: Mapping[tuple[str, str], int],
    part: Part,
    clock_ns: float,
    tool: str,
    latency: int,
    interval: int,
    paces: Mapping[str, int],
) -> Estimate:
    """The whole design.

    Args:
        network: The processes.
        cores: From :func:`core_estimates`.
        depths: Tokens of each queue, by (value, reader).
        part, clock_ns, tool: What it is for.
        latency: Clocks from the first token in to the last one out.
        interval: Clocks between two events.
        paces: For each process the clocks between two events if nobody makes it wait.
    """
    layers = []
    for process in network.processes:
        core = cores[process.name]
        around = front_figures(process, network.streams) + queue_figures(process, network, depths)
        around += join_figures(process, network.streams[process.name])
        around += sum((rom_figures(words, bits) for words, bits in constant_roms(process)), Figures())
        layers.append(
            LayerEstimate(
                process.name,
                core.report + around,
                core.synthesised + around,
                core.latency_cycles,
                paces[process.name],
                core.products,
            )
        )
    report, synthesised = (sum((getattr(x, column) for x in layers), Figures()) for column in ("report", "synthesised"))
    return Estimate(part, clock_ns, tool, tuple(layers), report, synthesised, latency, interval)


def storage(tokens: int, bits: int) -> Figures:
    """Of so many tokens that come out in the order in which they went in."""
    if tokens <= 1:
        return Figures(ff=tokens * bits)
    if tokens * bits <= SMALL:
        return Figures(lut=bits * math.ceil(tokens / SHIFT_REGISTER), ff=bits)
    return Figures(bram=ram_blocks(tokens, bits))


def front_figures(process: Process, streams: Mapping[str, Stream]) -> Figures:
    """What a process keeps of the tokens that have come."""
    front, total = process.front, Figures()
    for k, source in enumerate(front.sources):
        bits = streams[source.value].type.width * source.size
        if front.address is not None or source.held:
            total += Figures(ff=bits * source.tokens)
        ages = [0, *front.taps.get(k, ())]
        for before, age in pairwise(ages):
            total += storage(int(age - before), bits)
    return total + _choices(process)


def memories(
    process: Process, network: Network, depths: Mapping[tuple[str, str], int], most_digits: int | None = None
) -> Memories:
    """Where its delays, what it collects, the queues that it reads and its ROMs lie; ``most_digits``: see Net."""
    streams, lines = network.streams, []
    for k, ages in process.front.taps.items():
        bits = streams[process.front.sources[k].value].bits
        lines += [bits * int(b - a) for a, b in pairwise([0, *ages])]
    kept = [] if process.front.address is None else [(streams[s.value].bits * s.tokens, False) for s in process.front.sources]
    edges = [(s.value, process.name) for s in process.front.sources]
    queues = [depths[e] * streams[e[0]].bits for e in edges if e in depths]
    delays = [(n, n > SMALL) for n in lines]
    own = [*roms(process.schedule(most_digits)), *((n * bits, n > SHALLOW) for n, bits in constant_roms(process))]
    return Memories.of([*delays, *kept], [(n, n > SMALL) for n in queues], own)


def _choices(process: Process) -> Figures:
    """Masks, and the choice among collected elements."""
    front = process.front
    width = [kind.width for kind, size in zip(process.types, process.sizes, strict=True) for _ in range(size)]
    if front.address is not None:
        choices = [len({*front.address[:, k].tolist()}) for k in range(front.size)]
        return Figures(lut=sum(w * math.ceil((n - 1) / 3) for w, n in zip(width, choices, strict=True)))
    if front.absent is None:
        return Figures()
    masked = np.flatnonzero(front.absent.any(axis=0)).tolist()
    return Figures(lut=math.ceil(sum(width[k] for k in masked) / 2))


def constant_roms(process: Process) -> list[tuple[int, int]]:
    """(words, bits of each) of the ROMs of operands that are constants of each firing."""
    if process.is_constant is None:
        return []
    ends = np.cumsum([0, *process.sizes]).tolist()
    counts = [int(process.is_constant[a:b].sum()) for a, b in pairwise(ends)]
    return [(process.front.firings, n * kind.width) for n, kind in zip(counts, process.types, strict=True) if n]


def rom_figures(words: int, bits: int) -> Figures:
    """Of a ROM that is read once a firing."""
    return Figures(lut=bits) if words <= SHALLOW else Figures(bram=ram_blocks(words, bits))


def join_figures(process: Process, stream: Stream) -> Figures:
    """Accumulators: a register and an adder, or a comparison and a choice, for each bit."""
    return Figures() if process.join is None else Figures(lut=stream.bits, ff=stream.bits)


def queue_figures(process: Process, network: Network, depths: Mapping[tuple[str, str], int]) -> Figures:
    """The queues that a process reads."""
    edges = [(s.value, process.name) for s in process.front.sources]
    return sum((storage(depths[e], network.streams[e[0]].bits) for e in edges if e in depths), Figures())
