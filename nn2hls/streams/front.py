"""What a layer gathers from the tokens that come in, before each firing of its core.

A firing reads elements of tokens that came some time ago. Where every element has one age at all firings, as in the window of
a convolution, the tokens pass through a chain of delays, whose taps stand at these ages; places outside of the image are
masked. Anything else is collected first and read by address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

EMPTY = -1


@dataclass(frozen=True)
class Source:
    """A stream that a layer reads.

    Args:
        value: The node whose result it is.
        tokens: Of one event.
        size: Elements of a token, which follow each other in the flat tensor.
        start: The step that takes its first token; each of the next steps takes one more, until all are there.
        held: It is one token, or all of its tokens are collected, and stays until the last firing.
    """

    value: str
    tokens: int
    size: int
    start: int
    held: bool

    @property
    def end(self) -> int:
        """The step after the one that takes its last token."""
        return self.start + self.tokens


@dataclass(frozen=True, eq=False)
class Front:
    """From tokens to what a core reads.

    In step s each source whose turn it is gives a token. After that, if s is in ``fires``, the core reads K elements. With an
    ``address`` element e of firing f is element ``address[f, e]`` of all tokens of all sources, counted through, and zero where
    that is EMPTY. Without, it is element ``element[e]`` of a token of source ``source[e]``: the one token of a source that is
    held, else the token that was taken ``delay[e]`` steps ago; and zero where ``absent[f, e]`` or source[e] is EMPTY.

    Args:
        sources: The streams.
        fires: (firings,): the steps, rising.
        source, element, delay: (K,): see above.
        absent: (firings, K) of bool, or None where nothing ever is.
        address: (firings, K): see above; None where ages do.
    """

    sources: tuple[Source, ...]
    fires: np.ndarray
    source: np.ndarray
    element: np.ndarray
    delay: np.ndarray
    absent: np.ndarray | None = None
    address: np.ndarray | None = None

    @property
    def firings(self) -> int:
        """Of one event."""
        return len(self.fires)

    @property
    def size(self) -> int:
        """Elements that the core reads at each firing."""
        return len(self.source)

    @property
    def steps(self) -> int:
        """From the first token taken to the last firing, and until every token is taken."""
        return max([int(self.fires[-1]) + 1, *(s.end for s in self.sources)])

    @cached_property
    def taps(self) -> Mapping[int, np.ndarray]:
        """For each source that is not held the ages that are read, rising."""
        if self.address is not None:
            return {}
        chains = [k for k, s in enumerate(self.sources) if not s.held]
        return {k: np.unique(self.delay[self.source == k]) for k in chains}

    def gather(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The witness: what the core reads, (events, firings, K), from the flat values (events, elements) of each node."""
        events = len(next(iter(values.values()))) if values else 1
        found = np.zeros((events, self.firings, self.size), dtype=object)
        if self.address is not None:
            flat = np.concatenate([values[s.value] for s in self.sources], axis=1)
            return np.where(self.address < 0, 0, flat[:, np.maximum(self.address, 0)])
        for k, source in enumerate(self.sources):
            own = np.flatnonzero(self.source == k)
            tokens = values[source.value].reshape(events, source.tokens, source.size)
            number = np.zeros((self.firings, own.size), dtype=np.int64)
            if not source.held:
                number = self.fires[:, None] - source.start - self.delay[own]
            there = (number >= 0) & (number < source.tokens)
            found[:, :, own] = np.where(there, tokens[:, np.where(there, number, 0), self.element[own]], 0)
        return found if self.absent is None else np.where(self.absent, 0, found)


def front(index: np.ndarray, streams: Sequence[tuple[str, int, int]]) -> Front:
    """How a core's operands come about.

    Args:
        index: (firings, K): for each firing the numbers of the elements that it reads, those of all streams counted through;
            EMPTY where it reads zero.
        streams: (node, tokens, elements of a token) of each, without a stream twice.
    """
    return _chained(index, streams) or _collected(index, streams)


def is_chained(index: np.ndarray, streams: Sequence[tuple[str, int, int]]) -> bool:
    """Whether :func:`front` needs no address."""
    return _chained(index, streams) is not None


@dataclass(frozen=True, eq=False)
class _Places:
    """An index taken apart: for each firing and element the stream, the token and the element in it; -1 where empty."""

    stream: np.ndarray
    token: np.ndarray
    element: np.ndarray
    valid: np.ndarray


def _places(index: np.ndarray, streams: Sequence[tuple[str, int, int]]) -> _Places:
    starts = np.cumsum([0, *(tokens * size for _, tokens, size in streams)])
    valid = index >= 0
    stream = np.where(valid, np.searchsorted(starts, index, side="right") - 1, EMPTY)
    sizes = np.array([size for *_, size in streams])
    inside = index - starts[np.maximum(stream, 0)]
    token, element = np.divmod(inside, sizes[np.maximum(stream, 0)])
    return _Places(stream, np.where(valid, token, EMPTY), np.where(valid, element, EMPTY), valid)


def _constant_columns(values: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """The one value of each column, -1 where nothing is valid; None if some column has several."""
    first = np.take_along_axis(values, valid.argmax(axis=0)[None], axis=0)[0]
    return None if np.any(valid & (values != first)) else np.where(valid.any(axis=0), first, EMPTY)


def _chained(index: np.ndarray, streams: Sequence[tuple[str, int, int]]) -> Front | None:
    """With chains; streams whose one token is read at several firings are held."""
    places = _places(index, streams)
    stream, element = (_constant_columns(a, places.valid) for a in (places.stream, places.element))
    if stream is None or element is None:
        return None
    held = [tokens == 1 and len(index) > 1 for _, tokens, _ in streams]
    moving = places.valid & ~np.append(held, False)[stream]
    times = _firing_times(np.where(moving, places.token, EMPTY))
    if times is None:
        return None
    delays = np.where(moving, times[:, None] - places.token, 0)
    delay = np.take_along_axis(delays, moving.argmax(axis=0)[None], axis=0)[0]
    starts = [
        0 if held[k] else int(delay[(stream == k) & moving.any(axis=0)].min(initial=np.iinfo(np.int64).max))
        for k in range(len(streams))
    ]
    starts = [int(times[0]) if s == np.iinfo(np.int64).max else s for s in starts]  # of a stream that nobody reads
    first = min([int(times[0]), *(s for s, h in zip(starts, held, strict=True) if not h)])
    starts = [s if h else s - first for s, h in zip(starts, held, strict=True)]
    sources = tuple(
        Source(name, tokens, size, start, h) for (name, tokens, size), start, h in zip(streams, starts, held, strict=True)
    )
    delay = np.where(moving.any(axis=0), delay - first - np.append(starts, 0)[stream], 0)
    absent = ~places.valid & (stream >= 0)
    return Front(sources, times - first, stream, element, delay, absent if absent.any() else None)


def _firing_times(token: np.ndarray) -> np.ndarray | None:
    """Steps at which the firings come, so that each column's token has one age; None if there are none.

    Columns that move alike are one pattern. Firings are timed by the pattern that most of them have; others follow where two
    patterns meet. Patterns that never meet, such as the halves of a concatenation, follow each other.
    """
    patterns = {column.tobytes(): column for column in np.ascontiguousarray(token.T)}
    columns = sorted((c for c in patterns.values() if (c >= 0).any()), key=lambda c: -int((c >= 0).sum()))
    unknown = np.iinfo(np.int64).min
    times = np.full(len(token), unknown)
    while columns:
        known = times > unknown
        met = next((k for k, c in enumerate(columns) if np.any(known & (c >= 0))), None)
        column = columns.pop(0 if met is None else met)
        valid = column >= 0
        if met is None:
            shift = _after(times, column, unknown)
        else:
            ages = (times - column)[known & valid]
            shift = int(ages[0])
            if np.any(ages != shift):
                return None
        times = np.where(valid, column + shift, times)
    times = _filled(times, unknown)
    return times if np.all(np.diff(times) > 0) else None


def _after(times: np.ndarray, column: np.ndarray, unknown: int) -> int:
    """How a pattern that meets no other is shifted: to follow the firings before it."""
    first = int(np.argmax(column >= 0))
    before = np.flatnonzero(times[:first] > unknown)
    start = int(times[before[-1]]) + first - int(before[-1]) if before.size else 0
    return start - int(column[first])


def _filled(times: np.ndarray, unknown: int) -> np.ndarray:
    """Firings that read nothing come as soon as the one before them, those at the beginning right before the first."""
    known = np.flatnonzero(times > unknown)
    if not known.size:
        return np.arange(len(times))
    numbers = np.arange(len(times))
    last = known[np.maximum(np.searchsorted(known, numbers, side="right") - 1, 0)]
    return np.asarray(times[last] + numbers - last)


def _collected(index: np.ndarray, streams: Sequence[tuple[str, int, int]]) -> Front:
    """All tokens of all streams first, then the firings, one a step."""
    sources = tuple(Source(name, tokens, size, 0, True) for name, tokens, size in streams)
    fires = np.arange(len(index)) + max(tokens for _, tokens, _ in streams) - 1
    unread = np.full(index.shape[1], EMPTY)
    return Front(sources, fires, unread, unread, np.zeros_like(unread), address=index)
