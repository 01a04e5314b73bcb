"""A graph network with computed neighbours in streams: small enough to simulate where the parallel design is not."""

import shutil

import numpy as np
import pytest

import nn2hls
from nn2hls.converters.lower import graphs, linear
from nn2hls.converters.lower.value import Tensor
from nn2hls.design.bench import mantissas_of
from nn2hls.graph.builder import Builder
from nn2hls.ops import Input
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.recurrent import Place
from tests.kit.tools import require_tool

EVENTS = 4


def gravnet(vertices, neighbours):
    """GravNet over vertices of three features."""
    rng, builder = np.random.default_rng(0), Builder()
    x = Tensor(builder.add("x", Input((vertices, 3))), (vertices, 3))
    site = Place(builder, "grav")
    features = linear.dense(site.step("features"), x, rng.normal(size=(3, 3)), None)
    coordinates = linear.dense(site.step("coordinates"), x, rng.normal(size=(3, 2)), None)
    return builder.build([graphs.gravnet(site, x, features, coordinates, neighbours).node])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("vertices", [6, pytest.param(32, marks=pytest.mark.long)])
def test_gravnet_in_verilog(vertices, tmp_path):
    """Of 32 vertices, too: it takes the next event long after that of one clock, with a tenth of the logic."""
    require_tool("iverilog", shutil.which("iverilog"))
    config = {"Backend": "Verilog", "Part": "xcvu13p-flga2577-2-e", "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>"}}}
    graph = gravnet(vertices, 4)
    design = nn2hls.convert(graph, {**config, "IOType": "io_stream"})
    x = np.random.default_rng(1).normal(0, 1, (EVENTS, vertices, 3))
    project, order = design._verilog(mantissas_of(design.graph, [x]))
    project.write(tmp_path)
    found = simulate_rtl(tmp_path, project.name, EVENTS, 600, "iverilog")
    assert (found.check.events, found.check.differ, found.first) == (EVENTS, 0, "")
    assert (found.check.latency, found.check.interval) == (order.latency, order.interval)
    assert design.estimate().report.lut < nn2hls.convert(graph, config).estimate().report.lut
