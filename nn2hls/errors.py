"""The one family of exceptions: every message says where, what, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nn2hls.text import one_line, printable


class Nn2hlsError(Exception):
    """Base of every error that nn2hls raises on purpose.

    Args:
        what: What is wrong, a full sentence without the place.
        where: The place: ``file:line``, or the user's layer name; empty when there is none.
        fix: What the user can do, a full sentence; empty when ``what`` already says it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = printable(what), one_line(where), printable(fix)
        super().__init__(f"{self.where}: {self.what}" if where else self.what, self.fix)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} {self.fix}" if self.fix else text


class ConfigError(Nn2hlsError):
    """A config file or dict holds something that is unknown, malformed or contradictory."""


class ModelError(Nn2hlsError):
    """A model file is missing, damaged, or holds something that is not accepted from a file."""


class UnsupportedError(ModelError):
    """The model uses something nn2hls does not offer; the message lists all of it at once."""


class GraphError(Nn2hlsError):
    """A graph breaks its own invariants: a defect of a converter or a pass."""


class TypeResolutionError(Nn2hlsError):
    """No fixed-point type satisfies what the config asks for."""


class LimitError(Nn2hlsError):
    """A design exceeds a limit of the HLS tools; the message names the layer and a setting that works."""


class DataError(Nn2hlsError):
    """Input data has the wrong shape or type, or holds NaN or Inf."""


class ToolError(Nn2hlsError):
    """An external tool is missing or failed."""


class ConversionWarning(UserWarning):
    """The conversion of a network took something from its answers, or made a design that a part does not hold."""


class ReadWarning(UserWarning):
    """A file of data or a model was read in a way that may not be meant."""


class OverflowWarning(UserWarning):
    """Values left the range of a fixed-point type while a design ran."""


class ProjectWarning(UserWarning):
    """Writing a project met a generated file that somebody had changed."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for the closest of ``known``, or the empty string."""
    table = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), table, n=1, cutoff=0.6)
    return f"Did you mean '{table[close[0]]}'?" if close else ""
