"""What a terminal shows while a tool works that says nothing itself."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

PATIENCE = 1.0  # seconds between two looks; what is over sooner shows nothing
_CLEAR = "\r\033[K"


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show ``what`` and the seconds on the standard error, if that is a terminal, until the block ends."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    clock = threading.Thread(target=_show, args=(what, over), daemon=True)
    clock.start()
    try:
        yield
    finally:
        over.set()
        clock.join()


def _show(what: str, over: threading.Event) -> None:
    start, shown = time.monotonic(), ""
    while not over.wait(PATIENCE):
        shown = f"{_CLEAR}{what}: {time.monotonic() - start:.0f} s"
        print(shown, end="", file=sys.stderr, flush=True)
    if shown:
        print(_CLEAR, end="", file=sys.stderr, flush=True)
