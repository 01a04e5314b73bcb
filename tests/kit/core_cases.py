"""Cases of every op for the C++ that Bambu builds, drawn from a seed."""

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.functions import Function
from nn2hls.emit.limits import check_width
from nn2hls.emit.options import Options
from nn2hls.errors import LimitError
from nn2hls.graph.const import Const, Places
from nn2hls.graph.op import Hints
from nn2hls.ops import (
    Concatenate,
    Dense,
    Divide,
    Elementwise,
    Embedding,
    Gather,
    Lookup,
    MatMul,
    Merge,
    Move,
    Norm,
    Normalised,
    Portion,
    QuantizeEach,
    Reduce,
    Reduction,
    Reshape,
    Scale,
    Softmax,
    Table,
    TopK,
    Transpose,
)
from nn2hls.ops.places import padded, patches
from tests.kit.op_cases import OPS, SHAPES
from tests.kit.witness import Case, random_type

BAMBU = Options(backend="Bambu")
NOISE = Hints(noise=2.0**-7, operand_rms=(1.0,))


def activations(rng, width):
    for op, _ in OPS.values():
        yield Case(op, [random_type(rng, width)], [(1, 3)], random_type(rng, width), NOISE)


def merges(rng, width):
    for merge in Merge:
        shapes = list(SHAPES[rng.integers(len(SHAPES))])
        shapes += shapes[:1] * (merge is not Merge.SUB and int(rng.integers(2)))
        yield Case(Elementwise(merge), [random_type(rng, width) for _ in shapes], shapes, random_type(rng, width), NOISE)
    scale = Scale(Const(rng.normal(size=(3, 1))), Const(rng.normal(size=(2,))))
    yield Case(scale, [random_type(rng, width)], [(3, 2)], random_type(rng, width), NOISE)


def grids(rng, width):
    """A type for each element, some of no bits, some of them alike, in several modes."""
    for shape, own in (((2, 3), (2, 3)), ((3, 2), (2,)), ((4,), (4,))):
        bits = rng.integers(0, width[1] // 2, own)
        signed, below = rng.integers(0, 2, own), rng.integers(-2, 6, own)
        modes = Rounding(rng.integers(len(Rounding))), Overflow(rng.integers(len(Overflow)))
        op = QuantizeEach(Const(bits), Const(bits - below), Const(signed), *modes)
        yield Case(op, [random_type(rng, width)], [shape], random_type(rng, width))


def lookups(rng, width):
    """Tables of an address with and without sign, of operands that reach all and a part of it."""
    for rounding, overflow, signed in ((Rounding.TRN, Overflow.SAT, True), (Rounding.RND, Overflow.WRAP, False)):
        kind = FixedType(4, 2, signed, rounding, overflow)
        op = Lookup(Const(rng.normal(size=(2, 16))), kind, Places(rng.integers(0, 2, 3)))
        yield Case(op, [random_type(rng, width)], [(2, 3)], random_type(rng, width), NOISE)
        yield Case(op, [FixedType(2, 1, signed)], [(2, 3)], random_type(rng, width), NOISE)


def moves(rng, width):
    kinds = [random_type(rng, width) for _ in range(3)]
    yield Case(Concatenate(0), kinds, [(1, 2), (3, 2), (2, 2)], random_type(rng, width))
    yield Case(Transpose((1, 0)), [random_type(rng, width)], [(2, 3)], random_type(rng, width))
    yield Case(Reshape((3, 2)), [random_type(rng, width)], [(2, 3)], random_type(rng, width))


def tables(rng, width):
    for function in Function:
        hints = Hints(table_size=[None, 32][rng.integers(2)], noise=2.0**-5, operand_rms=(1.0,))
        operand = random_type(rng, (min(width[0], 20), min(width[1], 30)))
        yield Case(Table(function, 0.7), [operand], [(1, 2)], random_type(rng, width), hints)


def softmaxes(rng, width):
    for log in (False, True):
        for shape, axis in [((5,), 0), ((2, 3), 1), ((4, 2), 0), ((1,), 0)]:
            result = random_type(rng, width)
            yield Case(
                Softmax(axis, log), [random_type(rng, (max(2, width[0]), width[1]))], [shape], result, Hints(result=result)
            )
    masked = Softmax(1, present=Places(np.array([[1, 0, 1, 1], [1, 1, 1, 1]])))
    yield Case(masked, [random_type(rng, (max(2, width[0]), width[1]))], [(2, 4)], random_type(rng, width), NOISE)


def denses(rng, width):
    """Parallel and reused, with and without leading axes, and narrowed accumulators."""
    for k in range(10):
        n_in, n_out = (int(n) for n in rng.integers(1, 8, 2))
        weight = rng.normal(size=(n_in, n_out)) * (rng.random((n_in, n_out)) < 0.8) * 2.0 ** int(rng.integers(-2, 3))
        lead = ((), (), (2,), (2, 2))[rng.integers(4)]
        narrow = {"accum": random_type(rng, width)} if k == 1 else {}
        given = {w: random_type(rng, (2, min(width[1], 18))) for w in ("weight", "bias") if rng.integers(2)}
        settings = {"reuse": (1, 1, 2, 3, 5, 50)[rng.integers(6)]} if not narrow else {}
        op = Dense(Const(weight), Const(rng.normal(size=n_out)), **settings)
        hints = Hints(given={**given, **narrow}, noise=2.0**-7, operand_rms=(1.0,))
        yield Case(op, [random_type(rng, width)], [(*lead, n_in)], random_type(rng, width), hints)


def normalised(rng, width):
    """Functions whose tables hold one octave, of operands wide enough for it."""
    for function in (Function.LOG, Function.SQRT, Function.RSQRT, Function.RECIPROCAL):
        hints = Hints(noise=2.0**-9, operand_rms=(1.0,))
        case = Case(Table(function), [FixedType(20, 9, False)], [(2,)], random_type(rng, (4, 20)), hints)
        assert isinstance(case.op, Normalised)
        yield case


def rearrangements(rng, width):
    """Patches with zeros around them, and two operands, reversed and turned."""
    seen = Move.of(lambda a: patches(padded(a, [(1, 0)]), (2,), (1,), (1,)), (3, 2))
    yield Case(seen, [random_type(rng, width)], [(3, 2)], random_type(rng, width))
    both = Move.of(lambda a, b: np.concatenate([b[::-1], a.T], axis=1), (2, 3), (3, 1))
    yield Case(both, [random_type(rng, width) for _ in range(2)], [(2, 3), (3, 1)], random_type(rng, width))


def reductions(rng, width):
    for kind in Reduction:
        shape = (2, 3) if kind is Reduction.PROD else (3, 4, 2)
        axes = ((0,), (1,), (0, 1))[rng.integers(3)]
        present = None if kind is Reduction.PROD or rng.integers(2) else drawn_mask(rng, shape, axes)
        op = Reduce(kind, axes, bool(rng.integers(2)), present)
        narrow = (min(width[0], 4), min(width[1], 12)) if kind is Reduction.PROD else width
        yield Case(op, [random_type(rng, narrow)], [shape], random_type(rng, width), NOISE)


def drawn_mask(rng, shape, axes):
    """Elements that count, at least one in every sum."""
    own = [n if rng.integers(3) else 1 for n in shape]
    mask = rng.integers(0, 2, size=own)
    mask[tuple(0 if k in axes else slice(None) for k in range(len(shape)))] = 1
    return Places(mask)


MATRICES = ([(2, 3), (3, 2)], [(2, 1, 3), (1, 3, 2)], [(2, 2), (3, 2, 1)], [(1, 4), (4, 1)])


def products(rng, width):
    for shapes in MATRICES:
        yield Case(MatMul(), [random_type(rng, width) for _ in shapes], list(shapes), random_type(rng, width))


def quotients(rng, width):
    for shapes in ([(2, 3), (3,)], [(2,), (2,)]):
        yield Case(Divide(), [random_type(rng, width) for _ in shapes], shapes, random_type(rng, width), NOISE)


def portions(rng, width):
    """Of values that the whole holds and of others, of wholes that may be none."""
    for count, signed, rounding in (
        (127, True, Rounding.RND_CONV),
        (7, False, Rounding.RND_ZERO),
        (8, False, Rounding.RND_CONV),
    ):
        a, b = random_type(rng, width), random_type(rng, width)
        b = FixedType(b.width, b.integer, signed)
        yield Case(Portion(count, rounding), [a, b], [(2, 3), (2, 1)], random_type(rng, width))


def norms(rng, width):
    for center in (True, False):
        op = Norm((1,), 1e-3, Const(rng.normal(size=3)), Const(rng.normal(size=(2, 1))), center)
        yield Case(op, [random_type(rng, (min(width[0], 14), min(width[1], 15)))], [(2, 3)], random_type(rng, width), NOISE)


def choices(rng, width):
    for places in (False, True):
        for k in (1, 3):
            yield Case(TopK(1, k, places, bool(rng.integers(2))), [random_type(rng, width)], [(2, 4)], random_type(rng, width))
    table = Embedding(Const(rng.normal(size=(5, 2))))
    yield Case(table, [random_type(rng, (min(width[0], 8), min(width[1], 9)))], [(3,)], random_type(rng, width), NOISE)


GATHERED = ([(3, 2), (3, 2)], 0), ([(2, 4), (2, 3)], 1), ([(1, 5, 2), (3, 2, 1)], 1), ([(1, 1), (2, 1)], 1)


def gathers(rng, width):
    """By numbers within the places, and by any."""
    for shapes, axis in GATHERED:
        places = FixedType(2, 2, False) if rng.integers(2) else random_type(rng, (min(width[0], 6), min(width[1], 7)))
        yield Case(Gather(axis), [random_type(rng, width), places], list(shapes), random_type(rng, width))


EVERY = (
    activations,
    merges,
    grids,
    lookups,
    moves,
    tables,
    normalised,
    softmaxes,
    denses,
    rearrangements,
    reductions,
    products,
    quotients,
    portions,
    norms,
    choices,
    gathers,
)


def every_mode(width=9):
    """The cast at a result in each rounding and overflow mode, from signed and unsigned operands."""
    for rounding in Rounding:
        for overflow in Overflow:
            for signed in (False, True):
                kind, result = FixedType(width, 4, not signed), FixedType(width - 3, 3, signed, rounding, overflow)
                yield Case(Reshape((2,)), [kind], [(2,)], result)


def accepted(case):
    """Whether it is built; the others are refused by their width."""
    try:
        check_width(case.op.hardware(case.xs, case.result), case.result)
    except LimitError:
        return False
    return True
