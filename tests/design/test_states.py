"""States that go from event to event: events in a row as one call, by hand, in float, compiled, and what is refused."""

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import DataError
from nn2hls.graph.reference import run_float
from tests.kit.kept_states import drawn, kept

pytestmark = pytest.mark.filterwarnings("ignore")
EVENTS, SHAPE = 6, (2, 2)


def converted(graph, calibration=None):
    return nn2hls.convert(graph, {"Model": {"MaxWidth": 12}}, calibration)


@pytest.fixture(scope="module")
def design():
    return converted(kept(("lstm", "gru"), shape=(2, 2)))


def by_hand(design, x, predict):
    """Event after event, each with the states that the one before left."""
    names = list(design.graph.states)
    states = {n: np.zeros((1, *design.graph[n].shape)) for n in names}
    found = []
    for k in range(len(x)):
        answers = predict([x[k : k + 1], *(states[n] for n in names)])
        values = dict(zip(design.graph.outputs, answers, strict=True))
        states = {n: values[design.graph.states[n]] for n in names}
        found.append(answers[0])
    return np.concatenate(found)


def test_events_in_a_row_are_the_loop_by_hand(design):
    x = drawn(EVENTS, SHAPE)
    wanted = by_hand(design, x, design.predict)
    np.testing.assert_array_equal(design.predict(x), wanted)
    np.testing.assert_array_equal(design.csim(x), wanted)
    assert not np.array_equal(design.predict(x[1:]), wanted[1:])  # they begin with zeros
    raw = design.predict_raw(x)
    np.testing.assert_array_equal(raw.mantissas * raw.type.step, wanted)
    assert design.verify(x).equal


def test_float_has_states_of_its_own(design):
    """So do traces and comparisons; the sequence of all events at once is the same, without any cast in between."""
    x = drawn(EVENTS, SHAPE)
    wanted = by_hand(design, x, design.predict_float)
    np.testing.assert_allclose(design.predict_float(x), wanted, rtol=1e-12, atol=1e-12)
    long = kept(("lstm", "gru"), shape=(2 * EVENTS, 2), whole=True)
    once = run_float(long, [x.reshape(1, 2 * EVENTS, 2), *(np.zeros((1, 2)) for _ in long.states)])["layer1"]
    np.testing.assert_allclose(wanted, once.reshape(EVENTS, 2, 2)[:, -1], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(design.trace_float(x)["layer1"], design.predict_float(x))
    np.testing.assert_array_equal(design.trace(x)["layer1"], design.predict(x))
    error = np.abs(design.predict(x) - design.predict_float(x)).max()
    assert design.compare(x).outputs[0].max_error == pytest.approx(error)


def test_what_a_state_misses_is_named_at_the_input():
    """Where the config may name it: the output follows."""
    narrow = {"layer0_state0_before": {"Precision": "ap_fixed<5,1>"}}
    graph, x = kept(("rnn",), shape=SHAPE), drawn(EVENTS, SHAPE)
    found = nn2hls.convert(graph, {"Model": {}, "LayerName": narrow}, x).compare(x)
    needs = {layer.name: layer.needs for layer in found.layers}
    (need,) = needs["layer0_state0_before"]
    assert (need.word, need.fraction > 0, needs["layer0_state0_after"]) == ("result", True, ())
    wider = {"layer0_state0_before": {"Precision": need.type}}
    mended = nn2hls.convert(graph, {"Model": {}, "LayerName": wider}, x)
    assert mended.compare(x).outputs[0].sqnr > found.outputs[0].sqnr


def test_calibration_needs_no_states():
    """Their types are of the values that float finds after each event."""
    x = np.abs(drawn(12, (1, 2)))
    few, many = (converted(kept(("lstm",), shape=(1, 2)), x[:n]) for n in (2, 12))
    given = converted(kept(("lstm",), shape=(1, 2)), many._floats(x)[0])
    assert [n.type for n in many.graph.inputs] == [n.type for n in given.graph.inputs]
    assert few.signals["layer0_state1_before"].high < many.signals["layer0_state1_before"].high
    assert many.types["layer0_state1_before"][0].level == "calibrated"


def test_each_layer_says_where_its_states_are():
    (note,) = [n for n in converted(kept(("gru",), shape=(1, 2))).notes if "keeps its states" in n]
    assert "layer0: it keeps its states between events: output layer0_state0_after is input layer0_state0_before" in note


def test_some_states_alone_are_not_enough(design):
    with pytest.raises(DataError, match=r"has 4 inputs .*, 2 arrays came"):
        design.predict([drawn(2, SHAPE), np.zeros((2, 2))])
