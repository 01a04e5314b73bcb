"""Recurrent layers in streams: a step takes a token, states stay, events begin anew; in C++ and in Verilog, whoever pauses."""

import re
import shutil

import numpy as np
import pytest

import nn2hls
from nn2hls.converters.lower import recurrent
from nn2hls.converters.lower.value import Tensor
from nn2hls.design.bench import mantissas_of
from nn2hls.emit.stream_verilog import process_module
from nn2hls.errors import LimitError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Elementwise, Input, Merge, Relu
from nn2hls.tools.rtl.run import simulate_rtl
from tests.kit.networks import side_by_side
from tests.kit.recurrent import Place, cell, images, network
from tests.kit.rtl import declared
from tests.kit.streamed import emulated, outputs, streamed
from tests.kit.tools import require_tool

pytestmark = pytest.mark.filterwarnings("ignore")
EVENTS = 12


def in_streams(graph, backend="Vitis", layers=None, **model):
    levels = {"Model": model, "LayerName": layers or {}}
    return nn2hls.convert(
        graph, {"IOType": "io_stream", "Backend": backend, "Part": "xcvu13p-flga2577-2-e", "HLSConfig": levels}
    )


def deep(seed=0):
    """A dense layer over positions, a GRU, and backwards an LSTM from states that are an input; a last state leaves, too."""
    rng, builder = np.random.default_rng(seed), Builder()
    dense = Dense(Const(rng.normal(size=(2, 3))), Const(rng.normal(size=3)))
    y = Tensor(builder.add("dense", dense, [builder.add("x", Input((4, 2)))]), (4, 3))
    before = [Tensor(builder.add(n, Input((2,))), (2,)) for n in ("h", "c")]
    first, second = Place(builder, "a"), Place(builder, "b")
    run = recurrent.recurrence(first, y, cell("gru", rng, 3, 2))
    back = recurrent.recurrence(second, run.sequence(first), cell("lstm", rng, 2, 2), before, reverse=True)
    return builder.build([back.sequence(second).node, run.last(first.step("last")).node])


CASES = {
    "every state": (network("lstm", 1, (4, 3), 3, density=0.6), {"Precision": "ap_fixed<12,4>"}),
    "the last state": (network("gru", 2, (5, 2), 3, whole=False), {"MaxWidth": 12}),
    "backwards": (network("rnn", 2, (3, 2), 3, reverse=True, whole=False), {"MaxWidth": 12}),
    "one step": (network("lstm", 3, (1, 2), 2), {"MaxWidth": 12}),
    "reused, from a state": (
        network("gru before", 3, (3, 2), 2, initial=[np.array([0.5, -0.25])]),
        {"ReuseFactor": 3, "MaxWidth": 12},
    ),
    "deep": (deep(), {"Precision": "ap_fixed<11,4>"}),
    "images": (images(), {"Precision": "ap_fixed<8,3>"}),
}


def drawn(design, seed=3):
    rng = np.random.default_rng(seed)
    return mantissas_of(design.graph, [rng.normal(0, 1.5, (EVENTS, *n.shape)) for n in design.graph.inputs])


@pytest.mark.parametrize("case", CASES)
def test_the_processes_are_the_emulator(case):
    """Also that of the design whose steps stand side by side."""
    graph, model = CASES[case]
    design = in_streams(graph, **model)
    x, network_of = drawn(design), design.streams.network
    values = streamed(network_of, {n.name: a for n, a in zip(design.graph.inputs, x, strict=True)})
    steps = [p for p in network_of.processes if p.op.repeats is not None]
    assert steps
    assert all(p.front.firings == p.op.repeats.length for p in steps)
    other = nn2hls.convert(graph, {"Model": model})
    want = emulated(other.graph, x, other.graph.outputs)
    for name, found in zip(other.graph.outputs, outputs(network_of, values), strict=True):
        np.testing.assert_array_equal(found, want[name])


def test_a_token_comes_and_goes_at_each_step():
    design = in_streams(CASES["every state"][0], **CASES["every state"][1])
    (process,) = design.streams.network.processes
    assert (process.front.address, len(process.sends)) == (None, 4)
    assert (design.streams.network.streams["x"].tokens, design.streams.network.streams[process.name].tokens) == (4, 4)
    last = in_streams(CASES["the last state"][0], **CASES["the last state"][1])
    (process,) = last.streams.network.processes
    assert (len(process.sends), last.streams.network.streams[process.name].tokens) == (1, 1)


@pytest.mark.parametrize("case", ["every state", "the last state", "deep"])
def test_the_pace_of_the_plan_is_that_of_the_steps(case):
    """Also where one token leaves after many steps; the Verilog, clock by clock, is the judge."""
    design = in_streams(CASES[case][0], "Verilog", **CASES[case][1])
    built = {b.process.name: b for b in design.streams.built}
    own = {p.name: p.own for p in design.streams.fifos.pace}
    for name, b in built.items():
        if b.process.op.repeats is not None:
            assert own[name] >= b.front.firings * b.spacing
    assert design.streams.fifos.interval == design.streams.clocked().interval
    vitis = in_streams(CASES[case][0], **CASES[case][1]).estimate()
    assert vitis.ii >= max(p.steps * p.clocks for p in vitis.paces)


def test_a_layer_that_runs_backwards_collects_and_is_named():
    design = in_streams(CASES["deep"][0], **CASES["deep"][1])
    collected = {p.name: p.front.address is not None for p in design.streams.network.processes if p.op.repeats is not None}
    assert collected == {"a_steps": False, "b_steps": True}
    estimate = design.estimate()
    assert (estimate.collected, estimate.to_dict()["streams"]["collected"]) == (("b",), ["b"])
    assert "b collects all tokens of its sequence before its first step." in str(estimate)
    assert [(p.layer, p.steps) for p in estimate.paces] == [("a", 4), ("b", 4)]


def test_the_cpp_is_the_emulator():
    """Several cases in one design; the test bench runs event after event, so that a state that stays would be found."""
    graphs = [CASES[case][0] for case in ("the last state", "one step", "reused, from a state", "deep")]
    design = in_streams(side_by_side(graphs), Precision="ap_fixed<10,4>")
    x = [m * n.result_type.step for m, n in zip(drawn(design), design.graph.inputs, strict=True)]
    for got, want in zip(design.csim_raw(x), design.predict_raw(x), strict=True):
        np.testing.assert_array_equal(got.mantissas, want.mantissas)


@pytest.mark.parametrize("simulator", ["iverilog", pytest.param("verilator", marks=pytest.mark.long)])
def test_the_verilog_is_the_emulator(simulator, tmp_path):
    """Back to back and with pauses; queues, latency and interval are those that are said."""
    require_tool(simulator, shutil.which(simulator))
    cases = CASES if simulator == "iverilog" else {"deep": CASES["deep"]}
    for k, (graph, model) in enumerate(cases.values()):
        design = in_streams(graph, "Verilog", **model)
        project, order = design._verilog(drawn(design))
        project.write(tmp_path / str(k))
        found, said = simulate_rtl(tmp_path / str(k), project.name, EVENTS, 600, simulator), design.estimate()
        assert (found.check.events, found.check.differ, found.first) == (EVENTS, 0, "")
        assert (found.check.latency, found.check.interval) == (order.latency, order.interval) == (said.latency_cycles, said.ii)


@pytest.mark.parametrize("case", ["reused, from a state", "deep"])
def test_registers_and_clocks_are_those_of_the_estimate(case):
    design = in_streams(CASES[case][0], "Verilog", **CASES[case][1])
    for k, built in enumerate(design.streams.built):
        assert declared(process_module(f"p{k}", built)) == built.registers
    text = design.project.files["rtl/myproject.v"]
    for built in (b for b in design.streams.built if b.process.op.repeats is not None):
        turns = built.placed.layers[0].turns
        (module,) = re.findall(rf"module \w*{built.process.name}\w*__core__\w+__turns \(.*?endmodule", text, re.S)
        assert declared(module) + turns.step.registers == turns.registers
        assert built.spacing == turns.clocks == turns.latency


def test_side_by_side_where_the_user_says_so():
    design = in_streams(CASES["every state"][0], TimeStepLoopParallelism="Unroll", **CASES["every state"][1])
    assert all(p.op.repeats is None for p in design.streams.network.processes)


@pytest.mark.parametrize("steps", ["Off", "Unroll"])
def test_steps_that_read_nothing_of_the_inputs_are_refused_or_constants(steps):
    """Weights that a type makes zero leave constants to a layer, which the fixed graph alone sees."""
    rng, builder = np.random.default_rng(0), Builder()
    x = builder.add("x", Input((3, 2)))
    zero = builder.add("zero", Dense(Const(np.full((2, 2), 1e-6)), Const(np.ones(2))), [builder.add("relu", Relu(), [x])])
    site = Place(builder, "r")
    run = recurrent.recurrence(site, Tensor(zero, (3, 2)), cell("rnn", rng, 2, 2))
    y = builder.add("y", Elementwise(Merge.ADD), [run.sequence(site).node, x])
    levels = {"Model": {"Precision": "ap_fixed<8,3>", "TimeStepLoopParallelism": steps}}
    design = nn2hls.convert(builder.build([y]), {"IOType": "io_stream", "HLSConfig": levels})
    if steps == "Off":
        with pytest.raises(LimitError, match="read nothing of the inputs"):
            design.estimate()
    else:
        assert design.verify().equal
