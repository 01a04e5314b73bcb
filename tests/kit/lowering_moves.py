"""Cases of the closed set of lowerings: what takes, repeats, pads or leaves out elements, and what sums them up."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kit.lowerings import Case, draw, node

TRIANGLE = np.tril(np.ones((4, 4), dtype=bool))


def _torch() -> Any:
    import torch

    return torch


def _keras() -> Any:
    import keras

    return keras


def _nn() -> Any:
    return _torch().nn.functional


def _ints(**arrays: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(values, np.int64) for name, values in arrays.items()}


def _reductions() -> dict[str, Case]:
    rows = {
        "sum": ("sum", "sum", "ReduceSum"),
        "mean": ("mean", "mean", "ReduceMean"),
        "max": ("max", "amax", "ReduceMax"),
        "min": ("min", "amin", "ReduceMin"),
        "prod": ("prod", "prod", "ReduceProd"),
    }
    found = {}
    for name, (keras, torch, onnx) in rows.items():
        axes = (1,) if name == "prod" else (1, 2)  # PyTorch multiplies along one axis at a time

        def of_torch(x, f=torch, a=axes):
            return getattr(_torch(), f)(x, a[0] if f == "prod" else a, keepdim=True)

        found[f"reduce {name}"] = Case(
            "reductions.reduce", (3, 2, 4),
            lambda x, f=keras, a=axes: getattr(_keras().ops, f)(x, axis=a, keepdims=True),
            of_torch, (node(onnx, "x a", keepdims=1),), _ints(a=axes),
        )  # fmt: skip
    return found


CASES: dict[str, Case] = {
    **_reductions(),
    "reduce no axes kept": Case(
        "reductions.reduce", (3, 4), lambda x: _keras().ops.mean(x, axis=-1), lambda x: x.mean(-1),
        (node("ReduceMean", "x a", keepdims=0),), _ints(a=[-1]),
    ),
    "variance": Case(
        "reductions.variance", (3, 4), lambda x: _keras().ops.var(x, axis=1, keepdims=True),
        lambda x: _torch().var(x, 1, correction=0, keepdim=True),
    ),
    "deviation": Case("reductions.variance", (3, 4), None, lambda x: _torch().std(x, 2)),
    "sum_of_squares": Case(
        "reductions.sum_of_squares", (3, 4), None, None, (node("ReduceSumSquare", "x a", keepdims=0),), _ints(a=[1])
    ),
    "vector_norm": Case(
        "reductions.vector_norm", (3, 4), lambda x: _keras().ops.norm(x, axis=2, ord=2),
        lambda x: _torch().linalg.vector_norm(x, 2, 2), (node("ReduceL2", "x a", keepdims=0),), _ints(a=[2]),
    ),
    "vector_norm 1": Case(
        "reductions.vector_norm", (3, 4), None, lambda x: _torch().linalg.vector_norm(x, 1, 2),
        (node("ReduceL1", "x a", keepdims=0),), _ints(a=[2]),
    ),
    "slice": Case(
        "moves.slice_", (5, 6), lambda x: x[:, :, 1:6:2], lambda x: x[:, :, 1:6:2],
        (node("Slice", "x s e a t"),), _ints(s=[0, 1], e=[2**63 - 1, 6], a=[1, 2], t=[1, 2]),
    ),
    "slice backwards": Case(
        "moves.slice_", (5,), lambda x: x[:, ::-1], None, (node("Slice", "x s e a t"),),
        _ints(s=[-1], e=[-(2**62)], a=[1], t=[-1]),
    ),
    "slice a number": Case(
        "moves.slice_", (5, 6), lambda x: x[:, 2], lambda x: x[:, 2], (node("Gather", "x i", axis=1),), _ints(i=2)
    ),
    "slice one more axis": Case("moves.slice_", (5, 6), lambda x: x[..., None, 1], None),
    "split": Case(
        "moves.split", (6, 4), lambda x: _keras().layers.Subtract()(_keras().ops.split(x, 2, axis=1)),
        lambda x: _torch().sub(*x.chunk(2, 1)), (node("Split", "x", "a b", axis=1, num_outputs=2), node("Sub", "a b")),
    ),
    "split sizes": Case(
        "moves.split", (6, 4), lambda x: _keras().ops.split(x, [1, 4], axis=1)[1],
        lambda x: x.split([1, 3, 2], 1)[1], (node("Split", "x s", "a y b", axis=1),), _ints(s=[1, 3, 2]),
    ),
    "split before the batch": Case(
        "moves.split", (4, 6), None,
        lambda x: _torch().sub(*x.unflatten(2, (2, 3)).permute(2, 0, 1, 3).chunk(2, 0)).squeeze(0),
        (node("Reshape", "x r", "a"), node("Transpose", "a", "t", perm=[2, 0, 1, 3]),
         node("Split", "t", "u v", axis=0, num_outputs=2), node("Sub", "u v", "d"), node("Squeeze", "d z")),
        _ints(r=[0, 0, 2, 3], z=[0]),
    ),
    "unstack before the batch": Case(
        "moves.unstack", (2, 4), None, lambda x: _torch().mul(*x.permute(1, 0, 2).unbind(0))
    ),
    "take before the batch": Case(
        "moves.take", (5, 4), None,
        lambda x: x.permute(2, 0, 1).index_select(0, _torch().tensor([3, 0, 0])).permute(1, 2, 0),
        (node("Transpose", "x", "t", perm=[2, 0, 1]), node("Gather", "t i", "g", axis=0),
         node("Transpose", "g", "y", perm=[1, 2, 0])), _ints(i=[3, 0, -4]),
    ),
    "gather before the batch": Case(
        "moves.gather", (5, 4), None, lambda x: x.permute(1, 2, 0)[[3, 0, 1], [1, 2, 0]].permute(1, 0),
        (node("Transpose", "x", "t", perm=[1, 2, 0]), node("GatherND", "t i", "g"), node("Transpose", "g", "y", perm=[1, 0])),
        _ints(i=[[3, 1], [0, 2], [1, 0]]),
    ),
    "unstack": Case(
        "moves.unstack", (2, 4), lambda x: _keras().layers.Multiply()(_keras().ops.unstack(x, axis=1)),
        lambda x: _torch().mul(*x.unbind(1)),
    ),
    "take": Case(
        "moves.take", (5, 4), lambda x: _keras().ops.take(x, [3, 0, 0], axis=1),
        lambda x: x.index_select(1, _torch().tensor([3, 0, 0])), (node("Gather", "x i", axis=1),), _ints(i=[3, 0, -5]),
    ),
    "gather": Case("moves.gather", (5, 4), None, lambda x: x[:, [3, 0], [1, 2]]),
    "take_along": Case(
        "moves.take_along", (3, 4), None, lambda x: x.gather(2, _torch().tensor([[[3, 0], [1, 1], [2, 0]]]).expand(2, 3, 2)),
        (node("GatherElements", "x i", axis=2),), _ints(i=[[[3, 0], [1, 1], [2, 0]]]), cannot_run=("torch", "onnx"),
    ),
    "pad": Case(
        "moves.pad", (3, 4), lambda x: _keras().ops.pad(x, [[0, 0], [1, 2], [0, 1]]), lambda x: _nn().pad(x, (0, 1, 1, 2)),
        (node("Pad", "x p"),), _ints(p=[0, 1, 0, 0, 2, 1]),
    ),
    "pad layer": Case(
        "moves.pad", (3, 4, 2), lambda x: _keras().layers.ZeroPadding2D(((1, 2), (0, 1)))(x),
        lambda x: _nn().pad(x, (0, 0, 0, 1, 1, 2)),
    ),
    "pad a number": Case(
        "moves.pad", (3, 4), lambda x: _keras().ops.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=1.5),
        lambda x: _nn().pad(x, (0, 1, 1, 2), value=1.5), (node("Pad", "x p v"),),
        {**_ints(p=[0, 1, 0, 0, 2, 1]), "v": np.float32(1.5)},
    ),
    "pad reflect": Case(
        "moves.pad", (3, 4), lambda x: _keras().ops.pad(x, [[0, 0], [0, 0], [2, 1]], mode="reflect"),
        lambda x: _nn().pad(x, (2, 1), mode="reflect"), (node("Pad", "x p", mode="reflect"),), _ints(p=[0, 0, 2, 0, 0, 1]),
    ),
    "pad edge": Case(
        "moves.pad", (3, 4), None, lambda x: _nn().pad(x, (2, 1), mode="replicate"), (node("Pad", "x p", mode="edge"),),
        _ints(p=[0, 0, 2, 0, 0, 1]),
    ),
    "crop": Case(
        "moves.pad", (5, 6, 2), lambda x: _keras().layers.Cropping2D(((1, 2), (0, 1)))(x),
        lambda x: _nn().pad(x, (0, 0, 0, -1, -1, -2)),
    ),
    "flip": Case("moves.flip", (3, 4), lambda x: _keras().ops.flip(x, axis=2), lambda x: x.flip(2)),
    "roll": Case("moves.roll", (3, 4), lambda x: _keras().ops.roll(x, 1, axis=2), lambda x: x.roll(1, 2)),
    "repeat": Case(
        "moves.repeat", (3, 4), lambda x: _keras().ops.repeat(x, 2, axis=1), lambda x: x.repeat_interleave(2, 1)
    ),
    "tile": Case(
        "moves.tile", (3, 4), lambda x: _keras().ops.tile(x, [1, 2, 3]), lambda x: x.repeat(1, 2, 3),
        (node("Tile", "x r"),), _ints(r=[1, 2, 3]),
    ),
    "expand": Case(
        "moves.expand", (1, 4), lambda x: _keras().ops.broadcast_to(x, (1, 3, 4)), lambda x: x.expand(-1, 3, -1),
        (node("Expand", "x s"),), _ints(s=[1, 3, 1]), cannot_run=("keras",),
    ),
    "repeat_vector": Case("moves.expand", (4,), lambda x: _keras().layers.RepeatVector(3)(x)),
    "upsample": Case(
        "moves.upsample", (4, 3, 2), lambda x: _keras().layers.UpSampling2D((2, 3), data_format="channels_first")(x),
        cannot_run=("keras",),
    ),
    "nearest": Case(
        "moves.nearest", (4, 3, 2), None, lambda x: _nn().interpolate(x, size=(7, 4)),
        (
            node("Resize", "x  n n s".replace("  ", " "), coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        ),
        {"n": np.zeros(0, np.float32), **_ints(s=[1, 4, 7, 4])}, cannot_run=("onnx",),
    ),
    "depth_to_space": Case(
        "moves.depth_to_space", (8, 3, 2), None, lambda x: _nn().pixel_shuffle(x, 2),
        (node("DepthToSpace", blocksize=2, mode="CRD"),),
    ),
    "depth_to_space DCR": Case(
        "moves.depth_to_space", (8, 3, 2), None, None, (node("DepthToSpace", blocksize=2, mode="DCR"),)
    ),
    "space_to_depth": Case("moves.space_to_depth", (2, 4, 6), None, lambda x: _nn().pixel_unshuffle(x, 2)),
    "space_to_depth DCR": Case("moves.space_to_depth", (2, 4, 6), None, None, (node("SpaceToDepth", blocksize=2),)),
    "where": Case(
        "moves.where", (4, 4), lambda x: _keras().ops.where(TRIANGLE[None], x, 1.5),
        lambda x: _torch().where(_torch().tensor(TRIANGLE), x, 1.5), (node("Where", "m x v"),),
        {"m": TRIANGLE, "v": np.float32(1.5)},
    ),
    "where triangle": Case(
        "moves.where", (4, 4), lambda x: _keras().ops.tril(x), lambda x: x.tril(), (node("Trilu", upper=0),)
    ),
    "masked": Case(
        "moves.where", (4, 4), None, lambda x: x.masked_fill(_torch().tensor(TRIANGLE), 0.0),
        (node("Where", "m v x"),), {"m": TRIANGLE, "v": np.float32(0)},
    ),
    "dense of a slice": Case("linear.matmul", (3, 4), None, lambda x: x[:, 1:] @ _torch().tensor(draw(4, 2))),
}  # fmt: skip
