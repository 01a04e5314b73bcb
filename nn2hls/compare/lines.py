"""What a comparison proposes: one line of settings for each layer that misses something, and what all of them do together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from nn2hls.arith.fixed import FixedType
from nn2hls.compare.converted import Converted
from nn2hls.compare.result import LayerComparison, Need
from nn2hls.compare.scores import sqnr
from nn2hls.emulate.emulator import Emulator
from nn2hls.errors import Nn2hlsError
from nn2hls.graph.graph import Node
from nn2hls.passes import run_passes
from nn2hls.passes.base import Context


@dataclass(frozen=True)
class Proposal:
    """Settings of one layer.

    Args:
        types: Word -> type.
        entries: TableSize; None: as it is.
        target: TargetSQNR; None: as it is.
        none: Why nothing is proposed, a clause; empty when something is.
    """

    types: Mapping[str, FixedType]
    entries: int | None = None
    target: float | None = None
    none: str = ""

    def line(self, name: str) -> str:
        """A line of YAML below LayerName; a comment where nothing is proposed."""
        types = ", ".join(f"{word}: '{kind}'" for word, kind in self.types.items())
        words = [f"Precision: {{{types}}}"] if types else []
        words += [f"TableSize: {self.entries}"] if self.entries else []
        words += [f"TargetSQNR: {self.target:g}"] if self.target else []
        return f"# {yaml_key(name)}: {self.none}" if self.none else f"{yaml_key(name)}: {{{', '.join(words)}}}"


def proposals(layers: Sequence[LayerComparison]) -> dict[str, Proposal]:
    """What would mend each layer that misses something, by its name."""
    needs: dict[str, list[Need]] = {}
    for x in layers:
        for need in x.needs:
            needs.setdefault(x.name.removesuffix(f".{need.word}") if x.low is None else x.name, []).append(need)
    folded = {x.name: x for x in layers if x.folded}
    return {name: _proposal(found, folded.get(name)) for name, found in needs.items()}


def _proposal(needs: Sequence[Need], folded: LayerComparison | None) -> Proposal:
    if folded:
        why = f"a type of its own would undo that {folded.folded} is folded into it; widen Precision of Model"
        return Proposal({}, None, folded.raised, "" if folded.raised else why)
    types: dict[str, FixedType] = {}
    for need in needs:
        if need.type:
            kind = FixedType.parse(need.type)
            types[need.word] = _both(types[need.word], kind) if need.word in types else kind
    entries = max((n.entries for n in needs if n.entries), default=None)
    none = "" if types or entries else "its table is too coarse, and no setting that was tried mends it"
    return Proposal(types, entries, None, none)


def _both(a: FixedType, b: FixedType) -> FixedType:
    """All integer and all fraction bits that two types have."""
    integer = max(a.integer, b.integer)
    return dataclasses.replace(a, width=integer + max(a.fraction, b.fraction), integer=integer, signed=a.signed or b.signed)


def yaml_key(name: str) -> str:
    """A name as YAML reads it back: plain where it can stand so, else quoted."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", name) and yaml.safe_load(name) == name:
        return name
    quoted = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(quoted.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in name) + '"'


def together(
    design: Converted, found: Mapping[str, Proposal], inputs: Sequence[np.ndarray], floats: Sequence[np.ndarray]
) -> tuple[float | None, ...] | None:
    """The SQNR of each output, once all that is proposed is set; None when there is no such design.

    Args:
        design: As it is.
        found: From :func:`proposals`.
        inputs: Some events, (events, *shape) of each input.
        floats: Float answers to them, for each output.
    """

    def settings(node: Node) -> Any:
        of: Any = design.config.settings_of(node)
        mine = found.get(node.name)
        if mine is None:
            return of
        return dataclasses.replace(
            of,
            precision={**of.precision, **mine.types},
            table_size=mine.entries or of.table_size,
            target_sqnr=mine.target or of.target_sqnr,
            own_type=of.own_type or bool(mine.types),
        )

    calibrated = any(r.level == "calibrated" for reasons in design.types.values() for r in reasons)
    context = Context(settings, list(inputs) if calibrated else None, signals=design.signals or None)
    try:
        graph = run_passes(design.float_graph, context, typed=True)
        values = {name: np.empty((len(inputs[0]) if inputs else 1, *graph[name].shape)) for name in graph.outputs}

        def take(name: str, start: int, mantissas: Any) -> None:
            if name in values:
                step = graph[name].result_type.step
                np.multiply(mantissas, step, out=values[name][start : start + len(mantissas)], casting="unsafe")

        Emulator(graph).run(inputs, take)
    except Nn2hlsError:
        return None
    return tuple(finite_sqnr(a, values[name]) for a, name in zip(floats, graph.outputs, strict=True))


def finite_sqnr(reference: np.ndarray, fixed: np.ndarray) -> float | None:
    """SQNR of the values that float holds."""
    known = np.isfinite(reference)
    return sqnr(reference[known], fixed[known])
