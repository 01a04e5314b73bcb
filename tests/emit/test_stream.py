"""The C++ of designs in streams: equal to the emulator, with queues of the depths that were computed, and no deeper."""

import re
import shutil
import subprocess

import numpy as np
import pytest

import nn2hls
from nn2hls.design.bench import mantissas_of
from nn2hls.emit.stream_project import emit_stream
from nn2hls.errors import ConfigError, LimitError, ToolError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.graph.graph import Graph
from nn2hls.graph.leaves import Constant
from nn2hls.ops import Elementwise, Input, LeakyRelu, Merge, Move, Reduce, Reduction, Relu, Softmax
from nn2hls.streams.plan import plan
from nn2hls.tools.gxx import compile_project
from tests.kit.cnn import cnn, convolution
from tests.kit.networks import side_by_side
from tests.kit.paths import ROOT
from tests.kit.stream_networks import window_net
from tests.kit.tools import require_tool

STREAM = {"IOType": "io_stream", "HLSConfig": {"Model": {"Precision": "ap_fixed<12,5,AP_RND,AP_SAT>"}}}
EVENTS = 6


def converted(graph, **changes):
    return nn2hls.convert(graph, {**STREAM, **changes})


def data(design, events=EVENTS, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(events, *n.shape)) * 2 for n in design.graph.inputs]


def assert_equal(design, x):
    emulated, found = (r if isinstance(r, list) else [r] for r in (design.predict_raw(x), design.csim_raw(x)))
    for a, b in zip(emulated, found, strict=True):
        assert np.array_equal(a.mantissas, b.mantissas)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.long
def test_random_networks_answer_as_the_emulator_does(seed):
    rng = np.random.default_rng([8, seed])
    design = converted(side_by_side([window_net(rng) for _ in range(6)]))
    assert_equal(design, data(design))


@pytest.mark.long
def test_positions_side_by_side_and_reuse():
    rng = np.random.default_rng(3)
    graph = cnn(rng, size=(8, 8, 2))
    for settings in ({"conv0": {"ParallelizationFactor": 4}}, {"conv1": {"ReuseFactor": 9}, "fc": {"ReuseFactor": 4}}):
        hls = {"Model": STREAM["HLSConfig"]["Model"], "LayerName": settings}
        design = converted(graph, HLSConfig=hls)
        assert_equal(design, data(design))
    assert [p.interval for p in design.streams.network.processes if p.name == "conv1"] == [9]


def test_strides_in_both_axes():
    rng = np.random.default_rng(4)
    builder = Builder()
    x = builder.add("x", Input((7, 9, 2)))
    for k, (stride, pad) in enumerate(((2, 1), (2, 0))):
        weight = rng.normal(size=(3, 3, builder.shape(x)[-1], 3))
        x = convolution(builder, f"conv{k}", x, weight, rng.normal(size=3), pad, stride)
    design = converted(builder.build([x]))
    assert_equal(design, data(design))


def test_positions_of_a_layer_that_do_not_make_up_its_result():
    graph = cnn(np.random.default_rng(3), size=(8, 8, 2))
    with pytest.raises(LimitError, match=r"Its 64 positions cannot be computed 3 at a time.*1, 2, 4, 8, 16, 32, 64") as error:
        converted(graph, HLSConfig={"LayerName": {"conv0": {"ParallelizationFactor": 3}}}).estimate()
    assert error.value.where == "conv0"


def test_a_queue_that_is_too_short_stops_the_processes_and_is_named():
    """A skip past a global mean: all of the tensor waits in its queue."""
    builder = Builder()
    x = builder.add("relu", Relu(), [builder.add("x", Input((5, 5, 2)))])
    mean = builder.add("mean", Reduce(Reduction.MEAN, (0, 1), keepdims=True), [x])
    design = converted(builder.build([builder.add("scaled", Elementwise(Merge.MUL), [x, mean])]))
    depths = dict(design.streams.fifos.depths)
    assert depths["relu", "scaled"] > 20
    mantissas = [m.reshape(EVENTS, -1) for m in mantissas_of(design.graph, data(design))]
    short = {**depths, ("relu", "scaled"): 10}
    project = emit_stream(design.streams.network, design.graph, design.options, short)
    # Which of the processes around it comes to wait last is up to the threads.
    with pytest.raises(ToolError, match=r"All processes wait: the last one for .*(relu_to_|mean_to_|_to_mean)"):
        compile_project(project)(mantissas, [50])


def test_tokens_that_nobody_reads_are_an_error():
    design = converted(cnn(np.random.default_rng(0), size=(4, 4, 1), channels=(2,)))
    name = "firmware/layers/conv0.h"
    text = design.project.files[name]
    shorter = re.sub(r"if \(step < 16\) (t0_0 = )", r"if (step < 15) \1", text)
    assert shorter != text
    project = design.project
    damaged = type(project)(project.name, {**project.files, name: shorter}, project.about)
    mantissas = [m.reshape(EVENTS, -1) for m in mantissas_of(design.graph, data(design))]
    with pytest.raises(ToolError, match=r"1 tokens of .* are left over"):
        compile_project(damaged)(mantissas, [2])


@pytest.mark.long
def test_the_projects_own_bench_runs_with_plain_gxx(tmp_path):
    require_tool("make", shutil.which("make"))
    design = converted(cnn(np.random.default_rng(5), size=(6, 6, 2)))
    folder = design.write(tmp_path / "project")
    run = subprocess.run(["make", "csim"], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "100 events, 0 differ from the emulator" in run.stdout


@pytest.mark.parametrize(("compiler", "standard"), [("g++", "c++11"), ("g++", "c++17"), ("clang++", "c++11")])
def test_it_compiles_as_hls_tools_do_without_warnings(compiler, standard, tmp_path):
    """Without threads: processes run one after the other, as in the C simulation of those tools."""
    require_tool(compiler, shutil.which(compiler))
    rng = np.random.default_rng(11)
    design = converted(side_by_side([window_net(rng) for _ in range(4)]), Backend="Vivado")
    design.project.fill(tmp_path)
    types = ROOT / "firmware_lib" / "ap_types"
    words = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fsyntax-only", "-I", str(types), "-I", str(tmp_path)]
    source = tmp_path / "firmware" / "myproject.cpp"
    run = subprocess.run([compiler, f"-std={standard}", *words, str(source)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[:2000]


def test_the_estimate_holds_queues_and_delays():
    small, wide = (
        converted(
            cnn(np.random.default_rng(0), size=(4, n, 2), channels=(2,)), HLSConfig={"Model": {"Precision": "ap_fixed<16,6>"}}
        )
        for n in (4, 64)
    )
    layer = {name: next(x for x in d.estimate().layers if x.name == "conv0") for name, d in (("small", small), ("wide", wide))}
    assert layer["small"].report.dsp == layer["wide"].report.dsp > 0
    assert layer["small"].report.bram == 0 < layer["wide"].report.bram  # a row of 64 tokens of 32 bits is over 1,024 bits
    assert wide.estimate().ii == max(layer["wide"].ii, 256)
    assert "clocks between events" in str(wide.estimate())


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"Backend": "Bambu"}, "Bambu's core has no streams"), ({"Interface": "hls4ml"}, "a layout of arrays")],
)
def test_what_streams_are_not_offered_for(changes, words):
    with pytest.raises(ConfigError, match=words):
        converted(cnn(np.random.default_rng(0), size=(4, 4, 1), channels=(2,)), **changes)


@pytest.mark.long
def test_large_tensors_are_no_limit():
    design = converted(cnn(np.random.default_rng(0), size=(40, 40, 3), channels=(4,)))
    assert design.project.files
    with pytest.raises(LimitError, match="io_stream"):
        nn2hls.convert(cnn(np.random.default_rng(0), size=(40, 40, 3), channels=(4,))).project  # noqa: B018


def test_what_depends_on_no_input():
    """A layer of constants is computed beforehand; an output that is one is refused."""
    builder = Builder()
    fixed = builder.add("soft", Softmax(axis=1), [builder.add("fixed", Constant(Const(np.arange(6.0).reshape(3, 2))))])
    builder.add("sum", Elementwise(Merge.ADD), [builder.add("x", Input((3, 2))), fixed])
    design = converted(builder.build(["sum"]))
    assert_equal(design, data(design))
    fixed = next(n.name for n in design.graph if isinstance(n.op, Constant))
    with pytest.raises(LimitError, match="depends on no input"):
        plan(Graph(design.graph.nodes, ("sum", fixed)), design.emulator.ranges)


def test_constants_of_any_width_that_change_with_the_position():
    """Each comes from a ROM; one of more bits than a C integer from several."""
    rng, builder = np.random.default_rng(0), Builder()
    y = builder.add("x", Input((3, 4, 2)))
    kinds = {"narrow": "ap_fixed<16,14>", "full": "ap_fixed<64,30>", "wide": "ap_fixed<130,30>"}
    for name in kinds:
        fixed = builder.add(name, Constant(Const(rng.normal(size=(3, 4, 1)))))
        y = builder.add(f"by_{name}", Elementwise(Merge.MUL), [y, fixed])
    layers = {name: {"Precision": kind} for name, kind in kinds.items()}
    design = converted(builder.build([y]), HLSConfig={"Model": {"Precision": "ap_fixed<20,10>"}, "LayerName": layers})
    assert "_constant2_2[12]" in design.project.files["firmware/layers/by_wide.h"]
    assert_equal(design, data(design))


def test_tokens_that_nobody_reads_are_taken():
    """All that is left of a tensor is padding: its stream runs empty, and no variable is set for nothing."""
    builder = Builder()
    x = builder.add("x", Input((4,)))
    padding = builder.add("padding", Move(Places(np.full((1, 4), -1)), ((4,),)), [x])
    graph = builder.build([builder.add("y", LeakyRelu(Const(np.array(0.5))), [padding])])
    design = converted(graph, HLSConfig={"LayerName": {"padding": {"Precision": "ap_fixed<15,7>"}}})
    assert any("(void)t0_0;" in text for text in design.project.files.values())
    assert_equal(design, data(design))
