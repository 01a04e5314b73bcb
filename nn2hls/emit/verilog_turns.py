"""A layer whose hardware is one step as a module in Verilog: operands are held, states are registers, the step takes turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nn2hls.hardware.pipeline import Turns


def turns_module(name: str, step: str, turns: Turns, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The module ``name``: ports ``clock``, ``reset``, ``start``, ``x0`` .. for its operands and ``y`` for its result.

    ``start`` is high for the clock in which the operands are there. The result is finished ``turns.latency`` clocks later and
    stays at least for that clock.

    Args:
        name: Of the module.
        step: The module of one step, as ``nn2hls.emit.rtl.modules`` writes it.
        turns: What it does.
        inputs, outputs: Ports of the step: an element of each sequence, the states, what is held; the states, what is read.
    """
    before = [*_head(name, turns), *_control(turns), *_kept(turns)]
    return "\n".join([*before, *_step(step, turns, inputs, outputs), *_result(turns)])


def one_by_one_module(name: str, step: str, turns: Turns, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The same for operands that come step by step: ``start`` is high for each of them, no sooner than ``turns.clocks`` after
    the one before; the result is there ``turns.latency`` clocks later, for that clock.
    """
    before = [*_head(name, turns), *_counted(turns), *_carried(turns)]
    result = ", ".join(f"found{k}" for k in reversed(range(len(turns.found))))
    return "\n".join([*before, *_step(step, turns, inputs, outputs), f"    assign y = {{{result}}};", "endmodule\n"])


def _head(name: str, turns: Turns) -> Iterator[str]:
    ports = ["input wire clock", "input wire reset", "input wire start"]
    ports += [f"input wire [{bits - 1}:0] x{k}" for k, bits in enumerate(turns.operands)]
    ports.append(f"output wire [{turns.result_bits - 1}:0] y")
    yield f"// {turns.equation}, each {turns.clocks} clocks."
    yield f"module {name} ("
    yield ",\n".join(f"    {p}" for p in ports)
    yield ");"


def _control(turns: Turns) -> Iterator[str]:
    bits = turns.counter_bits
    yield f"    reg [{bits - 1}:0] turn;  // the step that runs"
    yield "    reg begins;"
    yield "    wire done;"
    yield f"    wire last = turn == {bits}'d{turns.length - 1};"
    yield "    always @(posedge clock) begin"
    yield "        begins <= !reset && (start || (done && !last));"
    yield f"        turn <= start ? {bits}'d0 : done ? turn + {bits}'d1 : turn;"
    yield "    end"


def _kept(turns: Turns) -> Iterator[str]:
    """What a step reads, in registers: sequences move on by an element, states are what the step before left."""
    first, second = len(turns.sequences), len(turns.sequences) + len(turns.states)
    yield from (f"    reg [{bits - 1}:0] kept{k};" for k, bits in enumerate(turns.operands))
    yield from (f"    wire [{bits - 1}:0] after{k};" for k, bits in enumerate(turns.states))
    yield "    always @(posedge clock) begin"
    for k in range(len(turns.operands)):
        after = f"kept{k} >> {turns.sequences[k]}" if k < first else f"after{k - first}"
        moved = f"done ? {after} : " if k < second else ""
        yield f"        kept{k} <= start ? x{k} : {moved}kept{k};"
    yield "    end"


def _counted(turns: Turns) -> Iterator[str]:
    bits = turns.counter_bits
    yield f"    reg [{bits - 1}:0] turn;  // the step that comes"
    yield "    reg begins;"
    yield "    wire done;"
    yield f"    wire first = turn == {bits}'d0;"
    yield "    always @(posedge clock) begin"
    yield "        begins <= !reset && start;"
    following = f"turn == {bits}'d{turns.length - 1} ? {bits}'d0 : turn + {bits}'d1"
    yield f"        turn <= reset ? {bits}'d0 : !start ? turn : {following};"
    yield "    end"


def _carried(turns: Turns) -> Iterator[str]:
    """What a step reads, in registers: operands as they come, states as an event begins or as the step before left them."""
    assert turns.initial is not None
    widths, first = (*turns.sequences, *turns.states, *turns.held), len(turns.sequences)
    yield from (f"    reg [{bits - 1}:0] kept{k};" for k, bits in enumerate(widths))
    yield from (f"    wire [{bits - 1}:0] after{k};" for k, bits in enumerate(turns.states))
    yield "    always @(posedge clock) begin"
    operand = 0
    for k, bits in enumerate(widths):
        is_state = first <= k < first + len(turns.states)
        initial = turns.initial[k - first] if is_state else None
        value = f"x{operand}" if initial is None else f"{bits}'h{initial:x}"
        operand += initial is None
        when, moved = ("start && first", f"done ? after{k - first} : ") if is_state else ("start", "")
        yield f"        kept{k} <= {when} ? {value} : {moved}kept{k};"
    yield "    end"


def _step(step: str, turns: Turns, inputs: Sequence[str], outputs: Sequence[str]) -> Iterator[str]:
    widths = [*turns.sequences, *turns.states, *turns.held]
    yield from (f"    wire [{bits - 1}:0] found{k};" for k, bits in enumerate(turns.found))
    connected = [".clock(clock)", ".reset(reset)", ".valid_in(begins)", ".ready_in()", ".valid_out(done)"]
    connected += [f".{port}(kept{k}[{bits - 1}:0])" for k, (port, bits) in enumerate(zip(inputs, widths, strict=True))]
    states = len(turns.states)
    values = [*(f"after{k}" for k in range(states)), *(f"found{k}" for k in range(len(outputs) - states))]
    connected += [f".{port}({value})" for port, value in zip(outputs, values, strict=True)]
    yield f"    {step} one ("
    yield ",\n".join(f"        {c}" for c in connected)
    yield "    );"


def _result(turns: Turns) -> Iterator[str]:
    yield from (f"    reg [{turns.found[output] - 1}:0] read{k};" for k, (output, _) in enumerate(turns.reads))
    yield "    always @(posedge clock) begin"
    for k, (output, step) in enumerate(turns.reads):
        yield f"        read{k} <= done && turn == {turns.counter_bits}'d{step} ? found{output} : read{k};"
    yield "    end"
    yield f"    assign y = {{{', '.join(f'read{k}' for k in reversed(range(len(turns.reads))))}}};"
    yield "endmodule\n"
