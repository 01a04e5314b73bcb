"""One op at a time through the emulator and through the compiled C++, on mantissas."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from slow.fixed import cast_slow, value_slow

from nn2hls.emit import Options, emit
from nn2hls.emulate import Emulator
from nn2hls.fixed import FixedType, Overflow, Rounding
from nn2hls.ir import Graph, Node, Origin
from nn2hls.ops import Input
from nn2hls.ops.base import Hints
from nn2hls.ranges import Range, ints
from nn2hls.tools.gxx import compile_project


def types(width=(1, 18), integer=(-3, 20)):
    """Fixed-point types of all modes."""
    return st.builds(
        FixedType,
        st.integers(*width),
        st.integers(*integer),
        st.booleans(),
        st.sampled_from(Rounding),
        st.sampled_from(Overflow),
    )


def random_type(rng, width=(1, 20)):
    """A type of any mode."""
    bits = int(rng.integers(*width))
    modes = Rounding(rng.integers(len(Rounding))), Overflow(rng.integers(len(Overflow)))
    return FixedType(bits, int(rng.integers(-3, bits + 4)), bool(rng.integers(2)), *modes)


@dataclass
class Case:
    """An op with operand types and shapes and a result type, resolved."""

    op: object
    kinds: list
    shapes: list
    result: FixedType
    hints: Hints = None

    def __post_init__(self):
        self.xs = [Range.of_type(k).broadcast(s) for k, s in zip(self.kinds, self.shapes, strict=True)]
        self.op = self.op.resolve(self.xs, self.hints or Hints())
        self.shape = self.op.infer(self.shapes, where="case")

    def nodes(self, name=""):
        inputs = [
            Node(f"{name}in{k}", Input(s), (), s, kind, Origin(f"{name}in{k}"))
            for k, (s, kind) in enumerate(zip(self.shapes, self.kinds, strict=True))
        ]
        names = tuple(n.name for n in inputs)
        return [*inputs, Node(f"{name}op", self.op, names, self.shape, self.result, Origin(f"{name}op"))]

    def draw(self, rng, events):
        """Mantissas of every operand: the ends, values around zero, and random ones."""
        out = []
        for s, k in zip(self.shapes, self.kinds, strict=True):
            lo, hi = k.min_mantissa, k.max_mantissa
            x = rng.integers(lo, hi, (events, *s), endpoint=True, dtype=np.int64)
            special = np.array([lo, hi, max(lo, -1), 0, min(hi, 1), (lo + hi) // 2], dtype=np.int64)
            mask = rng.random(x.shape) < 0.4
            x[mask] = rng.choice(special, int(mask.sum()))
            out.append(x)
        return out

    def emulate(self, inputs):
        graph = Graph(tuple(self.nodes()), ("op",))
        events = len(inputs[0])
        out = np.empty((events, *self.shape), dtype=np.int64)

        def take(name, start, values):
            out[start : start + len(values)] = values.astype(np.int64)

        Emulator(graph).run(inputs, take, raw=True)
        return out

    def exact_mantissas(self, inputs):
        """The kernel's own result before the cast, as Python ints, and its range."""
        kernel = self.op.kernel(self.xs)
        found = kernel([_carried(x, r) for x, r in zip(inputs, self.xs, strict=True)], lambda *a: None)
        return ints(found if found.dtype == object else found.astype(np.int64)), self.op.exact(self.xs)

    def check(self, inputs, slow):
        """Emulator == slow evaluation (arrays of fractions in, one out, an event at a time), and the range is sound."""
        got = self.emulate(inputs)
        exact, bounds = self.exact_mantissas(inputs)
        assert bounds.lo.shape == self.shape
        assert np.all(exact >= bounds.lo)
        assert np.all(exact <= bounds.hi)
        for n in range(len(got)):
            operands = [fractions(x[n], k) for x, k in zip(inputs, self.kinds, strict=True)]
            want = np.asarray(slow(self.op, operands), dtype=object)
            cast = [cast_slow(v, self.result) for v in want.ravel()]
            assert got[n].ravel().tolist() == cast


def _carried(x, r):
    from nn2hls.ranges import carrier

    kind = carrier(r.bound)
    return x.astype(kind) if kind is not None else ints(x)


def fractions(mantissas, kind):
    out = np.empty(mantissas.shape, dtype=object)
    flat = out.reshape(-1)
    flat[:] = [value_slow(m, kind) for m in mantissas.ravel()]
    return flat.reshape(mantissas.shape)


def each(function):
    """A slow evaluation of one element as one of whole arrays."""

    def run(op, operands):
        (x,) = operands
        flat = np.empty(x.size, dtype=object)
        flat[:] = [function(op, v) for v in x.ravel()]
        return flat.reshape(x.shape)

    return run


def project_of(cases, options=None):
    """All cases side by side as one project."""
    nodes = [n for k, case in enumerate(cases) for n in case.nodes(f"c{k}_")]
    graph = Graph(tuple(nodes), tuple(f"c{k}_op" for k in range(len(cases))))
    return emit(graph, options or Options())


def compiled_equals_emulated(cases, seed=0, events=40, options=None, compiler=None):
    """Compile all cases as one project and compare every mantissa with the emulator."""
    rng = np.random.default_rng(seed)
    design = compile_project(project_of(cases, options), compiler)
    inputs = [case.draw(rng, events) for case in cases]
    flat = [x.reshape(events, -1) for xs in inputs for x in xs]
    results = design(flat, [int(np.prod(c.shape)) for c in cases])
    for k, (case, xs, found) in enumerate(zip(cases, inputs, results, strict=True)):
        want = case.emulate(xs).reshape(events, -1)
        assert np.array_equal(found, want), (k, case.op, case.kinds, case.result)
