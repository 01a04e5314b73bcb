"""Dense: the product with a constant matrix over the last axis."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nn2hls.errors import ModelError
from nn2hls.fixed import FixedType
from nn2hls.ir import Const, Shape
from nn2hls.ops.base import Op


class Strategy(enum.Enum):
    """How a layer's products are laid out in hardware."""

    LATENCY = "Latency"
    RESOURCE = "Resource"


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """y[.., j] = cast(bias[j] + sum over i of x[.., i] * weight[i, j]), over the last axis, any leading axes.

    Products and sum are exact; the one rounding is the cast to the result type. When the user names ``accum_t``, the
    accumulator starts at cast(bias[j]) and each product of a non-zero weight is added in ascending i, with a cast to
    ``accum_t`` after every addition.

    Args:
        weight: (n_in, n_out).
        bias: (n_out,); zeros where the framework has none.
    """

    weight: Const
    bias: Const
    weight_t: FixedType | None = None
    bias_t: FixedType | None = None
    accum_t: FixedType | None = None
    reuse: int = 1
    strategy: Strategy = Strategy.LATENCY

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        n_in, n_out = self.weight.shape
        if not shapes[0] or shapes[0][-1] != n_in:
            raise ModelError(f"Its weights take {n_in} values, its operand has shape {shapes[0]}.", where=where)
        if self.bias.shape != (n_out,):
            raise ModelError(f"Its bias has shape {self.bias.shape} and must have ({n_out},).", where=where)
        return (*shapes[0][:-1], n_out)

    def evaluate_float(self, x: Any) -> Any:
        return x @ self.weight.array + self.bias.array
