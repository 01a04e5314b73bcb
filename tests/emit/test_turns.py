"""Steps of a recurrent layer on the hardware of one: the emulator's mantissas in Verilog and C++, the pace, the registers."""

import numpy as np
import pytest

import nn2hls
from nn2hls.converters.lower import recurrent
from nn2hls.converters.lower.value import Tensor
from nn2hls.errors import ConfigError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input
from tests.kit.recurrent import Place, cell, network
from tests.kit.rtl import registers_in, simulate

EVENTS = 25
TURNS = {"TimeStepLoopParallelism": "Off"}


def in_turns(graph, backend="Verilog", layers=None, **model):
    levels = {"Model": {**TURNS, **model}, "LayerName": layers or {}}
    return nn2hls.convert(graph, {"Backend": backend, "Part": "xcvu13p-flga2577-2-e", "HLSConfig": levels})


def twice(seed=0, length=3):
    """Two layers, the second backwards from states that are an input; it gives its sequence, the first also its last state."""
    rng, builder = np.random.default_rng(seed), Builder()
    x = Tensor(builder.add("x", Input((length, 2))), (length, 2))
    before = Tensor(builder.add("s", Input((2,))), (2,))
    site, other = Place(builder, "a"), Place(builder, "b")
    run = recurrent.recurrence(site, x, cell("lstm", rng, 2, 2))
    y = recurrent.recurrence(other, run.sequence(site), cell("gru", rng, 2, 2), [before], reverse=True)
    return builder.build([y.sequence(other).node, run.last(site.step("memory"), 1).node])


def drawn(design, events=EVENTS, seed=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1.5, (events, *n.shape)) for n in design.graph.inputs]


CASES = {
    "lstm": (network("lstm", 1, (4, 3), 3, density=0.6), {"Precision": "ap_fixed<12,4>"}),
    "rnn, last state alone, backwards": (network("rnn", 2, (3, 2), 3, reverse=True, whole=False), {"MaxWidth": 12}),
    "gru from a state, reused": (
        network("gru before", 3, (3, 2), 2, initial=[np.array([0.5, -0.25])]),
        {"ReuseFactor": 3, "MaxWidth": 12},
    ),
    "two layers": (twice(), {"Precision": "ap_fixed<11,4>"}),
    "two layers of one step": (twice(length=1), {"Precision": "ap_fixed<8,3>"}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_the_verilog_is_the_emulator(case, tmp_path):
    """Events as fast as they are taken; the simulation finds the latency and the interval that the estimate says."""
    graph, model = CASES[case]
    design = in_turns(graph, **model)
    from nn2hls.design.bench import mantissas_of

    project, order = design._verilog(mantissas_of(design.graph, drawn(design)))
    found, said = simulate(project, tmp_path, EVENTS), design.estimate()
    assert (found.check.events, found.check.differ, found.first) == (EVENTS, 0, "")
    assert (found.check.latency, found.check.interval) == (order.latency, order.interval) == (said.latency_cycles, said.ii)
    assert registers_in(project.files["rtl/myproject.v"]) == order.registers == said.ff
    slowest = max(pace.steps * pace.clocks for pace in said.paces)
    assert slowest == said.ii


def _same_in_cpp(design):
    for got, want in zip(design.csim_raw(drawn(design)), design.predict_raw(drawn(design)), strict=True):
        np.testing.assert_array_equal(got.mantissas, want.mantissas)


@pytest.mark.filterwarnings("ignore")
def test_the_cpp_is_the_emulator():
    design = in_turns(twice(1), "Vitis", {"a": {"ReuseFactor": 2}}, MaxWidth=12)
    _same_in_cpp(design)
    _same_in_cpp(in_turns(twice(1, length=1), "Vitis", Precision="ap_fixed<8,3>"))
    text = "".join(text for name, text in design.project.files.items() if name.startswith("firmware/layers/"))
    assert text.count("for (int turn = 0; turn < 3; turn++) {") == 2
    assert text.count("static void a_steps_step(") == 1


@pytest.mark.filterwarnings("ignore")
def test_one_step_is_built_however_long_the_sequence_is():
    """Logic and DSP slices of an LSTM stay; a sequence side by side has those of every step."""
    graphs = {n: network("lstm", 1, (n, 2), 2, whole=False) for n in (2, 8)}
    short, long = (in_turns(graph, MaxWidth=10).estimate() for graph in graphs.values())
    assert short.dsp == long.dsp
    assert long.lut < 1.3 * short.lut
    assert (short.ii, long.ii) == (2 * short.paces[0].clocks, 8 * long.paces[0].clocks)
    config = {"Backend": "Verilog", "HLSConfig": {"Model": {"MaxWidth": 10}}}
    side_by_side = nn2hls.convert(graphs[8], config).estimate()
    assert side_by_side.lut > 4 * long.lut
    assert side_by_side.ii == 1


def straight(twins=False):
    """A layer without a function, whose last state goes into a dense layer that reads one of its neurons alone."""
    rng, builder = np.random.default_rng(4), Builder()
    kernel, recurrent_kernel, bias = rng.normal(0, 0.5, (2, 3)), rng.normal(0, 0.5, (3, 3)), rng.normal(size=3)
    if twins:
        for array in (kernel, recurrent_kernel, bias):
            array[..., 1] = array[..., 0]
    x = Tensor(builder.add("x", Input((3, 2))), (3, 2))
    site, gate = Place(builder, "r"), recurrent.Gate(kernel, recurrent_kernel, bias)
    run = recurrent.recurrence(site, x, recurrent.rnn_cell(gate, recurrent.Activation("", None)))
    y = Dense(Const(np.array([[1.0], [float(twins)], [0.0]])), Const(np.zeros(1)))
    return builder.build([builder.add("y", y, [run.last(site).node])])


ALIKE = {"equal states": network("gru", 1, (3, 2), 3, whole=False), "unread": straight(), "twins": straight(twins=True)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", ALIKE)
def test_no_pass_changes_one_step_alone(case):
    """Shrink would take equal zeros of the first state, neurons that the last step's reader leaves out, and equal neurons."""
    one, other = (nn2hls.convert(ALIKE[case], {"Model": {"Precision": "ap_fixed<9,4>", **more}}) for more in (TURNS, {}))
    assert sum(n.op.repeats is not None for n in one.sizer.graph) == 1
    np.testing.assert_array_equal(one.predict(drawn(one)), other.predict(drawn(one)))


@pytest.mark.filterwarnings("ignore")
def test_the_answers_are_those_of_steps_side_by_side():
    graph = twice(2)
    one, other = in_turns(graph, Precision="ap_fixed<11,4>"), nn2hls.convert(graph, {"Model": {"Precision": "ap_fixed<11,4>"}})
    for a, b in zip(one.predict(drawn(one)), other.predict(drawn(one)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_an_lstm_of_twenty_units_takes_a_step_in_twelve_clocks():
    design = in_turns(network("lstm", 1, (20, 6), 20))
    (pace,) = design.estimate().paces
    assert (pace.layer, pace.steps) == ("r", 20)
    assert pace.clocks <= 12


def test_the_pace_is_said():
    from nn2hls.estimate.figures import with_estimate
    from nn2hls.tools.report import BuildReport

    estimate = in_turns(network("rnn", 1, (4, 3), 3), MaxWidth=10).estimate()
    said = f"r: 4 steps of {estimate.paces[0].clocks} clocks, one after the other"
    assert said in str(estimate)
    assert estimate.to_dict()["paces"] == [{"layer": "r", "steps": 4, "clocks": estimate.paces[0].clocks}]
    assert said in with_estimate(BuildReport("rtl", "project", "folder"), estimate).notes


def test_what_pruning_saved_is_said_of_one_step():
    from nn2hls.size.savings import savings, stream_savings

    design = in_turns(network("rnn", 1, (4, 3), 3, density=0.5))
    (found,) = savings(design.sizer, design.float_graph)
    streamed = nn2hls.convert(network("rnn", 1, (4, 3), 3, density=0.5), {"IOType": "io_stream", "Backend": "Verilog"})
    assert [s.nonzero for s in stream_savings(streamed.streams, streamed.float_graph)] == [found.nonzero]
    assert (found.layer, found.products) == ("r_hidden", (3 + 3) * 3)
    assert 0 < found.nonzero < found.products


def test_where_it_has_no_effect_it_is_told():
    from tests.kit.networks import mlp

    with pytest.raises(ConfigError, match=r"r.*Off is not offered for Bambu.*side by side"):
        in_turns(network("rnn"), "Bambu")
    graph = mlp(np.random.default_rng(0), (4, 3))
    layer = next(n.name for n in graph if n.inputs)
    notes = nn2hls.convert(graph, {"Model": {}, "LayerName": {layer: {"TimeStepLoopParallelism": "Off"}}}).notes
    assert any("has no use for TimeStepLoopParallelism" in note for note in notes)
