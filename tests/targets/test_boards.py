"""Boards as data: parts, pins, clocks; what is wrong is named."""

from dataclasses import replace

import pytest

from nn2hls.errors import ConfigError
from nn2hls.targets import boards, find_part
from nn2hls.targets.board import LINES, Pin, constraints, find_board, open_boards
from nn2hls.tools.find import PROGRAMS


@pytest.mark.parametrize("name", open_boards())
def test_each_board_is_sane(name):
    board = find_board(name)
    assert find_part(name) == find_part(boards()[name]) == board.device
    assert board.device.family.vendor != "AMD"
    assert board.flow.program in PROGRAMS
    assert abs(board.mhz * 1e6 / board.bit_clocks(115_200) / 115_200 - 1) < 0.01
    assert set(board.lines) == set(LINES)
    for kind, lines in board.lines.items():
        text, pins = constraints(board, 50.0, kind), board.pins(kind)
        for port, pin in pins.items():
            (line,) = [x for x in text.splitlines() if f'"{port}"' in x or f" {port} " in x if pin.name in x]
            assert pin.io in line
        assert len({p.name for p in pins.values()}) == len(pins) == 1 + len(lines) + (board.reset is not None)
        assert set(lines) == set(LINES[kind])


@pytest.mark.parametrize("text", ["ULX3S-25", " ulx3s_25 ", "ulx3s 25"])
def test_spellings(text):
    assert find_board(text).name == "ulx3s-25"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ulx3s", "There are ulx3s-25 and ulx3s-85."),
        ("icebraker", "Did you mean 'icebreaker'?"),
        ("pynq-z2", "Known are ulx3s-25"),
        ("", "Known are"),
    ],
)
def test_a_board_that_is_not_known(text, says):
    with pytest.raises(ConfigError) as error:
        find_board(text)
    assert says in str(error.value)


def test_pins_that_clash():
    board = replace(find_board("ulx3s-25"), lines={"uart": {"rx": Pin("M1"), "tx": Pin("M1")}})
    with pytest.raises(ConfigError, match="The ports rx and tx are both on pin M1"):
        constraints(board, 25)


@pytest.mark.parametrize(
    ("baud", "says"), [(0, "Use 1 to 3,000,000"), (4_000_000, "Use 1 to 3,000,000"), (2_200_000, "Use 2,400,000")]
)
def test_a_rate_that_the_clock_does_not_make(baud, says):
    board = find_board("icebreaker")
    assert board.bit_clocks(3_000_000) == 4
    with pytest.raises(ConfigError, match=says):
        board.bit_clocks(baud)


def test_spi():
    board = find_board("icebreaker")
    assert (board.usual_rate("spi"), find_board("ecpix5-45").usual_rate("spi")) == (1_000_000, 1_000_000)
    assert find_board("gatemate-evb").usual_rate("uart") == 115_200
    board.check_port("spi", 1_500_000)
    for port, rate, says in (
        ("spi", 1_500_001, "Use 1 to 1,500,000"),
        ("spi", 0, "Use 1 to 1,500,000"),
        ("uart", 4_000_000, "Use 1 to 3,000,000"),
        ("i2c", 100, "There is no port 'i2c'. Use uart or spi"),
    ):
        with pytest.raises(ConfigError, match=says):
            board.check_port(port, rate)
    without = replace(board, lines={"uart": board.lines["uart"]})
    with pytest.raises(ConfigError, match=r"No pins of 1BitSquared .* are known for SPI\. Use --port uart"):
        without.check_port("spi", 100)
