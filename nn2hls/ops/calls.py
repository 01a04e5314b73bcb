"""Calls into the firmware library that several ops share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nn2hls.arith.fixed import FixedType
from nn2hls.arith.ranges import Range, width_of
from nn2hls.errors import LimitError
from nn2hls.hardware.code import Call, Rom


def period(shape: Sequence[int], full: Sequence[int]) -> tuple[int, int] | None:
    """How a flat index i of ``full`` reads an operand of ``shape``: element (i // inner) % size; None if that fails."""
    padded = (1,) * (len(full) - len(shape)) + tuple(shape)
    kept = [k for k, (a, b) in enumerate(zip(padded, full, strict=True)) if a == b and b > 1]
    if not kept:
        return 1, 1
    first, last = kept[0], kept[-1]
    if any(padded[k] != full[k] for k in range(first, last + 1)):
        return None
    return int(np.prod(full[last + 1 :], dtype=int)), int(np.prod(full[first : last + 1], dtype=int))


def constant_rom(array: np.ndarray, full: Sequence[int]) -> tuple[Rom, dict[str, int]]:
    """A constant that broadcasts to ``full`` as ROM, and ``inner`` and ``size`` of its index: element (i / inner) % size."""
    found = period(array.shape, full)
    values = np.broadcast_to(array, full) if found is None else array
    inner, size = found or (1, int(np.prod(full, dtype=int)))
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    return Rom(values.reshape(-1), width_of(low, high), low < 0), {"inner": inner, "size": size}


def simple_call(
    header: str,
    function: str,
    exact: Range,
    result: FixedType,
    config: Mapping[str, int],
    roms: Mapping[str, Rom] | None = None,
    values: Mapping[str, int] | None = None,
) -> Call:
    """A call whose config has ``n`` elements and the ``shift`` of the final cast besides ``config``."""
    members = {"n": exact.lo.size, "shift": exact.fraction - result.fraction, **config}
    return Call(header, function, members, roms or {}, values or {})


WHOLE = 1 << 16  # operands of at most this many values, zero included, are emulated by one lookup of the whole layer


MAX_OPERANDS = 64  # that firmware_lib/nn2hls/common.h has names for


def check_operands(count: int) -> None:
    """Refuse more operands than a C++ function can take."""
    if count > MAX_OPERANDS:
        raise LimitError(
            f"It joins {count} tensors, and at most {MAX_OPERANDS} can be joined at once.",
            fix="Join them in groups, and then the groups.",
        )
