"""AMD's own ap_types as judge: generated code and casts compiled with them give the emulator's mantissas.

The headers are in the public wheel of hls4ml, which pip fetches into pytest's cache; nothing of it is part of this repository.
"""

import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from nn2hls.data.vectors import test_vectors as draw_vectors
from nn2hls.design.design import convert
from nn2hls.emit.options import Options
from nn2hls.emit.project import emit
from nn2hls.errors import Nn2hlsError
from nn2hls.tools.gxx import CompiledDesign
from tests.fuzz import checks
from tests.kit import cpp_cases
from tests.kit.cnn import cnn
from tests.kit.emitted_casts import cast_networks
from tests.kit.networks import hls_config, mlp, side_by_side
from tests.kit.paths import ROOT
from tests.kit.stream_networks import window_net
from tests.kit.tools import require_tool

WHEEL = "hls4ml==1.3.0 --hash=sha256:01bf1de2cd9bca56699b9fe3385cb1735026b022f9580fe1d73faf192dfb90f2"
INSIDE = "hls4ml/templates/vivado/ap_types/"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def amd(request):
    """The folder of AMD's headers."""
    folder = request.config.cache.mkdir("amd-ap-types")
    if not (folder / INSIDE).is_dir():
        (folder / "requirements.txt").write_text(WHEEL)
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "-r", str(folder / "requirements.txt"), "-d", str(folder)]
        fetched = subprocess.run(command, capture_output=True, text=True, timeout=600)
        why = fetched.stderr.strip().splitlines()[-1:]
        require_tool("amd_types", not fetched.returncode, f"cannot be fetched by pip: {why}")
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith(INSIDE)])
    require_tool("g++", shutil.which("g++"))
    return folder / INSIDE


def compiled(project, amd, folder):
    """The project's own files with AMD's headers, as compile_project does it with the stand-ins."""
    project.fill(folder)
    sources = f"{project.name}_bridge.cpp", f"firmware/{project.name}.cpp"
    (folder / "unity.cpp").write_text("".join(f'#include "{s}"\n' for s in sources))
    command = ["g++", "-std=c++14", "-O0", "-fPIC", "-shared", "-w", f"-I{amd}", f"-I{folder}", str(folder / "unity.cpp")]
    done = subprocess.run([*command, "-o", str(folder / "design.so")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return CompiledDesign(folder / "design.so")


def agree(designs, amd, folder):
    """Every output of all designs, side by side in one project, on corners and random mantissas."""
    graph = side_by_side([d.graph for d in designs])
    inputs = draw_vectors(graph, 200)
    run = compiled(emit(graph, Options()), amd, folder)
    found = run([x.reshape(200, -1) for x in inputs], [int(np.prod(graph[o].shape)) for o in graph.outputs])
    fed = iter(inputs)
    results = iter(found)
    for design in designs:
        own = [next(fed) for _ in design.graph.inputs]
        values, _ = design._emulate(own, design.graph.outputs, raw=True, mantissas=True)
        for name in design.graph.outputs:
            np.testing.assert_array_equal(next(results), values[name].reshape(200, -1), err_msg=str(design.graph))


def test_dense_layers(amd, tmp_path):
    graph = mlp(np.random.default_rng(0), (12, 10, 6, 4), density=0.6)
    settings = [
        {},
        {"fc0": {"ReuseFactor": 4}, "fc1": {"ReuseFactor": 7, "Strategy": "Resource"}},
        {"fc0": {"Precision": {"accum": "ap_fixed<14,6,AP_RND_CONV,AP_SAT_SYM>"}}},
        {"fc1": {"Precision": {"result": "ap_fixed<9,3,AP_RND_INF,AP_SAT_ZERO>", "weight": "ap_fixed<40,8>"}}},
    ]
    agree([convert(graph, hls_config({"Precision": "ap_fixed<16,6,AP_RND,AP_SAT>"}, **s)) for s in settings], amd, tmp_path)


@pytest.mark.parametrize(("seed", "networks", "widest"), [(2028, 8, 1), (2042, 1, 70)])
def test_random_networks(seed, networks, widest, amd, tmp_path):
    """Of those that the fuzzer draws: the first use almost every op, the others have types of at least so many bits."""
    designs = []
    for index in range(400):
        try:
            case = checks.prepare(seed, index)
            emit(case.design.graph, Options())
        except Nn2hlsError:
            continue
        if max(n.result_type.width for n in case.design.graph) >= widest:
            designs.append(case.design)
        if len(designs) == networks:
            break
    assert len(designs) == networks
    agree(designs, amd, tmp_path)


@pytest.mark.parametrize("axis", [False, True])
def test_streams(axis, amd, tmp_path):
    """The bench of designs in streams with AMD's own hls_stream.h, one process after the other as in AMD's C simulation."""
    rng = np.random.default_rng(11)
    graph = side_by_side([*(window_net(rng) for _ in range(3)), cnn(rng)])
    ports = {"Interface": "axis"} if axis else {}
    level = {"Model": {"Precision": "ap_fixed<12,5,AP_RND,AP_SAT>"}}
    folder = convert(graph, {"IOType": "io_stream", "HLSConfig": level, **ports}).write(tmp_path / "p", force=True)
    if axis:  # beats are not among the public headers: ours, of AMD's integers
        shutil.copy(ROOT / "firmware_lib/ap_types/ap_axi_sdata.h", folder)
    sources = [str(folder / "myproject_test.cpp"), str(folder / "firmware/myproject.cpp")]
    command = ["g++", "-std=c++14", "-O0", "-w", f"-I{amd}", f"-I{folder}", *sources, "-o", str(folder / "bench")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    ran = subprocess.run([str(folder / "bench")], cwd=folder, capture_output=True, text=True, check=False)
    assert "100 events, 0 differ from the emulator" in ran.stdout, ran.stdout + ran.stderr


def test_every_small_cast(amd, tmp_path):
    found = cpp_cases.small_casts_of("g++", "c++14", tmp_path, types=amd)
    np.testing.assert_array_equal(found, cpp_cases.small_casts())


def test_the_casts_of_designs(amd, tmp_path):
    graph, inputs, wanted = cast_networks("amd", 3, 130)
    run = compiled(emit(graph, Options()), amd, tmp_path)
    for own, answers in zip(run(inputs, [1] * len(wanted)), wanted, strict=True):
        np.testing.assert_array_equal(own, answers)


def test_arithmetic_of_any_width(amd, tmp_path):
    """The stand-ins offer what AMD's types do, and no other results."""
    text, expected = cpp_cases.program("amd", 40, 12)
    (tmp_path / "typed.cpp").write_text(text)
    assert cpp_cases.build_and_run("g++", "c++14", tmp_path / "typed.cpp", tmp_path, types=amd).split("\n")[:-1] == expected
