"""One program of several that build a design, run to its end with a log."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.tools.process import PRINTED, run_logged

TAIL = 4000  # characters of a log that a message ends with
_MEMORY = ("bad_alloc", "out of memory", "cannot allocate memory", "virtual memory exhausted")


@dataclass(frozen=True)
class Done:
    """A program that ended by itself.

    Args:
        command: As a user would type it in the folder.
        status: Its exit status, 0 or more.
        log: What it printed.
        seconds: How long it took.
    """

    command: str
    status: int
    log: Path
    seconds: float

    @property
    def tail(self) -> str:
        """The end of what it printed, for a message."""
        return _tail(self.log)


def run_step(command: Sequence[str | Path], folder: Path, log: Path, seconds: float) -> Done:
    """Run a program in a folder; what it prints replaces the log.

    Raises:
        ToolError: It does not start, takes longer than ``seconds``, runs out of memory, or a signal ends it.
    """
    words = [str(c) for c in command]
    name = Path(words[0]).name
    try:
        ended = run_logged(words, folder, log, timeout=seconds)
    except OSError as error:
        raise ToolError(f"{name} does not start: {error.strerror}.", where=str(folder)) from error
    text = _tail(log)
    if ended.status is None:
        fix = f"Its log is {log}. Allow more time, or build a smaller design."
        raise ToolError(f"{name} took longer than {seconds:g} s and was ended.", where=str(folder), fix=fix)
    memory = any(word in text.lower() for word in _MEMORY)
    if ended.status and (memory or ended.status in (-signal.SIGKILL, 128 + signal.SIGKILL)):
        fix = f"Its log is {log}. Close other programs, or build a smaller design (a higher reuse factor)."
        raise ToolError(f"{name} {ended.text()}, most likely for want of memory.", where=str(folder), fix=fix)
    if ended.status < 0:
        raise ToolError(f"{name} {ended.text()}:\n{text}", where=str(folder))
    return Done(shlex.join([name, *words[1:]]), ended.status, log, ended.seconds)


def _tail(log: Path) -> str:
    return PRINTED.log(log, 4 * TAIL)[-TAIL:].strip()
