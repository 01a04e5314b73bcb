"""What a search may change: bits of each value and of each layer's weights, and reuse factors; and the config that results."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.config.config import Config
from nn2hls.config.items import Level, Setting
from nn2hls.graph.graph import Graph, Node
from nn2hls.graph.leaves import Constant, Input
from nn2hls.graph.reference import run_float
from nn2hls.size.layouts import DISTRIBUTED, LATENCY, SEARCHED
from nn2hls.trials.network import Network

SPARE = 1  # integer bits beyond the range seen
ROUNDINGS = {"AP_RND": Rounding.RND, "AP_TRN": Rounding.TRN}
_WHERE = "search"

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Variable:
    """One choice: a whole number from ``low`` to ``high``, or one of ``choices``.

    Args:
        name: ``LAYER.result`` and ``LAYER.weight`` are widths in bits, ``LAYER.reuse`` a reuse factor, ``LAYER.strategy`` that
            of its sums with Backend Verilog, ``rounding`` that of all results.
    """

    name: str
    low: int = 0
    high: int = 0
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Space:
    """The variables of a network and the integer bits of everything, from float values of the search data and one bit more.

    Args:
        values: Node -> (integer bits, signed) of its result.
        owner: Node -> the node whose ``.result`` sets its fraction bits: a ReLU inside a layer follows the layer.
        weights: Node with weights -> (integer bits, signed) of the weights, and of the biases.
    """

    variables: tuple[Variable, ...]
    values: Mapping[str, tuple[int, bool]]
    owner: Mapping[str, str]
    weights: Mapping[str, tuple[tuple[int, bool], tuple[int, bool]]]

    @classmethod
    def of(cls, network: Network, widest: int, reuses: Sequence[int]) -> Space:
        """The space of a network.

        Args:
            network: Its data sets the integer bits.
            widest: Bits that no result and no weight exceeds.
            reuses: Reuse factors to choose from, per layer; none: as the config says.
        """
        graph, _, _ = network.stage(network.config)
        nodes = [n for n in graph if not (isinstance(n.op, Constant) or n.op.rearranges or _numbers(n, graph))]
        floats = run_float(graph, network.inputs, [n.name for n in nodes])
        values = {n.name: _bits(floats[n.name], SPARE) for n in nodes}
        owner = {n.name: _owner(n, graph) for n in nodes}
        linear = {n.name: n.op.linear for n in nodes if n.op.linear}
        weights = {name: (_bits(weight, 0), _bits(bias, 0)) for name, (weight, bias) in linear.items()}
        variables = [Variable(f"{n.name}.result", 1 + values[n.name][1], widest) for n in nodes if owner[n.name] == n.name]
        variables += [Variable(f"{name}.weight", 1 + signed, widest) for name, ((_, signed), _) in weights.items()]
        variables.append(Variable("rounding", choices=tuple(ROUNDINGS)))
        # Weights that can be reloaded lie in memories, with Strategy: Resource and steps to read them in.
        held = {n.name for n in nodes if network.config.settings_of(n).weights != "fixed"}
        for name in weights:
            if own := tuple(r for r in reuses if r > 1 or name not in held):
                variables.append(Variable(f"{name}.reuse", choices=own))
        if network.config.backend == "Verilog":
            # Numbers of w bits have a third of w canonical signed digits on average.
            summed = [n for n in nodes if "strategy" in n.op.uses and n.name not in held]
            layers = [n for n in summed if n.op.products() * widest <= 3 * SEARCHED]
            variables += [Variable(f"{n.name}.strategy", choices=(DISTRIBUTED, LATENCY)) for n in layers]
        return cls(tuple(variables), values, owner, weights)

    def start(self) -> dict[str, Any]:
        """Every width at its largest, every choice at its first."""
        return {v.name: v.choices[0] if v.choices else v.high for v in self.variables}

    def widths(self) -> list[Variable]:
        """The variables that are widths."""
        return [v for v in self.variables if not v.choices]

    def config(self, base: Config, params: Params) -> Config:
        """The config of a point of the space: types by the name of each layer, besides what ``base`` says."""
        rounding = ROUNDINGS[params["rounding"]]
        levels = dict(base.layer_names)
        for name, (integer, signed) in self.values.items():
            first = self.owner[name]
            fraction = params[f"{first}.result"] - self.values[first][0]
            kind = FixedType(max(integer + fraction, 1 + signed), integer, signed, rounding, Overflow.SAT)
            precision = {"result": kind}
            settings: dict[str, Any] = {}
            if name in self.weights:
                (whole, minus), (bias_whole, bias_minus) = self.weights[name]
                precision["weight"] = FixedType(params[f"{name}.weight"], whole, minus)
                # One bit finer than the result: the bias adds a quarter of the noise that rounding the result does.
                width = max(bias_whole + fraction + 1, 1 + bias_minus)
                precision["bias"] = FixedType(width, bias_whole, bias_minus)
                settings = {word: params[f"{name}.{word}"] for word in ("reuse", "strategy") if f"{name}.{word}" in params}
            old = levels.get(name, Level(_WHERE, name))
            levels[name] = Level(
                old.where,
                name,
                {**old.settings, **_set(settings)},
                {**old.precision, **_set(precision)},
            )
        return dataclasses.replace(base, layer_names=levels)

    def short(self, params: Params) -> str:
        """The bits of results and of weights, in the order of the layers, for a table."""
        results = ",".join(str(params[v.name]) for v in self.variables if v.name.endswith(".result"))
        weights = ",".join(str(params[v.name]) for v in self.variables if v.name.endswith(".weight"))
        reuse = [str(params[v.name]) for v in self.variables if v.name.endswith(".reuse")]
        return f"{results} w {weights}" + (f" r {','.join(reuse)}" if reuse else "")


def _set(values: Mapping[str, Any]) -> dict[str, Setting]:
    return {word: Setting(value, _WHERE) for word, value in values.items()}


def _bits(values: np.ndarray, spare: int) -> tuple[int, bool]:
    """Integer bits, the sign among them, that hold all values and ``spare`` bits more, and whether there is a sign."""
    signed = bool(np.min(values, initial=0.0) < 0)
    return math.frexp(max(float(np.max(np.abs(values), initial=0.0)), 2.0**-30))[1] + spare + signed, signed


def _numbers(node: Node, graph: Graph) -> bool:
    """Whether values are numbers of classes, whose derived type is exact: there is nothing to search."""
    return node.op.classes([n.shape for n in graph.operands(node)]) > 0


def _owner(node: Node, graph: Graph) -> str:
    if node.op.follows:
        (before,) = graph.operands(node)
        if not isinstance(before.op, Input) and len(graph.users[before.name]) == 1:
            return before.name
    return node.name
