"""Comparisons, judged by counting pairs and events one by one."""

import dataclasses
import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nn2hls import text
from nn2hls.arith.fixed import FixedType
from nn2hls.arith.functions import Function
from nn2hls.compare.result import compare_output
from nn2hls.compare.scores import auc, class_numbers, roc, sqnr
from nn2hls.design.design import convert
from nn2hls.errors import DataError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Constant, Dense, Elementwise, Input, Merge, Scale, Softmax, Table
from tests.kit import recurrent
from tests.kit.networks import hls_config, mlp

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


@given(SCORES)
def test_the_area_below_the_roc_curve_is_the_auc(events):
    scores, positive = np.array([s for s, _ in events], float), np.array([p for _, p in events])
    if positive.all() or not positive.any():
        return
    false, true = roc(scores, positive)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    for t in set(scores):
        point = [np.mean(scores[chosen] >= t) for chosen in (~positive, positive)]
        assert min(abs(false - point[0]) + abs(true - point[1])) < 1e-12
    area = sum((false[1:] - false[:-1]) * (true[1:] + true[:-1]) / 2)
    assert area == pytest.approx(auc(scores, positive), abs=1e-12)


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


WIDE = "ap_fixed<48,16,AP_RND>"  # so precise that what is set for one layer stands out
SEEDS = st.integers(0, 2**32 - 1)
LAYERS = st.sampled_from(["fc0", "fc1", "fc2"])
TARGET = 60  # dB, the default


def case(seed, **layers):
    """A small network that is precise but for what is named, 500 events, and the values of its layers in float."""
    rng = np.random.default_rng(seed)
    graph, x = mlp(rng, (5, 8, 6, 3), relu=False, scale=2.0), rng.normal(size=(500, 5))
    design = convert(graph, hls_config({"Precision": WIDE}, **{k: {"Precision": v} for k, v in layers.items()}))
    return design, x, design.trace_float(x)


def noise_db(reference, value):
    return 10 * np.log10(np.sum(reference**2) / max(np.sum((value - reference) ** 2), 1e-300))


def mended(result):
    """The types that a comparison asks for, by layer."""
    found = {}
    for layer in result.layers:
        for need in layer.needs:
            found.setdefault(layer.name.split(".")[0], {})[need.word] = need.type
    return found


@given(SEEDS, LAYERS, st.integers(1, 4), st.sampled_from(["AP_WRAP", "AP_SAT"]))
@settings(deadline=None, max_examples=20, derandomize=True)
def test_missing_integer_bits_are_blamed_by_name_and_number(seed, name, missing, mode):
    values = np.floor(case(seed)[2][name] * 2**32)
    enough = next(i for i in range(-20, 20) if -(2.0 ** (i + 31)) <= values.min() and values.max() < 2.0 ** (i + 31))
    narrow = f"ap_fixed<{enough - missing + 32},{enough - missing},AP_TRN,{mode}>"
    design, x, _ = case(seed, **{name: {"result": narrow}})
    result = design.compare(x)
    guilty = result.layer(name)
    limit = 2.0 ** (enough - missing + 31)
    assert guilty.overflows == np.count_nonzero((values < -limit) | (values >= limit))
    assert (guilty.values, guilty.saturates, guilty.missing_bits) == (values.size, mode == "AP_SAT", missing)
    (need,) = guilty.needs
    assert (need.word, need.integer, need.fraction, need.type) == (
        "result",
        missing,
        0,
        f"ap_fixed<{enough + 32},{enough}{',AP_TRN,AP_SAT' if mode == 'AP_SAT' else ''}>",
    )
    assert [x.name for x in result.layers if x.needs] == [name]
    if guilty.sqnr < TARGET - 10:
        assert result.blame == name
    again, x, _ = case(seed, **mended(result))
    after = again.compare(x)
    assert (after.blame, mended(after), sum(x.overflows for x in after.layers)) == (None, {}, 0)


@given(SEEDS, LAYERS, st.integers(0, 6), st.sampled_from(["AP_TRN", "AP_RND"]))
@settings(deadline=None, max_examples=20, derandomize=True)
def test_missing_fraction_bits_of_a_result_are_blamed_by_name_and_number(seed, name, fraction, mode):
    exact = case(seed)[2][name]
    half = 0.5 if mode == "AP_RND" else 0.0

    def reaches(bits):
        return noise_db(exact, np.floor(exact * 2.0**bits + half) / 2.0**bits) >= TARGET

    enough = next(bits for bits in range(fraction, 40) if reaches(bits))
    design, x, _ = case(seed, **{name: {"result": f"ap_fixed<{20 + fraction},20,{mode}>"}})
    result = design.compare(x)
    found = [(x.name, n.word, n.integer, n.fraction) for x in result.layers for n in x.needs]
    assert found == ([(name, "result", 0, enough - fraction)] if enough > fraction else [])
    assert result.layer(name).own_sqnr == pytest.approx(
        noise_db(exact, np.floor(exact * 2.0**fraction + half) / 2.0**fraction), abs=0.5
    )
    if result.layer(name).sqnr < TARGET - 7:
        assert result.blame == name
    after = (again := case(seed, **mended(result)))[0].compare(again[1])
    assert (after.blame, mended(after)) == (None, {})


@given(SEEDS, LAYERS, st.integers(-1, 5), st.integers(0, 2))
@example(1343, "fc0", -1, 0)  # all of them become zero, and the layer a constant
@example(3207763536, "fc1", -1, 0)  # fc2 amplifies what is left of the noise
@settings(deadline=None, max_examples=20, derandomize=True)
def test_weights_that_miss_bits_are_blamed_by_name_and_number(seed, name, fraction, saturated):
    design, x, floats = case(seed)
    weight = design.float_graph[name].op.weight.array
    before = floats[{"fc0": "x", "fc1": "fc0", "fc2": "fc1"}[name]]
    bias = design.float_graph[name].op.bias.array

    def reaches(bits):
        return noise_db(before @ weight + bias, before @ (np.rint(weight * 2.0**bits) / 2.0**bits) + bias) >= TARGET

    enough = next(bits for bits in range(fraction, 40) if reaches(bits))
    final = np.rint(weight * 2.0**enough) / 2.0**enough
    top = next(i for i in range(-20, 20) if -(2.0 ** (i - 1)) <= final.min() and final.max() < 2.0 ** (i - 1))
    integer = max(top - saturated, 1 - fraction)
    kind = f"ap_fixed<{integer + fraction},{integer}>"
    result = case(seed, **{name: {"weight": kind}})[0].compare(x)
    assert [(x.name, n.word, n.integer, n.fraction) for x in result.layers for n in x.needs] == [
        (name, "weight", max(top - integer, 0), enough - fraction)
    ]
    after = case(seed, **mended(result))[0].compare(x)
    assert (after.blame, mended(after)) == (None, {})


def test_a_narrow_accumulator_has_a_row_and_is_mended():
    design, x, _ = case(3, fc1={"accum": "ap_fixed<10,3>"})
    result = design.compare(x)
    inside = result.layer("fc1.accum")
    assert inside.overflows > 0
    assert inside.low is None
    assert result.blame == "fc1"
    assert {n.word for n in inside.needs} == {"accum"}
    assert {n.word for n in result.layer("fc1").needs} == {"accum"}
    integer, fraction = inside.needs[0].integer, result.layer("fc1").needs[0].fraction
    again = case(3, fc1={"accum": f"ap_fixed<{10 + integer + fraction},{3 + integer}>"})[0].compare(x)
    assert (again.blame, mended(again)) == (None, {})


def test_layers_are_compared_over_all_events_and_only_where_anybody_reads():
    rng = np.random.default_rng(5)
    builder = Builder()
    weight, after = rng.normal(size=(4, 6)), rng.normal(size=(6, 2))
    after[2:4] = 0  # two neurons that nobody reads
    hidden = builder.add("h", Dense(Const(weight), Const(np.zeros(6))), [builder.add("x", Input((4,)))])
    graph = builder.build([builder.add("y", Dense(Const(after), Const(np.zeros(2))), [hidden])])
    design, x = convert(graph), rng.normal(size=(9000, 4))
    result = design.compare(x)
    fixed, floats = design.trace(x), design.trace_float(x)
    read = [0, 1, 4, 5]
    assert result.layer("h").sqnr == pytest.approx(sqnr(floats["h"][:, read], fixed["h"][:, read]), rel=1e-9)
    assert result.layer("y").sqnr == pytest.approx(sqnr(floats["y"], fixed["y"]), rel=1e-9)
    assert (result.layer("h").low, result.layer("h").high) == (floats["h"][:, read].min(), floats["h"][:, read].max())
    assert result.layer("y").drop == pytest.approx(max(0, min(TARGET, result.layer("h").sqnr) - result.layer("y").sqnr))
    assert result.outputs[0].events == 9000
    assert result.outputs[0].max_error == np.abs(fixed["y"] - floats["y"]).max()


def test_a_constant_of_the_graph_is_judged_as_well():
    rng = np.random.default_rng(2)
    value = rng.uniform(2, 5, size=3)
    builder = Builder()
    x = builder.add("x", Input((3,)))
    offset = builder.add("offset", Constant(Const(value)))
    graph = builder.build([builder.add("sum", Elementwise(Merge.ADD), [x, offset])])
    enough = next(f for f in range(40) if noise_db(value, np.rint(value * 2.0**f) / 2.0**f) >= TARGET)
    data = rng.normal(size=(50, 3))
    for kind, bits in (("ap_fixed<6,4>", (0, enough - 2)), (f"ap_fixed<{enough + 2},2>", (2, 0))):
        config = hls_config({"Precision": WIDE}, offset={"Precision": {"result": kind}})
        (layer,) = (x for x in convert(graph, config).compare(data).layers if x.needs)
        assert (layer.name, [(n.integer, n.fraction) for n in layer.needs]) == ("offset", [bits])


def test_text_and_json_say_the_same_numbers():
    design, x, floats = case(1, fc1={"result": "ap_fixed<12,2,AP_RND,AP_SAT>"})
    comparison = design.compare(x, floats["fc2"].argmax(axis=1))
    document = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert document["outputs"][0]["accuracy_float"] == 1.0
    assert document["blame"] == "fc1"
    layer = next(x for x in document["layers"] if x["name"] == "fc1")
    words = comparison.text()
    assert f"{layer['overflows']:,} of 3,000 saturate" in words
    assert f"Most is lost in fc1: {layer['drop']:.1f} dB." in words
    assert layer["needs"][0]["type"] in words
    assert (layer["type_low"], layer["type_high"]) == (-2, 2 - 2**-10)
    assert "100.00%" in words


def test_a_layer_whose_weights_all_become_zero_is_blamed_with_the_bits():
    design, x, _ = case(1, fc0={"weight": "ap_fixed<4,8>"})
    assert isinstance(design.graph["fc0"].op, Constant)
    result = design.compare(x)
    assert result.blame == "fc0"
    assert [(x.name, n.word, n.integer) for x in result.layers for n in x.needs] == [("fc0", "weight", 0)]
    fixed, floats = design.trace(x), design.trace_float(x)
    assert result.layer("fc0").own_sqnr == pytest.approx(sqnr(floats["fc0"], fixed["fc0"]))
    after = case(1, **mended(result))[0].compare(x)
    assert (after.blame, mended(after)) == (None, {})


def test_a_layer_that_only_amplifies_noise_is_not_to_blame():
    builder = Builder()
    x = builder.add("x", Input((2,)))
    first = builder.add("first", Dense(Const(np.array([[1.0, 1.0], [0.0, 0.01]])), Const(np.zeros(2))), [x])
    graph = builder.build([builder.add("apart", Dense(Const(np.array([[1.1], [-1.1]])), Const(np.zeros(1))), [first])])
    config = hls_config({"Precision": WIDE}, first={"Precision": {"result": "ap_fixed<20,6,AP_RND>"}})
    result = convert(graph, config).compare(np.random.default_rng(0).normal(size=(400, 2)))
    assert result.layer("apart").drop > 7
    assert result.layer("apart").own_sqnr > 100
    assert result.blame is None
    assert "apart loses" in result.text()


def test_a_regression_is_never_the_same_answer():
    design, x, floats = case(4, fc1={"result": "ap_fixed<3,3,AP_TRN,AP_SAT>"})
    (output,) = design.compare(x).outputs
    assert output.sqnr < 15
    assert (output.judged, output.agreement, output.accuracy_float) == ("values", None, None)
    fixed = design.run(x)[0][0]
    assert output.mse == pytest.approx(np.mean((fixed - floats["fc2"]) ** 2))
    assert (output.metric, output.score_fixed, output.score_float) == ("sqnr", output.sqnr, math.inf)
    words = design.compare(x).text()
    assert "same answer" not in words
    assert "judged as values: the output is Dense, neither softmax nor sigmoid, and there are no labels" in words
    assert design.compare(x, metric="agreement").outputs[0].agreement < 1
    labelled = design.compare(x, floats["fc2"] + 0.5).outputs[0]
    assert (labelled.mse_float, labelled.mae_float) == pytest.approx((0.25, 0.5))
    assert labelled.mse == pytest.approx(np.mean((fixed - floats["fc2"] - 0.5) ** 2))


def two_outputs():
    rng = np.random.default_rng(6)
    builder = Builder()
    x = builder.add("x", Input((4,)))
    dense = [builder.add(f"d{n}", Dense(Const(rng.normal(size=(4, n))), Const(np.zeros(n))), [x]) for n in (3, 1)]
    return convert(builder.build([builder.add("kind", Softmax(0), [dense[0]]), dense[1]])), rng.normal(size=(60, 4))


def test_each_output_has_its_own_labels_and_its_own_judge():
    design, x = two_outputs()
    kinds, values = np.arange(60) % 3, x[:, 0]
    for labels in ([kinds, values], {"kind": kinds, "d1": values}):
        first, second = design.compare(x, labels).outputs
        assert (first.judged, second.judged) == ("classes", "values")
        assert first.accuracy_float == np.mean(design.predict_float(x)[0].argmax(axis=1) == kinds)
        assert second.mse_float == pytest.approx(np.mean((design.predict_float(x)[1][:, 0] - values) ** 2))
    first, second = design.compare(x, {"d1": values}).outputs
    assert (first.accuracy_float, second.mse_float is None) == (None, False)
    with pytest.raises(DataError, match="Did you mean 'kind'"):
        design.compare(x, {"kinds": kinds})
    with pytest.raises(DataError, match="for 3 outputs, the network has 2"):
        design.compare(x, [kinds, values, values])
    chosen = design.compare(x, [kinds, None], metric="accuracy", threshold=0.0).outputs
    assert (chosen[0].metric, chosen[1].metric, chosen[1].judged) == ("accuracy", "agreement", "classes")


def test_values_that_float_does_not_hold_are_left_out_and_counted():
    """The square of exp is infinite from 355 on; what is finite is judged as if it stood alone."""
    builder = Builder()
    x = builder.add("x", Input((3,)))
    d = builder.add("d", Dense(Const(np.random.default_rng(1).normal(size=(3, 4)) * 100), Const(np.zeros(4))), [x])
    e = builder.add("e", Table(Function.EXP), [d])
    graph = builder.build([builder.add("square", Elementwise(Merge.MUL), [e, e])])
    calm = np.random.default_rng(2).normal(size=(200, 3)) * 0.001
    data = np.concatenate([calm, np.full((5, 3), 3.0), np.full((5, 3), -3.0)])
    design = convert(graph, hls_config({"Precision": "ap_fixed<24,12>"}), calm)
    with np.errstate(over="ignore"):
        result = design.compare(data)
        values = design.trace_float(data)["square"]
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    assert 0 < wrong < values.size
    assert result.layer("square").infinite == wrong
    (output,) = result.outputs
    keep = np.isfinite(values).all(axis=1)
    assert (output.events, output.infinite) == (np.count_nonzero(keep), np.count_nonzero(~keep))
    assert output.sqnr == pytest.approx(sqnr(values[keep], design.run(data)[0][0][keep]))
    assert f"square: {wrong} values left out, float gives NaN or Inf." in result.text()
    with np.errstate(over="ignore"):
        none = design.compare(data[~keep])
    assert (none.outputs[0].events, none.outputs[0].sqnr) == (0, None)
    assert "exact" not in none.text().split("\n\n")[0]
    json.dumps(text.finite(none.to_dict()), allow_nan=False)


@pytest.mark.parametrize(("size", "kind"), [(1e200, FixedType(16, 6)), (1e300, FixedType(16, 6)), (1e300, FixedType(60, 6))])
def test_huge_weights_have_a_row_like_all_others(size, kind):
    rng = np.random.default_rng(1)
    builder = Builder()
    x = builder.add("x", Input((3,)))
    graph = builder.build([builder.add("d", Dense(Const(rng.normal(size=(3, 4)) * size), Const(np.zeros(4))), [x])])
    data = rng.normal(size=(50, 3))
    result = convert(graph, hls_config({"Precision": str(kind)})).compare(data)
    layer = result.layer("d")
    assert layer.sqnr == pytest.approx(0, abs=1e-6)
    assert {n.word for n in layer.needs} == {"result", "weight"}
    weight = graph["d"].op.weight.array
    largest = {"weight": np.abs(weight).max(), "result": np.abs(data @ weight).max()}
    assert {n.word: n.integer for n in layer.needs} == {w: 1 + math.frexp(v)[1] - 6 for w, v in largest.items()}
    assert result.blame == "d"
    json.dumps(result.to_dict(), allow_nan=False)


def pasted(result):
    """What stands below the table, read as YAML."""
    below = result.text().partition("under HLSConfig: LayerName:\n")[2]
    return yaml.safe_load(below) or {}


def merged(old, new):
    """Lines beside what stands there."""
    layers = {name: dict(block) for name, block in old.items()}
    for name, block in new.items():
        before = layers.setdefault(name, {})
        precision = {**before.get("Precision", {}), **block.get("Precision", {})}
        before.update(block, **({"Precision": precision} if precision else {}))
    return layers


SMOOTH, POLES = ("exp", "sigmoid", "tanh", "softsign"), ("log", "reciprocal", "rsqrt")


@pytest.mark.filterwarnings("ignore::nn2hls.errors.ConversionWarning")
@pytest.mark.parametrize("precision", ["ap_fixed<32,8>", "ap_fixed<10,5>", None])
@pytest.mark.parametrize("function", SMOOTH + POLES)
def test_what_is_proposed_is_pasted_and_helps(function, precision):
    builder = Builder()
    x = builder.add("x", Input((4,)))
    dense = builder.add("a: b", Dense(Const(np.eye(4)), Const(np.full(4, 0.5))), [x])
    graph = builder.build([builder.add("f", Table(Function(function)), [dense])])
    data = np.random.default_rng(0).uniform(0.1, 4, size=(300, 4))
    model, layers = ({"Precision": precision} if precision else {}), {}
    found, promised, warned = [], [], []
    for _ in range(4):
        result = convert(graph, {"Model": model, "LayerName": layers}).compare(data)
        found.append(math.inf if result.outputs[0].sqnr is None else result.outputs[0].sqnr)
        lines = pasted(result)
        if not lines:
            break
        layers = merged(layers, lines)
        promised += result.mended
        warned.append("LESS than" in result.text())
    assert found[1:] == pytest.approx(promised[: len(found) - 1])
    assert [b < a for a, b in itertools.pairwise(found)] == warned[: len(found) - 1]
    assert not any(warned) or function in POLES
    assert len(found) == 1 or max(found) > found[0] + 3


def test_lines_that_would_make_it_worse_say_so():
    """A finer operand, for which a narrow table is derived anew: the whole is tried before anybody pastes a line."""
    builder = Builder()
    x = builder.add("x", Input((4,)))
    dense = builder.add("d", Dense(Const(np.eye(4)), Const(np.full(4, 0.5))), [x])
    graph = builder.build([builder.add("f", Table(Function.SIGMOID), [dense])])
    data = np.random.default_rng(0).normal(size=(300, 4))
    result = convert(graph, hls_config({"Precision": "ap_fixed<10,5>"})).compare(data)
    assert result.mended[0] > result.outputs[0].sqnr
    assert f"# With all of this f keeps {result.mended[0]:.1f} dB." in result.text()
    worse = dataclasses.replace(result, mended=(result.outputs[0].sqnr - 3,))
    assert f"LESS than {result.outputs[0].sqnr:.1f} dB now" in worse.text()
    assert yaml.safe_load(worse.text().partition("LayerName:\n")[2]) == pasted(result)


def test_names_and_all_needs_of_a_layer_make_one_line_of_yaml():
    builder = Builder()
    x = builder.add("x", Input((4,)))
    names = ["on", "- a", "k: {v}", "it's", '"q"', "#c", "1", "\u00e9\U0001f600", "e\x1b\x85\n", "a\\b"]
    for name in names:
        x = builder.add(name, Dense(Const(np.eye(4) * 1.3), Const(np.full(4, 0.1))), [x])
    design = convert(builder.build([x]), hls_config({"Precision": {"result": "ap_fixed<4,2>", "weight": "ap_fixed<4,1>"}}))
    result = design.compare(np.random.default_rng(0).normal(size=(100, 4)))
    assert list(pasted(result)) == [x.name for x in result.layers if x.needs]
    assert {n.word for x in result.layers for n in x.needs if x.name == "on"} == {"result", "weight"}
    assert pasted(result) == {x.name: {"Precision": {n.word: n.type for n in x.needs}} for x in result.layers if x.needs}


@pytest.mark.parametrize("precision", ["ap_fixed<8,4>", None])
def test_a_line_does_not_undo_what_was_folded(precision):
    builder = Builder()
    x = builder.add("x", Input((4,)))
    rng = np.random.default_rng(7)
    dense = builder.add("d", Dense(Const(rng.normal(size=(4, 5))), Const(rng.normal(size=5))), [x])
    graph = builder.build([builder.add("bn", Scale(Const(rng.uniform(5, 9, 5)), Const(rng.normal(size=5))), [dense])])
    data = rng.normal(size=(300, 4))
    model = {"Precision": precision} if precision else {"TargetSQNR": 20, "MaxWidth": 24}
    result = convert(graph, {"Model": model}).compare(data)
    assert result.layer("d").folded == "bn"
    lines = pasted(result)
    if precision:
        assert "d" not in lines
        assert "# d: a type of its own would undo that bn is folded into it" in result.text()
    for name, block in lines.items():
        assert name != "d" or set(block) == {"TargetSQNR"}
    after = convert(graph, {"Model": model, "LayerName": lines})
    assert [n.name for n in after.graph] == ["x", "d"]
    assert precision or not lines or after.compare(data).outputs[0].sqnr > result.outputs[0].sqnr


def test_a_comparison_prints_as_the_command_line_does_and_is_short_in_a_list():
    design, x, _ = case(1)
    comparison = design.compare(x)
    assert str(comparison) == comparison.text()
    assert len(repr(comparison)) < 120
    assert "\n" not in repr(comparison)


def test_a_table_in_the_steps_of_a_recurrent_layer_is_mended_by_its_name():
    config = hls_config({"Precision": "ap_fixed<16,6>", "TableSize": 8})
    design = convert(recurrent.network("rnn", shape=(3, 2), units=2), config)
    layers = design.compare(np.random.default_rng(0).normal(size=(50, 3, 2))).layers
    tables = {layer.name: need.entries for layer in layers for need in layer.needs if need.word == "table"}
    assert tables.keys() == {f"r_hidden_tanh_step{k}" for k in range(3)}
    assert all(entries > 8 for entries in tables.values())
