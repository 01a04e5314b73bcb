"""Work on a hostile file in a process of its own, with limits of time and memory: a library may loop, crash or grow."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import math
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from nn2hls.errors import ModelError

SECONDS = 2  # of CPU time, and one more for each of these bytes of the file
BYTES_A_SECOND = 4 << 20
MEMORY = 1 << 30  # beyond what the process has when the work begins
_PATIENCE = 10  # times as long on the clock as on the CPU: the machine may be busy

# What the work keeps an array with; it gives the array's place in the list.
Keep = Callable[[np.ndarray], int]
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


def run(work: Callable[[Keep], Any], size: int, where: str) -> tuple[Any, list[np.ndarray]]:
    """What the work returns, as JSON holds it, and the float64 arrays that it kept.

    Only Linux forks a process that may have threads without risk; elsewhere the work is done in this process, unlimited.

    Args:
        work: Reads the file; it may raise ModelError.
        size: Of the file in bytes.
        where: The file, for messages.

    Raises:
        ModelError: What the work raised, or that it crashed or went beyond its limits.
    """
    arrays: list[np.ndarray] = []
    if sys.platform != "linux":
        return work(lambda array: arrays.append(array) or len(arrays) - 1), arrays
    seconds = SECONDS + size // BYTES_A_SECOND
    source, sink = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the work takes none of their locks
        child = os.fork()
    if not child:
        _work(work, sink, seconds)
    os.close(sink)
    try:
        return _Receiver(source, time.monotonic() + _PATIENCE * seconds).result(arrays)
    except EOFError:
        crashed = _end(child) in _CRASHES
        child = 0
    finally:
        os.close(source)
        if child:
            _end(child)
    what = "crashes the library that reads it" if crashed else f"is not read within {seconds} s and {MEMORY >> 20} MiB"
    raise ModelError(f"The file is damaged: it {what}.", where=where, fix="Save or copy it again.")


def _end(child: int) -> int:
    """The signal that ended a child, or that ends it now."""
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] & 0x7F


def _work(work: Callable[[Keep], Any], sink: int, seconds: int) -> NoReturn:
    """The life of the child: nothing of the parent's is flushed, finished or printed in it."""
    status = 1
    try:
        gc.disable()
        faulthandler.disable()
        _limit(seconds)
        with open(os.devnull, "wb") as silent:
            os.dup2(silent.fileno(), 2)
        with open(sink, "wb") as file:
            count = 0

            def keep(array: np.ndarray) -> int:
                nonlocal count
                _send(file, {"array": array.shape})
                file.write(np.ascontiguousarray(array, dtype=np.float64).reshape(-1).data)
                count += 1
                return count - 1

            try:
                _send(file, {"done": work(keep)})
            except ModelError as error:
                _send(file, {"error": (error.what, error.where, error.fix)})
            except MemoryError:
                pass  # an end without an answer, as any other
            except Exception:  # a defect of the reader: raised again in the parent
                _send(file, {"defect": traceback.format_exc()})
        status = 0
    finally:
        os._exit(status)


def _limit(seconds: int) -> None:
    import resource

    with open("/proc/self/statm", "rb") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    for kind, value in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, now + MEMORY), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError):
            resource.setrlimit(kind, (allowed, hard))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _send(file: Any, message: Any) -> None:
    data = json.dumps(message).encode()
    file.write(len(data).to_bytes(8, "little") + data)


class _Receiver:
    """Reads what the child sends until a moment of the monotonic clock; EOFError when no more comes."""

    def __init__(self, source: int, until: float) -> None:
        self._source, self._until = source, until
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)

    def result(self, arrays: list[np.ndarray]) -> tuple[Any, list[np.ndarray]]:
        while True:
            message = json.loads(bytes(self._bytes(int.from_bytes(self._bytes(8), "little"))))
            if "error" in message:
                what, where, fix = message["error"]
                raise ModelError(what, where=where, fix=fix)
            if "defect" in message:
                raise RuntimeError(message["defect"])
            if "done" in message:
                return message["done"], arrays
            shape = tuple(message["array"])
            arrays.append(np.frombuffer(self._bytes(8 * math.prod(shape)), np.float64).reshape(shape))

    def _bytes(self, count: int) -> bytearray:
        data = bytearray(count)
        view, done = memoryview(data), 0
        while done < count:
            if not self._poll.poll(max(0.0, self._until - time.monotonic()) * 1000):
                raise EOFError
            got = os.readv(self._source, [view[done : done + (1 << 20)]])
            if not got:
                raise EOFError
            done += got
        return data
