"""The estimate of our own Verilog: clocks and flip-flops are those of the RTL, LUTs are counted cell by cell.

What a cell takes in LUTs after logic synthesis is its size in bits, as ``terms`` counts them, times a coefficient of
``targets/verilog_costs.yml``, which ``benchmarks/verilog_calibration.py`` fits to designs of our own after yosys; for families
that were calibrated after place and route, one of ``placed_costs.yml``.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import yaml

from nn2hls.estimate.memories import Memories
from nn2hls.estimate.placed import placed_costs, placed_ns
from nn2hls.estimate.result import Estimate, Figures, LayerEstimate
from nn2hls.files import own_text
from nn2hls.hardware.net import Cell, Code, Net
from nn2hls.hardware.operators import SUMS, added_bits, compared_bits
from nn2hls.hardware.pipeline import Layer, Pipeline, Turns
from nn2hls.hardware.steps import LUT_WORDS, Steps
from nn2hls.targets import Part
from nn2hls.targets.family import ram_blocks

DSP_BITS = 9  # of both factors together, from which yosys takes a DSP slice


def estimate_verilog(pipeline: Pipeline, products: Mapping[str, int], part: Part, clock_ns: float) -> Estimate:
    """The estimate of a placed design.

    Args:
        pipeline: The layers in time.
        products: Non-zero products of each layer.
        part, clock_ns: What it is for.
    """
    made = [layer for layer in pipeline.layers if layer.operands]  # a constant is wires
    layers = tuple(_layer(layer, pipeline, products.get(layer.name, 0), part) for layer in made)
    total = sum((x.report for x in layers), Figures())
    own = sum(x.report.ff for x in layers)
    total += Figures(ff=pipeline.registers - own)  # inputs that wait, and the control
    kept = {layer.name: Memories.of(roms=roms(layer)) for layer in made}
    speed = pipeline.latency, pipeline.interval
    reached = placed_ns(pipeline, part)
    return Estimate(part, clock_ns, "verilog", layers, total, total, *speed, memories=kept, placed_ns=reached)


def _layer(layer: Layer, pipeline: Pipeline, products: int, part: Part) -> LayerEstimate:
    found, by = layer_terms(layer, part), coefficients(part.family.name)
    lut = sum(amount * by.get(term, 0.0) for term, amount in found.items())
    registers = layer.registers + pipeline.waiting(layer.name)
    figures = Figures(found["dsp"], round(lut), registers, found["bram"])
    return LayerEstimate(layer.name, figures, figures, layer.latency, layer.interval, products, layer.start)


def layer_terms(layer: Layer, part: Part) -> Counter[str]:
    """What of a layer costs LUTs, by term, its DSP slices, and its block RAMs."""
    found: Counter[str] = Counter()
    if layer.turns is not None:
        return turn_terms(layer.turns, part)
    for loop in layer.hardware.unrolled().loops:
        for term, amount in terms(loop.body).items():
            found[term] += amount * loop.lanes
        for dsp in dsps(loop.body, part):
            found["dsp"] += dsp * loop.lanes
    if layer.steps is not None:
        found.update(step_terms(layer))
    return found


def turn_terms(turns: Turns, part: Part) -> Counter[str]:
    """Those of one step, and what chooses between operands and what comes after a step."""
    found: Counter[str] = Counter()
    for layer in turns.step.layers:
        found.update(layer_terms(layer, part))
    moved = (turns.length - 1) * sum(turns.sequences) if turns.initial is None else 0
    found["select_bit"] += moved + sum(turns.states)
    return found


_counted: WeakKeyDictionary[Net, tuple[int, tuple[int, ...], Counter[str]]] = WeakKeyDictionary()


def terms(net: Net) -> Counter[str]:
    """Bits of the cells of a straight line, by what they are; of a net that a search meets again they are known."""
    cells, outputs, found = _counted.get(net, (0, (), Counter()))
    if (cells, outputs) != (len(net.cells), tuple(net.outputs)):
        found = _terms(net)
        _counted[net] = len(net.cells), tuple(net.outputs), found
    return found


def _terms(net: Net) -> Counter[str]:
    found: Counter[str] = Counter()
    for wire in net.alive():
        cell = net.cells[wire]
        if cell.code in SUMS:
            found["adder_bit"] += added_bits(net, wire)
        elif (size := _SIZES.get(cell.code)) is not None:
            term, amount = size(cell, [net.cells[a] for a in cell.args], net)
            found[term] += amount
    return found


def _compare(cell: Cell, a: list[Cell], net: Net) -> tuple[str, int]:
    """Against zero it is the sign; against a power of two the bits above decide."""
    constant = any(x.code is Code.CONST for x in a)
    return "limit_bit" if constant else "compare_bit", compared_bits(a)


def _lookup(cell: Cell, a: list[Cell], net: Net) -> tuple[str, int]:
    words = len(net.tables[cell.k])
    return "table_lut", -(-words // LUT_WORDS) * cell.width


def _product(cell: Cell, a: list[Cell], net: Net) -> tuple[str, int]:
    x, y = (c.width for c in a)
    return "product_bit", x * y if x + y < DSP_BITS else 0


_SIZES = {
    Code.LESS: _compare,
    Code.SELECT: lambda cell, a, net: ("select_bit", cell.width),
    Code.LOOKUP: _lookup,
    Code.MUL: _product,
}


def dsps(net: Net, part: Part) -> list[int]:
    """DSP slices of each product that takes any."""
    found = []
    for cell in (net.cells[w] for w in net.alive()):
        if cell.code is Code.MUL:
            a, b = (net.cells[x].width + (not net.cells[x].signed) for x in cell.args)
            if a + b >= DSP_BITS:
                wide, narrow = part.family.ports
                found.append(min(-(-p // wide) * -(-q // narrow) for p, q in ((a, b), (b, a))))
    return found


def step_terms(layer: Layer) -> Counter[str]:
    """Bits of the multiplexers, words and sums of a reused layer."""
    steps = layer.steps
    assert steps is not None
    found: Counter[str] = Counter()
    found["choice_bit"] += steps.x.width * sum(len(lane.choices) - 1 for lane in steps.lanes)
    if steps.block:
        found["bram"] += ram_blocks(steps.count, steps.stored_bits)
    else:
        found["word_lut"] += -(-steps.count // LUT_WORDS) * _word_bits(steps)
    found["sum_bit"] += sum(max(-lo, hi).bit_length() + 1 for lo, hi in steps.sums.values())
    return found


def products_and_words(layer: Layer) -> tuple[int, int]:
    """Multipliers that exist at the same time, and bits of the ROMs of packed words."""
    if layer.turns is not None:
        found = [products_and_words(inner) for inner in layer.turns.step.layers]
        return sum(p for p, _ in found), sum(w for _, w in found)
    loops = layer.hardware.loops
    products = sum(x.lanes * sum(x.body.cells[w].code is Code.MUL for w in x.body.alive()) for x in loops)
    return products, _rom_bits(layer.steps)


def roms(layer: Layer) -> Iterator[tuple[int, bool]]:
    """(bits, whether in block RAM) of the ROMs of packed words, and of the tables, which are LUTs."""
    if layer.turns is not None:
        for inner in layer.turns.step.layers:
            yield from roms(inner)
        return
    if layer.steps is not None:
        yield _rom_bits(layer.steps), layer.steps.block
    for loop in layer.hardware.unrolled().loops:
        net = loop.body
        for cell in (net.cells[w] for w in net.alive()):
            if cell.code is Code.LOOKUP:
                yield len(net.tables[cell.k]) * cell.width * loop.lanes, False


def _rom_bits(steps: Steps | None) -> int:
    if steps is None:
        return 0
    return steps.count * (steps.stored_bits if steps.block else _word_bits(steps))


def _word_bits(steps: Steps) -> int:
    """Of all multipliers weight, input, sum, and whether it is the sum's first product."""
    own = steps.weight.width + 1
    return sum(own + (len(lane.choices) - 1).bit_length() + lane.segment_bits for lane in steps.lanes)


@functools.cache
def coefficients(family: str = "") -> Mapping[str, float]:
    """Those of ``targets/verilog_costs.yml``, or of a family that was calibrated after place and route."""
    placed = placed_costs().get(family)
    text = own_text(Path(__file__).parents[1] / "targets" / "verilog_costs.yml")
    data: dict[str, Any] = yaml.safe_load(text)
    found = {term: float(value) for term, value in data["coefficients"].items()}
    return found if placed is None else {**found, **placed.lut}
