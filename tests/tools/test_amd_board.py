"""Boards of AMD's: the kernel and the driver by simulation against the emulator, the scripts under stand-ins of programs."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from nn2hls.design.design import convert
from nn2hls.errors import ConfigError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Elementwise, Input, Merge
from nn2hls.targets import find_part
from nn2hls.targets.amd_board import amd_boards, any_board
from nn2hls.tools.amd.kernel import CompiledKernel
from tests.kit.amd_boards import fake_pynq, fake_xrt, load_driver
from tests.kit.amd_tools import build, net_folder, steps
from tests.kit.boards import payload
from tests.kit.networks import mlp

NAMES = list(amd_boards())
TYPES = {"wide": "ap_fixed<41,9>", "x": "ap_fixed<13,4>", "z": "ap_ufixed<7,2>"}


def two():
    """Two inputs and two outputs of many widths: elements that reach into the next word."""
    b, rng = Builder(), np.random.default_rng(3)
    x, z = b.add("x", Input((50,))), b.add("z", Input((11,)))
    one = b.add("wide", Dense(Const(rng.normal(size=(50, 5))), Const(rng.normal(size=5))), [x])
    two = b.add("small", Dense(Const(rng.normal(size=(11, 5))), Const(rng.normal(size=5))), [z])
    return b.build([b.add("sum", Elementwise(Merge.ADD), [one, two]), one])


def on_board(name, graph=None, **more):
    layers = {key: {"Precision": {"result": kind}} for key, kind in TYPES.items()}
    levels = {"Model": {"Precision": "ap_fixed<11,5>"}, "LayerName": layers if graph is None else {}}
    config = {"ProjectName": "net", "ClockPeriod": 8, **more, "HLSConfig": levels}
    return convert(graph or two(), config).on_board(name)


@pytest.fixture(scope="module", params=["pynq-z2", "alveo-u50"])
def written(request, tmp_path_factory):
    """(design, folder, compiled kernel)."""
    design = on_board(request.param)
    folder = design.write(tmp_path_factory.mktemp("board") / "p")
    return design, folder, CompiledKernel(folder, "net", "net_kernel")


def events(design, count=50):
    rng = np.random.default_rng(1)
    kinds = [n.result_type for n in design.graph.inputs]
    shapes = [n.shape for n in design.graph.inputs]
    return [rng.integers(k.min_mantissa, k.max_mantissa + 1, size=(count, *s)) for k, s in zip(kinds, shapes, strict=True)]


def test_events_go_to_the_kernel_and_back(written, monkeypatch):
    """From the driver's arrays over its packing, the words and the core, to its arrays again: every bit is the emulator's."""
    design, folder, kernel = written
    fake = (fake_pynq if design.card.shell.driver == "pynq" else fake_xrt)(kernel)
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    driver = load_driver(folder, monkeypatch)
    board, x = driver.Accelerator(), events(design)
    meant = list(design.answers(x).values())
    for most in (driver.MOST, 3 * 64):  # at once, and in several transfers
        monkeypatch.setattr(driver, "MOST", most)
        found = board.run(*x)
        assert [(a == b).all() and a.shape == b.shape for a, b in zip(found, meant, strict=True)] == [True, True]
    assert [len(a) for a in board.run(*[a[:0] for a in x])] == [0, 0]
    assert driver.main() == 0  # the events of tb_data
    assert "net." in str(fake.loaded)
    assert not getattr(fake, "held", ())
    a, b = x
    for wrong, words in [
        ([a], "1 arrays are given for 2"),
        ([a, b[:, :3]], "z: the shape"),
        ([a, b[:7]], "z: the shape"),
        ([a.astype(float), b], "x: mantissas are whole numbers"),
        ([a * 4096, b], "x: a mantissa is outside -4096 to 4095"),
        ([a, -b], "z: a mantissa is outside 0 to 127"),
    ]:
        with pytest.raises(ValueError, match=words):
            board.run(*wrong)


def test_a_wrong_bit_is_seen(written, monkeypatch):
    design, folder, kernel = written

    def broken(data, given):
        found = kernel(data, given)
        found[3, 1] ^= 4
        return found

    fake = (fake_pynq if design.card.shell.driver == "pynq" else fake_xrt)(broken)
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    assert load_driver(folder, monkeypatch).main() == 1


def test_the_words_are_stated_bit_by_bit(written):
    """The packing against a statement of its own, and as the serial boards have it."""
    design, _, _ = written
    order, word = design.kernel_order(), design.card.shell.word // 8
    inputs = convert(two(), {"HLSConfig": {"Model": {"Precision": "ap_fixed<11,5>"}}})
    assert len(order.requests[0]) % word == 0
    assert len(inputs.graph.inputs) == 2
    x = [v[:5] for v in events(design)]
    from nn2hls.tools.boards.frames import packed, tensors_of
    from nn2hls.tools.boards.packing import pack, unpack

    tensors = tensors_of({n.name: (n.shape, n.result_type) for n in design.graph.inputs})
    fields = [t.field for t in tensors]
    data = pack(x, fields, 8 * word)
    for k, row in enumerate(data):
        stated = payload(tensors, [v[k] for v in x])
        assert row.tobytes() == stated + bytes(-len(stated) % word)
        assert packed(tensors, [v[k : k + 1] for v in x]) == [stated]
    assert [(a == b).all() for a, b in zip(unpack(data, fields), x, strict=True)] == [True, True]


@pytest.mark.parametrize("name", NAMES)
def test_a_board_has_a_part_and_a_project(name):
    board = any_board(name.upper().replace("-", "_"))
    assert find_part(board.part).name == find_part(name).name
    design = on_board(name, mlp(np.random.default_rng(0), (3, 2)))
    assert (design.config.part, design.config.backend, design.for_tool("vitis").card) == (board.part, "Vitis", board)
    files = {p.removeprefix("board/") for p in design.project.files if p.startswith("board/")}
    own = {"block_design.tcl"} if board.shell.processor else {"link.cfg"}
    common = {"net_kernel.h", "net_kernel.cpp", "net_kernel_bridge.cpp", "kernel.tcl", "driver.py", "packing.py", "board.json"}
    assert files == common | own


REFUSED = [
    ("pynq-z2", {"ClockPeriod": 2}, "10 to 250 MHz"),
    ("alveo-u50", {"ClockPeriod": 20}, "60 to 500 MHz"),
    ("pynq-z2", {"IOType": "io_stream"}, "no streams"),
    ("pynq-z2", {"Interface": "hls4ml"}, "not hls4ml's"),
    ("pynq-z3", {}, "Did you mean 'pynq-z2'"),
]


@pytest.mark.parametrize(("name", "more", "words"), REFUSED, ids=["fast", "slow", "streams", "ports", "name"])
def test_what_a_board_cannot_hold_is_refused(name, more, words):
    with pytest.raises(ConfigError) as error:
        on_board(name, mlp(np.random.default_rng(0), (3, 2)), **more)
    assert words in f"{error.value}"


def test_a_rate_is_for_serial_ports():
    design = convert(mlp(np.random.default_rng(0), (3, 2)), {"ClockPeriod": 8})
    with pytest.raises(ConfigError, match="no serial port"):
        design.on_board("pynq-z2", 9600)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    found = net_folder(tmp_path, monkeypatch)
    Path("net.yml").write_text(Path("net.yml").read_text() + "ClockPeriod: 8\n")
    (found / "bin" / "g++").symlink_to(shutil.which("g++", path="/usr/bin:/bin:/usr/local/bin"))
    for name in ("as", "ld"):
        (found / "bin" / name).symlink_to(shutil.which(name, path="/usr/bin:/bin"))
    return found


@pytest.mark.parametrize(
    ("name", "programs", "made"),
    [
        ("pynq-z2", ("vitis-run", "vivado"), ["net.bit", "net.hwh"]),
        ("kv260", ("vitis_hls", "vivado"), ["net.bit", "net.hwh"]),
        ("alveo-u55c", ("vitis-run", "v++"), ["net.xclbin"]),
    ],
)
def test_every_step_runs_where_its_tool_is(capsys, install, folder, monkeypatch, name, programs, made):
    install(*programs)
    monkeypatch.setenv("FAKE_BOARD_FILES", "1")
    code, report, _ = build(capsys, "--tool", "vitis", "--board", name)
    assert (code, steps(report)) == (0, {"simulate": True, "kernel": True, "bitstream": True}), report["steps"]
    assert [(c["witness"], c["events"], c["differ"]) for c in report["checks"]] == [("kernel", 200, 0)]
    assert all((folder / "out" / "board" / m).stat().st_size for m in made)
    assert report["part"] == amd_boards()[name].part
    sources = [f["source"] for f in report["total"]]
    assert ("placed" in sources, "hls" in sources) == ("net.bit" in made, True)
    log = (folder / "out" / "reports" / "vitis_bitstream.log").read_text()
    if made == ["net.xclbin"]:
        assert "clock freqHz=125000000:net_kernel_1" in log
        return
    assert re.search(r"FREQMHZ 125\b", log)
    assert "apply_board_preset 1" in log
    assert "board_part tul.com.tw:pynq-z2:part0:1.0" in log


def test_without_tools_each_step_says_what_is_missing(capsys, folder):
    code, report, _ = build(capsys, "--tool", "vitis", "--board", "pynq-z2")
    found = {s["name"]: (s["ok"], s["note"]) for s in report["steps"]}
    assert (code, found["simulate"][0], found["kernel"][0], found["bitstream"][0]) == (0, True, None, None)
    assert "vitis_hls and vitis-run are not on the PATH" in found["kernel"][1]
    assert "vivado is not on the PATH" in found["bitstream"][1]
    assert Path("out/board/block_design.tcl").is_file()
    found = {s["name"]: s for s in build(capsys, "--tool", "vitis", "--board", "alveo-u250")[1]["steps"]}
    assert "v++ is not on the PATH" in found["bitstream"]["note"]
    assert not Path("out/board/block_design.tcl").exists()


def test_what_fails_says_why_and_leaves_nothing_old(capsys, install, folder, monkeypatch):
    install("vitis-run", "vivado")
    assert build(capsys, "--tool", "vitis", "--board", "pynq-z2")[0] == 0
    monkeypatch.setenv("FAKE", "bitstream=fail")
    code, report, _ = build(capsys, "--tool", "vitis", "--board", "pynq-z2", "--steps", "bitstream")
    assert (code, steps(report)) == (1, {"bitstream": False})
    assert "bitstream is not to be" in report["steps"][0]["note"]
    assert not Path("out/board/net.bit").exists()
    monkeypatch.setenv("FAKE", "synth=fail")
    code, report, _ = build(capsys, "--tool", "vitis", "--board", "pynq-z2", "--steps", "kernel,bitstream")
    assert (code, steps(report)) == (1, {"kernel": False, "bitstream": None})
    monkeypatch.delenv("FAKE")
    code, report, _ = build(capsys, "--tool", "vitis", "--board", "pynq-z2", "--steps", "bitstream")
    assert (report["steps"][0]["ok"], "needs what the step kernel makes" in report["steps"][0]["note"]) == (None, True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--tool rtl --board pynq-z2", "Use it with --tool vitis"),
        ("--tool vitis --board ulx3s-25", "Use it with --tool rtl"),
        ("--tool csim --board pynq-z2", "csim builds for no board"),
        ("--tool vitis --steps kernel", "is for a board"),
        ("--tool vitis --board pynq-z2 --steps synth", "'synth' is no step of vitis"),
        ("--tool vitis --board pynq-z2 --until-timing", "boards of open tools"),
    ],
)
def test_wrong_options(capsys, folder, line, words):
    code, _, err = build(capsys, *line.split())
    assert code != 0
    assert words in err
    assert not (folder / "out").exists()


def test_a_damaged_kernel_is_told(written, tmp_path):
    """A core that leaves a bit out, words that are too few: the simulation sees both."""
    design, folder, _ = written
    copy = shutil.copytree(folder, tmp_path / "p")
    kernel = copy / "board" / "net_kernel.cpp"
    kernel.write_text(kernel.read_text().replace("if (here < W) bits", "if (here < 0) bits"))
    order = design.kernel_order()
    found = CompiledKernel(copy, "net", "net_kernel")(order.requests, order.answers.shape[1])
    assert (found != order.answers).any()
