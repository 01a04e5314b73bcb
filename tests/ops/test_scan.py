"""Scan: its definition step by step, and the same answer from the emulator, the C++ and the Verilog."""

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import LimitError, ModelError
from nn2hls.graph.builder import Builder
from nn2hls.ops import Elementwise, Input, Merge, Scan
from tests.kit.networks import draw_type
from tests.kit.recurrent import KINDS, network
from tests.slow.fixed import cast_slow, value_slow
from tests.slow.scan import scan_slow, typed_body


def words(rng):
    """Types for all words of a layer."""
    names = ("weight", "bias", "result", "accum", "table")
    kinds = {name: draw_type(rng, 14) for name in names if rng.integers(3)}
    return {name: str(kind) for name, kind in kinds.items() if kind.width > 2 or name in ("weight", "bias")}


def designs(seed, events=20):
    """Recurrent layers of all kinds, lengths and directions, derived and drawn types."""
    rng = np.random.default_rng(seed)
    for kind in KINDS:
        for drawn in (False, True):
            shape, reverse = (int(rng.integers(1, 5)), int(rng.integers(1, 4))), bool(rng.integers(2))
            graph = network(kind, int(rng.integers(99)), shape, int(rng.integers(1, 4)), reverse)
            precision = words(rng) if drawn else {}
            config = {"Model": {}, "LayerName": {"x": {"Precision": str(draw_type(rng, 10))}, "r": {"Precision": precision}}}
            yield graph, nn2hls.convert(graph, config), rng.normal(0, 1, (events, *shape))


def body_of(graph, typed):
    """(the Scan, its body with the types of the design): every step of a node has the same."""
    (scan,) = (n for n in graph if isinstance(n.op, Scan))
    ops, kinds = {}, {}
    for node in typed:
        if node.tied:
            name = node.tied.partition("/")[2]
            kinds.setdefault(name, node.type)
            assert kinds[name] == node.type
            ops.setdefault(name, node.op)
    body = scan.op.body
    for node, after in zip(body.inputs[scan.op.sequences :], body.outputs, strict=False):
        kinds[node.name] = kinds[after]
    return scan.op, ops, kinds


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_the_emulator_is_the_slow_evaluation(seed):
    for graph, design, x in designs(seed, 3):
        op, ops, kinds = body_of(graph, resolved(graph, design))
        body = typed_body(op.body, ops, kinds)
        got = design.predict_raw(x).mantissas
        for event in range(len(x)):
            states = [np.zeros(n.shape, dtype=object) for n in op.body.inputs[op.sequences :]]
            want = scan_slow(op, body, [mantissas_of(design, x[event]), *states])
            hidden, result = (
                kinds[op.body.outputs[0]],
                design.graph["r"].type,
            )  # the user may type r alone
            cast = [cast_slow(value_slow(m, hidden), result) for m in want.ravel()]
            assert got[event].ravel().tolist() == cast


def mantissas_of(design, event):
    """What the input is as mantissas."""
    from nn2hls.emulate.overflow import OverflowLog
    from nn2hls.emulate.quantise import quantise

    return quantise(event[None], design.graph["x"], OverflowLog())[0].astype(np.int64).astype(object)


def resolved(graph, design):
    """The fixed graph before later passes change the steps one by one."""
    from nn2hls.passes.base import Context
    from nn2hls.passes.resolve_types import resolve_types

    return resolve_types(design.float_graph, Context(design.config.settings_of, signals=design.signals))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.long
def test_the_cpp_is_the_emulator(tmp_path):
    for k, (_, design, x) in enumerate(designs(7)):
        design.write(tmp_path / str(k))
        np.testing.assert_array_equal(design.csim(x), design.predict(x))


def scan(**changes):
    builder = Builder()
    names = [builder.add("element", Input((2,))), builder.add("before", Input((2,)))]
    body = builder.build([builder.add("sum", Elementwise(Merge.ADD), names)])
    return Scan(**{"body": body, "length": 3, "sequences": 1, "states": 1, **changes})


@pytest.mark.parametrize(
    ("op", "shapes", "error", "said"),
    [
        (scan(length=0), [(0, 2), (2,)], ModelError, "a sequence of 0 elements"),
        (scan(), [(4, 2), (2,)], ModelError, r"sequence 'element' has shape \(4, 2\) and must have \(3, 2\)"),
        (scan(), [(3, 2), (3,)], ModelError, r"state 'before' has shape \(3,\) and must have \(2,\)"),
        (scan(), [(3, 2)], ModelError, "takes 2 operands, not 1"),
        (scan(length=10_000), [(10_000, 2), (2,)], LimitError, "10000 steps have 30000 nodes together"),
    ],
)
def test_what_does_not_fit_is_named(op, shapes, error, said):
    with pytest.raises(error, match=said):
        op.infer(shapes, where="r")


def test_a_running_sum():
    op, x = scan(), np.arange(6.0).reshape(1, 3, 2)
    np.testing.assert_array_equal(op.evaluate_float(x, np.zeros((1, 2)))[0], np.cumsum(x[0], axis=0))
    turned = scan(reverse=True).evaluate_float(x, np.ones((1, 2)))[0]
    np.testing.assert_array_equal(turned, np.cumsum(x[0][::-1], axis=0)[::-1] + 1)
