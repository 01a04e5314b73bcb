"""Comparisons, judged by counting pairs and events one by one."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn2hls.compare import Comparison, auc, class_numbers, compare_layers, compare_output, sqnr
from nn2hls.emulate import Overflow
from nn2hls.errors import DataError
from nn2hls.fixed import FixedType

SCORES = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30)


@given(SCORES)
def test_auc_is_the_share_of_pairs_in_order(events):
    positives = [s for s, p in events if p]
    negatives = [s for s, p in events if not p]
    found = auc(np.array([s for s, _ in events], float), np.array([p for _, p in events]))
    if not positives or not negatives:
        assert found is None
        return
    won = sum(Fraction(1 if a > b else 0 if a < b else Fraction(1, 2)) for a in positives for b in negatives)
    assert found == pytest.approx(float(won / (len(positives) * len(negatives))), abs=1e-12)


def test_sqnr_is_twenty_db_a_decade():
    x = np.array([[3.0, -4.0]])
    assert sqnr(x, x * 1.1) == pytest.approx(20)
    assert sqnr(x, x * 1.01) == pytest.approx(40)
    assert sqnr(x, x) is None
    assert sqnr(x * 0, x) == -np.inf


@given(st.integers(2, 5), st.integers(1, 20), st.integers(0, 1000))
def test_accuracy_agreement_and_recall_by_counting(classes, events, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, events, classes))
    y = rng.integers(0, classes, events)
    one_hot = np.eye(classes)[y]
    result = compare_output("out", a, b, y)
    assert result == compare_output("out", a, b, one_hot) == compare_output("out", a, b, y[:, None].astype(float))
    best_a = [max(range(classes), key=lambda k: row[k]) for row in a]
    best_b = [max(range(classes), key=lambda k: row[k]) for row in b]
    assert result.agreement == pytest.approx(sum(i == j for i, j in zip(best_a, best_b, strict=True)) / events)
    assert result.accuracy_float == pytest.approx(sum(i == t for i, t in zip(best_a, y, strict=True)) / events)
    assert result.accuracy_fixed == pytest.approx(sum(i == t for i, t in zip(best_b, y, strict=True)) / events)
    assert [c.events for c in result.classes] == [int((y == k).sum()) for k in range(classes)]
    for c in result.classes:
        of_class = [i == c.label for i, t in zip(best_b, y, strict=True) if t == c.label]
        assert c.recall_fixed == (pytest.approx(sum(of_class) / len(of_class)) if of_class else None)
        assert c.auc_fixed == auc(b[:, c.label], y == c.label)
    assert result.max_error == max(abs(p - q) for p, q in zip(a.ravel(), b.ravel(), strict=True))


def test_a_single_value_answers_yes_above_one_half():
    a = np.array([[0.9], [0.2], [0.6], [0.4]])
    result = compare_output("", a, np.array([[0.4], [0.2], [0.6], [0.4]]), np.array([1, 0, 0, 1]))
    assert (result.agreement, result.accuracy_float, result.accuracy_fixed) == (0.75, 0.5, 0.25)
    assert [c.label for c in result.classes] == [1]
    assert compare_output("", a, a, np.array([[0, 1], [1, 0], [1, 0], [0, 1]])).accuracy_float == 0.5


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(3), "3 labels for 4 events"),
        (np.array([0, 1, 2, 5]), "from 0 to 2"),
        (np.array([0, 1, 0.5, 1]), "from 0 to 2"),
        (np.array([0, 1, np.nan, 1]), "from 0 to 2"),
        (np.ones((4, 3)), "neither class numbers nor one-hot"),
        (np.ones((4, 2)), "neither class numbers nor one-hot"),
    ],
)
def test_wrong_labels_are_refused(labels, words):
    with pytest.raises(DataError, match=words):
        class_numbers(labels, 4, 3)


def test_layers_carry_their_overflows():
    reference = {"fc1": np.array([[1.0, 2.0]]), "fc2": np.array([[4.0]])}
    fixed = {"fc1": np.array([[1.0, 2.0]]), "fc2": np.array([[3.5]]), "extra": np.array([[0.0]])}
    lost = [Overflow("fc2", FixedType(8, 2), 3, 7, 1), Overflow("fc1.accum", FixedType(8, 2), 2, 9, 4)]
    layers = {c.name: c for c in compare_layers(reference, fixed, lost)}
    assert (layers["fc1"].sqnr, layers["fc1"].max_error, layers["fc1"].overflows) == (None, 0.0, 0)
    assert layers["fc2"].sqnr == pytest.approx(20 * np.log10(8))
    assert (layers["fc2"].overflows, layers["fc2"].values, layers["fc2"].missing_bits) == (3, 7, 1)
    assert layers["fc1.accum"].overflows == 2
    assert layers["extra"].max_error is None


def test_text_and_json_say_the_same_numbers():
    x = np.array([[0.5, 0.25], [0.0, 1.0]])
    comparison = Comparison((compare_output("out", x, x, np.array([0, 1])),), compare_layers({"a": x}, {"a": x * 0}))
    document = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert document["outputs"][0]["accuracy_fixed"] == 1.0
    assert document["layers"][0]["sqnr"] == pytest.approx(0.0)
    assert "exact" in comparison.text()
    assert "100.00%" in comparison.text()
