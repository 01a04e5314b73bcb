"""Types of a quantiser, its cast, and functions behind it as tables: a word for every value that it can give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nn2hls.arith.fixed import FixedType, Overflow, Rounding
from nn2hls.arith.grid import Grid
from nn2hls.converters.lower import float32, moves, quantised
from nn2hls.converters.lower.value import Refusal, Site, Tensor, limited_weights

_HIGHEST = 1e8  # far below what a mask adds, so that a score behind it saturates
MAX_ADDRESS = 16  # bits of what a table may be asked
PLAIN_ADDRESS = 12  # of one that takes the place of a function that a design has without it
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Types:
    """The types of a quantiser.

    Args:
        k, i, f: Signs, integer bits without the sign, and fraction bits, of one shape: of each element, or a number for all.
        rounding, overflow: The modes.
    """

    k: np.ndarray
    i: np.ndarray
    f: np.ndarray
    rounding: Rounding
    overflow: Overflow

    @property
    def width(self) -> np.ndarray:
        """All bits; none where nothing is left."""
        return np.asarray(np.maximum(self.k + self.i + self.f, 0))

    @property
    def hull(self) -> FixedType:
        """The one type that holds all of its values, whatever its width."""
        return Grid(self.width, self.k + self.i, self.k, self.rounding, self.overflow).hull

    @property
    def address(self) -> FixedType:
        """What every value that it gives is a number of.

        Raises:
            Refusal: It has more bits than a table is asked.
        """
        hull = self.hull
        if hull.width > MAX_ADDRESS:
            raise Refusal(
                f"its table is asked {hull.width} bits; up to {MAX_ADDRESS} are offered, which its quantisers may have"
            )
        return hull.with_modes(Rounding.TRN, Overflow.SAT)


def cast(site: Site, x: Tensor, kinds: Types) -> Tensor:
    """x with each element in its type, whose arrays broadcast to it; what a mask hides is as low as its type goes."""
    hidden, x = x.hidden, replace(x, hidden=None)
    arrays = (kinds.width, kinds.k + kinds.i, kinds.k)
    result = quantised.quantize_each(site, x, *arrays, kinds.rounding, kinds.overflow)
    if hidden is None:
        return result
    top = np.where(kinds.width > 0, np.exp2(kinds.i.astype(np.float64)), 0.0)
    if kinds.overflow is Overflow.WRAP or top.max(initial=0) > _HIGHEST:
        raise Refusal(
            "a mask of minus infinity before a quantiser that wraps, or has so many bits, leaves no number; hide the keys of "
            "places by 'key_padding_mask', or let it saturate"
        )
    step = np.exp2(-kinds.f.astype(np.float64)) if kinds.overflow is Overflow.SAT_SYM else 0.0
    low = np.where(kinds.width > 0, -kinds.k * (top - step), 0.0)
    return moves.where(site.step("masked"), hidden, np.broadcast_to(low, x.shape), result)


def words(function: Function, kind: FixedType, behind: Types) -> tuple[np.ndarray, np.ndarray]:
    """A table for each of the types behind a function of float32, and which one each element has, in the shape of these.

    Args:
        function: Of the addresses, the values of ``kind`` in ascending order.
        kind: The address.
        behind: What its results are cast to.

    Raises:
        Refusal: It is not finite everywhere, and what it gives wraps.
    """
    addresses = np.arange(kind.min_mantissa, kind.max_mantissa + 1)
    with np.errstate(all="ignore"):
        values = np.asarray(function(np.ldexp(addresses, -kind.fraction).astype(np.float32)), np.float32)
    rows = np.stack([a.reshape(-1) for a in (behind.k, behind.i, behind.f)], axis=1)
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    limited_weights([len(distinct), len(addresses)])
    with np.errstate(all="ignore"):
        found = np.array([float32.cast(values, k, i, f, behind.rounding, behind.overflow) for k, i, f in distinct], np.float64)
    if not np.isfinite(found).all():
        raise Refusal("its function is not finite for every value that enters, and its quantiser wraps; let it saturate")
    return found, np.asarray(which).reshape(behind.k.shape)
