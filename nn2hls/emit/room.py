"""The widest integer that the C++ of a layer computes with: Bambu has 64 bits at most, and up to them it compiles faster."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from nn2hls.arith.fixed import FixedType
from nn2hls.errors import LimitError
from nn2hls.hardware.code import Call, Code

MAX_WIDTH = 64  # bits of any integer: Bambu 2024.10 masks wider ones wrongly
MAX_ADDITIONS = 6_000  # in one pipeline: Bambu's time grows faster than they do (docs/bambu.md, How large)
MAX_MULTIPLIERS = 512  # that take turns, for the same reason
MULTIPLIERS = 128  # of them, in a design that Bambu builds in two minutes
_CARRY = 1  # bits that a sum or difference takes besides those of its variable
_ROUND = 2  # bits that a cast takes besides those of its operand (cast_plan in cast.h)
_ADDITION = re.compile(r"\bnn2hls::(?:plus|minus)\(")
_DECLARED = re.compile(r"\bap_(u?)int<(\d+)>")
_STORED = re.compile(r"\bstore(?:_floor)?<(-?\d+)>")


def room(code: Call | Code, operands: Sequence[FixedType], result: FixedType) -> int:
    """Bits of the widest signed integer that the C++ of a layer computes with; arguments as in :func:`check_room`."""
    return max([*map(_signed, operands), result.width + _ROUND, *_widths(code, operands, result)])


def check_room(code: Call | Code, operands: Sequence[FixedType], result: FixedType) -> None:
    """Refuse C++ whose integers are wider than Bambu's.

    Args:
        code: What the layer's op calls or does.
        operands, result: The types of its arrays.

    Raises:
        LimitError: Some integer is wider than MAX_WIDTH bits.
    """
    needed = room(code, operands, result)
    if needed > MAX_WIDTH:
        raise LimitError(
            f"It computes with integers of {needed} bits, and Bambu takes at most {MAX_WIDTH}.",
            fix="Give it, its weights or the layers that it reads narrower types.",
        )


def check_size(texts: Iterable[str], layers: Iterable[tuple[int, int]]) -> None:
    """Refuse a core that Bambu would work on for hours.

    Args:
        texts: The C++ of all layers.
        layers: Non-zero products and reuse factor of each layer.

    Raises:
        LimitError: Names a reuse factor that works.
    """
    shared = list(layers)
    additions = sum(len(_ADDITION.findall(text)) for text in texts)
    multipliers = sum(math.ceil(products / reuse) for products, reuse in shared if reuse > 1)
    for count, most, what in (
        (additions, MAX_ADDITIONS, "additions side by side"),
        (multipliers, MAX_MULTIPLIERS, "multipliers that take turns"),
    ):
        if count > most:
            reuse = max(2, math.ceil(sum(products for products, _ in shared) / MULTIPLIERS))
            raise LimitError(
                f"It has {count:,} {what}, and Bambu builds at most {most:,} in minutes.",
                fix=f"Set ReuseFactor: {reuse} for all layers (--reuse {reuse}), prune it, or give its weights fewer bits.",
            )


def _signed(kind: FixedType) -> int:
    """Bits as a signed number."""
    return kind.width + (not kind.signed)


def _widths(code: Call | Code, operands: Sequence[FixedType], result: FixedType) -> Iterator[int]:
    """Widths of variables, with room for a sum, and of casts."""
    for rom in code.roms.values():
        yield rom.width + (not rom.signed)
    if isinstance(code, Code):
        text = "\n".join(line for line in (*code.helpers, *code.body) if isinstance(line, str))
        widths = [int(bits) + (sign == "u") for sign, bits in _DECLARED.findall(text)]
        widest = max(widths, default=0)
        yield widest + _ROUND
        yield from (_cast(widest, int(shift), result.width) for shift in _STORED.findall(text))
        return
    config = code.config
    yield from (bits + _CARRY for name, bits in config.items() if name.endswith("width"))
    for function, rule in _RULES.items():
        if code.function == function:
            yield from rule(config, operands)
    yield from (_cast(*source, result.width) for source in _stored(code, operands))


def _cast(width: int, shift: int, target: int) -> int:
    """Room of a cast of a signed number: T of cast_plan in cast.h."""
    down, up = max(shift, 0), min(max(-shift, 0), target)
    return max(width + (_ROUND if down else up), target + _ROUND)


# ---- templates -----------------------------------------------------------------------------------------------------------


def _stored(call: Call, operands: Sequence[FixedType]) -> Iterator[tuple[int, int]]:
    """Width and shift of each cast to the result type."""
    config = call.config
    if call.header == "shape.h":  # they cast the operands themselves
        for k, kind in enumerate(operands):
            yield _signed(kind), config.get("shift", config.get(f"shift{k}", 0))
        return
    width = _share(config) if call.function == "softmax" else config.get("width", config.get("line_width", 0))
    yield width, config["shift"]


def _share(config: Mapping[str, int]) -> int:
    """The product of an exponential and the inverse of the sum."""
    return config["exp_width"] + config["inverse_width"] + config["most"] + 2


def _softmax(config: Mapping[str, int], operands: Sequence[FixedType]) -> Iterator[int]:
    yield _cast(config["distance_width"] + 1, config["distance_shift"], config["address_width"])
    yield config["slope_width"] + config["sum_width"] + 1 + max(0, -config["slope_drop"])
    yield from (config[name] + _ROUND for name in ("sum_width", "x_width"))


def _plain_softmax(config: Mapping[str, int], operands: Sequence[FixedType]) -> Iterator[int]:
    yield from _softmax(config, operands)
    yield _share(config) + _ROUND


def _table(config: Mapping[str, int], operands: Sequence[FixedType]) -> Iterator[int]:
    yield _cast(config["in_width"], config["address_shift"], config["address_width"])


_RULES: Mapping[str, Callable[[Mapping[str, int], Sequence[FixedType]], Iterator[int]]] = {
    "softmax": _plain_softmax,
    "log_softmax": _softmax,
    "table": _table,
}
