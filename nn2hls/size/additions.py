"""Additions and adder bits of our own Verilog by strategy, before anything is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.operators import adder_bits, additions
from nn2hls.markup import Table, notebook
from nn2hls.size.choices import Sizer
from nn2hls.size.layouts import DISTRIBUTED, LATENCY, SEARCHED, digits
from nn2hls.size.streams import StreamSizer


@dataclass(frozen=True)
class Adders:
    """What one strategy adds.

    Args:
        additions: Sums and differences of two values.
        bits: Of all their adders.
    """

    additions: int
    bits: int

    @classmethod
    def of(cls, hardware: Hardware) -> Adders:
        """Those of a layer."""
        loops = hardware.unrolled().loops
        counts = ((len(additions(loop.body)) * loop.lanes, adder_bits(loop.body) * loop.lanes) for loop in loops)
        return cls(*(sum(column) for column in zip((0, 0), *counts, strict=True)))

    def __add__(self, other: Adders) -> Adders:
        return Adders(self.additions + other.additions, self.bits + other.bits)


@dataclass(frozen=True)
class LayerAdders:
    """One layer without reuse.

    Args:
        layer: Its name.
        strategy, depth: What the config says.
        by: Strategy -> what it adds; a strategy that no time was for is left out.
    """

    layer: str
    strategy: str
    depth: int
    by: dict[str, Adders]


@dataclass(frozen=True, repr=False)
class Additions:
    """All layers whose sums a strategy builds."""

    layers: tuple[LayerAdders, ...]

    def total(self, strategy: str) -> Adders | None:
        """Of all layers; None where one was left out."""
        found = [layer.by.get(strategy) for layer in self.layers]
        return None if None in found else sum((x for x in found if x), Adders(0, 0))

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        totals = {s: asdict(found) for s in (LATENCY, DISTRIBUTED) if (found := self.total(s))}
        return {"layers": [asdict(layer) for layer in self.layers], "total": totals}

    def __repr__(self) -> str:
        return f"Additions({', '.join(layer.layer for layer in self.layers)})"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return notebook(repr(self), [self._table()] if self.layers else [])

    def text(self) -> str:
        """For people; empty when no layer has such sums."""
        return self._table().text() if self.layers else ""

    def _table(self) -> Table:
        rows = [_row(x.layer, x.by, x.strategy + (f" +{x.depth}" if x.depth else "")) for x in self.layers]
        rows.append(_row("total", {s: found for s in (LATENCY, DISTRIBUTED) if (found := self.total(s))}, ""))
        head = ["layer", "additions: Latency", "bits", DISTRIBUTED, "bits", "the config says"]
        left_out = any(DISTRIBUTED not in x.by for x in self.layers)
        note = f"-: more than {SEARCHED:,} digits of weights are searched only where the config asks for it"
        return Table(head, rows, foot=[note] if left_out else [])


def _row(name: str, by: dict[str, Adders], says: str) -> list[str | None]:
    cells: list[str | None] = [name]
    for strategy in (LATENCY, DISTRIBUTED):
        found = by.get(strategy)
        cells += [None, None] if found is None else [f"{found.additions:,}", f"{found.bits:,}"]
    return [*cells, says]


def count_additions(sizer: Sizer | StreamSizer) -> Additions:
    """What each strategy adds, of every layer without reuse; nothing for other back ends, which share by themselves.

    Distributed arithmetic is searched for where the config asks for it, and elsewhere from the smallest layer on, as long as
    that takes a few seconds.

    Raises:
        LimitError: A layer cannot be built with its settings.
    """
    if sizer.tool != "verilog":
        return Additions(())
    names = [n for n in sizer.nodes if "strategy" in sizer.nodes[n].op.uses and sizer.now(n).reuse == 1]
    searched = {*_affordable(sizer, names)}
    return Additions(tuple(_layer(sizer, name, name in searched) for name in names))


def _affordable(sizer: Sizer | StreamSizer, names: Iterable[str]) -> Iterable[str]:
    left = SEARCHED
    for name in sorted(names, key=lambda n: digits(sizer.nodes[n].op)):
        if sizer.now(name).strategy == DISTRIBUTED:
            yield name
            continue
        left -= digits(sizer.nodes[name].op)
        if left >= 0:
            yield name


def _layer(sizer: Sizer | StreamSizer, name: str, searched: bool) -> LayerAdders:
    now = sizer.now(name)
    strategies = [LATENCY, *([DISTRIBUTED] if searched else [])]
    by = {s: Adders.of(sizer.hardware(name, now._replace(strategy=s))) for s in strategies}
    return LayerAdders(name, now.strategy, now.depth, by)
