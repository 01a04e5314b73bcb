"""Sums of products with constants where pairs of digits that occur again are added once: common subexpressions.

Greedy, as in Hartley, "Subexpression sharing in filters using canonic signed digit multipliers" (IEEE TCAS-II 43, 1996): the
pair of terms that the most sums have in common becomes a term of its own, until no pair occurs twice.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nn2hls.arith.csd import digit_count, digits
from nn2hls.hardware.net import Net
from nn2hls.ops.products.straight import Terms, constant_terms

MOST_DIGITS = 48  # of one sum within a block of inputs: pairs are their square

Term = tuple[int, int, int]  # (number of the value, exponent, sign)
Pair = tuple[int, int, int, int]  # value a + sign * (value b * 2**shift): (a, b, shift, sign)


Made = tuple[list[int], "_Sums"]  # a block of inputs, and what its sums share


def shared_terms(net: Net, words: Sequence[int], constants: Sequence[int], made: Iterable[Made]) -> Terms:
    """The terms of sums that share what :func:`share` has found."""
    found = constant_terms(net, constants)
    for block, sums in made:
        wires = [int(words[i]) for i in block]
        for a, b, shift, sign in sums.made:
            other = net.shift(wires[b], shift)
            wires.append(net.add(wires[a], other) if sign > 0 else net.sub(wires[a], other))
        for j, terms in enumerate(sums.terms):
            found[j] += [(net.shift(wires[value], exponent), sign < 0) for value, exponent, sign in terms]
    return found


def share(weight: np.ndarray, constants: Sequence[int], deeper: int = 0) -> list[Made]:
    """What the sums over i of words[i] * weight[i, j] + constants[j] have in common.

    A tree of additions over terms that are d additions deep is no deeper than D exactly if the sum of 2**d is at most 2**D
    (Kraft's inequality); a sum takes a pair only while that holds.

    Args:
        weight: (n_in, n_out) mantissas.
        constants: (n_out,).
        deeper: Additions that may stand on the longest way beyond the fewest.
    """
    loads = digit_count(weight).sum(axis=0) + np.array([k != 0 for k in constants])
    deepest = (max(1, int(loads.max(initial=1))) - 1).bit_length() + deeper
    room = [(1 << deepest) - int(n) for n in loads]
    found = []
    for block in _blocks(weight):
        sums = _Sums(weight[block], room)
        sums.share()
        found.append((block, sums))
    return found


def _blocks(weight: np.ndarray) -> Iterator[list[int]]:
    """Inputs in blocks in which no sum has too many digits."""
    counts = digit_count(weight)
    block: list[int] = []
    total = np.zeros(weight.shape[1], dtype=np.int64)
    for i, row in enumerate(counts):
        if block and int((total + row).max(initial=0)) > MOST_DIGITS:
            yield block
            block, total = [], np.zeros_like(total)
        block.append(i)
        total = total + row
    if block:
        yield block


class _Sums:
    """The digits of a block, and how often each pair of them occurs.

    Args:
        weight: Of the block's inputs.
        room: For each sum how much more of Kraft's sum its depth leaves; it is used up.
    """

    def __init__(self, weight: np.ndarray, room: list[int]) -> None:
        self.values, self.room = weight.shape[0], room
        self.depth = [0] * self.values
        self.made: list[Pair] = []
        self.terms: list[list[Term]] = [
            [(i, exponent, sign) for i in np.flatnonzero(column).tolist() for sign, exponent in digits(int(column[i]))]
            for column in weight.T
        ]
        self.counts: Counter[Pair] = Counter()
        self.where: dict[Pair, set[int]] = {}
        for j, terms in enumerate(self.terms):
            self._count(j, ((x, y) for k, x in enumerate(terms) for y in terms[k + 1 :]), 1)
        self.heap = [(-n, pair) for pair, n in self.counts.items() if n > 1]
        heapq.heapify(self.heap)

    def _count(self, j: int, pairs: Iterable[tuple[Term, Term]], by: int) -> None:
        for x, y in pairs:
            pair = _pair(x, y)
            self.counts[pair] += by
            if by > 0:
                self.where.setdefault(pair, set()).add(j)

    def share(self) -> None:
        """Make the most frequent pair a value, again and again."""
        while self.heap:
            negative, pair = heapq.heappop(self.heap)
            now = self.counts[pair]
            if now != -negative:  # what was counted before other pairs were taken
                if now > 1:
                    heapq.heappush(self.heap, (-now, pair))
                continue
            a, b = self.depth[pair[0]], self.depth[pair[1]]
            more = (2 << max(a, b)) - (1 << a) - (1 << b)  # what it adds to Kraft's sum
            places = {j: found for j in sorted(self.where[pair]) if (found := self._fitting(j, pair, more))}
            if sum(map(len, places.values())) > 1:
                self.depth.append(max(a, b) + 1)
                self._take(pair, places, more)
            else:
                self.counts[pair] = 0

    def _fitting(self, j: int, pair: Pair, more: int) -> list[tuple[Term, Term]]:
        """Where a pair occurs in a sum, as often as its depth allows."""
        found = _places(self.terms[j], pair)
        return found[: self.room[j] // more] if more else found

    def _take(self, pair: Pair, places: dict[int, list[tuple[Term, Term]]], more: int) -> None:
        value = self.values + len(self.made)
        self.made.append(pair)
        touched: set[Pair] = set()
        for j, found in places.items():
            self.room[j] -= more * len(found)
            for x, y in found:
                rest = [t for t in self.terms[j] if t not in (x, y)]
                new = (value, x[1], x[2])
                self._count(j, [(x, y), *((x, t) for t in rest), *((y, t) for t in rest)], -1)
                self._count(j, ((t, new) for t in rest), 1)
                touched.update(_pair(t, new) for t in rest)
                self.terms[j] = [*rest, new]
        for made in touched:
            if self.counts[made] > 1:
                heapq.heappush(self.heap, (-self.counts[made], made))


def _pair(x: Term, y: Term) -> Pair:
    """Two terms of a sum without their common factor: the one with the lower exponent first."""
    if (x[1], x[0]) > (y[1], y[0]):
        x, y = y, x
    return x[0], y[0], y[1] - x[1], x[2] * y[2]


def _places(terms: list[Term], pair: Pair) -> list[tuple[Term, Term]]:
    """Where a pair occurs in a sum, no term twice."""
    a, b, shift, sign = pair
    left = set(terms)
    found = []
    for x in terms:
        y = (b, x[1] + shift, x[2] * sign)
        if x[0] == a and x in left and y in left and x != y and _pair(x, y) == pair:
            left -= {x, y}
            found.append((x, y))
    return found
