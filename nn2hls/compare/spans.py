"""How large the numbers of a design are, beside what their types can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.compare.converted import Converted
from nn2hls.graph.const import Const
from nn2hls.graph.reference import run_float

SAMPLE = 4096  # events behind the ranges
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Span:
    """One row of a picture of ranges.

    Args:
        name: The layer, with ``.weight`` or another word for its constants.
        quantiles: log2 of the magnitudes of the values that are not zero: least, quartiles, largest; empty when all are zero.
        lowest, highest: log2 of one step of the type, and of the end of its range.
    """

    name: str
    quantiles: tuple[float, ...]
    lowest: int
    highest: int


def span(name: str, values: np.ndarray, kind: FixedType) -> Span:
    """The magnitudes of values beside those that a type can hold."""
    sizes = np.abs(values[(values != 0) & np.isfinite(values)])
    found = tuple(float(v) for v in np.quantile(np.log2(sizes), QUANTILES)) if sizes.size else ()
    return Span(name, found, -kind.fraction, kind.integer - kind.signed)


def constant_spans(design: Converted) -> list[Span]:
    """Weights, biases and other constants of each layer, as they were trained, against their types."""
    spans = []
    for node in design.graph:
        for reason in design.types.get(node.name, ()):
            constant = getattr(design.float_graph[node.name].op, reason.word, None)
            if isinstance(constant, Const):
                spans.append(span(f"{node.name}.{reason.word}", constant.array, reason.type))
    return spans


def made_spans(design: Converted) -> list[Span]:
    """The same as the hardware has them: rounded, without what nothing reads, with what is constant folded into biases."""
    spans = []
    for node in design.graph:
        for word, kind in node.op.types().items():
            constant = getattr(node.op, word, None)
            if isinstance(constant, Const):
                spans.append(span(f"{node.name}.{word}", constant.array.astype(np.float64) * kind.step, kind))
    return spans


def value_spans(design: Converted, x: Sequence[np.ndarray]) -> list[Span]:
    """Values of each layer in float against the types of the design."""
    known = design.float_graph.by_name
    nodes = [n for n in design.graph if n.name in known]
    values = run_float(design.float_graph, [a[:SAMPLE] for a in x], [n.name for n in nodes])
    return [span(n.name, values[n.name], n.result_type) for n in nodes]
