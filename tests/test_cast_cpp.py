"""The C++ cast and the stand-ins against Python, plain fractions and SystemC, on every mantissa."""

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import cpp_cases
import numpy as np
import pytest
from conftest import require_tool

from nn2hls.fixed import Overflow, Rounding, cast

HERE = Path(__file__).parent
FIRMWARE = HERE.parent / "firmware_lib"
# A vendor's own ap_int.h can take the place of the stand-ins: NN2HLS_AP_TYPES=/tools/Vitis_HLS/2023.2/include.
AP_TYPES = Path(os.environ.get("NN2HLS_AP_TYPES", FIRMWARE / "ap_types"))
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
COMPILERS = [("g++", "g++", "c++11"), ("clang", "clang++", "c++17")]
OPERANDS = np.arange(-128, 128)


def build_and_run(compiler, standard, source, tmp_path, *, firmware=FIRMWARE, flags=(), arguments=()):
    """Compile one file and run it; what it prints. The compiler's words are the failure."""
    program = tmp_path / f"{source.stem}-{standard}"
    warnings = ["-w"] if "NN2HLS_AP_TYPES" in os.environ else WARNINGS  # the vendor's templates warn
    command = [compiler, f"-std={standard}", *warnings, f"-I{HERE / 'cpp'}", f"-I{firmware}", f"-I{AP_TYPES}"]
    done = subprocess.run([*command, str(source), "-o", str(program), *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    quiet = {**os.environ, "SYSTEMC_DISABLE_COPYRIGHT_MESSAGE": "1"}
    return subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, check=True, env=quiet).stdout


@pytest.fixture(scope="session")
def python_bytes():
    """The casts that cast_all.cpp makes, in its order."""
    rows = [
        cast(OPERANDS, shift, width, signed, rounding, overflow).astype(np.uint8)
        for width, signed, shift, rounding, overflow in itertools.product(
            range(1, 7), (False, True), range(-8, 9), Rounding, Overflow
        )
    ]
    return np.array(rows)


def cast_bytes(compiler, standard, tmp_path, firmware=FIRMWARE, flags=()):
    build_and_run(
        compiler,
        standard,
        HERE / "cpp" / "cast_all.cpp",
        tmp_path,
        firmware=firmware,
        flags=["-O1", *flags],
        arguments=[tmp_path / "out"],
    )
    return np.fromfile(tmp_path / "out", dtype=np.uint8).reshape(-1, len(OPERANDS))


@pytest.mark.parametrize(("tool", "compiler", "standard"), COMPILERS)
def test_every_small_cast_agrees_with_python(tool, compiler, standard, tmp_path, python_bytes):
    require_tool(tool, shutil.which(compiler))
    np.testing.assert_array_equal(cast_bytes(compiler, standard, tmp_path), python_bytes)


def test_every_small_cast_agrees_with_systemc(tmp_path, python_bytes):
    require_tool("systemc", Path("/usr/include/systemc.h").exists() and shutil.which("g++"))
    source = HERE / "cpp" / "systemc_all.cpp"
    build_and_run("g++", "c++17", source, tmp_path, flags=["-lsystemc"], arguments=[tmp_path / "out"])
    judged = np.fromfile(tmp_path / "out", dtype=np.uint8).reshape(-1, len(OPERANDS))
    np.testing.assert_array_equal(judged, python_bytes)


@pytest.mark.parametrize(("tool", "compiler", "standard"), COMPILERS)
@pytest.mark.parametrize("cases", [cpp_cases.cast_cases, cpp_cases.arithmetic_cases])
def test_typed_casts_and_arithmetic_of_any_width(cases, tool, compiler, standard, tmp_path):
    require_tool(tool, shutil.which(compiler))
    pairs, count = (112, 16) if cases is cpp_cases.cast_cases else (60, 16)
    text, expected = cpp_cases.program(f"{tool} 1", cases, pairs, count)
    source = tmp_path / "typed.cpp"
    source.write_text(text)
    assert build_and_run(compiler, standard, source, tmp_path).split("\n")[:-1] == expected


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
    header = (FIRMWARE / "nn2hls" / "cast.h").read_text()
    assert header.count(before) == 1
    (tmp_path / "nn2hls").mkdir()
    (tmp_path / "nn2hls" / "cast.h").write_text(header.replace(before, after))
    assert (cast_bytes("g++", "c++11", tmp_path, firmware=tmp_path) != python_bytes).any()
