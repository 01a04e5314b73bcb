"""Stands in for bambu: writes the Verilog of a ReLU on two values, or fails as FAKE_BAMBU says."""

import os
import signal
import sys
import time
from pathlib import Path

PORTS = ("0", "1")
LOG = """Required pipelining with II=1 for function: net_core
  State Transition Graph Information of function helper:
    Number of states: 7
  State Transition Graph Information of function net_core:
    Number of operations: 4
    Number of states: 2
Total number of flip-flops in function net_core: 16
  Scheduling Information of function net_core:
    Estimated max frequency (MHz): 400.0"""


def verilog(mode):
    """The core; ``wrong``: one value of one output is not the ReLU's; ``slow``: it loses every other event."""
    lines = ["module net_core(clock, reset, start_port, x0_0, x0_1, done_port, _y0_0, _y0_1);"]
    lines += ["  input clock; input reset; input start_port;", "  output done_port; reg done_port;"]
    start = "start_port && !done_port" if mode == "slow" else "start_port"
    lines += [f"  always @(posedge clock) done_port <= reset && {start};"]
    for k in PORTS:
        value = f"(x0_{k} < 0 ? 8'sd0 : x0_{k})"
        value = f"(x0_{k} == 8'sd77 ? 8'sd76 : {value})" if mode == "wrong" and k == "1" else value
        lines += [f"  input signed [7:0] x0_{k};", f"  output signed [7:0] _y0_{k}; reg signed [7:0] _y0_{k};"]
        lines += [f"  always @(posedge clock) _y0_{k} <= {value};"]
    return "\n".join([*lines, "endmodule", ""])


def main(arguments, mode):
    if "--version" in arguments:
        print("PandA-Bambu Version: 2024.10 - Revision fake")
        return 0
    name = next(a.split("=")[1] for a in arguments if a.startswith("--top-fname="))
    assert name == "net_core"
    assert Path(arguments[0]).is_file(), "run beside the folder firmware"
    if mode == "sleep":
        time.sleep(300)
    if mode == "crash":
        print("Bambu has crashed", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "memory":
        print("terminate called after throwing an instance of 'std::bad_alloc'")
        return 134
    if mode == "error":
        print("error -> Front-end: unsupported \x1b[31mthing\n../firmware/net_core.cpp:3:1: error: no such type")
        return 1
    if mode == "quiet":
        return 3
    print(LOG if mode != "unpipelined" else "\n".join(LOG.splitlines()[1:]))
    if mode != "nothing":
        Path(f"{name}.v").write_text("garbage" if mode == "garbage" else verilog(mode))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("FAKE_BAMBU", "")))
