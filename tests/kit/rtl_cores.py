"""Cores in Verilog, written by hand in the manner of an HLS tool, and what they compute."""

from dataclasses import dataclass

import numpy as np

from nn2hls.tools.rtl.core import Core, Port


def c_width(width):
    """The C type that holds so many bits."""
    return next(w for w in (8, 16, 32, 64) if w >= width)


def wrapped(values, width, signed):
    """The low bits of Python integers, as mantissas."""
    low = np.array([int(v) & ((1 << width) - 1) for v in values], dtype=object)
    half = 1 << (width - 1)
    return np.where(signed & (low >= half), low - (1 << width), low).astype(np.int64)


@dataclass
class Output:
    """An output: sum of inputs times factors, cut to its width, so many clocks after the input."""

    width: int
    signed: bool
    delay: int
    factors: tuple
    offset: int = 0


@dataclass
class Pipeline:
    """A core with II = 1: y_k = (sum factors * x + offset) mod 2^width, each shown for one clock after a delay of its own."""

    inputs: list  # (width, signed)
    outputs: list
    done: int
    extra: str = ""  # Verilog inside the module, for defects
    start: str = "start_port"
    name: str = "core"

    def core(self, folder, **options):
        (folder / f"{self.name}.v").write_text(self.verilog())
        ins = tuple(Port(f"x{i}", w, s) for i, (w, s) in enumerate(self.inputs))
        outs = tuple(Port(f"y{i}", o.width, o.signed) for i, o in enumerate(self.outputs))
        return Core(self.name, folder, (("x", ins),), (("y", outs),), pipelined=True, **options)

    def verilog(self):
        ports = ["clock", "reset", "start_port", *(f"x{i}" for i in range(len(self.inputs)))]
        ports += ["done_port", *(f"_y{i}" for i in range(len(self.outputs)))]
        lines = [
            f"module {self.name}({', '.join(ports)});",
            "  // IN",
            "  input clock;",
            "  input reset;",
            "  input start_port;",
        ]
        for i, (w, s) in enumerate(self.inputs):
            lines.append(f"  input {'signed ' if s else ''}[{c_width(w) - 1}:0] x{i};")
        lines += ["  // OUT", "  output done_port;"]
        lines += [
            f"  output {'signed ' if o.signed else ''}[{c_width(o.width) - 1}:0] _y{i};" for i, o in enumerate(self.outputs)
        ]
        longest = max([self.done, *(o.delay for o in self.outputs)]) + 1
        lines += [f"  reg [{longest}:0] state;", f"  wire [{longest + 1}:0] now = {{state, {self.start}}};"]
        lines.append("  always @(posedge clock) if (!reset) state <= 0; else state <= now;")
        lines.append(f"  assign done_port = now[{self.done}];")
        for i, o in enumerate(self.outputs):
            lines += self._output(i, o)
        return "\n".join([*lines, self.extra, "endmodule", ""])

    def _output(self, i, o):
        width = c_width(o.width)
        terms = [f"64'sd{f} * xs{j}" if f >= 0 else f"-64'sd{-f} * xs{j}" for j, f in enumerate(o.factors) if f]
        terms.append(f"64'd{o.offset}")
        yield f"  wire signed [63:0] s{i}_0 = {' + '.join(terms)};"
        for d in range(1, o.delay + 1):
            yield f"  reg signed [63:0] s{i}_{d}; always @(posedge clock) s{i}_{d} <= s{i}_{d - 1};"
        top = o.width - 1
        fill = f"{{{64 - o.width}{{s{i}_{o.delay}[{top}]}}}}" if o.signed else f"{64 - o.width}'d0"
        yield f"  wire [63:0] e{i} = {{{fill}, s{i}_{o.delay}[{top}:0]}};"
        # Shown in its own clock only; the port is as wide as the C type.
        yield f"  assign _y{i} = now[{o.delay}] ? e{i}[{width - 1}:0] : {width}'d0;"
        if i == 0:
            for j, (w, s) in enumerate(self.inputs):
                kind = "signed " if s else ""  # as in C, all bits of the port count
                yield f"  wire {kind}[{c_width(w) - 1}:0] xc{j} = x{j}; wire signed [63:0] xs{j} = xc{j};"

    def events(self, count, seed=0):
        rng = np.random.default_rng(seed)
        xs = []
        for w, s in self.inputs:
            low = -(1 << (w - 1)) if s else 0
            xs.append(rng.integers(low, low + (1 << w) - 1, count, endpoint=True, dtype=np.int64))
        return np.stack(xs, axis=1)

    def answers(self, x):
        columns = []
        for o in self.outputs:
            sums = [o.offset + sum(int(f) * int(v) for f, v in zip(o.factors, row, strict=True)) for row in x]
            columns.append(wrapped(sums, o.width, o.signed))
        return np.stack(columns, axis=1)


# One event at a time, 3 + (x mod 4) clocks from start to done. It reads x until it is done. Three times x is shown with
# done_port only, x + 1 two clocks before it, x - 1 from one clock before it until the next start, 5 x one clock after it.
ONE_AT_A_TIME = """
module core(clock, reset, start_port, x0, done_port, _y0, _y1, _y2, _y3);
  input clock; input reset; input start_port;
  input signed [15:0] x0;
  output done_port;
  output signed [31:0] _y0;
  output signed [31:0] _y1;
  output signed [15:0] _y2;
  output signed [31:0] _y3;
  reg [3:0] left;
  reg signed [31:0] later;
  reg signed [15:0] kept;
  reg after;
  always @(posedge clock)
    if (!reset) begin left <= 0; after <= 0; end
    else begin
      if (start_port) left <= 3 + x0[1:0];
      else if (left != 0) left <= left - 1;
      if (left == 3) kept <= x0 - 1;
      later <= 5 * x0;
      after <= done_port;
    end
  assign done_port = left == 1;
  assign _y0 = done_port ? 3 * x0 : 32'sd0;
  assign _y1 = left == 3 ? x0 + 1 : 32'sd0;
  assign _y2 = kept;
  assign _y3 = after ? later : 32'sd0;
endmodule
"""


def one_at_a_time(folder, verilog=ONE_AT_A_TIME):
    """The core, its events and its answers."""
    (folder / "core.v").write_text(verilog)
    outputs = (("y", (Port("y0", 18, True), Port("y1", 17, True))), ("z", (Port("y2", 16, True), Port("y3", 19, True))))
    core = Core("core", folder, (("x", (Port("x0", 16, True),)),), outputs, pipelined=False)
    x = np.random.default_rng(3).integers(-32000, 32000, (300, 1))
    return core, [x], [np.concatenate([3 * x, x + 1], axis=1), np.concatenate([x - 1, 5 * x], axis=1)]
