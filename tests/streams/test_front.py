"""What a core gathers is what its index says, for windows, joins, and anything else."""

import numpy as np
import pytest

from nn2hls.ops.places import patches
from nn2hls.streams.front import EMPTY, Front, front

RNG = np.random.default_rng(11)


def gathered(index, streams, values):
    """Plainly: element by element."""
    flat = [v for name, *_ in streams for v in values[name]]
    return [[0 if n == EMPTY else flat[n] for n in row] for row in index.tolist()]


def checked(index, streams) -> Front:
    index = np.asarray(index)
    made = front(index, streams)
    values = {name: RNG.integers(1, 1000, tokens * size).astype(object) for name, tokens, size in streams}
    found = made.gather({name: v[None] for name, v in values.items()})[0]
    assert found.tolist() == gathered(index, streams, values)
    fires = made.fires
    assert np.all(np.diff(fires) > 0)
    assert fires[0] >= 0
    assert made.steps > fires[-1]
    assert min(int(fires[0]), *(s.start for s in made.sources)) == 0
    for k, source in enumerate(made.sources):
        assert source.end <= made.steps
        if made.address is None and not source.held:  # a token is never read before it is taken
            own = made.source == k
            assert np.all(made.delay[own] >= 0)
    return made


def numbers(shape, start=0):
    return np.arange(int(np.prod(shape))).reshape(shape) + start


@pytest.mark.parametrize("seed", range(60))
def test_windows(seed):
    """Of any kernel, stride, dilation and padding, one token a position: a chain of delays, unless padding widens rows."""
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    space = rng.integers(4, 8, axes).tolist()
    kernel, stride, dilation = (rng.integers(1, 4, axes).tolist() for _ in range(3))
    pads = [tuple(rng.integers(0, 3, 2).tolist()) for _ in range(axes)]
    if any(n + a + b < (k - 1) * d + 1 for n, (a, b), k, d in zip(space, pads, kernel, dilation, strict=True)):
        return
    channels = int(rng.integers(1, 4))
    x = np.pad(numbers((*space, channels)), [*pads, (0, 0)], constant_values=EMPTY)
    seen = patches(x, tuple(kernel), tuple(stride), tuple(dilation))
    index = seen.reshape(int(np.prod(seen.shape[:axes])), -1)
    made = checked(index, [("x", int(np.prod(space)), channels)])
    spans = [(out - 1) * s + 1 for out, s in zip(seen.shape[:axes], stride, strict=True)]
    if spans[1:] <= space[1:] and dilation[1:] in ([], [1]):  # rows do not overlap
        assert made.address is None


@pytest.mark.parametrize("seed", range(20))
def test_joins(seed):
    """Of several streams along any axis, in any order."""
    rng = np.random.default_rng(seed)
    rank, axis = 3, int(rng.integers(0, 3))
    shape = rng.integers(1, 5, rank).tolist()
    parts, streams, start = [], [], 0
    for k in range(int(rng.integers(2, 4))):
        own = list(shape)
        own[axis] = int(rng.integers(1, 5))
        part = numbers(own, start)
        start += part.size
        parts.append(part[::-1] if rng.integers(4) == 0 else part)
        streams.append((f"x{k}", own[0] * own[1], own[2]))
    order = rng.permutation(len(parts))
    joined = np.concatenate([parts[k] for k in order], axis=axis)
    made = checked(joined.reshape(joined.shape[0] * joined.shape[1], -1), streams)
    if axis == 2 and all(p.reshape(-1)[0] < p.reshape(-1)[-1] or p.size == 1 for p in parts):
        assert made.address is None


MOVES = {
    "slice": lambda x: x[1:, ::2],
    "crop": lambda x: x[:-1, 1:-1],
    "flip": lambda x: x[::-1],
    "flip channels": lambda x: x[..., ::-1],
    "transpose": lambda x: x.transpose(1, 0, 2),
    "channels first": lambda x: x.transpose(2, 0, 1),
    "upsample": lambda x: x.repeat(2, axis=0).repeat(2, axis=1),
    "pad": lambda x: np.pad(x, [(1, 0), (0, 2), (0, 1)], constant_values=EMPTY),
    "nothing of it": lambda x: np.full_like(x, EMPTY),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name):
    moved = MOVES[name](numbers((4, 5, 2)))
    made = checked(moved.reshape(-1, moved.shape[-1]), [("x", 20, 2)])
    if name in ("slice", "crop", "flip channels", "nothing of it"):
        assert made.address is None


@pytest.mark.parametrize("seed", range(40))
def test_anything(seed):
    rng = np.random.default_rng(seed)
    streams = [(f"x{k}", int(rng.integers(1, 5)), int(rng.integers(1, 4))) for k in range(int(rng.integers(1, 4)))]
    total = sum(t * s for _, t, s in streams)
    checked(rng.integers(EMPTY, total, (int(rng.integers(1, 7)), int(rng.integers(1, 6)))), streams)


def test_one_token_for_all_firings_is_held():
    index = np.concatenate([numbers((4, 2)), np.broadcast_to(8 + np.arange(2), (4, 2))], axis=1)
    made = checked(index, [("x", 4, 2), ("y", 1, 2)])
    assert [s.held for s in made.sources] == [False, True]
    assert made.steps == 4
