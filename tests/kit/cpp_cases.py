"""Cases for the C++ cast and for ap_int arithmetic: the C++ text, what it must print, and how it is compiled and run."""

import itertools
import os
import random
import subprocess
from pathlib import Path

import numpy as np

from nn2hls.arith.fixed import Overflow, Rounding, cast
from tests.kit.paths import ROOT

SOURCES = ROOT / "tests" / "cpp"
FIRMWARE = ROOT / "firmware_lib"
# A vendor's own ap_int.h can take the place of the stand-ins: NN2HLS_AP_TYPES=/tools/Vitis_HLS/2023.2/include.
AP_TYPES = Path(os.environ["NN2HLS_AP_TYPES"]) if "NN2HLS_AP_TYPES" in os.environ else None
COMPILERS = [("g++", "g++", "c++11"), ("clang", "clang++", "c++17")]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
OPERANDS = np.arange(-128, 128)

WORDS = 5
EDGES = [1, 2, 3, 31, 32, 33, 62, 63, 64, 65, 66, 127, 128, 129, 130]


def wrap(value, width, signed):
    value %= 1 << width
    return value - (1 << width) if signed and value >> (width - 1) else value


def words(value):
    value %= 1 << (64 * WORDS)
    return "{" + ",".join(f"{(value >> (64 * i)) & (2**64 - 1):#x}ull" for i in range(WORDS)) + "}"


def printed(value):
    return f"{value % (1 << (64 * WORDS)):0{16 * WORDS}x}"


def draw_width(rng, top):
    return rng.choice(EDGES) if rng.random() < 0.3 else rng.randint(1, rng.choice([12, 40, top]))


def draw_mantissa(rng, width, signed, at=None):
    """A mantissa of any size; often an end of the range, or close to ``at``."""
    bits = rng.randint(0, width)
    value = rng.choice(
        [rng.getrandbits(width), -rng.getrandbits(bits + 1), (1 << bits) + rng.randint(-2, 2), rng.randint(-3, 3)]
    )
    if at is not None and rng.random() < 0.6:
        value = at + rng.randint(-2, 2)
    return wrap(value, width, signed)


def int_type(width, signed):
    return f"ap_{'' if signed else 'u'}int<{width}>"


def arithmetic_cases(rng, pairs, count):
    """(C++ statements, expected lines) of every operator of ap_int and ap_uint, with the widths of UG1399."""
    code, expected = [], []
    for _ in range(pairs):
        (wa, sa), (wb, sb) = (((draw_width(rng, 130)), rng.random() < 0.5) for _ in range(2))
        operands = [draw_mantissa(rng, *((wb, sb) if i % 2 else (wa, sa))) for i in range(2 * count)]
        table = ",".join(map(words, operands))
        comparable = sa == sb or (wb if sa else wa) < 32
        call = f"arithmetic<{int_type(wa, sa)},{int_type(wb, sb)},{str(comparable).lower()}>(x, {2 * count});"
        code.append(f"{{ static const unsigned long long x[][WORDS] = {{{table}}}; {call} }}")
        both = max(wa + (sb and not sa), wb + (sa and not sb))
        widths = f"{wa + wb} {both + 1} {both + 1} {both} {max(wa, 1 + sa) + 1}"
        for a, b in zip(operands[::2], operands[1::2], strict=True):
            n = a % (1 << 64) % wa
            compares = [a < b, a <= b, a > b, a >= b, a == b, a != b]
            low = (a % (1 << wa)) % (2 << n)
            part = wrap((a >> (n + 1) << (n + 1)) + b % (2 << n), wa, sa)
            sums = wrap(a + b, wa, sa), wrap(a + b - 3, wa, sa)
            expected.append(widths)
            expected += map(printed, [a * b, a + b, a - b, a & b, a | b, a ^ b, -a])
            expected.append("".join(str(int(c)) for c in compares) if comparable else "-")
            expected += map(printed, [wrap(a << n, wa, sa), a >> n, low, part, *sums])
    return code, expected


def program(seed, pairs, count):
    """A whole translation unit and the lines it must print."""
    code, expected = arithmetic_cases(random.Random(seed), pairs, count)
    functions = [f"static void part{i}() {{\n{line}\n}}" for i, line in enumerate(code)]
    calls = " ".join(f"part{i}();" for i in range(len(code)))
    return '#include "typed.h"\n' + "\n".join(functions) + f"\nint main() {{ {calls} return 0; }}\n", expected


# ---- every cast of small numbers -----------------------------------------------------------------------------------------


def small_casts():
    """The casts that cast_all.cpp makes, in its order, by Python: a row of bytes for each."""
    rows = [
        cast(OPERANDS, shift, width, signed, rounding, overflow).astype(np.uint8)
        for width, signed, shift, rounding, overflow in itertools.product(
            range(1, 7), (False, True), range(-8, 9), Rounding, Overflow
        )
    ]
    return np.array(rows)


def small_casts_of(compiler, standard, folder, *, flags=("-O1",), **more):
    """The same by C++."""
    build_and_run(compiler, standard, SOURCES / "cast_all.cpp", folder, flags=flags, arguments=[folder / "out"], **more)
    return np.fromfile(folder / "out", dtype=np.uint8).reshape(-1, len(OPERANDS))


def build_and_run(compiler, standard, source, folder, *, firmware=FIRMWARE, flags=(), arguments=(), types=AP_TYPES):
    """Compile one file and run it; what it prints. The compiler's words are the failure.

    types are a vendor's headers in place of our stand-ins.
    """
    program = folder / f"{source.stem}-{standard}"
    warnings = ["-w"] if types else WARNINGS  # the vendor's templates warn
    folders = [SOURCES, firmware, types or FIRMWARE / "ap_types"]
    command = [compiler, f"-std={standard}", *warnings, *(f"-I{f}" for f in folders), str(source), "-o", str(program), *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    quiet = {**os.environ, "SYSTEMC_DISABLE_COPYRIGHT_MESSAGE": "1"}
    return subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, check=True, env=quiet).stdout
