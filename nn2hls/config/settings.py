"""What holds for one node of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nn2hls.arith.fixed import FixedType


@dataclass(frozen=True)
class LayerSettings:
    """What holds for one node of the graph.

    Args:
        precision: The types the user named, by word (``weight``, ``bias``, ``result``, ``accum`` ...); the rest is derived.
        reuse: Reuse factor.
        strategy: ``Latency``, ``Resource`` or ``DistributedArithmetic``.
        adder_depth: Additions beyond the fewest on the longest way of a distributed sum.
        positions: Of a stream that are computed side by side; None: unset.
        time_steps: ``Unroll``: the steps of a recurrent layer stand side by side; ``Off``: one runs for each in turn, which is
            what streams do unless the user says ``Unroll``.
        weights: ``fixed``: constants of the hardware; ``reloadable``: memories that can be written.
        table_size: Entries of each table; None: derived.
        max_width: No derived type is wider.
        target_sqnr: Signal to rounding noise that derived types keep, in dB.
        sources: Where each of these was set, by field or word; ``default`` when nowhere.
        own: What LayerType or LayerName name for this layer word by word, and where; a bare type names no word.
        own_words: The words whose type LayerType or LayerName name for this layer, a bare type's included.
        own_type: True when LayerType or LayerName names a type of this layer: it is not folded into another one.
    """

    precision: Mapping[str, FixedType] = field(default_factory=dict)
    reuse: int = 1
    strategy: str = "Latency"
    adder_depth: int = 0
    positions: int | None = None
    time_steps: str = "Unroll"
    weights: str = "fixed"
    table_size: int | None = None
    max_width: int = 24
    target_sqnr: float = 60.0
    sources: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    own_words: frozenset[str] = frozenset()
    own_type: bool = False
