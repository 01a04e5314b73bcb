"""Scans: what patterns mean, that points are designs, and that nothing depends on where or how often they run."""

import csv
import dataclasses
import importlib
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import FixedType
from nn2hls.cli import main
from nn2hls.config.read import read_config
from nn2hls.errors import ConfigError, DataError, Nn2hlsError, ToolError
from nn2hls.extras import install
from nn2hls.graph.const import Const
from nn2hls.scan.plot import plot
from nn2hls.scan.record import Record
from nn2hls.scan.run import Point, Scan, parse_precisions, parse_reuses, scan
from nn2hls.trials import network as scan_network
from nn2hls.trials.network import Network
from nn2hls.trials.workers import Workers
from tests.kit.networks import mlp
from tests.kit.paths import ROOT


def test_patterns_are_every_pair():
    found = parse_precisions("ap_fixed<{4..6},{2,3}>, ap_ufixed<8,0>")
    pairs = [(w, i) for w in (4, 5, 6) for i in (2, 3)]
    assert found == [FixedType(w, i) for w, i in pairs] + [FixedType(8, 0, signed=False)]
    assert parse_precisions("ap_fixed<{4..10..3},2,AP_RND,AP_SAT>") == [
        FixedType.parse(f"ap_fixed<{w},2,AP_RND,AP_SAT>") for w in (4, 7, 10)
    ]
    assert parse_precisions("ap_fixed<{2..4},3>") == [FixedType(4, 3)]
    assert parse_precisions("ap_fixed<3,3>") == [FixedType(3, 3)]
    assert parse_precisions(["int8", FixedType(8, 8)]) == [FixedType(8, 8)]


def test_ranges_of_reuse_factors():
    assert parse_reuses("1..6") == [1, 2, 3, 4, 5, 6]
    assert parse_reuses("1, 4,2..8..3") == [1, 4, 2, 5, 8]
    assert parse_reuses([3, 1]) == [3, 1]
    assert parse_reuses("") == []


@pytest.mark.parametrize("spec", ["6..1", "0", "0..3", "a", "1..2..0", "1.5", "1..99999999999", "1;2"])
def test_wrong_ranges_are_refused(spec):
    with pytest.raises(ConfigError):
        parse_reuses(spec)


@pytest.mark.parametrize("spec", ["ap_fixed<{4..},2>", "ap_fixd<{4..5},2>", "ap_fixed<{2..3},5>", "ap_fixed<{5..4},1>", "{"])
def test_wrong_patterns_are_refused(spec):
    with pytest.raises(Nn2hlsError):
        parse_precisions(spec)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    graph = mlp(rng, (5, 8, 3))
    x = rng.normal(size=(300, 5))
    return graph, x, nn2hls.convert(graph).predict_float(x).argmax(axis=1)


SPEC = {"precisions": "ap_fixed<{6..9},{3,4}>", "reuses": "1,2"}


def run(data, **more):
    graph, x, y = data
    return scan(graph, x=x, y=y, **{**SPEC, "jobs": 1, **more})


@pytest.mark.parametrize(
    "config", [None, {"Model": {"Precision": "ap_fixed<9,4,AP_RND,AP_SAT>"}, "LayerName": {"fc1": {"ReuseFactor": 2}}}]
)
@pytest.mark.parametrize("kind", [None, FixedType(7, 3)])
def test_a_point_is_what_convert_makes(data, config, kind):
    graph, x, y = data
    (point,) = scan(graph, config, x=x, y=y, precisions=[kind] if kind else ()).points
    design = nn2hls.convert(graph, read_config(config).uniform(kind))
    size, result = design.estimate(), design.compare(x, y).outputs[0]
    assert (point.lut, point.dsp, point.ff, point.ii) == (size.lut, size.dsp, size.ff, size.ii)
    assert (point.sqnr, point.agreement, point.accuracy) == (result.sqnr, result.agreement, result.accuracy_fixed)
    assert point.auc == pytest.approx(np.mean([c.auc_fixed for c in result.classes]))
    assert point.auc_ratio == pytest.approx(np.mean([c.auc_fixed / c.auc_float for c in result.classes]))


def test_workers_change_nothing(data):
    alone = run(data)
    assert len(alone.points) == 16
    pytest.importorskip("joblib")
    assert list(Workers(2)._parallel(_square, 3, range(7), 2, 0.3)) == [3 * n * n for n in range(7)]
    assert run(data, jobs=2).points == alone.points


def _square(factor, n):
    return factor * n * n


@pytest.mark.long
def test_a_cluster_gives_the_same_points(data):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as cluster:
        assert run(data, jobs=None, cluster=cluster.scheduler_address).points == run(data).points
        pytest.importorskip("optuna")
        graph, x, y = data
        more = {"x": x, "y": y, "widest": 6, "trials": 8}
        there = nn2hls.search(graph, cluster=cluster.scheduler_address, **more)
        assert there.front == nn2hls.search(graph, jobs=1, **more).front


def test_what_is_missing_is_named(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToolError, match=re.escape(install("scan"))):
        run(data, jobs=2)
    with pytest.raises(ToolError, match=re.escape(install("cluster"))):
        run(data, cluster="tcp://127.0.0.1:1")
    with pytest.raises(ConfigError, match="--jobs"):
        run(data, jobs=0)


class StoppedError(Exception):
    pass


def test_an_interrupted_scan_goes_on_and_every_point_can_be_repeated(data, tmp_path, monkeypatch):
    graph, x, y = data
    record = tmp_path / "scan.jsonl"

    def stop(done, total):
        if done >= 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        run(data, record=record, progress=stop)
    assert len(record.read_text().splitlines()) == 6
    with record.open("a") as file:
        file.write('{"provenance": {"ver')  # cut short
    whole = run(data, record=record)
    assert (whole.resumed, whole.points) == (6, run(data).points)
    assert run(data, record=record).resumed == 16
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    assert [Point(**e["point"]) for e in entries] == list(whole.points)
    for entry in entries[::5]:
        design = nn2hls.convert(graph, entry["config"])
        assert design.estimate().lut == entry["point"]["lut"]
        assert design.compare(x, y).outputs[0].accuracy_fixed == entry["point"]["accuracy"]


@pytest.mark.parametrize("text", ['{"my": "results"}', "1", "a,b", '[{"provenance": {}}]'])
def test_a_file_that_is_no_record_stays_as_it_is(data, tmp_path, text):
    """Also one without a line's end, which is not the rest of an interrupted scan."""
    record = tmp_path / "scan.jsonl"
    record.write_text(text)
    with pytest.raises(DataError, match=r"scan\.jsonl: This is not a record of a scan"):
        run(data, record=record)
    assert record.read_text() == text


def test_a_line_that_was_cut_is_removed_only_where_no_other_scan_went_on(tmp_path):
    path, cut = tmp_path / "scan.jsonl", b'{"provenance": {"ver'
    path.write_bytes(cut)
    with Record(path):
        assert path.read_bytes() == b""
    path.write_bytes(cut)
    record = Record(path)
    path.write_bytes(cut + b' .. the rest"}\n')
    with record:
        assert path.read_bytes() == cut + b' .. the rest"}\n'


def test_a_full_disk_is_an_error_that_names_the_record(tmp_path):
    path = tmp_path / "scan.jsonl"
    record = Record(path)
    with record, open("/dev/full", "wb", buffering=0) as full:
        record._file.close()
        record._file = full
        with pytest.raises(OSError, match="No space left on device") as caught:
            record.add({}, {}, Point("", "", None))
    assert caught.value.filename == str(path)


def test_only_equal_provenance_is_taken_from_the_record(data, tmp_path):
    graph, x, y = data
    record = tmp_path / "scan.jsonl"
    run(data, record=record)
    assert run(data, record=record).resumed == 16
    assert scan(graph, x=x + 1e-9, y=y, record=record, **SPEC).resumed == 0
    assert scan(graph, x=x, y=y[::-1], record=record, **SPEC).resumed == 0
    assert scan(graph, {"ClockPeriod": 4}, x=x, y=y, record=record, **SPEC).resumed == 0
    assert scan(mlp(np.random.default_rng(9), (5, 8, 3)), x=x, y=y, record=record, **SPEC).resumed == 0
    assert run(data, record=record, keep=["fc1"]).resumed == 0
    record.write_text("precision,reuse\n")
    with pytest.raises(DataError, match=r"scan\.jsonl:1"):
        run(data, record=record)


@pytest.mark.parametrize("change", [{"sqnr": "many"}, {"dsp": 1.5}, {"error": None}, {"dsp": True}, {"more": 1}, {"sqnr": ...}])
def test_a_record_with_other_members_than_those_of_points_is_refused(data, tmp_path, change):
    record = tmp_path / "scan.jsonl"
    run(data, record=record)
    first, *others = record.read_text().splitlines()
    entry = json.loads(first)
    entry["point"] = {k: v for k, v in {**entry["point"], **change}.items() if v is not ...}
    record.write_text("\n".join([*others, json.dumps(entry), ""]))
    with pytest.raises(DataError, match=rf"scan\.jsonl:{len(others) + 1}"):
        run(data, record=record)


def altered(record, change):
    """The record with one line changed, its number, and the lines."""
    lines = record.read_text().splitlines()
    entry = json.loads(lines[2])
    change(entry)
    lines[2] = json.dumps(entry)
    record.write_text("\n".join([*lines, ""]))
    return 3


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e["point"].update(accuracy=e["point"]["accuracy"] + 0.01),
        lambda e: e["point"].update(dsp=e["point"]["dsp"] + 1),
        lambda e: e["point"].update(sqnr=None),
        lambda e: e["config"].update(Part="xcku115"),
        lambda e: e["provenance"].update(seed=1),
        lambda e: e.update(checksum="0" * 16),
        lambda e: e.update(more=1),
        lambda e: e.pop("checksum"),
    ],
)
def test_numbers_that_were_changed_are_not_believed(data, tmp_path, change):
    record = tmp_path / "scan.jsonl"
    whole = run(data, record=record)
    number = altered(record, change)
    with pytest.raises(DataError, match=rf"scan\.jsonl:{number}: .*(checksum|not a record)"):
        run(data, record=record)
    lines = record.read_text().splitlines()
    record.write_text("\n".join([*lines[: number - 1], *lines[number:], ""]))
    again = run(data, record=record)
    assert (again.resumed, again.points) == (15, whole.points)


def test_an_exact_design_and_one_that_answers_nothing_are_told_apart_on_record(tmp_path):
    network = mlp(np.random.default_rng(8), (2, 2))
    zero = network.map(
        lambda n: (
            dataclasses.replace(n, op=n.op.replace(weight=Const(np.zeros((2, 2))), bias=Const(np.zeros(2)))) if n.inputs else n
        )
    )
    x = np.zeros((4, 2))
    first = scan(zero, x=x, precisions="ap_fixed<6,2>", record=tmp_path / "r.jsonl", jobs=1)
    assert first.points[0].sqnr is None
    again = scan(zero, x=x, precisions="ap_fixed<6,2>", record=tmp_path / "r.jsonl", jobs=1)
    assert (again.resumed, again.points) == (1, first.points)
    with Record(tmp_path / "s.jsonl") as record:
        record.add({}, {}, dataclasses.replace(first.points[0], sqnr=-math.inf))
    assert Record(tmp_path / "s.jsonl").find({}, first.points[0]).sqnr == -math.inf


def test_a_regression_is_scanned_by_its_errors(tmp_path):
    rng = np.random.default_rng(8)
    graph, x = mlp(rng, (5, 8, 3)), rng.normal(size=(300, 5))
    floats = nn2hls.convert(graph).predict_float(x)
    for y in (None, floats + rng.normal(size=floats.shape)):
        result = scan(graph, x=x, y=y, precisions="ap_fixed<9,4>", jobs=1)
        (point,) = result.points
        fixed = nn2hls.convert(graph, read_config(None).uniform(FixedType(9, 4))).predict(x)
        target = floats if y is None else y
        assert point.mse == pytest.approx(np.mean((fixed - target) ** 2))
        assert point.mae == pytest.approx(np.mean(np.abs(fixed - target)))
        assert (point.agreement, point.accuracy, point.accuracy_ratio, point.auc) == (None, None, None, None)
        assert point.score == pytest.approx(point.sqnr if y is None else point.mse)
        assert "same answer" not in result.text()
        assert "MSE" in result.text()
        assert "Judged as values" in result.text()
        assert result.to_dict()["networks"][""]["judged"] == "values"
        pytest.importorskip("matplotlib")
        both = scan(graph, x=x, y=y, precisions="ap_fixed<{9,10,11},4>", jobs=1)
        plot(both, tmp_path / "values.svg")
        assert "SQNR [dB]" in (tmp_path / "values.svg").read_text()


def test_a_metric_of_ones_own_is_a_column_and_is_never_taken_from_the_record(data, tmp_path):
    graph, x, y = data

    def worst_class(labels, answers):
        return min(np.mean(answers.argmax(axis=1)[labels == k] == k) for k in range(3))

    record = tmp_path / "scan.jsonl"
    result = run(data, metric=worst_class, record=record)
    assert "worst_class" in result.text()
    fixed = nn2hls.convert(graph, read_config(None).uniform(FixedType(6, 3))).run(x)[0][0]
    assert result.points[0].score == worst_class(y, fixed)
    assert run(data, metric=worst_class, record=record).resumed == 0
    assert run(data, record=record).resumed == 0
    assert run(data, record=record).resumed == 16
    assert run(data, record=record, metric="agreement").resumed == 0
    assert run(data, record=record, metric="accuracy").resumed == 16


def test_a_threshold_of_ones_own_decides(tmp_path):
    rng = np.random.default_rng(5)
    graph, x = mlp(rng, (4, 6, 1)), rng.normal(size=(200, 4))
    floats = nn2hls.convert(graph).predict_float(x)[:, 0]
    y = (floats > -0.3).astype(int)
    found = {t: scan(graph, x=x, y=y, precisions="ap_fixed<16,6>", threshold=t, jobs=1) for t in (None, -0.3)}
    assert found[-0.3].accuracy_float == 1 > found[None].accuracy_float == np.mean((floats > 0.5) == y)
    assert "yes above -0.3" in found[-0.3].text()


def test_a_table_is_safe_in_a_spreadsheet():
    points = [Point(name, "ap_fixed<8,4>", 1, sqnr=-3.5) for name in ("=1+1", "+a", "-b", "@c", "d", "\t=e", "\x1b[2J\u202ef")]
    rows = list(csv.DictReader(Scan(tuple(points), 1, 0.0).csv().splitlines()))
    assert [r["network"] for r in rows] == ["'=1+1", "'+a", "'-b", "'@c", "d", "'    =e", "\\x1b[2J\\u202ef"]
    assert {r["sqnr"] for r in rows} == {"-3.5"}  # a number is no formula


def test_a_scan_prints_as_the_command_line_does_and_is_short_in_a_list(data):
    result = run(data)
    assert str(result) == result.text()
    assert repr(result) == "Scan(16 designs of 16, 300 events)"


def test_names_are_drawn_letter_by_letter(data, tmp_path):
    pytest.importorskip("matplotlib")
    graph, x, y = data
    names = ["$a_{", "b$ $c", "_d", "e\\f$"]
    plot(scan(dict.fromkeys(names, graph), x=x, y=y, precisions="ap_fixed<{8,9,10},4>", jobs=1), tmp_path / "n.svg")
    drawn = (tmp_path / "n.svg").read_text()
    for name in names:
        assert f"4  {name}" in drawn or f"\u200b4  {name}" in drawn


def test_kept_layers_stay_as_the_config_says(data):
    graph, x, y = data
    config = {
        "Model": {"Precision": "ap_fixed<10,4>", "ReuseFactor": 3},
        "LayerName": {"fc1": {"Precision": {"weight": "int5"}}},
    }
    network = Network.prepare(graph, config, x, y)
    before = network.design(network.config).graph
    after = network.design(network.uniform(FixedType(6, 3), 2, ["fc1", "x"])).graph
    assert str(after["x"]) == str(before["x"])
    assert (after["fc1"].type, after["fc1"].op.weight_t, after["fc1"].op.reuse) == (FixedType(10, 4), FixedType(5, 5), 3)
    assert (after["fc0"].type, after["fc0"].op.weight_t, after["fc0"].op.reuse) == (FixedType(6, 3), FixedType(6, 3), 2)
    derived = Network.prepare(graph, None, x, y)
    free = derived.design(derived.uniform(FixedType(6, 3), None, ["fc1", "x"])).graph
    plain = derived.design(derived.config).graph
    assert free["x"].type == plain["x"].type
    assert free["fc1"].op.weight_t == plain["fc1"].op.weight_t != FixedType(6, 3)
    with pytest.raises(ConfigError, match="Did you mean 'fc1'"):
        run(data, keep=["fc11"])


def test_networks_stand_side_by_side(data, tmp_path):
    graph, x, y = data
    pruned = mlp(np.random.default_rng(8), (5, 8, 3), density=0.3)
    both = scan({"whole": graph, "pruned": pruned}, x=x, y=y, jobs=1, **SPEC)
    assert [p.network for p in both.points] == ["whole"] * 16 + ["pruned"] * 16
    assert [dataclasses.replace(p, network="") for p in both.points[:16]] == list(run(data).points)
    assert both.accuracies_float["whole"] == 1.0 > both.accuracies_float["pruned"]
    rows = list(csv.DictReader(both.csv().splitlines()))
    assert [(r["network"], r["precision"], int(r["lut"])) for r in rows] == [
        (p.network, p.precision, p.lut) for p in both.points
    ]
    pytest.importorskip("matplotlib")
    plot(both, tmp_path / "both.svg")
    drawn = (tmp_path / "both.svg").read_text()
    for words in ("3  whole", "4  pruned", "AUC / float", "reuse factor", "latency [ns]", "&lt;9,4&gt;  pruned"):
        assert words in drawn


def test_the_command_scans_several_configs(capsys, tmp_path, monkeypatch):
    jets = ROOT / "examples" / "jet_tagging"
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.load(jets / "jets_test.npy")[:200])
    words = ["scan", f"{jets}/jet_tagger.keras", f"{jets}/jet_tagger_pruned.keras", "--input", "x.npy", "--keep", "output"]
    words += ["--precision", "ap_fixed<{8,9},5>", "-o", "scan.csv", "--jobs", "1"]
    assert main(words) == 0
    assert "4 designs" in capsys.readouterr().out
    assert len(Path("scan.jsonl").read_text().splitlines()) == 4
    assert main(words) == 0
    assert "4 of them from the record" in capsys.readouterr().out
    assert main([*words[:-4], "-o", "scan.json"]) == 0
    names = [p["network"] for p in json.loads(Path("scan.json").read_text())["points"]]
    assert names == ["jet_tagger"] * 2 + ["jet_tagger_pruned"] * 2
    assert main([*words, "--keep", "outptu"]) == 1
    assert "Did you mean 'output'?" in capsys.readouterr().err


@pytest.mark.long
def test_types_compute_float_once_and_run_once_each(monkeypatch):
    """5 widths and 4 numbers of integer bits of the pruned tagger: what float answers is computed once for all of them, the
    statistics once for each type of the input, and the emulator runs once for a type, whatever the reuse factors."""
    jets = ROOT / "examples" / "jet_tagging"
    x, y = np.load(jets / "jets_test.npy")[:500], np.load(jets / "jets_test_labels.npy")[:500]
    calls = []

    def counted(name, function):
        def call(*args, **more):
            calls.append(name)
            return function(*args, **more)

        return call

    for name in ("run_float", "measure"):
        monkeypatch.setattr(scan_network, name, counted(name, getattr(scan_network, name)))
    monkeypatch.setattr(nn2hls.Design, "run", counted("emulator", nn2hls.Design.run))
    spec = {"precisions": "ap_fixed<{8..12},{2..5}>", "reuses": "1,2"}
    found = scan(jets / "jet_tagger_pruned.keras", x=x, y=y, jobs=1, **spec)
    assert (found.events, len(found.points)) == (500, 40)
    assert not [p for p in found.points if p.error]
    assert {name: calls.count(name) for name in set(calls)} == {"run_float": 1, "measure": 21, "emulator": 20}


def test_the_functions_are_not_hidden_by_modules():
    for name in ("scan", "search"):
        room = importlib.import_module(f"nn2hls.{name}.run")
        assert getattr(nn2hls, name) is getattr(room, name)
