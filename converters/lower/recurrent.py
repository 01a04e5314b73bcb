"""Recurrent layers: a cell over the elements of a sequence, with states that go from each to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.converters.lower import arith
from nn2hls.converters.lower.linear import dense
from nn2hls.converters.lower.moves import flip, slice_
from nn2hls.converters.lower.shape import concatenate
from nn2hls.converters.lower.value import Refusal, Site, Tensor, plain
from nn2hls.converters.lower.window import Window, conv, same_pads
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph, Origin
from nn2hls.ops import Carry, Input, Merge, Op, Scan

Function = Callable[[Site, Tensor], Tensor]


@dataclass(frozen=True)
class Activation:
    """A function of a cell, None for the identity, and the word that it adds to the name of its gate."""

    word: str
    apply: Function | None


@dataclass(frozen=True)
class Gate:
    """Weights of one gate.

    Args:
        kernel: (features, units).
        recurrent: (size of the state, units).
        bias: (units,), of both products together.
        recurrent_bias: (units,), of the product with the state where that stands alone.
    """

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray | None = None
    recurrent_bias: np.ndarray | None = None


@dataclass(frozen=True)
class Cell:
    """What happens in one step.

    Args:
        body: Its inputs are an element and the states; its outputs the states after it.
        states: The shape of each state.
        gives: Which state is the result.
    """

    body: Graph
    states: tuple[Shape, ...]
    gives: int = 0

    @property
    def element(self) -> Shape:
        """The shape of an element."""
        return self.body.inputs[0].shape


class Body(Site):
    """Where the nodes of a cell go; they are named by what they are, and the layer's name comes before that."""

    def __init__(self) -> None:
        self.builder = Builder()

    def add(self, op: Op, nodes: Sequence[str], word: str) -> str:  # noqa: D102  (as in Site)
        return self.builder.add(word, op, nodes, Origin("", "", is_result=False))

    def input(self, name: str, shape: Shape) -> Tensor:
        """An element, or a state before the step."""
        return Tensor(self.add(Input(shape), (), name), shape)

    def cell(self, *outputs: Tensor) -> Cell:
        """The cell whose states after the step these are."""
        return Cell(self.builder.build([x.node for x in outputs]), tuple(x.shape for x in outputs))


def _activated(site: Site, name: str, function: Activation, compute: Callable[[Site], Tensor]) -> Tensor:
    """A gate, and its function as a node of its own."""
    x = compute(site.step(name))
    return x if function.apply is None else function.apply(site.step(f"{name}_{function.word}"), x)


def _summed(gate: Gate, operands: Tensor) -> Callable[[Site], Tensor]:
    """Both products of a gate in one sum."""
    weight = np.concatenate([gate.kernel, gate.recurrent])
    return lambda site: dense(site, operands, weight, gate.bias)


def _sizes(gates: Mapping[str, Gate], state: int) -> tuple[int, int]:
    """(features, units), which all gates have in common.

    Raises:
        Refusal: They have not, or the weights do not fit a state of that size.
    """
    features, units = next(iter(gates.values())).kernel.shape
    if not features or not units:
        raise Refusal(f"its weights are of {features} features and {units} units; both must be one or more")
    for name, gate in gates.items():
        found = (gate.kernel.shape, gate.recurrent.shape, *(b.shape for b in (gate.bias, gate.recurrent_bias) if b is not None))
        if found != ((features, units), (state, units), *[(units,)] * (len(found) - 2)):
            raise Refusal(f"the weights of its {name} have the shapes {found}, which do not fit {units} units")
    return features, units


def rnn_cell(gate: Gate, function: Activation) -> Cell:
    """h' = f(x @ W + h @ U + b)."""
    features, units = _sizes({"cell": gate}, gate.recurrent.shape[0])
    site = Body()
    x, h = site.input("element", (features,)), site.input("before", (units,))
    both = concatenate(site.step("operands"), [x, h], 0)
    return site.cell(_activated(site, "hidden", function, _summed(gate, both)))


def lstm_cell(
    gates: Mapping[str, Gate],
    recurrent: Activation,
    candidate: Activation,
    output: Activation,
    projection: np.ndarray | None = None,
) -> Cell:
    """c' = f * c + i * g and h' = o * tanh(c'), times a projection where there is one.

    Args:
        gates: ``input`` i, ``forget`` f, ``candidate`` g and ``output`` o.
        recurrent: The function of the gates, mostly sigmoid.
        candidate: Of the candidate, mostly tanh.
        output: Of the cell's state, mostly tanh.
        projection: (units, size of h).
    """
    units = gates["input"].kernel.shape[1]
    size = units if projection is None else projection.shape[1]
    features, _ = _sizes(gates, size)
    site = Body()
    x, h, c = site.input("element", (features,)), site.input("before", (size,)), site.input("cell_before", (units,))
    both = concatenate(site.step("operands"), [x, h], 0)
    names = {"input": "input_gate", "forget": "forget_gate", "candidate": "candidate", "output": "output_gate"}
    i, f, g, o = (
        _activated(site, names[key], candidate if key == "candidate" else recurrent, _summed(gates[key], both)) for key in names
    )
    return _lstm_states(site, (i, f, g, o), c, output, projection)


def gru_cell(gates: Mapping[str, Gate], recurrent: Activation, candidate: Activation, *, reset_after: bool) -> Cell:
    """h' = n + z * (h - n), which is z * h + (1 - z) * n.

    n = f(x @ W + b + r * (h @ U + u)) where the reset gate r works after the product, f(x @ W + (r * h) @ U + b) where before.

    Args:
        gates: ``update`` z, ``reset`` r and ``candidate`` n; the last with ``recurrent_bias`` u where r works after.
        recurrent: The function of the gates, mostly sigmoid.
        candidate: Of the candidate, mostly tanh.
        reset_after: Where r works.
    """
    features, units = _sizes(gates, gates["update"].kernel.shape[1])
    site = Body()
    x, h = site.input("element", (features,)), site.input("before", (units,))
    both = concatenate(site.step("operands"), [x, h], 0)
    z = _activated(site, "update_gate", recurrent, _summed(gates["update"], both))
    r = _activated(site, "reset_gate", recurrent, _summed(gates["reset"], both))
    gate = gates["candidate"]

    def after(at: Site) -> Tensor:
        memory = dense(at.step("recurrent"), h, gate.recurrent, gate.recurrent_bias)
        reset = arith.multiply(at.step("reset"), r, memory)
        return arith.add(at, dense(at.step("element"), x, gate.kernel, gate.bias), reset)

    def before(at: Site) -> Tensor:
        reset = arith.multiply(at.step("reset"), r, h)
        return _summed(gate, concatenate(at.step("operands"), [x, reset], 0))(at)

    n = _activated(site, "candidate", candidate, after if reset_after else before)
    change = arith.multiply(site.step("change"), z, arith.subtract(site.step("difference"), h, n))
    return site.cell(arith.add(site.step("hidden"), n, change))


def stacked(cells: Sequence[Cell]) -> Cell:
    """Cells one behind the other in each step: the result of one is the element of the next. Names begin with ``cell0_`` .."""
    site = Body()
    x, states = site.input("element", cells[0].element), list[Tensor]()
    for k, cell in enumerate(cells):
        states += [site.input(f"cell{k}_{n.name}", n.shape) for n in cell.body.inputs[1:]]
    after, first = list[Tensor](), 0
    for k, cell in enumerate(cells):
        if x.shape != cell.element:
            raise Refusal(f"its cell {k} takes elements of the shape {cell.element} and gets {x.shape}")
        own = states[first : first + len(cell.states)]
        values = {n.name: v for n, v in zip(cell.body.inputs, [x, *own], strict=True)}
        for node in cell.body:
            if node.name not in values:
                inputs = [values[i].node for i in node.inputs]
                values[node.name] = Tensor(site.add(node.op, inputs, f"cell{k}_{node.name}"), node.shape)
        found = [values[name] for name in cell.body.outputs]
        x, first = found[cell.gives], first + len(cell.states)
        after += found
    return replace(site.cell(*after), gives=first - len(cells[-1].states) + cells[-1].gives)


def conv_lstm_cell(
    gates: Mapping[str, Gate], recurrent: Activation, function: Activation, space: Shape, window: Window, dilation: Shape
) -> Cell:
    """An LSTM whose products are convolutions: of the element with ``window``, of the state with what keeps its size.

    Args:
        gates: As of :func:`lstm_cell`; kernels (*k, channels, filters), recurrent ones (*k, filters, filters).
        recurrent, function: The function of the gates, and that of candidate and cell state.
        space: The axes of an element before its channels.
        window: Of the product with the element.
        dilation: Ones.
    """
    channels, filters = gates["input"].kernel.shape[-2:]
    size, inside = gates["input"].recurrent.shape[:-2], window.positions(space)
    same = Window(size, dilation, dilation, same_pads(inside, size, dilation, dilation))
    site = Body()
    x, h = site.input("element", (*space, channels)), site.input("before", (*inside, filters))
    c = site.input("cell_before", (*inside, filters))

    def gate(key: str) -> Callable[[Site], Tensor]:
        own = gates[key]

        def summed(at: Site) -> Tensor:
            element = conv(at.step("element"), x, own.kernel, own.bias, window)
            return arith.add(at, element, conv(at.step("recurrent"), h, own.recurrent, None, same))

        return summed

    names = {"input": "input_gate", "forget": "forget_gate", "candidate": "candidate", "output": "output_gate"}
    i, f, g, o = (
        _activated(site, name, function if key == "candidate" else recurrent, gate(key)) for key, name in names.items()
    )
    return _lstm_states(site, (i, f, g, o), c, function)


def _lstm_states(
    site: Body,
    gates: tuple[Tensor, Tensor, Tensor, Tensor],
    c: Tensor,
    output: Activation,
    projection: np.ndarray | None = None,
) -> Cell:
    """c' = f * c + i * g and h' = o * tanh(c'), times a projection where there is one."""
    i, f, g, o = gates
    kept, written = arith.multiply(site.step("kept"), f, c), arith.multiply(site.step("written"), i, g)
    cell = arith.add(site.step("cell"), kept, written)
    seen = cell if output.apply is None else output.apply(site.step(f"cell_{output.word}"), cell)
    if projection is None:
        return site.cell(arith.multiply(site.step("hidden"), o, seen), cell)
    whole = arith.multiply(site.step("unprojected"), o, seen)
    return site.cell(dense(site.step("hidden"), whole, projection), cell)


@dataclass(frozen=True)
class Recurrence:
    """A cell over a sequence.

    Args:
        cell: What happens in one step.
        operands: The sequence (length, *element), and the states before the first step.
        length: Steps.
        reverse: From the last element to the first.
        label: Stands before the names of the cell's nodes.
    """

    cell: Cell
    operands: tuple[Tensor, ...]
    length: int
    reverse: bool = False
    label: str = ""

    def carried(self, site: Site) -> None:
        """The states after the last step, for the inputs that are the ones before the first step in the next event."""
        for k, before in enumerate(self.operands[1:]):
            last = self.last(site.step(f"{self.label}kept{k}"), k)
            site.step(f"{self.label}state{k}_after").emit(Carry(before.node), last)

    def sequence(self, site: Site, state: int | None = None) -> Tensor:
        """A state after every step, in the order of time; without a number the layer's output."""
        states, gives = len(self.cell.states), self.cell.gives if state is None else state
        return site.emit(Scan(self.cell.body, self.length, 1, states, self.reverse, gives, self.label), *self.operands)

    def turned(self, site: Site) -> Tensor:
        """The output in the order of the steps."""
        if not self.reverse:
            return self.sequence(site)
        return flip(site, self.sequence(site.step(f"{self.label}sequence")), (0,))

    def last(self, site: Site, state: int | None = None) -> Tensor:
        """A state after the last step; without a number the layer's output."""
        word = f"{self.label}sequence" + (f"_state{state}" if state not in (None, self.cell.gives) else "")
        return slice_(site, self.sequence(site.step(word), state), (0 if self.reverse else self.length - 1,))


def recurrence(
    site: Site,
    x: Tensor,
    cell: Cell,
    initial: Sequence[Tensor | np.ndarray | None] = (),
    *,
    reverse: bool = False,
    label: str = "",
    kept: bool = False,
) -> Recurrence:
    """A cell over a sequence (length, features).

    Args:
        site: Where constant states go.
        x: The sequence (length, *element).
        cell: The cell.
        initial: The states before the first step: tensors, or constants for every event; zeros where they are left out.
        reverse, label: See Recurrence.
        kept: The states go from event to event: those before the first step are further inputs of the network, those after the
            last one further outputs.
    """
    if len(plain(x)) != 1 + len(cell.element):
        what = {1: "vectors, (length, features)"}.get(len(cell.element), f"images of the shape {cell.element}")
        raise Refusal(f"it runs over sequences of {what}, and its operand has the shape {x.shape}")
    if initial and len(initial) != len(cell.states):
        raise Refusal(f"it is given {len(initial)} states and has {len(cell.states)}")
    states = []
    for k, shape in enumerate(cell.states):
        given = initial[k] if initial else None
        if isinstance(given, Tensor):
            state = given
        elif kept:
            state = site.step(f"{label}state{k}_before").emit(Input(shape))
        else:
            state = site.step(f"{label}initial_state{k}").constant(np.zeros(shape) if given is None else given)
        if state.shape != shape:
            raise Refusal(f"its initial state has the shape {state.shape} and must have {shape}")
        states.append(state)
    found = Recurrence(cell, (x, *states), x.shape[0], reverse, label)
    if kept:
        found.carried(site)
    return found


MERGES = {"sum": Merge.ADD, "mul": Merge.MUL, "ave": Merge.AVERAGE}


def merged(site: Site, mode: str, forward: Tensor, backward: Tensor) -> Tensor:
    """Both directions of a bidirectional layer as one: ``concat``, or a key of ``MERGES``."""
    if mode == "concat":
        return concatenate(site, [forward, backward], len(forward.shape) - 1)
    if mode not in MERGES:
        raise Refusal(f"merging by '{mode}' is not offered; concat, {', '.join(MERGES)} are")
    return arith.merge(site, MERGES[mode], [forward, backward])


def at_batch(x: Tensor) -> Tensor:
    """A sequence with the batch behind time as one with it before, which changes no node."""
    return replace(x, place=0) if x.place == 1 and not (x.before or x.merged) else x


def inline(site: Site, cell: Cell, operands: Sequence[Tensor]) -> list[Tensor]:
    """A single step of a cell, its nodes among those of the network: the states after an element and the states.

    Operands may have axes before their vectors, such as the vertices of a graph: each has a step of its own.
    """
    values = {node.name: x for node, x in zip(cell.body.inputs, operands, strict=True)}
    lead = operands[0].shape[:-1]
    for name, x in values.items():
        if x.shape != (*lead, *cell.body[name].shape):
            raise Refusal(f"its operand '{name}' has the shape {x.shape} and must have {(*lead, *cell.body[name].shape)}")
    for node in cell.body:
        if node.name not in values:
            at = site.step("" if node.name == cell.body.outputs[0] else node.name)
            axis = getattr(node.op, "axis", None)
            op = node.op if axis is None else node.op.replace(axis=axis + len(lead))
            values[node.name] = at.emit(op, *(values[i] for i in node.inputs))
    return [values[name] for name in cell.body.outputs]
