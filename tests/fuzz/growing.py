"""Random networks: a graph that grows op by op, every op of the closed set among them."""

from contextlib import suppress
from functools import partial

import numpy as np

from nn2hls import ops
from nn2hls.arith.fixed import Rounding
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Marks, Places
from nn2hls.graph.graph import Graph
from tests.kit.networks import draw_type

MOST_ELEMENTS = 12  # of one value, and of a softmax row
MOST_STEPS = 3  # of a recurrence


class NothingFitsError(Exception):
    """No value that is there has a shape that the op takes."""


class Network:
    """A graph that grows from its inputs, each new value from any of those that are there.

    With ``corners`` it is small, all ops are nearly alike in number, inputs have any number of axes, also none, and
    constants are at times all zero, all alike, powers of two or far from one.
    """

    def __init__(self, rng, corners=False) -> None:
        self.rng, self.corners, self.builder, self.values = rng, corners, Builder(), []

    def graph(self) -> Graph:
        rng = self.rng
        for _ in range(1 + (rng.random() < 0.25)):
            self._add(ops.Input(self._shape()))
        kinds, weights = list(MAKERS), np.array(list(MAKERS.values())) ** (0.5 if self.corners else 1.0)
        for _ in range(int(rng.integers(1, 6) if self.corners else rng.integers(2, 12))):
            maker = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
            with suppress(NothingFitsError):
                maker(self)
        computed = self.values[-1:] + [v for v in self.values if rng.random() < 0.15]
        return self.builder.build(list(dict.fromkeys(computed)))

    def _shape(self):
        rng = self.rng
        n = int(rng.integers(1, 7))
        if self.corners:
            return ((), (1,), (n,), (1, n), (2, n), (1, 1), (2, 1, min(n, 4)))[rng.integers(7)]
        return (int(rng.integers(1, 3)), n) if rng.random() < 0.2 else (n,)

    def _add(self, op, inputs=()):
        self.values.append(self.builder.add(f"v{len(self.values)}", op, inputs))

    def any(self, fits=lambda shape: True):
        """One of the values, the newest most likely.

        Raises:
            NothingFitsError: None of them fits.
        """
        found = [v for v in self.values if fits(self.builder.shape(v))]
        if not found:
            raise NothingFitsError
        return found[-1] if self.rng.random() < 0.5 else found[self.rng.integers(len(found))]

    def shape(self, name):
        return self.builder.shape(name)

    def constants(self, shape):
        """Floats of any size, some of them zero or equal."""
        rng = self.rng
        values = rng.normal(size=shape) * 2.0 ** rng.integers(-4, 4)
        if rng.random() < 0.3:
            values = np.round(values * 4) / 4
        if self.corners and rng.random() < 0.4:
            values = _CORNERS[rng.integers(len(_CORNERS))](rng, values)
        return Const(values * (rng.random(shape) < rng.choice([0.0, 0.4, 1.0], p=(0.03, 0.47, 0.5))))


_CORNERS = (
    lambda rng, values: np.zeros_like(values),
    lambda rng, values: np.full_like(values, rng.choice([1.0, -1.0, 0.5, 2.0, 0.3])),
    lambda rng, values: values * 2.0 ** rng.choice([-60, 60]),
    lambda rng, values: np.copysign(2.0 ** rng.integers(-6, 6, values.shape), values),
)


def _dense(net):
    x = net.any(lambda s: len(s) > 0)
    *lead, n_in = net.shape(x)
    n_out = int(net.rng.integers(1, 1 + min(6, MOST_ELEMENTS // np.prod(lead, dtype=int))))
    bias = net.constants((n_out,)) if net.rng.random() < 0.7 else Const(np.zeros(n_out))
    net._add(ops.Dense(net.constants((n_in, n_out)), bias), [x])


def _pointwise(net):
    rng = net.rng
    x = net.any()
    a, b = sorted(float(v) for v in np.round(rng.normal(size=2) * 2.0 ** rng.integers(-2, 4), 2))
    shape = net.shape(x)
    channel = shape[-1:] if rng.random() < 0.5 else ()
    made = [
        lambda: ops.Relu(),
        lambda: ops.Relu(),
        lambda: ops.LeakyRelu(net.constants(channel)),
        lambda: ops.Clip(*((0.0, 6.0), (-1.0, 1.0), (a, b), (-np.inf, b))[rng.integers(4)]),
        lambda: ops.HardSigmoid(*((1 / 6, 0.5), (0.2, 0.5), (a, b))[rng.integers(3)]),
        lambda: ops.HardSwish(1 / 6, 0.5),
        lambda: ops.Unary(list(ops.Simple)[rng.integers(4)]),
        lambda: ops.Threshold(a, (0.0, b)[rng.integers(2)]),
        lambda: ops.Quantize(draw_type(rng, 18)),
        lambda: _steps(net, shape),
        lambda: ops.Scale(net.constants(channel), net.constants(channel)),
        lambda: ops.Scale(net.constants(channel), net.constants(channel)),
    ][rng.integers(12)]
    net._add(made(), [x])


def _steps(net, shape):
    """Levels in any order between thresholds, some of them equal, in a row for all or rows that channels choose among."""
    rng = net.rng
    rows, count = int(rng.integers(1, 4)), int(rng.integers(0, 6))
    at = np.round(rng.normal(size=(rows, count)) * 2.0 ** rng.integers(-2, 4), int(rng.integers(0, 4)))
    which = Places(rng.integers(0, rows, shape[-1:] if rows > 1 else ()))
    return ops.Steps(Marks(np.sort(at, axis=1)), net.constants((rows, count + 1)), which)


def _merge(net):
    rng = net.rng
    first = net.any()
    shape, names = net.shape(first), [first]
    merge = list(ops.Merge)[rng.integers(len(ops.Merge))]
    for _ in range(1 if merge is ops.Merge.SUB else int(rng.integers(0, 4))):
        names.append(net.any(partial(_broadcasts, shape)))
        shape = np.broadcast_shapes(shape, net.shape(names[-1]))
    net._add(ops.Elementwise(merge), names)


def _broadcasts(a, b):
    try:
        return np.prod(np.broadcast_shapes(a, b)) <= MOST_ELEMENTS
    except ValueError:
        return False


def _concatenate(net):
    rng = net.rng
    first = net.any(lambda s: len(s) > 0)
    shape = net.shape(first)
    axis, names, size = int(rng.integers(len(shape))), [first], shape
    for _ in range(int(rng.integers(0, 4))):
        name = net.any(lambda s: len(s) == len(shape) and s[:axis] == shape[:axis] and s[axis + 1 :] == shape[axis + 1 :])
        size = [*size[:axis], size[axis] + net.shape(name)[axis], *size[axis + 1 :]]
        if np.prod(size) > MOST_ELEMENTS:
            break
        names.append(name)
    net._add(ops.Concatenate(axis), names)


def _move(net):
    rng = net.rng
    x = net.any()
    shape = net.shape(x)
    if rng.random() < 0.5 and len(shape) > 1:
        net._add(ops.Transpose(tuple(int(k) for k in rng.permutation(len(shape)))), [x])
        return
    n = int(np.prod(shape))
    first = int(rng.choice([k for k in range(1, n + 1) if n % k == 0]))
    net._add(ops.Reshape((first, n // first) if rng.random() < 0.7 else (n,)), [x])


def _constant(net):
    net._add(ops.Constant(net.constants(net.shape(net.any()))))


def _table(net):
    function = list(ops.Function)[net.rng.integers(len(ops.Function))]
    net._add(ops.Table(function, float(net.rng.choice([0.5, 1.0, 1.5]))), [net.any()])


def _softmax(net):
    x = net.any(lambda s: len(s) > 0)
    shape, rng = net.shape(x), net.rng
    axis, log, mask = int(rng.integers(len(shape))), bool(rng.random() < 0.4), None
    if not log and rng.random() < 0.3:
        mask = (rng.random(shape) < 0.6).astype(int)
        mask[tuple(0 if k == axis else slice(None) for k in range(len(shape)))] = 1
    net._add(ops.Softmax(axis, log, present=None if mask is None else Places(mask)), [x])


def _rearrange(net):
    """Places of any of the operands, some empty, in runs as channels have them and alone."""
    rng = net.rng
    names = [net.any() for _ in range(int(rng.integers(1, 4)))]
    shapes = [net.shape(n) for n in names]
    total = sum(int(np.prod(s)) for s in shapes)
    run = int(rng.choice([1, 1, shapes[0][-1] if shapes[0] else 1]))
    starts = rng.integers(-1, max(1, total - run + 1), size=int(rng.integers(1, 1 + MOST_ELEMENTS // run)))
    index = np.array([-1 if s < 0 else s + k for s in starts for k in range(run)])
    index = index.reshape(-1, run) if rng.random() < 0.5 else index
    net._add(ops.Move(Places(index), tuple(shapes)), names)


def _reduce(net):
    rng = net.rng
    x = net.any(lambda s: len(s) > 0)
    shape = net.shape(x)
    axes = tuple(k for k in range(len(shape)) if rng.random() < 0.6) or (len(shape) - 1,)
    kind = list(ops.Reduction)[rng.integers(len(ops.Reduction))]
    if kind is ops.Reduction.PROD and np.prod([shape[k] for k in axes]) > 3:
        kind = ops.Reduction.MAX
    mask = None
    if kind is not ops.Reduction.PROD and rng.random() < 0.3:
        mask = (rng.random(shape) < 0.6).astype(int)
        mask[tuple(0 if k in axes else slice(None) for k in range(len(shape)))] = 1
    net._add(ops.Reduce(kind, axes, bool(rng.integers(2)), None if mask is None else Places(mask)), [x])


def _matmul(net):
    a = net.any(lambda s: len(s) == 2)
    b = net.any(lambda s: len(s) == 2 and s[0] == net.shape(a)[1] and s[1] * net.shape(a)[0] <= MOST_ELEMENTS)
    net._add(ops.MatMul(), [a, b])


def _divide(net):
    a = net.any()
    net._add(ops.Divide(), [a, net.any(partial(_broadcasts, net.shape(a)))])


def _portion(net):
    a = net.any()
    count, rounding = int(net.rng.integers(1, 300)), (Rounding.RND_CONV, Rounding.RND_ZERO)[net.rng.integers(2)]
    net._add(ops.Portion(count, rounding), [a, net.any(partial(_broadcasts, net.shape(a)))])


def _norm(net):
    rng = net.rng
    x = net.any(lambda s: len(s) > 0)
    shape = net.shape(x)
    axes = tuple(k for k in range(len(shape)) if rng.random() < 0.5) or (len(shape) - 1,)
    own = shape[-1:] if rng.random() < 0.7 else (1,)
    epsilon = float(rng.choice([0.0, 1e-5, 1e-3, 0.1]))
    net._add(ops.Norm(axes, epsilon, net.constants(own), net.constants(own), bool(rng.random() < 0.7)), [x])


def _choose(net):
    rng = net.rng
    x = net.any(lambda s: len(s) > 0)
    shape = net.shape(x)
    axis = int(rng.integers(len(shape)))
    k = int(rng.integers(1, shape[axis] + 1))
    net._add(ops.TopK(axis, k, *(bool(v) for v in rng.integers(2, size=2))), [x])


def _embedding(net):
    x = net.any()
    width = 1 + MOST_ELEMENTS // max(1, int(np.prod(net.shape(x)))) // 2
    net._add(ops.Embedding(net.constants((int(net.rng.integers(1, 9)), width))), [x])


def _scan(net):
    """A recurrence of a few steps over the rows of a value, from a state of zeros or a value of its shape."""
    rng = net.rng
    x = net.any(lambda s: len(s) == 2 and s[0] <= MOST_STEPS)
    length, n_in = net.shape(x)
    units = int(rng.integers(1, 1 + MOST_ELEMENTS // length // 2))
    if rng.random() < 0.5 or not any(net.shape(v) == (units,) for v in net.values):
        net._add(ops.Constant(Const(np.zeros(units))))
        known = net.values[-1]
    else:
        known = net.any(lambda s: s == (units,))
    body = Builder()
    inputs = [body.add("element", ops.Input((n_in,))), body.add("state", ops.Input((units,)))]
    terms = [
        body.add(f"of_{name}", ops.Dense(net.constants((n, units)), net.constants((units,))), [name])
        for name, n in zip(inputs, (n_in, units), strict=True)
    ]
    total = body.add("total", ops.Elementwise((ops.Merge.ADD, ops.Merge.MUL)[rng.random() < 0.2]), terms)
    bounded = (ops.HardSigmoid(0.2, 0.5), ops.Clip(-1.0, 1.0), ops.Relu(), ops.Table(ops.Function.TANH))[rng.integers(4)]
    after = body.add("after", bounded, [total])
    given = [terms[0], total][rng.integers(2)] if rng.random() < 0.3 else after
    graph = body.build([after, given])
    net._add(ops.Scan(graph, length, 1, 1, bool(rng.integers(2)), 1, f"v{len(net.values)}_"), [x, known])


MAKERS = {
    _dense: 5,
    _pointwise: 6,
    _merge: 3,
    _concatenate: 2,
    _move: 1,
    _constant: 0.5,
    _table: 1.2,
    _softmax: 0.6,
    _rearrange: 1.5,
    _reduce: 1.5,
    _matmul: 1,
    _divide: 0.6,
    _portion: 0.5,
    _norm: 0.6,
    _choose: 0.8,
    _embedding: 0.4,
    _scan: 0.5,
}
