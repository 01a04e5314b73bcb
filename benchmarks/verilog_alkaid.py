"""The sums of the pruned tagger's layers as our Verilog and as alkaid's own, at the same bits, without registers, after yosys.

python -m benchmarks.verilog_alkaid FOLDER    the table of docs/verilog.md; FOLDER gets the Verilog and yosys' logs

Needs yosys and alkaid (the extra ``da``). Both get the same integer matrix and the same bounds of its operands, and build
x @ weight exactly; biases, casts and activations are left out.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np

import nn2hls
from benchmarks.measure import ROOT
from nn2hls.emit.verilog import Wire, module
from nn2hls.hardware.net import Net
from nn2hls.hardware.operators import adder_bits, additions
from nn2hls.hardware.stages import place
from nn2hls.ops.products.distributed import distributed_terms
from nn2hls.ops.products.straight import Expand, product_terms
from nn2hls.text import table
from nn2hls.tools.rtl.yosys import synthesise

CONFIG = "jet_tagger_verilog.yml"
EVENTS = 200
OURS: dict[str, Expand] = {
    "Latency": product_terms,
    "DistributedArithmetic": distributed_terms,
    "DistributedArithmetic +2": partial(distributed_terms, deeper=2),
}
THEIRS = {"alkaid": -1, "alkaid +0": 0}  # its own choice, and additions beyond the fewest on the longest way


def matrices() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Layer -> (weight (n_in, n_out), lowest and highest operand (n_in,)), all mantissas."""
    design = nn2hls.convert(None, config=ROOT / "example-configs" / CONFIG)
    found = {}
    for name in design.sizer.reusable:
        node = design.graph[name]
        x = design.emulator.ranges[node.inputs[0]]
        weight = np.asarray(node.op.linear[0], dtype=np.int64)
        low, high = (np.broadcast_to(np.asarray(a, dtype=np.int64), weight.shape[:1]) for a in (x.lo, x.hi))
        found[name] = weight, low, high
    return found


def ours(name: str, weight: np.ndarray, low: np.ndarray, high: np.ndarray, expand: Expand) -> tuple[str, Net]:
    """Our module without registers, and its net."""
    net = Net()
    words = [net.input(k, int(a), int(b)) for k, (a, b) in enumerate(zip(low, high, strict=True))]
    net.outputs = [net.total(column) for column in expand(net, words, weight, [0] * weight.shape[1])]
    ports = [Wire(net.cells[w].width, net.cells[w].signed) for w in words]
    results = [Wire(net.cells[w].width, net.cells[w].signed) for w in net.outputs]
    return module(name, place(net, lambda _: (0.0, 0.0), 1.0), ports, results), net


def theirs(name: str, weight: np.ndarray, low: np.ndarray, high: np.ndarray, deeper: int) -> str:
    """Alkaid's module of the same; its answers are compared with the product.

    Raises:
        ValueError: They differ.
    """
    from alkaid.codegen.rtl.verilog.comb import comb_logic_gen
    from alkaid.trace import FVArray, trace

    ends = [a.astype(np.float64) for a in (low, high)]
    options = {} if deeper < 0 else {"hard_dc": deeper}
    x = FVArray.from_lhs(*ends, np.ones(len(low)), solver_options=options)
    logic = trace(x, x @ weight.astype(np.float64))
    events = np.random.default_rng(0).integers(low, high + 1, (EVENTS, len(low)))
    if not np.array_equal(logic.predict(events.astype(np.float64)), events @ weight):
        raise ValueError(f"{name}: alkaid's logic is not the product.")
    return str(comb_logic_gen(logic, name))


def count(folder: Path, name: str, text: str) -> int:
    """LUTs of a module."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.v").write_text(text, encoding="utf-8")
    sources = [f"{name}.v"]
    for path in resources.files("alkaid").joinpath("codegen/rtl/verilog/source").iterdir():
        if path.name.endswith(".v"):
            shutil.copyfile(str(path), folder / path.name)
            sources.append(path.name)
    lut = synthesise(folder, name, "xc7vx690tffg1930-3", sources).figures.resources.lut
    assert lut is not None
    return lut


def rows(folder: Path) -> list[list[str]]:
    """A row for each layer and way: additions and adder bits of ours, LUT, and LUT against alkaid's own choice."""
    found, totals = [], dict[str, int]()
    for layer, (weight, low, high) in matrices().items():
        luts, adders = dict[str, int](), dict[str, list[str]]()
        for k, (way, deeper) in enumerate(THEIRS.items()):
            name = f"{layer}_alkaid{k}"
            luts[way] = count(folder / name, name, theirs(name, weight, low, high, deeper))
        for k, (way, expand) in enumerate(OURS.items()):
            name = f"{layer}_ours{k}"
            text, net = ours(name, weight, low, high, expand)
            luts[way] = count(folder / name, name, text)
            adders[way] = [f"{len(additions(net)):,}", f"{adder_bits(net):,}"]
        for way, lut in luts.items():
            totals[way] = totals.get(way, 0) + lut
            found.append([layer, way, *adders.get(way, ["", ""]), f"{lut:,}", f"{100 * (lut / luts['alkaid'] - 1):+.1f} %"])
            print("  ".join(found[-1]), file=sys.stderr, flush=True)
    for way, lut in totals.items():
        found.append(["all", way, "", "", f"{lut:,}", f"{100 * (lut / totals['alkaid'] - 1):+.1f} %"])
    return found


def main() -> None:
    """See the module's docstring."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(table(["layer", "by", "additions", "adder bits", "LUT", "against alkaid"], rows(Path(sys.argv[1]))), end="")


if __name__ == "__main__":
    main()
