"""The Python side of a serial port, against a board that is stated here; and clocks that are met in the end."""

from dataclasses import replace

import numpy as np
import pytest

from nn2hls.board import Link, Spi, check, layout_of, open_port, until_timing
from nn2hls.design.design import convert
from nn2hls.errors import ConfigError, LimitError, ToolError
from nn2hls.tools.boards.frames import AROUND
from nn2hls.tools.report import BuildReport, Figures
from tests.kit.boards import answer, crc, frame, payload
from tests.kit.networks import mlp


def on_board(port="uart", **more):
    graph = mlp(np.random.default_rng(1), (3, 4, 2))
    config = {"ClockPeriod": 20, **more, "HLSConfig": {"Model": {"Precision": "ap_fixed<7,3,AP_RND,AP_SAT>"}}}
    return convert(graph, config).on_board("ulx3s-25", port=port)


class Master:
    """A master of SPI with such a board on it: while a request goes, and until its answer is there, it hears zeros."""

    def __init__(self, board, late=3):
        self.board, self.late = board, late

    def xfer2(self, data):
        length = 5 + int.from_bytes(bytes(data[1:3]), "little")
        self.board.write(bytes(data[:length]))
        heard, self.board.out = bytes(length + self.late) + self.board.out, b""
        return list(heard[: len(data)].ljust(len(data), b"\0"))


class Board:
    """Answers as the design does; `faults` are done to its answers, one after the other."""

    def __init__(self, design, faults=()):
        self.design, self.layout, self.faults = design, layout_of(design), list(faults)
        self.out, self.asked = b"", 0

    def write(self, data):
        inside, said = data[1:-2], data[-2:]
        assert data == frame(inside[2:])
        assert crc(inside).to_bytes(2, "little") == said
        self.asked += 1
        (x,) = self.layout.inputs
        word = int.from_bytes(inside[2:], "little")
        half = 1 << x.kind.width - 1
        values = [((word >> k * x.kind.width) % (2 * half) ^ half) - half for k in range(3)]
        raw = self.design.predict_raw(np.array([values]) * x.kind.step)
        sent = answer(payload(self.layout.outputs, [raw.mantissas[0]]), clocks=7)
        self.out += self.faults.pop(0)(sent) if self.faults else sent

    def read(self, size=1):
        size = min(size, 3)  # in pieces
        part, self.out = self.out[:size], self.out[size:]
        return part


X = np.random.default_rng(0).uniform(-4, 4, (5, 3))


def test_a_board_that_answers():
    design = on_board()
    board = Board(design)
    found = check(design, Link(board, layout_of(design)), X)
    assert (found.witness, found.events, found.differ, found.latency) == ("board", 5, 0, 7)
    values, clocks = Link(board, layout_of(design)).run(
        [design.predict_raw(X).mantissas[:0].reshape(0, 2)[:, :0].reshape(0, 3)]
    )
    assert (values[0].shape, clocks) == ((0, 2), [])


def test_a_board_on_spi():
    design = on_board(port="spi")
    layout = layout_of(design)
    assert (layout.port, layout.baud) == ("spi", 1_000_000)
    for late, tries in ((0, 5), (3, 5)):
        board = Board(design)
        assert check(design, Link(Spi(Master(board, late), layout), layout), X).differ == 0
        assert board.asked == tries
    board = Board(design, [lambda sent: sent[:6] + bytes([sent[6] ^ 1]) + sent[7:], lambda sent: b""])
    assert check(design, Link(Spi(Master(board), layout), layout, seconds=0.02), X).differ == 0
    assert board.asked == 7


@pytest.mark.parametrize(
    "fault",
    [
        lambda sent: b"",
        lambda sent: sent[:-1],
        lambda sent: sent[:6] + bytes([sent[6] ^ 1]) + sent[7:],
        lambda sent: answer(bytes(len(sent) - AROUND), status=1),
    ],
    ids=["silent", "short", "damaged", "refused"],
)
def test_an_event_is_sent_again(fault):
    design = on_board()
    board = Board(design, [fault, fault])
    assert check(design, Link(board, layout_of(design), seconds=0.02), X[:2]).differ == 0
    assert board.asked == 4
    with pytest.raises(ToolError, match="After 3 tries"):
        check(design, Link(Board(design, [fault] * 3), layout_of(design), seconds=0.02), X[:2])


def test_noise_before_an_answer_is_left_out():
    design = on_board()
    assert check(design, Link(Board(design, [lambda sent: b"\x00\x13\xff" + sent]), layout_of(design)), X).differ == 0


def test_a_bit_that_differs_is_counted():
    design, other = on_board(), on_board()
    wrong = answer(payload(layout_of(other).outputs, [np.array([1, -3])]), clocks=7)
    found = check(design, Link(Board(design, [lambda sent: wrong]), layout_of(design)), X)
    assert (found.events, found.differ) == (5, 1)


def test_what_is_missing():
    with pytest.raises(ConfigError, match="stands on no board"):
        layout_of(replace(on_board(), board=None))
    with pytest.raises(ToolError, match=r"pyserial is missing|does not open"), open_port("/nowhere/tty", 115_200):
        pass


# ---- until timing ----------------------------------------------------------------------------------------------------------


def report(ns, *notes):
    total = (Figures("placed", "nextpnr", clock_ns=ns),) if ns else ()
    return BuildReport("rtl", "p", total=total, notes=notes)


def test_the_pipeline_is_cut_until_the_clock_is_met():
    """A place and route that needs 1.3 times what operators fill, plus a nanosecond."""
    tried = []

    def build(design):
        tried.append(design.sizer.period)
        return report(1.3 * design.sizer.period + 1)

    found, lines = until_timing(on_board(), build)
    assert found.total[-1].clock_ns <= 20
    assert tried[0] == 20
    assert tried == sorted(tried, reverse=True)
    assert len(lines) == len(tried)
    assert lines[0] == "ClockUncertainty 0%: 27.00 ns of 20 ns."
    assert lines[-1].endswith("met.")


def test_it_ends_where_nothing_helps():
    assert len(until_timing(on_board(), lambda design: report(90.0))[1]) == 6
    assert len(until_timing(on_board(), lambda design: report(90.0, "the slowest path is in the harness: 3 ns"))[1]) == 1
    assert until_timing(on_board(), lambda design: report(None))[1] == []


def test_it_ends_where_an_operator_does_not_fit():
    def build(design):
        if design.config.clock_uncertainty:
            raise LimitError("An adder takes longer.")
        return report(30.0)

    found, lines = until_timing(on_board(), build)
    assert found.total[-1].clock_ns == 30.0
    assert "An adder takes longer" in lines[-1]
    with pytest.raises(LimitError):
        until_timing(on_board(ClockUncertainty="10%"), build)
