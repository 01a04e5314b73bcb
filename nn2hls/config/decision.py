"""Keys around the network: how raw inputs are scaled, and what of its answers leaves the chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn2hls.config import values as v
from nn2hls.errors import ConfigError

SCORES = {"mse": 2, "mae": 2, "radius": 1, "kl": 2}  # how many values each is made of


@dataclass(frozen=True)
class Scaling:
    """(x - mean) / std of an input: numbers, nested lists of the input's shape, or a file that holds both."""

    mean: Any = None
    std: Any = None
    path: Path | None = None

    def beside(self, folder: Path) -> Scaling:
        """The same with the file's path from ``folder`` on, absolute."""
        return self if self.path is None else Scaling(path=(folder / self.path).absolute())


@dataclass(frozen=True)
class Score:
    """A score of an event, by the names of the inputs, layers or outputs that it is made of; without, those of the model."""

    kind: str
    of: tuple[str, ...] = ()


def scalings(value: Any) -> dict[str, Scaling]:
    """The scaling of each input by its name, which is empty for that of the only input."""
    if isinstance(value, Mapping) and not {str(k).lower() for k in value} & {"mean", "std"}:
        return {v.text(name): _scaling(one) for name, one in value.items()}
    return {"": _scaling(value)}


def _scaling(value: Any) -> Scaling:
    if not isinstance(value, Mapping):
        return Scaling(path=Path(v.path(value)).expanduser())
    given = {str(k).lower(): one for k, one in value.items()}
    if set(given) != {"mean", "std"} or len(given) < len(value):
        raise ConfigError("A scaling is made of mean and std.", fix="Write {mean: [..], std: [..]}, or the name of a file.")
    return Scaling(_numbers(given["mean"]), _numbers(given["std"]))


def _numbers(value: Any) -> Any:
    """A number, or lists of them within each other, as tuples."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(_numbers(one) for one in value) if isinstance(value, list | tuple) else v.number(value)


_score = v.choice({kind: kind for kind in SCORES}, {}, "Score")


def score(value: Any) -> Score:
    """``mse``, ``mae``, ``radius`` or ``kl``, or one of these with the names of what it is made of: ``{radius: z_mean}``."""
    if not isinstance(value, Mapping):
        return Score(_score(value))
    if len(value) != 1:
        raise ConfigError("One score leaves the chip.", fix="Write it like {kl: [z_mean, z_log_var]}.")
    ((kind, names),) = value.items()
    kind, listed = _score(kind), tuple(v.text(n) for n in (names if isinstance(names, list | tuple) else [names]))
    if len(listed) != SCORES[kind]:
        raise ConfigError(f"{kind} is made of {SCORES[kind]} values, and {len(listed)} are named.")
    return Score(kind, listed)


def thresholds(value: Any) -> dict[str, float]:
    """A number for every output, under the empty name, or a number for each that is named."""
    if isinstance(value, Mapping):
        return {v.text(name): v.number(one) for name, one in value.items()}
    return {"": v.number(value)}


_answer = v.choice({"argmax": "argmax", "values": "values"}, {}, "Output")


def answers(value: Any) -> dict[str, str]:
    """``argmax`` or ``values`` for every output, under the empty name, or for each that is named."""
    if isinstance(value, Mapping):
        return {v.text(name): _answer(one) for name, one in value.items()}
    return {"": _answer(value)}
