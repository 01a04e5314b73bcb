"""Settings that mend a table: tried on the layer alone, before anybody is told of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import MAX_WIDTH, FixedType
from nn2hls.errors import Nn2hlsError
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Input
from nn2hls.graph.op import Op
from nn2hls.passes.base import Context, Provenance
from nn2hls.passes.resolve_types import resolve_types

ENTRIES = (4096, 16384)
WIDER = ((0, 4), (0, 8), (4, 0), (8, 0), (8, 8))  # integer and fraction bits
TABLES = ("table", "exp_table", "inv_table")
WORTH = 0.5  # of the noise is left at most, where a setting is worth its line


@dataclass(frozen=True)
class Mend:
    """Settings of one layer.

    Args:
        types: Word -> type.
        entries: TableSize; None: as it is.
    """

    types: Mapping[str, FixedType]
    entries: int | None = None


@dataclass(frozen=True)
class Trial:
    """A layer that is resolved alone.

    Args:
        node: Of the fixed graph.
        source: The op with nothing resolved.
        operands: The nodes it reads.
        settings: Of the layer; a dataclass.
        signals: Float statistics of all nodes; empty: ``floats`` are measured.
        floats: Values of the operands.
    """

    node: Node
    source: Op
    operands: Sequence[Node]
    settings: Any
    signals: Mapping[str, Any]
    floats: Sequence[np.ndarray]

    def op(self, mend: Mend) -> Op:
        """The op as it would be with other settings, behind operands of their types."""
        inputs = [dataclasses.replace(_alone(n), op=Input(n.shape), inputs=()) for n in self.operands]
        alone = dataclasses.replace(_alone(self.node), op=self.source)
        of = {n.name: self._settings({"result": n.result_type}, None) for n in self.operands}
        of[alone.name] = self._settings({**self.settings.precision, **mend.types}, mend.entries)
        context = Context(lambda n: of[n.name], list(self.floats), signals=self.signals or None)
        return resolve_types(Graph((*inputs, alone), (alone.name,)), context)[alone.name].op

    def _settings(self, precision: Mapping[str, FixedType], entries: int | None) -> Any:
        return dataclasses.replace(self.settings, precision=precision, table_size=entries or self.settings.table_size)


def _alone(node: Node) -> Node:
    """A node before it has types, tied to no other one."""
    origin = dataclasses.replace(node.origin, part="")
    return dataclasses.replace(node, type=None, spread=None, tied="", turn=None, origin=origin)


def mend_table(trial: Trial, types: Sequence[Provenance], excess: Callable[[Op], float], now: float) -> Mend | None:
    """The first of some settings with which a table keeps its noise; else the best one, where it takes half of the noise.

    Args:
        trial: The layer.
        types: Where its types come from.
        excess: The noise of a resolved op by what is allowed.
        now: That of the op as it is.
    """
    best, least = None, WORTH * now
    for mend in _tries(types):
        try:
            found = excess(trial.op(mend))
        except Nn2hlsError:  # no such table
            continue
        if found < least:
            best, least = mend, found
        if found <= 1:
            break
    return best


def _tries(types: Sequence[Provenance]) -> Iterator[Mend]:
    given = {r.word: r.type for r in types if r.level == "given"}
    tables = {r.word: r.type for r in types if r.word in TABLES}
    wider = [{word: _wider(kind, *more) for word, kind in tables.items()} for more in WIDER]
    if set(given) == {"result"}:  # tables follow a result type that is given
        yield from (Mend({"result": _wider(given["result"], 0, more)}) for more in range(1, 9))
    yield from map(Mend, wider)
    yield from (Mend({}, entries) for entries in ENTRIES)
    yield from (Mend(words, entries) for entries in ENTRIES for words in wider)


def _wider(kind: FixedType, integer: int, fraction: int) -> FixedType:
    return dataclasses.replace(kind, width=min(kind.width + integer + fraction, MAX_WIDTH), integer=kind.integer + integer)
