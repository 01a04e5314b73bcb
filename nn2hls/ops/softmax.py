"""Softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.ops.base import Op


@dataclass(frozen=True, eq=False)
class Softmax(Op):
    """y[i] = exp(x[i]) / sum over j of exp(x[j]) along ``axis`` (without batch axis, not negative); ``log`` gives its logarithm."""

    axis: int
    log: bool = False

    def evaluate_float(self, x: Any) -> Any:
        shifted = x - x.max(axis=self.axis + 1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=self.axis + 1, keepdims=True)
        return shifted - np.log(total) if self.log else e / total
