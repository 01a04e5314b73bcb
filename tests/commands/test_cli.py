"""The command line as a user meets it: what it prints, where, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

import nn2hls
from nn2hls.cli import main
from nn2hls.commands import COMMANDS
from nn2hls.config.read import read_config
from nn2hls.config.write import to_yaml
from nn2hls.design.design import Verdict
from nn2hls.history.tree import gather
from nn2hls.ops import Dense
from nn2hls.tools.order import Order
from nn2hls.tools.testbench import run_test_bench

N_IN, HIDDEN, N_OUT = 4, 6, 3


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current directory with net.onnx, net.yml, x.npy and y.npy."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    arrays = {
        "w0": rng.normal(size=(N_IN, HIDDEN)),
        "b0": rng.normal(size=HIDDEN),
        "w1": rng.normal(size=(HIDDEN, N_OUT)),
        "b1": rng.normal(size=N_OUT),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "b0"], ["h"], name="fc1"),
        helper.make_node("Gemm", ["h", "w1", "b1"], ["y"], name="fc2"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", n]) for name, n in (("x", N_IN), ("y", N_OUT))]
    constants = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
    (tmp_path / "net.yml").write_text(
        "OnnxModel: net.onnx\nInputData: x.npy\nOutputDir: out\nProjectName: net\n"
        "HLSConfig:\n  Model:\n    Precision: ap_fixed<16,6>\n    ReuseFactor: 1\n    Compression: true\n"
    )
    np.save("x.npy", rng.normal(size=(20, N_IN)))
    np.save("y.npy", rng.integers(0, N_OUT, 20))
    return tmp_path


def run(capsys, *words):
    """Exit code, standard output and standard error of a command."""
    code = main([str(w) for w in words])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


COMPLETE = {
    "config": ["net.onnx"],
    "convert": ["net.yml"],
    "emulate": ["net.yml", "-o", "answers.npy"],
    "compare": ["net.yml", "--labels", "y.npy"],
    "estimate": ["net.yml"],
    "plan": ["net.yml"],
    "build": ["net.yml", "--tool", "csim"],
    "verify": ["net.yml"],
    "export": ["emulator", "net.yml", "-o", "exported"],
    "weights": ["built", "net.onnx", "-o", "image.hex"],
    "report": ["net.yml"],
    "plot": ["net.yml", "-o", "figures", "--only", "timeline"],
    "scan": ["net.yml", "--precision", "ap_fixed<{8,16},6>", "--reuse", "1,2"],
    "search": ["net.yml", "--widest", "4", "--trials", "0", "--jobs", "1"],
    "history": ["out"],
    "replay": ["out", ""],
    "layers": [],
    "passes": [],
    "doctor": [],
}


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_every_command_speaks_text_and_json(capsys, folder, command):
    if command == "search":
        pytest.importorskip("optuna")
    if command == "report":  # it is about a project that is there
        assert run(capsys, "build", "net.yml")[0] == 0
    if command == "weights":  # likewise, with weights in memories
        types = dict.fromkeys(("weight", "bias", "result"), "ap_fixed<12,4>")
        layer = {"Weights": "reloadable", "Strategy": "Resource", "ReuseFactor": 2, "Precision": types}
        config = {"OnnxModel": "net.onnx", "OutputDir": "built", "HLSConfig": {"LayerName": {"fc1": layer}}}
        Path("reload.yml").write_text(json.dumps(config))
        assert run(capsys, "convert", "reload.yml", "--backend", "Verilog")[0] == 0
    words = list(COMPLETE[command])
    if command in ("history", "replay"):
        assert run(capsys, "convert", "net.yml")[0] == 0
        words[1:] = [gather(folder / "out").entries[0].state.name] if command == "replay" else []
    code, out, err = run(capsys, command, *words)
    assert code == 0
    assert out.strip()
    if command not in ("config", "weights", "history", "replay", "layers", "passes", "doctor"):
        assert "net.yml:9: Compression has no effect." in err
    code, out, _ = run(capsys, command, *words, "--json")
    assert code == 0
    assert json.loads(out)["ok"] is True


def test_emulate_writes_what_the_design_answers(capsys, folder):
    design = nn2hls.convert("net.onnx", "net.yml")
    expected = design.predict(np.load("x.npy"))
    for name in ("a.npy", "sub/a.npz", "a.csv"):
        assert run(capsys, "emulate", "net.yml", "--input", "x.npy", "-o", name)[0] == 0
        found = np.loadtxt(name, delimiter=",") if name.endswith("csv") else np.load(name)
        assert np.array_equal(found if not name.endswith("npz") else found[design.graph.outputs[0]], expected)
    code, _, err = run(capsys, "emulate", "net.yml", "-o", "a.txt")
    assert (code, "ends in .npy, .npz or .csv" in err) == (2, True)


def test_compare_counts_what_labels_say(capsys, folder):
    _, out, _ = run(capsys, "compare", "net.yml", "--labels", "y.npy", "--json")
    result = json.loads(out)["outputs"][0]
    answers = nn2hls.convert("net.onnx", "net.yml").predict(np.load("x.npy")).argmax(axis=1)
    assert result["accuracy_fixed"] == pytest.approx(np.mean(answers == np.load("y.npy")))
    assert result["events"] == 20


def test_options_come_before_the_config(capsys, folder):
    _, plain, _ = run(capsys, "estimate", "net.yml", "--json")
    _, other, _ = run(capsys, "estimate", "net.yml", "--json", "--reuse", "3", "--part", "xc7z020clg400-1", "--clock", "10")
    plain, other = json.loads(plain), json.loads(other)
    assert other["ii"] == 3 != plain["ii"]
    assert other["part"] != plain["part"]
    _, out, _ = run(capsys, "passes", "net.yml", "--precision", "int7", "--print-after", "resolve-types")
    assert "-> 3 ap_fixed<7,7>" in out


def test_passes_show_the_graph(capsys, folder):
    _, out, _ = run(capsys, "passes", "net.onnx", "--print-after", "load", "--no-names")
    assert out.splitlines()[0] == "%0 = Input() [size=(4)] -> 4"
    code, _, err = run(capsys, "passes", "net.onnx", "--print-after", "resolve-type")
    assert (code, "Did you mean 'resolve-types'?" in err) == (2, True)
    assert run(capsys, "passes", "--print-after", "load")[0] == 2


def test_config_writes_a_file_that_converts(capsys, folder):
    (folder / "sub").mkdir()
    code, out, _ = run(capsys, "config", "net.onnx", "-o", "sub/new.yml", "--reuse", "2", "--calibration", "x.npy")
    assert (code, "wrote sub/new.yml" in out) == (0, True)
    config = read_config("sub/new.yml")
    assert config.model.samefile("net.onnx")
    assert config.calibration.samefile("x.npy")
    assert config.settings_for("fc1", "fc1", "Gemm", Dense).reuse == 2
    code, _, err = run(capsys, "config", "net.onnx", "-o", "sub/new.yml")
    assert (code, "there already" in err) == (2, True)
    assert run(capsys, "config", "net.onnx", "-o", "sub/new.yml", "--force")[0] == 0
    assert run(capsys, "estimate", "sub/new.yml")[0] == 0


def test_a_written_config_reads_back(folder):
    layers = {"fc1": {"Precision": {"weight": "int5", "accum": "auto"}, "TableSize": 16}, "fc2": {"Precision": "int6"}}
    source = {
        "OnnxModel": "net.onnx",
        "ClockPeriod": 2.5,
        "ClockUncertainty": "12.5%",
        "Part": "xcu250",
        "HLSConfig": {"Model": {"Precision": {"default": "int9", "table": "int4"}}, "LayerName": layers},
    }
    config = read_config(source)
    graph = nn2hls.load("net.onnx")
    (folder / "again.yml").write_text(to_yaml(config, graph, folder))
    again = read_config("again.yml")
    assert again.model.samefile(config.model)
    for name in ("part", "clock_period", "clock_uncertainty", "backend", "output_dir", "project_name", "io_type"):
        assert getattr(again, name) == getattr(config, name)
    for node in graph:
        first, second = config.settings_of(node), again.settings_of(node)
        assert first.precision == second.precision
        assert (first.reuse, first.table_size, first.own_type) == (second.reuse, second.table_size, second.own_type)


def test_explain_says_where_each_setting_stands(capsys, folder):
    code, out, _ = run(capsys, "config", "net.yml", "--explain", "--strategy", "Resource")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert ["fc1", "weight", "ap_fixed<16,6>", "net.yml:7"] in rows
    assert ["fc1", "reuse", "1", "net.yml:8"] in rows
    assert ["fc2", "strategy", "Resource", "--strategy"] in rows


def test_scan_records_points_that_fail(capsys, folder):
    assert run(capsys, "scan", "net.yml", "--reuse", "1,2", "--plot", "scan.xyz")[0] == 2
    words = ["scan", "net.yml", "--precision", "ap_fixed<{12,16,900},6>", "--reuse", "1..3", "--labels", "y.npy"]
    code, out, _ = run(capsys, *words, "-o", "scan.csv", "--plot", "scan.png", "--json")
    points = json.loads(out)["points"]
    assert code == 0
    assert [(p["precision"], p["reuse"]) for p in points] == [(f"ap_fixed<{w},6>", r) for w in (12, 16, 900) for r in (1, 2, 3)]
    assert [p["ii"] for p in points[:3]] == [1, 2, 3]
    assert points[0]["sqnr"] < points[3]["sqnr"]
    assert all(p["error"] and p["dsp"] is None for p in points[6:])
    lines = (folder / "scan.csv").read_text().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("network,precision,reuse,sqnr")
    assert (folder / "scan.png").read_bytes().startswith(b"\x89PNG")
    assert run(capsys, "scan", "net.yml", "--precision", "ap_fixed<900,6>")[0] == 1
    assert run(capsys, "scan", "net.yml")[0] == 2


def test_a_test_bench_that_differs_is_a_failure(capsys, folder):
    written = nn2hls.convert("net.onnx", "net.yml").write("out")
    answers = written / "tb_data" / "tb_output_predictions.dat"
    lines = answers.read_text().splitlines()
    first, rest = lines[5].split(" ", 1)
    lines[5] = f"{int(first) + 1} {rest}"
    answers.write_text("\n".join(lines) + "\n")
    report = run_test_bench(Order(written, "net", "", "", 5.0))
    assert (report.ok, report.checks[0].events, report.checks[0].differ) == (False, 20, 1)  # the events of InputData
    assert "1 DIFFERENT" in report.text()


def test_what_does_not_hold_ends_with_one(capsys, folder, monkeypatch):
    verdict = Verdict("csim", 10, 30, {"fc2": 4})
    monkeypatch.setattr(nn2hls.Design, "verify", lambda self, *given: verdict)
    code, out, _ = run(capsys, "verify", "net.yml", "--json")
    assert (code, json.loads(out)["ok"], json.loads(out)["equal"]) == (1, False, False)
    assert run(capsys, "verify", "net.yml")[0] == 1


def test_overflows_are_told_on_the_standard_error(capsys, folder):
    code, out, err = run(capsys, "emulate", "net.yml", "--precision", "ap_fixed<8,1>", "--json")
    assert code == 0
    assert err.count("warning: Values left the range") == 1
    assert json.loads(out)["events"] == 20


WRONG = {
    "convrt net.yml": (2, "Did you mean 'convert'?"),
    "frobnicate net.yml": (2, "Known are"),
    "compare net.yml --lables y.npy": (2, "Did you mean '--labels'?"),
    "compare net.yml --label y.npy": (2, "Did you mean '--labels'?"),
    "build net.yml --tool csin": (2, "Did you mean 'csim'?"),
    "build net.yml --tool": (2, "expected one argument"),
    "convert": (2, "required: CONFIG"),
    "emulate net.onnx": (2, "Give --input FILE"),
    "convert non.yml": (1, "cannot be read: No such file"),
    "convert non.onnx": (1, "Did you mean 'net.onnx'?"),
    "convert net.yml --reuse two": (1, "--reuse: This must be a whole number, not 'two'"),
    "convert net.yml --precision ap_fixd<3,2>": (1, "--precision: 'ap_fixd<3,2>' is not"),
    "convert net.yml --clock -1": (1, "--clock: -1 is out of range"),
    "convert net.yml --strategy Latenci": (1, "Did you mean 'Latency'?"),
    "estimate net.yml --part xcku116": (1, "Did you mean"),
    "emulate net.yml --input y.npy": (1, "input 'x' takes (events, 4)"),
    "compare net.yml --labels x.npy": (1, "neither class numbers nor one-hot"),
    "compare net.yml --labels y.npy --labels y.npy": (2, "There are 2 files for 1 output."),
    "compare net.yml --labels fc2=y.npy --labels fc2=y.npy": (2, "has two files"),
    "compare net.yml --metric acuracy": (1, "Did you mean 'accuracy'?"),
    "compare net.yml --metric auc": (1, "AUC needs labels"),
    "compare net.yml --threshold 0.3": (1, "A threshold of 0.3 decides nothing here"),
    "search net.yml --metric mse": (1, "Give a target"),
    "config net.yml --metric sqnr": (2, "Add --target SCORE"),
    "config net.yml --target 40": (2, "Add --metric sqnr"),
    "config net.yml --target 40 --target-agreement 0.9": (2, "Leave one of the two out"),
    "config net.yml --metric sqnr --target-agreement 0.9": (2, "Use --target"),
    "config net.yml --target-agreement 0.9": (1, "say --metric agreement to take it as classes"),
    "config net.yml --metric sqnr --target 400": (1, "400.0 dB is asked for"),
    "scan net.yml --reuse 6..1": (1, "range '6..1'"),
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_lines_say_what_to_do(capsys, folder, line):
    expected, words = WRONG[line]
    code, out, err = run(capsys, *line.split())
    assert (code, out) == (expected, "")
    assert words in err
    code, out, err = run(capsys, *line.split(), "--json")
    assert code == expected
    assert words in err
    if out:
        assert json.loads(out)["ok"] is False
    else:
        assert code == 2


def test_without_words_it_explains_itself(capsys):
    code, _, err = run(capsys)
    assert code == 2
    assert all(f"  {c.name}" in err for c in COMMANDS)
    assert run(capsys, "--version") == (0, f"nn2hls {nn2hls.__version__}\n", "")


@pytest.mark.parametrize("line", [
    "emulate net.yml --input x.npy -o x.npy", "emulate net.yml -o ./x.npy", "emulate net.yml -o link.npy",
    "emulate net.onnx --input x.npy --calibration c.npy -o c.npy", "scan net.yml --reuse 1 --labels y.csv -o y.csv",
    "scan net.yml --reuse 1 --input x.csv -o x.csv", "scan net.yml --reuse 1 -o s.csv --record s.csv",
    "scan net.yml --reuse 1 --record r.png --plot r.png", "weights built net.onnx -o net.onnx", "history p.svg --svg p.svg",
    "compare net.yml --labels y=y.csv --plots y.csv", "report net.yml --html p.html --search p.html",
])  # fmt: skip
def test_what_is_read_is_not_written_over(capsys, folder, line):
    """Nor is one output over another one."""
    np.savetxt("x.csv", np.load("x.npy"), delimiter=",")
    np.savetxt("y.csv", np.load("y.npy"), fmt="%d")
    np.save("c.npy", np.load("x.npy"))
    (folder / "link.npy").symlink_to("x.npy")
    for name in ("p.svg", "p.html"):
        (folder / name).write_text("mine")
    before = {p: p.read_bytes() for p in folder.iterdir()}
    code, _, err = run(capsys, *line.split())
    assert (code, "read: it is not written over" in err or "names this file, too" in err) == (2, True)
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def test_what_is_read_in_a_way_that_may_not_be_meant_is_told(capsys, folder):
    rows = np.load("x.npy").tolist()
    (folder / "x.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in [range(N_IN), *rows]))
    code, out, err = run(capsys, "emulate", "net.yml", "--input", "x.csv")
    assert (code, out.splitlines()[0]) == (0, "21 events")
    assert "warning: x.csv:1: this line counts the columns and is taken for an event" in err


def test_a_folder_of_someone_else_is_not_overwritten(capsys, folder):
    (folder / "out").mkdir()
    (folder / "out" / "precious.txt").write_text("mine")
    code, _, err = run(capsys, "convert", "net.yml")
    assert (code, "did not write" in err) == (1, True)
    assert (folder / "out" / "precious.txt").read_text() == "mine"


def test_help_is_light():
    code = (
        "import sys; from nn2hls.cli import main; main(['--help']); sys.exit(any(m in sys.modules for m in ('numpy', 'yaml')))"
    )
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        after = os.times()
        times.append(after.children_user - before.children_user + after.children_system - before.children_system)
    assert min(times) < 0.15


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["config", "net.onnx", "-o", "new.txt"], "new.txt: A config is written as .yml."),
        (["plan", "net.yml", "--fit", "-o", "new.txt"], "new.txt: A config is written as .yml."),
        (["search", "net.yml", "-o", "new.txt"], "new.txt: A config is written as .yml."),
        (["plan", "net.yml", "--fit", "-o", "net.yml"], "net.yml: The file is there already."),
        (["config", "net.yml", "--explain", "-o", "new.yml"], "--explain writes no config."),
        (["config", "net.yml", "--target-agreement", "0.9", "--target-sqnr", "40"], "--target-sqnr"),
        (["search", "net.yml", "--study", "mine"], "--storage"),
        (["scan", "net.yml", "net.yml", "--reuse", "1"], "net.yml: It is named twice."),
        (["scan", "net.yml", "--reuse", "1", "--plot", "a.gif", "-o", "new.csv"], "a.gif"),
    ],
)
def test_options_that_would_be_ignored_are_refused_before_anything_runs(capsys, folder, words, said):
    before = sorted(folder.iterdir())
    code, _, err = run(capsys, *words)
    assert code == 2
    assert said in err
    assert sorted(folder.iterdir()) == before


def test_answers_are_judged_by_what_they_are(capsys, folder):
    _, out, _ = run(capsys, "compare", "net.yml", "--json")
    (output,) = json.loads(out)["outputs"]
    assert (output["judged"], output["agreement"]) == ("values", None)
    _, out, _ = run(capsys, "compare", "net.yml", "--json", "--labels", "fc2=y.npy")
    assert json.loads(out)["outputs"][0]["accuracy_float"] is not None
    _, out, _ = run(capsys, "compare", "net.yml", "--json", "--labels", "y.npy", "--metric", "mae")
    (output,) = json.loads(out)["outputs"]
    assert (output["metric"], output["score_fixed"]) == ("mae", output["mae"])
    _, out, _ = run(capsys, "scan", "net.yml", "--reuse", "1", "--labels", "y.npy", "--metric", "auc", "--json")
    assert json.loads(out)["networks"][""]["metric"] == "auc"


def test_a_config_for_an_sqnr(capsys, folder):
    words = ["config", "net.onnx", "--input", "x.npy", "--metric", "sqnr", "--target", "47", "-o", "made.yml"]
    code, _, err = run(capsys, *words)
    target = int(read_config("made.yml").model_level.settings["target_sqnr"].value)
    assert code == 0
    assert f"TargetSQNR {target} dB: SQNR " in err

    def sqnr(db):
        return nn2hls.convert("net.onnx", {"Model": {"TargetSQNR": db}}).compare(np.load("x.npy")).outputs[0].sqnr

    assert sqnr(target) >= 47 > sqnr(target - 1)
