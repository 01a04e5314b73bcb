"""Casts and tables of PQuantML's live modules: operators that an exported program names, and what they are lowered to.

Their own results in PyTorch are never used: they have the shape, and say everything of a cast or a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.converters.lower import quantised, tables
from nn2hls.converters.lower.tables import Types
from nn2hls.converters.lower.value import Refusal, plain
from nn2hls.converters.pytorch.context import Args, Lowering, Value
from nn2hls.guard import shortened

CALL_IT = "call the model once on a batch, which makes its quantisers, and train it to the end"
_ROUNDINGS = {mode.name: mode for mode in Rounding}
_OVERFLOWS = {name: Overflow[name] for name in ("WRAP", "SAT", "SAT_SYM")}
_STOCHASTIC = "S_"  # of a rounding that is so in training alone
Step = Callable[[Any], Any]


def used(module: Any, side: str) -> bool:
    """Whether a module casts what enters, or leaves."""
    return bool(getattr(module, f"quantize_{side}", False) and module.enable_quantization)


def cast(module: Any, side: str, part: str = "") -> Step | None:
    """What its quantiser of what enters, or leaves, makes of a value; None where it has none or does not use it."""
    if not used(module, side):
        return None
    k, i, f, *words = _said(module, side)
    word = part or ("iq" if side == "input" else "oq")
    return lambda x: _operators()[0](x, k, i, f, *words, word)


def table(function: Callable[[Any], Any], before: tuple[Any, str], behind: tuple[Any, str], part: str) -> Step:
    """What a function of float32 makes of the values of one quantiser, cast by another one, as a table.

    Args:
        function: Of tensors.
        before, behind: A module and its side, ``input`` or ``output``, whose quantisers these are.
        part: The word that the table adds to its module's name.
    """
    import torch

    def of_array(values: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(function(torch.from_numpy(values)).numpy())

    kind, leaving = types(*before).address, types(*behind)
    found, which = tables.words(of_array, kind, leaving)
    given = torch.from_numpy(found), torch.from_numpy(which)
    return lambda x: _operators()[1](x, *given, kind.width, kind.integer, kind.signed, part)


def types(module: Any, side: str) -> Types:
    """The types that a quantiser gives."""
    k, i, f, rounding, overflow = _said(module, side)
    signs, whole, fraction = (_whole(value.cpu().numpy(), name) for name, value in zip("kif", (k, i, f), strict=True))
    return Types(signs, whole, fraction, _ROUNDINGS[rounding], _OVERFLOWS[overflow])


def _said(module: Any, side: str) -> tuple[Any, Any, Any, str, str]:
    """Signs, integer and fraction bits, rounding and overflow of a quantiser."""
    quantiser = getattr(module, f"{side}_quantizer", None)
    if quantiser is None or (quantiser.use_hgq and not quantiser.quantizer.built):
        raise Refusal(f"it has no {side} quantiser yet; {CALL_IT}")
    if quantiser.use_hgq and any(getattr(quantiser.quantizer, word, None) is not None for word in ("scaler", "affine")):
        raise Refusal("its quantiser has a 'scaler' or an 'affine', which is not offered")
    rounding, overflow = str(quantiser.round_mode).upper().removeprefix(_STOCHASTIC), str(quantiser.overflow).upper()
    for word, known in ((rounding, _ROUNDINGS), (overflow, _OVERFLOWS)):
        if word not in known:
            raise Refusal(f"{shortened(word)} of its quantiser is not offered; {', '.join(known)} are")
    k, i, f = (value.detach().clone() for value in quantiser.get_quantization_bits())
    return k, i if quantiser.use_hgq else i.maximum(-f), f, rounding, overflow


@cache
def _operators() -> tuple[Any, Any]:
    """The cast and the table."""
    import torch

    def cast(
        input: torch.Tensor,  # noqa: A002  (as PyTorch's own operators call it)
        k: torch.Tensor,
        i: torch.Tensor,
        f: torch.Tensor,
        rounding: str,
        overflow: str,
        part: str,
    ) -> torch.Tensor:
        return input.clone()

    def table(
        input: torch.Tensor,  # noqa: A002
        words: torch.Tensor,
        which: torch.Tensor,
        width: int,
        integer: int,
        signed: bool,
        part: str,
    ) -> torch.Tensor:
        return input.clone()

    values = dict.fromkeys(("input", "k", "i", "f", "words", "which", "return"), torch.Tensor)
    kinds = {**values, **dict.fromkeys(("rounding", "overflow", "part"), str), "width": int, "integer": int, "signed": bool}
    made = []
    for function in (cast, table):
        own = function.__annotations__
        function.__annotations__ = {name: kinds[name] for name in own}  # as classes, which the schema is inferred from
        operator = torch.library.custom_op(f"nn2hls::{function.__name__}", function, mutates_args=())
        operator.register_fake(lambda input, *_: torch.empty_like(input))  # noqa: A006
        made.append(operator)
    return made[0], made[1]


def _lower_cast(c: Lowering, a: Args) -> Value:
    """Each element in its type; none of its bits left makes it zero. What a mask hides is as low as its type goes."""
    x, part = a.tensor("input"), str(a.get("part"))
    k, i, f = (c.without_batch(_whole(np.asarray(a.const(name)), name), x.rank) for name in "kif")
    if not np.isin(k, (0, 1)).all():
        raise Refusal("its quantiser has signs other than 0 and 1")
    rounding, overflow = _ROUNDINGS[str(a.get("rounding"))], _OVERFLOWS[str(a.get("overflow"))]
    if k.ndim:
        plain(x)
    return tables.cast(c.step(part), x, Types(k, i, f, rounding, overflow))


def _lower_table(c: Lowering, a: Args) -> Value:
    """What the table of each element has for it."""
    x, part = a.tensor("input"), str(a.get("part"))
    words, which = np.asarray(a.const("words"), np.float64), np.asarray(a.const("which"))
    if which.ndim:
        plain(x)
    width, integer = a.whole("width"), a.whole("integer")
    if not (0 < width <= tables.MAX_ADDRESS and abs(integer) <= 2 * quantised.MAX_WIDTH and np.isfinite(words).all()):
        raise Refusal(f"its table of {shortened(width)} bits is none that was made here; give nn2hls.load the module itself")
    kind = FixedType(width, integer, bool(a.get("signed")), Rounding.TRN, Overflow.SAT)
    return quantised.table(c.step(part), x, kind, words, c.without_batch(which, x.rank).astype(np.int64))


def _whole(found: np.ndarray, name: str) -> np.ndarray:
    found = np.asarray(found, np.float64)
    if not (np.isfinite(found) & (found == np.rint(found)) & (np.abs(found) <= quantised.MAX_WIDTH)).all():
        raise Refusal(f"'{name}' of its quantiser is no whole number up to {quantised.MAX_WIDTH}; train it again")
    return found.astype(np.int64)


LOWERED: Mapping[str, Callable[[Lowering, Args], Value]] = {
    "torch.ops.nn2hls.cast.default": _lower_cast,
    "torch.ops.nn2hls.table.default": _lower_table,
}
