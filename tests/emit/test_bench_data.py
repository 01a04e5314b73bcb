"""The test bench of a written project: damaged data fails, the user's events run, values are never taken for mantissas."""

import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from nn2hls.cli import main
from nn2hls.config.read import read_config
from nn2hls.data.files import load
from nn2hls.design.design import convert
from nn2hls.errors import DataError, OverflowWarning
from nn2hls.graph.builder import Builder
from nn2hls.ops import Input, Relu
from nn2hls.tools.folder import data_folder
from nn2hls.tools.gxx import find_compiler, native_flags
from nn2hls.tools.report import Check
from nn2hls.tools.rtl.run import Simulation
from tests.kit.networks import hls_config, mlp
from tests.kit.tools import require_tool


def compiled(design, folder, name="myproject", flags=()):
    design.write(folder)
    stand_ins = data_folder("firmware_lib") / "ap_types"
    command = [
        find_compiler(),
        "-std=c++11",
        *flags,
        "-I",
        str(stand_ins),
        "-I",
        ".",
        "-Wno-unknown-pragmas",
        "-Wall",
        "-Werror",
    ]
    subprocess.run([*command, f"{name}_test.cpp", f"firmware/{name}.cpp", "-o", "bench"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    design = convert(mlp(np.random.default_rng(0), (4, 6, 3)), hls_config({"Precision": "ap_fixed<16,6,AP_RND_CONV,AP_SAT>"}))
    return design, compiled(design, tmp_path_factory.mktemp("bench") / "p")


@pytest.fixture
def bench(written, tmp_path):
    """A copy of the written project, and how its test bench runs there."""
    folder = Path(shutil.copytree(written[1], tmp_path / "p"))

    def run():
        ended = subprocess.run(["./bench"], cwd=folder, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    return folder / "tb_data" / "tb_input_features.dat", folder / "tb_data" / "tb_output_predictions.dat", run


DAMAGE = {
    "cut": (lambda t: t[: len(t) // 2].rsplit("\n", 1)[0] + "\n", r"tb_output_predictions.dat ends before event"),
    "cut in a line": (lambda t: t[:-8], r"tb_output_predictions.dat, line 101: \d numbers instead of 3|ends before"),
    "empty": (lambda t: "", "tb_output_predictions.dat ends before event 1"),
    "no answer": (lambda t: t.split("\n")[0] + "\n", "tb_output_predictions.dat ends before event 1"),
    "longer": (lambda t: t + "1 2 3\n", "tb_output_predictions.dat goes on after the 100 events"),
    "a word": (lambda t: t.replace("\n", "\nx ", 1), "tb_output_predictions.dat, line 2: 4 numbers instead of 3"),
    "a value": (lambda t: t.split("\n")[0] + "\n0.5 1 2\n" + t.split("\n", 2)[2], "'0.5' is no mantissa"),
    "other types": (lambda t: t.replace("<", "<1", 1), "holds mantissas of other types"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_answers_fail_and_are_named(bench, how):
    _, answers, run = bench
    damage, said = DAMAGE[how]
    assert run()[:2] == (0, "100 events, 0 differ from the emulator\n")
    answers.write_text(damage(answers.read_text()))
    code, out, err = run()
    assert (code, "differ" in out) == (2, False)
    assert re.search(said, err), err


def test_missing_files_fail_and_are_named(bench):
    events, answers, run = bench
    answers.unlink()
    assert run() == (2, "", "FAILED: tb_data/tb_output_predictions.dat cannot be read.\n")
    events.unlink()
    assert run()[::2] == (2, "FAILED: tb_data/ cannot be read or written: run this in the project folder.\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.split("\n")[0] + "\n", "tb_input_features.dat holds no event"),
        (lambda t: "", "FAILED"),
        (lambda t: t.rsplit("\n", 2)[0] + "\n", "goes on after the 99 events"),
        (lambda t: t.replace("\n", "\n99999 0 0 0\n", 1), "the mantissa 99999 does not fit its type"),
        (lambda t: t.replace("\n", "\n1 2 3\n", 1), "line 2: 3 numbers instead of 4"),
    ],
)
def test_damaged_events_fail_and_are_named(bench, change, said):
    events, _, run = bench
    events.write_text(change(events.read_text()))
    code, out, err = run()
    assert (code, "0 differ" in out, said in err) == (2, False, True), err


def test_one_wrong_answer_is_found(bench):
    _, answers, run = bench
    head, first, rest = answers.read_text().split("\n", 2)
    answers.write_text("\n".join([head, " ".join(str(int(w) ^ 1) for w in first.split()), rest]))
    assert run()[:2] == (1, "100 events, 1 differ from the emulator\n")


def test_values_are_read_as_values_and_never_as_mantissas(written, bench):
    """Whole numbers too, which could be either; rounded and saturated by the modes of the input's type."""
    events, answers, run = bench
    rng = np.random.default_rng(5)
    whole, many = rng.integers(-40, 40, (20, 4)), rng.normal(size=(200, 4)) * np.exp(rng.normal(size=(200, 4)) * 6)
    ties = (rng.integers(-99, 99, (20, 4)) + 0.5) / 1024
    x = np.concatenate([whole, many, ties, [[0.0, -0.0, 1e-300, -1e-300], [1e300, -1e300, 31.9999, -32.1]]])
    np.savetxt(events, x, fmt="%.17g")
    code, _, err = run()
    assert (code, "Name yours as InputData" in err) == (2, True)  # the answers belong to other events
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverflowWarning)
        expected = written[0].predict(x)
    np.savetxt(answers, expected, fmt="%.17g")
    code, out, err = run()
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == f"largest difference from tb_data/{answers.name}: 0, mean 0"
    assert lines[1] == f"{len(x)} events, none compared with the emulator"
    np.savetxt(answers, expected + (np.arange(len(x)) == 7)[:, None] * 0.25, fmt="%.17g")
    assert "0.25 in event 8" in run()[1]


MODES = ["AP_TRN,AP_WRAP", "AP_RND,AP_SAT", "AP_RND_ZERO,AP_SAT_SYM", "AP_TRN_ZERO,AP_SAT_ZERO"]


@pytest.mark.parametrize(
    "kinds", [["ap_fixed<16,6,{}>", "ap_ufixed<9,12,{}>", "ap_fixed<60,-4,{}>", "ap_fixed<62,9,{}>"], ["ap_fixed<63,9,{}>"]]
)
def test_values_go_through_every_mode_as_in_predict(tmp_path, kinds):
    """On native integers too, where the design is compiled with them; one input for each type in each mode."""
    builder, types = Builder(), [kind.format(mode) for kind in kinds for mode in MODES]
    inputs = [builder.add(f"x{k}", Input((3,))) for k in range(len(types))]
    graph = builder.build([builder.add(f"y{k}", Relu(), [x]) for k, x in enumerate(inputs)])
    layers = {name: {"Precision": kind} for k, kind in enumerate(types) for name in (f"x{k}", f"y{k}")}
    design = convert(graph, hls_config(**layers))
    native = native_flags(design.project.files["myproject_bridge.cpp"])
    assert bool(native) == ("<63," not in kinds[0])
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(150, 3)) * np.exp(rng.normal(size=(150, 3)) * 12) for _ in inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverflowWarning)
        raws = design.predict_raw(x)
    expected = np.concatenate([raw.mantissas for raw in raws], axis=1).tolist()
    for flags in {(), tuple(native)}:
        folder = compiled(design, tmp_path / "p", flags=flags)
        np.savetxt(folder / "tb_data" / "tb_input_features.dat", np.concatenate(x, axis=1), fmt="%.17g")
        np.savetxt(folder / "tb_data" / "tb_output_predictions.dat", np.zeros((150, 3 * len(x))))
        subprocess.run(["./bench"], cwd=folder, check=True, capture_output=True)
        got = [line.split() for line in (folder / "tb_data" / "csim_results.log").read_text().splitlines()[1:]]
        assert [[int(w) for w in row] for row in got] == expected


def test_a_port_that_is_wider_than_what_reads_it_decides_the_integers_of_the_bench(tmp_path):
    b = Builder()
    graph = b.build([b.add("y", Relu(), [b.add("x", Input((3,)))])])
    design = convert(graph, hls_config(x={"Precision": "ap_fixed<63,9>"}, y={"Precision": "ap_fixed<60,6>"}))
    folder = compiled(design, tmp_path / "p", flags=native_flags(design.project.files["myproject_bridge.cpp"]))
    ended = subprocess.run(["./bench"], cwd=folder, check=True, capture_output=True, text=True)
    assert ended.stdout == "100 events, 0 differ from the emulator\n"


# ---- InputData and OutputPredictions ---------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", k]) for n, k in (("x", 4), ("y", 3))]
    graph = helper.make_graph([node], "net", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
    x = np.random.default_rng(1).normal(size=(37, 4))
    np.save("x.npy", x)
    np.save("y.npy", x @ weight.astype(float))
    keys = {"OnnxModel": "net.onnx", "InputData": "x.npy", "OutputPredictions": "y.npy", "OutputDir": "out"}
    Path("net.yml").write_text("".join(f"{k}: {v}\n" for k, v in keys.items()) + "ProjectName: net\n")
    return x


def run_json(capsys, *words):
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_bench_and_verify_run_the_users_events_and_show_the_differences(files, capsys):
    code, build = run_json(capsys, "build", "net.yml", "--tool", "csim")
    assert (code, build["checks"][0]["events"], build["checks"][0]["differ"]) == (0, 37, 0)
    assert "largest difference from tb_data/tb_model_predictions.dat: " in "".join(build["notes"])
    code, verified = run_json(capsys, "verify", "net.yml")
    assert (code, verified["events"]) == (0, 37)
    design = convert(None, "net.yml")
    away = np.abs(design.predict(files) - np.load("y.npy"))
    (found,) = verified["predictions"].values()
    assert (found["largest"], found["event"]) == (away.max(), 1 + int(np.argmax(away.max(axis=1))))
    assert found["mean"] == pytest.approx(away.mean())
    y = np.load("y.npy")
    y[5, 1] += 3
    np.save("y.npy", y)
    (found,) = run_json(capsys, "verify", "net.yml")[1]["predictions"].values()
    assert found["event"] == 6
    assert main(["verify", "net.yml"]) == 0
    assert "largest difference from OutputPredictions 3" in capsys.readouterr().out


@pytest.mark.long
def test_verilog_is_told_what_the_compiled_code_is(files, capsys):
    """Overflows, and how far the answers are from the predictions; one compilation by Verilator."""
    require_tool("verilator", shutil.which("verilator"))
    y = np.load("y.npy")
    y[5, 1] += 3
    np.save("y.npy", y)
    words = ("verify", "net.yml", "--precision", "ap_fixed<8,1>", "--tool")
    compiled, simulated = (run_json(capsys, *words, tool)[1] for tool in ("csim", "rtl"))
    assert simulated["events"] == 37
    assert simulated["predictions"] == compiled["predictions"] != {}
    assert simulated["overflows"] == compiled["overflows"] != []


@pytest.mark.parametrize("differ", [0, 1])
def test_a_build_of_verilog_says_how_far_it_is_from_the_predictions(files, monkeypatch, differ):
    simulated = Simulation(Check("rtl", 37, differ, 1, 1), "", "", "rtl/x.log", 0.0)
    monkeypatch.setattr("nn2hls.tools.rtl.run.simulate_rtl", lambda *given: simulated)
    for room in ("rtl.run", "steps"):
        monkeypatch.setattr(f"nn2hls.tools.{room}.find", lambda name: name)
    monkeypatch.setattr("nn2hls.tools.rtl.run.version", lambda name: "1")
    np.save("y.npy", np.load("y.npy") + 3)
    notes = convert(None, "net.yml").build("rtl", steps=("verilog", "simulate")).notes
    assert len([n for n in notes if "y: largest difference from OutputPredictions 3" in n]) == 1 - differ


def test_input_comes_before_inputdata(files, capsys):
    np.save("few.npy", files[:5])
    code, verified = run_json(capsys, "verify", "net.yml", "--input", "few.npy")
    assert (code, verified["events"], verified["predictions"]) == (0, 5, {})


@pytest.mark.parametrize("command", ["convert", "verify", "build"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: Path("x.npy").unlink(), "x.npy: The data cannot be read: No such file"),
        (lambda: Path("y.npy").unlink(), "y.npy: The data cannot be read: No such file"),
        (lambda: np.save("y.npy", np.zeros((36, 3))), "y.npy: It answers 36 events, and InputData has 37"),
        (lambda: np.save("y.npy", np.zeros((37, 4))), "y.npy: Its shape is (37, 4), and output"),
        (lambda: np.save("x.npy", np.zeros((37, 5))), "x.npy: Its shape is (37, 5), and input 'x' takes"),
    ],
)
def test_missing_and_wrong_files_are_errors(files, capsys, command, change, said):
    change()
    assert main([command, "net.yml"]) == 1
    assert said in capsys.readouterr().err


def test_predictions_of_no_data_are_refused(files):
    config = read_config("net.yml")
    config = type(config)(**{**vars(config), "input_data": None})
    with pytest.raises(DataError, match="OutputPredictions without InputData"):
        convert(None, config).project  # noqa: B018


def test_mantissas_of_a_test_bench_are_not_read_as_values(files):
    folder = convert(None, "net.yml").write("out")
    for name in ("tb_input_features", "tb_output_predictions"):
        with pytest.raises(DataError, match="mantissas of a test bench"):
            load(folder / "tb_data" / f"{name}.dat")
    assert load(folder / "tb_data" / "tb_model_predictions.dat")[""].tolist() == np.load("y.npy").tolist()
