"""Networks whose layers keep their states from event to event, built by the lowerings without any framework."""

import numpy as np

from nn2hls.converters.lower import recurrent
from nn2hls.converters.lower.value import Tensor
from nn2hls.graph.builder import Builder
from nn2hls.ops import Input
from tests.kit.recurrent import Place, cell


def kept(kinds=("lstm",), seed=0, shape=(3, 2), units=2, whole=False):
    """Layers one behind the other, each with states that go from event to event."""
    rng, builder = np.random.default_rng(seed), Builder()
    y = Tensor(builder.add("x", Input(shape)), shape)
    for k, kind in enumerate(kinds):
        site = Place(builder, f"layer{k}")
        run = recurrent.recurrence(site, y, cell(kind, rng, y.shape[1], units), kept=True)
        y = run.sequence(site) if whole or k + 1 < len(kinds) else run.last(site)
    return builder.build([y.node])


def drawn(events, shape=(3, 2), seed=5):
    return np.random.default_rng(seed).normal(0, 1.5, (events, *shape))
