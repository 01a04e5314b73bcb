"""The estimate beside public reports of convolutions, with nothing fitted: their own kernel, and our design of the layer.

    python -m benchmarks.convolution_reports

The reports (``tests/data/ntorc.csv``, ``ntorc_latency.csv``) are of hls4ml's convolutions with shared multipliers. *Their
kernel* is what that code asks for, in the operators of our nets, through our estimator: it judges costs and delays. *Our
design* is the same layer, types, reuse factor, part and clock as nn2hls builds it, whose sums are exact: another structure.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import nn2hls
from benchmarks.public_reports import WINDOW, read
from nn2hls.arith.fixed import FixedType
from nn2hls.design.design import Design
from nn2hls.estimate.estimate import estimate
from nn2hls.estimate.result import Estimate
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const, Places
from nn2hls.hardware.casts import cast
from nn2hls.hardware.cost import chain
from nn2hls.hardware.net import Net
from nn2hls.hardware.operators import operators
from nn2hls.hardware.schedule import Kind, Memory, Operator, Schedule
from nn2hls.ops import Dense, Input, Move
from nn2hls.ops.places import padded, patches
from nn2hls.targets import find_part
from nn2hls.targets.family import ram_blocks

PART, CLOCK_NS, TOOL = "xczu7ev-ffvc1156-2-e", 4, "vivado"
WORD = FixedType.parse("ap_fixed<16,8,AP_RND,AP_SAT>")
FIGURES = ("dsp", "bram", "lut", "ff")
SMALL = 1024  # bits of weights that the reports leave in LUTs
LENGTH = 32  # the shortest sequence in the set
SEED = 0


@dataclass(frozen=True)
class Setting:
    """A convolution of the reports: channels in and out, reuse factor, and its figures."""

    channels: int
    filters: int
    reuse: int
    figures: dict[str, float]

    @property
    def inputs(self) -> int:
        """Words of a window."""
        return WINDOW * self.channels

    @property
    def multipliers(self) -> int:
        """Of a step."""
        return math.ceil(self.inputs * self.filters / self.reuse)

    @property
    def shares(self) -> bool:
        """Whether a multiplier serves several outputs in turn; else several serve one."""
        return self.reuse > self.inputs


def settings() -> list[Setting]:
    """Those with shared multipliers; of the others the reports have means over unknown weights."""
    rows = [r for r in read("ntorc.csv") if r["kind"] == "conv" and int(r["reuse"]) > 1]
    return [Setting(*(int(r[k]) for k in ("n_in", "n_out", "reuse")), {f: float(r[f]) for f in FIGURES}) for r in rows]


# ---- their kernel ------------------------------------------------------------------------------------------------------------


def product_step() -> Net:
    """What a multiplier does in a step: its product is cast to a word, added to a sum, and cast again."""
    net, ends = Net(), (WORD.min_mantissa, WORD.max_mantissa)
    x, weight, total = (net.input(k, *ends) for k in range(3))
    product = cast(net, net.mul(x, weight), 2 * WORD.fraction, WORD)
    net.outputs = [cast(net, net.add(product, total), WORD.fraction, WORD)]
    return net


def kernel(s: Setting) -> Schedule:
    """The loop over the reuse factor: a choice among words of the window, a product, a sum that rounds and saturates.

    A window's word is kept or shifted on, a sum starts at its bias. From a reuse factor of the window's words on, all
    multipliers read one word; where one serves several outputs, each in turn chooses the sum that it reads and may be the one
    that writes it.
    """
    step, m, width = product_step(), s.multipliers, WORD.width
    word = Operator(Kind.SELECT, (width, min(s.reuse, s.inputs)), 1 if s.reuse >= s.inputs else m)
    found = [Operator(o.kind, o.widths, n * m) for o, n in operators(step).items()]
    found += [word, Operator(Kind.SELECT, (width, 2), s.inputs + s.filters)]
    if s.shares:
        found += [Operator(Kind.SELECT, (width, s.filters), m), Operator(Kind.SELECT, (width, 2), s.filters * m)]
    path = (Operator(Kind.SELECT, word.widths), *chain(step)[1])
    memory = Memory(s.reuse, width * m, 1, 1)
    return Schedule(s.reuse, tuple(found), (memory,), path, width * s.filters, s.inputs * s.filters, width * s.filters)


def kernel_estimate(s: Setting) -> Estimate:
    """Of one position."""
    return estimate([("kernel", kernel(s))], find_part(PART), CLOCK_NS, TOOL, None, {"window": WORD.width * s.inputs})


def kernel_figures(s: Setting) -> dict[str, float]:
    """Of the kernel, with its weights in block RAM, as hls4ml's code asks for whatever their depth."""
    found, bits = kernel_estimate(s), WORD.width * s.multipliers
    bram = ram_blocks(s.reuse, bits) if s.reuse * bits > SMALL else 0
    return {**{f: getattr(found, f) for f in FIGURES}, "bram": bram}


def frame_clocks() -> Iterator[float]:
    """Of each length in the reports: clocks of a position beyond those of the kernel."""
    known = {(s.channels, s.filters, s.reuse): kernel_estimate(s).latency_cycles for s in settings()}
    for r in read("ntorc_latency.csv"):
        key = tuple(int(r[k]) for k in ("n_in", "n_out", "reuse"))
        if r["kind"] == "conv" and key in known:
            # Two positions of padding; layers after the first see half the length that the table names (pooling).
            positions = int(r["length"]) // (1 if r["n_in"] == "1" else 2) + WINDOW - 1
            yield int(r["clocks"]) / positions - known[key]


# ---- our design --------------------------------------------------------------------------------------------------------------


def design(s: Setting) -> Design:
    """The same layer, types, reuse factor, part and clock, of seeded weights as Keras starts them."""
    rng, builder = np.random.default_rng(SEED), Builder()
    limit = math.sqrt(6 / (WINDOW * (s.channels + s.filters)))
    windows = Move.of(lambda a: patches(padded(a, [(1, 1)]), (WINDOW,), (1,), (1,)), (LENGTH, s.channels))
    windows = Move(Places(windows.index.array.reshape(LENGTH, -1)), ((LENGTH, s.channels),))
    x = builder.add("conv_patches", windows, [builder.add("x", Input((LENGTH, s.channels)))])
    weight = Const(rng.uniform(-limit, limit, (s.inputs, s.filters)))
    graph = builder.build([builder.add("conv", Dense(weight, Const(np.zeros(s.filters))), [x])])
    model = {"Precision": str(WORD), "ReuseFactor": s.reuse, "Strategy": "Resource"}
    top = {"Part": PART, "ClockPeriod": CLOCK_NS, "Backend": TOOL.capitalize(), "IOType": "io_stream"}
    return nn2hls.convert(graph, {**top, "HLSConfig": {"Model": model}})


def design_figures(s: Setting) -> dict[str, float]:
    """Of the whole design."""
    found = design(s).estimate()
    return {f: float(getattr(found, f)) for f in FIGURES}


# ---- errors ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Band:
    """Estimate / report - 1 of one resource in some settings."""

    name: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of what the errors amount to."""
        return statistics.median(map(abs, self.values))

    @property
    def bias(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        ends = f"{min(self.values):+7.1%} to {max(self.values):+7.1%}"
        return f"{self.name:44s} n {len(self.values):3d}  median {self.median:6.1%}  bias {self.bias:+6.1%}  from {ends}"


@functools.cache
def bands() -> tuple[Band, ...]:
    """Of DSP, LUT and FF: their kernel by how multipliers and outputs share, then our design."""
    all_ = settings()
    shared = {"several multipliers an output": False, "several outputs a multiplier": True}
    chosen = [(f"their kernel, {n}", [s for s in all_ if s.shares is shares], kernel_figures) for n, shares in shared.items()]
    groups = [*chosen, ("our design", all_, design_figures)]
    return tuple(band for name, some, of in groups for band in _bands(name, some, of))


def _bands(name: str, some: Sequence[Setting], of: Callable[[Setting], dict[str, float]]) -> Iterator[Band]:
    found = [of(s) for s in some]
    for f in ("dsp", "lut", "ff"):
        yield Band(f"{name}, {f.upper()}", tuple(got[f] / s.figures[f] - 1 for got, s in zip(found, some, strict=True)))


def block_rams() -> tuple[int, int]:
    """Settings whose block RAMs their kernel has to within one, and all."""
    found = [abs(kernel_figures(s)["bram"] - s.figures["bram"]) <= 1 for s in settings()]
    return sum(found), len(found)


def main() -> None:
    """Print the lines that docs/estimation.md quotes."""
    for band in bands():
        print(band)
    print("their kernel, BRAM within 1: {} of {}".format(*block_rams()))
    beyond = sorted(frame_clocks())
    print(f"clocks of a position beyond their kernel's: {beyond[0]:.1f} to {beyond[-1]:.1f} in {len(beyond)} reports")


if __name__ == "__main__":
    main()
