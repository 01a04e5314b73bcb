"""The C++ cast and the stand-ins against Python, plain fractions and SystemC, on every mantissa."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.kit import cpp_cases
from tests.kit.cpp_cases import COMPILERS
from tests.kit.tools import require_tool


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
@pytest.mark.parametrize("cases", [cpp_cases.cast_cases, cpp_cases.arithmetic_cases])
def test_typed_casts_and_arithmetic_of_any_width(cases, tool, compiler, standard, tmp_path):
    require_tool(tool, shutil.which(compiler))
    pairs, count = (112, 16) if cases is cpp_cases.cast_cases else (60, 16)
    text, expected = cpp_cases.program(f"{tool} 1", cases, pairs, count)
    source = tmp_path / "typed.cpp"
    source.write_text(text)
    assert cpp_cases.build_and_run(compiler, standard, source, tmp_path).split("\n")[:-1] == expected


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
