"""A state after an event: the value, in the type of the input that it is in the next one."""

from fractions import Fraction

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import GraphError, TypeResolutionError
from nn2hls.graph.builder import Builder
from nn2hls.ops import Carry, Input
from tests.kit.kept_states import drawn, kept
from tests.slow import fixed

pytestmark = pytest.mark.filterwarnings("ignore")
STATE, AFTER = "layer0_state0_before", "layer0_state0_after"


def with_type(kind, graph=None, **more):
    levels = {"Model": {"MaxWidth": 14}, "LayerName": {STATE: {"Precision": kind}, **more}}
    return nn2hls.convert(graph or kept(("rnn",)), levels)


@pytest.mark.parametrize("kind", ["ap_fixed<6,1>", "ap_fixed<9,4,AP_RND_CONV,AP_SAT>", "ap_ufixed<5,1,AP_RND,AP_WRAP>"])
def test_it_is_the_one_cast_into_the_type_of_the_state(kind):
    """The same value leaves as the layer's answer, in its own type."""
    design = with_type(kind)
    x = [drawn(20), np.random.default_rng(1).normal(size=(20, 2))]
    answer, state = design.predict_raw(x)
    assert state.type == design.graph[STATE].type
    values = [Fraction(int(m)) / 2**answer.type.fraction for m in answer.mantissas.flat]
    wanted = [fixed.cast_slow(v, state.type) for v in values]
    np.testing.assert_array_equal(state.mantissas.reshape(-1), wanted)


def test_a_type_of_its_own_is_refused():
    with pytest.raises(TypeResolutionError, match=f"type ap_fixed<8, *3> of '{STATE}', not ap_fixed<9, *3>"):
        with_type("ap_fixed<8,3>", **{AFTER: {"Precision": "ap_fixed<9,3>"}})


def test_a_state_that_no_float_carries_is_refused():
    with pytest.raises(TypeResolutionError, match="A state of 54 bits is more than float64 carries"):
        with_type("ap_fixed<54,4>")


def test_the_input_that_it_is_must_be_there():
    builder = Builder()
    x = builder.add("x", Input((2,)))
    builder.add("after", Carry("x_before"), [x])
    with pytest.raises(GraphError, match=r"no input 'x_before' of the shape \(2,\)"):
        builder.build([x])
