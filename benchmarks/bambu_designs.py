"""The designs on which the estimate for Bambu is calibrated: dense networks whose weights come from seeds.

The table was written before any of them was built. Within a class every other design, from the first on, is for fitting; the
others are held out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

import nn2hls
from nn2hls.arith.functions import Function
from nn2hls.design.design import Design
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.graph.graph import Graph
from nn2hls.ops import Dense, Input, Relu, Table

PART, CLOCK_NS = "xc7vx690tffg1930-3", 5.0
INTEGER_BITS = {"data": 4, "weight": 1}  # of ap_fixed types


@dataclass(frozen=True)
class Spec:
    """A design.

    Args:
        index: Its place in the table, which is the seed of its weights.
        group: Its class.
        held_out: Whether its figures are only for judging.
        sizes: Inputs of each dense layer, then the outputs; ReLU stands between layers.
        density: Share of weights that are not pruned.
        data, weight: Widths of ap_fixed types in bits.
        reuse: ReuseFactor of every layer.
        cast: Modes of the data types: empty, or ``,AP_RND,AP_SAT``.
    """

    index: int
    group: str
    held_out: bool
    sizes: tuple[int, ...]
    density: float
    data: int
    weight: int
    reuse: int
    cast: str

    @property
    def name(self) -> str:
        """For people and for the record."""
        return f"{self.index:02d} {self.group}"

    @property
    def graph(self) -> Graph:
        """The network."""
        rng = np.random.default_rng(self.index)
        builder = Builder()
        name = builder.add("x", Input((self.sizes[0],)))
        for k, (n_in, n_out) in enumerate(pairwise(self.sizes)):
            weight = rng.normal(size=(n_in, n_out)) / np.sqrt(n_in * self.density)
            weight *= rng.random((n_in, n_out)) < self.density
            name = builder.add(f"fc{k}", Dense(Const(weight), Const(rng.normal(size=n_out) * 0.2)), [name])
            if k < len(self.sizes) - 2:
                name = builder.add(f"fc{k}_relu", Relu(), [name])
        return builder.build([name])

    @property
    def precision(self) -> dict[str, str]:
        """The types of every layer."""
        return {
            "default": f"ap_fixed<{self.data},{INTEGER_BITS['data']}{self.cast}>",
            "weight": f"ap_fixed<{self.weight},{INTEGER_BITS['weight']}>",
        }

    @cached_property
    def design(self) -> Design:
        """The network with its types."""
        model = {
            "Precision": self.precision,
            "ReuseFactor": self.reuse,
            "Strategy": "Latency" if self.reuse == 1 else "Resource",
        }
        top = {"Part": PART, "ClockPeriod": CLOCK_NS, "Backend": "Bambu", "ProjectName": "calibration"}
        return nn2hls.convert(self.graph, {**top, "HLSConfig": {"Model": model}})

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "sizes": list(self.sizes)}


_SAT = ",AP_RND,AP_SAT"
# class -> (sizes, density, data bits, weight bits, cast)
_TABLE: dict[str, tuple[tuple[tuple[int, ...], float, int, int, str], ...]] = {
    "parallel, 1 layer": (
        ((4, 4), 1.0, 8, 6, ""),
        ((6, 5), 1.0, 10, 8, ""),
        ((8, 16), 0.5, 12, 6, _SAT),
        ((16, 8), 0.5, 8, 8, _SAT),
        ((24, 6), 0.7, 16, 12, ""),
        ((12, 12), 0.7, 14, 10, ""),
    ),
    "parallel, 2 layers": (
        ((6, 8, 4), 1.0, 8, 8, ""),
        ((8, 6, 5), 1.0, 10, 6, _SAT),
        ((16, 12, 5), 0.5, 12, 8, _SAT),
        ((12, 16, 4), 0.5, 16, 6, ""),
    ),
    "reuse 2": (
        ((8, 5), 1.0, 10, 8, ""),
        ((6, 8), 0.8, 12, 10, _SAT),
        ((8, 6, 4), 0.6, 8, 6, _SAT),
        ((10, 5, 4), 0.6, 16, 12, ""),
    ),
    "reuse 4": (
        ((12, 8), 1.0, 12, 8, ""),
        ((16, 10), 0.7, 8, 10, _SAT),
        ((10, 8, 4), 0.6, 16, 6, _SAT),
        ((12, 8, 5), 0.6, 10, 14, ""),
    ),
    "reuse 8": (
        ((16, 12), 1.0, 8, 6, ""),
        ((20, 10), 0.9, 14, 8, _SAT),
        ((24, 20), 0.5, 12, 12, _SAT),
        ((12, 32), 0.6, 10, 16, ""),
        ((16, 12, 5), 0.7, 16, 8, _SAT),
        ((14, 10, 8), 0.7, 12, 10, ""),
    ),
}


# The indices of the first table, from which the largest four were taken out again when a build of them took minutes.
_FIRST = {"parallel, 1 layer": 0, "parallel, 2 layers": 8, "reuse 2": 14, "reuse 4": 18, "reuse 8": 22}


def specs() -> list[Spec]:
    """All of them, in order."""
    found: list[Spec] = []
    for group, rows in _TABLE.items():
        reuse = int(group.split()[1]) if group.startswith("reuse") else 1
        for k, (sizes, density, data, weight, cast) in enumerate(rows):
            found.append(Spec(_FIRST[group] + k, group, k % 2 == 1, sizes, density, data, weight, reuse, cast))
    return found


def table_network(function: Function, elements: int, bits: int, out: int) -> tuple[Graph, dict[str, str]]:
    """(a table of a function over so many elements, the types of its input and result of so many bits)."""
    builder = Builder()
    name = builder.add("y", Table(function), [builder.add("x", Input((elements,)))])
    return builder.build([name]), {"input": f"ap_fixed<{bits},4>", "result": f"ap_fixed<{out},3>"}
