"""One op at a time through the emulator and through the compiled C++, on mantissas."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.ranges import Range, ints
from nn2hls.emit.options import Options
from nn2hls.emit.project import emit
from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.graph import Graph, Node, Origin
from nn2hls.graph.op import Hints
from nn2hls.ops import Input, Simple, Unary
from nn2hls.tools.gxx import FLAGS, compile_project
from tests.slow.fixed import cast_slow, value_slow


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


QUICK = tuple("-O0" if flag == "-Og" else flag for flag in FLAGS)  # many functions, run a few times each


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

    def ports(self):
        """Types of ports in place of the operands' types: those beyond 63 bits are squares of a port."""
        return [k if k.width < 64 else FixedType(63, k.integer // 2 + 2) for k in self.kinds]

    def nodes(self, name="", ports=False):
        kinds = self.ports() if ports else self.kinds
        inputs = [
            Node(f"{name}in{k}", Input(s), (), s, kind, Origin(f"{name}in{k}"))
            for k, (s, kind) in enumerate(zip(self.shapes, kinds, strict=True))
        ]
        squares = [
            Node(f"{n.name}_square", Unary(Simple.SQUARE), (n.name,), n.shape, kind, Origin(n.name))
            for n, kind in zip(inputs, self.kinds, strict=True)
            if n.type != kind
        ]
        names = tuple(next((s.name for s in squares if n.name in s.inputs), n.name) for n in inputs)
        return [*inputs, *squares, Node(f"{name}op", self.op, names, self.shape, self.result, Origin(f"{name}op"))]

    def draw(self, rng, events, ports=False):
        """Mantissas of every operand: the ends, values around zero, and random ones; Python ints beyond 63 bits."""
        kinds = self.ports() if ports else self.kinds
        return [_draw(rng, (events, *s), k) for s, k in zip(self.shapes, kinds, strict=True)]

    def emulate(self, inputs, ports=False):
        graph = Graph(tuple(self.nodes(ports=ports)), ("op",))
        events = len(inputs[0])
        out = np.empty((events, *self.shape), dtype=np.int64 if self.result.width < 64 else object)

        def take(name, start, values):
            out[start : start + len(values)] = values.astype(out.dtype)

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


def _draw(rng, shape, kind):
    lo, hi = kind.min_mantissa, kind.max_mantissa
    special = [lo, hi, max(lo, -1), 0, min(hi, 1), (lo + hi) // 2]
    if kind.width < 64:
        x = rng.integers(lo, hi, shape, endpoint=True, dtype=np.int64)
    else:  # of any magnitude
        sizes = [
            int.from_bytes(rng.bytes(kind.width // 8 + 1), "big") >> int(rng.integers(8, kind.width))
            for _ in range(np.prod(shape))
        ]
        x = np.array([min(max(lo, int(rng.choice((-1, 1))) * v), hi) for v in sizes], dtype=object).reshape(shape)
    mask = rng.random(shape) < 0.4
    x[mask] = rng.choice(np.array(special, dtype=x.dtype), int(mask.sum()))
    return x


def _carried(x, r):
    from nn2hls.arith.ranges import carrier

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
    nodes = [n for k, case in enumerate(cases) for n in case.nodes(f"c{k}_", ports=True)]
    graph = Graph(tuple(nodes), tuple(f"c{k}_op" for k in range(len(cases))))
    return emit(graph, options or Options())


def compiled_equals_emulated(cases, seed=0, events=40, options=None, compiler=None):
    """Compile all cases as one project and compare every mantissa with the emulator."""
    rng = np.random.default_rng(seed)
    design = compile_project(project_of(cases, options), compiler, QUICK)
    inputs = [case.draw(rng, events, ports=True) for case in cases]
    flat = [x.reshape(events, -1) for xs in inputs for x in xs]
    results = design(flat, [int(np.prod(c.shape)) for c in cases])
    for k, (case, xs, found) in enumerate(zip(cases, inputs, results, strict=True)):
        want = case.emulate(xs, ports=True).reshape(events, -1)
        assert np.array_equal(found, want), (k, case.op, case.kinds, case.result)


def hardware_equals_emulated(cases, seed=0, events=40):
    """Run the hardware of every case, its products as additions and as HLS tools want them, against the emulator."""
    rng = np.random.default_rng(seed)
    for case in cases:
        x = case.draw(rng, events)
        want = case.emulate(x).reshape(events, -1).tolist()
        for digits in (None, 2):
            assert case.op.hardware(case.xs, case.result, digits).run(x).tolist() == want, (case.op, case.kinds, case.result)
