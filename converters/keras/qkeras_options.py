"""What a QKeras file says of a quantiser: its class and options, as a config or as text; nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn2hls.converters.lower.value import Refusal
from nn2hls.errors import suggest
from nn2hls.guard import shortened

_TRAINING = {"use_ste": True, "use_variables": False, "var_name": None}  # they change gradients and names, no value
_NOISE = {"qnoise_factor": 1.0, **_TRAINING}
_PO2 = {"use_stochastic_rounding": False, "quadratic_approximation": False, "log2_rounding": "rnd", **_NOISE}

# Options of each class, in the order in which text gives them, with what holds where a file is silent.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "quantized_bits": {
        "bits": 8,
        "integer": 0,
        "symmetric": 0,
        "keep_negative": True,
        "alpha": None,
        "use_stochastic_rounding": False,
        "scale_axis": None,
        **_NOISE,
    },
    "quantized_relu": {
        "bits": 8,
        "integer": 0,
        "use_sigmoid": 0,
        "negative_slope": 0.0,
        "use_stochastic_rounding": False,
        "relu_upper_bound": None,
        "is_quantized_clip": True,
        **_NOISE,
    },
    "quantized_tanh": {"bits": 8, "use_stochastic_rounding": False, "symmetric": False, "use_real_tanh": False},
    "quantized_sigmoid": {"bits": 8, "symmetric": False, "use_real_sigmoid": False, "use_stochastic_rounding": False},
    "quantized_po2": {"bits": 8, "max_value": None, **_PO2},
    "quantized_relu_po2": {"bits": 8, "max_value": None, "negative_slope": 0, **_PO2},
    "binary": {"use_01": False, "alpha": None, "use_stochastic_rounding": False},
    "stochastic_binary": {"alpha": None, "temperature": 6.0, "use_real_sigmoid": True},
    "ternary": {"alpha": None, "threshold": None, "use_stochastic_rounding": False, "number_of_unrolls": 5},
    "stochastic_ternary": {
        "alpha": None,
        "threshold": None,
        "temperature": 8.0,
        "use_real_sigmoid": True,
        "number_of_unrolls": 5,
    },
    **{name: {} for name in ("hard_sigmoid", "smooth_sigmoid", "binary_sigmoid", "hard_tanh", "smooth_tanh", "binary_tanh")},
}
FUNCTIONS = tuple(name for name, options in OPTIONS.items() if not options)  # Keras has some of these names, too


@dataclass(frozen=True)
class Quantiser:
    """One quantiser: its class, and every option of it."""

    kind: str
    options: Mapping[str, Any]

    def integer(self, key: str) -> int:
        """A whole number; files have it as a list of one, too."""
        value = self.options[key]
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        number = not isinstance(value, bool) and isinstance(value, int | float) and abs(value) <= 1 << 16
        if not number or value != int(value):
            raise Refusal(f"'{key}' of its {self.kind} must be a whole number, not {shortened(repr(value))}")
        return int(value)

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.options[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise Refusal(f"'{key}' of its {self.kind} must be a finite number, not {shortened(repr(value))}")
        return float(value)

    def flag(self, key: str) -> bool:
        """Yes or no; files have 0 and 1, too."""
        value = self.options[key]
        if value not in (0, 1):
            raise Refusal(f"'{key}' of its {self.kind} must be true or false, not {shortened(repr(value))}")
        return bool(value)

    @property
    def bits(self) -> int:
        """The width.

        Raises:
            Refusal: It is none.
        """
        bits = self.integer("bits")
        if not 1 <= bits <= 64:
            raise Refusal(f"its {self.kind} has {bits} bits; 1 to 64 are offered")
        return bits

    def alpha(self) -> str | np.ndarray:
        """``auto``, ``auto_po2`` or factors, 1 where none is named."""
        value = self.options.get("alpha")
        value = value.get("config", {}).get("value") if isinstance(value, dict) else value
        if isinstance(value, str):
            if value not in ("auto", "auto_po2"):
                raise Refusal(f"'alpha' = {shortened(value)} of its {self.kind} is not understood; auto and auto_po2 are")
            return value
        try:
            factors = np.asarray(1.0 if value is None else value, np.float32)
        except (ValueError, TypeError):
            factors = np.asarray(np.nan, np.float32)
        if not (np.isfinite(factors) & (factors > 0)).all():
            raise Refusal(f"'alpha' of its {self.kind} must be finite and above zero; train it again")
        return factors


def is_quantiser(value: Any) -> bool:
    """Whether an activation in a config is one of QKeras and none of Keras."""
    if isinstance(value, dict):
        return isinstance(value.get("class_name"), str) and _name(value["class_name"]) in OPTIONS
    return isinstance(value, str) and value.partition("(")[0] in OPTIONS.keys() - {*FUNCTIONS}


def read(value: Any) -> Quantiser | None:
    """A quantiser from ``{"class_name": .., "config": ..}`` or text such as ``quantized_bits(4,0,alpha=1)``; None without one.

    Raises:
        Refusal: It is no class that is offered, or has an option that is not understood.
    """
    if value is None:
        return None
    if isinstance(value, str):
        kind, given = _text(value)
    elif isinstance(value, dict) and isinstance(value.get("class_name"), str):
        kind, given = _name(value["class_name"]), value.get("config")
        if isinstance(given, str):  # a function by its name
            kind, given = given, {}
    else:
        kind, given = "", None
    if kind not in OPTIONS or not isinstance(given, dict):
        quantisers = ", ".join(name for name, options in OPTIONS.items() if options)
        way = suggest(kind, OPTIONS) or f"Those of QKeras that are: {quantisers}"
        raise Refusal(f"its quantiser {shortened(repr(value))} is not offered. {way}".rstrip("."))
    known = OPTIONS[kind]
    for key, setting in given.items():
        if key not in known and key not in ("name", "dtype") and setting is not None:
            raise Refusal(f"its {kind} has an option '{shortened(key)}' = {shortened(repr(setting))} that is not understood")
    return Quantiser(kind, {**known, **{k: v for k, v in given.items() if k in known}})


def _name(name: str) -> str:
    """Without the package under which Keras registers a class of others."""
    return name.rpartition(">")[2]


def _text(text: str) -> tuple[str, dict[str, Any] | None]:
    """Class and options from a call with constants for arguments."""
    try:
        tree = ast.parse(text[:1000].strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, {}
        if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)):
            return text, None
        names = [*OPTIONS.get(tree.func.id, {})]
        given = dict(zip(names, map(ast.literal_eval, tree.args), strict=False)) if len(tree.args) <= len(names) else None
        if given is not None:
            given |= {str(k.arg): ast.literal_eval(k.value) for k in tree.keywords}
        return tree.func.id, given
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return text, None
