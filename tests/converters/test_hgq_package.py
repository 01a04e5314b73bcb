"""HGQ2 itself, where it is installed: other random models than the recorded ones, and no layer that is not told of."""

import os

import numpy as np
import pytest

import nn2hls
from nn2hls.converters.keras.hgq_layers import LAYERS, REFUSED
from tests.fixtures.hgq2.record import MODELS, answered, drawn, shake


@pytest.fixture(scope="module")
def packages():
    pytest.importorskip("hgq", reason="hgq2 is not installed; its answers are recorded in tests/fixtures/hgq2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import hgq
    import hgq.layers
    import keras

    return keras, hgq


@pytest.mark.long
def test_its_layers_are_read_or_refused_by_name(packages):
    _, hgq = packages
    kinds = {getattr(hgq.layers, name).__name__ for name in hgq.layers.__all__}
    assert {kind for kind in kinds if kind[:1] == "Q"} <= {*LAYERS, *REFUSED}


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_models_with_new_weights_answer_the_same(packages, name):
    keras, hgq = packages
    keras.utils.clear_session()
    model, rng = MODELS[name](keras, hgq), np.random.default_rng(11)
    shake(model, rng)
    xs = drawn(model, rng)
    found = nn2hls.convert(model).predict(xs if len(xs) > 1 else xs[0])
    want = answered("", model, xs).values()
    for y, one in zip(want, found if isinstance(found, list) else [found], strict=True):
        assert np.array_equal(one, y)
