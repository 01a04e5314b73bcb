"""The C++ of a layer that shares its multipliers: a loop over packed words, then straight lines that join the sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn2hls.emit.cpp import Body, Style
from nn2hls.emit.cpp_memories import Written
from nn2hls.errors import LimitError
from nn2hls.hardware.code import MAX_ARRAY, MAX_ROM_WORD, Code, Pragma, Rom
from nn2hls.hardware.literals import int_type
from nn2hls.hardware.loop import Hardware
from nn2hls.hardware.reload import Bank
from nn2hls.hardware.steps import Steps, reused


def steps_code(hardware: Hardware, style: Style, held: Sequence[Bank] = (), sizes: tuple[int, int] = (0, 0)) -> Code:
    """The C++ of a layer of one loop with steps and one that joins its sums.

    Args:
        hardware: Its loops.
        style: As the tool wants it.
        held: Its weights and biases, where they can be written.
        sizes: Bits of an address and of a word of the design's ports for them.

    Raises:
        LimitError: A word of its ROM is too wide.
    """
    loop, join = hardware.loops
    packed, memories = _Packed(reused(loop)), Written(held, sizes) if held else None
    m, segments, operands = len(packed.steps.lanes), packed.segments, sum(hardware.operands) // hardware.turns
    kind = int_type(min(0, *(lo for lo, _ in loop.sums.values())), max(1, *(hi for _, hi in loop.sums.values())))
    wires = len(packed.wiring)
    body: list[str | Pragma] = [
        f"{int_type(packed.steps.x.lo, packed.steps.x.hi)} x[{wires}];",
        f"{kind} acc[{m}];",
        f"{kind} part[{m * segments}];",
        *(Pragma("partition", v) for v in ("x", "acc", "part")),
        *([Pragma("wide" if loop.block else "banks", "@_rom", str(m))] if m > 1 else []),  # a factor of 1 is refused
        *([Pragma("block_rom", "@_rom")] if loop.block else []),
        "NN2HLS_UNROLL",
        f"for (int i = 0; i < {wires}; i++) {{",
        Pragma("unroll"),
        "x[i] = nn2hls::raw(x0[@_wires[i]]);",
        "}",
        "nn2hls::dense_start<@_config>(acc, part);",
        "NN2HLS_ROLLED",
        f"for (int step = 0; step < {packed.steps.count}; step++) {{",
        Pragma("pipeline", "1"),
        f"nn2hls::dense_step<@_config>(x, @_rom, {'@_weights, ' if memories else ''}step, acc, part);",
        "}",
    ]
    result = sum(hardware.operands)
    joined = Body(join.body, "", style)
    places = {k: f"part[{packed.part(int(element))}]" for k, element in enumerate(join.reads[0, 0]) if element >= 0}
    places |= {k: f"@_biases[{j}]" for j, k in enumerate(sorted(join.constants))}
    body += joined.statements(lambda k: places[k], lambda j: f"y[{int(join.writes[0, 0, j]) - result}]", "0")
    helpers: list[str | Pragma] = [packed.config()]
    if hardware.turns > 1:
        helpers += ["static void @_position(const @T0 x0[], @TY y[]) {", *body, "}"]
        outputs = hardware.results // hardware.turns
        call = f"@_position(x0 + p * {operands}, y + p * {outputs});"
        body = ["NN2HLS_UNROLL", f"for (int p = 0; p < {hardware.turns}; p++) {{", call, "}"]
    roms = {"rom": packed.rom(), "wires": Rom(np.array(packed.wiring), 0, True)}
    headers = ("cast.h", "common.h", "dense.h", *(("adders.h",) if style.adders else ()))
    comment = [f"// {hardware.equation}"] if hardware.equation else []
    if memories is None:
        return Code([*comment, *body], helpers, headers, roms)
    return Code([*comment, *memories.load(), *body], helpers, headers, {**roms, **memories.arrays()}, memories.ports)


class _Packed:
    """The words of all multipliers, alike in shape."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        own = max(len(lane.choices) for lane in steps.lanes)
        # All multipliers choose among the same inputs, unless an array for each of them is small enough.
        self.shared = own >= len(steps.held) or own * len(steps.lanes) > MAX_ARRAY
        self.choices = len(steps.held) if self.shared else own
        self.segments = max(len(lane.sums) for lane in steps.lanes)
        self.parts = {e: m * self.segments + k for m, lane in enumerate(steps.lanes) for k, e in enumerate(lane.sums)}
        # Of what a word holds of the weight: nothing where that stands in a memory.
        self.weight_bits = 0 if steps.written else steps.weight.width + (not steps.weight.signed)
        self.index_bits = max(1, (self.choices - 1).bit_length())
        self.segment_bits = max(1, (self.segments - 1).bit_length())
        if self.word_bits > MAX_ROM_WORD:
            raise LimitError(
                f"A ROM word of {self.word_bits} bits (weight, index, segment) is wider than {MAX_ROM_WORD}.",
                fix="Give its weights a narrower type.",
            )

    @property
    def word_bits(self) -> int:
        """Bits of a word: weight, index, first, segment from the top bit down."""
        return self.weight_bits + self.index_bits + 1 + self.segment_bits

    @property
    def wiring(self) -> list[int]:
        """The inputs that the multipliers choose among."""
        if self.shared:
            return list(self.steps.held)
        padded = [[*lane.choices, *[lane.choices[-1]] * (self.choices - len(lane.choices))] for lane in self.steps.lanes]
        return [element for row in padded for element in row]

    def part(self, element: int) -> int:
        """The register of a sum."""
        return self.parts[element]

    def config(self) -> str:
        """Members of the layer's config."""
        members = {
            "multipliers": len(self.steps.lanes),
            "inputs": 0 if self.shared else self.choices,
            "choices": self.choices,
            "segments": self.segments,
            "weight_bits": self.steps.weight.width + (not self.steps.weight.signed),
            "index_bits": self.index_bits,
            "segment_bits": self.segment_bits,
        }
        return f"struct @_config {{ {' '.join(f'static const int {k} = {v};' for k, v in members.items())} }};"

    def rom(self) -> Rom:
        """The words, step by step."""
        place = {element: k for k, element in enumerate(self.steps.held)}
        rows = []
        for lane in self.steps.lanes:
            weights = [0] * self.steps.count if self.steps.written else lane.constant
            index = [place[lane.choices[i]] for i in lane.index] if self.shared else lane.index
            rows.append([self._word(*w) for w in zip(weights, index, lane.first, lane.segment, strict=True)])
        words = np.array(rows, dtype=np.uint64).T
        return Rom(np.ascontiguousarray(words).reshape(-1), self.word_bits, False, banks=len(self.steps.lanes))

    def _word(self, weight: int, index: int, first: bool, segment: int) -> int:
        word = (weight & ((1 << self.weight_bits) - 1)) << self.index_bits | index
        return (word << 1 | first) << self.segment_bits | segment
