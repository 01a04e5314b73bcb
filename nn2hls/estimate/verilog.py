"""The estimate of our own Verilog: clocks and flip-flops are those of the RTL, LUTs are counted cell by cell.

What a cell takes in LUTs after logic synthesis is its size in bits, as ``terms`` counts them, times a coefficient of
``targets/verilog_costs.yml``, which ``benchmarks/verilog_calibration.py`` fits to designs of our own after yosys; for families
that were calibrated after place and route, one of ``placed_costs.yml``.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import yaml

from nn2hls.estimate.memories import Memories
from nn2hls.estimate.placed import placed_costs, placed_ns
from nn2hls.estimate.result import Estimate, Figures, LayerEstimate
from nn2hls.files import own_text
from nn2hls.hardware.alike import Copies, copies
from nn2hls.hardware.net import Cell, Code, Net
from nn2hls.hardware.operators import SUMS, added_bits, compared_bits
from nn2hls.hardware.pipeline import Layer, Pipeline, Turns
from nn2hls.hardware.reload import banks, widths
from nn2hls.hardware.stages import Stages
from nn2hls.hardware.steps import LUT_WORDS, Steps
from nn2hls.targets import Part
from nn2hls.targets.family import Family, ram_blocks

BLOCK_LUTS = 129  # of 64 words of a bit, from which yosys takes a block RAM for a table with a register
DSP_BITS = 9  # of both factors together, from which yosys takes a DSP slice


def estimate_verilog(pipeline: Pipeline, products: Mapping[str, int], part: Part, clock_ns: float) -> Estimate:
    """The estimate of a placed design.

    Args:
        pipeline: The layers in time.
        products: Non-zero products of each layer.
        part, clock_ns: What it is for.
    """
    made = [layer for layer in pipeline.layers if layer.operands]  # a constant is wires
    left = copies(pipeline)
    written = write_luts(pipeline, part.family)
    layers = tuple(_layer(x, pipeline, products.get(x.name, 0), part, left[x.name], written[x.name]) for x in made)
    total = sum((x.report for x in layers), Figures())
    own = sum(x.report.ff for x in layers)
    held = sum(in_registers(layer, part.family) for layer in made)
    total += Figures(ff=pipeline.registers + held - own)  # inputs that wait, and the control
    kept = {layer.name: Memories.of(roms=roms(layer)) for layer in made}
    speed = pipeline.latency, pipeline.interval
    reached = placed_ns(pipeline, part)
    return Estimate(part, clock_ns, "verilog", layers, total, total, *speed, memories=kept, placed_ns=reached)


def _layer(layer: Layer, pipeline: Pipeline, products: int, part: Part, left: Sequence[Copies], written: int) -> LayerEstimate:
    found, by = layer_terms(layer, part, left), coefficients(part.family.name)
    lut = written + found["memory_lut"] + sum(amount * by.get(term, 0.0) for term, amount in found.items())
    registers = layer.registers + pipeline.waiting(layer.name) + in_registers(layer, part.family)
    figures = Figures(found["dsp"], round(lut), registers, found["bram"])
    return LayerEstimate(layer.name, figures, figures, layer.latency, layer.interval, products, layer.start)


def layer_terms(layer: Layer, part: Part, left: Sequence[Copies] | None = None) -> Counter[str]:
    """What of a layer costs LUTs, by term, its DSP slices, and its block RAMs.

    Args:
        layer: Of a placed design.
        part: For the sizes of DSP slices.
        left: What is left of its straight lines, from ``nn2hls.hardware.alike``; None: all lanes.
    """
    found: Counter[str] = Counter()
    if layer.turns is not None:
        return turn_terms(layer.turns, part)
    straight, stages = iter(left or ()), iter(layer.stages)
    for loop in layer.hardware.unrolled().loops:
        own, placed = (None, None) if loop.ii else (next(straight, None), next(stages))
        blocks = dict(block_tables(placed)) if placed is not None else {}
        for wire, term, amount in (*amounts(loop.body), *dsps(loop.body, part)):
            count = loop.lanes if own is None else own.get(wire, 0)
            if wire in blocks:
                found["bram"] += blocks[wire] * count
            else:
                found[term] += amount * count
    if layer.steps is not None:
        found.update(step_terms(layer, part.family))
    return found


def turn_terms(turns: Turns, part: Part) -> Counter[str]:
    """Those of one step, and what chooses between operands and what comes after a step."""
    found: Counter[str] = Counter()
    for layer in turns.step.layers:
        found.update(layer_terms(layer, part))
    moved = (turns.length - 1) * sum(turns.sequences) if turns.initial is None else 0
    found["select_bit"] += moved + sum(turns.states)
    return found


Amounts = tuple[tuple[int, str, int], ...]  # (wire, term, how much of it)
_counted: WeakKeyDictionary[Net, tuple[int, tuple[int, ...], Amounts]] = WeakKeyDictionary()


def amounts(net: Net) -> Amounts:
    """Bits of the cells of a straight line, by what they are; of a net that a search meets again they are known."""
    cells, outputs, found = _counted.get(net, (0, (), ()))
    if (cells, outputs) != (len(net.cells), tuple(net.outputs)):
        found = tuple(_amounts(net))
        _counted[net] = len(net.cells), tuple(net.outputs), found
    return found


def terms(net: Net) -> Counter[str]:
    """The amounts of all cells together."""
    found: Counter[str] = Counter()
    for _, term, amount in amounts(net):
        found[term] += amount
    return found


def _amounts(net: Net) -> Iterator[tuple[int, str, int]]:
    for wire in net.alive():
        cell = net.cells[wire]
        if cell.code in SUMS:
            yield wire, "adder_bit", added_bits(net, wire)
        elif (size := _SIZES.get(cell.code)) is not None:
            yield wire, *size(cell, [net.cells[a] for a in cell.args], net)


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


def dsps(net: Net, part: Part) -> Iterator[tuple[int, str, int]]:
    """DSP slices of each product that takes any: (wire, ``dsp``, how many)."""
    for wire in net.alive():
        cell = net.cells[wire]
        if cell.code is Code.MUL:
            a, b = (net.cells[x].width + (not net.cells[x].signed) for x in cell.args)
            if a + b >= DSP_BITS:
                wide, narrow = part.family.ports
                yield wire, "dsp", min(-(-p // wide) * -(-q // narrow) for p, q in ((a, b), (b, a)))


def block_tables(stages: Stages) -> Iterator[tuple[int, int]]:
    """(wire, block RAMs) of the lookups of a straight line that yosys puts there.

    It does with a table whose address comes from a register or whose word goes to one, where a block RAM, of which it says that
    it costs as much as 129 LUTs of ROM, is the cheaper one (``memory_libmap`` and the rules of ``synth_xilinx``).
    """
    net = stages.net
    for wire in net.alive():
        cell = net.cells[wire]
        if cell.code is Code.LOOKUP and _lookup(cell, [], net)[1] > BLOCK_LUTS:
            stage = stages.of[wire]
            read_now = any(wire in net.cells[w].args and stages.of[w] == stage for w in stages.of)
            sent_now = wire in net.outputs and stage == stages.latency
            if stages.of[stages.source(cell.args[0])] < stage or not (read_now or sent_now):
                yield wire, ram_blocks(len(net.tables[cell.k]), cell.width)


def step_terms(layer: Layer, family: Family) -> Counter[str]:
    """Bits of the multiplexers, words and sums of a reused layer; LUTs of memories that can be written.

    Where every product has its place, as in a layer whose weights can be written, many lanes read the same operands in the same
    order. Of these synthesis keeps one multiplexer and one ROM, whatever the lanes' factors are.
    """
    steps = layer.steps
    assert steps is not None
    found: Counter[str] = Counter()
    choosing = {(x.choices, x.index) for x in steps.lanes} if steps.written else [(x.choices, x.index) for x in steps.lanes]
    found["choice_bit"] += steps.x.width * sum(len(choices) - 1 for choices, _ in choosing)
    if steps.block:
        found["bram"] += ram_blocks(steps.count, steps.stored_bits)
    else:
        found["word_lut"] += -(-steps.count // LUT_WORDS) * _word_bits(steps)
    if steps.written:
        found["memory_lut"] += len(steps.lanes) * family.memory_luts(steps.turn, steps.weight.width)
    found["sum_bit"] += sum(max(-lo, hi).bit_length() + 1 for lo, hi in steps.sums.values())
    return found


def write_luts(pipeline: Pipeline, family: Family) -> Counter[str]:
    """For each layer the LUTs that tell of each memory whether a word is for it: by the address bits above those within."""
    found: Counter[str] = Counter()
    held = banks(pipeline.layers)
    for bank in held:
        inputs = widths(held)[0] - bank.bits + 1
        found[bank.layer] += -(-(inputs - 1) // (family.lut_inputs - 1))
    return found


def products_and_words(layer: Layer) -> tuple[int, int]:
    """Multipliers that exist at the same time, and bits of the ROMs of packed words."""
    if layer.turns is not None:
        found = [products_and_words(inner) for inner in layer.turns.step.layers]
        return sum(p for p, _ in found), sum(w for _, w in found)
    loops = layer.hardware.loops
    products = sum(x.lanes * sum(x.body.cells[w].code is Code.MUL for w in x.body.alive()) for x in loops)
    return products, _rom_bits(layer.steps) + (memory_bits(layer.steps) if layer.steps else 0)


def roms(layer: Layer) -> Iterator[tuple[int, bool]]:
    """(bits, whether in block RAM) of the ROMs of packed words, and of the tables."""
    if layer.turns is not None:
        for inner in layer.turns.step.layers:
            yield from roms(inner)
        return
    if layer.steps is not None:
        yield _rom_bits(layer.steps), layer.steps.block
        yield memory_bits(layer.steps), False
    for loop, stages in zip(layer.straight, layer.stages, strict=True):
        net, blocks = loop.body, dict(block_tables(stages))
        for wire in net.alive():
            cell = net.cells[wire]
            if cell.code is Code.LOOKUP:
                yield len(net.tables[cell.k]) * cell.width * loop.lanes, wire in blocks


def in_registers(layer: Layer, family: Family) -> int:
    """Bits of weights that can be written for which the family has no memory with two ports but registers."""
    return memory_bits(layer.steps) if layer.steps is not None and not family.lutram else 0


def memory_bits(steps: Steps) -> int:
    """Of the weights that can be written."""
    return len(steps.lanes) * steps.turn * steps.weight.width if steps.written else 0


def _rom_bits(steps: Steps | None) -> int:
    if steps is None:
        return 0
    return steps.count * (steps.stored_bits if steps.block else _word_bits(steps))


def _word_bits(steps: Steps) -> int:
    """Of all multipliers weight, input, sum, and whether it is the sum's first product; of lanes that are alike once."""
    if steps.written:
        return sum(field.bits for field in {f for stored in steps.stored for f in stored})
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
