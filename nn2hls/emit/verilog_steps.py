"""The steps of a reused layer as a module in Verilog: a counter, packed words for each multiplier, and the sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nn2hls.arith.ranges import width_of
from nn2hls.emit.verilog import Wire, span
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
    return "\n".join(_lines(name, steps, operand, memories, sizes)) + "\n"


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
    for bank in memories:
        yield from _memory(bank, steps, sizes[0])
    yield "endmodule"


def _span(bounds: tuple[int, int]) -> str:
    return span(width_of(*bounds), bounds[0] < 0)


def _control(steps: Steps) -> Iterator[str]:
    bits = steps.counter_bits
    yield f"    reg [{bits - 1}:0] step;  // the one that chooses its operands"
    yield "    reg choosing, multiplying, adding;"
    yield "    always @(posedge clock) begin"
    yield f"        step <= start || !choosing ? {bits}'d0 : step + {bits}'d1;"
    yield f"        choosing <= !reset && (start || (choosing && step != {bits}'d{steps.count - 1}));"
    yield "        multiplying <= !reset && choosing;"
    yield "        adding <= !reset && multiplying;"
    yield "    end"


def _lane(m: int, lane: Lane, steps: Steps, places: dict[int, int], numbers: dict[int, int]) -> Iterator[str]:
    index_bits = max(1, (len(lane.choices) - 1).bit_length())
    w, bits = steps.weight, lane.segment_bits
    yield f"    // multiplier {m}"
    yield f"    reg [{index_bits - 1}:0] index{m};"
    if steps.written:
        yield from _control_words(m, lane, steps, index_bits)
        yield from _chosen(m, lane, steps, places, index_bits)
        yield from _product(m, steps, bits)
        yield from _added(m, lane, numbers, bits)
        return
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


def _control_words(m: int, lane: Lane, steps: Steps, index_bits: int) -> Iterator[str]:
    """What a step does, but for its weight, which is in a memory."""
    bits = lane.segment_bits
    yield f"    reg [{bits - 1}:0] segment{m};"
    yield f"    reg first{m};"
    yield "    always @* begin"
    yield "        case (step)"
    for t, (index, segment, first) in enumerate(zip(lane.index, lane.segment, lane.first, strict=True)):
        packed = f"{{index{m}, segment{m}, first{m}}} = {{{index_bits}'d{index}, {bits}'d{segment}, 1'b{int(first)}}};"
        yield f"            {steps.counter_bits}'d{t}: {packed}"
    yield f"            default: {{index{m}, segment{m}, first{m}}} = {index_bits + bits + 1}'d0;"
    yield "        endcase"
    yield "    end"


def _memory(bank: Bank, steps: Steps, address_bits: int) -> Iterator[str]:
    """The weights of a multiplier."""
    m, kind = bank.number, span(bank.width, steps.weight.signed)
    yield f"    reg {kind}weights{m} [0:{(1 << bank.bits) - 1}];"
    words = [*bank.words, *[0] * ((1 << bank.bits) - len(bank.words))]
    yield from (f"    initial weights{m}[{k}] = {_bits(word, bank.width)};" for k, word in enumerate(words))
    place = f"weights_address[{bank.bits - 1}:0]" if bank.bits else "0"
    yield f"    always @(posedge clock) if ({bank.written(address_bits)})"
    yield f"        weights{m}[{place}] <= weights_data[{bank.width - 1}:0];"


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
    yield f"    reg {span(x.width, x.signed)}x{m};"
    yield f"    reg {span(w.width, w.signed)}w{m};"
    yield f"    reg {span(product.width, product.signed)}product{m};"
    yield f"    reg [{bits - 1}:0] segment{m}_1, segment{m}_2;"
    yield f"    reg first{m}_1, first{m}_2;"
    alike = x.signed == w.signed
    a = f"x{m}" if x.signed or alike else f"$signed({{1'b0, x{m}}})"
    b = f"w{m}" if w.signed or alike else f"$signed({{1'b0, w{m}}})"
    yield "    always @(posedge clock) begin"
    yield f"        x{m} <= chosen{m};"
    yield f"        w{m} <= {f'weights{m}[step]' if steps.written else f'word{m}'};"
    yield f"        {{segment{m}_1, first{m}_1}} <= {{segment{m}, first{m}}};"
    yield f"        product{m} <= {a} * {b};"
    yield f"        {{segment{m}_2, first{m}_2}} <= {{segment{m}_1, first{m}_1}};"
    yield "    end"


def _added(m: int, lane: Lane, numbers: dict[int, int], bits: int) -> Iterator[str]:
    yield "    always @(posedge clock) if (adding) begin"
    for k, element in enumerate(lane.sums):
        s = f"s{numbers[element]}"
        mine = f"if (segment{m}_2 == {bits}'d{k}) " if len(lane.sums) > 1 else ""
        # A product of another sign than the sum's range is extended by its own.
        yield f"        {mine}{s} <= first{m}_2 ? product{m} : {s} + product{m};"
    yield "    end"
