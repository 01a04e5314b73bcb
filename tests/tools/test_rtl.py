"""Cores in Verilog: ports, the skew of outputs, the wrapper that aligns them, and every bit of every event."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nn2hls.errors import ToolError
from nn2hls.tools.rtl import check as rtl_check
from nn2hls.tools.rtl import skew as rtl_skew
from nn2hls.tools.rtl.check import check, simulate
from nn2hls.tools.rtl.core import Alignment, Core, Port, module_ports, port_names, wrap
from nn2hls.tools.rtl.skew import measure
from nn2hls.tools.rtl.verilator import BUILD
from tests.kit.rtl_cores import Output, Pipeline, one_at_a_time
from tests.kit.tools import require_tool


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """Verilator's own library, compiled by the first test that needs it."""
    return tmp_path_factory.mktemp("verilator")


@pytest.fixture
def verilator(monkeypatch, library):
    """Verilator, with its library compiled once for all tests."""
    require_tool("verilator", shutil.which("verilator"))

    def clean(core, keep):
        build = core.folder / BUILD
        for place in build.glob("verilated*.o"):
            shutil.copy2(place, library)
        if not keep:
            shutil.rmtree(build, ignore_errors=True)
            shutil.copytree(library, build)

    for module in (rtl_check, rtl_skew):
        monkeypatch.setattr(module, "clean", clean)


@pytest.mark.long
def test_the_simulation_leaves_its_log_only(tmp_path, monkeypatch):
    require_tool("verilator", shutil.which("verilator"))
    monkeypatch.chdir(tmp_path.parent)
    pipe = simple()
    core, x = pipe.core(Path(tmp_path.name)), pipe.events(10)
    _, found = check(core, [x], [pipe.answers(x)])
    assert found.check.differ == 0
    assert found.command.startswith("verilator --cc --exe --build")
    assert "/" not in found.command.replace("rtl_sim/", "")
    assert {p.name for p in tmp_path.iterdir()} == {"core.v", "core_top.v", "verilator_core.log", "verilator_wrapper.log"}


def simple(delay=2, done=2, **options):
    return Pipeline(
        [(16, True), (12, False)], [Output(20, True, delay, (5, -3)), Output(9, False, delay, (1, 7))], done, **options
    )


def every_width():
    """Outputs of 1 to 63 bits, signed and not, 0 to 7 clocks after the input, one of them constant."""
    inputs = [(w, s) for w in (1, 2, 7, 8, 9, 16, 17, 33, 63) for s in (True, False)]
    outputs = []
    for n, width in enumerate(w for w in (1, 2, 5, 8, 9, 15, 16, 17, 31, 32, 33, 47, 62, 63) for _ in "us"):
        factors = tuple((3 * n + k) % 7 - 3 or 1 for k in range(len(inputs)))
        outputs.append(Output(width, bool(n % 2), n % 8, factors, n))
    outputs.append(Output(12, False, 3, (0,) * len(inputs), 77))
    return Pipeline(inputs, outputs, done=5)


@pytest.mark.long
def test_every_width_sign_and_skew(verilator, tmp_path):
    pipe = every_width()
    core, x = pipe.core(tmp_path), pipe.events(1000)
    y = pipe.answers(x)
    alignment, found = check(core, [x], [y])
    assert alignment.delays == tuple(o.delay for o in pipe.outputs)
    assert (alignment.done, alignment.last) == (5, 7)
    assert (found.check.events, found.check.differ, found.check.latency, found.check.interval) == (1000, 0, 7, 1)
    assert found.mismatches == {"y": 0}
    assert found.latency == (7, 7)
    assert "Vnn2hls_wrapper" in (tmp_path / found.log).read_text()


@pytest.mark.parametrize(("delay", "done"), [(1, 1), (2, 0), (5, 5)])
@pytest.mark.long
def test_the_latency_counts_registers(verilator, tmp_path, delay, done):
    pipe = simple(delay, done)
    x = pipe.events(50)
    alignment, found = check(pipe.core(tmp_path), [x], [pipe.answers(x)], keep=True)
    assert (alignment.done, found.check.latency, found.check.interval, found.check.differ) == (done, delay, 1, 0)
    assert (tmp_path / "rtl_sim").is_dir()


def test_a_constant_that_says_nothing_costs_no_latency(verilator, tmp_path):
    extra = "  assign _y2 = 8'd3;\n  output [7:0] _y2;"
    pipe = simple(2, done=4, extra=extra)
    core = pipe.core(tmp_path)
    text = core.source.read_text().replace("_y1);", "_y1, _y2);", 1)
    core.source.write_text(text)
    (name, ports) = core.outputs[0]
    core = replace(core, outputs=((name, (*ports, Port("y2", 3, False))),))
    x = pipe.events(100)
    y = np.concatenate([pipe.answers(x), np.full((100, 1), 3)], axis=1)
    alignment = measure(core, [x], [y])
    assert alignment == Alignment((2, 2, 2), 4, ("y[2]",))


@pytest.mark.long
def test_one_wrong_bit_in_a_thousand_events(verilator, tmp_path):
    pipe = simple()
    x = pipe.events(1000)
    y = pipe.answers(x)
    core = pipe.core(tmp_path)
    text = core.source.read_text()
    wrong = f"assign _y1 = (now[2] && s0_2[19:0] == 20'd{int(y[700, 0]) % 2**20}) ? e1[15:0] ^ 16'd256 : now[2] ? "
    core.source.write_text(re.sub(r"assign _y1 = now\[2\] \? ", wrong, text))
    alignment, found = check(core, [x], [y])
    assert alignment.delays == (2, 2)
    assert (found.check.events, found.check.differ) == (1000, 1)
    assert found.mismatches == {"y": 1}
    assert found.first == f"y[1] of event 700 is {y[700, 1] ^ 256}, the emulator says {y[700, 1]}"


def test_a_core_that_takes_every_other_event_only(verilator, tmp_path):
    """It claims one every clock; a start in the clock after another is lost."""
    extra = "  reg busy; wire go = start_port && !busy; always @(posedge clock) busy <= reset && go;"
    pipe = simple(start="go", extra=extra)
    x = pipe.events(200)
    with pytest.raises(ToolError, match=r"100 answers.*its II is not 1"):
        measure(pipe.core(tmp_path), [x], [pipe.answers(x)], patience=200)


def test_a_core_that_mixes_neighbouring_events(verilator, tmp_path):
    """done_port comes for each event, but one input is read a clock late: right only while the inputs are held."""
    pipe = simple()
    core, x = pipe.core(tmp_path), pipe.events(200)
    text = core.source.read_text()
    core.source.write_text(text.replace("s0_2 <= s0_1", "s0_2 <= s0_0", 1))
    with pytest.raises(ToolError, match=r"core: y\[0\].*|.*its II is not 1") as error:
        measure(core, [x], [pipe.answers(x)])
    assert "one every clock" in str(error.value)


@pytest.mark.long
def test_a_core_that_never_answers(verilator, tmp_path):
    pipe = simple(start="1'b0")
    x = pipe.events(20)
    with pytest.raises(ToolError, match=r"stuck: clock \d+: nothing for 300 clocks, 20 events taken, 0 answers") as error:
        measure(pipe.core(tmp_path), [x], [pipe.answers(x)], patience=300)
    assert "II" not in str(error.value)


def test_a_simulation_that_takes_too_long(verilator, tmp_path):
    pipe = simple()
    x = pipe.events(20)
    with pytest.raises(ToolError, match=r"took longer than 0.01 s"):
        measure(pipe.core(tmp_path), [x], [pipe.answers(x)], seconds=0.01)


@pytest.mark.long
def test_one_event_at_a_time(verilator, tmp_path):
    core, x, y = one_at_a_time(tmp_path)
    alignment, found = check(core, x, y, keep=True)
    assert alignment.delays == (0, -2, 0, 1)
    # One clock to take the inputs, 3 .. 6 to done, one for the late output, one to keep them all.
    assert found.latency == (6, 9)
    assert found.interval == (5, 8)
    assert (found.check.events, found.check.differ, found.check.latency, found.check.interval) == (300, 0, 9, 8)
    assert found.mismatches == {"y": 0, "z": 0}
    early = Alignment((0, -1, 0, 1), 0)
    assert simulate(core, early, x, y).mismatches == {"y": 300, "z": 0}


@pytest.mark.long
def test_one_register_less_is_found(verilator, tmp_path):
    pipe = Pipeline([(16, True)], [Output(16, True, 1, (3,)), Output(16, True, 2, (5,))], 2)
    core, x = pipe.core(tmp_path), pipe.events(100)
    found = simulate(core, Alignment((2, 2), 2), [x], [pipe.answers(x)])
    assert found.check.differ >= 99
    assert "y[0] of event 0" in found.first


def test_values_before_the_reset_are_random(verilator, tmp_path, monkeypatch):
    """A valid that the reset forgets shows as an answer too many."""
    pipe = simple()
    core, x = pipe.core(tmp_path), pipe.events(100)
    alignment = Alignment((2, 2), 2)
    good = wrap(core, alignment)
    assert "reset ? 2'd0 : " in good
    bad = good.replace("reset ? 2'd0 : ", "")
    monkeypatch.setattr(rtl_check, "wrap", lambda *a: bad)
    with pytest.raises(ToolError, match=r"answers 10\d times to 100 events"):
        simulate(core, alignment, [x], [pipe.answers(x)])


def test_ports_are_read_in_both_styles():
    text = """
    // module core(not, this);
    module other(a); input [3:0] a; endmodule
    module core(clock, start_port, x0, x1, done_port, _y0);
      // IN  input [99:0] no
      input clock; input start_port; /* input nothing; */
      input signed [15:0] x0, x1;
      output done_port;
      output [0:7] _y0;
      reg [3:0] inputs;
    endmodule
    module modern(input wire clock, input wire signed [7:0] x0, x1, output reg [31:0] y);
    endmodule
    """
    assert module_ports(text, "core", "here") == {
        "clock": ("input", 1), "start_port": ("input", 1), "x0": ("input", 16), "x1": ("input", 16),
        "done_port": ("output", 1), "_y0": ("output", 8),
    }  # fmt: skip
    assert module_ports(text, "modern", "here") == {
        "clock": ("input", 1), "x0": ("input", 8), "x1": ("input", 8), "y": ("output", 32)
    }  # fmt: skip
    with pytest.raises(ToolError, match=r"here: It holds no module 'cor'"):
        module_ports(text, "cor", "here")


def test_names_of_ports(tmp_path):
    one = (Port("x0", 8, True),)
    names = ("reg", "Signal", "clock", "out", "x", "X", "reg_2")
    core = Core("core", tmp_path, tuple((n, one) for n in names), (), pipelined=True)
    assert list(port_names(core).values()) == ["reg_2", "Signal_2", "clock_2", "out_2", "x", "X_2", "reg_2_2"]
    for bad in ("a b", "x;endmodule", "nn2hls_x", "", "é", "1x"):
        with pytest.raises(ToolError, match="is no name for a port"):
            port_names(replace(core, inputs=((bad, one),)))
    with pytest.raises(ToolError, match="Two tensors"):
        port_names(replace(core, outputs=(("x", one),)))


@pytest.mark.parametrize(
    ("port", "message"),
    [(Port("x7", 8, True), r"x\[1\]: The core has no input port 'x7'; it has clock, reset, start_port, x0, x1"),
     (Port("y0", 8, True), r"x\[1\]: The core has no input port 'y0'"),
     (Port("x1", 17, True), r"x\[1\]: The port x1 has 16 bits, and 17 to 64 are expected")],
)  # fmt: skip
def test_ports_that_the_core_does_not_have(tmp_path, port, message):
    core = simple().core(tmp_path)
    core = replace(core, inputs=(("x", (Port("x0", 16, True), port)),))
    with pytest.raises(ToolError, match=message):
        wrap(core, Alignment((2, 2), 2))


def test_data_that_is_not_the_cores(tmp_path):
    pipe = simple()
    core, x = pipe.core(tmp_path), pipe.events(10)
    y = pipe.answers(x)
    for wrong in ([x[:, :1]], [x, x], [x[:0]]):
        with pytest.raises(ToolError, match=r"The inputs have the shapes .* events of \[2\] elements"):
            measure(core, wrong, [y])
    with pytest.raises(ToolError, match=r"The outputs have the shapes \[\(9, 2\)\]; the core takes 10 events of \[2\]"):
        measure(core, [x], [y[:9]])
    with pytest.raises(ToolError, match="x1: A mantissa does not fit 12 bits"):
        measure(core, [x + np.array([[0, 4096]])], [y])
    core.source.unlink()
    with pytest.raises(ToolError, match=r"core.v: .*cannot be read: No such file"):
        measure(replace(core), [x], [y])
