"""Random networks with random settings and data, all from one generator: every op, every mode, types up to 128 bits."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from nn2hls import ops
from nn2hls.arith.fixed import FixedType
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.graph.graph import Graph
from tests.kit.networks import draw_type, hls_config

SIZES = (8, 20, 36, 64, 128)  # bits of the widest types of a network
MOST_ELEMENTS = 12  # of one value, and of a softmax row


@dataclass
class Drawn:
    """One case: a network of floats, settings by layer, and what is to run."""

    graph: Graph
    model: dict
    layers: dict
    backend: str
    calibrated: bool
    rng: np.random.Generator = field(repr=False)

    def config(self):
        """As ``convert`` takes it."""
        return hls_config(self.model, **self.layers)

    def calibration(self):
        """Events for ``convert``, or None."""
        if not self.calibrated:
            return None
        scale = 2.0 ** self.rng.integers(-3, 4)
        return [self.rng.normal(size=(20, *n.shape)) * scale for n in self.graph.inputs]

    def __str__(self):
        return f"{self.graph}model {self.model}\n" + "".join(f"  {name}: {s}\n" for name, s in self.layers.items())


def draw(rng) -> Drawn:
    """One case."""
    size = int(rng.choice(SIZES, p=(0.15, 0.35, 0.2, 0.15, 0.15)))
    graph = _Network(rng).graph()
    reuse = rng.random() < 0.3
    layers = {n.name: _settings(rng, graph, n, size, reuse) for n in graph}
    model = {}
    if rng.random() < 0.3:
        model["Precision"] = str(draw_type(rng, size))
    if rng.random() < 0.2:
        model["MaxWidth"] = int(rng.integers(8, 54))
    if rng.random() < 0.2:
        model["TargetSQNR"] = int(rng.integers(10, 120))
    backend = "Bambu" if size <= 36 and rng.random() < 0.25 else "Vitis"
    return Drawn(graph, model, {k: v for k, v in layers.items() if v}, backend, rng.random() < 0.2, rng)


# ---- networks ------------------------------------------------------------------------------------------------------------


class _Network:
    """A graph that grows from its inputs, each new value from any of those that are there."""

    def __init__(self, rng) -> None:
        self.rng, self.builder, self.values = rng, Builder(), []

    def graph(self) -> Graph:
        rng = self.rng
        for _ in range(1 + (rng.random() < 0.25)):
            self._add(ops.Input(self._shape()))
        kinds, weights = list(_MAKERS), np.array(list(_MAKERS.values()), dtype=float)
        for _ in range(int(rng.integers(2, 12))):
            maker = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
            maker(self)
        computed = self.values[-1:] + [v for v in self.values if rng.random() < 0.15]
        return self.builder.build(list(dict.fromkeys(computed)))

    def _shape(self):
        rng = self.rng
        n = int(rng.integers(1, 7))
        return (int(rng.integers(1, 3)), n) if rng.random() < 0.2 else (n,)

    def _add(self, op, inputs=()):
        self.values.append(self.builder.add(f"v{len(self.values)}", op, inputs))

    def any(self, fits=lambda shape: True):
        """One of the values, the newest most likely; None when none fits."""
        found = [v for v in self.values if fits(self.builder.shape(v))]
        if not found:
            return None
        return found[-1] if self.rng.random() < 0.5 else found[self.rng.integers(len(found))]

    def shape(self, name):
        return self.builder.shape(name)

    def constants(self, shape):
        """Floats of any size, some of them zero or equal."""
        rng = self.rng
        values = rng.normal(size=shape) * 2.0 ** rng.integers(-4, 4)
        if rng.random() < 0.3:
            values = np.round(values * 4) / 4
        return Const(values * (rng.random(shape) < rng.choice([0.0, 0.4, 1.0], p=(0.03, 0.47, 0.5))))


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
        lambda: ops.Scale(net.constants(channel), net.constants(channel)),
        lambda: ops.Scale(net.constants(channel), net.constants(channel)),
    ][rng.integers(10)]
    net._add(made(), [x])


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
    b = a and net.any(lambda s: len(s) == 2 and s[0] == net.shape(a)[1] and s[1] * net.shape(a)[0] <= MOST_ELEMENTS)
    if b:
        net._add(ops.MatMul(), [a, b])


def _divide(net):
    a = net.any()
    net._add(ops.Divide(), [a, net.any(partial(_broadcasts, net.shape(a)))])


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


_MAKERS = {
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
    _norm: 0.6,
    _choose: 0.8,
    _embedding: 0.4,
}


# ---- settings ------------------------------------------------------------------------------------------------------------

_WORDS = {
    ops.Dense: ("weight", "bias"),
    ops.Scale: ("scale", "bias"),
    ops.LeakyRelu: ("slope",),
    ops.Clip: ("bound",),
    ops.Threshold: ("bound",),
    ops.HardSigmoid: ("slope", "shift"),
    ops.HardSwish: ("slope", "shift"),
    ops.Table: ("table",),
    ops.Softmax: ("exp_table", "inv_table"),
    ops.Reduce: ("factor",),
    ops.Norm: ("scale", "bias"),
    ops.Embedding: ("table",),
}


def _settings(rng, graph, node, size, reuse):
    """The settings of one layer: often a result type, at times types of what is inside."""
    op = node.op
    port = isinstance(op, ops.Input) or node.name in graph.outputs
    types = {}
    if rng.random() < (0.9 if port else 0.5):
        types["result"] = str(_wide(rng, min(size, 63) if port and rng.random() < 0.9 else size))
    words = _WORDS.get(type(op), ())
    if isinstance(op, ops.Reduce) and op.kind is not ops.Reduction.MEAN:
        words = ()
    if isinstance(op, ops.Elementwise) and op.merge is ops.Merge.AVERAGE and len(node.inputs) == 3:
        words = ("factor",)
    for word in words:
        if rng.random() < 0.3:
            types[word] = str(draw_type(rng, 14) if "table" in word else _wide(rng, size))
    settings = {}
    if isinstance(op, ops.Dense):
        if rng.random() < 0.2:
            types["accum"] = str(_wide(rng, min(2 * size, 128)))
        elif reuse and rng.random() < 0.7:
            settings["ReuseFactor"] = int(rng.integers(2, 20))
            settings["Strategy"] = str(rng.choice(["Latency", "Resource"]))
    if isinstance(op, ops.Table | ops.Softmax) and rng.random() < 0.4:
        settings["TableSize"] = int(2 ** rng.integers(3, 11))
    return settings | ({"Precision": types} if types else {})


def _wide(rng, most) -> FixedType:
    """Any type; half of them of the upper half of the widths."""
    kind = draw_type(rng, most)
    if rng.random() < 0.5 or most < 4:
        return kind
    width = int(rng.integers(most // 2, most + 1))
    integer = int(rng.integers(0, width + 1)) if rng.random() < 0.6 else int(min(width, rng.integers(1, 12)))
    return FixedType(width, integer, kind.signed, kind.rounding, kind.overflow)


# ---- data ----------------------------------------------------------------------------------------------------------------


def draw_mantissas(rng, kind, shape, events):
    """Mantissas of the whole type, object array (events, *shape): its ends, values around zero, and random ones."""
    low, high = kind.min_mantissa, kind.max_mantissa
    special = [v for v in (low, high, 0, -1, 1, (low + high) // 2, high // 3) if low <= v <= high]
    out = np.empty((events, *shape), dtype=object)
    for index in np.ndindex(out.shape):
        bits = int(rng.integers(0, kind.width + 1))
        value = int.from_bytes(rng.bytes(1 + kind.width // 8), "little") % (1 << bits) - (1 << bits >> 1) * kind.signed
        out[index] = special[rng.integers(len(special))] if rng.random() < 0.3 else min(max(value, low), high)
    return out


def draw_floats(rng, kind, shape, events):
    """Floats in and around the range of a type, ties and values beyond it among them."""
    span = min(kind.max, 2.0**60)
    x = rng.normal(size=(events, *shape)) * span / 2 ** rng.integers(0, 4)
    if rng.random() < 0.5:
        x = np.round(x / kind.step * 2) * kind.step / 2
    x = np.where(rng.random(x.shape) < 0.2, rng.choice([0.0, -0.0, 1.0, -1.0, 1e-300], size=x.shape), x)
    return x.astype(np.float32) if rng.random() < 0.3 and np.abs(x).max() < 1e38 else x
