"""What must hold of one random network: fractions == emulator == compiled C++, and what is printed is true."""

import dataclasses
import re
import warnings
from fractions import Fraction

import numpy as np

from nn2hls.arith.functions_float import TINY
from nn2hls.arith.ranges import ints
from nn2hls.design.design import Design, convert
from nn2hls.design.trace import Trace
from nn2hls.emit.options import Options
from nn2hls.emit.project import emit
from nn2hls.errors import GraphError, Nn2hlsError, ToolError
from nn2hls.graph.analysis import demanded, graph_ranges
from nn2hls.ops import Constant, Function, Normalised, Softmax, Table
from nn2hls.tools.folder import Project
from nn2hls.tools.gxx import FLAGS, compile_project
from tests.fuzz import streams
from tests.fuzz.drawing import Drawn, draw, draw_floats, draw_mantissas
from tests.kit.networks import side_by_side
from tests.slow.fixed import cast_slow
from tests.slow.graph import exact_slow, fractions, graph_slow

EVENTS = 3  # of floats, and as many of mantissas, on fractions
COMPILED = 24  # more of mantissas, for emulator and C++ alone
STREAMS = "streams"  # beside the back ends
FAST = ("-std=c++14", "-O0", *FLAGS[2:])


class Fault(Exception):  # noqa: N818
    """What a case shows to be wrong."""


@dataclasses.dataclass
class Case:
    """A drawn network, and what is known of it so far."""

    seed: int
    index: int
    drawn: Drawn
    design: Design
    resolved: object  # the graph as its types were resolved, before any pass changes it
    inputs: list  # mantissas, one object array (events, *shape) per input
    positions: dict | None  # of a network that runs in streams, too: see tests.fuzz.streams

    @property
    def projects(self) -> list:
        """As what it is compiled: by a back end, and as processes."""
        return [self.drawn.backend, *([STREAMS] if self.positions is not None else [])]

    @property
    def name(self) -> str:
        """As ``--only`` takes it."""
        return f"{self.seed}:{self.index}"


def prepare(seed: int, index: int) -> Case:
    """Draw and convert.

    Raises:
        Nn2hlsError: The network is refused.
    """
    rng = np.random.default_rng([seed, index])
    drawn = draw(rng)
    after = {}
    design = convert(drawn.graph, drawn.config(), drawn.calibration(), lambda name, graph: after.__setitem__(name, graph))
    inputs = [draw_mantissas(rng, n.result_type, n.shape, EVENTS + COMPILED) for n in design.graph.inputs]
    positions = streams.positions(design.graph.needed(), rng) if drawn.streamed else None
    return Case(seed, index, drawn, design, after["resolve-types"], inputs, positions)


# ---- emulator ------------------------------------------------------------------------------------------------------------


def check(case: Case) -> None:
    """Fractions against the emulator, on mantissas and on floats.

    Raises:
        Fault: They differ, or a printed bound does not hold.
    """
    check_mantissas(case)
    check_floats(case)
    check_bounds(case)
    check_reports(case)


def check_streams(case: Case) -> None:
    """The processes against the emulator, where the network runs as such.

    Raises:
        Fault: They differ.
    """
    if case.positions is None:
        return
    try:
        streams.check_processes(case.design.graph, [x[:EVENTS] for x in case.inputs], case.positions)
    except AssertionError as difference:
        raise Fault(f"Processes at {case.positions} and emulator: {difference}") from difference


def emulated(design: Design, inputs, names) -> dict:
    """Mantissas of the nodes ``names`` as object arrays."""
    values, _ = design._emulate([_compact(x) for x in inputs], names, raw=True, mantissas=True)
    return {name: ints(v) for name, v in values.items()}


def _compact(x):
    """int64 where it fits, as ``verify`` hands mantissas over."""
    return x.astype(np.int64) if x.size == 0 or max(abs(int(x.min())), abs(int(x.max()))) < 1 << 63 else x


def check_mantissas(case: Case) -> None:
    """Every output, and every value that keeps its shape, of the built graph."""
    graph = case.design.graph
    inputs = [x[:EVENTS] for x in case.inputs]
    kept = [n.name for n in graph if n.spread is None]
    found = emulated(case.design, inputs, kept)
    for event in range(EVENTS):
        want = graph_slow(case.resolved, [x[event] for x in inputs])
        for name in graph.outputs:
            if np.ravel(found[name][event]).tolist() != np.ravel(want[name]).tolist():
                raise Fault(_first_difference(case, event, found, want))


def _first_difference(case: Case, event: int, found, want) -> str:
    """The first value, in order, that differs: the smallest part of the network that shows the fault."""
    for node in case.design.graph:
        if node.name in found and np.ravel(found[node.name][event]).tolist() != np.ravel(want[node.name]).tolist():
            operands = [f"\n  {o.name}: {o.type} {want[o.name].tolist()}" for o in case.design.graph.operands(node)]
            return (
                f"{node.name} = {node.op} -> {node.type} of{''.join(operands)}\n"
                f"  emulator  {found[node.name][event].tolist()}\n  fractions {want[node.name].tolist()}"
            )
    return "only an output differs"


def check_floats(case: Case) -> None:
    """``predict_raw``, ``predict`` and ``trace`` on floats."""
    design, rng = case.design, np.random.default_rng([case.seed, case.index, 1])
    nodes = design.graph.inputs
    x = [draw_floats(rng, n.result_type, n.shape, EVENTS) for n in nodes]
    raws, answers, trace = _listed(design.predict_raw(x)), _listed(design.predict(x)), design.trace(x)
    keys, ranges = Trace(design.graph, design.source, design.float_graph).shown, graph_ranges(case.resolved)
    needed, built = demanded(case.resolved), demanded(design.graph)
    for event in range(EVENTS):
        mantissas = [_quantised(a[event], n.result_type) for a, n in zip(x, nodes, strict=True)]
        want = graph_slow(case.resolved, mantissas)
        for name, raw, answer in zip(design.graph.outputs, raws, answers, strict=True):
            if ints(raw.mantissas[event]).ravel().tolist() != want[name].ravel().tolist():
                raise Fault(f"predict_raw of {name}: {raw.mantissas[event].tolist()}, fractions {want[name].tolist()}")
            _same_floats(f"predict of {name}", answer[event], want[name], raw.type)
        for key, name in keys.items():
            kind = case.resolved[name].result_type
            _same_floats(f"trace of {key}", trace[key][event], want[name], kind, _computed(case, name, ranges, needed, built))


def _same_floats(what, found, mantissas, kind, computed=True) -> None:
    want = np.array([_as_float(Fraction(int(m)) / Fraction(2) ** kind.fraction) for m in mantissas.ravel()])
    wrong = (np.ravel(found) != want) & (np.broadcast_to(computed, mantissas.shape).ravel() | (np.ravel(found) != 0))
    if wrong.any():
        raise Fault(f"{what}: {np.ravel(found).tolist()}, fractions {want.tolist()}")


def _computed(case: Case, name: str, ranges, needed, built):
    """Which elements of a layer must be shown; what nothing reads may be zero, except in channels of constants alone.

    ``needed`` of the network and ``built`` of what was left of it say what is read: a layer may read only constants of another.
    """
    node, known = case.design.graph[name], ranges[name].lo == ranges[name].hi
    constant = known.all(axis=tuple(range(known.ndim - 1)))
    if isinstance(node.op, Constant):
        return constant | needed[name] & (known | isinstance(case.resolved[name].op, Constant))
    read = built[name] if node.spread is None else node.spread.expand(built[name][None], False)[0]
    return constant | needed[name] & (known | read)


def _as_float(value: Fraction) -> float:
    """Rounded once, half to even, as float64 holds it."""
    return value.numerator / value.denominator


def _quantised(x, kind):
    out = np.empty(x.size, dtype=object)
    out[:] = [cast_slow(Fraction(float(v)), kind) for v in x.ravel()]
    return out.reshape(x.shape)


def _listed(answers):
    return answers if isinstance(answers, list) else [answers]


# ---- printed bounds ------------------------------------------------------------------------------------------------------

_BOUND = re.compile(r"^(.+): within (\S+) of the function")
_DEFINED = {  # elsewhere the function has no value, or floats stay away from its pole
    Function.LOG: lambda x: x >= TINY,
    Function.RSQRT: lambda x: x >= TINY,
    Function.RECIPROCAL: lambda x: np.abs(x) >= TINY,
}


def check_bounds(case: Case) -> None:
    """What ``convert`` prints of a table's error holds for the operands that came."""
    printed = {m[1]: float(m[2]) for m in map(_BOUND.match, case.design.notes) if m}
    for node in case.resolved:
        if not isinstance(node.op, Table | Normalised | Softmax) or node.name not in printed:
            continue
        (operand,) = case.resolved.operands(node)
        for event in range(EVENTS):
            want = graph_slow(case.resolved, [x[event] for x in case.inputs])
            x = fractions(want[operand.name], operand.result_type)
            exact = exact_slow(node.op, [x], node.shape)
            if isinstance(node.op, Softmax):  # which knows differences alone: those of numbers that float64 does not hold, too
                x = x - x.max(axis=node.op.axis, keepdims=True)
            floats = np.array([_as_float(v) for v in x.ravel()]).reshape(x.shape)
            got = np.array([_as_float(v) for v in np.ravel(exact)]).reshape(node.shape)
            _check_bound(node, floats, got, printed[node.name])


def _check_bound(node, x, got, printed) -> None:
    with np.errstate(all="ignore"):
        true = node.op.evaluate_float(x[None])[0]
    known = np.isfinite(true) & _DEFINED.get(getattr(node.op, "function", None), np.isfinite)(x)
    error = np.abs(got - true)[known]
    slack = 1e-9 * np.abs(true[known]) + 1e-12
    if np.any(error > printed + slack):
        raise Fault(f"{node.name}: within {printed} is printed, {error.max()} is seen: {node.op} of {x.tolist()}")


def check_reports(case: Case) -> None:
    """What is said of the network is said, or refused by name."""
    rng = np.random.default_rng([case.seed, case.index, 2])
    str(case.design.graph)
    case.design.estimate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # errors of floats that are as large as floats get
        case.design.compare([rng.normal(size=(8, *n.shape)) for n in case.design.graph.inputs])


# ---- C++ -----------------------------------------------------------------------------------------------------------------


def project(graph, kind: str, positions) -> Project:
    """Of one or several networks: for a back end, or as processes."""
    if kind == STREAMS:
        return streams.project(graph, Options(name="fuzzed"), positions)
    return emit(graph, Options(name="fuzzed", backend=kind))


def emits(case: Case, kind: str) -> bool:
    """Whether the project of the one network is written, not refused by name."""
    try:
        project(case.design.graph, kind, case.positions)
    except GraphError:
        raise
    except Nn2hlsError:
        return False
    return True


def compiled(cases, kind: str) -> None:
    """The C++ of all cases in one library, as a project of this kind, against the emulator.

    Raises:
        Fault: A mantissa differs, or the compiler refuses the code.
    """
    graph = side_by_side([c.design.graph for c in cases])
    try:
        run = compile_project(project(graph, kind, streams.renamed(c.positions or {} for c in cases)), flags=FAST)
    except ToolError as error:
        raise Fault(str(error)) from error
    inputs = [x.reshape(len(x), -1).astype(np.int64) for c in cases for x in c.inputs]
    results = iter(run(inputs, [int(np.prod(graph[o].shape)) for o in graph.outputs]))
    for case in cases:
        outputs = case.design.graph.outputs
        want = emulated(case.design, case.inputs, outputs)
        for name in outputs:
            found = next(results)
            wrong = np.argwhere(found != want[name].reshape(found.shape))
            if len(wrong):
                event, at = wrong[0]
                raise Fault(
                    f"{case.name}: {name}[{at}] of event {event}: C++ {found[event, at]}, emulator "
                    f"{want[name].reshape(found.shape)[event, at]} for {[x[event].tolist() for x in case.inputs]}"
                )
