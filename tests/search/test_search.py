"""Searches: a seed means one result, the front is a front, and the written config is the chosen design."""

import contextlib
import json
import math
import sqlite3

import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import FixedType
from nn2hls.cli import main
from nn2hls.errors import ConfigError
from nn2hls.search.result import Candidate
from nn2hls.search.run import search, written
from nn2hls.search.space import Space
from nn2hls.search.start import Goal
from nn2hls.trials.network import Network, config_digest
from tests.kit.networks import mlp
from tests.kit.pages import Page
from tests.kit.paths import ROOT

pytest.importorskip("optuna")
EVENTS = 600


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    graph = mlp(rng, (6, 12, 3), density=0.6)
    x = rng.normal(size=(EVENTS, 6))
    return graph, x, nn2hls.convert(graph).predict_float(x).argmax(axis=1)


def find(data, **more):
    graph, x, y = data
    return search(graph, x=x, y=y, **{"trials": 24, "widest": 9, "max_loss": 0.05, "jobs": 1, **more})


@pytest.fixture(scope="module")
def found(data):
    return find(data)


def designs(result):
    return {k: v for k, v in result.to_dict().items() if k != "seconds"}


@pytest.mark.long
def test_a_seed_means_one_result_on_any_number_of_workers(data, found):
    assert designs(find(data, jobs=2)) == designs(found)
    assert designs(find(data, seed=1)) != designs(found)


def at_least_as_good(a, b):
    return a.accuracy >= b.accuracy and a.cost <= b.cost and a.latency_ns <= b.latency_ns


def test_no_design_of_the_front_beats_another(found):
    assert len(found.front) > 2
    assert not [(a, b) for a in found.front for b in found.front if a is not b and at_least_as_good(a, b)]


def test_the_chosen_design_keeps_the_loss_and_costs_less(found):
    assert found.kept
    assert found.chosen.loss <= found.chosen.loss_bound <= 0.05
    assert found.chosen.cost < 0.5 * found.uniform["cost"]
    assert found.chosen.cost == found.chosen.lut + 100 * found.chosen.dsp == found.held.cost
    assert not [c for c in found.front if c.loss_bound <= 0.05 and c.cost < found.chosen.cost]


def test_the_written_config_is_the_chosen_design(data, found, tmp_path):
    graph, x, y = data
    path = tmp_path / "best.yml"
    path.write_text(written(found, graph, path))
    design = nn2hls.convert(graph, path)
    size = design.estimate()
    assert (size.lut, size.dsp, size.latency_ns) == (found.chosen.lut, found.chosen.dsp, found.chosen.latency_ns)
    right = design.predict(x).argmax(axis=1) == y
    seen, unseen = round(found.chosen.accuracy * found.events), round(found.held.accuracy * found.held.events)
    assert (found.events + found.held.events, seen + unseen) == (EVENTS, np.count_nonzero(right))


def test_the_held_out_events_change_nothing_but_their_own_accuracy(data, found):
    graph, x, y = data
    order = np.random.default_rng(0).permutation(EVENTS)
    other_x, other_y = x.copy(), y.copy()
    other_x[order[EVENTS // 2 :]] *= 3
    other = search(graph, x=other_x, y=other_y, trials=24, widest=9, max_loss=0.05, jobs=1)
    assert other.front == found.front
    assert other.held != found.held


def test_the_number_of_a_class_stays_exact(data):
    graph, x, y = data
    config = {"Output": "argmax", "HLSConfig": {"Model": {"Precision": "auto"}}}
    found = find((graph, x, y), config=config, trials=0, widest=5)
    assert [s.name for s in found.sensitivities if "argmax" in s.name] == []
    assert {"fc1.result", "fc1.weight"} <= found.chosen.params.keys()
    number = nn2hls.convert(graph, found.config).graph["fc1_argmax"].result_type
    assert (number.width, number.integer, number.signed) == (2, 2, False)


@pytest.mark.long
def test_a_stored_study_goes_on_and_refuses_another_network(data, found, tmp_path):
    storage = f"sqlite:///{tmp_path / 'search.db'}"
    first = find(data, storage=storage)
    assert first.front == found.front
    second = find(data, storage=storage, trials=8)
    assert first.designs < second.designs <= first.designs + 8
    # What was known stays known: everything of the first front is there, or beaten by something new.
    assert all(any(at_least_as_good(new, old) for new in second.front) for old in first.front)
    assert not [new for new in second.front for old in first.front if at_least_as_good(old, new) and new != old]
    goal = Goal(0.05)
    assert goal.rank(second.chosen) <= goal.rank(first.chosen)
    assert second.sensitivities == first.sensitivities
    with pytest.raises(ConfigError, match="made with another data"):
        search(data[0], x=data[1] * 2, y=data[2], trials=1, widest=9, jobs=1, storage=storage)
    with pytest.raises(ConfigError, match="cannot be opened"):
        find(data, storage="nonsense")


def damage(path, statement):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


ATTRIBUTES = "UPDATE trial_user_attributes SET value_json = "


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"""{ATTRIBUTES} replace(value_json, '"cost": ', '"cost": 1')""", "not those that were measured"),
        ("DELETE FROM trial_user_attributes WHERE key = 'checksum'", "not those that were measured"),
        ("UPDATE trial_values SET value = value + 1", "not those that were measured"),
        ("DROP TABLE trial_values", "not those that were measured"),
        (f"{ATTRIBUTES} '[1, 2]' WHERE key = 'found'", "damaged"),
        (f"{ATTRIBUTES} '{{' WHERE key = 'found'", "damaged"),
        ("UPDATE study_user_attributes SET value_json = '3'", "damaged"),
        ("UPDATE trial_params SET distribution_json = 'nonsense'", "damaged"),
        ("DROP TABLE studies", "cannot be opened"),
    ],
)
def test_a_damaged_study_is_refused_in_one_sentence(data, tmp_path, statement, words):
    storage = f"sqlite:///{tmp_path / 'search.db'}"
    more = {"storage": storage, "trials": 0, "widest": 4}
    find(data, **more)
    damage(tmp_path / "search.db", statement)
    with pytest.raises(ConfigError, match=words) as error:
        find(data, **more)
    assert "--storage" in str(error.value)


def test_a_file_that_is_no_study_is_refused(data, tmp_path):
    (tmp_path / "search.db").write_bytes(b"SQLite format 3\0 but not really" * 99)
    with pytest.raises(ConfigError, match="cannot be opened"):
        find(data, storage=f"sqlite:///{tmp_path / 'search.db'}", trials=0, widest=4)


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(4)
    graph, x = mlp(rng, (6, 12, 3)), rng.normal(size=(EVENTS, 6))
    return graph, x, nn2hls.convert(graph).predict_float(x)


def noise_db(graph, config, x, reference):
    fixed = nn2hls.convert(graph, config).run(x)[0][0]
    return 10 * np.log10(np.sum(reference**2) / np.sum((fixed - reference) ** 2))


@pytest.mark.parametrize("target", [None, 30.0])
def test_a_regression_network_meets_its_sqnr(regression, target):
    graph, x, floats = regression
    found = search(graph, x=x, trials=16, widest=14, jobs=1, target=target)
    assert (found.judge.metric.name, found.labelled, found.accuracy_float) == ("sqnr", False, None)
    assert found.kept
    wanted = target or 40
    assert found.chosen.score >= wanted
    assert found.held.score > wanted - 1
    order = np.random.default_rng(0).permutation(EVENTS)
    seen, unseen = np.sort(order[: EVENTS // 2]), np.sort(order[EVENTS // 2 :])
    assert found.chosen.score == pytest.approx(noise_db(graph, found.config, x[seen], floats[seen]))
    assert found.held.score == pytest.approx(noise_db(graph, found.config, x[unseen], floats[unseen]))
    assert found.chosen.loss == pytest.approx(10 ** (-found.chosen.score / 10))
    assert not [c for c in found.front if c.loss_bound <= 10 ** (-wanted / 10) and c.cost < found.chosen.cost]
    assert found.chosen.cost < found.uniform["cost"]
    assert "same answer" not in found.text()
    assert f"never seen     300  exact  {found.held.score:.1f} dB" in found.text()


@pytest.mark.long
def test_a_regression_network_with_labels_meets_its_mse(regression):
    graph, x, floats = regression
    y = floats + np.random.default_rng(1).normal(size=floats.shape) * 0.3
    for more in ({"max_loss": 0.1}, {"target": 0.1}):
        found = search(graph, x=x, y=y, trials=8, widest=12, jobs=1, **more)
        order = np.random.default_rng(0).permutation(EVENTS)
        seen = np.sort(order[: EVENTS // 2])
        exact = np.mean((floats[seen] - y[seen]) ** 2)
        assert found.score_float == pytest.approx(exact)
        assert found.kept
        limit = more.get("target", exact * 1.1)
        assert found.max_loss == pytest.approx(limit - exact)
        fixed = nn2hls.convert(graph, found.config).run(x[seen])[0][0]
        assert found.chosen.score == pytest.approx(np.mean((fixed - y[seen]) ** 2))
        assert found.chosen.score <= limit


def test_a_target_that_cannot_be_kept_is_said(regression):
    graph, x, _ = regression
    found = search(graph, x=x, trials=0, widest=4, jobs=1, target=60.0)
    assert not found.kept
    assert "No design keeps SQNR 60.0 dB for sure" in found.text()
    assert found.to_dict()["target"] == 60


def test_a_metric_of_ones_own_is_searched_and_not_stored(data, tmp_path):
    graph, x, y = data

    def worst_class(labels, answers):
        return min(np.mean(answers.argmax(axis=1)[labels == k] == k) for k in range(3))

    found = find(data, metric=worst_class, max_loss=0.2, trials=0, widest=6)
    assert found.judge.metric.name == "worst_class"
    order = np.random.default_rng(0).permutation(EVENTS)
    seen = np.sort(order[: EVENTS // 2])
    fixed = nn2hls.convert(graph, found.config).run(x[seen])[0][0]
    assert found.chosen.score == pytest.approx(worst_class(y[seen], fixed))
    with pytest.raises(ConfigError, match="Leave storage out"):
        find(data, metric=worst_class, storage=f"sqlite:///{tmp_path / 'own.db'}")


def test_a_study_of_another_metric_is_refused(data, tmp_path):
    more = {"storage": f"sqlite:///{tmp_path / 'search.db'}", "trials": 0, "widest": 4}
    find(data, **more)
    with pytest.raises(ConfigError, match="another judge"):
        find(data, metric="agreement", **more)


def test_a_search_prints_as_the_command_line_does_and_is_short_in_a_list(found):
    assert str(found) == found.text()
    shown = Page(found._repr_html_().replace("</t", " </t").replace("</p>", " </p>"))
    assert {"table", "caption"} <= {tag for tag, _ in shown.tags}
    words = [word for word in shown.text.split() if any(c.isdigit() for c in word)]
    assert len(words) > 50
    assert [word for word in words if word not in found.text() + repr(found)] == []
    assert len(repr(found)) < 100
    assert "\n" not in repr(found)


def test_types_follow_the_values_and_the_variables(data):
    graph, x, y = data
    network = Network.prepare(graph, None, x, y)
    space = Space.of(network, 9, (1, 2))
    params = {**space.start(), "fc0.result": 7, "fc1.weight": 4, "fc1.reuse": 2}
    design = network.design(space.config(network.config, params))
    floats = design.trace_float(x)
    dense, relu = design.graph["fc0"], design.graph["fc0_relu"]
    assert dense.type.width == 7
    assert dense.type.fraction == relu.type.fraction
    assert not relu.type.signed
    largest = np.abs(floats["fc0"]).max()
    assert largest < 2.0 ** (dense.type.integer - 2) <= 2 * largest  # one bit to spare, and the sign
    assert design.graph["fc1"].op.weight_t.width == 4
    assert (design.graph["fc0"].op.reuse, design.graph["fc1"].op.reuse) == (1, 2)
    other = space.config(network.config, {**params, "fc1.weight": 5})
    assert config_digest(other, graph) != config_digest(space.config(network.config, params), graph)


@pytest.mark.long
def test_reuse_factors_are_searched_when_they_are_given(data):
    assert {c.ii for c in find(data, reuses="3", trials=8).front} == {3}
    both = find(data, reuses="3,1", trials=40)
    assert {c.ii for c in both.front} >= {1}
    fastest = min(c.latency_ns for c in both.front)
    assert find(data, reuses="3,1", trials=40, max_latency=fastest).chosen.latency_ns <= fastest


def test_a_latency_that_no_design_keeps_is_said(data):
    result = find(data, trials=0, max_latency=0.5)
    assert result.chosen.latency_ns == min(c.latency_ns for c in result.front) > 0.5
    assert not result.kept
    assert "No design found takes at most 0.5 ns" in result.text()
    assert result.to_dict()["max_latency"] == 0.5


def candidate(cost, bound, ns=10.0):
    return Candidate({}, 0.9, bound, bound, 0.9, cost, 0, cost, 0, 0, 1, 1, ns)


def test_the_goal_comes_before_the_cost():
    goal = Goal(0.01, 20.0)
    ordered = [candidate(5, 0.01), candidate(9, 0.0), candidate(1, 0.02), candidate(1, 0.03), candidate(1, 0.0, 30.0)]
    assert sorted([ordered[k] for k in (3, 1, 4, 0, 2)], key=goal.rank) == ordered


@pytest.mark.parametrize(
    "wrong",
    [
        *({"max_loss": 0.0}, {"held_out": 1.0}, {"widest": 2}, {"trials": -1}, {"reuses": "2..1"}, {"seed": -1}),
        *({"max_latency": bad} for bad in (math.nan, math.inf, -1.0)),
    ],
)
def test_wrong_arguments_are_refused(data, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong)) if "reuses" not in wrong else "range"):
        find(data, **wrong)


@pytest.mark.long
def test_the_command_prints_and_writes(capsys, tmp_path, monkeypatch):
    jets = ROOT / "examples" / "jet_tagging"
    monkeypatch.chdir(tmp_path)
    x, y = np.load(jets / "jets_test.npy"), np.load(jets / "jets_test_labels.npy")
    np.save("x.npy", x[:200])
    np.save("y.npy", y[:200])
    words = ["search", str(jets / "jet_tagger_pruned.keras"), "--input", "x.npy", "--labels", "y.npy", "--jobs", "1"]
    words += ["--trials", "0", "--widest", "5", "-o", "best.yml"]
    assert main(words) == 0
    out = capsys.readouterr().out
    for word in ("Pareto front", "never seen", "cost = LUT + 100 DSP", "fc1.weight", "wrote best.yml"):
        assert word in out
    assert main(words) == 2
    assert main([*words, "--force", "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert main(["estimate", "best.yml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lut"] == document["chosen"]["lut"]


@pytest.mark.long
def test_the_pruned_tagger_at_half_the_cost_of_16_bits():
    """At most half a point below float, on jets the search never saw, at no more than half the cost of <16,6>."""
    jets = ROOT / "examples" / "jet_tagging"
    x, y = np.load(jets / "jets_test.npy"), np.load(jets / "jets_test_labels.npy")
    result = search(jets / "jet_tagger_pruned.keras", x=x, y=y, trials=60)
    assert result.uniform["cost"] == _cost(jets, FixedType(16, 6))
    assert result.chosen.cost <= 0.5 * result.uniform["cost"]
    assert result.held.accuracy >= result.held.accuracy_float - 0.005


def _cost(jets, kind):
    size = nn2hls.convert(jets / "jet_tagger_pruned.keras", {"Model": {"Precision": str(kind)}}).estimate()
    return size.lut + 100 * size.dsp


@pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")
@pytest.mark.long
def test_with_our_own_verilog_each_layer_has_a_strategy(data):
    graph, x, y = data
    config = {"Backend": "Verilog", "HLSConfig": {"Model": {"Strategy": "Latency"}}}
    result = search(graph, config, x=x, y=y, trials=8, widest=9, max_loss=0.05, jobs=1)
    names = {v.name for v in result.space.variables}
    assert {"fc0.strategy", "fc1.strategy"} <= names
    chosen = {k: v for k, v in result.chosen.params.items() if k.endswith(".strategy")}
    design = nn2hls.convert(graph, result.config)
    assert {f"{n.name}.strategy": n.op.strategy.value for n in design.graph if "strategy" in n.op.uses} == chosen
    assert not any(v.name.endswith(".strategy") for v in find(data, trials=0).space.variables)
