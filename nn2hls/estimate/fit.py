"""Whether a part holds a design, and what is too large to be written without being asked."""

from __future__ import annotations

from collections.abc import Mapping

from nn2hls.estimate.result import Estimate
from nn2hls.estimate.text import NAMES

MOST_OF_PART = 2.0  # times what the part has: beyond it no tool will make it fit
MOST_LINES = 50_000  # of C++: beyond them HLS tools take days, if they end
FIX = "`nn2hls plan CONFIG --fit` picks reuse factors that fit the part, if any do."
_CPP = (".cpp", ".h", ".hpp")


def shortages(result: Estimate) -> str:
    """What a part has too little of, and how much of it the design needs; empty when the part holds it."""
    need, have = result.synthesised.to_dict(), result.part.available
    short = [(NAMES[r], need[r], have[r], share) for r, share in result.utilisation.items() if share > 1]
    return ", ".join(f"{name} {share:.0%} ({n:,} of {m:,})" if m else f"{name} {n:,} of none" for name, n, m, share in short)


def does_not_fit(result: Estimate, plan: str = "") -> str:
    """Two sentences for people; empty when the part holds the design.

    Args:
        result: The estimate.
        plan: The command that picks reuse factors; without, its general form.
    """
    short = shortages(result)
    fix = f"{plan} picks reuse factors that fit, if any do." if plan else FIX
    return f"DOES NOT FIT {result.part.name}: {short}. {fix}" if short else ""


def beyond_part(result: Estimate) -> str:
    """What a design needs of a part that has not even half of it; empty when there is nothing."""
    if max(result.utilisation.values()) <= MOST_OF_PART:
        return ""
    return f"DOES NOT FIT {result.part.name}: {shortages(result)}. More than twice a part is not written unasked."


def beyond_lines(files: Mapping[str, str]) -> str:
    """How long the C++ of a project is when it is too long; else empty."""
    lines = sum(text.count("\n") for path, text in files.items() if path.endswith(_CPP))
    return (
        f"The C++ has {lines:,} lines, more than {MOST_LINES:,}, which HLS tools take days for." if lines > MOST_LINES else ""
    )
