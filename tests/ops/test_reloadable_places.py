"""Weights in memories of layers that use them at many places: convolutions, depthwise ones, Dense layers over positions."""

import re
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.design.projects import memories
from nn2hls.design.reload import load, read_memories, reloaded, weights_image
from nn2hls.emit.rtl_project import vector_files
from nn2hls.errors import LimitError, ToolError, TypeResolutionError
from nn2hls.graph.graph import Turn
from nn2hls.ops import Dense
from nn2hls.ops.reloadable import reloadable
from tests.kit.reloadable import REUSE, TYPES, pairs, placed_network, placed_settings
from tests.kit.tools import require_tool

EVENTS = 8
FIRST = re.compile(r"^    initial .*\n|(?<=] = )\{[^}]*\}(?=;)", re.M)  # what memories hold at first, in Verilog and C++


@pytest.fixture(scope="module", params=["Verilog", "Vitis", "Vivado"])
def built(request, tmp_path_factory):
    """(design, the one of other weights, folder of the first)."""
    part = {"Part": "xc7vx690tffg1930-2"} if request.param == "Vivado" else {}
    design = convert(placed_network(1), placed_settings(Backend=request.param, **part))
    folder = design.write(tmp_path_factory.mktemp("reload") / "p", force=True)
    return design, reloaded(folder, placed_network(2, zeros=0.5)), folder


def inputs(design, events=EVENTS):
    kind = design.graph.inputs[0].result_type
    return np.random.default_rng(5).integers(kind.min_mantissa, kind.max_mantissa + 1, size=(events, 4, 2))


def test_each_layer_is_the_plain_sum(built):
    """The emulator at each place against fractions: what the memories hold, and nothing across groups."""
    for design in built[:2]:
        x = inputs(design)
        names = ["seen", "depthwise", "further", "conv", "each"]
        found = design._emulate([x], names, raw=True, mantissas=True)[0]
        for name, read in zip(REUSE, ("seen", "further", "conv"), strict=True):
            op, kind = design.graph[name].op, design.graph[name].result_type
            at, given = design.graph[read].result_type.fraction, found[read]
            for event, place, j in np.ndindex(found[name].shape):
                groups, channels = op.grouped or (1, op.weight.shape[0])
                total = Fraction(int(op.bias.array[j]), 2**6)
                for i, value in enumerate(given[event, place]):
                    if i // channels % groups == j // (op.weight.shape[1] // groups):
                        total += Fraction(int(value), 2**at) * Fraction(int(op.weight.array[i, j]), 2**5)
                mantissa = (total * 2**kind.fraction).__floor__()
                assert int(found[name][event, place, j]) == (mantissa + 2**11) % 2**12 - 2**11


def test_only_the_images_differ(built):
    """The text of a design, its schedule and its bounds are those of any weights."""
    first, second, folder = built
    texts = [
        {p: FIRST.sub("", t) for p, t in d.project.files.items() if p.endswith((".v", ".h", ".cpp", ".json"))}
        for d in built[:2]
    ]
    assert texts[0] == texts[1]
    assert first.estimate().to_dict() == second.estimate().to_dict()
    words = memories(first.sizer)
    assert [b.words for b in words] != [b.words for b in memories(second.sizer)]
    assert {b.layer for b in words} == {layer.name for layer in read_memories(folder).layers} == set(REUSE)
    held = {name: [b for b in words if b.layer == name and not b.single] for name in REUSE}
    assert [sum(len(b.words) for b in held[name]) for name in REUSE] == [9, 25, 6]  # 8, 24 and 6 weights, in whole steps
    notes = " ".join(second.notes)
    assert re.search(r"depthwise: Its weights are reloadable: zeros, \d of 8 here, cost like all others", notes)


def test_two_weight_sets_in_one_program(built):
    """The same compiled C++, of a design in Verilog the same compiled simulation."""
    first, second, folder = built
    if first.config.backend == "Verilog":
        simulated(first, second, folder)
        return
    meant = [d.answers([inputs(d, 200)])["each"] for d in (first, second)]
    x = inputs(first, 200) * first.graph.inputs[0].result_type.step
    assert (meant[0] != meant[1]).any()
    for design, answers in ((None, meant[0]), (second, meant[1]), (first, meant[0])):
        if design is not None:
            assert load(first, weights_image(design)) == sum(len(b.words) for b in memories(first.sizer))
        assert (first.csim_raw(x).mantissas == answers).all()
    address, word = weights_image(first).splitlines()[-1].split()
    load(first, f"{address} {int(word, 16) ^ 1:x}")  # a single word, by a bit
    assert (first.csim_raw(x).mantissas != meant[0]).any()
    for line in ("@0", f"@{1 << read_memories(folder).address_bits:x} 1", f"@0 {1 << read_memories(folder).word_bits:x}"):
        with pytest.raises(ToolError, match="no word of an image for this design"):
            load(first, line)


def simulated(first, second, folder):
    require_tool("iverilog", shutil.which("iverilog"))
    place = folder / "rtl"
    command = ["iverilog", "-g2001", f"-Pnet_bench.EVENTS={EVENTS}", "-o", "bench", "net.v", "net_bench.v"]
    subprocess.run(command, cwd=place, check=True)
    order = first._rtl[1]
    for design, image, differ in ((first, "", 0), (second, "", EVENTS), (second, weights_image(second), 0)):
        files = vector_files(design.graph, design._vectors([inputs(design)]))
        for name, text in zip(("stimulus.hex", "answers.hex", "image.hex"), (*files, image), strict=True):
            (place / name).write_text(text)
        words = ["+weights=image.hex", "+restart=3"] if image else []
        said = subprocess.run(["./bench", *words], cwd=place, capture_output=True, text=True, check=True).stdout
        times = f"latency {order.latency} to {order.latency}, interval {order.interval} to {order.interval}"
        assert f"{EVENTS} answers, {differ} differ, {times}" in said


@pytest.mark.long
def test_the_projects_own_bench_loads_an_image(tmp_path):
    """What C simulation and co-simulation of the tools play: the words of the other model, then its events."""
    require_tool("make", shutil.which("make"))
    first, second = (convert(placed_network(seed), placed_settings(Backend="Vitis")) for seed in (1, 2))
    place, other = first.write(tmp_path / "p"), second.write(tmp_path / "q")
    shutil.copytree(other / "tb_data", place / "tb_data", dirs_exist_ok=True)
    for image, said in (("", "100 differ"), (weights_image(second), "0 differ"), ("@0 1\n0 1\n", "no word of an image: 0 1")):
        (place / "tb_data" / "tb_weights.hex").write_text(image)
        done = subprocess.run(["make", "csim"], cwd=place, capture_output=True, text=True, check=False)
        assert said in done.stdout + done.stderr


def test_a_memory_of_many_words_is_read_turn_by_turn(built):
    """The hardware's own witness, with weights at the ends of their types: the ranges of its net hold."""
    design = built[0]
    node, x = design.graph["conv"], design.emulator.ranges["further"]
    extreme = node.op.replace(weight=type(node.op.weight)(np.full((8, 3), node.op.weight_t.min_mantissa)))
    values = np.array([[x.high] * 16, [x.low] * 16, [*range(16)]])
    found = extreme.hardware([x], node.result_type)
    assert (found.run([values]) == found.unrolled().run([values])).all()
    assert found.unrolled().loops[0].constants[1].shape == (5, 5)


def test_what_has_no_memories_is_refused_with_the_way_out(built):
    design = built[0]
    node = design.float_graph["conv"]
    for changed in (replace(node, tied="conv"), replace(node, turn=Turn("conv", 0))):
        with pytest.raises(TypeResolutionError, match="belong to the steps of a recurrent layer"):
            reloadable(changed, 5, "Resource")
    with pytest.raises(TypeResolutionError, match="A Move has no weights"):
        reloadable(replace(node, op=pairs(4, 2)), 5, "Resource")
    wide = placed_settings(Backend="Vitis")
    wide["HLSConfig"]["LayerName"]["each"]["Precision"] = TYPES | {"bias": "ap_fixed<65,9>"}
    with pytest.raises(LimitError, match="wider than the 64 that a word of the memories has"):
        convert(placed_network(1), wide).project  # noqa: B018


def test_groups_are_forgotten_where_channels_go():
    op = placed_network(1)["depthwise"].op
    assert op.grouped == (2, 1)
    assert isinstance(op, Dense)
    assert op.seen.tolist() == [[True, True, False, False], [False, False, True, True]] * 2
