"""How the products of a Dense layer are laid out: straight-line sums without reuse, packed steps with it.

The generated C++, the estimate and the savings that ``nn2hls convert`` prints all read the same plan.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.arith.csd import digits
from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, ints, width_of
from nn2hls.errors import LimitError
from nn2hls.hardware.schedule import Kind, Operator, Schedule
from nn2hls.ops.cost import cast_operators
from nn2hls.ops.dense import Dense
from nn2hls.ops.products.bounds import column_counts
from nn2hls.ops.products.ordered import NarrowedPlan
from nn2hls.ops.products.reused import MAX_ARRAY, ReusedPlan, works

MAX_PRODUCTS = 65_536  # straight-line products of one layer
MAX_BLOCK = MAX_ARRAY  # straight-line products of one function


@dataclass(frozen=True)
class Term:
    """One value of a straight-line plan.

    ``kind`` None is a shifted input: x[left] << right, or for a left of -1 the constant right. MUL_CONST is x[left] * right.
    ADD is left + right of two earlier terms, or left - right when ``minus``.
    """

    kind: Kind | None
    left: int
    right: int
    lo: int
    hi: int
    level: int
    minus: bool = False

    @property
    def width(self) -> int:
        """Bits of its proven range."""
        return width_of(self.lo, self.hi)


@dataclass(frozen=True)
class Piece:
    """A sum of one function: output j plus or minus the value of a term; None when it has no products."""

    output: int
    term: int | None
    minus: bool


@dataclass(frozen=True)
class Block:
    """The straight-line code of one function: terms in order and the sums it computes."""

    terms: tuple[Term, ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class ParallelPlan:
    """Reuse 1: every product has its own operator; equal products of one input in one function are shared.

    A product with a constant of one digit is a shift, of two digits an addition, else a multiplier. ``bias`` are aligned
    mantissas of the sum's fraction.
    """

    op: Dense
    x: Range
    blocks: tuple[Block, ...]
    bias: np.ndarray
    positions: int

    def schedule(self, result: FixedType) -> Schedule:
        """Operators of all blocks, of the biases and of the casts."""
        found: Counter[tuple[Kind, tuple[int, ...]]] = Counter()
        deepest: tuple[Operator, ...] = ()
        pieces = Counter(p.output for b in self.blocks for p in b.pieces if p.term is not None)
        accum = self.op.exact(  # the widest sum
            [self.x]
        )
        for block in self.blocks:
            for term in block.terms:
                if term.kind is not None:
                    found[_operator(term, self.x)] += 1
            deepest = max(deepest, _chain(block, self.x), key=len)
        joins = sum(n - 1 for n in pieces.values()) + int(np.count_nonzero(self.bias[list(pieces)]))
        if joins:
            found[Kind.ADD, (accum.width,)] += joins
            deepest += (Operator(Kind.ADD, (accum.width,)),)
        cast = cast_operators(accum, result)
        operators = [Operator(kind, widths, n * self.positions) for (kind, widths), n in sorted(found.items(), key=str)]
        n_out = len(pieces) * self.positions
        return Schedule(
            operators=(*operators, *(Operator(o.kind, o.widths, n_out) for o in cast)),
            path=(*deepest, *cast),
            results=result.width * n_out,
            products=int(np.count_nonzero(self.op.weight.array)) * self.positions,
        )


def _operator(term: Term, x: Range) -> tuple[Kind, tuple[int, ...]]:
    assert term.kind is not None
    if term.kind is Kind.MUL_CONST:
        lo, hi = x.bounds(term.left)
        return term.kind, (width_of(lo, hi), width_of(min(term.right, 0), max(term.right, 0)))
    return term.kind, (term.width,)


def _chain(block: Block, x: Range) -> tuple[Operator, ...]:
    roots = [p.term for p in block.pieces if p.term is not None]
    if not roots:
        return ()
    at: int | None = max(roots, key=lambda t: block.terms[t].level)
    chain: list[Operator] = []
    while at is not None:
        term = block.terms[at]
        if term.kind is not None:
            chain.append(Operator(*_operator(term, x)))
        at = max(term.left, term.right, key=lambda t: block.terms[t].level) if term.kind is Kind.ADD else None
    return tuple(reversed(chain))


def plan(op: Dense, x: Range, where: str = "") -> ParallelPlan | ReusedPlan | NarrowedPlan:
    """The layout of a resolved Dense layer.

    Raises:
        LimitError: It is too large to unroll; the message names a reuse factor that works.
    """
    positions = int(np.prod(np.shape(x.lo)[:-1])) if np.ndim(x.lo) else 1
    nnz = int(column_counts(op.weight).sum())
    if op.reuse > 1 and nnz:  # nothing but biases needs no multiplier to take turns on
        layout = ReusedPlan(op, x, positions)
        layout.check(where)
        return layout
    if nnz * positions > MAX_PRODUCTS:
        raise LimitError(
            f"Its {nnz * positions:,} products do not fit into straight-line code of at most {MAX_PRODUCTS:,}.",
            where=where,
            fix=works(op, x, positions),
        )
    if op.narrowed([x]):
        ordered = NarrowedPlan(op, x, positions)
        ordered.check(MAX_BLOCK, where)
        return ordered
    weight, bias, _ = op.aligned(x)
    blocks = tuple(_block(weight, x, pieces) for pieces in _split(weight))
    return ParallelPlan(op, x, blocks, ints(bias), positions)


def _split(weight: np.ndarray) -> Iterable[list[tuple[int, np.ndarray]]]:
    """Outputs with their input rows, gathered into functions of at most MAX_BLOCK products."""
    block: list[tuple[int, np.ndarray]] = []
    size = 0
    for j in range(weight.shape[1]):
        rows = np.flatnonzero(weight[:, j])
        for start in range(0, max(len(rows), 1), MAX_BLOCK):
            part = rows[start : start + MAX_BLOCK]
            if size + len(part) > MAX_BLOCK:
                yield block
                block, size = [], 0
            block.append((j, part))
            size += len(part)
    yield block


def _block(weight: np.ndarray, x: Range, pieces: Sequence[tuple[int, np.ndarray]]) -> Block:
    terms: list[Term] = []
    shared: dict[tuple[int, int], tuple[int, bool]] = {}
    sums = []
    for j, rows in pieces:
        found = [_product(int(i), int(weight[i, j]), x, terms, shared) for i in rows]
        sums.append(Piece(j, *_sum(found, terms)) if found else Piece(j, None, False))
    return Block(tuple(terms), tuple(sums))


def adder_block(layout: ParallelPlan, constants: np.ndarray) -> Block:
    """The sums of a plan of one block without products: an output is one tree over the digits of its weights and its constant.

    A product that several outputs need is a tree of its own, which they share.
    """
    (block,), x = layout.blocks, layout.x
    weight = layout.op.aligned(x)[0]
    pieces = [(p.output, np.flatnonzero(weight[:, p.output])) for p in block.pieces]
    terms: list[Term] = []
    shared: dict[tuple[int, int], tuple[int, bool]] = {}
    wanted = Counter((int(i), int(weight[i, j])) for j, rows in pieces for i in rows)
    sums = []
    for j, rows in pieces:
        found: list[tuple[int, bool]] = []
        for i in map(int, rows):
            w = int(weight[i, j])
            leaves = [(_shifted(i, p, *x.bounds(i), terms, shared), sign < 0) for sign, p in digits(w)]
            if wanted[i, w] > 1 and len(leaves) > 1:
                if (i, w) not in shared:
                    shared[i, w] = _sum(leaves, terms)
                leaves = [shared[i, w]]
            found += leaves
        c = int(constants[j])
        if found and c:
            terms.append(Term(None, -1, c, c, c, 0))
            found.append((len(terms) - 1, False))
        sums.append(Piece(j, *_sum(found, terms)) if found else Piece(j, None, False))
    return Block(tuple(terms), tuple(sums))


def _product(i: int, w: int, x: Range, terms: list[Term], shared: dict[tuple[int, int], tuple[int, bool]]) -> tuple[int, bool]:
    """The term of x[i] * w and whether it is to be subtracted; a new term unless the same product is there."""
    if (i, w) in shared:
        return shared[i, w]
    lo, hi = x.bounds(i)
    form = digits(w)
    if len(form) > 2:
        ends = (lo * w, hi * w)
        terms.append(Term(Kind.MUL_CONST, i, w, min(ends), max(ends), 2))
        shared[i, w] = (len(terms) - 1, False)
        return shared[i, w]
    shifts = [(_shifted(i, p, lo, hi, terms, shared), sign < 0) for sign, p in form]
    if len(shifts) == 1:
        shared[i, w] = shifts[0]
    else:
        factor = -w if all(minus for _, minus in shifts) else w
        ends = (lo * factor, hi * factor)
        shared[i, w] = _join(shifts[0], shifts[1], terms, (min(ends), max(ends)))
    return shared[i, w]


def _shifted(i: int, by: int, lo: int, hi: int, terms: list[Term], shared: dict[tuple[int, int], tuple[int, bool]]) -> int:
    if (i, 1 << by) not in shared:
        terms.append(Term(None, i, by, lo << by, hi << by, 0))
        shared[i, 1 << by] = (len(terms) - 1, False)
    return shared[i, 1 << by][0]


def _sum(found: list[tuple[int, bool]], terms: list[Term]) -> tuple[int, bool]:
    """A tree over the terms, the least deep and narrowest first, as (term, to be subtracted)."""
    heap = [(terms[t].level, terms[t].width, n, (t, minus)) for n, (t, minus) in enumerate(found)]
    heapq.heapify(heap)
    n = len(heap)
    while len(heap) > 1:
        a, b = heapq.heappop(heap)[3], heapq.heappop(heap)[3]
        joined = _join(a, b, terms)
        top = terms[joined[0]]
        heapq.heappush(heap, (top.level, top.width, n, joined))
        n += 1
    return heap[0][3]


def _join(
    a: tuple[int, bool], b: tuple[int, bool], terms: list[Term], bounds: tuple[int, int] | None = None
) -> tuple[int, bool]:
    """Add two signed terms; two negative ones are added and the sign is passed on, so nothing is negated."""
    (ta, minus_a), (tb, minus_b) = a, b
    level = max(terms[ta].level, terms[tb].level) + 1
    if minus_a and not minus_b:
        ta, tb = tb, ta
    minus = minus_a != minus_b
    ra, rb = terms[ta], terms[tb]
    lo, hi = (ra.lo - rb.hi, ra.hi - rb.lo) if minus else (ra.lo + rb.lo, ra.hi + rb.hi)
    if bounds is not None:
        lo, hi = bounds
    terms.append(Term(Kind.ADD, ta, tb, lo, hi, level, minus))
    return len(terms) - 1, minus_a and minus_b
