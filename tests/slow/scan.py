"""Scan on whole numbers, step by step: a body with types, an event at a time."""

import dataclasses

import numpy as np

from nn2hls.graph.graph import Graph
from tests.slow.graph import graph_slow


def typed_body(body, ops, kinds):
    """The body of a Scan with the ops and the types that its nodes have in some design, both by the names of its nodes."""
    inputs = {n.name for n in body.inputs}
    typed = [dataclasses.replace(n, op=n.op if n.name in inputs else ops[n.name], type=kinds[n.name]) for n in body]
    return Graph(tuple(typed), body.outputs)


def scan_slow(op, body, xs):
    """Every output of the body in the order of time, as mantissas.

    Args:
        op: The Scan.
        body: Its body with types; a state has the type with which it leaves the step before.
        xs: Mantissas of the sequences, the states before the first step, and the rest.
    """
    first = op.sequences + op.states
    sequences, states, rest = xs[: op.sequences], list(xs[op.sequences : first]), list(xs[first:])
    order = list(range(op.length))
    found = {}
    for t in reversed(order) if op.reverse else order:
        values = graph_slow(body, [*(x[t] for x in sequences), *states, *rest])
        after = [values[name] for name in body.outputs]
        states, found[t] = after[: op.states], after[op.gives]
    return np.stack([found[t] for t in order])
