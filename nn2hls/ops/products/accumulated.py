"""A Dense layer of a whole tensor as its elements come: their products are added up, with weights from a ROM.

Of N inputs that come in F equal parts one after the other, part f contributes the sums over its own i of x[i] * weight[i, j]
to accumulators, one for each output j; in the end the bias is added, and the one cast follows. That takes N / F multipliers
for each output, as reuse factor F says, and neither a place for the tensor nor a choice among its elements.
"""

from __future__ import annotations

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, width_of
from nn2hls.graph.const import Const
from nn2hls.graph.op import Accumulation
from nn2hls.hardware.code import MAX_ARRAY
from nn2hls.hardware.join import Join
from nn2hls.ops.matmul import MatMul
from nn2hls.ops.products.bounds import column_counts, product_bounds
from nn2hls.ops.scale import Scale


def factors(weight: Const) -> tuple[int, ...]:
    """Reuse factors that deal the inputs out evenly, rising.

    None where most weights are zero: shared multipliers pass over these, and accumulators of all outputs do not.
    """
    n_in, n_out = weight.shape
    if 2 * int(column_counts(weight).sum()) < n_in * n_out:
        return ()
    return tuple(f for f in range(2, n_in + 1) if n_in % f == 0 and n_in // f * n_out <= MAX_ARRAY)


def accumulated(weight: Const, weight_t: FixedType, bias: Const, bias_t: FixedType, x: Range, reuse: int) -> Accumulation:
    """The layer of an operand of one axis, exactly.

    Args:
        weight, bias: Mantissas (n_in, n_out) and (n_out,).
        weight_t, bias_t: Their types.
        x: Bounds of the operand, (n_in,).
        reuse: One of :func:`factors`.
    """
    sums, fraction = product_bounds(weight, x), x.fraction + weight_t.fraction
    low, high = min(0, int(sums.least.min())), max(0, int(sums.most.max()))  # of any part of the products
    width = width_of(low, high)
    one = FixedType(1, 1, signed=False)
    return Accumulation(
        1,
        MatMul(),
        Join.ADD,
        FixedType(width, width - fraction, low < 0),
        Range(sums.everywhere(sums.lo), sums.everywhere(sums.hi), fraction),
        Scale(Const(np.ones((), dtype=np.int64)), bias, one, bias_t),
        weight.shape[0] // reuse,
        (weight.array, weight_t),
    )
