"""Place and route by the real tools: a small network on an ECP5 and on an iCE40, down to the bitstream."""

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.errors import ToolError
from nn2hls.targets.board import find_board
from nn2hls.tools.find import find
from tests.kit.networks import mlp
from tests.kit.tools import require_tool


def here(program):
    try:
        return find(program)
    except ToolError:
        return None


@pytest.mark.long
@pytest.mark.parametrize(("name", "magic"), [("ulx3s-25", b"\xff\x00"), ("ice40-hx8k", b"\xff\x00")])
def test_down_to_the_bitstream(name, magic, tmp_path):
    board = find_board(name)
    for program in ("yosys", board.flow.program):
        require_tool(program, here(program))
    config = {"ClockPeriod": 35, "HLSConfig": {"Model": {"Precision": "ap_fixed<5,2>"}}}
    design = convert(mlp(np.random.default_rng(0), (2, 2, 1)), config).on_board(name)
    report = design.build("rtl", tmp_path / "p", steps=["yosys", "nextpnr", "pack"], timeout=300)
    assert [(s.name, s.ok) for s in report.steps] == [("yosys", True), ("nextpnr", True), ("pack", True)], str(report)
    assert "NOT COUNTED" not in report.steps[0].note
    counted, placed = report.total[-2:]
    assert placed.source == "placed"
    assert placed.clock_ns < 1e3 / board.mhz
    assert counted.resources.lut * 0.7 < placed.resources.lut < counted.resources.lut * 1.5 + 100
    assert any("the slowest path is in" in note for note in report.notes)
    made = tmp_path / "p" / "rtl" / board.flow.made.format(top="myproject_board")
    assert made.read_bytes()[:2] == magic
    assert made.stat().st_size > 10_000
