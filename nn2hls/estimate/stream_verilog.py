"""The estimate of a design in streams in our own Verilog: clocks and flip-flops are those of the RTL, LUTs are counted.

Small memories are LUTs (a RAM32M holds 6 bits of 32 words in four, a RAM64M 3 bits of 64), larger ones block RAM. Beside cores,
LUTs are counted for memories, masks and counters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nn2hls.estimate.memories import Memories
from nn2hls.estimate.result import Estimate, Figures, LayerEstimate
from nn2hls.estimate.verilog import coefficients, layer_terms, roms, terms
from nn2hls.hardware.join import joined
from nn2hls.streams.build import SHALLOW, Built, Queue
from nn2hls.streams.control import bits_for
from nn2hls.streams.network import Network
from nn2hls.targets import Part
from nn2hls.targets.family import ram_blocks


def estimate_stream_verilog(
    network: Network,
    built: Sequence[Built],
    depths: Mapping[tuple[str, str], int],
    part: Part,
    clock_ns: float,
    latency: int,
    interval: int,
    axis: bool = False,
) -> Estimate:
    """The whole design.

    Args:
        network, built: Its processes.
        depths: Tokens of each FIFO, by (value, reader).
        part, clock_ns: What it is for.
        latency, interval: From ``nn2hls.streams.clocked``.
        axis: Whether its ports are AXI4-Stream, which count their tokens.
    """
    layers = []
    for b in built:
        read = zip(b.front.sources, b.sources, strict=True)
        queues = [Queue(stream.bits, depths[source.value, b.process.name]) for source, stream in read]
        figures = process_figures(b, part) + sum((queue_figures(q) for q in queues), Figures())
        products = b.process.schedule().products
        layers.append(LayerEstimate(b.process.name, figures, figures, b.latency, own_interval(b), products))
    sent = [Queue(network.streams[value].bits, depths[value, reader]) for value, reader in network.edges if not reader]
    total = sum((x.report for x in layers), Figures()) + sum((queue_figures(q) for q in sent), Figures())
    total += beat_figures(network) if axis else Figures()
    return Estimate(part, clock_ns, "verilog", tuple(layers), total, total, latency, interval)


def memories(built: Built, depths: Mapping[tuple[str, str], int]) -> Memories:
    """Where its delays, what it collects, the FIFOs that it reads and its ROMs lie."""
    read = zip(built.front.sources, built.sources, strict=True)
    queues = [Queue(stream.bits, depths[source.value, built.process.name]) for source, stream in read]
    lines = [(n.steps * n.bits, n.words > SHALLOW) for n in built.links]
    deep = bool(built.front.address is not None and built.addressed.is_memory)
    lines += [(words * bits * copies, deep and words > SHALLOW) for words, bits, copies in collected(built)]
    own = [rom for layer in built.placed.layers for rom in roms(layer)] if built.placed else []
    own += [(words * bits, block) for words, bits, block in constant_roms(built)]
    return Memories.of(lines, [(q.depth * q.bits, q.block) for q in queues], own)


def beat_figures(network: Network) -> Figures:
    """The counters of AXI4-Stream ports, and the bit that tells of a misplaced TLAST."""
    counted = [network.streams[v].tokens for v in (*network.inputs, *network.outputs)]
    bits = sum(bits_for(n - 1) for n in counted if n > 1)
    return Figures(lut=2 * bits + len(counted), ff=bits + 1)


def own_interval(built: Built) -> int:
    """Clocks between two events that a process needs by itself."""
    return max(built.turn, built.front.firings * built.spacing)


def process_figures(built: Built, part: Part) -> Figures:
    """A module with its core and its buffer."""
    by, front, found = coefficients(part.family.name), built.front, Figures()
    if built.placed is not None:
        (layer,) = built.placed.layers
        counted = layer_terms(layer, part)
        lut = sum(amount * by.get(term, 0.0) for term, amount in counted.items())
        found += Figures(counted["dsp"], round(lut), built.placed.registers, counted["bram"])
    if built.process.join is not None:
        kept = terms(joined(built.process.join, built.stream.type))
        own = sum(amount * by.get(term, 0.0) for term, amount in kept.items()) + built.stream.type.width / 2
        found += Figures(lut=round(own * built.stream.size))
    found += Figures(lut=_masks(built) + 2 * built.control.registers, ff=built.registers)
    found += sum((memory(n.words, n.bits) for n in built.links), Figures())
    for words, bits, block in constant_roms(built):
        found += Figures(bram=ram_blocks(words, bits)) if block else Figures(lut=bits * math.ceil(words / SHALLOW))
    if front.address is not None:
        found += collected_figures(built)
    return found + queue_figures(Queue(built.parts * built.stream.bits, built.credit))


def constant_roms(built: Built) -> list[tuple[int, int, bool]]:
    """(words, bits of each, whether it is a block) of the ROMs of operands that are constants of each firing."""
    process, first, found = built.process, 0, []
    for n, (size, kind) in enumerate(zip(process.sizes, process.types, strict=True)):
        if process.is_constant is not None and process.is_constant[first : first + size].any():
            count = int(process.is_constant[first : first + size].sum())
            found.append((built.front.firings, count * kind.width, n in built.in_blocks))
        first += size
    return found


def collected(built: Built) -> list[tuple[int, int, int]]:
    """(tokens, bits of each, copies) of every stream that is collected: a copy for each token that is read at a time."""
    if built.front.address is None:
        return []
    reads = built.addressed
    ports = reads.ports if reads.is_memory else (1,) * len(built.sources)
    return [(s.tokens, s.bits, n) for s, n in zip(built.sources, ports, strict=True)]


def collected_figures(built: Built) -> Figures:
    """Small tensors in LUTs, a copy for each element that is read; larger ones in block RAM, or in registers that are wired."""
    tokens = sum(s.tokens for s in built.front.sources)
    if tokens <= SHALLOW:
        return Figures(lut=sum(in_luts(tokens, width) for width in built.widths))
    if not built.addressed.is_memory:
        return Figures(ff=sum(words * bits for words, bits, _ in collected(built)))
    copies = (memory(words, bits) for words, bits, n in collected(built) for _ in range(n))
    return sum(copies, Figures())


def queue_figures(queue: Queue) -> Figures:
    """A FIFO with its counters."""
    return memory(queue.words, queue.bits) + Figures(lut=queue.counters, ff=queue.registers)


def memory(words: int, bits: int) -> Figures:
    """Of so many words, with a port to write and one to read."""
    if not words:
        return Figures()
    if words <= SHALLOW:
        return Figures(lut=in_luts(words, bits))
    return Figures(bram=ram_blocks(words, bits))


def in_luts(words: int, bits: int) -> int:
    """LUTs of so many words."""
    return 4 * math.ceil(bits / 6) if words <= SHALLOW // 2 else 4 * math.ceil(bits / 3) * math.ceil(words / SHALLOW)


def _masks(built: Built) -> int:
    """LUTs of masks."""
    return math.ceil(sum(built.widths[column] for column in built.control.mask_of) / 2)
