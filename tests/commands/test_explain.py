"""Where types come from: what each level promises is tried out, and what holds for a layer is printed by precedence."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn2hls.arith.fixed import FixedType, Overflow
from nn2hls.cli import main
from nn2hls.config.read import read_config
from nn2hls.design.design import convert
from nn2hls.errors import ConfigError
from nn2hls.scan.agreement import find_target, parse_share
from tests.kit.networks import hls_config, mlp
from tests.kit.paths import ROOT

JETS = ROOT / "examples" / "jet_tagging"
SEEDS = st.integers(0, 2**32 - 1)


def reason(design, layer, word="result"):
    return next(r for r in design.types[layer] if r.word == word)


def corners(rng, design, events=2000):
    """Inputs over the whole range of their type, many of them at its ends."""
    kind = design.graph.inputs[0].type
    ends = rng.choice([kind.min, kind.max], size=(events, *design.graph.inputs[0].shape))
    return np.where(rng.random(ends.shape) < 0.7, ends, rng.uniform(kind.min, kind.max, ends.shape))


@given(SEEDS)
@settings(deadline=None, max_examples=15)
def test_sound_types_overflow_for_no_input_of_the_input_type(seed):
    rng = np.random.default_rng(seed)
    design = convert(mlp(rng, (4, 6, 3)))
    assert {r.level for name, found in design.types.items() for r in found if name != "x"} == {"sound"}
    assert reason(design, "x").level == "default"
    x = corners(rng, design)
    assert design.run(x)[1].overflows() == []
    for name, values in design.trace(x).items():
        if name != "x":
            why, step = reason(design, name).why, reason(design, name).type.step
            low, high = (float(v) for v in re.search(r"any input gives (\S+)\.\.(\S+);", why).groups())
            assert low - abs(low) * 0.01 - step <= values.min() <= values.max() <= high * 1.01 + step


@given(SEEDS)
@settings(deadline=None, max_examples=15)
def test_calibrated_types_hold_the_data_with_a_bit_to_spare_and_saturate_beyond(seed):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(300, 4))
    design = convert(mlp(rng, (4, 6, 3), scale=2.0), calibration=data)
    floats = design.trace_float(data)
    assert design.run(data)[1].overflows() == []
    levels = {n.name: reason(design, n.name) for n in design.graph}
    assert levels["x"].level == "calibrated"
    for node in design.graph:
        found = levels[node.name]
        assert found.type == node.type
        if found.level != "calibrated":
            continue
        assert node.type.overflow is Overflow.SAT
        low, high = (float(v) for v in re.search(r"data (\S+)\.\.(\S+), 1 to spare", found.why).groups())
        if node.name in floats:
            assert (low, high) == pytest.approx((floats[node.name].min(), floats[node.name].max()), rel=0.01, abs=1e-9)
        assert node.type.max >= 1.99 * high - node.type.step
        assert node.type.max < 4.1 * max(high, -low)
    assert design.compare(data * 100).layer("x").saturates
    kind, op = design.graph["x"].type, design.graph["fc0"].op
    if levels["fc0"].level == "calibrated":
        weight, bias = op.weight.array * op.weight_t.step, op.bias.array * op.bias_t.step
        ends = [np.minimum(weight * kind.min, weight * kind.max), np.maximum(weight * kind.min, weight * kind.max)]
        ends = [v.sum(axis=0) + bias for v in ends]
        enough = next(i for i in range(40) if -(2.0 ** (i - 1)) <= ends[0].min() and ends[1].max() < 2.0 ** (i - 1) - 0.01)
        assert f", sound: {enough};" in levels["fc0"].why


def test_a_type_of_the_user_says_its_line_and_whether_it_holds_every_value():
    graph = mlp(np.random.default_rng(0), (4, 6, 3))
    sound = convert(graph).graph["fc0"].type
    exact_input = {"x": {"Precision": {"result": "ap_fixed<16,6,AP_RND,AP_SAT>"}}}
    for less, words in ((0, "holds every value"), (1, f"wraps beyond {-(2.0 ** (sound.integer - 2)):.3g}")):
        kind = FixedType(sound.width - less, sound.integer - less, True, sound.rounding)
        found = reason(convert(graph, hls_config(**exact_input, fc0={"Precision": {"result": str(kind)}})), "fc0")
        assert (found.level, found.type) == ("given", kind)
        assert words in found.why
        assert ("sound: " in found.why) == bool(less)
    assert f"sound: {sound.integer} integer bits" in found.why


def test_cuts_by_max_width_are_counted():
    graph = mlp(np.random.default_rng(0), (4, 6, 3))
    wanted, cut = (convert(graph, {"Model": {"MaxWidth": w}}) for w in (40, 12))
    lost = wanted.graph["fc0"].type.fraction - cut.graph["fc0"].type.fraction
    assert lost > 0
    assert f"{lost} fewer by MaxWidth 12" in reason(cut, "fc0").why
    assert "MaxWidth" not in reason(wanted, "fc0").why
    assert reason(wanted, "fc0", "accum").type == wanted.graph["fc0"].op.accum_t


def test_constants_say_their_range_and_whether_they_are_exact():
    graph = mlp(np.random.default_rng(1), (4, 6, 3))
    weight = graph["fc0"].op.weight.array
    found = reason(convert(graph), "fc0", "weight")
    assert f"{weight.min():.3g}..{weight.max():.3g}; {found.type.fraction} fraction bits for 60 dB" in found.why
    assert "exact" not in found.why
    assert reason(convert(graph, {"Model": {"TargetSQNR": 240, "MaxWidth": 53}}), "fc0", "weight").level == "sound"


# ---- the commands --------------------------------------------------------------------------------------------------------


def run(capsys, *words):
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


CONFIG = """\
KerasModel: {model}
HLSConfig:
  Model:
    Precision: ap_fixed<20,8>
    ReuseFactor: 1
  LayerType:
    Dense:
      Precision: {{weight: "ap_fixed<12,2>"}}
  LayerName:
    fc2:
      Precision: {{weight: "ap_fixed<10,2>", result: auto}}
      ReuseFactor: 4
"""


@pytest.fixture
def config(tmp_path):
    pytest.importorskip("h5py")
    path = tmp_path / "net.yml"
    path.write_text(CONFIG.format(model=JETS / "jet_tagger_pruned.keras"))
    return path


def test_explain_prints_what_holds_and_what_it_overrides(capsys, config):
    code, out, _ = run(capsys, "config", str(config), "--explain", "fc2", "--json")
    document = json.loads(out)
    rows = {(r["layer"], r["setting"]): (r["value"], r["where"]) for r in document["settings"]}
    assert code == 0
    assert rows["fc2", "weight"] == (
        "ap_fixed<10,2>",
        f"{config}:11, over ap_fixed<12,2> at {config}:8, ap_fixed<20,8> at {config}:4",
    )
    assert rows["fc2", "result"] == ("auto", f"{config}:11, over ap_fixed<20,8> at {config}:4")
    assert rows["fc2", "reuse"] == ("4", f"{config}:12, over 1 at {config}:5")
    assert rows["fc2_relu", "result"] == ("ap_fixed<20,8>", f"{config}:4")
    types = {(r["layer"], r["word"]): r for r in document["types"]}
    assert (types["fc2", "weight"]["level"], types["fc2", "weight"]["type"]) == ("given", "ap_fixed<10,2>")
    assert (types["fc2", "result"]["level"], types["fc2", "accum"]["level"]) == ("sound", "sound")
    assert types["fc2_relu", "result"]["level"] == "given"
    assert {layer for layer, _ in types} == {"fc2", "fc2_relu"}
    text = run(capsys, "config", str(config), "--explain", "fc2")[1]
    assert all(row["why"] in text for row in document["types"])


def test_an_unknown_layer_gets_a_suggestion(capsys, config):
    code, _, err = run(capsys, "config", str(config), "--explain", "fc22")
    assert code == 2
    assert "no layer 'fc22'" in err
    assert "Did you mean 'fc2'?" in err


def test_convert_and_explain_say_the_level_of_every_layer(capsys, config, tmp_path):
    calibration = ["--calibration", str(JETS / "jets_calibration.npy"), "--precision", "ap_fixed<20,8>"]
    shown = []
    for words in (["convert", str(config), "-o", str(tmp_path / "out")], ["config", str(config), "--explain"]):
        code, out, _ = run(capsys, *words, *calibration, "--json")
        shown.append(json.loads(out)["layers"])
        assert code == 0
    assert shown[0] == shown[1]
    levels = {row["name"]: row["level"] for row in shown[0]}
    assert levels["fc2"] == "calibrated"
    assert {levels[name] for name in ("inputs", "fc1", "fc3_relu")} == {"given"}


def test_target_agreement_is_reached_and_not_one_db_below(capsys, tmp_path):
    pytest.importorskip("h5py")
    model, data = str(JETS / "jet_tagger_pruned.keras"), str(JETS / "jets_calibration.npy")
    out = tmp_path / "made.yml"
    words = ["config", model, "--calibration", data, "--max-width", "18", "--target-agreement", "99%", "-o", str(out)]
    code, _, err = run(capsys, *words)
    level = read_config(out).model_level.settings
    target = int(level["target_sqnr"].value)
    assert code == 0
    assert level["max_width"].value == 18
    assert f"TargetSQNR {target} dB" in err

    def share(sqnr):
        design = convert(model, {"Model": {"TargetSQNR": sqnr, "MaxWidth": 18, "Calibration": data}})
        x = np.load(data)
        return np.mean(design.predict(x).argmax(axis=1) == design.predict_float(x).argmax(axis=1))

    assert share(target) >= 0.99 > share(target - 1)


@pytest.mark.parametrize("share", [0.6, 0.8, 0.9, 0.95, 0.98, 1.0])
def test_the_target_that_is_found_reaches_the_share_and_one_db_less_does_not(share):
    rng = np.random.default_rng(3)
    graph, x = mlp(rng, (4, 6, 3)), rng.normal(size=(400, 4))
    found = find_target(graph, read_config(), [x], share, metric="agreement")

    def measured(sqnr):
        design = convert(graph, {"Model": {"TargetSQNR": sqnr}})
        return np.mean(design.predict(x).argmax(axis=1) == design.predict_float(x).argmax(axis=1))

    assert found.share == measured(found.target_sqnr) >= share
    if found.target_sqnr > 6:
        assert found.below == measured(found.target_sqnr - 1) < share


def test_a_share_out_of_reach_is_refused():
    graph, x = mlp(np.random.default_rng(0), (4, 6, 3)), np.random.default_rng(1).normal(size=(500, 4))
    with pytest.raises(ConfigError, match=r"At most .* at TargetSQNR 120 dB\. .*raise MaxWidth"):
        find_target(graph, read_config({"Model": {"MaxWidth": 3}}), [x], 1.0, metric="agreement")
    for text in ("0", "1.5", "-1", "nan", "101%", "half", "1e-1"):
        with pytest.raises(ConfigError, match=r"Write 0\.995 or 99\.5%"):
            parse_share(text)
    assert (parse_share("99.5%"), parse_share(".25"), parse_share("1")) == (0.995, 0.25, 1.0)


@pytest.mark.parametrize("calibration", [None, "jets_calibration.npy"])
def test_default_types_of_the_pruned_tagger_answer_as_float(calibration):
    pytest.importorskip("h5py")
    x = np.load(JETS / "jets_test.npy")
    data = None if calibration is None else np.load(JETS / calibration)
    design = convert(JETS / "jet_tagger_pruned.keras", calibration=data)
    same = design.predict(x).argmax(axis=1) == design.predict_float(x).argmax(axis=1)
    assert same.mean() >= 0.995
