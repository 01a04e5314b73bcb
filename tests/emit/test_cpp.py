"""Witness two: the generated C++, compiled, equals the emulator on every mantissa."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nn2hls.design.design import convert
from nn2hls.emit.limits import NATIVE_WIDTH, widest
from nn2hls.errors import LimitError, ToolError
from nn2hls.tools.folder import Project
from nn2hls.tools.gxx import FLAGS, compile_project, find_compiler
from tests.kit.core_cases import EVERY, every_mode
from tests.kit.networks import hls_config, mlp, random_dense, side_by_side
from tests.kit.tools import require_tool
from tests.kit.witness import compiled_equals_emulated, project_of

CASES = 24  # networks in one compilation


@pytest.mark.long
@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=4, phases=[Phase.explicit, Phase.generate])
def test_random_networks(seed):
    rng = np.random.default_rng(seed)
    cases = [random_dense(rng) for _ in range(CASES)]
    layers = {f"g{k}_{name}": s for k, (_, own) in enumerate(cases) for name, s in own.items() if s}
    design = convert(side_by_side([g for g, _ in cases]), hls_config(**layers))
    verdict = design.verify()
    assert verdict.events == 1000
    assert verdict.equal, (seed, verdict.text())


@pytest.mark.parametrize("reuse", [1, 3, 4, 1000])
def test_the_tagger_at_any_reuse_factor(reuse):
    graph = mlp(np.random.default_rng(0), density=0.3)
    verdict = convert(graph, {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse}}).verify()
    assert verdict.equal, verdict.text()
    assert verdict.values == 5000


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_compilers_and_standards(compiler, standard):
    require_tool("clang" if compiler == "clang++" else compiler, shutil.which(compiler))
    graph = mlp(np.random.default_rng(1), (4, 6, 3))
    for settings_ in ({}, {"fc0": {"ReuseFactor": 3}}, {"fc0": {"Precision": {"accum": "ap_fixed<12,5,AP_RND_CONV,AP_SAT>"}}}):
        design = convert(graph, hls_config(**settings_))
        flags = [f"-std={standard}" if f.startswith("-std") else f for f in FLAGS]
        design._compiled = compile_project(design.project, compiler, flags)
        assert design.verify().equal


def mutate(project: Project, path: str, old: str, new: str) -> Project:
    text = project.files[path]
    assert old in text
    return dataclasses.replace(project, files={**project.files, path: text.replace(old, new, 1)})


def mutants(design):
    """Projects with one thing changed: a rounding, a weight, a ROM word, an input index, the number of steps."""
    files = design.project.files
    wide = files["firmware/layers/fc1.h"]
    shift = re.search(r">> (\d+)", wide)[0]
    yield mutate(design.project, "firmware/layers/fc1.h", shift, f">> {int(shift[3:]) + 1}"), wide
    constant = wide.split("* ap_")[1].split("(")[1].split(")")[0]
    yield mutate(design.project, "firmware/layers/fc1.h", f"({constant})", f"({int(constant) ^ 1})"), wide
    reused = files["firmware/layers/fc0.h"]
    word = reused.split("_rom[")[1].split("{")[1].split(",")[0].strip()
    yield mutate(design.project, "firmware/layers/fc0.h", word, str(int(word) ^ (1 << 8))), reused
    wire = reused.split("_wires[")[1].split("{")[1].split(",")[0].strip()
    yield mutate(design.project, "firmware/layers/fc0.h", f"{{\n    {wire},", f"{{\n    {int(wire) + 1},"), reused
    yield mutate(design.project, "firmware/layers/fc0.h", "step < 5", "step < 4"), reused


def test_every_mutant_is_found():
    graph = mlp(np.random.default_rng(0), (8, 10, 4))
    config = hls_config({"Precision": "ap_fixed<16,6,AP_RND>"}, fc0={"ReuseFactor": 5})
    design = convert(graph, config)
    assert design.verify().equal
    found = 0
    for mutant, _ in mutants(design):
        design._compiled = compile_project(mutant)
        assert not design.verify().equal
        found += 1
    assert found == 5


def test_a_reused_layer_with_a_narrowed_accumulator_is_refused_by_name():
    graph = mlp(np.random.default_rng(0), (4, 3))
    config = hls_config(fc0={"ReuseFactor": 2, "Precision": {"accum": "ap_fixed<10,5,AP_RND_CONV,AP_SAT>"}})
    with pytest.raises(LimitError, match=r"fc0: Its accumulator .* Set ReuseFactor: 1"):
        convert(graph, config).project  # noqa: B018


def test_a_missing_compiler_is_named():
    design = convert(mlp(np.random.default_rng(0), (2, 2)))
    with pytest.raises(ToolError, match="no-such-compiler"):
        design.compile("no-such-compiler")


def test_a_compiler_that_is_asked_for_is_not_replaced_in_silence(monkeypatch):
    monkeypatch.setenv("CXX", "g++ -O3")
    with pytest.raises(ToolError, match=r"'g\+\+ -O3', which CXX names, is not there.* without options"):
        find_compiler()
    monkeypatch.setenv("CXX", "")
    assert find_compiler("g++")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"looked for g\+\+, clang\+\+"):
        find_compiler()


def test_a_compiler_that_does_not_end_is_stopped(monkeypatch):
    monkeypatch.setattr("nn2hls.tools.gxx.TIME_LIMIT", 0.001)
    with pytest.raises(ToolError, match=r"took longer than 0.001 s"):
        convert(mlp(np.random.default_rng(0), (2, 2))).compile()


def test_the_compilers_own_words_are_shown():
    design = convert(mlp(np.random.default_rng(0), (2, 2)))
    broken = mutate(design.project, "firmware/defines.h", "typedef", "typedeff")
    with pytest.raises(ToolError, match="typedeff"):
        compile_project(broken)


def in_words(project: Project) -> Project:
    """The same C++ on the stand-in that takes any width."""
    return mutate(project, f"{project.name}_bridge.cpp", "#define NN2HLS_NATIVE", "//")


def test_designs_that_fit_64_bits_are_compiled_on_native_integers():
    """Both stand-ins for ap_int compute the same; the widest integer decides which is taken."""
    rng = np.random.default_rng(12)
    cases = [random_dense(rng) for _ in range(CASES)]
    layers = {f"g{k}_{name}": s for k, (_, own) in enumerate(cases) for name, s in own.items() if s}
    design = convert(side_by_side([g for g, _ in cases]), hls_config(**layers))
    assert design.verify().equal
    design._compiled = compile_project(in_words(design.project))
    assert design.verify().equal


@pytest.mark.long
@pytest.mark.parametrize(("seed", "width"), [(0, (1, 20)), (1, (8, 45))])
def test_every_op_on_native_integers(seed, width):
    rng = np.random.default_rng(seed)
    drawn = [case for make in EVERY for case in make(rng, width)] + list(every_mode())
    cases = [c for c in drawn if max(widest(c.op.hardware(c.xs, c.result, 2)), c.result.width + 1) <= NATIVE_WIDTH]
    assert len(cases) > 100
    assert is_native(project_of(cases))
    compiled_equals_emulated(cases, seed, events=60)


def is_native(project):
    return "#define NN2HLS_NATIVE" in project.files[f"{project.name}_bridge.cpp"]


@pytest.mark.parametrize(("width", "native"), [(24, True), (40, False)])
def test_wider_designs_are_not(width, native):
    types = dict.fromkeys(("input", "weight", "bias"), f"ap_fixed<{width},4>") | {"result": "ap_fixed<16,6>"}
    design = convert(mlp(np.random.default_rng(1), (4, 3)), hls_config({"Precision": types}))
    assert is_native(design.project) is native
    assert design.verify().equal


def test_a_width_that_is_too_small_is_seen_on_native_integers():
    """A variable keeps the bits of its type: csim is a witness of the widths, too."""
    design = convert(mlp(np.random.default_rng(1), (4, 6, 3)), {"Model": {"Precision": "ap_fixed<16,6>"}})
    text = design.project.files["firmware/layers/fc0.h"]
    declared = re.search(r"const ap_int<(\d+)> v\d+", text)
    project = mutate(design.project, "firmware/layers/fc0.h", declared[0], declared[0].replace(declared[1], "14"))
    design._compiled = compile_project(project)
    assert not design.verify().equal


@pytest.mark.parametrize("backend", ["Vitis", "Bambu"])
def test_distributed_arithmetic_is_for_every_back_end(backend):
    graph = mlp(np.random.default_rng(5), (12, 16, 5), density=0.6)
    models = [{"Precision": "ap_fixed<14,5>", "Strategy": word} for word in ("Latency", "DistributedArithmetic")]
    plain, shared = (
        convert(graph, {"Backend": backend, "Part": "xc7vx690tffg1930-3", "HLSConfig": {"Model": model}}) for model in models
    )
    assert plain.verify().equal
    assert shared.verify().equal
    found = plain.estimate(), shared.estimate()
    assert found[1].dsp == 0
    if backend == "Bambu":
        assert found[1].lut < 0.9 * found[0].lut
    else:
        assert found[0].dsp > 100


def test_values_stand_near_their_readers():
    """A compiler takes several times longer over a layer whose products all come before its sums."""
    design = convert(mlp(np.random.default_rng(1), (24, 16)), hls_config({"Precision": "ap_fixed<16,6>"}))
    lines = design.project.files["firmware/layers/fc0.h"].splitlines()
    made = {m[1]: n for n, line in enumerate(lines) if (m := re.search(r"const \S+ (v\d+) = ", line))}
    last = {name: max((n for n, line in enumerate(lines) if re.search(rf"\b{name}\b", line))) for name in made}
    held = max(sum(made[v] <= n < last[v] for v in made) for n in range(len(lines)))
    assert len(made) > 500
    assert held < 60  # the terms of one sum of 24 inputs, and the products that later sums share
