"""A setting that its layer has no use for is told, and no other."""

import numpy as np

from nn2hls.design.design import convert
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input, Relu


def graph():
    b = Builder()
    b.add("in", Input((3,)))
    b.add("fc1", Dense(Const(np.eye(3)), Const(np.zeros(3))), ["in"])
    b.add("act", Relu(), ["fc1"])
    return b.build(["act"])


def notes(layer, **settings):
    return convert(graph(), {"LayerName": {layer: settings}}).notes


def test_used_settings_need_no_note():
    assert not notes(
        "fc1", Precision={"weight": "int4", "accum": "int20", "result": "int9"}, ReuseFactor=3, Strategy="Resource"
    )
    assert not notes("act", Precision="int9", ReuseFactor=1, Strategy="Latency", MaxWidth=12)
    assert not notes("in", Precision={"result": "int9"})


def test_unused_settings_are_told_with_their_place():
    told = notes("act", Precision={"weight": "int4", "exp_table": "int4", "result": "int4"}, ReuseFactor=3)
    place = "config['LayerName']['act']"
    assert sorted(told) == [
        f"{place}['Precision']['exp_table']: act is a Relu, which has no use for the type of 'exp_table'.",
        f"{place}['Precision']['weight']: act is a Relu, which has no use for the type of 'weight'.",
        f"{place}['ReuseFactor']: act is a Relu, which has no use for ReuseFactor.",
    ]
    assert len(notes("fc1", table_size=8, table_t="int4")) == 2


def test_settings_of_the_model_are_for_whom_they_concern():
    assert not convert(graph(), {"Model": {"Precision": {"table": "int4"}, "ReuseFactor": 3, "TableSize": 8}}).notes


def test_positions_of_a_layer_that_has_one():
    config = {"IOType": "io_stream", "HLSConfig": {"LayerName": {"fc1": {"ParallelizationFactor": 4}}}}
    (told,) = convert(graph(), config).notes
    assert told.endswith("fc1 is a Dense, which has no use for ParallelizationFactor.")
    config["HLSConfig"]["LayerName"]["fc1"]["ParallelizationFactor"] = 1
    assert not convert(graph(), config).notes
