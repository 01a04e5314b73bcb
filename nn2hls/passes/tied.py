"""Copies of one node, one in each step of a recurrent layer, have one type and one op: what all of them need together."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding, common_type
from nn2hls.arith.ranges import Range, ints
from nn2hls.graph.graph import Graph, Node
from nn2hls.passes.base import Provenance
from nn2hls.passes.provenance import SURE_FIRST
from nn2hls.passes.signals import Signal


@dataclass(frozen=True)
class Common:
    """What holds for all copies of a node.

    Args:
        why: The type, and where it comes from.
        reads: For each operand the types that it has in some copy.
        warnings: What the user must know of the type.
    """

    why: Provenance
    reads: tuple[frozenset[FixedType], ...]
    warnings: tuple[str, ...]

    def ranges(self, xs: Sequence[Range]) -> list[Range]:
        """For each operand all that it can hold in any copy; ``xs`` are those of one of them."""
        return [_all(kinds).broadcast(x.shape) for kinds, x in zip(self.reads, xs, strict=True)]


def _all(kinds: Iterable[FixedType]) -> Range:
    ranges = [Range.of_type(kind) for kind in kinds]
    fraction = max(x.fraction for x in ranges)
    same = [x.at(fraction) for x in ranges]
    return Range(ints(min(x.low for x in same)), ints(max(x.high for x in same)), fraction)


def joint(graph: Graph, signals: Mapping[str, Signal]) -> Mapping[str, Signal]:
    """Statistics of every node, those of all copies of one node together."""
    found = dict(signals)
    for names in copies(graph).values():
        own = [signals[name] for name in names]
        rms, spread = (math.sqrt(float(np.mean(np.square([getattr(s, k) for s in own])))) for k in ("rms", "spread"))
        one = Signal(rms, spread, min(s.low for s in own), max(s.high for s in own))
        found.update(dict.fromkeys(names, one))
    return found


def copies(graph: Graph) -> Mapping[str, Sequence[str]]:
    """The nodes that are copies of one, by the word that ties them."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in graph:
        if node.tied:
            found[node.tied].append(node.name)
    return found


def common(
    graph: Graph,
    types: Mapping[str, tuple[Provenance, ...]],
    limits: Mapping[str, int],
    warnings: Mapping[str, Sequence[str]],
) -> dict[str, Common]:
    """What holds for the copies, from a draft in which each of them was resolved for itself.

    Args:
        graph: The draft.
        types: Where its types come from.
        limits: The most bits of a derived type, by node.
        warnings: What was told of each node.
    """
    groups = copies(graph)
    found: dict[str, Provenance] = {}
    told: dict[str, tuple[str, ...]] = {}
    for word, names in groups.items():
        own = [types[name][0] for name in names]
        first = graph[names[0]]
        widest = max(range(len(own)), key=lambda k: own[k].type.integer)
        limit = None if first.op.moves or any(p.level == "given" for p in own) else min(limits[name] for name in names)
        found[word] = dataclasses.replace(
            own[widest],
            type=_hull([p.type for p in own], limit),
            level=max((p.level for p in own), key=SURE_FIRST.index),
        )
        told[word] = tuple(warnings.get(names[widest], ()))
    kinds = {n.name: found[n.tied].type if n.tied else n.result_type for n in graph}
    return {
        word: Common(found[word], _reads([graph[name] for name in names], kinds), told[word]) for word, names in groups.items()
    }


def _reads(nodes: Sequence[Node], kinds: Mapping[str, FixedType]) -> tuple[frozenset[FixedType], ...]:
    return tuple(frozenset(kinds[name] for name in names) for names in zip(*(n.inputs for n in nodes), strict=True))


def _hull(kinds: Sequence[FixedType], limit: int | None) -> FixedType:
    """A type for all values of several; of at most ``limit`` bits, where there is a limit, the low ones going first."""
    whole = common_type(kinds)
    if all(kind == whole for kind in kinds):
        return whole
    fraction = whole.fraction if limit is None else min(whole.fraction, max(limit - whole.integer, 1 - whole.integer))
    rounds = any(kind.rounding is not Rounding.TRN or kind.fraction > fraction for kind in kinds)
    saturates = any(kind.overflow is not Overflow.WRAP for kind in kinds)
    return FixedType(
        whole.integer + fraction,
        whole.integer,
        whole.signed,
        Rounding.RND if rounds else Rounding.TRN,
        Overflow.SAT if saturates else Overflow.WRAP,
    )
