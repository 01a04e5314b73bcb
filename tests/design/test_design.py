"""Design and Project from the user's side: data that is no data, copies, threads, folders."""

import copy
import os
import pickle
import threading

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.errors import DataError, Nn2hlsError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Origin
from nn2hls.ops import Dense, Input, Relu
from tests.kit.networks import hls_config, mlp

X = np.random.default_rng(1).normal(size=(50, 4))


def design(**settings):
    return convert(mlp(np.random.default_rng(0), (4, 3, 2)), hls_config({"Precision": "ap_fixed<16,6>", **settings}))


def test_no_events_are_answered_by_no_answers_and_never_compared():
    d, none = design(), X[:0]
    assert d.predict(none).shape == d.predict_float(none).shape == d.csim(none).shape == (0, 2)
    for ask in (d.compare, d.verify):
        with pytest.raises(DataError, match="no events"):
            ask(none)


@pytest.mark.parametrize("ask", ["predict", "predict_raw", "predict_float", "trace", "trace_float", "compare", "csim"])
def test_nan_is_an_error_everywhere(ask):
    bad = X.copy()
    bad[7, 2] = np.nan
    with pytest.raises(DataError, match="x: The input holds NaN or Inf"):
        getattr(design(), ask)(bad)


@pytest.mark.parametrize(
    ("data", "message"),
    [(X * np.nan, "NaN"), (X / 0.0, "NaN or Inf"), (X[:0], "no events"), (X * 0, "zero everywhere"), (X.tolist(), "50 arrays")],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_calibration_data_that_says_nothing_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        convert(mlp(np.random.default_rng(0), (4, 2)), calibration=data)


@pytest.mark.parametrize("scale", [1e-30, 1e-4, 1.0, 1e30])
def test_calibration_fits_data_of_any_size(scale):
    b = Builder()
    x = b.add("x", Input((4,)))
    graph = b.build([b.add("fc", Dense(Const(np.random.default_rng(0).normal(size=(4, 3))), Const(np.zeros(3))), [x])])
    d = convert(graph, calibration=X * scale)
    assert d.compare(X * scale).outputs[0].sqnr > 50


def test_a_layer_that_is_dead_on_the_calibration_data_alone_keeps_its_weights():
    b, eye = Builder(), np.eye(4)
    x = b.add("x", Input((4,)))
    h = b.add("relu", Relu(), [b.add("fc", Dense(Const(eye), Const(np.full(4, -3.0))), [x])])
    y = b.add("out", Dense(Const(np.random.default_rng(0).normal(size=(4, 3))), Const(np.zeros(3))), [h])
    d = convert(b.build([y]), calibration=np.abs(X).clip(0, 2.9))
    assert d.compare(np.full((2, 4), 4.5)).outputs[0].sqnr > 30


def test_labels_as_a_list_are_the_labels_of_the_one_output():
    labels = design().predict(X).argmax(axis=1).tolist()
    assert design().compare(X, labels).outputs[0].accuracy_fixed == 1
    assert design().compare(X, [[int(k == c) for k in range(2)] for c in labels]).outputs[0].accuracy_fixed == 1
    with pytest.raises(DataError, match="labels for 2 outputs, the network has 1"):
        design().compare(X, [np.array(labels)] * 2)


def test_a_design_is_copied_and_pickled_whatever_was_asked_of_it():
    d = design()
    answer = d.predict(X)
    assert np.array_equal(d.csim(X), answer)
    for other in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert np.array_equal(other.predict(X), answer)
        assert other.project.digest == d.project.digest
        assert np.array_equal(other.csim(X), answer)


def test_one_design_serves_several_threads():
    d, x = design(), np.random.default_rng(3).normal(size=(20_000, 4))
    answer, same = d.predict(x), []
    threads = [threading.Thread(target=lambda: same.append(np.array_equal(d.predict(x), answer))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert same == [True] * 4


def test_the_current_directory_is_never_replaced(tmp_path, monkeypatch):
    inner = tmp_path / "project" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "project" / ".nn2hls-project").touch()
    monkeypatch.chdir(inner)
    for folder in (".", "", "..", str(inner)):
        with pytest.raises(Nn2hlsError, match="current directory"):
            design().write(folder)
    assert os.listdir(tmp_path) == ["project"]
    assert os.listdir(inner) == []


def test_a_link_as_folder_leads_to_the_project_and_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    for _ in range(2):
        assert design().write(tmp_path / "link") == tmp_path / "link"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "build_prj.tcl").is_file()
    assert sorted(os.listdir(tmp_path)) == ["disk", "link"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(Nn2hlsError, match="File name too long"):
        design().write(tmp_path / ("x" * 300))


def test_every_call_of_a_layer_has_its_trace():
    b, rng = Builder(), np.random.default_rng(0)
    op, other = (Dense(Const(rng.normal(size=(4, 4))), Const(rng.normal(size=4))) for _ in range(2))
    x = b.add("x", Input((4,)))
    one = b.add("fc", op, [x], Origin("fc"))
    two = b.add("again", op, [one], Origin("fc"))
    three = b.add("fc_2", other, [two], Origin("fc_2"))
    d = convert(b.build([b.add("more", op, [three], Origin("fc"))]))
    trace = d.trace_float(X)
    assert list(trace) == list(d.trace(X)) == ["x", "fc", "fc_3", "fc_2", "fc_4"]
    value = X
    for key, layer in zip(("fc", "fc_3", "fc_2", "fc_4"), (op, op, other, op), strict=True):
        value = layer.evaluate_float(value)
        assert np.allclose(trace[key], value)
    assert len(d.compare(X).layers) == 5
