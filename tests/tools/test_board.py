"""A core on a board: its harness, bits in and bits out, place and route by programs that misbehave, and by real ones."""

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nn2hls.cli import main
from nn2hls.design.design import convert
from nn2hls.emit import harness as emitted
from nn2hls.errors import ConfigError, LimitError
from nn2hls.graph.builder import Builder
from nn2hls.ops import Input, Relu
from nn2hls.targets.board import OnBoard, find_board
from nn2hls.tools import find as finding
from nn2hls.tools.boards.bench import RESET, WAIT, damaged, pause, play, send, simulate_board
from nn2hls.tools.boards.frames import request
from nn2hls.tools.boards.run import BoardRun
from nn2hls.tools.order import Order
from nn2hls.tools.report import Resources
from tests.kit.boards import answer, frame, payload
from tests.kit.networks import mlp
from tests.kit.paths import ROOT
from tests.kit.tools import require_tool


def on_board(board="ulx3s-25", reuse=1, sizes=(3, 4, 2), precision="ap_fixed<7,3>", port="uart", **more):
    levels = {"Model": {"Precision": precision, "ReuseFactor": reuse}}
    design = convert(mlp(np.random.default_rng(1), sizes), {"ClockPeriod": 20, **more, "HLSConfig": levels})
    return design.on_board(board, port=port)


@pytest.fixture(scope="module", params=[1, 3], ids=["pipelined", "reused"])
def written(request, tmp_path_factory):
    """(folder, order) of a written project."""
    require_tool("iverilog", shutil.which("iverilog"))
    project, order = on_board(reuse=request.param)._rtl
    assert order.interval == request.param
    return project.write(tmp_path_factory.mktemp("board") / "p"), order


def hear(folder, order, script):
    """What comes back from a board, as frames."""
    found = play(folder, order.board.layout.project, script, 100, "iverilog")
    length = order.board.layout.answer_bytes
    assert len(found.data) % length == 0
    return [found.data[i : i + length] for i in range(0, len(found.data), length)], found.silent


def test_bits_in_and_bits_out(written):
    """Whatever is said in between: each whole request gets the emulator's answer, each wrong one says what is wrong."""
    folder, order = written
    board, layout = order.board, order.board.layout
    x, y, sent = board.requests, board.answers, [send(request(p)) for p in board.requests]
    good = [answer(payload, clocks=order.latency) for payload in y]
    refused = {status: answer(bytes(len(y[0])), status=status) for status in (1, 2)}
    flipped = bytearray(frame(x[3]))
    flipped[4] ^= 0x01
    unsummed = bytearray(frame(x[3]))
    unsummed[-2] ^= 0x80
    short = frame(x[4][:-1])
    script = [
        *(*sent[0], WAIT, *sent[1], WAIT),
        *(*send(bytes([0x00, 0xFF, 0x5A, 0x13])), *sent[2], WAIT),  # garbage before a request
        *(*send(bytes(flipped)), WAIT, *send(bytes(unsummed)), WAIT, *sent[3], WAIT),  # a bit that is wrong
        *(*send(short[:3]), WAIT, *pause(20), *sent[4], WAIT),  # a wrong length
        *(*sent[5][:4], damaged(sent[5][4]), *pause(3), *sent[5], WAIT),  # a wrong stop bit
        *(*sent[6][:5], *pause(260), *sent[6], WAIT),  # a request that breaks off
        *(*sent[7][:5], RESET, *sent[7], WAIT),
        *(*sent[8], RESET, *sent[9], WAIT),  # a reset before the answer
        *(*send(b"\xa5"), *sent[10], WAIT, *pause(250), *sent[11], WAIT),  # garbage like the beginning of a request
    ]
    frames, silent = hear(folder, order, script)
    expected = [
        good[0],
        good[1],
        good[2],
        refused[1],
        refused[1],
        good[3],
        refused[2],
        *good[4:8],
        good[9],
        refused[2],
        good[11],
    ]
    assert (frames, silent) == (expected, False)
    assert layout.latency == order.latency


def test_bits_in_and_bits_out_over_spi(tmp_path):
    """The same of a master: it may let go of the board at any bit."""
    require_tool("iverilog", shutil.which("iverilog"))
    project, order = on_board(port="spi")._rtl
    folder, board = project.write(tmp_path / "p"), order.board
    x, y, sent = board.requests, board.answers, [send(request(p)) for p in board.requests]
    good = [answer(payload, clocks=order.latency) for payload in y]
    refused = {status: answer(bytes(len(y[0])), status=status) for status in (1, 2)}
    flipped = bytearray(frame(x[3]))
    flipped[4] ^= 0x01
    script = [
        *(*sent[0], WAIT, *sent[1], WAIT),
        *(*send(bytes([0x00, 0xFF, 0x5A, 0x13])), *sent[2], WAIT),  # garbage before a request
        *(*send(bytes(flipped)), WAIT, *sent[3], WAIT),  # a bit that is wrong
        *(*send(frame(x[4][:-1])), *pause(3), *sent[4], WAIT),  # a request that is too short
        *(*sent[5][:4], damaged(sent[5][4]), *sent[5], WAIT),  # half a byte
        *(*sent[6][:5], *pause(9), *sent[6], WAIT),  # a request that breaks off
        *(*sent[7][:5], RESET, *pause(1), *sent[7], WAIT),
        *(*sent[8], *send(bytes(4)), *pause(1), *sent[9], WAIT),  # an answer that nobody hears to its end
        *(*sent[10], *pause(40), *send(bytes(3)), *pause(1), *sent[11], WAIT),  # one that nobody hears at all
        *(*send(b"\xa5\x00\x00"), WAIT),  # a wrong length
    ]
    expected = [good[0], good[1], good[2], refused[1], *good[3:8], good[9], good[11], refused[2]]
    assert hear(folder, order, script) == (expected, False)
    check, first, _ = simulate_board(folder, board.layout, x[:40], y[:40], 100, "iverilog")
    assert (check.events, check.differ, first, check.latency) == (40, 0, "", order.latency)


def test_events_over_the_serial_port(written):
    folder, order = written
    board = order.board
    check, first, _ = simulate_board(folder, board.layout, board.requests[:40], board.answers[:40], 100, "iverilog")
    assert (check.events, check.differ, first, check.latency) == (40, 0, "", order.latency)
    wrong = [bytes([board.answers[0][0] ^ 4]) + board.answers[0][1:], *board.answers[1:3]]
    check, first, _ = simulate_board(folder, board.layout, board.requests[:3], wrong, 100, "iverilog")
    assert (check.events, check.differ, first[:8]) == (3, 1, "event 0:")


def test_what_is_sent_is_what_the_emulator_reads():
    design = on_board()
    _, order = design._rtl
    layout = order.board.layout
    x = layout.inputs[0]
    values = np.array([[1, -2, 3]])
    raw = design.predict_raw(values * x.kind.step)
    assert layout.requests([values]) == [payload(layout.inputs, [values[0]])]
    assert (layout.values([payload(layout.outputs, [raw.mantissas[0]])])[0] == raw.mantissas).all()


# ---- place and route by programs that misbehave ----------------------------------------------------------------------------

REPORT = {
    "fmax": {"clk": {"achieved": 50.0, "constraint": 50.0}},
    "utilization": {"TRELLIS_COMB": {"used": 300, "available": 24288}, "TRELLIS_FF": {"used": 90, "available": 24288}},
    "critical_paths": [
        {"from": "<async>", "to": "posedge clk", "path": [{"delay": 99, "type": "routing", "to": {"cell": "x"}}]},
        {
            "from": "posedge clk",
            "to": "posedge clk",
            "path": [
                {"delay": 0.5, "type": "clk-to-q", "to": {"cell": "core.lane0_myproject__fc0__0.x7_FF"}},
                {"delay": 12.5, "type": "routing", "to": {"cell": "core.lane0_myproject__fc1__0.v53_1_FF_D_LUT4_Z"}},
                {"delay": 7.0, "type": "setup", "to": {"cell": "core.lane0_myproject__fc1__0.v53_1_FF"}},
            ],
        },
    ],
}
OTHER = {**REPORT, "fmax": {"clk": {"achieved": 20.0}}, "critical_paths": []}


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Writes fakes of place and route and of the packer, which are all there is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(finding, "scripts", lambda: folder)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(name, text):
        path = folder / name
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "nextpnr-0.8"; exit; }}\n{text}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


USED = "printf 'Info: Device utilisation:\\nInfo: \\t  MULT18X18D:  26/   28  93%%\\nInfo: \\t TRELLIS_COMB: 17/ 24288  0%%\\n'"
OVER = "printf 'Info: \\t TRELLIS_COMB:  48576/ 24288   200%%\\n'"


def build(tmp_path, **more):
    return on_board().build("rtl", tmp_path / "p", steps=["nextpnr", "pack"], **more)


def reporting(report):
    return f"cat > nextpnr.json <<'END'\n{json.dumps(report)}\nEND"


def test_figures_beside_the_estimate(programs, tmp_path):
    programs("nextpnr-ecp5", reporting(REPORT))
    programs("ecppack", 'for last; do :; done; echo bits > "$last"')
    report = build(tmp_path)
    assert [(s.name, s.ok) for s in report.steps] == [("nextpnr", True), ("pack", True)]
    placed = report.total[-1]
    assert (placed.source, placed.clock_ns, placed.resources.lut, placed.resources.ff) == ("placed", 20.0, 300, 90)
    assert "nextpnr-ecp5 0.8" in report.version
    assert "--lpf myproject_board.lpf" in report.steps[0].command
    assert "--freq 50" in report.steps[0].command
    assert 'FREQUENCY PORT "clk" 50 MHZ' in (tmp_path / "p/rtl/myproject_board.lpf").read_text()
    assert report.notes[0] == (
        "After place and route the slowest path is in fc0 and fc1: 20.00 ns, 12.50 of them on the way between cells."
    )
    assert report.notes[1].startswith("ClockPeriod 20 ns is met")
    assert "openFPGALoader -b ulx3s rtl/myproject_board.bit" in report.steps[1].note


def test_a_clock_that_is_missed(programs, tmp_path):
    programs("nextpnr-ecp5", reporting(OTHER))
    report = build(tmp_path)
    assert [(s.name, s.ok) for s in report.steps] == [("nextpnr", False), ("pack", None)]  # slower than the oscillator
    assert "20.0 MHz of 25 MHz" in report.steps[0].note
    assert "ClockPeriod 20 ns is MISSED by 30.00 ns (150%)" in report.notes[-1]
    assert "ClockPeriod: 50" in report.notes[-1]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("sleep 600", "took longer than 1 s and was ended"),
        (f"{USED}; sleep 600", "build a smaller design. The fullest of the device are its MULT18X18D, 93% taken."),
        ("echo 'ERROR: Unable to place cell x, no BELs remaining'; exit 1", "does not hold it"),
        (
            f"{OVER}; echo 'ERROR: Unable to place cell x'; exit 1",
            "takes 48,576 TRELLIS_COMB of 24,288. Lower it by 50% or more",
        ),
        ("echo 'ERROR: cell type FOO is unsupported'; exit 1", "gives up: ERROR: cell type FOO"),
        ("true", "nextpnr.json"),
        ("echo '{}' > nextpnr.json", "no report of nextpnr"),
        ("echo '[' > nextpnr.json", "nextpnr.json"),
        ("kill -9 $$", "want of memory"),
    ],
)
def test_place_and_route_that_fails(programs, tmp_path, text, note):
    programs("nextpnr-ecp5", text)
    report = build(tmp_path, timeout=1.0)
    assert [(s.name, s.ok) for s in report.steps] == [("nextpnr", False), ("pack", None)]
    assert note in report.steps[0].note
    assert not list(tmp_path.glob("p/rtl/*.bit"))


def test_missing_programs(programs, tmp_path):
    report = build(tmp_path)
    assert report.steps[0].ok is None
    assert "nextpnr-ecp5 is not on the PATH" in report.steps[0].note
    assert "[open]" in report.steps[0].note
    assert not report.ok


def test_a_packer_that_makes_nothing(programs, tmp_path):
    programs("nextpnr-ecp5", reporting(REPORT))
    programs("ecppack", "echo broken")
    assert "makes no bitstream:\nbroken" in build(tmp_path).steps[-1].note


def test_what_a_board_does_not_hold():
    order = Order(Path("p"), "net", "", "", 20, rtl=on_board("icebreaker", ClockPeriod=80)._rtl[1])
    run = BoardRun(order, order.rtl, order.rtl.board)
    assert run.missing(Resources(lut=5280, ff=100, bram=0)) == ""
    note = run.missing(Resources(lut=10_560, ff=5281, bram=0))
    assert (
        "iCEBreaker does not hold it: it takes 10,560 LUT of 5,280, 5,281 FF of 5,280. Lower it by 50% or more: a higher R"
        in note
    )
    registers = run.missing(Resources(lut=5280, ff=5281, bram=0))
    assert "5,281 FF of 5,280. Lower it by 1% or more: a longer ClockPeriod, for which the pipeline is cut less" in registers
    slowest = BoardRun(replace(order, clock_ns=1e3 / 12), order.rtl, order.rtl.board)
    assert "Lower it by 1% or more: a higher ReuseFactor" in slowest.missing(Resources(lut=1, ff=5281, bram=0))


# ---- what does not go ------------------------------------------------------------------------------------------------------


def test_a_clock_that_the_board_does_not_have():
    with pytest.raises(
        ConfigError, match=r"ECPIX-5 .* has a clock of 100 MHz, .* cut for 50 MHz\. Set ClockPeriod: 10 or less"
    ):
        on_board("ecpix5-45")._rtl  # noqa: B018


def test_vendors_tools_of_another_vendor():
    with pytest.raises(ConfigError, match=r"Part: Vitis builds for no part of Lattice\. Use Backend: Verilog"):
        convert(mlp(np.random.default_rng(1), (2, 1)), {"Part": "ulx3s-25"})


def test_streams_have_no_harness():
    with pytest.raises(ConfigError, match="has no streams"):
        on_board(IOType="io_stream")._rtl  # noqa: B018


def test_an_event_beyond_a_frame(monkeypatch):
    monkeypatch.setattr(emitted, "MOST", 100)
    b = Builder()
    design = convert(b.build([b.add("y", Relu(), [b.add("x", Input((93,)))])]), {"HLSConfig": {"Model": {"Precision": "int8"}}})
    with pytest.raises(LimitError, match=r"An event of 93 bytes does not fit a frame\. At most 92 do"):
        emitted.harness(design.graph, "net", OnBoard(find_board("ulx3s-25")), 1, 20)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--board", "ulx3s-25"], "csim builds for no board"),
        (["--tool", "rtl", "--board", "ulx4s-25"], "Did you mean 'ulx3s-25'?"),
        (["--tool", "rtl", "--steps", "pack"], "The step pack is for a board"),
        (["--tool", "rtl", "--baud", "9600"], "--baud: This is for a board"),
        (["--tool", "rtl", "--until-timing"], "--until-timing: This is for a board"),
        (["--tool", "rtl", "--port", "spi"], "--port: This is for a board"),
        (["--tool", "rtl", "--board", "gatemate-evb", "--port", "spi", "--baud", "9000000"], "Use 1 to 1,250,000"),
        (["--tool", "rtl", "--board", "ulx3s-25", "--port", "spi", "--baud", "4000000"], "Use 1 to 3,125,000"),
        (["--tool", "rtl", "--board", "ulx3s-25", "--baud", "9000000"], "cannot make 9,000,000 baud"),
        (["--tool", "rtl", "--board", "ecpix5-45", "--clock", "20"], "Set ClockPeriod: 10 or less"),
    ],
)
def test_wrong_words(words, says, capsys, tmp_path):
    config = str(ROOT / "examples/jet_tagging/jet_tagger_pruned.onnx")
    assert main(["build", config, *words, "-o", str(tmp_path / "p")]) in (1, 2)
    assert says in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
