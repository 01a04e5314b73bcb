"""Sums of products with constants, whatever op asks for them: what the layouts in this folder lay out."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range
from nn2hls.graph.const import Const


class Strategy(enum.Enum):
    """How a layer's products are laid out in hardware."""

    LATENCY = "Latency"
    RESOURCE = "Resource"
    DISTRIBUTED = "DistributedArithmetic"


@dataclass(frozen=True, eq=False)
class Affine:
    """y[j] = bias[j] + sum over i of x[i] * weight[i, j], at ``positions`` places.

    Args:
        weight: Mantissas (n_in, n_out).
        weight_t: Their type.
        bias: (n_out,) mantissas of ``fraction`` fraction bits.
        x: Bounds of the operand, its last axis being i.
        fraction: Of the exact sums.
        exact: Their bounds.
        accum: The type that holds partial sums.
        narrowed: ``accum`` does not hold them exactly: every addition is cast to it.
        reuse: Products that share a multiplier.
        strategy: See Strategy.
        equation: What the op computes.
    """

    weight: Const
    weight_t: FixedType
    bias: np.ndarray
    x: Range
    fraction: int
    exact: Range
    accum: FixedType
    narrowed: bool
    reuse: int
    strategy: Strategy
    equation: str

    @property
    def positions(self) -> int:
        """Places at which the same sums are computed."""
        return math.prod(self.x.shape[:-1])

    def with_reuse(self, reuse: int) -> Affine:
        """The same with another reuse factor."""
        return replace(self, reuse=reuse)
