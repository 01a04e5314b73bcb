"""Where the nodes of one call of a Keras layer go: names, origins, operands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nn2hls.converters.keras.calls import Key, Other
from nn2hls.converters.keras.model import Layer, Model
from nn2hls.converters.lower import quantised
from nn2hls.converters.lower import value as lower
from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.graph.builder import Builder
from nn2hls.graph.graph import Origin
from nn2hls.ops import Op

# What a layer's entry in a table returns: the config is checked once, the calls come later.
Prepared = Callable[["Site"], Tensor | Sequence[Tensor]]
Entry = Callable[[Layer], Prepared]
# A function of one tensor, applied at a site.
Apply = Callable[["Site", Tensor], Tensor]


@dataclass(frozen=True)
class Activation:
    """A function of one tensor, None for the identity, and the word it adds to its layer's name."""

    word: str
    apply: Apply | None


class Names:
    """Node names: the user's own, ``outer/inner`` where that is not unique, a number for a shared layer's later calls."""

    def __init__(self, model: Model) -> None:
        leaves = [x for x in model.leaves() if len(x.path) == 1 or x.kind != "InputLayer"]
        count = Counter(x.name for x in leaves)
        self._base = {id(x): x.name if len(x.path) == 1 or count[x.name] == 1 else x.where for x in leaves}
        self._own = set(self._base.values())
        self._used: set[str] = set()
        self._count: dict[str, int] = {}  # the suffix that was given last

    def base(self, layer: Layer) -> str:
        """The name of a layer in the graph."""
        return self._base[id(layer)]

    def take(self, layer: Layer) -> str:
        """The name for the next call of a layer."""
        return self._free(self.base(layer), own=True)

    def derived(self, name: str) -> str:
        """A free name for a node that is not the user's own; those of the user's layers stay free for them."""
        return self._free(name, own=False)

    def _free(self, name: str, own: bool) -> str:
        unique, n = name, self._count.get(name, 1)
        while unique in self._used or (unique in self._own and not (own and unique == name)):
            n += 1
            unique = f"{name}_{n}"
        self._count[name] = n
        self._used.add(unique)
        return unique


@dataclass(frozen=True)
class Site(lower.Site):
    """One call of one layer.

    Args:
        builder, names: What is being built.
        layer: Whose call it is.
        operands: Values of the network, arrays, or other arguments.
        main: The call's own name, also the stem of further names.
        last: Whether the node of that name is the layer's result; it is not where an activation follows.
        settings: Arguments of the call that are no operands.
        keywords: Names of the operands, empty where they are given without one.
        exact: Whether constants of sums of products are a quantised model's own, to the last bit.
    """

    builder: Builder
    names: Names
    layer: Layer
    operands: tuple[Tensor | np.ndarray | Other | Key, ...]
    main: str
    last: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    exact: bool = False

    @property
    def tensors(self) -> list[Tensor]:
        """The operands, all of which must be values of the network."""
        for operand in self.operands:
            if not isinstance(operand, Tensor):
                text = {Key: "a key", Other: getattr(operand, "text", "")}.get(type(operand), "a constant")
                raise Refusal(f"called with {text}, which is not supported here")
        return [o for o in self.operands if isinstance(o, Tensor)]

    @property
    def tensor(self) -> Tensor:
        """The only operand."""
        tensors = self.tensors
        if len(tensors) != 1:
            raise Refusal(f"called with {len(tensors)} values instead of one")
        return tensors[0]

    def arguments(self, *names: str) -> dict[str, Tensor | np.ndarray | Other | Key]:
        """The operands by the names of the function's arguments, which are these, in their order."""
        found: dict[str, Tensor | np.ndarray | Other | Key] = {}
        words = self.keywords or ("",) * len(self.operands)
        for place, (operand, word) in enumerate(zip(self.operands, words, strict=True)):
            number = place if not word else int(word) if word.isdigit() else -1
            name = word if number < 0 else names[number] if number < len(names) else ""
            if name not in names or name in found:
                raise Refusal(f"called with {len(self.operands)} values; what is expected is {', '.join(names)}")
            found[name] = operand
        return found

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:  # noqa: D102  (as in Site)
        origin = Origin(self.names.base(self.layer), self.layer.kind, self.last and not word)
        name = self.names.derived(f"{self.main}_{word}") if word else self.main
        node = self.builder.add(name, op, nodes, origin)
        if self.exact:
            quantised.own(self.builder, node, op)
        return node

    def at(self, word: str, x: Tensor) -> Site:
        """Where the same layer is called on another value, on the way to its result."""
        return replace(self, operands=(x,), keywords=("",), main=self.names.derived(f"{self.main}_{word}"), last=False)

    def then(self, function: Activation, compute: Callable[[Site], Tensor]) -> Tensor:
        """What ``compute`` makes at this site, then a function, as a node of its own, which is the layer's result."""
        if function.apply is None:
            return compute(self)
        x = compute(replace(self, last=False))
        return function.apply(replace(self, main=self.names.derived(f"{self.main}_{function.word}")), x)


def per_event(array: np.ndarray, rank: int) -> np.ndarray:
    """A constant that meets a tensor of ``rank`` axes with the batch, without its batch axis of size one."""
    array = array[0] if array.ndim == rank and array.shape[0] == 1 else array
    if array.ndim >= rank:
        raise Refusal(f"a constant of shape {array.shape} reaches over the batch axis")
    if not np.isfinite(array).all():
        raise Refusal("a constant holds NaN or Inf")
    return array
