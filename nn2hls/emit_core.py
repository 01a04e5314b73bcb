"""The core that Bambu synthesises: the design behind ports of C integers, one port for each element."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nn2hls.emit_layer import Value
from nn2hls.errors import LimitError
from nn2hls.fixed import FixedType
from nn2hls.ops.base import Op
from nn2hls.ranges import Range
from nn2hls.schedule import Kind

if TYPE_CHECKING:
    from nn2hls.emit import Options

MAX_WIDTH = 64  # bits of any integer: Bambu 2024.10 masks wider ones wrongly
_ROUND_UP = 2  # bits that a cast takes besides those of its operand
_C_TYPES = {8: "char", 16: "short", 32: "int", 64: "long long"}


@dataclass(frozen=True)
class Tensor:
    """An input or output of the design as ports of the core.

    Args:
        name: The user's name of it.
        ports: One for each element, row-major.
        array: What the C++ calls it.
        type: The C++ type of an element.
        fixed: The element's fixed-point type.
    """

    name: str
    ports: tuple[str, ...]
    array: str
    type: str
    fixed: FixedType

    @property
    def c_type(self) -> str:
        """The narrowest C integer that holds a mantissa."""
        bits = next(b for b in _C_TYPES if b >= self.fixed.width)
        sign = "signed " if bits == 8 else ""  # a plain char is unsigned on some machines
        return f"{sign if self.fixed.signed else 'unsigned '}{_C_TYPES[bits]}"

    @property
    def mantissa(self) -> str:
        """The C++ type of a mantissa."""
        return f"ap_{'int' if self.fixed.signed else 'uint'}<{self.fixed.width}>"


def core_inputs(values: Iterable[Value]) -> list[Tensor]:
    """The inputs as ports x0_0, x0_1 .., x1_0 .."""
    return [_tensor(v, v.node.name, f"x{k}") for k, v in enumerate(values)]


def core_outputs(values: Mapping[str, Value]) -> list[Tensor]:
    """The outputs, by their names in C++, as ports y0_0, y0_1 .., y1_0 .."""
    return [_tensor(v, v.node.name, f"y{k}") for k, v in enumerate(values.values())]


def _tensor(value: Value, name: str, array: str) -> Tensor:
    ports = tuple(f"{array}_{i}" for i in range(value.size))
    return Tensor(name, ports, array, value.type, value.node.result_type)


def check_core(op: Op, xs: list[Range], result: FixedType) -> None:
    """Refuse what Bambu computes wrongly.

    Raises:
        LimitError: Some integer of the layer is wider than MAX_WIDTH bits.
    """
    widest = max([0, *(_width(o.kind, o.widths) for o in op.schedule(xs, result).operators)])
    exact = op.exact(xs)
    needed = max(widest, exact.width + _ROUND_UP, result.width + _ROUND_UP)
    if needed > MAX_WIDTH:
        raise LimitError(
            f"It computes with integers of {needed} bits, and Bambu takes at most {MAX_WIDTH}.",
            fix="Give its weights or its operand's layer a narrower type.",
        )


def _width(kind: Kind, widths: tuple[int, ...]) -> int:
    return sum(widths) if kind in (Kind.MUL, Kind.MUL_CONST) else widths[0]


def bambu_arguments(options: Options) -> list[str]:
    """What Bambu is called with, in a folder beside ``firmware``.

    -O2 and the setup for performance unroll and pipeline; INFER takes the ports from the pragmas. Sources are one translation
    unit, and our ap_int.h and ap_fixed.h come before its own.
    """
    name = f"{options.name}_core"
    return [
        f"../firmware/{name}.cpp",
        f"--top-fname={name}",
        "-I../firmware/ap_types",
        "--compiler=I386_CLANG16",
        "--std=gnu++14",
        "-O2",
        "--generate-interface=INFER",
        "--experimental-setup=BAMBU-PERFORMANCE-MP",
        f"--device-name={options.device}",
        f"--clock-period={options.clock_period:g}",
        "-v3",
    ]
