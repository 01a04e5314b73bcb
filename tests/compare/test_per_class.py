"""How every class fares, before and after pruning and quantisation: shares, intervals, and the class that loses most."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from nn2hls.compare.result import compare_output
from nn2hls.compare.scores import NORMAL_95, loses_most, recalls, wilson
from nn2hls.design.design import convert
from nn2hls.errors import DataError
from nn2hls.graph.const import Const
from nn2hls.scan.run import scan
from nn2hls.text import percent
from tests.kit.networks import mlp


@pytest.mark.parametrize(("right", "events"), [(0, 10), (10, 10), (3, 7), (50, 100), (999, 1000)])
def test_the_interval_holds_the_shares_that_the_normal_test_does_not_reject(right, events):
    """Wilson's ends are the p with |share - p| = q sqrt(p (1 - p) / n), the two roots of a quadratic equation."""
    for end in wilson(right, events):
        exact = Fraction(end).limit_denominator(10**15)
        left = (Fraction(right, events) - exact) ** 2
        right_side = Fraction(NORMAL_95) ** 2 * exact * (1 - exact) / events
        assert math.isclose(left, right_side, rel_tol=1e-9, abs_tol=1e-12)
    low, high = wilson(right, events)
    assert 0 <= low <= right / events <= high <= 1


def test_without_events_any_share_is_possible():
    assert wilson(0, 0) == (0, 1)


def test_who_loses_most():
    assert loses_most([0.5, 0.9, None], [0.4, 0.7, 0.1]) == 1
    assert loses_most([0.5, 0.5], [0.5, 0.6]) is None
    assert loses_most([], []) is None


def drawn(seed=0, events=300, classes=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, events)
    values = np.eye(classes)[truth] + rng.normal(size=(3, events, classes)) * np.array([0.5, 0.6, 0.9])[:, None, None]
    return truth, values


def test_a_comparison_counts_each_class():
    truth, (before, floats, fixed) = drawn()
    result = compare_output("y", floats, fixed, truth, before=before)
    for c in result.classes:
        mine = truth == c.label
        rights = [int((v.argmax(1)[mine] == c.label).sum()) for v in (before, floats, fixed)]
        assert [c.recall_before, c.recall_float, c.recall_fixed] == [r / mine.sum() for r in rights]
        assert [c.between_before, c.between_float, c.between_fixed] == [wilson(r, int(mine.sum())) for r in rights]
    falls = [c.recall_before - c.recall_fixed for c in result.classes]
    assert result.loses_most == int(np.argmax(falls))
    assert result.accuracy_before == np.mean(before.argmax(1) == truth)


def pruned(graph, share):
    """The same network with the smallest weights zero."""

    def smaller(node):
        weight = getattr(node.op, "weight", None)
        if weight is None:
            return node
        array = weight.array * (np.abs(weight.array) > np.quantile(np.abs(weight.array), share))
        return dataclasses.replace(node, op=node.op.replace(weight=Const(array)))

    return graph.map(smaller)


@pytest.fixture(scope="module")
def networks():
    whole = mlp(np.random.default_rng(1), (6, 12, 3))
    x = np.random.default_rng(2).normal(size=(400, 6))
    labels = convert(whole, {}).predict_float(x).argmax(axis=1)
    return whole, pruned(whole, 0.85), x, labels


def test_a_design_is_compared_with_the_network_before_pruning(networks):
    whole, small, x, labels = networks
    result = convert(small, {}, calibration=x).compare(x, labels, before=whole, metric="accuracy")
    (output,) = result.outputs
    assert output.accuracy_before == 1
    assert all(c.recall_before == 1 for c in output.classes)
    worst = min(output.classes, key=lambda c: c.recall_fixed)
    assert f"Class {worst.label} loses most: {percent(1.0)} before pruning" in result.text()
    assert "do not overlap" in result.text()


def test_another_network_before_is_refused(networks):
    _, small, x, labels = networks
    other = mlp(np.random.default_rng(1), (6, 12, 4))
    with pytest.raises(DataError, match="before pruning"):
        convert(small, {}).compare(x, labels, before=other, metric="accuracy")
    with pytest.raises(DataError, match="takes"):
        convert(small, {}).compare(x, labels, before=mlp(np.random.default_rng(1), (5, 3)), metric="accuracy")


def test_a_scan_names_the_class_that_loses_most(networks):
    whole, small, x, labels = networks
    found = scan({"whole": whole, "small": small}, {}, x=x, y=labels, precisions=["ap_fixed<6,4>"], metric="accuracy", jobs=1)
    for point, network in zip(found.points, (whole, small), strict=True):
        design = convert(network, {"Model": {"Precision": "ap_fixed<6,4>"}})
        before, after = (recalls(v.argmax(axis=1), labels, 3) for v in (design.predict_float(x), design.predict(x)))
        most = loses_most(before, after)
        assert point.loses_most == most
        assert (point.recall_float, point.recall) == (before[most], after[most])
        events = int((labels == most).sum())
        assert (point.recall_low, point.recall_high) == wilson(round(after[most] * events), events)
    k = loses_most(found.recalls_float["whole"], found.recalls_float["small"])
    assert f"small, float: class {k} loses most against whole" in found.text()
