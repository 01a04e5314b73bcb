"""Products with constants in a straight line: sums as trees of digits or multipliers, or one product after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from nn2hls.arith.csd import digits
from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.hardware.casts import cast, cast_raised, raised
from nn2hls.hardware.net import Net

Terms = list[list[tuple[int, bool]]]  # of each sum


class Expand(Protocol):
    """Finds wires whose sums are those over i of words[i] * weight[i, j] + constants[j]; flagged ones are subtracted."""

    def __call__(self, net: Net, words: Sequence[int], weight: np.ndarray, constants: Sequence[int]) -> Terms: ...


def sums(
    net: Net,
    words: Sequence[int],
    weight: np.ndarray,
    bias: Sequence[int],
    fraction: int,
    result: FixedType,
    expand: Expand,
) -> Iterator[int]:
    """Wires of the sums over i of words[i] * weight[i, j] + bias[j], cast to ``result``.

    Args:
        net: Where cells are added.
        words: (n_in,) wires.
        weight, bias: Mantissas (n_in, n_out) and (n_out,) that give sums of ``fraction`` fraction bits.
        fraction: Of the exact sums.
        result: Their type.
        expand: Finds the terms of all sums; what rounding adds is one of the constants.
    """
    added = raised(fraction, result)
    constants = [int(b) + (added or 0) for b in bias]
    for column in expand(net, words, weight, constants):
        total = net.total(column)
        yield cast(net, total, fraction, result) if added is None else cast_raised(net, total, fraction, result)


def product_terms(net: Net, words: Sequence[int], weight: np.ndarray, constants: Sequence[int]) -> Terms:
    """An :class:`Expand`: where products become additions the digits of the weights, else products.

    A product that several sums need is made once.
    """
    products = [(int(i), int(weight[i, j]), int(j)) for j, i in np.argwhere(weight.T != 0)]
    wanted = Counter((i, w) for i, w, _ in products)
    terms = constant_terms(net, constants)
    for i, w, j in products:
        form = digits(w)
        if len(form) > 1 and (wanted[i, w] > 1 or net.most_digits is not None):
            terms[j].append((net.scale(words[i], w), False))
        else:
            terms[j] += [(net.shift(words[i], exponent), sign < 0) for sign, exponent in form]
    return terms


def constant_terms(net: Net, constants: Sequence[int]) -> Terms:
    """A constant as a term of each sum: none for zero."""
    return [[(net.const(k), False)] if k else [] for k in constants]


def ordered(
    net: Net,
    words: Sequence[int],
    weight: np.ndarray,
    bias: np.ndarray,
    fraction: int,
    accum: FixedType,
    result: FixedType,
) -> Iterator[int]:
    """The same with every addition cast to ``accum``: the sum starts at the cast bias and takes the products in order."""
    grid = max(fraction, accum.fraction)
    for column, constant in zip(weight.T, bias, strict=True):
        total = net.const(int(cast_to(int(constant), fraction, accum)))
        for i in np.flatnonzero(column).tolist():
            product = net.shift(net.scale(words[i], int(column[i])), grid - fraction)
            total = cast(net, net.add(net.shift(total, grid - accum.fraction), product), grid, accum)
        yield cast(net, total, accum.fraction, result)
