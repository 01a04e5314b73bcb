"""Functions of one variable that need a table."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.ops.base import Op


class Function(enum.Enum):
    """The functions a :class:`Table` offers. ``alpha`` is the parameter of ELU and CELU (1 otherwise)."""

    SIGMOID = "sigmoid"
    TANH = "tanh"
    SOFTPLUS = "softplus"
    SOFTSIGN = "softsign"
    ELU = "elu"
    SELU = "selu"
    CELU = "celu"
    GELU = "gelu"  # exact: x * Phi(x), by erf
    GELU_TANH = "gelu_tanh"  # the tanh approximation
    SILU = "silu"
    EXP = "exp"
    MISH = "mish"
    LOG = "log"
    SQRT = "sqrt"
    RSQRT = "rsqrt"
    RECIPROCAL = "reciprocal"
    ERF = "erf"
    SIN = "sin"
    COS = "cos"
    LOG_SIGMOID = "log_sigmoid"
    TANH_SHRINK = "tanh_shrink"


@dataclass(frozen=True, eq=False)
class Table(Op):
    """y = function(x, alpha), through a table (the helper of this op fills in the equation)."""

    function: Function
    alpha: float = 1.0


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
