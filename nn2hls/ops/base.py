"""What an op is: one frozen dataclass with all its facets side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nn2hls.errors import ModelError
from nn2hls.ir import Shape


@dataclass(frozen=True, eq=False)
class Op:
    """Base of all ops. A subclass's docstring is its equation, with the order of sums and the places of casts.

    FixedType fields are None until ``resolve`` fills them; Const fields hold float64 values before and mantissas after.
    """

    arity: ClassVar[int | None] = 1  # number of operands; None: any number from one

    def infer(self, shapes: Sequence[Shape], where: str) -> Shape:
        """The result's shape from the operands' shapes, both without batch axis.

        Raises:
            ModelError: The op does not accept such operands; ``where`` names the layer.
        """
        if self.arity is not None and len(shapes) != self.arity:
            raise ModelError(f"{type(self).__name__} takes {self.arity} operands, not {len(shapes)}.", where=where)
        if not shapes and self.arity is None:
            raise ModelError(f"{type(self).__name__} takes at least one operand.", where=where)
        return self.shape(shapes, where)

    def shape(self, shapes: Sequence[Shape], where: str) -> Shape:
        """Like :meth:`infer`, after the number of operands was checked; the default keeps the shape."""
        return shapes[0]

    def evaluate_float(self, *xs: Any) -> Any:
        """The reference: float64 arrays with a leading batch axis in, one out."""
        raise NotImplementedError

    def replace(self, **changes: Any) -> Any:
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)
