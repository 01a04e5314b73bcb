"""The C++ cast, the casts of designs and the stand-ins against Python, plain fractions and SystemC."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from nn2hls.emit.options import Options
from nn2hls.emit.project import emit
from nn2hls.tools.gxx import FLAGS, NATIVE, compile_project
from tests.kit import cpp_cases
from tests.kit.cpp_cases import COMPILERS
from tests.kit.emitted_casts import cast_networks
from tests.kit.tools import require_tool

FAST = ("-std=c++11", "-O0", *FLAGS[2:])


@pytest.fixture(scope="session")
def python_bytes():
    return cpp_cases.small_casts()


@pytest.mark.parametrize(("tool", "compiler", "standard"), COMPILERS)
def test_every_small_cast_agrees_with_python(tool, compiler, standard, tmp_path, python_bytes):
    require_tool(tool, shutil.which(compiler))
    np.testing.assert_array_equal(cpp_cases.small_casts_of(compiler, standard, tmp_path), python_bytes)


def test_every_small_cast_agrees_with_systemc(tmp_path, python_bytes):
    require_tool("systemc", Path("/usr/include/systemc.h").exists() and shutil.which("g++"))
    source = cpp_cases.SOURCES / "systemc_all.cpp"
    cpp_cases.build_and_run("g++", "c++17", source, tmp_path, flags=["-lsystemc"], arguments=[tmp_path / "out"])
    judged = np.fromfile(tmp_path / "out", dtype=np.uint8).reshape(-1, len(cpp_cases.OPERANDS))
    np.testing.assert_array_equal(judged, python_bytes)


@pytest.mark.parametrize(("tool", "compiler", "standard"), COMPILERS)
def test_arithmetic_of_any_width(tool, compiler, standard, tmp_path):
    require_tool(tool, shutil.which(compiler))
    text, expected = cpp_cases.program(f"{tool} 1", 60, 16)
    source = tmp_path / "typed.cpp"
    source.write_text(text)
    assert cpp_cases.build_and_run(compiler, standard, source, tmp_path).split("\n")[:-1] == expected


@pytest.mark.parametrize(
    ("backend", "widest", "compiler"), [("Vitis", 130, "clang++"), ("Vitis", 62, "g++"), ("Bambu", 62, "g++")]
)
def test_the_casts_of_designs(backend, widest, compiler):
    """On words of any width, on native integers, and as Bambu computes them."""
    require_tool(compiler.rstrip("+") if compiler == "clang++" else compiler, shutil.which(compiler))
    graph, inputs, wanted = cast_networks(backend, 4, widest)
    project = emit(graph, Options(backend=backend))
    bridge = project.files["myproject_bridge.cpp"]
    assert (f"#define {NATIVE}" in bridge) == (backend == "Vitis" and widest < 64)
    found = compile_project(project, compiler, FAST)(inputs, [1] * len(wanted))
    for node, own, answers in zip(graph.outputs, found, wanted, strict=True):
        assert own.tolist() == answers.tolist(), graph[node]


MUTATIONS = {
    "a tie goes the other way": ("rounding == RND_ZERO ? minus", "rounding == RND_ZERO ? !minus"),
    "even becomes odd": ("? odd\n", "? !odd\n"),
    "the bits below the half are one too few": ("(one << below) - one", "(one << below) - one - one"),
    "a symmetric end is not": ("ap_int<T>(zero - max)", "ap_int<T>(zero - max - one)"),
    "numbers of two modes are exchanged": ("RND_INF = 4", "RND_INF = 5"),
}


@pytest.mark.parametrize("change", MUTATIONS)
def test_a_changed_cast_is_seen(change, tmp_path, python_bytes):
    require_tool("g++", shutil.which("g++"))
    before, after = MUTATIONS[change]
    header = (cpp_cases.FIRMWARE / "nn2hls" / "cast.h").read_text()
    assert header.count(before) == 1
    (tmp_path / "nn2hls").mkdir()
    (tmp_path / "nn2hls" / "cast.h").write_text(header.replace(before, after))
    assert (cpp_cases.small_casts_of("g++", "c++11", tmp_path, firmware=tmp_path) != python_bytes).any()
