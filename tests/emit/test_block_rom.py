"""Weights that layers share multipliers among, in block RAM: in two simulators, in the estimate, and as yosys builds them."""

import re
import shutil

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.hardware.steps import BLOCK_BITS, LUT_WORDS
from nn2hls.tools.rtl.yosys import synthesise
from tests.kit.networks import mlp
from tests.kit.rtl import registers_in, simulate
from tests.kit.streams import simulated, streamed
from tests.kit.tools import require_tool

PART = "xc7a35tcpg236-1"
PLACED = "synth_xilinx -family xc7 -flatten -run begin:map_ffram"  # as far as memories


def design(reuse, strategy, sizes=(8, 24, 2), **more):
    graph = mlp(np.random.default_rng(0), sizes, density=0.9)
    model = {"Precision": "ap_fixed<12,4>", "ReuseFactor": reuse, "Strategy": strategy}
    return convert(graph, {"Backend": "Verilog", "Part": PART, "ClockPeriod": 10, **more, "HLSConfig": {"Model": model}})


def steps_of(found):
    return {x.name: x.steps for x in found.sizer.placed().layers if x.steps is not None}


@pytest.mark.parametrize("simulator", ["iverilog", pytest.param("verilator", marks=pytest.mark.long)])
def test_answers_clocks_and_registers_are_those_of_words_in_luts(simulator, tmp_path):
    found = design(90, "Resource")
    project, order = found._rtl
    text = project.files["rtl/myproject.v"]
    assert text.count("rom_style") == 1  # the other layer has as many words as a LUT holds
    got = simulate(project, tmp_path, 40, simulator)
    assert (got.check.differ, got.check.latency, got.check.interval) == (0, order.latency, order.interval)
    in_luts = design(90, "Latency")._rtl[1]
    assert (order.latency, order.interval, order.registers) == (in_luts.latency, in_luts.interval, in_luts.registers)
    assert registers_in(text) == order.registers


def test_in_streams(tmp_path):
    graph = mlp(np.random.default_rng(1), (8, 24, 2))
    made = streamed(graph, layers={"fc0": {"ReuseFactor": 96, "Strategy": "Resource"}})
    assert "rom_style" in made.project.files["rtl/streamed.v"]
    got = simulated(made.project, tmp_path).check
    assert (got.differ, got.interval) == (0, made.pace.interval)
    found = design(90, "Resource", IOType="io_stream").estimate()
    assert found.memories["fc0"].roms_bram > 0
    assert found.layers[0].report.bram == 1


def test_the_estimate_counts_them_where_they_lie():
    block, logic = design(90, "Resource").estimate(), design(90, "Latency").estimate()
    (steps,) = [s for s in steps_of(design(90, "Resource")).values() if s.block]
    assert (block.bram, logic.bram) == (1, 0)
    assert block.lut < logic.lut
    assert block.memories["fc0"].roms_bram == steps.count * steps.stored_bits
    assert (logic.memories["fc0"].roms_bram, logic.memories["fc0"].roms_lut > 0) == (0, True)
    assert re.search(r"^fc0 +- +[\d,]+$", block.text(), re.M)
    assert block.to_dict()["memories"]["fc0"]["roms_bram"] == block.memories["fc0"].roms_bram


def test_large_ones_are_block_ram_unasked():
    found = steps_of(design(256, "Latency", (60, 32, 4)))
    large, small = found["fc0"], found["fc1"]
    assert large.block
    assert large.count > LUT_WORDS
    assert large.count * large.stored_bits >= BLOCK_BITS
    assert not small.block
    assert small.count * small.stored_bits < BLOCK_BITS


@pytest.mark.long
def test_yosys_builds_block_ram(tmp_path):
    require_tool("yosys", shutil.which("yosys"))
    found = design(90, "Resource")
    found._rtl[0].write(tmp_path / "p")
    module = "myproject__fc0__steps"
    got = synthesise(tmp_path / "p" / "rtl", module, PART, ["myproject.v"], command=PLACED)
    assert got.figures.resources.bram == found.estimate().bram
