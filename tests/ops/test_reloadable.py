"""Weights in memories: one design, the weights of several models, by simulation against the emulator of each."""

import json
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from nn2hls.arith.fixed import FixedType, cast_to
from nn2hls.arith.ranges import Range
from nn2hls.board import Link, layout_of
from nn2hls.cli import main
from nn2hls.design.design import convert
from nn2hls.design.reload import read_memories, reloaded, weights_image
from nn2hls.emit.rtl_project import vector_files
from nn2hls.errors import ConfigError, LimitError, ModelError, Nn2hlsError, ToolError, TypeResolutionError
from nn2hls.export.emulator import emulator_project
from nn2hls.export.rtl import rtl_project
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.hardware.reload import banks
from nn2hls.ops import Dense, Input, Relu, Softmax
from nn2hls.search.space import Space
from nn2hls.size.solver import Limits, Solver
from nn2hls.tools.boards.bench import WAIT, play, send
from nn2hls.tools.boards.frames import LOAD, Answer, Layout, packed, request
from nn2hls.trials.network import Network
from tests.kit.boards import answer
from tests.kit.networks import mlp
from tests.kit.tools import require_tool

SIZES, EVENTS = (5, 6, 3), 60
TYPES = {
    "fc0": {"weight": "ap_fixed<7,2>", "bias": "ap_fixed<9,3>", "result": "ap_fixed<12,5>"},
    "fc1": {"weight": "ap_ufixed<6,1>", "bias": "ap_fixed<19,3>", "result": "ap_fixed<11,5,AP_RND_CONV,AP_SAT>"},
}


def settings(reuse=(7, 3), only=("fc0", "fc1"), **changed):
    layers = {
        name: {"Weights": "reloadable", "Strategy": "Resource", "ReuseFactor": r, "Precision": TYPES[name], **changed}
        for name, r in zip(("fc0", "fc1"), reuse, strict=True)
        if name in only
    }
    return {
        "Backend": "Verilog",
        "ProjectName": "net",
        "ClockPeriod": 20,
        "HLSConfig": {"Model": {"Precision": "ap_fixed<10,4>"}, "LayerName": layers},
    }


def network(seed, zeros=0.0, scale=1.0, sizes=SIZES):
    """fc1's weights are positive, as its type wants them; a scale makes all weights smaller than their types hold."""
    rng = np.random.default_rng(seed)
    b = Builder()
    x = b.add("x", Input((sizes[0],)))
    w = scale * rng.uniform(-1.9, 1.9, size=sizes[:2]) * (rng.random(sizes[:2]) >= zeros)
    x = b.add("fc0", Dense(Const(w), Const(rng.uniform(-3, 3, sizes[1]))), [x])
    w = scale * rng.uniform(0, 1.9, size=sizes[1:]) * (rng.random(sizes[1:]) >= zeros)
    x = b.add("fc1", Dense(Const(w), Const(rng.uniform(-3, 3, sizes[2]))), [b.add("relu", Relu(), [x])])
    return b.build([x])


def mixed(first, second):
    """fc0 of the first and fc1 of the second network."""
    b = Builder()
    x = b.add("fc0", first["fc0"].op, [b.add("x", Input((5,)))])
    return b.build([b.add("fc1", second["fc1"].op, [b.add("relu", Relu(), [x])])])


def simulate(folder, built, design, image, simulator="iverilog"):
    """What the bench of a built project says of a design's answers, its memories loaded with an image or as they were built."""
    rng, place = np.random.default_rng(5), folder / "rtl"
    kind = design.graph.inputs[0].result_type
    x = rng.integers(kind.min_mantissa, kind.max_mantissa + 1, size=(built[1].events, SIZES[0]))
    stimulus, answers = vector_files(design.graph, design._vectors([x]))
    (place / "stimulus.hex").write_text(stimulus)
    (place / "answers.hex").write_text(answers)
    (place / "image.hex").write_text(image)
    words = ["+weights=image.hex", "+restart=7"] if image else []  # a reset leaves what was written
    return subprocess.run([f"./{simulator}_bench", *words], cwd=place, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module", params=[(7, 3), (2, 18)], ids=["shared", "most"])
def written(request, tmp_path_factory):
    """(design, folder, its project and order), compiled for Icarus."""
    require_tool("iverilog", shutil.which("iverilog"))
    design = convert(network(1, scale=0.1), settings(request.param))
    built = design._rtl
    folder = design.write(tmp_path_factory.mktemp("reload") / "p", force=True)
    command = ["iverilog", "-g2001", f"-Pnet_bench.EVENTS={EVENTS}", "-o", "iverilog_bench", "net.v", "net_bench.v"]
    subprocess.run(command, cwd=folder / "rtl", check=True)
    return design, folder, built


def test_two_weight_sets_in_one_design(written):
    """As built; with another model's weights, mostly zeros; with its own again: each bit is the emulator's of that model."""
    first, folder, built = written
    second = reloaded(folder, network(2, zeros=0.7))
    assert f"{EVENTS} answers, 0 differ" in simulate(folder, built, first, "")
    assert " 0 differ" not in simulate(folder, built, second, "")
    for design in (second, first):
        said = simulate(folder, built, design, weights_image(design))
        latency = f"latency {built[1].latency} to {built[1].latency}, interval {built[1].interval} to {built[1].interval}"
        assert f"{EVENTS} answers, 0 differ, {latency}" in said


def test_a_wrong_word_is_seen(written):
    first, folder, built = written
    lines = weights_image(first).splitlines()
    address, word = lines[3].split()
    lines[3] = f"{address} {int(word, 16) ^ 1:x}"
    assert " 0 differ" not in simulate(folder, built, first, "\n".join(lines) + "\n")


@pytest.mark.long
def test_verilator_says_the_same(tmp_path):
    require_tool("verilator", shutil.which("verilator"))
    design = convert(network(1), settings())
    built, folder = design._rtl, design.write(tmp_path / "p", force=True)
    optimise = "VM_PARALLEL_BUILDS=0 OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
    flags = ["--binary", "--timing", "-Wno-fatal", "--x-assign", "unique", "-MAKEFLAGS", optimise, f"-GEVENTS={EVENTS}"]
    command = ["verilator", *flags, "--top-module", "net_bench", "-o", "../verilator_bench", "net.v", "net_bench.v"]
    subprocess.run(command, cwd=folder / "rtl", check=True, capture_output=True)
    second = reloaded(folder, network(2))
    assert f"{EVENTS} answers, 0 differ" in simulate(folder, built, second, weights_image(second), "verilator")
    assert " 0 differ" not in simulate(folder, built, second, "", "verilator")


def test_the_emulator_is_the_plain_sum():
    """Against fractions, for weights at the ends of their types; nothing overflows in between."""
    design = convert(network(3, zeros=0.4), settings())
    one = design.graph["fc0"]
    x = np.array([[511, -512, 511, -512, 511], [-512] * 5, [3, 1, 4, 1, 5]])
    op, kind = one.op, one.result_type
    weight, bias = op.weight.array, op.bias.array
    for row, found in zip(x, design._emulate([x], ["fc0"], raw=True, mantissas=True)[0]["fc0"], strict=True):
        for j in range(SIZES[1]):
            exact = sum(Fraction(int(a), 2**6) * Fraction(int(w), 2**5) for a, w in zip(row, weight[:, j], strict=True))
            exact += Fraction(int(bias[j]), 2**6)
            mantissa = (exact * 2**kind.fraction).__floor__()
            assert int(found[j]) == (mantissa + 2**11) % 2**12 - 2**11


def test_bounds_hold_for_every_weight_of_the_type():
    """The range of the sums follows from the types alone: other weights give the same one, and the hardware's witness holds."""
    first, second = (convert(network(seed), settings()) for seed in (1, 2))
    for name in ("fc0", "fc1"):
        ranges = [d.emulator.ranges[d.graph[name].inputs[0]] for d in (first, second)]
        ends = [d.graph[name].op.exact([r]) for d, r in zip((first, second), ranges, strict=True)]
        assert (ends[0].low, ends[0].high, ends[0].fraction) == (ends[1].low, ends[1].high, ends[1].fraction)
    node, x = first.graph["fc1"], first.emulator.ranges["relu"]
    extreme = node.op.replace(
        weight=Const(np.full((6, 3), node.op.weight_t.max_mantissa)), bias=Const(np.full(3, node.op.bias_t.min_mantissa))
    )
    values = np.array([[x.high] * 6, [x.low] * 6])
    hardware = extreme.hardware([x], node.result_type)
    positive = Range.of_type(FixedType.parse("ap_ufixed<4,2>"))  # then no product is negative, and the sum begins at the bias
    kind, bias = extreme.exact_accumulator(positive), int(extreme.aligned_bias(positive).min())
    assert bias < 0
    assert kind.min_mantissa <= bias
    assert kind.max_mantissa >= -bias - 1 + (6 * 15 * 63 << extreme._up(positive))
    exact = (values @ extreme.weight.array << extreme._up(x)) + extreme.aligned_bias(x)
    assert (hardware.run([values]) == cast_to(exact, extreme.fraction(x), node.result_type)).all()


def test_exports_of_the_design():
    design = convert(network(1), settings())
    with pytest.raises(ConfigError, match="fc0: An exported core has no port for its weights"):
        rtl_project(design)
    assert "weights_write" not in emulator_project(design).files["net_emulator.cpp"]


class Played:
    """A serial port that keeps what is written, and answers each time that all is well."""

    def __init__(self, layout):
        self.layout, self.sent, self.come = layout, [], b""

    def write(self, data):
        self.sent += [*send(data), WAIT]
        self.come += answer(bytes(self.layout.answer_bytes - 8))

    def read(self, size=1):
        part, self.come = self.come[:size], self.come[size:]
        return part


def test_the_harness_of_a_board_loads_weights(tmp_path):
    """Over the serial port: events of the model that was built, a damaged word, the words of another model, its events."""
    require_tool("iverilog", shutil.which("iverilog"))
    graphs = network(1), mixed(network(1), network(2))
    first, second = (convert(graph, settings(only=("fc1",))).on_board("ulx3s-25") for graph in graphs)
    folder, layout = first.write(tmp_path / "p", force=True), layout_of(first)
    assert Layout.read(folder) == layout
    x = np.random.default_rng(1).integers(-512, 512, size=(3, 5))
    before, after = (packed(layout.outputs, [*d.answers([x]).values()]) for d in (first, second))
    port = Played(layout)
    words = Link(port, layout, seconds=0.01).load(weights_image(second))
    damaged = bytearray(request(bytes(4 + layout.words), LOAD))
    damaged[-1] ^= 1
    events = [w for payload in packed(layout.inputs, [x]) for w in (*send(request(payload)), WAIT)]
    said = play(folder, "net", [*events, *send(bytes(damaged)), WAIT, *events, *port.sent, *events], 100, "iverilog")
    frames = [said.data[i : i + layout.answer_bytes] for i in range(0, len(said.data), layout.answer_bytes)]
    assert [Answer.of(f).payload for f in frames[:3]] == before
    with pytest.raises(ToolError, match="wrong checksum"):
        Answer.of(frames[3])
    assert [Answer.of(f).payload for f in frames[4:7]] == before
    assert [Answer.of(f).clocks for f in frames[7 : 7 + words]] == [0] * words
    assert [Answer.of(f).payload for f in frames[7 + words :]] == after
    assert before != after


@pytest.mark.parametrize("line", ["@0", "@0 fffffff", "0 1", "@-1 1", "@1ffffffff 1"])
def test_what_is_no_image_is_refused(line):
    layout = layout_of(convert(network(1), settings()).on_board("ulx3s-25"))
    with pytest.raises(ToolError, match="no word of an image"):
        Link(Played(layout), layout).load(line)
    for line in (f"@{1 << layout.address_bits:x} 1", f"@0 {1 << layout.word_bits:x}"):  # of another design, by one bit
        with pytest.raises(ToolError, match="no word of an image"):
            Link(Played(layout), layout).load(line)
    with pytest.raises(ToolError, match="no weights that can be loaded"):
        Link(Played(layout), replace(layout, words=0)).load("@0 1")


def test_addresses_do_not_overlap():
    found = banks(convert(network(1), settings((7, 5))).sizer.placed().layers)
    taken = [a for b in found for a in range(b.first, b.first + (1 << b.bits))]
    assert len(taken) == len(set(taken))
    assert all(b.first % (1 << b.bits) == 0 and len(b.words) <= 1 << b.bits for b in found)
    assert sum(len(b.words) for b in found if b.single) == 9


def test_zeros_cost_like_the_rest_and_are_said():
    sparse, full = (convert(network(1, zeros=z), settings()) for z in (0.8, 0.0))
    assert [(x.latency, x.interval) for x in sparse.sizer.placed().layers] == [
        (x.latency, x.interval) for x in full.sizer.placed().layers
    ]
    assert any("fc0: Its weights are reloadable: zeros, " in n and "cost like all others" in n for n in sparse.notes)


def test_the_compiled_cpp_of_a_design_in_verilog_has_its_memories():
    design = convert(network(1), settings() | {"Part": "xc7vx690tffg1930-3"})
    assert design.verify(np.random.default_rng(1).uniform(-8, 8, (50, 5))).equal
    assert "weights_write" in design.project.files["rtl/net.v"]
    assert "static ap_int<7> fc0_weights" in design.for_cpp().project.files["firmware/layers/fc0.h"]
    assert "weights_write" not in design._for_backend("Bambu").project.files["firmware/net.h"]


REFUSED = [
    ({"Strategy": "Latency"}, TypeResolutionError, "Strategy: Resource and a ReuseFactor of 2 or more"),
    ({"ReuseFactor": 1}, TypeResolutionError, "ReuseFactor of 2 or more"),
    ({"Precision": {"weight": "ap_fixed<7,2>"}}, TypeResolutionError, "bias: ap_fixed<..>, result: ap_fixed<..>"),
    (
        {"Precision": {**TYPES["fc0"], "accum": "ap_fixed<8,4>"}},
        LimitError,
        "or leave Weights: reloadable out, and set ReuseFactor",
    ),
    ({"Weights": "movable"}, ConfigError, "fixed, reloadable"),
]


@pytest.mark.parametrize(("changed", "kind", "words"), REFUSED, ids=["strategy", "reuse", "types", "accum", "word"])
def test_what_cannot_be_reloaded_is_refused(changed, kind, words):
    config = settings(only=("fc0",), **changed)
    config["HLSConfig"]["Model"] = {}  # a type for all layers would state theirs
    with pytest.raises(kind) as error:
        convert(network(1), config).project  # noqa: B018
    assert words in str(error.value)
    assert "fc0" in str(error.value)


WITHOUT_PORTS = [
    ({"Backend": "Bambu"}, "Bambu's core has no ports"),
    ({"IOType": "io_stream"}, "A design in streams has no ports"),
    ({"Backend": "Vitis", "Interface": "hls4ml"}, "The interface of hls4ml has no ports"),
]


@pytest.mark.parametrize(("change", "words"), WITHOUT_PORTS, ids=["bambu", "streams", "interface"])
def test_what_has_no_ports_refuses(change, words):
    with pytest.raises(ConfigError) as error:
        convert(network(1), settings() | change)
    assert f"fc0: {words} through which Weights: reloadable could be written." in str(error.value)


def test_a_softmax_has_no_use_for_memories():
    b = Builder()
    graph = b.build([b.add("fc0", Softmax(0), [b.add("x", Input((5,)))])])
    notes = convert(graph, settings(only=("fc0",))).notes
    assert any("has no use for Weights" in n for n in notes)


def test_models_that_do_not_fit_are_refused_by_name(written):
    _, folder, _ = written
    bigger = network(2)
    grown = Builder()
    x = grown.add("x", Input((5,)))
    op = bigger["fc0"].op
    x = grown.add("fc0", op.replace(weight=Const(op.weight.array * 4)), [x])
    x = grown.add("fc1", bigger["fc1"].op, [grown.add("relu", Relu(), [x])])
    steps = np.rint(op.weight.array * 4 * 32)
    count = int(((steps > 63) | (steps < -64)).sum())
    cases = [
        (grown.build([x]), f"fc0: {count} weights outside ap_fixed<7,2>, which holds -2 to 1.96875: the farthest is "),
        (mlp(np.random.default_rng(0), (5, 7, 3)), "fc0: its weights have the shape (5, 7), the design's (5, 6)"),
        (mlp(np.random.default_rng(0), (5, 6)), "There is no layer 'fc1' in the model"),
    ]
    for graph, words in cases:
        with pytest.raises(Nn2hlsError) as error:
            reloaded(folder, graph)
        assert words in str(error.value)


def test_a_layer_that_is_not_reloadable_must_be_as_it_was_built(tmp_path):
    config = settings(only=("fc1",))
    folder = convert(network(1), config).write(tmp_path / "p", force=True)
    same, other = network(1), network(2)
    assert reloaded(folder, same).graph["fc1"].op.written
    with pytest.raises(ModelError, match="fc0: it is not what was built, and cannot be reloaded"):
        reloaded(folder, other)
    assert reloaded(folder, mixed(same, other)).graph["fc1"].op.written


def test_a_project_without_memories_and_damaged_files(tmp_path, capsys):
    config = settings(only=())
    folder = convert(network(1), config).write(tmp_path / "p", force=True)
    with pytest.raises(ToolError, match="no weights that can be reloaded"):
        read_memories(folder)
    (folder / "rtl" / "weights.json").write_text(json.dumps({"project": 3}))
    with pytest.raises(ToolError, match=r"weights\.json"):
        read_memories(folder)
    assert main(["weights", str(folder), str(tmp_path / "none.onnx"), "-o", str(tmp_path / "i.hex")]) == 1
    assert not (tmp_path / "i.hex").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_no_plan_and_no_search_lays_memories_out_as_they_cannot_be():
    """A design that is picked is one that `convert` takes: reuse factors from 2 on, and no strategy of sums side by side."""
    design = convert(network(1), settings(only=("fc0",)))
    found = Solver(design.sizer).solve(Limits())
    assert found.layouts["fc0"].reuse == 2
    listed = design.sizer.choices("fc0", named=(1,))
    assert min(c.reuse for c in listed.choices) == 2
    assert "with a ReuseFactor of 2 or more, not 1" in listed.refused[1]
    x = np.random.default_rng(1).normal(size=(40, 5))
    space = Space.of(Network.prepare(network(1), settings(only=("fc0",)), x), 9, (1, 2, 4))
    choices = {v.name: v.choices for v in space.variables if v.choices}
    assert choices["fc0.reuse"] == (2, 4)
    assert choices["fc1.reuse"] == (1, 2, 4)
    assert "fc1.strategy" in choices
    assert "fc0.strategy" not in choices
