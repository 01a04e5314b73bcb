"""The steps of a reused layer as a module in Verilog: a counter, packed words for each multiplier, and the sums."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from nn2hls.arith.ranges import width_of
from nn2hls.emit.verilog import Wire, module, span
from nn2hls.hardware.steps import Lane, Steps


def steps_module(name: str, steps: Steps, operand: Wire) -> str:
    """The module ``name``: ports ``clock``, ``reset``, ``start``, ``h0`` .. for what it holds and ``s0`` .. for its sums.

    ``start`` is high for the clock in which the operands are there; the sums are finished ``steps.latency`` clocks later and
    stay for one clock.

    Args:
        name: Of the module.
        steps: What it does.
        operand: How an operand is declared outside.
    """
    text = "\n".join(_lines(name, steps, operand)) + "\n"
    return (_multiplier(name, steps) if steps.further else "") + text


def _multiplier(name: str, steps: Steps) -> str:
    """The module of a product that takes several clocks; one stands in each lane."""
    assert steps.multiply is not None
    x, weight, product = (Wire(cell.width, cell.signed) for cell in (steps.x, steps.weight, steps.product))
    return module(f"{name}_product", steps.multiply, [x, weight], [product]) + "\n"


def _lines(name: str, steps: Steps, operand: Wire) -> Iterator[str]:
    numbers = {element: k for k, element in enumerate(steps.sums)}
    ports = ["input wire clock", "input wire reset", "input wire start"]
    ports += [f"input wire {operand.span}h{k}" for k in range(len(steps.held))]
    ports += [f"output reg {_span(bounds)}s{numbers[element]}" for element, bounds in steps.sums.items()]
    yield f"module {name} ("
    yield ",\n".join(f"    {p}" for p in ports)
    yield ");"
    yield from _control(steps)
    x = span(steps.x.width, steps.x.signed)
    for k in range(len(steps.held)):
        yield f"    reg {x}held{k};"
    cut = f"[{steps.x.width - 1}:0]" if steps.x.width < operand.width else ""
    yield "    always @(posedge clock) if (start) begin"
    yield from (f"        held{k} <= h{k}{cut};" for k in range(len(steps.held)))
    yield "    end"
    places = {element: k for k, element in enumerate(steps.held)}
    for m, lane in enumerate(steps.lanes):
        yield from _lane(m, lane, steps, places, numbers)
    for m in range(len(steps.lanes) if steps.further else 0):
        yield f"    {name}_product multiply{m} (.clock(clock), .x0(x{m}), .x1(w{m}), .y0(done{m}));"
    yield "endmodule"


def _span(bounds: tuple[int, int]) -> str:
    return span(width_of(*bounds), bounds[0] < 0)


def _control(steps: Steps) -> Iterator[str]:
    bits = steps.counter_bits
    yield f"    reg [{bits - 1}:0] step;  // the one that chooses its operands"
    busy = ["choosing", "multiplying", *(f"multiplying_{k + 1}" for k in range(steps.further)), "adding"]
    yield f"    reg {', '.join(busy)};"
    yield "    always @(posedge clock) begin"
    yield f"        step <= start || !choosing ? {bits}'d0 : step + {bits}'d1;"
    yield f"        choosing <= !reset && (start || (choosing && step != {bits}'d{steps.count - 1}));"
    yield from (f"        {after} <= !reset && {before};" for before, after in pairwise(busy))
    yield "    end"


def _lane(m: int, lane: Lane, steps: Steps, places: dict[int, int], numbers: dict[int, int]) -> Iterator[str]:
    index_bits = max(1, (len(lane.choices) - 1).bit_length())
    w, bits = steps.weight, lane.segment_bits
    yield f"    // multiplier {m}"
    yield f"    reg [{index_bits - 1}:0] index{m};"
    yield f"    reg {span(w.width, w.signed)}word{m};"
    yield f"    reg [{bits - 1}:0] segment{m};"
    yield f"    reg first{m};"
    yield "    always @* begin"
    yield "        case (step)"
    for t, (index, word, segment, first) in enumerate(zip(lane.index, lane.constant, lane.segment, lane.first, strict=True)):
        packed = (
            f"{{index{m}, word{m}, segment{m}, first{m}}} = {{{index_bits}'d{index}, {_bits(word, w.width)}, "
            f"{bits}'d{segment}, 1'b{int(first)}}};"
        )
        yield f"            {steps.counter_bits}'d{t}: {packed}"
    yield f"            default: {{index{m}, word{m}, segment{m}, first{m}}} = {index_bits + w.width + bits + 1}'d0;"
    yield "        endcase"
    yield "    end"
    yield from _chosen(m, lane, steps, places, index_bits)
    yield from _product(m, steps, bits)
    yield from _added(m, lane, numbers, bits)


def _bits(value: int, width: int) -> str:
    return f"{width}'d{value & ((1 << width) - 1)}"


def _chosen(m: int, lane: Lane, steps: Steps, places: dict[int, int], index_bits: int) -> Iterator[str]:
    yield f"    reg {span(steps.x.width, steps.x.signed)}chosen{m};"
    yield "    always @* begin"
    yield f"        case (index{m})"
    for k, element in enumerate(lane.choices[1:], 1):
        yield f"            {index_bits}'d{k}: chosen{m} = held{places[element]};"
    yield f"            default: chosen{m} = held{places[lane.choices[0]]};"
    yield "        endcase"
    yield "    end"


def _product(m: int, steps: Steps, bits: int) -> Iterator[str]:
    x, w, product = steps.x, steps.weight, steps.product
    # One suffix for each register on the way of a product: into the multiplier, in it, out of it.
    way = ["_1", *(f"_1_{k + 1}" for k in range(steps.further)), "_2"]
    yield f"    reg {span(x.width, x.signed)}x{m};"
    yield f"    reg {span(w.width, w.signed)}w{m};"
    yield f"    reg {span(product.width, product.signed)}product{m};"
    yield f"    reg [{bits - 1}:0] {', '.join(f'segment{m}{end}' for end in way)};"
    yield f"    reg {', '.join(f'first{m}{end}' for end in way)};"
    if steps.further:
        yield f"    wire {span(product.width, product.signed)}done{m};"
    yield "    always @(posedge clock) begin"
    yield f"        x{m} <= chosen{m};"
    yield f"        w{m} <= word{m};"
    first, *rest = (
        f"        {{segment{m}{after}, first{m}{after}}} <= {{segment{m}{before}, first{m}{before}}};"
        for before, after in pairwise(["", *way])
    )
    yield first
    yield f"        product{m} <= {f'done{m}' if steps.further else _times(m, steps)};"
    yield from rest
    yield "    end"


def _times(m: int, steps: Steps) -> str:
    """The product in one clock: Verilog takes both factors as unsigned if one is."""
    x, w = steps.x, steps.weight
    alike = x.signed == w.signed
    a = f"x{m}" if x.signed or alike else f"$signed({{1'b0, x{m}}})"
    b = f"w{m}" if w.signed or alike else f"$signed({{1'b0, w{m}}})"
    return f"{a} * {b}"


def _added(m: int, lane: Lane, numbers: dict[int, int], bits: int) -> Iterator[str]:
    yield "    always @(posedge clock) if (adding) begin"
    for k, element in enumerate(lane.sums):
        s = f"s{numbers[element]}"
        mine = f"if (segment{m}_2 == {bits}'d{k}) " if len(lane.sums) > 1 else ""
        # A product of another sign than the sum's range is extended by its own.
        yield f"        {mine}{s} <= first{m}_2 ? product{m} : {s} + product{m};"
    yield "    end"
