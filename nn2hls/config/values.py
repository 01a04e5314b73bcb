"""What the values of config keys may be: one reader per kind of value.

A reader takes the plain value and returns what the config keeps, or raises a ConfigError without a place; the caller adds it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn2hls.arith.fixed import FixedType
from nn2hls.config.yaml import Tagged
from nn2hls.errors import ConfigError, suggest
from nn2hls.hardware.words import names_top

Reader = Callable[[Any], Any]

MAX_ACCUMULATOR = 53  # the widest mantissa that float64 holds exactly


@dataclass(frozen=True)
class Noted:
    """A value that means another one here, and what the user should know; None: the key has no effect."""

    value: Any
    note: str


@dataclass(frozen=True)
class Unread:
    """A model in the config itself that cannot be read: what it is."""

    what: str


def text(value: Any) -> str:
    """A word or a line of text."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"This must be text, not {_show(value)}.")
    return value.strip()


def path(value: Any) -> str:
    """The name of a file or folder; made absolute by the caller."""
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ConfigError(f"This must be the name of a file, not {_show(value)}.")
    return value.strip()


def model(value: Any) -> Any:
    """The name of a model file, the bytes of an ONNX model, or a live model of a dict.

    hls4ml writes the model itself into its ``hls4ml_config.yml``: ONNX models as bytes, Keras models as a file beside it, which
    stays Tagged. PyTorch modules are pickled there, and nobody opens a pickle: they become Unread.
    """
    if isinstance(value, Tagged):
        if isinstance(value.value, bytes) or value.tag == "!keras_model":
            return value if isinstance(value.value, str) else value.value
        if value.tag.startswith("python/"):
            return Unread(f"The model stands in the config as a pickled {value.tag.rpartition('.')[2]}, which is never opened")
        raise ConfigError(f"The tag '{value.tag}' is not accepted.", fix="Write the name of a model file.")
    if value is None or isinstance(value, (str, Path, bool, int, float, list, dict)):
        return path(value)
    return value


def input_shape(value: Any) -> tuple[Any, ...]:
    """The shape of PyTorch's input without batch axis, or a list of such shapes."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, (list, tuple)) for v in value):
        return tuple(input_shape(v) for v in value)
    sizes = list(value) if isinstance(value, (list, tuple)) else [value]
    if sizes and sizes[0] is None:
        sizes = sizes[1:]  # the batch
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ConfigError(f"This must be a shape, not {_show(value)}.", fix="Write it like [16], without the batch axis.")
    return tuple(sizes)


def part(value: Any) -> str:
    """A device that is known, or a board, which stands for the part on it."""
    from nn2hls.targets import boards, find_part

    name = text(value)
    find_part(name, where="")
    return boards().get(name.lower().replace("_", "-").replace(" ", "-"), name)


def bambu_device(value: Any) -> str:
    """A device that Bambu has characterised, by its own name."""
    from nn2hls.targets.bambu import named_device

    return named_device(text(value)).name


def identifier(value: Any) -> str:
    """A C identifier: it names files, the top function and its C++ header guard, and the top module."""
    name = text(value)
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is None or "__" in name or not names_top(name) or len(name) > 64:
        better = re.sub(r"[\W_]+", "_", name, flags=re.ASCII).lstrip("_0123456789").rstrip("_")[:60]
        better = next((b for b in (better, f"{better}_net") if better and names_top(b)), "myproject")
        fix = f"Use letters, digits and single underscores, such as '{better}'."
        raise ConfigError(f"{name!r} cannot name a C++ function and a hardware module.", fix=fix)
    return name


def number(value: Any) -> float:
    """A finite number, written as one (YAML 1.1 reads 5e0 as text; that is meant as a number too)."""
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise ConfigError(f"This must be a number, not {_show(value)}.") from None
    if not math.isfinite(result):
        raise ConfigError(f"This must be a finite number, not {_show(value)}.")
    return result


def between(low: float, high: float, unit: str) -> Reader:
    """A number from ``low`` to ``high``."""

    def read(value: Any) -> float:
        result = number(value)
        if not low <= result <= high:
            raise ConfigError(f"{result:g} is out of range: it must be {low:g} to {high:g} {unit}.")
        return result

    return read


def whole(low: int, high: int) -> Reader:
    """A whole number from ``low`` to ``high``."""

    def read(value: Any) -> int:
        found = _integer(value)
        if found is None:
            raise ConfigError(f"This must be a whole number, not {_show(value)}.")
        if not low <= found <= high:
            raise ConfigError(f"{found} is out of range: it must be {low} to {high}.")
        return found

    return read


def _integer(value: Any) -> int | None:
    """A whole number, also one written as text or as 4.0; None for anything else."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value, re.ASCII) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e18 else None
    return int(value) if hasattr(value, "__index__") and not isinstance(value, bool) else None


def power_of_two(value: Any) -> int:
    """The number of entries of a table: the address is the input's mantissa, so 2, 4, 8 ... 2**20."""
    n: int = whole(2, 1 << 20)(value)
    if n & (n - 1):
        raise ConfigError(
            f"A table of {n} entries has no whole address.", fix=f"Use {1 << (n.bit_length() - 1)} or {1 << n.bit_length()}."
        )
    return n


def percent(value: Any) -> float:
    """A share of the clock period, such as ``12.5%``; returned as 0.125."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*%\s*", value) if isinstance(value, str) else None
    if match is None or float(match[1]) >= 100:
        raise ConfigError(f"This must be a share of the clock period, not {_show(value)}.", fix="Write it like 12.5%.")
    return float(match[1]) / 100


def fixed_type(value: Any) -> FixedType | None:
    """A fixed-point type; ``auto`` is None: derived by nn2hls."""
    if isinstance(value, FixedType):
        return value
    if isinstance(value, str) and value.strip().lower() == "auto":
        return None
    if type(value).__module__.partition(".")[0] == "hls4ml":  # a type object of a dict
        value = str(value)
    if not isinstance(value, str):
        fix = "Write it like ap_fixed<16,6>, or auto."
        raise ConfigError(f"This must be a fixed-point type, not {_show(value)}.", fix=fix)
    if "<" in value and ">" not in value:
        fix = "Inside braces a comma ends the value: quote the type, {weight: 'ap_fixed<16,6>'}."
        raise ConfigError(f"{value!r} is a type cut short.", fix=fix)
    return FixedType.parse(value)


def choice(values: Mapping[str, Any], refused: Mapping[str, str], kind: str, listed: Iterable[str] = ()) -> Reader:
    """One of some words, in any case; ``refused`` words are known and get their own way out, ``listed`` ones are proposed."""
    listed = tuple(listed or values)
    known = {k.lower(): v for k, v in values.items()}
    ways_out = {k.lower(): v for k, v in refused.items()}

    def read(value: Any) -> Any:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word in known:
            return known[word]
        if word in ways_out:
            raise ConfigError(f"{kind} {value.strip()} is not offered.", fix=ways_out[word])
        fix = suggest(str(value), listed) or f"Known are {', '.join(listed)}."
        raise ConfigError(f"{_show(value)} is not a {kind.lower()}.", fix=fix)

    return read


_OTHER_BACKENDS = ("VitisUnified", "Quartus", "oneAPI", "Catapult", "Libero", "SymbolicExpression", "XLS")
backend = choice(
    {"Vivado": "Vivado", "Vitis": "Vitis", "Bambu": "Bambu", "Verilog": "Verilog"},
    {
        "VivadoAccelerator": "Use Vivado and connect the exported IP core in a block design.",
        **dict.fromkeys(_OTHER_BACKENDS, "Use Vitis, Vivado, Bambu or Verilog."),
    },
    "Backend",
)

interface = choice({"nn2hls": "nn2hls", "hls4ml": "hls4ml", "axis": "axis"}, {}, "Port layout")

fifo_depths = choice({"fast": "fast", "tight": "tight"}, {}, "Rule of depths")

io_type = choice(
    {"io_parallel": "io_parallel", "io_stream": "io_stream"},
    {"io_serial": "It is an old name of streaming; write io_stream."},
    "IOType",
)

_SPARSE = Noted("Resource", "Resource is meant: zero weights cost nothing at any reuse factor.")
_ARGMAX = "Write Output: argmax at the top of the config: the number of the largest element leaves the design."
_SOFTMAX = "It was a word for softmax: there is one, the stable one. It has no effect."
strategy = choice(
    {
        "Latency": "Latency",
        "Resource": "Resource",
        **dict.fromkeys(("DistributedArithmetic", "distributed_arithmetic", "da"), "DistributedArithmetic"),
        **dict.fromkeys(("ResourceUnrolled", "resource_unrolled", "unrolled", "compressed"), _SPARSE),
        **dict.fromkeys(("stable", "legacy"), Noted(None, _SOFTMAX)),
    },
    {"argmax": _ARGMAX},
    "Strategy",
    listed=("Latency", "Resource", "DistributedArithmetic"),
)

_AT_ONCE = Noted("Unroll", "The positions of a layer that repeats another one stand side by side; Unroll is meant.")
_time_steps = choice({"Unroll": "Unroll", "Off": "Off", "Pipeline": _AT_ONCE}, {}, "Parallelism of steps", ("Unroll", "Off"))


weights = choice({"fixed": "fixed", "reloadable": "reloadable"}, {}, "Weights", ("fixed", "reloadable"))


def time_steps(value: Any) -> Any:
    """How the steps of a recurrent layer stand; YAML reads an ``Off`` without quotes as false."""
    return _time_steps("Off" if value is False else value)


softmax_implementation = choice({"stable": None, "latency": None, "legacy": None}, {"argmax": _ARGMAX}, "Implementation")


def maximum(value: Any) -> Any:
    """hls4ml's cap on derived types: its width is kept."""
    kind = fixed_type(value)
    if kind is None:
        return None
    width = min(max(kind.width, 2), MAX_ACCUMULATOR)
    return Noted(width, f"It sets MaxWidth, {width} bits for every derived type; integer bits have no cap of their own.")


def only(*accepted: Any) -> Reader:
    """A key that is accepted with the values that mean what nn2hls does anyway; words count in any case."""
    words = {str(a).lower() for a in accepted}

    def read(value: Any) -> None:
        if str(value).strip().lower() not in words:
            raise ConfigError(f"{_show(value)} is not offered.")

    return read


def anything(value: Any) -> None:
    """A value that has no effect."""


def _show(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a block of keys"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return f"'{str(value).lower()}'"
    return repr(value) if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
