"""Recurrent cells of quantised models: what enters a product is cast, and the functions are casts or levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nn2hls.converters.lower import arith, quantised
from nn2hls.converters.lower.linear import dense
from nn2hls.converters.lower.moves import slice_
from nn2hls.converters.lower.recurrent import Body, Cell
from nn2hls.converters.lower.shape import concatenate
from nn2hls.converters.lower.value import Site, Tensor
from nn2hls.ops import Merge

Apply = Callable[[Site, Tensor], Tensor]


@dataclass(frozen=True)
class Parts:
    """What a cell is made of.

    Args:
        weights: ``kernel`` (features, gates * units), ``recurrent_kernel`` (units, gates * units), perhaps ``bias``, as the
            model computes with them.
        casts: Of ``state``, that of all states; ``gates`` and ``candidate``, behind their functions, and ``memory``, a product
            that a reset gate multiplies. Those that are left out do nothing.
        function, gate_function: Of the candidate, and of the gates; None: none.
        exact: Whether the weights are numbers of short types.
        casts_first: Whether the cast of the candidate stands before its function.
    """

    weights: Mapping[str, np.ndarray]
    casts: Mapping[str, Apply] = field(default_factory=dict)
    function: Apply | None = None
    gate_function: Apply | None = None
    exact: bool = True
    casts_first: bool = False

    @property
    def units(self) -> int:
        """Numbers of a state."""
        return int(self.weights["recurrent_kernel"].shape[0])

    def operands(self, body: Body) -> tuple[Tensor, Tensor]:
        """An element, and the state before it as products see it."""
        x, h = body.input("element", self.weights["kernel"].shape[:1]), body.input("before", (self.units,))
        return x, self.cast("state", body.step("state"), h)

    def cast(self, word: str, site: Site, x: Tensor) -> Tensor:
        """x as a cast makes it."""
        found = self.casts.get(word)
        return x if found is None else found(site, x)

    def gated(self, body: Body, word: str, x: Tensor) -> Tensor:
        """A gate of its sum."""
        found = x if self.gate_function is None else self.gate_function(body.step(f"{word}_function"), x)
        return self.cast("gates", body.step(f"{word}_cast"), found)

    def activated(self, body: Body, word: str, x: Tensor) -> Tensor:
        """The function of a candidate, and its cast."""
        x = self.cast("candidate", body.step(f"{word}_cast"), x) if self.casts_first else x
        found = x if self.function is None else self.function(body.step(f"{word}_function"), x)
        return found if self.casts_first else self.cast("candidate", body.step(f"{word}_cast"), found)

    def sum(self, site: Site, parts: Sequence[tuple[Tensor, str]], cut: slice, bias: np.ndarray | None) -> Tensor:
        """Products of tensors with a part of their kernels in one exact sum."""
        tensors = [x for x, _ in parts]
        both = tensors[0] if len(tensors) == 1 else concatenate(site.step("operands"), tensors, 0)
        matrix = np.concatenate([self.weights[name][:, cut] for _, name in parts])
        return dense(quantised.Exact(site) if self.exact else site, both, matrix, bias)

    def bias(self, cut: slice, row: int | None = None) -> np.ndarray | None:
        """A part of the biases, of which a cell that resets after its product has two rows; without one their sum."""
        bias = self.weights.get("bias")
        if bias is None:
            return None
        if bias.ndim == 1:
            return np.asarray(bias[cut])
        return np.asarray(bias[:, cut].sum(axis=0) if row is None else bias[row, cut])


_BOTH = ("kernel", "recurrent_kernel")


def simple(parts: Parts) -> Cell:
    """h' = f(x @ W + s @ U + b), s the state as it is cast."""
    body = Body()
    x, s = parts.operands(body)
    total = parts.sum(body.step("sum"), list(zip((x, s), _BOTH, strict=True)), slice(None), parts.bias(slice(None)))
    return body.cell(parts.activated(body, "hidden", total))


def lstm(parts: Parts) -> Cell:
    """c' = f * c + i * g and h' = o * function(c'), gates in the order i, f, g, o; both states are cast before."""
    body, units = Body(), parts.units
    x, s = parts.operands(body)
    c = parts.cast("state", body.step("carry"), body.input("carry_before", (units,)))
    found = []
    for k, word in enumerate(("input", "forget", "candidate", "output")):
        cut = slice(k * units, (k + 1) * units)
        total = parts.sum(body.step(f"{word}_sum"), list(zip((x, s), _BOTH, strict=True)), cut, parts.bias(cut))
        found.append(parts.activated(body, word, total) if word == "candidate" else parts.gated(body, word, total))
    i, f, g, o = found
    kept, written = arith.multiply(body.step("kept"), f, c), arith.multiply(body.step("written"), i, g)
    carry = arith.merge(body.step("cell"), Merge.ADD, [kept, written])
    return body.cell(arith.multiply(body.step("hidden"), o, parts.activated(body, "seen", carry)), carry)


def gru(parts: Parts, *, after: bool) -> Cell:
    """h' = z * s + (1 - z) * n, s the state as it is cast, n as :func:`nn2hls.converters.lower.recurrent.gru_cell` has it.

    ``after``: where the reset gate r works.
    """
    body, units = Body(), parts.units
    x, s = parts.operands(body)
    first, last = slice(0, 2 * units), slice(2 * units, None)
    total = parts.sum(body.step("gate_sum"), list(zip((x, s), _BOTH, strict=True)), first, parts.bias(first))
    both = parts.gated(body, "gates", total)
    z, r = (slice_(body.step(word), both, (cut,)) for word, cut in (("update", slice(0, units)), ("reset", slice(units, None))))
    if after:
        memory = parts.sum(body.step("recurrent"), [(s, "recurrent_kernel")], last, parts.bias(last, 1))
        back = arith.multiply(body.step("remembered"), r, parts.cast("memory", body.step("memory"), memory))
        new = parts.sum(body.step("element_sum"), [(x, "kernel")], last, parts.bias(last, 0))
        candidate = arith.add(body.step("candidate_sum"), new, back)
    else:
        kept = parts.cast("memory", body.step("memory"), arith.multiply(body.step("kept"), r, s))
        operands = list(zip((x, kept), _BOTH, strict=True))
        candidate = parts.sum(body.step("candidate_sum"), operands, last, parts.bias(last))
    n = parts.activated(body, "candidate", candidate)
    rest = arith.scale(quantised.Exact(body.step("rest")), z, -1.0, 1.0)
    old, fresh = arith.multiply(body.step("old"), z, s), arith.multiply(body.step("fresh"), rest, n)
    return body.cell(arith.merge(body.step("hidden"), Merge.ADD, [old, fresh]))
