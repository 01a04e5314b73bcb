"""How results that come one after the other become one, in a register for each element."""

from __future__ import annotations

import enum
from collections.abc import Callable

from nn2hls.arith.fixed import FixedType
from nn2hls.hardware.net import Net


class Join(enum.Enum):
    """What is kept of what was there and of what comes; neither depends on the order."""

    ADD = "add"
    MAX = "max"
    MIN = "min"


_IN_NETS: dict[Join, Callable[[Net, int, int], int]] = {Join.ADD: Net.add, Join.MAX: Net.maximum, Join.MIN: Net.minimum}
# Whether what comes takes the place of what was there, in Verilog; and what else is kept.
IN_VERILOG = {Join.ADD: ("1'b1", "was + fresh"), Join.MAX: ("fresh > was", "fresh"), Join.MIN: ("fresh < was", "fresh")}


def joined(join: Join, kind: FixedType) -> Net:
    """Of two values of a type a third one, of the same type: that it holds it is proved beforehand."""
    net, ends = Net(), (kind.min_mantissa, kind.max_mantissa)
    net.outputs = [net.narrowed(_IN_NETS[join](net, net.input(0, *ends), net.input(1, *ends)), *ends)]
    return net
