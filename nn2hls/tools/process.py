"""Running a program for hours: its output goes to a log and to whoever watches, and nothing of it outlives the run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nn2hls.errors import ToolError
from nn2hls.files import open_new
from nn2hls.guard import Guard

PRINTED = Guard(ToolError, "The log", "Run the step that writes it again.")
GRACE = 5.0  # seconds that a program has to end after SIGTERM
_POLL = 0.05  # seconds between two looks at it
_PART = 1 << 20  # bytes of its output that are taken at once


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Args:
        status: The exit status, negative for a signal; None when it took too long and was ended.
        seconds: How long it took.
        memory: Bytes that it, or the largest program that it started, took at most.
    """

    status: int | None
    seconds: float
    memory: int = 0

    def text(self) -> str:
        """How it ended, for people."""
        if self.status is None:
            return f"was ended after {self.seconds:.0f} s"
        number = -self.status if self.status < 0 else self.status - 128  # a shell that started it adds 128
        known = {int(s): s.name for s in signal.Signals}
        return f"ended with exit status {self.status}" + (f" ({known[number]})" if number in known else "")


def run_logged(
    command: Sequence[str],
    folder: Path,
    log: Path,
    *,
    timeout: float | None = None,
    show: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program in a process group of its own; the whole group ends with it, after ``timeout`` or with an interrupt.

    Args:
        command: The program and its arguments; no shell reads them.
        folder: Where it runs.
        log: What it prints, both streams; its folder is made.
        timeout: In seconds; None: it may run for ever.
        show: Called with each line as it comes.
        environment: Variables beside those of this process.

    Raises:
        OSError: The log cannot be written, or the program does not start.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with _told(), open_new(log) as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        late = False
        try:
            lines = _Lines(out.fileno(), show)
            while not (_is_over(process) or late):
                lines.pass_on()
                time.sleep(_POLL)
                late = timeout is not None and time.monotonic() - start > timeout
        finally:
            memory = _end_group(process)
        lines.pass_on()
    return Ended(None if late else process.returncode, time.monotonic() - start, memory)


class _Lines:
    """The lines of a log while it grows."""

    def __init__(self, log: int, show: Callable[[str], None] | None) -> None:
        self._log, self._show, self._seen, self._begun = log, show, 0, b""

    def pass_on(self) -> None:
        """Show the lines that have become whole."""
        if self._show is None:
            return
        while part := os.pread(self._log, _PART, self._seen):
            self._seen += len(part)
            *whole, self._begun = (self._begun + part).split(b"\n")
            for line in whole:
                self._show(line.decode("utf-8", "replace").removesuffix("\r"))


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether the program has ended; it is not waited for yet, so that its group's number stays its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_group(process: subprocess.Popen[bytes]) -> int:
    """End the program, if it still runs, and the children that it may have left behind; the answer is its memory in bytes."""
    try:
        _signal_group(process, signal.SIGTERM)
        until = time.monotonic() + GRACE
        while not _is_over(process) and time.monotonic() < until:
            time.sleep(_POLL)
    finally:  # also when the user interrupts this, too
        _signal_group(process, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # only the dead are left in the group
        os.killpg(process.pid, number)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Let the signals that end this process, such as a closed terminal's, do so by an exception: the group goes first."""

    def stop(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    ours = threading.current_thread() is threading.main_thread()
    taken = [s for s in (signal.SIGTERM, signal.SIGHUP) if ours and signal.getsignal(s) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
