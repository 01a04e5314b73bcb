"""Cases of the closed set of lowerings: products of matrices and Einstein's sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kit.lowerings import Case, constant, draw, node

EACH = draw(3, 4, 2)  # a matrix for each of three


def _torch() -> Any:
    import torch

    return torch


def _keras() -> Any:
    import keras

    return keras


def _both(equation: str, second: str = "x") -> Any:
    """The equation of a tensor and itself in all three."""
    return (
        lambda x: _keras().ops.einsum(equation, x, x),
        lambda x: _torch().einsum(equation, x, x),
        (node("Einsum", "x x", equation=equation),),
    )


def _with(equation: str, array: np.ndarray) -> Any:
    return (
        lambda x: _keras().ops.einsum(equation, x, array),
        lambda x: _torch().einsum(equation, x, _torch().tensor(array)),
        (node("Einsum", "x w", equation=equation),),
        {"w": array},
    )


def _turned(x: Any) -> Any:
    return x.transpose(1, 2)


CASES: dict[str, Case] = {
    "matmul of two": Case(
        "einsum.matmul_tensors", (3, 4), lambda x: _keras().ops.matmul(x, _keras().ops.transpose(x, (0, 2, 1))),
        lambda x: x @ _turned(x), (node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t")),
    ),
    "matmul of four axes": Case(
        "einsum.matmul_tensors", (2, 3, 3), lambda x: _keras().ops.matmul(x, x), lambda x: _torch().matmul(x, x),
        (node("MatMul", "x x"),),
    ),
    "bmm": Case("einsum.matmul_tensors", (3, 3), None, lambda x: _torch().bmm(x, x), (node("MatMul", "x x"),)),
    "baddbmm": Case("einsum.matmul_tensors", (3, 3), None, lambda x: _torch().baddbmm(x, x, x, beta=0.5, alpha=2)),
    "matmul": Case(
        "einsum.matmul", (3, 4), lambda x: _keras().ops.matmul(x, draw(4, 2)), lambda x: x @ _torch().tensor(draw(4, 2)),
        (node("MatMul", "x w"),), {"w": draw(4, 2)},
    ),
    "matmul on the left": Case(
        "einsum.matmul", (3, 4), lambda x: _keras().ops.matmul(draw(2, 3), x), lambda x: _torch().tensor(draw(2, 3)) @ x,
        (node("MatMul", "w x"),), {"w": draw(2, 3)},
    ),
    "matmul with a matrix for each": Case(
        "einsum.matmul", (3, 5, 4), lambda x: _keras().ops.matmul(x, EACH[None]), lambda x: x @ _torch().tensor(EACH),
        (node("MatMul", "x w"),), {"w": EACH},
    ),
    "contract of three": Case(
        "contract.contract", (3, 4), lambda x: _keras().ops.einsum("bij,jk,il->bkl", x, draw(4, 2), draw(3, 5)),
        lambda x: _torch().einsum("bij,jk,il->bkl", x, _torch().tensor(draw(4, 2)), _torch().tensor(draw(3, 5))),
        (node("Einsum", "x w v", equation="bij,jk,il->bkl"),), {"w": draw(4, 2), "v": draw(3, 5)},
    ),
    "contract of one": Case(
        "contract.contract", (3, 4, 2), lambda x: _keras().ops.einsum("bijk->bki", x),
        lambda x: _torch().einsum("bijk->bki", x), (node("Einsum", "x", equation="bijk->bki"),),
    ),
    "contract of constants first": Case(
        "contract.contract", (3, 4), lambda x: _keras().ops.einsum("jk,kl,bij->bil", draw(4, 2), draw(2, 5), x),
        lambda x: _torch().einsum("jk,kl,bij->bil", _torch().tensor(draw(4, 2)), _torch().tensor(draw(2, 5)), x),
        (node("Einsum", "w v x", equation="jk,kl,bij->bil"),), {"w": draw(4, 2), "v": draw(2, 5)},
    ),
    "tensordot": Case(
        "contract.tensordot", (3, 4), lambda x: _keras().ops.tensordot(x, EACH, axes=[[1, 2], [0, 1]]),
        lambda x: _torch().tensordot(x, _torch().tensor(EACH), dims=([1, 2], [0, 1])),
    ),
    "tensordot, the constant first": Case(
        "contract.tensordot", (3, 4), None,
        lambda x: _torch().tensordot(_torch().tensor(draw(5, 4)), x, dims=([1], [2])).permute(1, 2, 0),
    ),
    "inner": Case(
        "contract.tensordot", (3, 4), lambda x: _keras().ops.inner(x, draw(5, 4)),
        lambda x: _torch().inner(x, _torch().tensor(draw(5, 4))),
    ),
    "einsum": Case("einsum.einsum", (3, 4), *_both("bij,bkj->bik")),
    "einsum of outer": Case("einsum.einsum", (3, 4), *_both("bij,bik->bijk")),
    "einsum that sums": Case("einsum.einsum", (3, 4), *_both("bij,bkj->bk")),
    "einsum with dots": Case("einsum.einsum", (2, 3, 4), *_both("...ij,...kj->...ki")),
    "einsum_constant": Case("einsum.einsum_constant", (3, 4), *_with("bij,jk->bik", draw(4, 2))),
    "einsum_constant turned": Case("einsum.einsum_constant", (3, 4), *_with("bij,ik->bkj", draw(3, 2))),
    "einsum_constant of blocks": Case("einsum.einsum_constant", (5, 3, 4), *_with("bnij,ijk->bnik", EACH)),
    "einsum_constant over two": Case("einsum.einsum_constant", (3, 4), *_with("bij,ijk->bk", EACH)),
    "einsum_dense": Case(
        "einsum.einsum_constant", (3, 4),
        lambda x: _keras().layers.EinsumDense(
            "abc,cde->abde", (None, 2, 3), bias_axes="de", kernel_initializer=constant(draw(4, 2, 3)),
            bias_initializer=constant(draw(2, 3)),
        )(x),
    ),
    "einsum_dense turned": Case(
        "einsum.einsum_constant", (3, 4),
        lambda x: _keras().layers.EinsumDense(
            "abc,cde->abed", (None, 3, 2), bias_axes="ed", kernel_initializer=constant(draw(4, 2, 3)),
            bias_initializer=constant(draw(3, 2)),
        )(x),
    ),
    "dot": Case("einsum.dot", (3, 4), lambda x: _keras().layers.Dot((2, 2))([x, x]), lambda x: x @ _turned(x)),
    "dot of vectors": Case("einsum.dot", (4,), lambda x: _keras().layers.Dot(1)([x, x])),
}  # fmt: skip
