"""A layer's hardware is built once for a design: its estimate, its savings and its files read the same object."""

from collections import Counter

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.graph.graph import Graph
from nn2hls.ops import Dense
from nn2hls.size.savings import savings
from tests.kit.networks import mlp

pytestmark = pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")


@pytest.mark.parametrize("backend", ["Vitis", "Vivado", "Verilog"])
@pytest.mark.parametrize("reuse", [1, 4])
def test_each_layer_is_built_once(monkeypatch, backend, reuse):
    graph: Graph = mlp(np.random.default_rng(0), (8, 8, 4), density=0.5)
    design = convert(graph, {"Backend": backend, "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>", "ReuseFactor": reuse}}})
    built: Counter = Counter()
    own = Dense.hardware

    def counted(self, xs, result, most_digits=None):
        built[self.weight] += 1
        return own(self, xs, result, most_digits)

    monkeypatch.setattr(Dense, "hardware", counted)
    design.estimate()
    savings(design.sizer, design.float_graph)
    assert design.project.files
    assert design.oversize() == ""
    layers = [n.op.weight for n in design.graph if n.op.products()]
    assert [built[w] for w in layers] == [1] * len(layers)
