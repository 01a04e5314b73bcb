"""Cost of the dense and convolution kernels that hls4ml generates with the Resource strategy: for validation only.

Public reports of synthesised networks are of hls4ml's designs. nn2hls generates another structure, so these equations do not
enter its estimates; they show that the rules both share (DSP slices, weight memories, latency of a loop) hold, and what a
16-bit resource kernel is made of. Words are 16 bits; accumulators round and saturate.

A kernel of n inputs, m outputs and reuse factor R has M = ceil(n m / R) multipliers. A convolution is a kernel of n = window x
channels inputs per position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WORD = 16
BRAM_WIDTH = 36
SMALL = 1024  # bits: weight memories of no more stay in LUTs
LOOP = 2  # clocks to enter and leave a loop
WHOLE = 256  # inputs: kernels with more are compiled without accumulator multiplexers


@dataclass(frozen=True)
class Kernel:
    """One layer: ``kind`` is ``dense`` or ``conv``; ``n_in`` counts the inputs of one product sum."""

    kind: str
    n_in: int
    n_out: int
    reuse: int

    @property
    def multipliers(self) -> int:
        """DSP slices: one per product of a step."""
        return math.ceil(self.n_in * self.n_out / self.reuse)

    @property
    def steps(self) -> int:
        """Clocks of the loop: no more than there are products."""
        return min(self.reuse, self.n_in * self.n_out)

    @property
    def weight_brams(self) -> int:
        """BRAM_18K of the weights: one memory as wide as all weights of a step."""
        if self.n_in * self.n_out * WORD <= SMALL:
            return 0
        return math.ceil(self.multipliers * WORD / BRAM_WIDTH)

    @property
    def shared(self) -> float:
        """Outputs that one multiplier serves in turn: reuse / n_in; below 1 several multipliers serve one output."""
        return self.steps / self.n_in

    def latency(self, words: int = 1) -> int:
        """Clocks of a streamed dense layer: its loop, 6 around it, and a loop that gathers the input when it comes in words."""
        return self.steps + 6 + (words + LOOP if words > 1 else 0)

    def latency_per_position(self) -> int:
        """Clocks of one output position of a streamed convolution: the loop and the depth of its pipeline."""
        return self.steps + 10


def multiplexer_inputs(k: Kernel) -> int:
    """Inputs of the word multiplexer before each multiplier; 0 where all read the same word or the loop is unrolled."""
    if k.kind == "conv":
        return k.reuse if k.reuse < k.n_in else 0
    if k.n_out == 1:
        return k.n_in
    return k.n_out if 2 < k.reuse < k.n_in <= WHOLE else 0


def lut_terms(k: Kernel) -> tuple[tuple[float, ...], float]:
    """What LUTs are proportional to, and the part that is known.

    Terms: the kernel; each input word; each multiplier (its product is rounded, saturated and added); each input of a word
    multiplexer; each output whose accumulator is selected by a multiplier, when 2 to 4 outputs share one, and when more do.
    """
    few = k.n_out if k.n_out > 1 and 1 < k.shared <= 4 else 0
    many = k.n_out if k.n_out > 1 and k.shared > 4 else 0
    return (1.0, k.n_in, k.multipliers, k.multipliers * multiplexer_inputs(k), few, many), 0.0


def ff_terms(k: Kernel) -> tuple[tuple[float, ...], float]:
    """What flip-flops are proportional to, and the part that is known.

    Known are the word registers: an input and an output word are each held four times in a dense layer (stream, array, kernel
    operand, result array) and twice in a convolution (window and accumulator). Terms: the kernel; each multiplier.
    """
    copies = 2 if k.kind == "conv" else 4
    return (1.0, k.multipliers), float(copies * WORD * (k.n_in + k.n_out))
