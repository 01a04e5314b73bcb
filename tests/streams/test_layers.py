"""Every layer that is read, process by process: what streams compute is the emulator's."""

import numpy as np
import pytest

import nn2hls
from nn2hls.design.bench import mantissas_of
from tests.kit.lowering_rooms import CASES
from tests.kit.lowerings import keras_graph, onnx_graph, torch_graph
from tests.kit.streamed import checked

for framework in ("keras", "torch", "onnx"):
    pytest.importorskip(framework)

MAKERS = {"torch": torch_graph, "onnx": onnx_graph, "keras": keras_graph}
CONFIG = {"HLSConfig": {"Model": {"Precision": "ap_fixed<14,6,AP_RND,AP_SAT>"}}}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_in_streams(name):
    case = CASES[name]
    framework = next(f for f in MAKERS if getattr(case, f))
    _, graph = MAKERS[framework](case)
    design = nn2hls.convert(graph, CONFIG)
    rng, size = np.random.default_rng(5), (2, *case.shape)
    x = rng.integers(0, case.whole, size) if case.whole else rng.normal(size=size) * 2
    checked(design.graph, mantissas_of(design.graph, x))
