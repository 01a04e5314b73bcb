"""A process of a design in streams as a module in Verilog: it takes tokens in steps, gathers, fires its core and sends.

Ports: ``s0`` .. for the streams that it reads and ``y`` for the one that it sends, each with ``_valid`` and ``_ready``. Its
core cannot be stopped, so it fires only if the buffer behind the core has room for all that is on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nn2hls.emit.stream_gather import Gather
from nn2hls.emit.verilog_rom import rom
from nn2hls.hardware.join import IN_VERILOG, Join
from nn2hls.streams.build import FEW, Built, Link, Queue
from nn2hls.streams.control import bits_for

ALWAYS = "1'b1"


def process_module(name: str, built: Built) -> str:
    """The module ``name``; its core is the module ``name__core``, and it needs the FIFOs of ``stream_parts``."""
    return "\n".join(_Process(name, built).lines()) + "\n"


class _Process:
    def __init__(self, name: str, built: Built) -> None:
        self.name, self.built, self.front = name, built, built.front
        self.gather = Gather(built)
        self.last = int(self.front.fires[-1])
        self.overlaps = built.turn < self.front.steps
        self.bits = bits_for(self.front.steps - 1)

    def lines(self) -> Iterator[str]:
        """All of it."""
        built = self.built
        yield f"module {self.name} ("
        ports = ["input wire clock", "input wire reset"]
        for k, stream in enumerate(built.sources):
            ports += [f"input wire [{stream.bits - 1}:0] s{k}", f"input wire s{k}_valid", f"output wire s{k}_ready"]
        ports += [f"output wire [{built.stream.bits - 1}:0] y", "output wire y_valid", "input wire y_ready"]
        yield ",\n".join(f"    {p}" for p in ports)
        yield ");"
        yield from self._steps()
        if built.control.counts_firings:
            yield from self.gather.counter("firing", self.front.firings, "ending")
        yield from self._schedule()
        yield from self._rest()
        for link in built.links:
            yield from self._link(link)
        yield from self.gather.lines()
        yield from self._core()
        yield from self._send()
        yield "endmodule"

    # ---- steps -----------------------------------------------------------------------------------------------------------

    def _n(self, value: int) -> str:
        return f"{self.bits}'d{value}"

    def _steps(self) -> Iterator[str]:
        """Which step it is, and whether it is taken."""
        front, end = self.front, self.front.steps - 1
        yield f"    reg [{self.bits - 1}:0] step;"
        at = "step"
        if self.overlaps:
            yield f"    reg [{self.bits - 1}:0] ahead;  // the step of the next event, while the last firings of this one go on"
            yield f"    wire trailing = step >= {self._n(self.built.turn)};"
            yield f"    wire [{self.bits - 1}:0] at = trailing ? ahead : step;"
            at = "at"
        for k, source in enumerate(front.sources):
            until = self.built.turn if self.overlaps else front.steps
            terms = [f"{at} >= {self._n(source.start)}"] * (source.start > 0)
            terms += [f"{at} < {self._n(source.end)}"] * (source.end < until)
            yield f"    wire turn{k} = {' && '.join(terms) or ALWAYS};"
        there = [f"(!turn{k} || s{k}_valid)" for k in range(len(front.sources))]
        if self.built.waits_for is not None:  # or it would fire for an event that never comes
            there.append(f"(step != {self._n(0)} || s{self.built.waits_for}_valid)")
        have = " && ".join(there) or ALWAYS
        yield f"    wire have = {have};"
        yield "    wire fires, may;"
        yield f"    wire ending = step == {self._n(self.last)};  // firing of the event"
        if self.overlaps:
            yield f"    wire bubble = trailing && ahead == {self._n(0)} && !have;  // nobody waits for the next event"
            yield "    wire go = (have || bubble) && (!fires || may);"
        else:
            yield "    wire go = have && (!fires || may);"
        yield "    wire fire = go && fires;"
        for k in range(len(front.sources)):
            yield f"    assign s{k}_ready = go && turn{k}{' && !bubble' if self.overlaps else ''};"
        yield "    always @(posedge clock)"
        yield f"        if (reset) step <= {self._n(0)};"
        if self.overlaps:
            following = f"bubble ? {self._n(0)} : ahead + {self._n(1)}"
            yield f"        else if (go) step <= step == {self._n(end)} ? ({following}) : step + {self._n(1)};"
            yield "    always @(posedge clock)"
            yield f"        if (reset) ahead <= {self._n(0)};"
            yield f"        else if (go) ahead <= !trailing || step == {self._n(end)} ? {self._n(0)} : {following};"
        else:
            yield f"        else if (go) step <= step == {self._n(end)} ? {self._n(0)} : step + {self._n(1)};"

    # ---- firings ---------------------------------------------------------------------------------------------------------

    def _schedule(self) -> Iterator[str]:
        """Whether it fires in this step."""
        fires = self.front.fires
        if self.built.control.consecutive:
            first = [f"step >= {self._n(int(fires[0]))}"] * bool(fires[0] > 0)
            last = [f"step <= {self._n(self.last)}"] * (self.last < self.front.steps - 1)
            yield f"    assign fires = {' && '.join([*first, *last]) or ALWAYS};"
            return
        regular = self.built.control.regular
        if regular is None:
            yield from rom("fires_at", [int(f) for f in fires], self.bits)
            yield "    assign fires = step == fires_at(firing);"
            return
        yield f"    reg [{self.bits - 1}:0] next;"
        yield "    assign fires = step == next;"
        by_column, count = regular.by_column, regular.columns
        step = self._n(by_column)
        if count < len(fires):
            c = bits_for(count - 1)
            wrap = regular.by_row - (count - 1) * by_column
            yield f"    reg [{c - 1}:0] place;  // of the firing in its row"
            yield "    always @(posedge clock)"
            yield f"        if (reset) place <= {c}'d0;"
            yield f"        else if (fire) place <= ending || place == {c}'d{count - 1} ? {c}'d0 : place + {c}'d1;"
            step = f"(place == {c}'d{count - 1} ? {self._n(wrap)} : {self._n(by_column)})"
        yield "    always @(posedge clock)"
        yield f"        if (reset) next <= {self._n(regular.first)};"
        yield f"        else if (fire) next <= ending ? {self._n(regular.first)} : next + {step};"

    def _rest(self) -> Iterator[str]:
        """Whether it may fire: credit, and the clocks between two firings."""
        credit, spacing = self.built.credit, self.built.placed.interval if self.built.placed else 1
        c = bits_for(credit)
        yield f"    reg [{c - 1}:0] credit;  // results for which the buffer has room"
        yield "    wire sent;"
        yield "    always @(posedge clock)"
        yield f"        if (reset) credit <= {c}'d{credit};"
        once = self.built.process.once
        spent, has = ("fire && ending", f"(!ending || credit != {c}'d0)") if once else ("fire", f"credit != {c}'d0")
        yield f"        else if (({spent}) != sent) credit <= sent ? credit + {c}'d1 : credit - {c}'d1;"
        if spacing == 1:
            yield f"    assign may = {has};"
            return
        r = bits_for(spacing - 1)
        yield f"    reg [{r - 1}:0] rest;  // clocks until the core may begin again"
        yield "    always @(posedge clock)"
        yield f"        if (reset) rest <= {r}'d0;"
        yield f"        else rest <= fire ? {r}'d{spacing - 1} : rest == {r}'d0 ? {r}'d0 : rest - {r}'d1;"
        yield f"    assign may = {has} && rest == {r}'d0;"

    # ---- chains ----------------------------------------------------------------------------------------------------------

    def _link(self, link: Link) -> Iterator[str]:
        """A delay of some steps: registers, or a memory that is read before it is written."""
        name, word = f"t{link.source}_{link.age}", f"[{link.bits - 1}:0]"
        into = self.gather.carried(link)
        yield f"    wire {word} {name};"
        if link.steps <= FEW:
            regs = [f"{name}__{n}" for n in range(link.steps)]
            yield f"    reg {word} {', '.join(regs)};"
            yield "    always @(posedge clock) if (go) begin"
            yield from (f"        {r} <= {b};" for r, b in zip(regs, [into, *regs], strict=False))
            yield "    end"
            yield f"    assign {name} = {regs[-1]};"
            return
        yield f"    stream_delay #(.WIDTH({link.bits}), .WORDS({link.words}), .BITS({bits_for(link.words - 1)})) delay_{name} ("
        yield f"        .clock(clock), .reset(reset), .go(go), .in({into}), .out({name}));"

    # ---- core and result -------------------------------------------------------------------------------------------------

    def _core(self) -> Iterator[str]:
        process, built = self.built.process, self.built
        bits = built.parts * built.stream.bits
        yield f"    wire [{bits - 1}:0] result;"
        yield "    wire done;"
        if not process.computes:
            yield f"    assign result = {{{', '.join(f'x{k}' for k in reversed(range(len(process.sizes))))}}};"
            yield "    assign done = fired;"
            return
        given, there = ("result" if process.join is None else "given"), ("given_there" if process.once else "done")
        if process.join is not None:
            yield from self._accumulators(process.join)
        elif process.once:
            n, count = bits_for(self.front.firings - 1), self.front.firings
            yield "    wire given_there;"
            yield f"    reg [{n - 1}:0] nth;  // step of the event"
            yield "    always @(posedge clock)"
            yield f"        if (reset) nth <= {n}'d0;"
            yield f"        else if (given_there) nth <= nth == {n}'d{count - 1} ? {n}'d0 : nth + {n}'d1;"
            yield f"    assign done = given_there && nth == {n}'d{count - 1};"
        operands = "".join(f", .x{k}(x{k})" for k in range(len(process.sizes)))
        yield f"    {self.name}__core core (.clock(clock), .reset(reset), .valid_in(fired), .ready_in(){operands},"
        yield f"        .out({given}), .valid_out({there}));"

    def _accumulators(self, join: Join) -> Iterator[str]:
        """What the core gives, joined: a register takes it, another one for each element keeps it."""
        stream, count = self.built.stream, self.front.firings
        bits, width = stream.bits, stream.type.width
        n, kind = bits_for(count - 1), f"{'signed ' if stream.type.signed else ''}[{width - 1}:0]"
        better, joined = IN_VERILOG[join]
        yield f"    wire [{bits - 1}:0] given;"
        yield "    wire given_there;"
        yield f"    reg [{bits - 1}:0] taken, kept;"
        yield f"    reg [{n - 1}:0] nth;  // of what the core gives for an event"
        yield "    reg took, begins, ends, finished;"
        yield "    always @(posedge clock) begin"
        yield f"        if (reset) nth <= {n}'d0;"
        yield f"        else if (given_there) nth <= nth == {n}'d{count - 1} ? {n}'d0 : nth + {n}'d1;"
        yield "        if (given_there) begin"
        yield f"            taken <= given; begins <= nth == {n}'d0; ends <= nth == {n}'d{count - 1};"
        yield "        end"
        yield "        took <= !reset && given_there;"
        yield "        finished <= !reset && took && ends;"
        yield "    end"
        yield "    genvar element;"
        yield f"    generate for (element = 0; element < {stream.size}; element = element + 1) begin : accumulators"
        yield f"        wire {kind} fresh = taken[element * {width} +: {width}];"
        yield f"        wire {kind} was = result[element * {width} +: {width}];"
        yield f"        always @(posedge clock) if (took && (begins || {better}))"
        yield f"            kept[element * {width} +: {width}] <= begins ? fresh : {joined};"
        yield "    end endgenerate"
        yield "    assign result = kept;"
        yield "    assign done = finished;"

    def _send(self) -> Iterator[str]:
        """The buffer, and its words in parts."""
        built = self.built
        bits, parts, credit = built.stream.bits, built.parts, built.credit
        yield f"    wire [{parts * bits - 1}:0] word;"
        yield from fifo("buffer", parts * bits, credit, ("result", "done", ""), ("word", "y_valid", "sent"))
        if parts == 1:
            yield "    assign y = word;"
            yield "    assign sent = y_valid && y_ready;"
            return
        p = bits_for(parts - 1)
        yield f"    reg [{p - 1}:0] part;"
        yield f"    wire whole = part == {p}'d{parts - 1};"
        yield "    always @(posedge clock)"
        yield f"        if (reset) part <= {p}'d0;"
        yield f"        else if (y_valid && y_ready) part <= whole ? {p}'d0 : part + {p}'d1;"
        yield f"    assign y = word[part * {bits} +: {bits}];"
        yield "    assign sent = y_valid && y_ready && whole;"


def fifo(name: str, width: int, depth: int, into: Sequence[str], out: Sequence[str]) -> Iterator[str]:
    """A FIFO; ``into`` and ``out`` are (data, valid, ready)."""
    queue = Queue(width, depth)
    kind = "stream_fifo_block" if queue.block else "stream_fifo"
    yield f"    {kind} #(.WIDTH({width}), .WORDS({queue.words}), .BITS({bits_for(queue.words - 1)})) {name} ("
    yield f"        .clock(clock), .reset(reset), .in({into[0]}), .in_valid({into[1]}), .in_ready({into[2]}),"
    yield f"        .out({out[0]}), .out_valid({out[1]}), .out_ready({out[2]}));"
