"""Sums of products over named axes of any number of operands, and those that frameworks name by their axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn2hls.converters.lower.einsum import Equation, einsum, einsum_constant
from nn2hls.converters.lower.layout import permute
from nn2hls.converters.lower.reductions import reduce
from nn2hls.converters.lower.shape import transpose
from nn2hls.converters.lower.value import Operand, Refusal, Site, Tensor, plain
from nn2hls.ops import Reduction


def contract(site: Site, text: str, operands: Sequence[Operand]) -> Tensor:
    """Einstein's sum by an equation such as ``bij,jk,kl->bil``, the first two operands first; some may be constants."""
    shapes = [(1, *plain(x)) if isinstance(x, Tensor) else np.shape(x) for x in operands]
    equation = Equation.read(text, shapes)
    values: list[Operand] = [x if isinstance(x, Tensor) else np.asarray(x, np.float64) for x in operands]
    words = list(equation.operands)
    while len(values) > 2:
        read = set("".join(words[2:])) | set(equation.result)
        kept = "".join(dict.fromkeys(c for c in words[0] + words[1] if c in read))
        x = _pair(site.step(f"product{len(values)}"), (words[0], words[1]), kept, values[0], values[1])
        words, values = [kept, *words[2:]], [x, *values[2:]]
    if len(values) == 2:
        found = _pair(site, (words[0], words[1]), equation.result, values[0], values[1])
    else:
        found = _alone(site, words[0], equation.result, values[0])
    if not isinstance(found, Tensor):
        raise Refusal("none of its operands depends on the input")
    return found


def _pair(site: Site, words: tuple[str, str], result: str, x: Operand, y: Operand) -> Operand:
    """Of two operands; the batch is the first letter of tensors."""
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        return np.asarray(np.einsum(f"{words[0]},{words[1]}->{result}", x, y))
    batch = next(word[:1] for word, v in zip(words, (x, y), strict=True) if isinstance(v, Tensor))
    if result[:1] != batch and batch in result:
        result = batch + result.replace(batch, "")  # only of a step: a result that has it elsewhere is refused before
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return einsum(site, Equation(words, result), x, y)
    if isinstance(x, Tensor):
        return einsum_constant(site, Equation(words, result), x, np.asarray(y, np.float64))
    assert isinstance(y, Tensor)
    return einsum_constant(site, Equation(words[::-1], result), y, np.asarray(x, np.float64))


def _alone(site: Site, letters: str, result: str, x: Operand) -> Operand:
    """Of one operand: sums over letters that the result does not have, and another order of the rest."""
    if not isinstance(x, Tensor):
        return np.asarray(np.einsum(f"{letters}->{result}", x))
    if result[:1] != letters[:1]:
        raise Refusal("the batch must be the first letter of the tensor and of the result")
    rest = [c for c in letters[1:] if c in result]
    gone = [k for k, c in enumerate(letters[1:]) if c not in result]
    order = [rest.index(c) for c in result[1:]]
    total = reduce(site.step("" if order == sorted(order) else "sum"), x, Reduction.SUM, gone)
    return transpose(site, total, order)


def tensordot(site: Site, x: Operand, y: Operand, axes: tuple[Sequence[int], Sequence[int]]) -> Tensor:
    """Products of a tensor and a constant summed over axes of each, which the framework counts, the batch included.

    The axes of x that are left stand before those of y, as NumPy has it, and so the batch may stand elsewhere than first.
    """
    if isinstance(x, Tensor) == isinstance(y, Tensor):
        raise Refusal("a product of two tensors has two batch axes; use matmul, or einsum with one letter for the batch")
    ranks = [v.rank if isinstance(v, Tensor) else np.ndim(v) for v in (x, y)]
    summed = [[k % rank for k in part if -rank <= k < rank] for part, rank in zip(axes, ranks, strict=True)]
    if any(len(a) != len(b) or len(set(a)) < len(b) for a, b in zip(summed, axes, strict=True)) or len(axes[0]) != len(axes[1]):
        raise Refusal(f"its axes {[list(a) for a in axes]} are not pairs of axes of its operands")
    if len(set("abcdefghijklmnopqrstuvwxyz")) < sum(ranks):
        raise Refusal(f"its operands have {sum(ranks)} axes, which are too many")
    names = iter("abcdefghijklmnopqrstuvwxyz")
    one = [next(names) for _ in range(ranks[0])]
    other = [one[summed[0][summed[1].index(k)]] if k in summed[1] else next(names) for k in range(ranks[1])]
    tensor, letters = (x, one) if isinstance(x, Tensor) else (y, other)
    assert isinstance(tensor, Tensor)
    plain(tensor)
    batch = letters[0]
    if batch in (other if letters is one else one):
        raise Refusal("it sums over the batch axis; each event must be computed for itself")
    result = [c for k, c in enumerate(one) if k not in summed[0]] + [c for k, c in enumerate(other) if k not in summed[1]]
    first = [batch, *(c for c in result if c != batch)]
    found = contract(site, f"{''.join(one)},{''.join(other)}->{''.join(first)}", (x, y))
    return permute(site, found, [first.index(c) for c in result])
