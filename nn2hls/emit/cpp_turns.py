"""The C++ of a layer whose hardware is one step: a function for the step, and a loop that calls it for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nn2hls.emit.layer import Layer, Value
from nn2hls.hardware.code import Code, Pragma
from nn2hls.hardware.literals import constant
from nn2hls.hardware.pipeline import Turns
from nn2hls.streams.network import Process

Lines = Iterator[str | Pragma]


def turns_code(
    turns: Turns, inputs: Sequence[Value], outputs: Sequence[Value], step: Sequence[Layer], *, pipelined: bool
) -> Code:
    """The C++ of a layer that runs a step for each element of its sequences.

    Args:
        turns: What it does.
        inputs: Of a step: an element of each sequence, the states, what is the same in every step.
        outputs: The states after it, and what is read.
        step: The layers of a step, in order.
        pipelined: Whether its loops are all side by side, so that it is one pipeline.
    """
    helpers = list(_step(inputs, outputs, step, pipelined=pipelined))
    return Code(list(_loop(turns, inputs, outputs)), helpers, ("common.h",))


def one_by_one_code(
    ident: str,
    process: Process,
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    step: Sequence[Layer],
    result: str,
    *,
    pipelined: bool,
) -> Lines:
    """The same for operands that come step by step: ``IDENT_core`` with the operands ``x0`` .., whether an event begins with
    them, and the result ``y``; its states are static.

    Args:
        ident: An identifier.
        process: The layer.
        inputs, outputs, step, pipelined: See :func:`turns_code`.
        result: The C++ type of an element of the result.
    """
    for part in _step(inputs, outputs, step, pipelined=pipelined):
        yield part if isinstance(part, Pragma) else part.replace("@", ident)
    op = process.op.repeats
    first, second = op.sequences, op.sequences + op.states
    initial = [process.initial[k - first] if first <= k < second else None for k in range(len(inputs))]
    places = iter(range(len(inputs)))
    operands = [next(places) if values is None else None for values in initial]
    kinds = zip(process.types, process.sizes, strict=True)
    parameters = [f"const {kind} x{k}[{size}]" for k, (kind, size) in enumerate(kinds)]
    yield f"static void {ident}_core({', '.join([*parameters, 'const bool begins', f'{result} y[{process.results}]'])}) {{"
    yield from () if op.states else ["(void)begins;"]
    for k, value in enumerate(inputs):
        is_state, name = first <= k < second, f"kept{k}"
        yield from _array(f"{'static ' if is_state else ''}{value.type}", name, value.size)
        yield from ["if (begins) {"] if is_state else []
        values = initial[k]
        if values is None:
            yield from _copied({f"{name}[i]": f"x{operands[k]}[i]"}, value.size)
        else:
            yield from (f"nn2hls::set_raw({name}[{n}], {constant(int(m))});" for n, m in enumerate(values.reshape(-1).tolist()))
        yield from ["}"] if is_state else []
    for k, value in enumerate(outputs):
        yield from _array(value.type, f"after{k}", value.size)
    arrays = [*(f"kept{k}" for k in range(len(inputs))), *(f"after{k}" for k in range(len(outputs)))]
    yield f"{ident}_step({', '.join(arrays)});"
    for k in range(op.states):
        yield from _copied({f"kept{first + k}[i]": f"after{k}[i]"}, inputs[first + k].size)
    start = 0
    for k, value in enumerate(outputs[op.states :], op.states):
        yield from _copied({f"y[{start} + i]": f"after{k}[i]"}, value.size)
        start += value.size
    yield "}"


def _step(inputs: Sequence[Value], outputs: Sequence[Value], step: Sequence[Layer], *, pipelined: bool) -> Lines:
    parameters = [f"const {v.type} {v.array}[{v.size}]" for v in inputs]
    parameters += [f"{v.type} after{k}[{v.size}]" for k, v in enumerate(outputs)]
    yield f"static void @_step({', '.join(parameters)}) {{"
    if pipelined:
        yield Pragma("pipeline", "1")
    read = {v.array for layer in step for v in layer.operands} | {v.array for v in outputs}
    yield from (f"(void){v.array};" for v in inputs if v.array not in read)
    for layer in step:
        yield from _array(layer.result.type, layer.result.array, layer.result.size)
        yield f"{layer.id}({', '.join([*(v.array for v in layer.operands), layer.result.array])});"
    for k, value in enumerate(outputs):
        yield from _copied({f"after{k}[i]": f"{value.array}[i]"}, value.size)
    yield "}"


def _loop(turns: Turns, inputs: Sequence[Value], outputs: Sequence[Value]) -> Lines:
    first, second = len(turns.sequences), len(turns.sequences) + len(turns.states)
    yield f"// {turns.equation}"
    for k, value in enumerate(inputs[first:second]):
        yield from _array(value.type, f"state{k}", value.size)
        yield from _copied({f"state{k}[i]": f"x{first + k}[i]"}, value.size)
    yield "NN2HLS_ROLLED"
    yield f"for (int turn = 0; turn < {turns.length}; turn++) {{"
    for k, value in enumerate(inputs[:first]):
        yield from _array(value.type, f"element{k}", value.size)
        yield from _copied({f"element{k}[i]": f"x{k}[{value.size} * turn + i]"}, value.size)
    for k, value in enumerate(outputs):
        yield from _array(value.type, f"after{k}", value.size)
    elements, states = (f"element{k}" for k in range(first)), (f"state{k}" for k in range(second - first))
    held = (f"x{k}" for k in range(second, len(inputs)))
    after = (f"after{k}" for k in range(len(outputs)))
    yield f"@_step({', '.join([*elements, *states, *held, *after])});"
    for k, value in enumerate(inputs[first:second]):
        yield from _copied({f"state{k}[i]": f"after{k}[i]"}, value.size)
    yield from _results(turns, {k: v.size for k, v in enumerate(outputs[second - first :])}, second - first)
    yield "}"


def _results(turns: Turns, sizes: Mapping[int, int], states: int) -> Lines:
    """What is read of a step into its place; a value that is read of every step in order is written in each."""
    places, place = dict[int, list[tuple[int, int]]](), 0
    for output, step in turns.reads:
        places.setdefault(output, []).append((step, place))
        place += sizes[output]
    for output, found in places.items():
        size, source, (_, start) = sizes[output], f"after{states + output}[i]", found[0]
        if found == [(step, start + step * size) for step in range(turns.length)]:
            yield from _copied({f"y[{start} + {size} * turn + i]": source}, size)
            continue
        for step, at in found:
            yield f"if (turn == {step}) {{"
            yield from _copied({f"y[{at} + i]": source}, size)
            yield "}"


def _array(kind: str, name: str, size: int) -> Lines:
    yield f"{kind} {name}[{size}];"
    yield Pragma("partition", name)


def _copied(pairs: Mapping[str, str], size: int) -> Lines:
    yield "NN2HLS_UNROLL"
    yield f"for (int i = 0; i < {size}; i++) {{"
    yield Pragma("unroll")
    yield from (f"{target} = {source};" for target, source in pairs.items())
    yield "}"
