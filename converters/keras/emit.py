"""Where the nodes of one call of a Keras layer go: names, origins, operands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nn2hls.converters.keras.calls import Other
from nn2hls.converters.keras.model import Layer, Model
from nn2hls.errors import UnsupportedError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Origin
from nn2hls.ops import Op

# What a layer's entry in a table returns: the config is checked once, the calls come later.
Prepared = Callable[["Site"], str]
Entry = Callable[[Layer], Prepared]


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
class Site:
    """One call of one layer.

    Args:
        builder, names: What is being built.
        layer: Whose call it is.
        operands: Names of nodes, numbers and arrays, or other arguments.
        main: The call's own name, also the stem of further names.
    """

    builder: Builder
    names: Names
    layer: Layer
    operands: tuple[str | np.ndarray | Other, ...]
    main: str

    @property
    def tensors(self) -> list[str]:
        """The operands, all of which must be values of the network."""
        for operand in self.operands:
            if not isinstance(operand, str):
                text = operand.text if isinstance(operand, Other) else "a constant"
                raise UnsupportedError(f"called with {text}, which is not supported here")
        return [o for o in self.operands if isinstance(o, str)]

    @property
    def tensor(self) -> str:
        """The only operand."""
        tensors = self.tensors
        if len(tensors) != 1:
            raise UnsupportedError(f"called with {len(tensors)} values instead of one")
        return tensors[0]

    def shape(self, name: str) -> Shape:
        """Shape of a node without the batch axis."""
        return self.builder.shape(name)

    def emit(self, op: Op, inputs: Iterable[str] | None = None, *, word: str = "", last: bool = True) -> str:
        """Add a node named after the call, and the word if there is one; ``last`` marks the layer's result."""
        origin = Origin(self.names.base(self.layer), self.layer.kind, last)
        name = self.names.derived(f"{self.main}_{word}") if word else self.main
        return self.builder.add(name, op, [self.tensor] if inputs is None else list(inputs), origin)

    def chain(self, ops: Iterable[Op], x: str, *, word: str = "") -> str:
        """Several ops one after the other on one value; the last one has the name of the call and the word."""
        ops = list(ops)
        for k, op in enumerate(ops):
            last = k == len(ops) - 1
            part = word if last else "_".join(filter(None, (word, type(op).__name__.lower())))
            x = self.emit(op, [x], word=part, last=last)
        return x
