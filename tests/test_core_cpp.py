"""The C++ that Bambu builds, compiled here: every op equals the emulator on every mantissa, and what is too wide is refused."""

import shutil

import numpy as np
import pytest
from conftest import require_tool
from core_cases import BAMBU, EVERY, accepted, every_mode
from networks import mlp, side_by_side
from test_cpp import random_case
from witness import Case, compiled_equals_emulated

from nn2hls.design import convert
from nn2hls.fixed import FixedType
from nn2hls.ir import Builder, Const
from nn2hls.ops import Concatenate, Dense, Elementwise, Input, Merge, Relu, Reshape, Softmax

PART = "xc7vx690tffg1930-3"
COMPILERS = [("g++", "g++"), ("clang", "clang++")]


def bambu(graph, layers=None, model=None, **more):
    """The design of a config for Bambu."""
    levels = {"Model": model or {}, "LayerName": layers or {}}
    return convert(graph, {"Backend": "Bambu", "Part": PART, **more, "HLSConfig": levels})


@pytest.mark.long
@pytest.mark.parametrize(("tool", "compiler"), COMPILERS)
@pytest.mark.parametrize(("seed", "width"), [(0, (1, 20)), (1, (8, 45))])
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
    cases = [random_case(rng) for _ in range(16)]
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


def two_in_two_out(rng):
    """Two inputs of several axes, two outputs, one of them read by the other, and an input that nothing reads in part."""
    b = Builder()
    x, z = b.add("x", Input((2, 3))), b.add("z", Input((2, 4)))
    h = b.add("h", Dense(Const(rng.normal(size=(3, 4))), Const(rng.normal(size=4))), [x])
    r = b.add("r", Relu(), [h])
    s = b.add("s", Elementwise(Merge.ADD), [r, z])
    p = b.add("p", Softmax(1), [s])
    c = b.add("c", Concatenate(1), [r, z])
    d = b.add("d", Dense(Const(rng.normal(size=(8, 2))), Const(rng.normal(size=2))), [c])
    return b.build([p, d])


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
