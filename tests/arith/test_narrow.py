"""ap_int of at most 64 bits, as Bambu compiles it and on native integers: every operator, and the cast, against Python's."""

import itertools
import random
import shutil

import numpy as np
import pytest

from tests.kit.cpp_cases import (
    COMPILERS,
    build_and_run,
    draw_mantissa,
    int_type,
    small_casts,
    small_casts_of,
    wrap,
)
from tests.kit.tools import require_tool

EDGES = (1, 2, 15, 16, 17, 30, 31, 32, 33, 34, 47, 60, 61, 62, 63)
STRICT = ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
BAMBU, NATIVE = ["-D__BAMBU__", *STRICT], ["-DNN2HLS_NATIVE", *STRICT]


def low_bits(a, n):
    return a % (2 << n)


def expected(a, b, wa, sa, wb, sb):
    n, far = a % (1 << 64) % wa, a % (1 << 64) % 71
    compares = [a < b, a <= b, a > b, a >= b, a == b, a != b, a == 0]
    part = wrap((a >> (n + 1) << (n + 1)) + low_bits(b, n), wa, sa)
    total = wrap(a + b, wa, sa)
    row = [a * b, a + b, a - b, a & b, a | b, a ^ b, -a, wrap(~a, wa, sa), "".join(str(int(c)) for c in compares)]
    row += [wrap(a << far, wa, sa), a >> far, low_bits(a % (1 << wa), n), part, total, wrap(total - 3, wa, sa), wrap(a, wb, sb)]
    return " ".join(map(str, [*row, (a >> n) & 1]))


def literal(value):
    return "(-9223372036854775807LL - 1)" if value == -(1 << 63) else f"{value}LL"


def block(call, pairs):
    table = ",".join(f"{{{literal(a)},{literal(b)}}}" for a, b in pairs)
    return f"{{ static const long long x[][2] = {{{table}}}; {call}(x, {len(pairs)}); }}"


def every(width, signed):
    low = -(1 << width - 1) if signed else 0
    return range(low, low + (1 << width))


def arithmetic_cases(rng):
    small = list(itertools.product(range(1, 4), (True, False)))
    for (wa, sa), (wb, sb) in itertools.product(small, small):
        yield (wa, sa), (wb, sb), list(itertools.product(every(wa, sa), every(wb, sb)))
    for _ in range(80):
        wa = rng.choice(EDGES)
        wb = rng.choice([w for w in EDGES if w + wa <= 63] or [1])
        sa, sb = rng.random() < 0.5, rng.random() < 0.5
        if sa == sb or (wb if sa else wa) < 32:
            pairs = [(draw_mantissa(rng, wa, sa), draw_mantissa(rng, wb, sb)) for _ in range(12)]
            yield (wa, sa), (wb, sb), pairs


def program(rng):
    lines, want = [], []
    for (wa, sa), (wb, sb), pairs in arithmetic_cases(rng):
        lines.append(block(f"arithmetic<{int_type(wa, sa)}, {int_type(wb, sb)} >", pairs))
        want += [expected(a, b, wa, sa, wb, sb) for a, b in pairs]
    parts = "\n".join(f"static void part{k}() {{\n{line}\n}}" for k, line in enumerate(lines))
    calls = " ".join(f"part{k}();" for k in range(len(lines)))
    return f'#include "narrow.h"\n{parts}\nint main() {{ {calls} return 0; }}\n', want


@pytest.mark.parametrize("flags", [BAMBU, NATIVE], ids=["bambu", "native"])
@pytest.mark.parametrize(("tool", "compiler", "standard"), COMPILERS)
def test_every_operator(tool, compiler, standard, flags, tmp_path):
    require_tool(tool, shutil.which(compiler))
    text, want = program(random.Random(tool))
    source = tmp_path / "narrow.cpp"
    source.write_text(text)
    found = [line.strip() for line in build_and_run(compiler, standard, source, tmp_path, flags=flags).splitlines()]
    assert len(found) == len(want) > 1500
    wrong = [(k, f, w) for k, (f, w) in enumerate(zip(found, want, strict=True)) if f != w]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("flags", [BAMBU, NATIVE], ids=["bambu", "native"])
def test_every_small_cast_agrees_with_python(flags, tmp_path):
    require_tool("g++", shutil.which("g++"))
    np.testing.assert_array_equal(small_casts_of("g++", "c++14", tmp_path, flags=flags), small_casts())
