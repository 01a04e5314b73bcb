"""The steps of a recurrent layer: one type for all copies of a node, addressed by the names of the gates."""

import warnings
from collections import defaultdict

import numpy as np
import pytest

import nn2hls
from nn2hls.config.settings import LayerSettings
from nn2hls.errors import ConfigError, OverflowWarning
from nn2hls.passes.base import Context
from nn2hls.passes.unroll import unroll
from tests.kit.recurrent import KINDS, network


def unrolled(graph):
    return unroll(graph, Context(lambda node: LayerSettings()))


def converted(graph, layers=None, calibration=None, **model):
    config = {"Model": model, "LayerName": layers or {}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn2hls.convert(graph, config, calibration=calibration)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("calibrated", [False, True])
def test_all_steps_have_one_type(kind, calibrated):
    x = np.random.default_rng(0).normal(size=(50, 5, 2))
    design = converted(network(kind, shape=(5, 2)), calibration=x if calibrated else None)
    types = defaultdict(set)
    for node in design.graph:
        if node.tied:
            types[node.tied].add(node.type)
    assert len(types) > 3
    assert {len(kinds) for kinds in types.values()} == {1}
    noise = design.predict(x) - design.predict_float(x)
    assert np.sqrt(np.mean(noise**2)) < 0.01


def test_gates_have_types_of_their_own():
    graph = network("lstm", shape=(3, 2))
    layers = {
        "r_forget_gate": {"Precision": {"weight": "ap_fixed<7,3>", "result": "ap_fixed<11,5>"}},
        "r_cell": {"Precision": "ap_fixed<13,6>"},
        "r_candidate_tanh": {"Precision": {"result": "ap_fixed<9,2>"}},
        "r": {"Precision": {"weight": "ap_fixed<9,4>"}},
    }
    design = converted(graph, layers)
    by = design.graph.by_name
    for step in range(3):
        gate, other = (by[f"r_{name}_step{step}"] for name in ("forget_gate", "output_gate"))
        assert (str(gate.op.weight_t), str(gate.type)) == ("ap_fixed<7,3>", "ap_fixed<11,5>")
        assert str(other.op.weight_t) == "ap_fixed<9,4>"
        assert str(by[f"r_cell_step{step}"].type) == "ap_fixed<13,6>"
        assert str(by[f"r_candidate_tanh_step{step}"].type) == "ap_fixed<9,2>"


def test_a_gate_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"(?s)r_forgot_gate.*Did you mean 'r_forget_gate'"):
        converted(network("lstm"), {"r_forgot_gate": {"Precision": "ap_fixed<9,4>"}})


def test_the_step_that_overflows_is_named():
    """The cell adds up: the third step leaves a type that holds the first two."""
    design = converted(network("lstm", 3, (6, 2)), {"r_cell": {"Precision": {"result": "ap_fixed<12,1>"}}})
    x = np.random.default_rng(1).normal(0, 3, (200, 6, 2))
    with pytest.warns(OverflowWarning, match=r"r_cell_step\d"):
        design.predict(x)
    found = {layer.name: layer.overflows for layer in design.compare(x).layers if layer.name.startswith("r_cell_step")}
    assert found["r_cell_step0"] == 0
    assert found["r_cell_step5"] > 0


def test_a_table_of_a_step_that_loses_the_signal_is_mended_by_name():
    design = converted(network("rnn", 3, (3, 2)), TargetSQNR=85)
    rows = design.compare(np.random.default_rng(1).normal(0, 1, (200, 3, 2))).layers
    lossy = [row for row in rows if row.name.startswith("r_hidden_tanh_step")]
    assert len(lossy) == 3
    assert any(need.word == "table" or need.entries for row in lossy for need in row.needs)


def test_steps_that_nobody_reads_keep_nothing_alive():
    """The last state reads no earlier output, so that none waits for it in registers."""
    graph = unrolled(network("gru", shape=(4, 2), whole=False)).needed()
    (name,) = graph.outputs
    assert [graph[i].name for i in graph[name].inputs] == ["r_hidden_step3"]


def test_a_sequence_backwards_ends_at_its_first_element():
    graph = unrolled(network("rnn", shape=(3, 2), reverse=True))
    assert graph["r"].inputs == tuple(f"r_hidden_tanh_step{k}" for k in (2, 1, 0))


def test_two_results_of_one_cell_share_its_steps():
    from nn2hls.converters.lower import recurrent
    from nn2hls.converters.lower.value import Tensor
    from nn2hls.graph.builder import Builder
    from nn2hls.ops import Input
    from tests.kit.recurrent import Place, cell

    builder = Builder()
    x = Tensor(builder.add("x", Input((3, 2))), (3, 2))
    site = Place(builder, "r")
    run = recurrent.recurrence(site, x, cell("lstm", np.random.default_rng(0), 2, 2))
    outputs = [run.sequence(site).node, run.last(site.step("memory"), 1).node]
    graph = unrolled(builder.build(outputs)).needed()
    assert sum(n.name.startswith("r_forget_gate_step") for n in graph) == 3


def test_zero_weights_and_zero_states_cost_nothing():
    """Products are those of the weights that are left, and the first step has none with its state, which is zero."""
    graph = network("gru before", 5, (3, 4), 4, density=0.4)
    design = converted(graph)
    dense = [n for n in design.graph if n.name.startswith("r_update_gate_step")]
    source = next(n for n in design.float_graph if n.name == "r_update_gate_step1").op.weight.array
    assert dense[1].op.products() <= np.count_nonzero(source) < source.size
    assert dense[0].op.products() <= np.count_nonzero(source[:4])
    assert not np.any(dense[0].op.weight.array[4:])


def test_reuse_and_strategy_are_those_of_the_products():
    design = converted(network("rnn", shape=(2, 3), units=4), {"r": {"ReuseFactor": 4}})
    assert {n.op.reuse for n in design.graph if "reuse" in n.op.uses} == {4}
    x = np.random.default_rng(0).normal(size=(30, 2, 3))
    np.testing.assert_array_equal(design.csim(x), design.predict(x))
