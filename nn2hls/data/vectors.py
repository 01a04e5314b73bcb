"""Test vectors when there is no data: corners of the input types and uniform values over their whole range."""

from __future__ import annotations

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import INT64_EXACT
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph

SEED = 2026


def test_vectors(graph: Graph, count: int) -> list[np.ndarray]:
    """Mantissas for every input of a fixed graph, (count, *shape) int64 each; of wider types
    the part that int64 holds.

    The first events hold one corner everywhere (smallest, largest, zero, plus and minus one step), then come random mixes of
    corners, then uniform values; the same seed gives the same vectors everywhere.
    """
    rng = np.random.default_rng(SEED)
    return [_vectors(n.result_type, n.shape, count, rng) for n in graph.inputs]


def _vectors(kind: FixedType, shape: Shape, count: int, rng: np.random.Generator) -> np.ndarray:
    low, high = max(kind.min_mantissa, -INT64_EXACT), min(kind.max_mantissa, INT64_EXACT)
    corners = np.array([c for c in dict.fromkeys((low, high, 0, 1, -1)) if low <= c <= high], dtype=np.int64)
    values = rng.integers(low, high, size=(count, *shape), dtype=np.int64, endpoint=True)
    mixed = min(count, max(count // 5, len(corners)))
    values[:mixed] = rng.choice(corners, size=(mixed, *shape))
    for k, corner in enumerate(corners[:count]):
        values[k] = corner
    return values
