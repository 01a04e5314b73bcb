"""Random settings and data for random networks, all from one generator: every mode, types up to 128 bits."""

from dataclasses import dataclass, field

import numpy as np

from nn2hls import ops
from nn2hls.arith.fixed import FixedType
from nn2hls.graph.graph import Graph
from tests.fuzz.growing import Network
from tests.kit.networks import draw_type, hls_config
from tests.kit.stream_networks import window_net

SIZES = (8, 20, 36, 64, 128)  # bits of the widest types of a network
STREAMED = 0.25  # the share of networks that run as streams, too
WINDOWS = 0.04  # the share of networks of windows over positions
CORNERS = 0.2  # the share of small networks with types far from one and constants of few values


@dataclass
class Drawn:
    """One case: a network of floats, settings by layer, and what is to run."""

    graph: Graph
    model: dict
    layers: dict
    backend: str
    calibrated: bool
    streamed: bool
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
    corners = bool(rng.random() < CORNERS)
    graph = window_net(rng, 4) if rng.random() < WINDOWS else Network(rng, corners).graph()
    reuse = rng.random() < 0.3
    layers = {n.name: _settings(rng, graph, n, size, reuse, corners) for n in graph}
    model = {}
    if rng.random() < 0.3:
        model["Precision"] = str(draw_type(rng, size))
    if rng.random() < 0.2:
        model["MaxWidth"] = int(rng.integers(8, 54))
    if rng.random() < 0.2:
        model["TargetSQNR"] = int(rng.integers(10, 120))
    if rng.random() < 0.2:
        model["TimeStepLoopParallelism"] = "Off"
    if not reuse and rng.random() < 0.2:
        model["Strategy"] = "DistributedArithmetic"
    backend = "Bambu" if size <= 36 and rng.random() < 0.25 else "Vitis"
    set_ones = {name: settings for name, settings in layers.items() if settings}
    return Drawn(graph, model, set_ones, backend, bool(rng.random() < 0.2), bool(rng.random() < STREAMED), rng)


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
    ops.Steps: ("level",),
}


def _settings(rng, graph, node, size, reuse, corners):
    """The settings of one layer: often a result type, at times types of what is inside."""
    op = node.op
    port = isinstance(op, ops.Input) or node.name in graph.outputs
    types = {}
    if rng.random() < (0.9 if port else 0.5):
        types["result"] = str(_any(rng, min(size, 63) if port and rng.random() < 0.9 else size, corners))
    words = _WORDS.get(type(op), ())
    if isinstance(op, ops.Reduce) and op.kind is not ops.Reduction.MEAN:
        words = ()
    if isinstance(op, ops.Elementwise) and op.merge is ops.Merge.AVERAGE and len(node.inputs) == 3:
        words = ("factor",)
    for word in words:
        if rng.random() < 0.3:
            types[word] = str(draw_type(rng, 14) if "table" in word else _any(rng, size, corners))
    settings = {}
    if isinstance(op, ops.Dense):
        if rng.random() < 0.2:
            types["accum"] = str(_any(rng, min(2 * size, 128), corners))
        elif reuse and rng.random() < 0.7:
            settings["ReuseFactor"] = int(rng.integers(2, 20))
            settings["Strategy"] = str(rng.choice(["Latency", "Resource"]))
    if isinstance(op, ops.Table | ops.Softmax) and rng.random() < 0.4:
        settings["TableSize"] = int(2 ** rng.integers(3, 11))
    return settings | ({"Precision": types} if types else {})


def _any(rng, most, corners) -> FixedType:
    """Any type; among corners a third far from one, or of up to three bits."""
    kind = _wide(rng, most)
    if not corners or rng.random() > 0.35:
        return kind
    width, integer = (
        (kind.width, int(rng.integers(-260, 260))),
        (kind.width, int(rng.integers(-70, 70))),
        (int(rng.integers(1, 4)), int(rng.integers(-3, 4))),
    )[rng.integers(3)]
    return FixedType(width, integer, kind.signed, kind.rounding, kind.overflow)


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
