"""``FifoDepths: tight``: the least depths without deadlock, in the C simulation and in Verilog; one less stops both."""

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.design.bench import mantissas_of
from nn2hls.emit.stream_project import emit_stream
from nn2hls.errors import ToolError
from nn2hls.graph.builder import Builder
from nn2hls.ops import Elementwise, Input, Merge, Relu
from nn2hls.size.actors import Timing, actors
from nn2hls.size.deadlock import needed
from nn2hls.tools.gxx import compile_project
from tests.kit.cnn import convolution
from tests.kit.streams import random_design, simulated, streamed

EVENTS = 3


def residual():
    """A convolution beside a way around it."""
    rng, b = np.random.default_rng(1), Builder()
    x = b.add("x", Input((5, 7, 2)))
    y = convolution(b, "a", x, rng.normal(size=(3, 3, 2, 2)), rng.normal(size=2), pad=1)
    y = b.add("sum", Elementwise(Merge.ADD), [y, x])
    return b.build([b.add("relu", Relu(), [y])])


def converted(fifo="tight", backend="Vitis"):
    level = {"Model": {"Precision": "ap_fixed<10,4>"}}
    return nn2hls.convert(residual(), {"IOType": "io_stream", "Backend": backend, "FifoDepths": fifo, "HLSConfig": level})


def certain(network, depths):
    """The queue that holds most, where one place less is known to stop any network."""
    least = needed(actors(network, Timing()))
    edge = max(depths, key=lambda e: depths[e])
    assert depths[edge] == least[edge] > 1
    return edge


def test_it_is_smaller_said_and_runs_in_c_and_one_less_does_not():
    design, fast = converted(), converted("fast")
    held = design.streams.fifos
    assert held.memory < fast.streams.fifos.memory
    assert held.to_dict()["fifo_depths"] == "tight"
    assert f"FIFOs hold {held.memory:,} bits, the least without deadlock" in design.estimate().text()
    assert "the least found that keep the pace" in fast.estimate().text()
    x = np.random.default_rng(0).normal(size=(EVENTS, 5, 7, 2))
    assert np.array_equal(design.csim_raw(x).mantissas, design.predict_raw(x).mantissas)
    edge = certain(design.streams.network, held.depths)
    short = {**held.depths, edge: held.depths[edge] - 1}
    project = emit_stream(design.streams.network, design.graph, design.options, short)
    with pytest.raises(ToolError, match="All processes wait"):
        compile_project(project)([m.reshape(EVENTS, -1) for m in mantissas_of(design.graph, x)], [70])


def test_it_runs_in_verilog_and_one_less_does_not(tmp_path):
    fast = streamed(residual())
    held = converted(backend="Verilog").streams.fifos.depths
    made = streamed(residual(), depths=held)
    assert made.pace.complete
    assert sum(held.values()) < sum(fast.fifos.depths.values())
    assert simulated(made.project, tmp_path / "tight").check.differ == 0
    edge = certain(made.network, held)
    short = streamed(residual(), depths={**held, edge: held[edge] - 1})
    assert not short.pace.complete
    assert simulated(short.project, tmp_path / "short").check.differ > 0


@pytest.mark.parametrize("seed", range(3))
def test_random_networks_with_the_least_depths(seed, tmp_path):
    made = random_design(seed, tight=True)
    assert made.pace.complete
    assert simulated(made.project, tmp_path).check.differ == 0


def test_the_command_line_says_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = nn2hls_model(tmp_path)
    assert main(["convert", model, "--io-type", "io_stream", "--backend", "Verilog", "--fifo", "tight", "-o", "p"]) == 0
    assert "the least without deadlock (FifoDepths: tight)" in capsys.readouterr().out
    assert main(["estimate", model, "--fifo", "tight"]) == 0
    assert "FifoDepths has no effect without IOType: io_stream" in capsys.readouterr().err
    assert main(["estimate", model, "--fifo", "shallow"]) == 1
    assert "Known are fast, tight" in capsys.readouterr().err


def nn2hls_model(folder):
    """A file with a small network."""
    onnx = pytest.importorskip("onnx")
    shape = [1, 2, 4, 4]
    info = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape) for n in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", info[:1], info[1:])
    onnx.save(onnx.helper.make_model(graph), folder / "net.onnx")
    return "net.onnx"
