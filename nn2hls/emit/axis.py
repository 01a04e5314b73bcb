"""AXI4-Stream ports of designs in streams, in C++: a token is a beat, TDATA whole bytes, TLAST the last token of an event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nn2hls.errors import LimitError
from nn2hls.hardware.code import Pragma
from nn2hls.streams.network import Stream

MOST_BITS = 4096  # of TDATA that the types of HLS tools hold
USUAL_BITS = 1024  # that they hold unless they are told otherwise


@dataclass(frozen=True)
class AxisPort:
    """A stream of the top function.

    Args:
        name: Of the parameter.
        token: The C++ type of its tokens.
        stream: What travels.
        sides: Widths of TUSER, TID and TDEST, which nobody reads, as the tool's type wants them.
    """

    name: str
    token: str
    stream: Stream
    sides: tuple[int, int, int]

    @property
    def bits(self) -> int:
        """Of TDATA."""
        return tdata_bits(self.stream)

    @property
    def beat(self) -> str:
        """The C++ type of a beat."""
        return f"nn2hls_{self.name}_beat"

    @property
    def type(self) -> str:
        """What it stands for."""
        return f"ap_axiu<{', '.join(map(str, (self.bits, *self.sides)))}>"

    @property
    def tokens(self) -> str:
        """The queue of tokens behind the port of an output."""
        return f"nn2hls_{self.name}_tokens"

    def check(self) -> None:
        """Refuse beats that are too wide.

        Raises:
            LimitError: With the way out.
        """
        if self.bits > MOST_BITS:
            what = f"A token of {self.bits:,} bits is more than the {MOST_BITS:,} bits of TDATA that HLS tools hold."
            raise LimitError(what, where=self.name, fix="Set a smaller ParallelizationFactor, or leave Interface out.")

    def entering(self, function: str, targets: Sequence[str]) -> Iterator[str | Pragma]:
        """The function that passes what enters on to each of its readers; ``targets``: their parameters."""
        parameters = [f"hls::stream<{self.beat}>& x", *(f"hls::stream<{self.token}>& {t}" for t in targets)]
        yield f"static void {function}({', '.join(parameters)}) {{"
        yield f"for (int n = 0; n < {self.stream.tokens}; n++) {{"
        yield Pragma("pipeline", "1")
        yield f"{self.token} token;"
        yield "nn2hls::from_beat(token, x.read());"
        yield from (f"{t}.write(token);" for t in reversed(targets))
        yield from ("}", "}", "")

    def leaving(self) -> Iterator[str | Pragma]:
        """The function ``nn2hls_leave_NAME``, which sends what leaves."""
        parameters = f"hls::stream<{self.token}>& x, hls::stream<{self.beat}>& to"
        yield f"static void nn2hls_leave_{self.name}({parameters}) {{"
        yield f"for (int n = 0; n < {self.stream.tokens}; n++) {{"
        yield Pragma("pipeline", "1")
        yield f"to.write(nn2hls::to_beat<{self.beat}>(x.read(), n == {self.stream.tokens - 1}));"
        yield from ("}", "}", "")


def tdata_bits(stream: Stream) -> int:
    """Bits of TDATA: those of a token, filled up to whole bytes."""
    return -(-stream.bits // 8) * 8
