"""Rewrites of an exported program before it is lowered: no in-place operators, whole activations, nothing unused."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from nn2hls.converters.pytorch.patterns import PATTERNS, match
from nn2hls.converters.pytorch.pt2_program import Call, Program, Ref

Report = Callable[[Call, str], None]

# Operators whose result may share memory with their first operand.
_VIEWS = frozenset((
    "H", "T", "adjoint", "alias", "alpha_dropout", "as_strided", "atleast_1d", "atleast_2d", "atleast_3d",
    "broadcast_tensors", "broadcast_to", "chunk", "conj", "contiguous", "detach", "diagonal", "dropout", "dsplit", "expand",
    "expand_as", "feature_alpha_dropout", "feature_dropout", "flatten", "hsplit", "imag", "lift_fresh", "mH", "mT",
    "matrix_H", "moveaxis", "movedim", "narrow", "numpy_T", "permute", "positive", "ravel", "real", "requires_grad",
    "reshape", "reshape_as", "resolve_conj", "resolve_neg", "select", "slice", "split", "split_with_sizes", "squeeze",
    "swapaxes", "swapdims", "t", "tensor_split", "to", "transpose", "type_as", "unbind", "unflatten", "unfold", "unsqueeze",
    "view", "view_as", "view_as_complex", "view_as_real", "vsplit", "_unsafe_view",
))  # fmt: skip
_HARMLESS = frozenset(("detach_.default", "requires_grad_.default"))


def without_in_place(program: Program, report: Report) -> Program:
    """The program with ``relu_(x)`` as ``x = relu(x)``: every later reader of x gets the new value.

    A read of another view of a tensor that was changed in place is reported, and so is a change of a parameter or buffer.
    """
    now: dict[str, str] = {}
    root: dict[str, str] = {}
    stale: dict[str, str] = {}
    calls: list[Call] = []
    for call in program.calls:
        for name in set(call.refs()) & stale.keys():
            report(call, f"it reads a view of a tensor that {stale[name]} changed in place; use the form without '_'")
        new = dataclasses.replace(call, args={k: _renamed(v, now) for k, v in call.args.items()})
        first = next(call.refs(), None)
        base, _, overload = call.target.partition(".")
        in_place = base.endswith("_") and not base.startswith("_") and first is not None and bool(call.outputs)
        if in_place:
            new = dataclasses.replace(new, target=f"{base[:-1]}.{overload}")
        shares = first is not None and (in_place or base in _VIEWS)
        for out in call.outputs:
            root[out] = root.get(first, first) if shares and first is not None else out
        if in_place and first is not None and call.target not in _HARMLESS:
            if root.get(first, first) in program.constants:
                report(call, "it changes a parameter or buffer on every call, and hardware here keeps no state")
            _overwrite(first, call, now, root, stale)
        calls.append(new)
    for name in set(program.outputs) & stale.keys():
        report(calls[-1], f"the output '{name}' is a view of a tensor that {stale[name]} changed in place")
    outputs = tuple(now.get(o, o) for o in program.outputs)
    return dataclasses.replace(program, calls=tuple(calls), outputs=outputs)


def _overwrite(first: str, call: Call, now: dict[str, str], root: dict[str, str], stale: dict[str, str]) -> None:
    """Names that hold the tensor itself now hold the result; names of other views of its memory hold nothing any more."""
    result = call.outputs[0]
    memory, value = root.get(first, first), now.get(first, first)
    for name in {memory, *(n for n, r in root.items() if r == memory)} - {result}:
        if now.get(name, name) == value:
            now[name] = result
        else:
            stale[name] = call.target


def _renamed(value: Any, now: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(v, now) for v in value]
    return Ref(now.get(value.name, value.name)) if isinstance(value, Ref) else value


def with_activations(program: Program) -> Program:
    """The program with the operators that an activation was decomposed into replaced by the activation."""
    by_output: dict[str, Call] = {}
    calls = []
    for call in program.calls:
        for pattern in PATTERNS:
            found = match(pattern.tree, call, by_output)
            if found is not None:
                call = dataclasses.replace(call, target=pattern.target, args=found, name=pattern.name, function=pattern.name)
                break
        by_output.update(dict.fromkeys(call.outputs, call))
        calls.append(call)
    return dataclasses.replace(program, calls=tuple(calls))


def with_biases(program: Program) -> Program:
    """The program with a constant vector that is added to a product, read nowhere else, as the bias of the product."""
    uses = Counter(name for call in program.calls for name in call.refs())
    uses.update(program.outputs)
    constant = set(program.constants)
    makers: dict[str, Call] = {}
    calls = []
    for call in program.calls:
        if all(name in constant for name in call.refs()):
            constant.update(call.outputs)
        if call.target == "add.Tensor" and call.args.keys() == {"self", "other"}:
            call = _biased(call, program, makers, constant, uses) or call
        makers.update(dict.fromkeys(call.outputs, call))
        calls.append(call)
    return dataclasses.replace(program, calls=tuple(calls))


def _biased(call: Call, program: Program, makers: Mapping[str, Call], constant: set[str], uses: Counter[str]) -> Call | None:
    names = list(call.refs())
    for product, bias in (names, names[::-1]) if len(names) == 2 else ():
        maker = makers.get(product)
        if maker is not None and maker.target in ("mm.default", "matmul.default") and uses[product] == 1 and bias in constant:
            left, right = list(maker.args.values())[:2]
            meta = program.metas.get(bias)
            if meta is not None and len(meta.sizes) == 1 and isinstance(right, Ref) and right.name in constant:
                args = {"input": left, "weight": right, "bias": Ref(bias)}
                return dataclasses.replace(call, target="biased_product", args=args)
    return None


def without_unused(program: Program) -> Program:
    """The program without the calls that no output needs."""
    needed = set(program.outputs)
    kept = []
    for call in reversed(program.calls):
        if needed.intersection(call.outputs):
            needed.update(call.refs())
            kept.append(call)
    return dataclasses.replace(program, calls=tuple(reversed(kept)))
