"""Einstein's sums: of a tensor and a constant, or of two tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nn2hls.converters.lower import linear
from nn2hls.converters.lower.layout import meeting
from nn2hls.converters.lower.linear import dense
from nn2hls.converters.lower.reductions import reduce
from nn2hls.converters.lower.shape import reshape, transpose
from nn2hls.converters.lower.value import Operand, Refusal, Site, Tensor, limited_weights, plain, trimmed
from nn2hls.ops import MatMul, Reduction


@dataclass(frozen=True)
class Equation:
    """The letters of the operands and of the result; the first of each tensor is the batch."""

    operands: tuple[str, ...]
    result: str

    @classmethod
    def read(cls, text: str, shapes: Sequence[tuple[int, ...]]) -> Equation:
        """An equation such as ``bij,bjk->bik``; ``...`` becomes letters, a missing result is what stands once, sorted.

        Args:
            text: As NumPy reads it.
            shapes: Of the operands, the batch as an axis.

        Raises:
            Refusal: It does not fit the operands, or repeats a letter in one of them (a diagonal).
        """
        left, arrow, right = text.replace(" ", "").partition("->")
        parts = left.split(",")
        spare = [c for c in "zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in text]
        if len(parts) != len(shapes):
            raise Refusal(f"its equation '{text:.80}' has {len(parts)} operands and gets {len(shapes)}")
        dots = max((len(s) - len(p) + 3 for p, s in zip(parts, shapes, strict=True) if "..." in p), default=0)
        names = "".join(spare[:dots])
        full = []
        for part, shape in zip(parts, shapes, strict=True):
            missing = len(shape) - len(part.replace("...", ""))
            word = part.replace("...", names[dots - missing :] if "..." in part and missing >= 0 else "")
            if len(word) != len(shape) or not word.isalpha() or len(set(word)) < len(word):
                raise Refusal(f"its equation '{text:.80}' does not fit an operand of {shape}, or takes a diagonal")
            full.append(word)
        if not arrow:
            every = "".join(full)
            right = names + "".join(sorted(c for c in set(every) if every.count(c) == 1 and c not in names))
        result = right.replace("...", names)
        if not set(result) <= set("".join(full)) or len(set(result)) < len(result):
            raise Refusal(f"its equation '{text:.80}' has a result that does not follow from its operands")
        return cls(tuple(full), result)


def einsum_constant(site: Site, equation: Equation, x: Tensor, weight: np.ndarray, bias: np.ndarray | None = None) -> Tensor:
    """A tensor, the first operand of the equation, and a constant: one Dense layer, over letters of both as blocks.

    ``bias`` broadcasts to the result; it may not change along letters that only the tensor has.
    """
    first, second = equation.operands
    batch, letters = first[0], first[1:]
    if equation.result[:1] != batch or batch in second:
        raise Refusal("the batch must be the first letter of the tensor and of the result, and not one of the constant")
    sizes = _sizes((letters, plain(x)), (second, weight.shape))
    out = equation.result[1:]
    alone = [k for k, c in enumerate(letters) if c not in second and c not in out]
    x = reduce(site.step("sum"), x, Reduction.SUM, alone)
    letters = "".join(c for c in letters if c in second or c in out)
    weight = weight.sum(axis=tuple(k for k, c in enumerate(second) if c not in letters and c not in out))
    second = "".join(c for c in second if c in letters or c in out)
    free = [c for c in letters if c not in second]
    blocks = [c for c in letters if c in second and c in out]
    summed = [c for c in letters if c in second and c not in out]
    new = [c for c in second if c not in letters]
    order = [letters.index(c) for c in (*free, *blocks, *summed)]
    flat = transpose(site.step("transposed"), x, order)
    flat = reshape(site.step("flat"), flat, (*(sizes[c] for c in free), math.prod(sizes[c] for c in (*blocks, *summed))))
    arranged = np.transpose(weight, [second.index(c) for c in (*blocks, *summed, *new)])
    matrix = _diagonal(arranged.reshape([math.prod(sizes[c] for c in part) for part in (blocks, summed, new)]))
    given = [*free, *blocks, *new]
    same = given == list(out)
    whole = same and len(blocks) + len(new) == 1
    offset = None if bias is None else _offset(bias, out, free, [*blocks, *new], sizes)
    product = dense(site if whole else site.step("product"), flat, matrix, offset)
    split = reshape(site if same else site.step("split"), product, tuple(sizes[c] for c in given))
    return transpose(site, split, [given.index(c) for c in out])


def _sizes(*operands: tuple[str, Sequence[int]]) -> dict[str, int]:
    """How many elements each letter stands for."""
    sizes: dict[str, int] = {}
    for word, shape in operands:
        for letter, n in zip(word, shape, strict=True):
            if sizes.setdefault(letter, n) != n:
                raise Refusal(f"its letter '{letter}' stands for {sizes[letter]} and for {n} elements")
    return sizes


def _diagonal(blocks: np.ndarray) -> np.ndarray:
    """Matrices (b, s, n) as one (b * s, b * n) with zeros between them."""
    b, s, n = blocks.shape
    limited_weights([b * s, b * n])
    matrix = np.zeros((b, s, b, n))
    matrix[np.arange(b), :, np.arange(b), :] = blocks
    return matrix.reshape(b * s, b * n)


def _offset(bias: np.ndarray, out: str, free: Sequence[str], own: Sequence[str], sizes: dict[str, int]) -> np.ndarray:
    """The bias as a vector over the letters ``own``."""
    full = bias.reshape((1,) * (len(out) - bias.ndim) + bias.shape)
    if bias.ndim > len(out) or any(full.shape[k] != 1 for k, c in enumerate(out) if c in free):
        raise Refusal(f"its bias of shape {bias.shape} changes along an axis that its weights do not see")
    spread = np.broadcast_to(full, [1 if c in free else sizes[c] for c in out])
    first = spread[tuple(0 if c in free else slice(None) for c in out)]
    rest = [c for c in out if c not in free]
    return np.transpose(first, [rest.index(c) for c in own]).reshape(-1)


def einsum(site: Site, equation: Equation, x: Tensor, y: Tensor) -> Tensor:
    """Two tensors: a product of matrices for each of the letters that both and the result have."""
    batch, (one, other) = equation.result[:1], (word[1:] for word in equation.operands)
    if not batch or any(word[:1] != batch for word in equation.operands):
        raise Refusal("the batch must be the first letter of both tensors and of the result")
    sizes = _sizes((one, plain(x)), (other, plain(y)))
    out = equation.result[1:]
    x, one = _without(site.step("left"), x, one, other + out)
    y, other = _without(site.step("right"), y, other, one + out)
    lead = [c for c in out if c in one and c in other]
    summed = [c for c in one if c in other and c not in out]
    rows, columns = [c for c in out if c in one and c not in other], [c for c in out if c in other and c not in one]
    left = _matrix(site.step("left"), x, one, (lead, rows, summed), sizes)
    right = _matrix(site.step("right"), y, other, (lead, summed, columns), sizes)
    given = [*lead, *rows, *columns]
    same, whole = given == list(out), len(rows) == 1 and len(columns) == 1
    product = matmul_tensors(site if same and whole else site.step("product"), left, right)
    split = reshape(site if same else site.step("split"), product, tuple(sizes[c] for c in given))
    return transpose(site, split, [given.index(c) for c in out])


def _without(site: Site, x: Tensor, letters: str, read: str) -> tuple[Tensor, str]:
    """Summed over the letters that nothing else reads."""
    alone = [k for k, c in enumerate(letters) if c not in read]
    return reduce(site.step("sum"), x, Reduction.SUM, alone), "".join(c for c in letters if c in read)


def _matrix(site: Site, x: Tensor, letters: str, groups: tuple[list[str], ...], sizes: dict[str, int]) -> Tensor:
    """x as (*lead, rows, columns)."""
    lead, rows, columns = groups
    turned = transpose(site.step("transposed"), x, [letters.index(c) for c in (*lead, *rows, *columns)])
    flat = (math.prod(sizes[c] for c in rows), math.prod(sizes[c] for c in columns))
    return reshape(site.step("flat"), turned, (*(sizes[c] for c in lead), *flat))


def matmul(site: Site, x: Operand, y: Operand) -> Tensor:
    """x @ y over the last two axes, the others broadcast; one may be a constant for every event, or a vector on the right."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return matmul_tensors(site, x, y)
    tensor, array = (x, y) if isinstance(x, Tensor) else (y, x)
    if not isinstance(tensor, Tensor) or isinstance(array, Tensor):
        raise Refusal("neither of its operands depends on the input")
    array = np.asarray(array, np.float64)
    array = array if array.ndim < 3 else trimmed(array) if math.prod(array.shape[:-2]) == 1 else array
    if array.ndim < 3:
        return linear.matmul(site, tensor, array) if isinstance(x, Tensor) else linear.matmul_left(site, array, tensor)
    lead, names = array.ndim - 2, "abcdefgh"[: len(plain(tensor)) - 2]
    before = zip(array.shape[-3::-1], tensor.shape[-3::-1], strict=False)
    if array.ndim > len(tensor.shape) or any(n not in (1, m) for n, m in before):
        raise Refusal(f"its constant of shape {array.shape} does not fit a tensor of {tensor.shape}")
    kept = [k for k in range(lead) if array.shape[k] != 1]
    inner = "".join(names[len(names) - lead + k] for k in kept)
    array = array.reshape([array.shape[k] for k in (*kept, lead, lead + 1)])
    ends = ("xy", "yz", "xz") if isinstance(x, Tensor) else ("yz", "xy", "xz")
    equation = Equation((f"Z{names}{ends[0]}", f"{inner}{ends[1]}"), f"Z{names}{ends[2]}")
    return einsum_constant(site, equation, tensor, array)


def matmul_tensors(site: Site, x: Tensor, y: Tensor) -> Tensor:
    """x @ y over the last two axes of both; the others broadcast."""
    x, y = meeting(site, (x, y))
    batches = {(v.rank, v.place, v.before, v.joined) for v in (x, y)}
    if len(batches) > 1 or min(len(x.free), len(y.free)) < 2:
        raise Refusal(
            f"a product of tensors of the ranks {x.rank} and {y.rank} is not one for each event; unsqueeze one of them"
        )
    return site.emit(MatMul(), x, y)


def dot(site: Site, x: Tensor, y: Tensor, axes: tuple[int, int]) -> Tensor:
    """Products summed over an axis of each; what is left of x stands before what is left of y."""
    names = "abcdefghijklmnopqrstuvwxyz"
    one = names[: len(plain(x))]
    other = "".join(one[axes[0]] if k == axes[1] else names[len(one) + k] for k in range(len(plain(y))))
    summed = one[axes[0]]
    out = (one + other).replace(summed, "")
    result = einsum(site if out else site.step("sum"), Equation((f"Z{one}", f"Z{other}"), f"Z{out}"), x, y)
    return result if out else reshape(site, result, (1,))
