"""Our own Verilog in two simulators: every op, networks, reuse, several ports; latency and interval as planned."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.errors import ConfigError, LimitError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Constant, Dense, Elementwise, Input, Merge, Scale
from tests.kit.core_cases import EVERY, every_mode
from tests.kit.networks import mlp, two_in_two_out
from tests.kit.rtl import registers_in, rtl_project, simulate
from tests.kit.tools import require_tool

SIMULATORS = ("iverilog", "verilator")
PART = "xc7vx690tffg1930-3"


def verilog(graph, model=None, layers=None, **more):
    levels = {"Model": model or {}, "LayerName": layers or {}}
    return convert(graph, {"Backend": "Verilog", "Part": PART, **more, "HLSConfig": levels})


@pytest.mark.long
@pytest.mark.parametrize(("seed", "width", "period"), [(0, (1, 16), 12.0), (1, (3, 40), 40.0), (2, (1, 20), 1000.0)])
def test_every_op(seed, width, period, tmp_path):
    """All in one design: outputs wait for the slowest, and each is right."""
    rng = np.random.default_rng(seed)
    cases = [c for make in EVERY for c in make(rng, width) if getattr(c.op, "reuse", 1) == 1]
    cases = cases if seed else [*cases, *every_mode()]
    project, order = rtl_project(cases, rng, 60, period)
    found = simulate(project, tmp_path, 60)
    assert (found.check.differ, found.first) == (0, "")
    assert (found.check.latency, found.check.interval) == (order.latency, 1)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("reuse", [1, 3])
@pytest.mark.long
def test_a_network(simulator, reuse, tmp_path):
    graph = mlp(np.random.default_rng(0), (8, 12, 4), density=0.5)
    design = verilog(graph, {"Precision": "ap_fixed<12,5>", "ReuseFactor": reuse})
    project, order = design._rtl
    found = simulate(project, tmp_path, 200, simulator)
    assert (found.check.events, found.check.differ, found.first) == (200, 0, "")
    assert (found.check.latency, found.check.interval) == (order.latency, order.interval) == (order.latency, reuse)


@pytest.mark.parametrize("reuse", [2, 5, 7, 48, 1000])
def test_any_reuse_factor_has_its_interval(reuse, tmp_path):
    graph = mlp(np.random.default_rng(1), (6, 8, 3), density=0.6)
    design = verilog(graph, {"Precision": "ap_fixed<10,4>", "ReuseFactor": reuse})
    project, order = design._rtl
    found = simulate(project, tmp_path, 60)
    assert (found.check.differ, found.check.interval) == (0, order.interval)
    assert order.interval <= reuse


@pytest.mark.parametrize("reuse", [1, 4])
def test_several_inputs_outputs_and_leading_axes(reuse, tmp_path):
    design = verilog(two_in_two_out(np.random.default_rng(2)), {"Precision": "ap_fixed<12,5>", "ReuseFactor": reuse})
    project, order = design._rtl
    found = simulate(project, tmp_path, 100)
    assert (found.check.differ, found.first) == (0, "")
    assert (found.check.latency, found.check.interval) == (order.latency, order.interval)


@pytest.mark.parametrize("arguments", ["+gaps=60 +seed=5", "+restart=20 +seed=3", "+gaps=30 +restart=9", "+restart=99999"])
@pytest.mark.parametrize("reuse", [1, 4])
def test_gaps_and_a_reset_on_the_way(arguments, reuse, tmp_path):
    require_tool("iverilog", shutil.which("iverilog"))
    design = verilog(mlp(np.random.default_rng(3), (4, 6, 2)), {"Precision": "ap_fixed<9,4>", "ReuseFactor": reuse})
    folder = design._rtl[0].write(tmp_path / "p") / "rtl"
    command = ["iverilog", "-g2001", "-Wall", "-Wno-timescale", "-o", "bench", "myproject.v", "myproject_bench.v"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (built.returncode, [line for line in built.stderr.splitlines() if "myproject.v" in line]) == (0, [])
    run = subprocess.run(["vvp", "-n", "bench", *arguments.split()], cwd=folder, capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines()[-1] == "PASS", run.stdout


def test_a_wrong_word_is_seen(tmp_path):
    design = verilog(mlp(np.random.default_rng(3), (4, 6, 2)), {"Precision": "ap_fixed<9,4>"})
    project, _ = design._rtl
    text = project.files["rtl/myproject.v"]
    changed = re.sub(r"^(    wire .* = .*) \+ ", r"\1 - ", text, count=1, flags=re.M)
    assert changed != text
    project.files["rtl/myproject.v"] = changed
    assert simulate(project, tmp_path, 100).check.differ > 0


def test_the_estimate_is_what_was_built():
    for reuse in (1, 3):
        design = verilog(two_in_two_out(np.random.default_rng(4)), {"Precision": "ap_fixed<12,5>", "ReuseFactor": reuse})
        project, order = design._rtl
        found = design.estimate()
        assert (found.latency_cycles, found.ii, found.ff) == (order.latency, order.interval, order.registers)
        assert registers_in(project.files["rtl/myproject.v"]) == order.registers


def test_constants_wait_in_no_register(tmp_path):
    """A constant layer that leaves the design, and one that is read late."""
    b = Builder()
    x, k = b.add("x", Input((3,))), b.add("k", Constant(Const(np.array([0.5, -2.0, 1.0]))))
    y = b.add("y", Dense(Const(np.random.default_rng(6).normal(size=(3, 3))), Const(np.zeros(3))), [x])
    z = b.add("z", Elementwise(Merge.ADD), [y, k])
    design = verilog(b.build([z, k]), {"Precision": "ap_fixed<12,5>"}, ClockPeriod=2)
    project, order = design._rtl
    assert order.latency > 1
    assert "k__1" not in project.files["rtl/myproject.v"]
    assert design.estimate().ff == order.registers == registers_in(project.files["rtl/myproject.v"])
    assert simulate(project, tmp_path, 100).check.differ == 0


def test_a_clock_that_no_cell_meets_is_refused_with_one_that_works():
    design = verilog(mlp(np.random.default_rng(0), (4, 4, 2)), {"Precision": "ap_fixed<16,6>"}, ClockPeriod=0.5)
    with pytest.raises(
        LimitError, match=r"takes \d\.\d\d ns, and the clock leaves 0\.50 ns.*ClockPeriod: (\d+\.?\d*)"
    ) as error:
        design.project  # noqa: B018
    works = float(str(error.value).split("ClockPeriod: ")[1].split(",")[0])
    verilog(mlp(np.random.default_rng(0), (4, 4, 2)), {"Precision": "ap_fixed<16,6>"}, ClockPeriod=works).project  # noqa: B018


def test_strategies_give_the_same_answers(tmp_path):
    graph = mlp(np.random.default_rng(5), (12, 16, 5), density=0.6)
    found = {}
    for strategy in ("Latency", "DistributedArithmetic"):
        design = verilog(graph, {"Precision": "ap_fixed<14,5>", "Strategy": strategy})
        assert simulate(design._rtl[0], tmp_path / strategy, 100).check.differ == 0
        found[strategy] = design.estimate().lut
    assert found["DistributedArithmetic"] < 0.9 * found["Latency"]


def test_an_interface_of_cpp_is_refused():
    with pytest.raises(ConfigError, match="Interface hls4ml is for C"):
        convert(mlp(np.random.default_rng(5), (4, 3, 2)), {"Backend": "Verilog", "Interface": "hls4ml"})


@pytest.mark.long
def test_without_the_solver_a_note_says_so(monkeypatch):
    from nn2hls import extras

    graph = mlp(np.random.default_rng(5), (6, 5, 2))
    monkeypatch.setattr(extras, "has_solver", lambda: False)
    design = verilog(graph, {"Strategy": "DistributedArithmetic"})
    assert any("alkaid" in n and "[da]" in n for n in design.notes)
    assert design.verify(tool="rtl").equal


def test_a_written_project_simulates_itself(tmp_path):
    require_tool("iverilog", shutil.which("iverilog"))
    folder = verilog(mlp(np.random.default_rng(5), (4, 3, 2))).write(tmp_path / "p")
    assert {"README.md", "Makefile", "config.yml", "nn2hls.json", "rtl"} <= {p.name for p in folder.iterdir()}
    run = subprocess.run(["make", "--no-print-directory", "simulate"], cwd=folder, capture_output=True, text=True)
    assert run.stdout.splitlines()[-1] == "PASS", run


def test_types_of_ports(tmp_path):
    kinds = {"x": FixedType(1, 1, False), "z": FixedType(63, 20)}
    b = Builder()
    for name in kinds:
        b.add(name, Input((3,)))
    b.add("y", Elementwise(Merge.ADD), ["x", "z"])
    layers = {n: {"Precision": str(k)} for n, k in kinds.items()} | {"y": {"Precision": "ap_fixed<63,22,AP_RND,AP_SAT>"}}
    project, _ = verilog(b.build(["y", "x"]), layers=layers)._rtl
    assert simulate(project, tmp_path, 100).check.differ == 0


def test_an_answer_that_is_a_scalar_beyond_64_bits(tmp_path):
    builder = Builder()
    builder.add("x", Input(()))
    builder.add("y", Scale(Const(np.array(1.75)), Const(np.array(0.5))), ["x"])
    design = verilog(builder.build(["y"]), layers={"y": {"Precision": {"result": "ap_fixed<90,30>"}}})
    found = simulate(design._rtl[0], tmp_path, 20)
    assert (found.check.events, found.check.differ, found.first) == (20, 0, "")
