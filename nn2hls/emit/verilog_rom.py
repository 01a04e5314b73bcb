"""Numbers by number: read-only memories as functions of Verilog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nn2hls.streams.control import bits_for


def rom(name: str, words: Sequence[int], width: int) -> Iterator[str]:
    """The function ``name(address)``: words of ``width`` bits, taken as they are; the most frequent one is the default."""
    bits, mask = bits_for(len(words) - 1), (1 << width) - 1
    usual = Counter(w & mask for w in words).most_common(1)[0][0]
    yield f"    function [{width - 1}:0] {name}(input [{bits - 1}:0] address);"
    yield "        case (address)"
    yield from (f"            {bits}'d{k}: {name} = {width}'h{w & mask:x};" for k, w in enumerate(words) if w & mask != usual)
    yield f"            default: {name} = {width}'h{usual:x};"
    yield "        endcase"
    yield "    endfunction"
