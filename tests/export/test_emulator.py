"""The exported C++ library answers what the emulator does: every op, every mode of inputs, a folder as a user has it."""

import ctypes
import shutil
import subprocess
import sys

import numpy as np
import pytest

import nn2hls
from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.design.bench import mantissas_of
from nn2hls.emit.plain import plain
from nn2hls.errors import LimitError
from nn2hls.export.emulator import emulator_project, library
from nn2hls.graph.analysis import graph_ranges
from nn2hls.graph.graph import Graph, Node, Origin
from nn2hls.ops import Input, Reshape
from tests.kit.core_cases import EVERY, every_mode
from tests.kit.networks import hls_config, mlp
from tests.kit.tools import require_tool

FLAGS = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
SANE = ["-O0", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-fno-sanitize=shift-base"]


def load(files, name, folder, flags=("-O1",)):
    """The library that g++ makes of an export."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    made = folder / f"lib{name}_emulator.so"
    subprocess.run(["g++", *FLAGS, *flags, folder / f"{name}_emulator.cpp", "-o", made], check=True)
    return ctypes.CDLL(str(made))


def call(function, inputs, sizes, kind):
    """(code, outputs) of the C interface for arrays (events, elements)."""
    outputs = [np.empty((len(inputs[0]), n), dtype=kind) for n in sizes]
    xs = [np.ascontiguousarray(x, dtype=kind) for x in inputs]
    arrays = [(ctypes.c_void_p * len(group))(*(a.ctypes.data for a in group)) for group in (xs, outputs)]
    return function(ctypes.c_int64(len(xs[0])), *arrays), outputs


@pytest.mark.long
def test_every_op_is_what_the_emulator_answers(tmp_path):
    """With checks of overflow and of shifts: each proven range holds in C++ too."""
    rng = np.random.default_rng(31)
    cases = [c for make in EVERY for width in ((1, 18), (20, 62)) for c in make(rng, width)] + list(every_mode())
    cases = [c for c in cases if accepted(c)]
    graph = Graph(
        tuple(n for k, c in enumerate(cases) for n in c.nodes(f"c{k}_", ports=True)),
        tuple(f"c{k}_op" for k in range(len(cases))),
    )
    compiled = load(library(graph, graph_ranges(graph), "all_ops"), "all_ops", tmp_path, SANE)
    inputs = [c.draw(rng, 20, ports=True) for c in cases]
    flat = [x.reshape(20, -1) for xs in inputs for x in xs]
    _, found = call(compiled.all_ops_run, flat, [int(np.prod(c.shape)) for c in cases], np.int64)
    assert len(cases) > 100
    for case, xs, got in zip(cases, inputs, found, strict=True):
        assert np.array_equal(got, case.emulate(xs, ports=True).reshape(20, -1)), (case.op, case.kinds, case.result)


def accepted(case):
    """Whether plain C++ has room for it."""
    graph = Graph(tuple(case.nodes(ports=True)), ("op",))
    try:
        plain(graph, graph_ranges(graph), {n.name: n.name for n in graph})
    except LimitError:
        return False
    return case.result.width + (not case.result.signed) <= 64


def test_floats_are_rounded_by_every_mode(tmp_path):
    """Ties, ends, and far outside: the mantissas of an input as the emulator takes them."""
    rng = np.random.default_rng(32)
    kinds = [FixedType(w, i, s, r, o) for r in Rounding for o in Overflow for w, i, s in KINDS]
    nodes = [Node(f"x{k}", Input((40,)), (), (40,), kind, Origin(f"x{k}")) for k, kind in enumerate(kinds)]
    nodes += [Node(f"y{k}", Reshape((8, 5)), (f"x{k}",), (8, 5), kind, Origin(f"y{k}")) for k, kind in enumerate(kinds)]
    graph = Graph(tuple(nodes), tuple(f"y{k}" for k in range(len(kinds))))
    compiled = load(library(graph, graph_ranges(graph), "modes"), "modes", tmp_path)
    floats = []
    for kind in kinds:
        quarters = np.rint(rng.uniform(-6, 6, (3, 40)) * min(2.0**40, max(kind.max_mantissa, 8))) * (kind.step / 4)
        quarters[0, :12] = np.arange(-6, 6) * (kind.step / 2)
        quarters[1, :7] = [1e300, -1e300, 5e-324, -5e-324, kind.max, kind.min, kind.max + kind.step / 2]
        floats.append(quarters)
    code, found = call(compiled.modes_predict, floats, [40] * len(kinds), np.float64)
    assert code == 0
    for kind, got, want in zip(kinds, found, mantissas_of(graph, floats), strict=True):
        assert np.array_equal(got, want.astype(float) * kind.step), kind
    floats[3][2, 5] = np.nan
    assert call(compiled.modes_predict, floats, [40] * len(kinds), np.float64)[0] == 4


KINDS = ((6, 3, True), (5, 9, False), (30, -4, True), (62, 40, False), (1, 1, True))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(design, folder) of an exported design, written and built by CMake."""
    require_tool("cmake", shutil.which("cmake"))
    folder = tmp_path_factory.mktemp("exported") / "tagger"
    design = nn2hls.convert(mlp(np.random.default_rng(1), (4, 8, 3)), hls_config({"ReuseFactor": 2}))
    emulator_project(design).write(folder)
    for command in (["-S", ".", "-B", "build"], ["--build", "build"]):
        subprocess.run(["cmake", *command], cwd=folder, check=True, capture_output=True)
    return design, folder


def test_the_golden_events_are_compared(exported):
    folder = exported[1]
    run = subprocess.run([folder / "build" / "myproject_test", folder / "golden"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "400 events, 0 values differ\n")
    answers = folder / "golden" / "mantissas_answers.txt"
    first, _, rest = answers.read_text().partition("\n")
    answers.write_text(f"{first[:-1]}{(int(first[-1]) + 1) % 10}\n{rest}")
    run = subprocess.run([folder / "build" / "myproject_test", folder / "golden"], capture_output=True, text=True, check=False)
    answers.write_text(f"{first}\n{rest}")
    assert (run.returncode, run.stdout) == (1, "400 events, 1 values differ\n")


def test_python_reads_the_library(exported):
    design, folder = exported
    x = np.random.default_rng(2).normal(size=(50, 4)) * 30
    program = "import sys, numpy as np, myproject_emulator as m; np.save(sys.argv[2], m.predict(np.load(sys.argv[1])))"
    np.save(folder / "x.npy", x)
    subprocess.run([sys.executable, "-c", program, "x.npy", "y.npy"], cwd=folder, check=True)
    assert np.array_equal(np.load(folder / "y.npy"), design.predict(x))
    run = subprocess.run(
        [sys.executable, "-c", "import myproject_emulator as m; m.predict([[1.0, float('nan'), 0, 0]])"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "input 0 holds NaN or infinity" in run.stderr


def test_what_is_too_wide_is_refused_by_name():
    design = nn2hls.convert(mlp(np.random.default_rng(1), (4, 3)), hls_config({"Precision": "ap_fixed<70,30>"}))
    with pytest.raises(LimitError, match="does not fit the 64 bits"):
        emulator_project(design)
