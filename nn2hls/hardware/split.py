"""Products that are too slow for a clock as sums of narrower ones: a * b = a * high(b) * 2**s + a * low(b).

The parts stand in stages of their own, so that only a clock in which not even narrow products or their sums fit is too fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nn2hls.hardware.loop import Hardware, Loop
from nn2hls.hardware.net import Code, Net
from nn2hls.hardware.operators import operator
from nn2hls.hardware.schedule import Kind, Operator
from nn2hls.hardware.stages import Delay

NARROWEST = 2  # bits of a factor that is not split any more


def paced(hardware: Hardware, delay: Delay, period: float) -> Hardware:
    """The same with every product within a period, as far as splitting leads.

    Args:
        hardware: Of a layer, with or without steps.
        delay: Of an operator, in nanoseconds.
        period: Nanoseconds that an operator may take.
    """
    loops = tuple(_loop(loop, delay, period) for loop in hardware.loops)
    same = all(a is b for a, b in zip(loops, hardware.loops, strict=True))
    return hardware if same else replace(hardware, loops=loops)


def _loop(loop: Loop, delay: Delay, period: float) -> Loop:
    split = split_products(loop.body, delay, period)
    return loop if split is None else replace(loop, body=split)


def split_products(net: Net, delay: Delay, period: float) -> Net | None:
    """The net with its slow products split; None where there are none."""
    slow = {w for w in net.alive() if net.cells[w].code is Code.MUL and _slow(operator(net, w), delay, period)}
    if not slow:
        return None
    made, wires = Net(net.most_digits), dict[int, int]()
    made.tables = list(net.tables)
    for wire in net.alive():
        cell = net.cells[wire]
        args = tuple(wires[a] for a in cell.args)
        if wire in slow:
            a, b = args
            wires[wire] = made.narrowed(_product(made, a, b, delay, period), cell.lo, cell.hi)
        else:
            wires[wire] = made.copied(cell, args)
    made.outputs = [wires[o] for o in net.outputs]
    return made


def _slow(takes: Operator | None, delay: Delay, period: float) -> bool:
    return takes is not None and sum(delay(takes)) > period


def _product(net: Net, a: int, b: int, delay: Delay, period: float) -> int:
    """a * b of products that fit, if there are any whose sum does."""
    x, y = net.cells[a].width, net.cells[b].width
    narrowest, added = Operator(Kind.MUL, (NARROWEST, NARROWEST)), Operator(Kind.ADD, (x + y,))
    fits = not _slow(Operator(Kind.MUL, (x, y)), delay, period)
    if fits or _slow(narrowest, delay, period) or _slow(added, delay, period):
        return net.mul(a, b)
    _, _, second, low = min(_ways(x, y, delay, period), default=(0.0, 0.0, True, 0))
    if not low:
        return net.mul(a, b)
    one, other = (a, b) if second else (b, a)
    high = _product(net, one, net.shift(other, -low), delay, period)
    rest = _product(net, one, net.wrap(other, low, signed=False), delay, period)
    return net.add(net.shift(high, low), rest)


def _ways(x: int, y: int, delay: Delay, period: float) -> Iterator[tuple[float, float, bool, int]]:
    """(nanoseconds beyond the period, of both products, whether the second factor is split, its low bits) of each way."""
    for second, whole, parted in ((True, x, y), (False, y, x)):
        for low in range(NARROWEST, parted - NARROWEST + 1):
            both = [sum(delay(Operator(Kind.MUL, (whole, bits)))) for bits in (low, parted - low)]
            yield max(0.0, max(both) - period), sum(both), second, low
