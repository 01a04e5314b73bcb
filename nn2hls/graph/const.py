"""Constant arrays of a graph."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nn2hls.errors import GraphError

if TYPE_CHECKING:
    pass


Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Const:
    """A read-only array. In the float graph float64 values; in the fixed graph mantissas (int64, or object beyond 63 bits)."""

    array: np.ndarray

    def __post_init__(self) -> None:
        array = np.ascontiguousarray(self.array).reshape(np.shape(self.array))
        if array is self.array or array.base is not None:
            array = array.copy()
        if array.dtype.kind == "f":
            array = array.astype(np.float64) + 0.0  # the sum turns -0.0 into 0.0: equal values have equal digests
        elif array.dtype.kind in "iub":
            array = array.astype(np.int64)
        elif array.dtype != object:
            raise GraphError(f"A constant must hold numbers, not {array.dtype}.")
        array.setflags(write=False)
        object.__setattr__(self, "array", array)

    @property
    def shape(self) -> Shape:
        """Shape of the array."""
        return self.array.shape

    @cached_property
    def digest(self) -> str:
        """Identity: equal digests mean equal shape, kind and values."""
        data = repr(self.array.tolist()).encode() if self.array.dtype == object else self.array.tobytes()
        head = f"{self.array.dtype.kind}{self.shape}".encode()
        return hashlib.sha256(head + data).hexdigest()[:12]

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape)) or "scalar"
        return f"{size}:{self.digest}"


@dataclass(frozen=True, eq=False)
class Places(Const):
    """Whole numbers that are no values of the network but places or choices among them: the same in both graphs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.array.dtype != np.int64:
            raise GraphError(f"Places are whole numbers, not {self.array.dtype}.")


@dataclass(frozen=True, eq=False)
class Marks(Const):
    """Numbers that values are compared with as they are, however fine: float64 in both graphs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.array.dtype.kind != "f":
            raise GraphError(f"Numbers to compare with are float64, not {self.array.dtype}.")
