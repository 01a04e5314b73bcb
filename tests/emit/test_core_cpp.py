"""The C++ that Bambu builds, compiled here: every op equals the emulator on every mantissa, and what is too wide is refused."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import convert
from nn2hls.errors import LimitError, ToolError
from nn2hls.hardware.net import Code
from nn2hls.ops import Concatenate, Reshape, Simple, Unary
from nn2hls.tools.gxx import compile_project
from tests.kit.bambu import PART, bambu
from tests.kit.core_cases import BAMBU, EVERY, accepted, every_mode
from tests.kit.networks import mlp, random_dense, side_by_side, two_in_two_out
from tests.kit.tools import require_tool
from tests.kit.witness import Case, compiled_equals_emulated, project_of

ADDERS = ("add", "subtract", "add_long", "subtract_long")
OPERATORS = {*(f"llvm.{w}" for w in ("smin", "smax", "umin", "umax", "abs")), *(f"nn2hls_{w}" for w in ADDERS)}
COMPILERS = [("g++", "g++"), ("clang", "clang++")]


@pytest.mark.long
@pytest.mark.parametrize(("tool", "compiler", "seed", "width"), [("g++", "g++", 0, (1, 20)), ("clang", "clang++", 1, (8, 45))])
def test_every_op_compiled_equals_emulated(tool, compiler, seed, width):
    require_tool(tool, shutil.which(compiler))
    rng = np.random.default_rng(seed)
    cases = [case for make in EVERY for case in make(rng, width)]
    cases = [case for case in [*cases, *every_mode()] if accepted(case)]
    assert len(cases) > 100
    compiled_equals_emulated(cases, seed, events=60, options=BAMBU, compiler=compiler)


@pytest.mark.long
def test_random_networks():
    rng = np.random.default_rng(3)
    cases = [random_dense(rng) for _ in range(16)]
    layers = {f"g{k}_{name}": s for k, (_, own) in enumerate(cases) for name, s in own.items() if s}
    design = convert(
        side_by_side([g for g, _ in cases]), {"Backend": "Bambu", "Part": PART, "HLSConfig": {"LayerName": layers}}
    )
    verdict = design.verify()
    assert (verdict.events, verdict.equal) == (1000, True), verdict.text()


@pytest.mark.parametrize("reuse", [1, 2, 3, 7, 64, 1000])
def test_a_network_at_any_reuse_factor(reuse):
    graph = mlp(np.random.default_rng(0), (16, 24, 5), density=0.3)
    design = bambu(graph, model={"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse})
    verdict = design.verify()
    assert (verdict.values, verdict.equal) == (5000, True), verdict.text()


@pytest.mark.parametrize("reuse", [1, 4])
def test_several_inputs_outputs_and_leading_axes(reuse):
    design = bambu(two_in_two_out(np.random.default_rng(2)), model={"Precision": "ap_fixed<12,5>", "ReuseFactor": reuse})
    verdict = design.verify()
    assert verdict.equal, verdict.text()
    assert list(verdict.mismatches) == ["p", "d"]


def test_ports_of_every_width():
    """1 to 63 bits, signed and not, straight from an input to an output: the corners of every type are among the vectors."""
    cases = []
    for width in range(1, 64):
        for signed in (True, False):
            kind = FixedType(width, width // 2, signed)
            cases.append(Case(Reshape((1,)), [kind], [(1,)], kind))
    compiled_equals_emulated(cases, events=40, options=BAMBU)


def core_ir(project, folder):
    """The core as clang gives it to Bambu: the LLVM code of its one function."""
    found = shutil.which("clang-16")
    if found is None:
        pytest.skip("clang-16 is not installed: Bambu's compiler, which CI has not")
    project.write(folder / "p")
    name = f"{project.name}_core"
    command = [found, "-m32", "-std=gnu++14", "-O2", "-D__BAMBU__", "-Ifirmware/ap_types", "-S", "-emit-llvm", "-o", "-"]
    run = subprocess.run([*command, f"firmware/{name}.cpp"], cwd=folder / "p", capture_output=True, text=True)
    if "bits/" in run.stderr and "file not found" in run.stderr:
        pytest.skip("clang-16 has no headers for -m32 (gcc-multilib)")
    assert run.returncode == 0, run.stderr[:3000]
    text = run.stdout[run.stdout.index(f"@{name}(") :]
    return text[: text.index("\n}")]


@pytest.mark.long
@pytest.mark.parametrize("make", EVERY)
def test_parallel_code_is_straight(make, tmp_path):
    """No memory but the tables, no branch, at most a load for each lookup: a table of two words may become a selection."""
    rng = np.random.default_rng(7)
    cases = [c for c in make(rng, (3, 18)) if getattr(c.op, "reuse", 1) == 1]
    lookups = sum(
        loop.lanes * sum(loop.body.cells[w].code is Code.LOOKUP for w in loop.body.alive())
        for c in cases
        for loop in c.op.hardware(c.xs, c.result).loops
    )
    ir = core_ir(project_of(cases, BAMBU), tmp_path)
    assert re.findall(r"^.*\b(?:alloca|br|switch|phi)\b.*$", ir, re.M) == []
    assert {re.sub(r"\.i\d+$|^_ZL\d+|[ilx]+$", "", name) for name in re.findall(r"\bcall\b[^@]*@([\w.]+)", ir)} <= OPERATORS
    assert len(re.findall(r"\bload\b", ir)) <= lookups


def test_each_lookup_is_one_load(tmp_path):
    design = bambu(two_in_two_out(np.random.default_rng(2)), model={"Precision": "ap_fixed<12,5>"})
    ir = core_ir(design.project, tmp_path)
    rows, classes = 2, 4
    assert len(re.findall(r"\bload\b", ir)) == rows * (2 * classes + 2)  # two tables for exp, the inverse and its slope
    assert len(re.findall(r"\bstore\b", ir)) == 2 * 4 + 2 * 2


@pytest.mark.long
@pytest.mark.parametrize(("seed", "width"), [(3, (20, 62)), (5, (44, 63)), (6, (1, 64))])
def test_what_is_accepted_near_the_limit_compiles(seed, width):
    rng = np.random.default_rng(seed)
    cases = [case for make in EVERY for case in make(rng, width)]
    kept = [case for case in cases if accepted(case)]
    assert 10 < len(kept) < len(cases)
    compiled_equals_emulated(kept, seed, events=60, options=BAMBU)


def wide(width, up):
    """A layer whose only wide number is a product, or the operand moved up to the result's fraction."""
    narrow = FixedType(12, 4)
    yield Case(Unary(Simple.SQUARE), [FixedType(width, 10)], [(2,)], FixedType(40, 20))
    yield Case(Concatenate(0), [narrow, narrow], [(1,), (1,)], FixedType(59, 59 - 8 - up))


@pytest.mark.long
def test_the_limit_is_where_the_compiler_stops(monkeypatch):
    fit, over = list(wide(32, 52)), list(wide(33, 53))
    assert [accepted(case) for case in fit] == [True] * 2
    compiled_equals_emulated(fit, options=BAMBU)
    assert [accepted(case) for case in over] == [False] * 2
    monkeypatch.setattr("nn2hls.emit.limits.MAX_WIDTH", 999)
    for case in over:
        with pytest.raises(ToolError, match="Bambu: integers have at most 64 bits"):
            compile_project(project_of([case], BAMBU))


def test_a_wide_layer_is_refused_by_name():
    design = bambu(mlp(np.random.default_rng(0), (3, 4, 2)), {"fc1": {"Precision": {"weight": "ap_fixed<60,2>"}}})
    with pytest.raises(LimitError, match=r"fc1: It computes with integers of \d\d bits, and Bambu .* 64\. .*narrower"):
        design.build("bambu")
    with pytest.raises(LimitError, match="fc1"):
        design.verify()


def test_a_result_type_that_is_wide_alone_is_refused_by_name():
    """What is computed is narrow; the array that holds it is not."""
    design = bambu(mlp(np.random.default_rng(0), (3, 4, 2)), {"fc0": {"Precision": {"result": "ap_fixed<70,66>"}}})
    with pytest.raises(LimitError, match="fc0: It computes with integers of 70 bits, and Bambu"):
        design.verify()
