"""The steps of a reused layer as a module in Verilog: a counter, packed words for each multiplier, and the sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from nn2hls.arith.ranges import width_of
from nn2hls.emit.verilog import Wire, module, span
from nn2hls.hardware.reload import Bank
from nn2hls.hardware.steps import Lane, Steps


def steps_module(name: str, steps: Steps, operand: Wire, memories: Sequence[Bank] = (), sizes: tuple[int, int] = (0, 0)) -> str:
    """The module ``name``: ports ``clock``, ``reset``, ``start``, ``h0`` .. for what it holds and ``s0`` .. for its sums.

    ``start`` is high for the clock in which the operands are there; the sums are finished ``steps.latency`` clocks later and
    stay for one clock.

    Args:
        name: Of the module.
        steps: What it does.
        operand: How an operand is declared outside.
        memories: Of each multiplier, where its weights can be written: then it has the ports of :func:`write_ports`.
        sizes: Bits of an address and of a word of these ports.
    """
    text = "\n".join(_lines(name, steps, operand, memories, sizes)) + "\n"
    return (_multiplier(name, steps) if steps.further else "") + text


def _multiplier(name: str, steps: Steps) -> str:
    """The module of a product that takes several clocks; one stands in each lane."""
    assert steps.multiply is not None
    x, weight, product = (Wire(cell.width, cell.signed) for cell in (steps.x, steps.weight, steps.product))
    return module(f"{name}_product", steps.multiply, [x, weight], [product]) + "\n"


def write_ports(sizes: tuple[int, int]) -> list[str]:
    """The ports through which words are written: one in each clock in which weights_write is high."""
    address, word = sizes
    return [
        "input wire weights_write",
        f"input wire [{address - 1}:0] weights_address",
        f"input wire [{word - 1}:0] weights_data",
    ]


def _lines(name: str, steps: Steps, operand: Wire, memories: Sequence[Bank], sizes: tuple[int, int]) -> Iterator[str]:
    numbers = {element: k for k, element in enumerate(steps.sums)}
    ports = ["input wire clock", "input wire reset", "input wire start"]
    ports += write_ports(sizes) if memories else []
    ports += [f"input wire {operand.span}h{k}" for k in range(len(steps.held))]
    ports += [f"output reg {_span(bounds)}s{numbers[element]}" for element, bounds in steps.sums.items()]
    yield f"module {name} ("
    yield ",\n".join(f"    {p}" for p in ports)
    yield ");"
    yield from _control(steps)
    if steps.block:
        yield from _memory(steps)
    x = span(steps.x.width, steps.x.signed)
    for k in range(len(steps.held)):
        yield f"    reg {x}held{k};"
    cut = f"[{steps.x.width - 1}:0]" if steps.x.width < operand.width else ""
    yield "    always @(posedge clock) if (start) begin"
    yield from (f"        held{k} <= h{k}{cut};" for k in range(len(steps.held)))
    yield "    end"
    for bank in memories:
        yield from _bank(bank, steps, sizes[0])
    places = {element: k for k, element in enumerate(steps.held)}
    at = 0
    for m, (lane, stored) in enumerate(zip(steps.lanes, steps.stored, strict=True)):
        yield f"    // multiplier {m}"
        yield from _fields(m, lane, steps, at) if steps.block else _words(m, lane, steps)
        yield from _lane(m, lane, steps, places, numbers)
        at += sum(field.bits for field in stored)
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
    following = f"start || !choosing ? {bits}'d0 : step + {bits}'d1"
    if steps.block:
        yield f"    wire [{bits - 1}:0] following = {following};"
        following = "following"
    if own := steps.turn_bits:
        yield f"    reg [{own - 1}:0] turn;  // the step within the turn"
        last = f"turn == {own}'d{steps.turn - 1}"
        yield f"    always @(posedge clock) turn <= start || !choosing || {last} ? {own}'d0 : turn + {own}'d1;"
    yield "    always @(posedge clock) begin"
    yield f"        step <= {following};"
    yield f"        choosing <= !reset && (start || (choosing && step != {bits}'d{steps.count - 1}));"
    yield from (f"        {after} <= !reset && {before};" for before, after in pairwise(busy))
    yield "    end"


def _lane(m: int, lane: Lane, steps: Steps, places: dict[int, int], numbers: dict[int, int]) -> Iterator[str]:
    yield from _chosen(m, lane, steps, places)
    yield from _product(m, steps, lane.segment_bits)
    yield from _added(m, lane, numbers, lane.segment_bits)


def _words(m: int, lane: Lane, steps: Steps) -> Iterator[str]:
    """The words of a multiplier in LUTs."""
    fields = steps.fields(lane)
    for f in fields:
        whole = "" if f.name == "first" else f"[{f.bits - 1}:0] "
        yield f"    reg {span(f.bits, steps.weight.signed) if f.name == 'word' else whole}{f.name}{m};"
    names = f"{{{', '.join(f'{f.name}{m}' for f in fields)}}}"
    yield "    always @* begin"
    yield "        case (step)"
    for t in range(steps.count):
        packed = ", ".join(_bits(f.values[t], f.bits) for f in fields[:-1])
        yield f"            {steps.counter_bits}'d{t}: {names} = {{{packed}, 1'b{fields[-1].values[t]}}};"
    yield f"            default: {names} = {sum(f.bits for f in fields)}'d0;"
    yield "        endcase"
    yield "    end"


def _memory(steps: Steps) -> Iterator[str]:
    """The words of all multipliers side by side, the first one in the low bits, read a clock before their step."""
    width, digits = steps.stored_bits, -(-steps.stored_bits // 4)
    stored = [field for fields in steps.stored for field in fields]
    yield f'    (* rom_style = "block" *) reg [{width - 1}:0] rom [0:{steps.count - 1}];'
    yield "    initial begin"
    for t in range(steps.count):
        total, at = 0, 0
        for field in stored:
            total |= (field.values[t] & ((1 << field.bits) - 1)) << at
            at += field.bits
        yield f"        rom[{t}] = {width}'h{total:0{digits}x};"
    yield "    end"
    yield f"    reg [{width - 1}:0] words;"
    yield "    always @(posedge clock) words <= rom[following];"


def _fields(m: int, lane: Lane, steps: Steps, at: int) -> Iterator[str]:
    """The parts of a multiplier's words, from bit ``at`` of the memory's on; what is the same in all steps is not in it."""
    for field in steps.fields(lane):
        name = f"{span(field.bits, field.name == 'word' and steps.weight.signed)}{field.name}{m}"
        if field.is_constant:
            yield f"    wire {name} = {_bits(field.values[0], field.bits)};"
            continue
        yield f"    wire {name} = words[{at + field.bits - 1}:{at}];"
        at += field.bits


def _bank(bank: Bank, steps: Steps, address_bits: int) -> Iterator[str]:
    """The weights of a multiplier, of which each turn reads all."""
    m, kind = bank.number, span(bank.width, steps.weight.signed)
    yield f"    reg {kind}weights{m} [0:{(1 << bank.bits) - 1}];"
    words = [*bank.words, *[0] * ((1 << bank.bits) - len(bank.words))]
    yield from (f"    initial weights{m}[{k}] = {_bits(word, bank.width)};" for k, word in enumerate(words))
    place = f"weights_address[{bank.bits - 1}:0]" if bank.bits else "0"
    yield f"    always @(posedge clock) if ({bank.written(address_bits)})"
    yield f"        weights{m}[{place}] <= weights_data[{bank.width - 1}:0];"
    yield f"    wire {kind}word{m} = weights{m}[{'turn' if steps.turn_bits else 'step'}];"


def _bits(value: int, width: int) -> str:
    return f"{width}'d{value & ((1 << width) - 1)}"


def _chosen(m: int, lane: Lane, steps: Steps, places: dict[int, int]) -> Iterator[str]:
    index_bits = lane.index_bits
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
