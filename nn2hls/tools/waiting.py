"""What a terminal shows while something works that says nothing itself."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

PATIENCE = 1.0  # seconds between two looks; what is over sooner shows nothing
_CLEAR = "\r\033[K"
_told: list[str] = []  # what is waited for, the innermost last
_quiet = False


def be_quiet(quiet: bool = True) -> None:
    """Show nothing from now on, or again what there is."""
    global _quiet
    _quiet = quiet


def shows() -> bool:
    """Whether somebody looks at the standard error."""
    return not _quiet and sys.stderr.isatty()


def tell(what: str) -> None:
    """Show something else for the innermost block that waits; nothing outside of one."""
    if _told:
        _told[-1] = what


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show ``what`` and the seconds on the standard error, if that is a terminal, until the block ends."""
    if not shows():
        yield
        return
    over = threading.Event()
    _told.append(what)
    clock = threading.Thread(target=_show, args=(len(_told), over), daemon=True)
    clock.start()
    try:
        yield
    finally:
        over.set()
        clock.join()
        _told.pop()


def _show(depth: int, over: threading.Event) -> None:
    """Show the seconds of the block at this depth, as long as none inside it waits."""
    start, shown = time.monotonic(), False
    while not over.wait(PATIENCE):
        if len(_told) == depth:
            shown = True
            print(f"{_CLEAR}{_told[-1]}: {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)
    if shown:
        print(_CLEAR, end="", file=sys.stderr, flush=True)


class Countdown:
    """A bar with the time that is left, for the innermost block that waits; called with the number done and of all."""

    def __init__(self, what: str) -> None:
        self._what, self._start = what, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Say how far it is."""
        passed = time.monotonic() - self._start
        left = f", {duration(passed / done * (total - done))} left" if done else ""
        bar = "#" * (30 * done // max(total, 1))
        tell(f"[{bar:30}] {done} of {total} {self._what}{left}")


def line(text: str) -> None:
    """A line on the standard error, above what waits there."""
    print(f"{_CLEAR}{text}" if _told else text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
