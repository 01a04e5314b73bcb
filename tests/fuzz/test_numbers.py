"""A short run of the numbers fuzzer, with the same networks every time; `make fuzz` runs it for an hour."""

import dataclasses
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import settings

import nn2hls
from nn2hls import ops
from nn2hls.emulate.emulator import Emulator
from nn2hls.graph.analysis import graph_ranges
from nn2hls.ops import Dense, Table
from nn2hls.ops.roll import rolled
from tests.fuzz import checks, numbers, rtl
from tests.fuzz.drawing import draw
from tests.kit import streamed
from tests.kit.networks import side_by_side
from tests.kit.paths import ROOT
from tests.kit.recurrent import network
from tests.kit.tools import require_tool


@pytest.mark.long
def test_random_networks_agree():
    found = numbers.run(seed=2028, networks=48, batch=48)
    assert found.faults == []
    assert found.counts["compiled"] >= 45


NOT_DRAWN = {
    "Op": "what all of them are",
    "Normalised": "resolving makes it of a Table",
    "Carry": "it names an input of its network, whose type it has; tests/ops/test_carry.py draws it",
    "Gather": "its indices are computed; tests/ops/test_gather.py draws them",
    "QuantizeEach": "only quantised models have it; tests/ops/test_quantize_each.py draws it",
    "Lookup": "its words are those of a quantised model; tests/kit/core_cases.py draws them",
    "Function": "the functions of a Table",
    "Merge": "the kinds of Elementwise",
    "Reduction": "the kinds of Reduce",
    "Simple": "the kinds of Unary",
    "Strategy": "a setting of Dense",
}


def test_every_op_is_drawn():
    """An op that is added to the list is drawn, too, or the table says why not."""
    drawn = {type(node.op).__name__ for k in range(250) for node in draw(np.random.default_rng([7, k])).graph}
    assert drawn == set(ops.__all__) - NOT_DRAWN.keys()


def test_networks_run_as_processes(monkeypatch):
    """A wrong element that a process gathers is found in Python, and one that it sends in C++."""
    firing = streamed.firing
    monkeypatch.setattr(streamed, "firing", lambda process, gathered: firing(process, gathered)[:, ::-1])
    monkeypatch.setattr(numbers, "compiled", lambda cases, kind: None)
    found = numbers.run(seed=2028, networks=12)
    assert any(what.startswith("Processes at") for _, what in found.faults)


def test_the_same_seed_draws_the_same_network():
    first, again, other = (str(draw(np.random.default_rng([5, k]))) for k in (1, 1, 2))
    assert first == again != other


def test_processes_side_by_side_share_the_networks(monkeypatch):
    monkeypatch.setattr(numbers, "compiled", lambda cases, kind: None)
    alone = numbers.run(seed=2028, networks=7)
    both = numbers.run_side_by_side(2028, 2, networks=7, seconds=None)
    assert both.counts == alone.counts
    assert both.refusals == alone.refusals


@pytest.mark.parametrize("what", ["emulator", "shrink", "bound", "crash"])
def test_a_fault_is_found(monkeypatch, what):
    """A wrong sum, a channel too few, a bound too small, an exception that no user should see."""
    if what == "emulator":
        kernel = Dense.kernel
        monkeypatch.setattr(Dense, "kernel", lambda self, xs: lambda *a: _plus_one(kernel(self, xs)(*a)))
    elif what == "shrink":
        monkeypatch.setattr(sys.modules["nn2hls.passes.shrink"], "_summed", _forgets_one)
    elif what == "bound":
        errors = Table._errors
        monkeypatch.setattr(Table, "_errors", lambda self, xs: dataclasses.replace(errors(self, xs), largest=0.0))
    else:
        monkeypatch.setattr(Emulator, "run", lambda *a, **k: 1 // 0)
    monkeypatch.setattr(numbers, "compiled", lambda cases, kind: None)
    assert any(numbers.run(seed=2028, networks=1, first=index).faults for index in range(60))


def _plus_one(sums):
    return sums + 1 if isinstance(sums, np.ndarray) else sums


def _forgets_one(weight, same, rows=None):
    """As shrink adds the weights of equal inputs, without the last input."""
    out = np.zeros((rows or len(same), weight.shape[1]), dtype=weight.dtype)
    kept = same[:-1] >= 0
    np.add.at(out, same[:-1][kept], weight[:-1][kept])
    return out


def test_a_difference_of_the_cpp_names_the_case(monkeypatch):
    compile_project = checks.compile_project

    def wrong(project, **more):
        cast = project.files["firmware/nn2hls/cast.h"].replace("false>::type bits = m;", "false>::type bits = m + 1;")
        assert cast != project.files["firmware/nn2hls/cast.h"]
        files = project.files | {"firmware/nn2hls/cast.h": cast}
        return compile_project(dataclasses.replace(project, files=files), **more)

    monkeypatch.setattr(checks, "compile_project", wrong)
    (case, what), *_ = numbers.run(seed=2028, networks=6, batch=1).faults
    assert case.startswith("2028:")
    assert "C++" in what


def test_a_difference_of_the_verilog_names_the_case(monkeypatch):
    require_tool("iverilog", shutil.which("iverilog"))
    simulate_rtl = rtl.simulate_rtl

    def wrong(folder, *more):
        answers = folder / "rtl" / "answers.hex"
        first, *rest = answers.read_text().splitlines()
        answers.write_text("\n".join([f"{int(first, 16) ^ 1:x}", *rest]))
        return simulate_rtl(folder, *more)

    monkeypatch.setattr(rtl, "SHARE", 1.0)
    monkeypatch.setattr(numbers, "compiled", lambda cases, kind: None)
    assert (found := numbers.run(seed=2028, networks=4)).faults == []
    assert found.counts["simulated"] == 4
    monkeypatch.setattr(rtl, "simulate_rtl", wrong)
    (case, what), *_ = numbers.run(seed=2028, networks=4).faults
    assert case.startswith("2028:")
    assert "1 of 20 events differ" in what


def test_what_ends_a_compilation_is_noted_and_ends_no_run(monkeypatch):
    """Of networks that fail together alone, too."""

    def fails(cases, kind):
        if len(cases) > 1:
            raise ValueError("No shape.")

    monkeypatch.setattr(numbers, "compiled", fails)
    found = numbers.run(seed=2028, networks=6, batch=100)
    assert found.counts["networks"] == 6
    assert all("ValueError: No shape." in what and "together" in what for _, what in found.faults)
    assert {case for case, _ in found.faults}


def test_steps_in_turns_of_networks_side_by_side_stay_apart():
    """Their layers have one name, and other sizes."""
    config = {"Model": {"TimeStepLoopParallelism": "Off"}}
    designs = [nn2hls.convert(network("rnn", 0, (3, 2), units), config) for units in (1, 2)]
    graph = side_by_side([d.graph for d in designs])
    whole, _ = rolled(graph, graph_ranges(graph))
    found = [n.op.body.outputs for n in whole if n.op.repeats is not None]
    assert len(found) == 2
    assert not set(found[0]) & set(found[1])


def test_hypothesis_draws_new_examples_only_when_it_is_asked_to():
    open_seeds = os.environ.get("NN2HLS_HYPOTHESIS") == "fuzz"
    assert settings.default.derandomize is not open_seeds
    assert settings.default.deadline is None


def test_the_command_line(tmp_path):
    command = [sys.executable, "-m", "tests.fuzz"]
    run = subprocess.run([*command, "numbers", "--only", "2028:3"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 networks in" in run.stdout
    run = subprocess.run([*command, "letters"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "numbers" in run.stderr
