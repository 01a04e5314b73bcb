"""Patterns of types and ranges of whole numbers, as ``--precision`` and ``--reuse`` of scan and search take them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from nn2hls.arith.fixed import FixedType
from nn2hls.errors import ConfigError

MAX_POINTS = 20_000

_BRACES = re.compile(r"\{([^{}]*)\}")


def parse_precisions(spec: str | Iterable[str | FixedType]) -> list[FixedType]:
    """Types of a pattern: ``ap_fixed<{4..18},{2..7}>`` is every pair, ``{8,12,16}`` a choice, ``{4..18..2}`` every second.

    Patterns are apart by commas outside of brackets. Pairs without a single fraction bit left are dropped unless written out.

    Raises:
        ConfigError: A range or a type is malformed.
    """
    if not isinstance(spec, str):
        return list(dict.fromkeys(t if isinstance(t, FixedType) else FixedType.parse(t) for t in spec))
    found: list[FixedType] = []
    for part in _split(spec):
        choices = [_choice(inner) for inner in _BRACES.findall(part)]
        pieces = _BRACES.split(part)[::2]
        texts = ["".join(itertools.chain(*zip(pieces, (*pick, ""), strict=True))) for pick in itertools.product(*choices)]
        types = [FixedType.parse(t) for t in texts]
        found += [t for t in types if len(types) == 1 or t.fraction > 0 or "int<" in part]
    if spec.strip() and not found:
        raise ConfigError(f"No type in '{spec}' has a fraction bit.", fix="Let the widths be larger than the integer bits.")
    return list(dict.fromkeys(found))


def _split(spec: str) -> list[str]:
    """The parts between commas outside of <> and {}."""
    parts, depth = [""], 0
    for char in spec:
        depth += (char in "<{") - (char in ">}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [p.strip() for p in parts if p.strip()]


def _choice(inner: str) -> list[str]:
    return [str(n) for n in parse_reuses(inner, low=-64)]


def parse_reuses(spec: str | Iterable[int], low: int = 1) -> list[int]:
    """Whole numbers: ``1..6`` is 1 to 6, ``1..9..4`` is 1, 5, 9, and commas join.

    Raises:
        ConfigError: A range is malformed or empty, or holds a number below ``low``.
    """
    parts = spec.split(",") if isinstance(spec, str) else [str(n) for n in spec]
    found: list[int] = []
    for part in (p.strip() for p in parts if p.strip()):
        match = re.fullmatch(r"(-?\d{1,7})(?:\.\.(-?\d{1,7})(?:\.\.(\d{1,7}))?)?", part)
        if match is None:
            raise ConfigError(f"'{part}' is not a range of whole numbers.", fix="Write 4, 1..6 or 4..18..2.")
        first, step = int(match[1]), int(match[3] or 1)
        last = int(match[2]) if match[2] else first
        if step < 1 or last < first or first < low or (last - first) // step > MAX_POINTS:
            raise ConfigError(f"The range '{part}' is empty, too long, or goes below {low}.", fix="Write 4, 1..6 or 4..18..2.")
        found += range(first, last + 1, step)
    return list(dict.fromkeys(found))
