"""What logic synthesis leaves of lanes side by side: cells that are alike once, those of zeros or that nobody reads not at all.

The windows of a convolution overlap and reach over the border, pairs of particles share particles, and a pooling layer may
leave out the last rows. The Verilog has every lane in full; synthesis flattens it and finds all that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nn2hls.hardware.loop import Loop
from nn2hls.hardware.net import Cell, Code
from nn2hls.hardware.pipeline import Layer, Pipeline

Copies = Mapping[int, int]  # of each wire of a loop's body
ZERO = 0  # the number of a value that is always zero
_GIVEN = frozenset({Code.INPUT, Code.CONST})
_OF_ZERO = frozenset({Code.SHIFT, Code.WRAP, Code.MUL, Code.MULC})
_EITHER_WAY = frozenset({Code.ADD, Code.MUL})


def copies(pipeline: Pipeline) -> dict[str, tuple[Copies, ...]]:
    """For each layer, and each of its straight lines, how often every wire of the body is left.

    Two values have the same number when they are computed alike from the same values. Only lanes of one loop are compared with
    each other; a layer with steps gives values of its own, and so does one whose steps take turns.
    """
    needed, numbers = _needed(pipeline), _Numbers()
    return {layer.name: tuple(numbers.layer(layer, needed[layer.name])) for layer in pipeline.layers}


def _needed(pipeline: Pipeline) -> dict[str, np.ndarray]:
    """For each layer which elements of its space some output depends on: (elements,), True or False."""
    wanted: dict[str, np.ndarray] = {}
    found: dict[str, np.ndarray] = {}
    for layer in reversed(pipeline.layers):
        hardware = layer.hardware
        results = slice(hardware.first_result, hardware.first_result + hardware.results)
        read = np.zeros(hardware.elements, dtype=bool)
        read[results] = True if layer.name in pipeline.outputs else wanted.get(layer.name, False)
        if layer.turns is not None:
            read[:] = True
        for loop in reversed(hardware.loops):
            if loop.ii:
                asked = loop.reads[:, read[loop.writes].any(axis=(0, 2))]
            else:
                masks = _asked(loop, read[loop.writes[0]])
                inputs = [(loop.body.cells[w].k, masks[w]) for w in loop.body.inputs()]
                asked = np.concatenate([np.zeros(0, dtype=np.int64), *(loop.reads[0, mask, k] for k, mask in inputs)])
            read[asked[asked >= 0]] = True
        found[layer.name] = read
        at = 0
        for name, size in zip(layer.operands, hardware.operands, strict=False):
            wanted[name] = wanted.get(name, np.zeros(size, dtype=bool)) | read[at : at + size]
            at += size
        if layer.turns is not None:
            wanted.update(dict.fromkeys(layer.operands, np.array(True)))
    return found


def _asked(loop: Loop, wanted: np.ndarray) -> dict[int, np.ndarray]:
    """For each wire in which lanes it is needed for outputs that are ``wanted``, (lanes, outputs)."""
    body = loop.body
    found = {wire: np.zeros(len(wanted), dtype=bool) for wire in body.alive()}
    for j, wire in enumerate(body.outputs):
        found[wire] = found[wire] | wanted[:, j]
    for wire in reversed(body.alive()):
        for a in body.cells[wire].args:
            found[a] = found[a] | found[wire]
    return found


@dataclass
class _Numbers:
    """Numbers of values, from 1 on.

    Args:
        next: The first that is free.
        known: Those of each layer's or input's elements.
        constants: Those of constants, by their value.
    """

    next: int = 1
    known: dict[str, np.ndarray] = field(default_factory=dict)
    constants: dict[int, int] = field(default_factory=lambda: {0: ZERO})

    def fresh(self, count: int) -> np.ndarray:
        """So many that no value has yet."""
        self.next += count
        return np.arange(self.next - count, self.next)

    def layer(self, layer: Layer, needed: np.ndarray) -> Iterator[Copies]:
        """The copies of each straight line."""
        hardware = layer.hardware
        space = np.zeros(hardware.elements + 1, dtype=np.int64)  # the last one is what is read as -1
        at = 0
        for name, size in zip(layer.operands, hardware.operands, strict=False):
            if name not in self.known:
                self.known[name] = self.fresh(size)
            space[at : at + size] = self.known[name]
            at += size
        space[hardware.first_result : hardware.elements] = self.fresh(hardware.elements - hardware.first_result)
        for loop in hardware.loops:
            if not loop.ii:
                yield self._loop(loop, space, needed[loop.writes[0]])
        self.known[layer.name] = space[hardware.first_result : hardware.first_result + hardware.results]

    def _loop(self, loop: Loop, space: np.ndarray, needed: np.ndarray) -> Copies:
        body, read = loop.body, space[loop.reads[0]]
        if len(read) == 1 and read.all() and needed.all():
            values = {w: read[:, body.cells[w].k] for w in body.inputs()}
            left: Copies = {w: 1 for w in body.alive() if body.cells[w].code not in _GIVEN}
        else:
            values, left = self._numbered(loop, read, _asked(loop, needed))
        for j, wire in enumerate(body.outputs):
            if wire in values:
                space[loop.writes[0, :, j]] = values[wire]
        return left

    def _numbered(self, loop: Loop, read: np.ndarray, asked: Mapping[int, np.ndarray]) -> tuple[dict[int, np.ndarray], Copies]:
        """(numbers of each wire in each lane, how many of them are new)."""
        body, values, left = loop.body, dict[int, np.ndarray](), dict[int, int]()
        for wire in body.alive():
            cell = body.cells[wire]
            if cell.code is Code.INPUT:
                values[wire] = read[:, cell.k]
            elif cell.code is Code.CONST:
                if cell.k not in self.constants:
                    self.constants[cell.k] = int(self.fresh(1)[0])
                values[wire] = np.full(len(read), self.constants[cell.k])
            else:
                values[wire], left[wire] = self._computed(cell, [values[a] for a in cell.args], asked[wire])
        return values, left

    def _computed(self, cell: Cell, args: Sequence[np.ndarray], asked: np.ndarray) -> tuple[np.ndarray, int]:
        """What a cell gives in each lane, and in how many ways it is computed in those that are ``asked``."""
        result = np.where(asked, -1, ZERO)
        if cell.code in _OF_ZERO:
            for a in args:
                result[a == ZERO] = ZERO
        elif cell.code in (Code.ADD, Code.SUB):
            result = np.where(args[1] == ZERO, args[0], result)
            if cell.code is Code.ADD:
                result = np.where(args[0] == ZERO, args[1], result)
        elif cell.code is Code.SELECT:
            result = np.where(args[0] == ZERO, args[2], result)
        computed = result < 0
        if not computed.any():
            return result, 0
        keys = np.stack([a[computed] for a in args])
        if cell.code in _EITHER_WAY:
            keys.sort(axis=0)
        _, which = np.unique(keys, axis=1, return_inverse=True)
        count = int(which.max()) + 1
        result[computed] = self.fresh(count)[which.reshape(-1)]
        return result, count
