"""From an exported PyTorch program to a graph: one call after the other, all that is not supported reported together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn2hls.converters.lower.value import Refusal, Tensor
from nn2hls.converters.plugins import brought
from nn2hls.converters.pytorch.context import Args, Lowering, Measured, Unknown, Value
from nn2hls.converters.pytorch.fold import FOLD, PARTS, fold
from nn2hls.converters.pytorch.foreign import refuse
from nn2hls.converters.pytorch.ops import LOWER
from nn2hls.converters.pytorch.pt2_program import FLOATS, Call, Meta, Program
from nn2hls.converters.pytorch.quantised import scales_of
from nn2hls.converters.pytorch.rewrite import with_activations, with_biases, without_in_place, without_unused
from nn2hls.converters.pytorch.run_time import READERS, dequantized
from nn2hls.errors import ModelError, UnsupportedError
from nn2hls.graph.const import Shape
from nn2hls.graph.graph import Graph, Origin
from nn2hls.known_layers import not_offered
from nn2hls.ops import Input

EXAMPLE = "Export it with an example batch: torch.export.export(model.eval(), (torch.zeros(1, 16),))."


def lower(program: Program, exact: frozenset[str] = frozenset()) -> Graph:
    """The graph of a program; ``exact``: paths of layers whose weights are numbers of a quantised model, to the last bit.

    Raises:
        UnsupportedError: Lists every operator that is not supported, by layer.
        ModelError: The program has no inputs or outputs that a design can have, or contradicts itself.
    """
    refuse((call.module.foreign for call in program.calls), "PyTorch program")
    problems: dict[str, None] = {}
    context = Lowering(_batch(program), exact)

    def report(call: Call, reason: str) -> None:
        context.start(call, None)
        if call.module.is_layer and call.module.kind in WHOLE:
            problems[f"{context.layer} ({call.module.kind}): {WHOLE[call.module.kind]}"] = None
            return
        operator = call.target if call.target.startswith(("torch.", "_operator.")) else f"aten.{call.target}"
        problems[f"{context.layer} ({operator}): {reason}"] = None

    program = without_unused(with_biases(with_activations(without_in_place(program, report))))
    values: dict[str, Any] = dict(program.constants)
    for name in program.inputs:
        node = context.builder.add(name, Input(_sizes(program, name)), (), Origin(name, "Input"))
        values[name] = Tensor(node, context.builder.shape(node))
    for call in program.calls:
        try:
            results = _results(context, program, call, values)
        except Refusal as reason:
            if not isinstance(reason, Unknown):
                report(call, str(reason))
            constant = not any(isinstance(values.get(r), (Tensor, Measured)) for r in call.refs())
            results = [_stand_in(context, program, o, constant) for o in call.outputs]
        values.update(zip(call.outputs, results, strict=False))  # a lowering may give only the first result
    makers = {o: call for call in program.calls for o in call.outputs}
    for name in [o for o in program.outputs if o not in values and o in makers]:
        report(makers[name], f"its further result '{name}', such as the places of maxima, is an output and not offered")
        values[name] = None
    missing = [o for o in program.outputs if o not in values]
    if missing or not program.outputs:
        what = f"The output '{missing[0]}' is not computed." if missing else "The model has no output that is a tensor."
        raise ModelError(what, fix="Export it again.")
    outputs = [_output(context, o, values[o], problems) for o in program.outputs if values[o] is not None]
    if problems:
        what = f"{len(problems)} operators are not supported:" if len(problems) > 1 else "An operator is not supported:"
        raise UnsupportedError("\n  ".join([what, *problems]))
    return context.graph(outputs)


_LRN = "local response normalisation is not offered; use BatchNorm2d, which costs no divider"
# Layers of PyTorch that are refused as such, whatever operators they are written in.
WHOLE = {"LocalResponseNorm": _LRN, "CrossMapLRN2d": _LRN}


def _results(context: Lowering, program: Program, call: Call, values: dict[str, Any]) -> list[Value]:
    """What a call computes, its shape compared with the file's."""
    meta = program.metas.get(call.outputs[0])
    context.start(call, meta)
    if call.module.is_layer and call.module.kind in WHOLE:
        raise Refusal(WHOLE[call.module.kind])
    args = Args(call, values)
    try:
        if args.measured() and call.target not in READERS:
            args.change(Measured, lambda found: dequantized(context, found))
        constant = not args.tensors() and not args.measured()
        if constant and call.target in FOLD:
            inherited = next((context.scales[name] for name in call.refs() if name in context.scales), None)
            scales = scales_of(call.target, args, inherited)
            context.scales.update({} if scales is None else {call.outputs[0]: scales})
            return [fold(context, call, args)]
        if constant and call.target in PARTS:
            return list(PARTS[call.target](args))
        lowering = LOWER.get(call.target) or brought("pytorch", _operator(call.target))
        if lowering is None:
            raise Refusal(_not_offered(call.target))
        found = lowering(context, args)
        if reason := args.not_understood():
            raise Refusal(reason)
    except (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError) as error:
        what = f"The operands of aten.{call.target} do not fit together ({error})."
        raise ModelError(what, where=context.layer, fix="Export the model again.") from None
    results: list[Value] = list(found) if isinstance(found, Sequence) else [found]
    for name, value in zip(call.outputs, results, strict=False):
        _check(context, name, value, program.metas.get(name))
    if isinstance(results[0], Tensor) and results[0] in args.tensors():
        context.builder.dropped(context.layer, results[0].node)
    return results


def _operator(target: str) -> str:
    """``library::operator`` of a call beyond aten, as torch.library has it; empty for others."""
    words = target.removeprefix("torch.ops.").split(".")
    return f"{words[0]}::{words[1]}" if target.startswith("torch.ops.") and len(words) > 1 else ""


def _not_offered(target: str) -> str:
    """Why an operator is refused; names come from PyTorch, so that none is misspelt."""
    if target.startswith("torch.ops."):
        return "an operator of a library of its own is not offered; write it with PyTorch's"
    name = target.partition(".")[0]
    forms = sorted(t for t in LOWER if t.startswith(f"{name}."))
    if forms:
        return f"{target} is not offered; {', '.join(forms)} {'is' if len(forms) == 1 else 'are'}"
    return not_offered("aten", name, "write it with other operators, or leave it out of the module")


def _batch(program: Program) -> int | None:
    """The static batch of the inputs, None where it is symbolic."""
    sizes = {}
    for name in program.inputs:
        meta = program.metas[name]
        if meta.dtype not in (*FLOATS, "int64", "int32"):
            fix = "Export it with floating-point inputs, or whole numbers for an Embedding."
            raise ModelError(f"The input holds {meta.dtype} values.", where=name, fix=fix)
        if len(meta.sizes) < 2:
            raise ModelError("The input has no batch axis: its first axis must be the batch.", where=name, fix=EXAMPLE)
        if None in meta.sizes[1:]:
            raise ModelError("The input has a symbolic size besides the batch.", where=name, fix="Export it with fixed sizes.")
        sizes[name] = meta.sizes[0]
    if len(set(sizes.values())) > 1:
        what = ", ".join(f"{k}: {'any' if v is None else v}" for k, v in sizes.items())
        raise ModelError(f"The inputs differ in their first axis, the batch ({what}).", fix=EXAMPLE)
    if not sizes:
        raise ModelError("The model has no input that is a tensor.")
    return next(iter(sizes.values()))


def _sizes(program: Program, name: str) -> Shape:
    return tuple(int(n or 0) for n in program.metas[name].sizes[1:])


def _stand_in(context: Lowering, program: Program, output: str, constant: bool) -> Value:
    """Something of the right shape in place of an unsupported result, so that what follows is looked at as well; else None."""
    meta = program.metas.get(output)
    if constant or meta is None or not meta.sizes or meta.sizes[0] not in (None, context.batch) or not all(meta.sizes[1:]):
        return None
    node = context.builder.add(output, Input(_sizes(program, output)))
    return Tensor(node, context.builder.shape(node))


def _output(context: Lowering, name: str, value: Value, problems: dict[str, None]) -> str:
    if isinstance(value, np.ndarray):
        context.start(Call("output", {}, (name,), name, "constant"), None)
        return context.constant(value[0] if value.ndim and value.shape[0] in (1, context.batch) else value).node
    if not isinstance(value, Tensor):
        problems[f"{name}: it is an output and no tensor"] = None
        return name
    if not value.is_plain:
        problems[f"{name}: it is an output whose first axis is not the batch"] = None
    if value.hidden is not None:
        problems[f"{name}: it is an output that is minus infinity where a mask says so"] = None
    return value.node


def _check(context: Lowering, name: str, value: Value, meta: Meta | None) -> None:
    """The file states the shape of every value; another one here is a damaged file or a wrong lowering, never to pass on."""
    if meta is None or not isinstance(value, Tensor):
        return
    batch = context.batch or 1
    computed = value.full(batch)
    known = [k for k in range(len(computed)) if k != value.place or None not in (context.batch, *meta.sizes[k : k + 1])]
    if len(meta.sizes) != len(computed) or any(meta.sizes[k] not in (None, computed[k]) for k in known):
        raise ModelError(f"'{name}' has the shape {meta.sizes} by the file, {computed} by its operators.")
