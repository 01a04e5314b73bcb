"""AXI4-Stream ports of a design in streams, in Verilog: a module around the one whose streams have valid and ready.

A token is a beat: its bits in the low ones of TDATA, which is whole bytes. TLAST of what leaves is high with the last token of
each event. An event is as long as its tokens, whatever TLAST of what enters says; one in a wrong place makes ``misplaced`` high
until the next reset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nn2hls.emit.axis import tdata_bits
from nn2hls.streams.control import bits_for
from nn2hls.streams.network import Stream

CORE = "core__inside"  # the instance of the module around which this one stands: no port has two underscores in a row


CORE = "core__inside"  # the instance of the module around which this one stands: no port has two underscores in a row


class Port(Protocol):
    """A stream of the module inside."""

    @property
    def name(self) -> str:
        """Of its data."""

    @property
    def stream(self) -> Stream:
        """What travels."""


def axis_module(name: str, inside: str, entering: Sequence[Port], leaving: Sequence[Port]) -> Iterator[str]:
    """The lines of the module ``name`` around the module ``inside``."""
    ports = ["input wire aclk", "input wire aresetn"]
    for own, other, streams in (("input", "output", entering), ("output", "input", leaving)):
        for p in streams:
            ports += [f"{own} wire [{tdata_bits(p.stream) - 1}:0] {p.name}_tdata", f"{own} wire {p.name}_tvalid"]
            ports += [f"{other} wire {p.name}_tready", f"{own} wire {p.name}_tlast"]
    yield "// AXI4-Stream: a beat moves in each clock in which tvalid and tready are high; tlast ends an event. tlast of what"
    yield "// enters is not obeyed: one in a wrong place makes misplaced high until the next reset. aresetn is synchronous."
    yield f"module {name} ("
    yield ",\n".join(f"    {p}" for p in [*ports, "output reg misplaced"])
    yield ");"
    yield from (f"    wire [{p.stream.bits - 1}:0] {p.name};" for p in leaving)
    yield from _inside(inside, entering, leaving)
    for p in leaving:
        rest = tdata_bits(p.stream) - p.stream.bits
        yield f"    assign {p.name}_tdata = {f'{{{rest}{chr(39)}d0, {p.name}}}' if rest else p.name};"
    for p in (*entering, *leaving):
        yield from _counter(p)
    yield from (f"    assign {p.name}_tlast = {p.name}__last;" for p in leaving)
    wrong = " || ".join(f"({p.name}_tvalid && {p.name}_tready && {p.name}_tlast != {p.name}__last)" for p in entering)
    yield "    always @(posedge aclk)"
    yield "        if (!aresetn) misplaced <= 1'b0;"
    yield f"        else if ({wrong}) misplaced <= 1'b1;"
    yield "endmodule"


def _inside(name: str, entering: Sequence[Port], leaving: Sequence[Port]) -> Iterator[str]:
    yield f"    {name} {CORE} (.clock(aclk), .reset(!aresetn),"
    data = [(p, f"{p.name}_tdata[{p.stream.bits - 1}:0]") for p in entering] + [(p, p.name) for p in leaving]
    ports = [f".{p.name}({d}), .{p.name}_valid({p.name}_tvalid), .{p.name}_ready({p.name}_tready)" for p, d in data]
    yield ",\n".join(f"        {p}" for p in ports) + ");"


def _counter(p: Port) -> Iterator[str]:
    """``NAME__last``: whether the next token is the last one of its event."""
    name, tokens = p.name, p.stream.tokens
    if tokens == 1:
        yield f"    wire {name}__last = 1'b1;"
        return
    bits = bits_for(tokens - 1)
    yield f"    reg [{bits - 1}:0] {name}__count;"
    yield f"    wire {name}__last = {name}__count == {bits}'d{tokens - 1};"
    yield "    always @(posedge aclk)"
    yield f"        if (!aresetn) {name}__count <= {bits}'d0;"
    yield f"        else if ({name}_tvalid && {name}_tready)"
    yield f"            {name}__count <= {name}__last ? {bits}'d0 : {name}__count + {bits}'d1;"
