"""By what answers are judged: what an output is, scores counted one by one, and the losses that a search compares."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.arith.functions import Function
from nn2hls.compare.judge import METRICS, Judge
from nn2hls.compare.scores import Power, are_classes, label_values, sqnr
from nn2hls.errors import ConfigError, DataError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Elementwise, HardSigmoid, Input, Merge, Relu, Reshape, Softmax, Table


def network(inputs, values, *ops):
    """Inputs, a Dense of so many values, and ops behind it."""
    builder = Builder()
    name = builder.add("x", Input((inputs,)))
    name = builder.add("dense", Dense(Const(np.ones((inputs, values))), Const(np.zeros(values))), [name])
    for k, op in enumerate(ops):
        name = builder.add(f"op{k}", op, [name])
    return builder.build([name])


SIGMOID = Table(Function.SIGMOID)


@pytest.mark.parametrize(
    ("graph", "classes", "words"),
    [
        (network(4, 3, Softmax(0)), True, "a softmax"),
        (network(3, 3, Softmax(0)), True, "a softmax"),
        (network(4, 6, Softmax(0), Reshape((6, 1))), True, "a softmax"),
        (network(4, 1, SIGMOID), True, "a sigmoid"),
        (network(1, 1, SIGMOID), True, "a sigmoid"),
        (network(4, 3, HardSigmoid(0.2, 0.5)), True, "a sigmoid"),
        (network(4, 4, SIGMOID), False, "like an autoencoder"),
        (network(4, 3), False, "Dense, neither softmax nor sigmoid"),
        (network(4, 1), False, "Dense, neither softmax nor sigmoid"),
        (network(4, 3, Relu()), False, "Relu, neither"),
        (network(4, 3, Table(Function.TANH)), False, "Table, neither"),
    ],
)
def test_the_op_of_the_output_says_what_it_is(graph, classes, words):
    judge = Judge.of(graph, graph.outputs[0], (10, math.prod(graph[graph.outputs[0]].shape)))
    assert judge.classes is classes
    assert words in judge.text()
    assert judge.metric.name == ("agreement" if classes else "sqnr")


@pytest.mark.parametrize(
    ("values", "labels", "classes"),
    [
        (3, np.array([0, 1, 2, 1]), True),
        (3, np.array([0.0, 1.0, 2.0, 1.0])[:, None], True),
        (3, np.eye(3)[[0, 1, 2, 1]], True),
        (3, np.array([0, 1, 2, 1], dtype=object), True),
        (3, np.array([True, False, True, True]), True),
        (3, np.arange(12.0).reshape(4, 3), False),
        (1, np.array([0, 1, 1, 0]), True),
        (1, np.eye(2)[[0, 1, 1, 0]], True),
        (1, np.array([0.0, 0.5, 1.0, 0.0]), False),
        (1, np.array([0, 1, 2, 3]), False),
    ],
)
def test_labels_say_what_the_output_is(values, labels, classes):
    assert are_classes(labels, 4, values) is classes
    graph = network(5, values)
    judge = Judge.of(graph, "dense", (4, values), labels)
    assert (judge.classes, judge.metric.name) == (classes, "accuracy" if classes else "mse")
    assert judge.why == f"the labels are {'classes' if classes else 'values'}"
    assert judge.truth.shape == ((4,) if classes else (4, values))


def test_metric_and_threshold_come_before_op_and_labels():
    graph = network(5, 1)
    assert Judge.of(graph, "dense", (4, 1), metric="agreement").classes
    assert Judge.of(graph, "dense", (4, 1), threshold=0.0).classes
    assert not Judge.of(graph, "dense", (4, 1), np.array([0, 1, 1, 0]), "mae").classes
    soft = network(5, 3, Softmax(0))
    judge = Judge.of(soft, "op0", (4, 3), np.array([0, 1, 2, 0]), "MSE")
    assert (judge.classes, judge.metric.name) == (False, "mse")
    assert np.array_equal(judge.truth, np.eye(3)[[0, 1, 2, 0]])
    with pytest.raises(DataError, match="neither class numbers nor one-hot"):
        Judge.of(soft, "op0", (4, 3), np.full((4, 3), 0.3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"metric": 3}, "no metric '3'"),
        ({"metric": "auc"}, "AUC needs labels"),
        ({"threshold": 0.5, "shape": (4, 3)}, "decides nothing"),
        ({"threshold": math.nan}, "is no number"),
        ({"threshold": 0.5, "metric": "mse"}, "decides nothing"),
        ({"labels": np.array(["cat", "dog", "cat", "cat"])}, "numpy.unique"),
        ({"labels": np.array([1, "dog", None, 2], dtype=object)}, "not numbers"),
        ({"labels": np.array([10**400, 1, 2, 3], dtype=object)}, "beyond float64"),
        ({"labels": np.array([1.5, math.inf, 2, 3])}, "NaN or Inf"),
        ({"labels": np.array(3)}, "0 labels for 4 events"),
        ({"labels": np.ones((4, 7))}, "nor 1 values an event"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, words):
    shape = arguments.pop("shape", (4, 1))
    with pytest.raises((ConfigError, DataError), match=words):
        Judge.of(network(5, shape[1]), "dense", shape, **arguments)


CASES = st.tuples(st.integers(1, 4), st.integers(2, 25), st.integers(0, 10_000), st.booleans())


def drawn(case):
    values, events, seed, labelled = case
    rng = np.random.default_rng(seed)
    reference, fixed, y = rng.normal(size=(3, events, values))
    return reference, fixed, y if labelled else None


@given(CASES)
def test_scores_of_values_by_counting(case):
    reference, fixed, y = drawn(case)
    events, values = reference.shape
    target = reference if y is None else y
    errors = [[Fraction(float(fixed[e, k])) - Fraction(float(target[e, k])) for k in range(values)] for e in range(events)]
    squares, sizes = (sum(f(v) for row in errors for v in row) / (events * values) for f in (lambda v: v * v, abs))
    for name, wanted in (("mse", squares), ("mae", sizes)):
        judge = Judge.of(None, "", reference.shape, y, name)
        assert judge.score(reference, fixed) == pytest.approx(float(wanted))
        exact = judge.score(reference, reference)
        loss, deviation = judge.loss(reference, fixed)
        assert loss == pytest.approx(float(wanted) - exact)
        each = [sum((v * v if name == "mse" else abs(v)) for v in row) / values for row in errors]
        base = [np.mean((r - t) ** 2 if name == "mse" else abs(r - t)) for r, t in zip(reference, target, strict=True)]
        lost = [float(a) - b for a, b in zip(each, base, strict=True)]
        assert deviation == pytest.approx(np.std(lost) / events**0.5)


@given(CASES)
def test_the_loss_of_sqnr_is_noise_by_signal(case):
    reference, fixed, _ = drawn(case)
    judge = Judge.of(None, "", reference.shape, metric="sqnr")
    score = judge.score(reference, fixed)
    assert judge.loss(reference, fixed)[0] == pytest.approx(10 ** (-score / 10))
    assert judge.score(reference, reference) == math.inf
    assert judge.loss(reference, reference) == (0, 0)
    assert judge.allowed(reference, 0.5, None) == pytest.approx(1e-4)
    assert judge.allowed(reference, 0.5, 55.0) == pytest.approx(10**-5.5)


@given(CASES, st.floats(-1, 1))
def test_shares_of_classes_by_counting(case, threshold):
    reference, fixed, _ = drawn(case)
    events, values = reference.shape
    rng = np.random.default_rng(case[2])
    y = rng.integers(0, max(values, 2), events)
    judge = Judge.of(None, "", reference.shape, y, threshold=threshold if values == 1 else None)

    def answer(row):
        return int(row[0] > threshold) if values == 1 else max(range(values), key=lambda k: row[k])

    right = [(answer(a) == t, answer(b) == t) for a, b, t in zip(reference, fixed, y, strict=True)]
    assert judge.score(reference, fixed) == pytest.approx(sum(b for _, b in right) / events)
    assert judge.loss(reference, fixed)[0] == pytest.approx(sum(int(a) - int(b) for a, b in right) / events)
    same = Judge.of(None, "", reference.shape, y, "agreement", threshold if values == 1 else None)
    alike = [answer(a) == answer(b) for a, b in zip(reference, fixed, strict=True)]
    assert same.score(reference, fixed) == pytest.approx(sum(alike) / events)
    assert same.score(reference, reference) == 1


def test_a_metric_of_ones_own_gets_labels_and_answers():
    reference, fixed, y = drawn((2, 40, 1, True))
    seen = []

    def worst(labels, answers):
        seen.append((labels, answers))
        return -np.abs(labels - answers).max()

    judge = Judge.of(None, "", reference.shape, y, worst)
    assert judge.metric.name == "worst"
    assert judge.score(reference, fixed) == -np.abs(y - fixed).max()
    assert np.array_equal(seen[-1][0], y)
    assert Judge.of(None, "", reference.shape, None, worst).score(reference, fixed) == -np.abs(reference - fixed).max()
    loss, deviation = judge.loss(reference, fixed)
    assert loss == pytest.approx(np.abs(y - fixed).max() - np.abs(y - reference).max())
    assert deviation >= 0
    assert judge.allowed(reference, 0.25, None) == 0.25
    with pytest.raises(DataError, match="NaN"):
        Judge.of(None, "", reference.shape, y, lambda a, b: math.nan).score(reference, fixed)
    with pytest.raises(DataError, match="not a number"):
        Judge.of(None, "", reference.shape, y, lambda a, b: "good").score(reference, fixed)


def test_a_deviation_of_a_whole_metric_is_that_of_its_mean():
    """Of a metric that is a mean, leaving out groups gives the deviation of the mean, but for the choice of groups."""
    rng = np.random.default_rng(3)
    reference = rng.normal(size=(4000, 1))
    fixed = reference + rng.normal(size=reference.shape)
    plain = Judge.of(None, "", reference.shape, reference * 0, "mae")
    whole = Judge.of(None, "", reference.shape, reference * 0, lambda y, a: -np.abs(y - a).mean())
    assert whole.loss(reference, fixed)[0] == pytest.approx(plain.loss(reference, fixed)[0])
    assert 0.4 < whole.loss(reference, fixed)[1] / plain.loss(reference, fixed)[1] < 2.5


def test_a_target_that_float_itself_misses_is_refused():
    reference, _, y = drawn((2, 40, 1, True))
    for metric, target in (("mse", 1e-6), ("mae", 1e-6)):
        judge = Judge.of(None, "", reference.shape, y, metric)
        with pytest.raises(ConfigError, match="does not reach"):
            judge.allowed(reference, 0.01, target)
        exact = judge.score(reference, reference)
        assert judge.allowed(reference, 0.01, None) == pytest.approx(0.01 * exact)
        assert judge.allowed(reference, 0.01, 1.5 * exact) == pytest.approx(0.5 * exact)
        with pytest.raises(ConfigError, match="Give a target"):
            Judge.of(None, "", reference.shape, None, metric).allowed(reference, 0.01, None)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8), st.integers(-900, 1000), st.integers(1, 3))
def test_powers_neither_overflow_nor_vanish(values, exponent, parts):
    array = np.array(values)
    large = np.ldexp(array, exponent)
    assert sqnr(large, large * 1.5) == pytest.approx(sqnr(array, array * 1.5), rel=1e-9)
    whole = Power(*np.array_split(large, parts))
    assert whole.over(Power(array)) == pytest.approx(20 * math.log10(2) * exponent, abs=1e-6)
    assert Power(array).over(Power()) is None
    assert Power().over(Power(array)) == -math.inf


def test_powers_of_plain_values_are_plain_sums():
    array = np.random.default_rng(0).normal(size=1000)
    found = Power(array)
    assert math.ldexp(found.value, 2 * found.exponent) == np.sum(np.square(array))


def test_metrics_show_their_values():
    assert METRICS["accuracy"].show(0.5) == "50.00%"
    assert METRICS["sqnr"].show(math.inf) == "exact"
    assert METRICS["sqnr"].show(41.26) == "41.3 dB"
    assert METRICS["mse"].show(None) is None
    assert METRICS["mse"].merit(2.0) < METRICS["mse"].merit(1.0)
    assert METRICS["sqnr"].merit(None) > METRICS["sqnr"].merit(200.0)
    assert label_values(np.array([1, 0]), 2, 2).tolist() == [[0, 1], [1, 0]]


def test_an_output_behind_a_sum_is_values():
    builder = Builder()
    x = builder.add("x", Input((3,)))
    soft = builder.add("soft", Softmax(0), [x])
    graph = builder.build([builder.add("sum", Elementwise(Merge.ADD), [soft, x])])
    assert not Judge.of(graph, "sum", (4, 3)).classes
