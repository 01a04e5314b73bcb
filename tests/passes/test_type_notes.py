"""Notes of type resolution, and that no derived type is wider than asked."""

import dataclasses

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Constant, Dense, Elementwise, Input, LeakyRelu, Merge
from nn2hls.passes.base import Context
from tests.kit.networks import hls_config

WEIGHT = np.array([[100.0, 1e-9, 2.0], [3.0, -77.0, 1e-5], [1.0, 0.0, 3.984]])


def network(bias=(1000.0, 0.0, 0.0)):
    b = Builder()
    h = b.add("fc", Dense(Const(WEIGHT), Const(np.array(bias))), [b.add("x", Input((3,)))])
    h = b.add("leaky", LeakyRelu(Const(np.array(0.3))), [h])
    return b.build([b.add("sum", Elementwise(Merge.ADD), [h, b.add("offset", Constant(Const(np.array([1.0, -50.0, 2.0]))))])])


def test_saturated_and_vanished_constants_are_reported_by_name_and_value():
    notes = convert(network(), hls_config({"Precision": "ap_fixed<8,3>"})).notes
    assert "fc: constants beyond ap_fixed<8,3> are saturated: weight[0, 0] = 100, weight[1, 1] = -77." in notes
    assert "fc: constants beyond ap_fixed<8,3> are saturated: bias[0] = 1000." in notes
    assert "fc: 2 of 8 non-zero weights become zero in ap_fixed<8,3>." in notes
    assert "offset: constants beyond ap_fixed<8,3> are saturated: offset" not in "".join(notes)
    assert "offset: constants beyond ap_fixed<8,3> are saturated: value[1] = -50." in notes
    assert not [n for n in convert(network(), hls_config({"Precision": "ap_fixed<60,20>"})).notes if "constants" in n]


def test_a_bias_that_its_accumulator_does_not_hold_is_reported():
    config = hls_config({"Precision": "ap_fixed<24,12>"}, fc={"Precision": {"accum": "ap_fixed<12,6>"}})
    notes = convert(network(), config).notes
    assert "fc: constants beyond ap_fixed<12,6> are brought into it: bias[0] = 1000." in notes


@pytest.mark.parametrize("most", [2, 3, 4, 8, 53])
@pytest.mark.parametrize("scale", [None, 0.01, 100.0])
def test_no_derived_type_is_wider_than_max_width(most, scale):
    data = None if scale is None else np.random.default_rng(0).normal(size=(99, 3)) * scale
    design = convert(network((5.0, 0.0, 0.0)), {"Model": {"MaxWidth": most}}, calibration=data)
    for node in design.graph:
        if isinstance(node.op, Input) and data is None:
            continue
        kinds = {f.name: getattr(node.op, f.name) for f in dataclasses.fields(node.op) if f.name != "accum_t"}
        for name, kind in {"result": node.type, **kinds}.items():
            assert not isinstance(kind, FixedType) or kind.width <= most, (node.name, name, kind)
    assert any("fraction bits wanted" in n for n in design.notes) == (most < 24)


def test_what_the_user_must_know_is_said_once():
    context = Context(hls_config().settings_of)
    for text in ("a: narrow", "b: narrow", "a: narrow"):
        context.warn(text)
    assert context.warnings == context.notes == ["a: narrow", "b: narrow"]
