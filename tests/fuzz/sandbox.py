"""Work in a forked process with limits of time and memory that opens nothing for writing outside its folder."""

import faulthandler
import json
import os
import resource
import select
import signal
import sys
import traceback
from pathlib import Path

from nn2hls.errors import Nn2hlsError

SECONDS = 10  # of CPU time for one piece of work
MEMORY = 2 << 30  # bytes
PATIENCE = 4  # times as long on the clock: the machine may be busy
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.truncate",
    "os.link",
    "os.symlink",
    "os.chmod",
    "shutil.rmtree",
)
_FOREIGN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "socket.connect",
    "ctypes.dlopen",
    "pickle.find_class",
)


class Hang(BaseException):
    """The time is up; no handler of the work's own catches it."""


class Escape(BaseException):
    """The work reached for something outside its folder."""


class Sandbox:
    """One worker process that does ``work(number)`` again and again; a new one replaces it when it has died.

    Args:
        work: Gives a word for what came of it.
        folder: Where it may write, and its working directory.
    """

    def __init__(self, work, folder):
        self._work, self._folder = work, Path(folder).resolve()
        self._child = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def run(self, number):
        """Outcome and detail: the work's own word, or refused, traceback, hang, memory, escape or crash."""
        if not self._child:
            self._start()
        os.write(self._orders, f"{number}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            ready = select.select([self._answers], [], [], SECONDS * PATIENCE)[0]
            part = os.read(self._answers, 1 << 16) if ready else b""
            if not part:
                status = self._end()
                return ("crash", f"signal {status & 0x7F}, exit {status >> 8}") if ready else ("hang", "no Python code runs")
            answer += part
        return tuple(json.loads(answer))

    def _end(self):
        if not self._child:
            return 0
        os.close(self._orders)
        os.close(self._answers)
        os.kill(self._child, signal.SIGKILL)
        status, self._child = os.waitpid(self._child, 0)[1], 0
        return status

    def _start(self):
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._child = os.fork()
        if self._child:
            os.close(orders)
            os.close(answers)
            return
        try:
            os.close(self._orders)
            os.close(self._answers)
            self._live(orders, answers)
        finally:
            os._exit(3)

    def _live(self, orders, answers):
        faulthandler.disable()
        os.chdir(self._folder)
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
        signal.signal(signal.SIGPROF, _stop)
        sys.addaudithook(self._audit)
        with os.fdopen(orders) as lines:
            for line in lines:
                os.write(answers, json.dumps(self._one(int(line))).encode() + b"\n")

    def _one(self, number):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            return self._work(number), ""
        except Nn2hlsError as error:
            return ("refused", "") if _complete(error) else ("traceback", f"no message: {error!r} @ {_trace(error)}")
        except Hang as error:
            return "hang", _trace(error)
        except Escape as error:
            return "escape", _trace(error)
        except MemoryError as error:
            return "memory", _trace(error)
        except Exception as error:
            return "traceback", _trace(error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _audit(self, event, args):
        if event == "open":
            mode, flags = args[1:]
            if (isinstance(mode, str) and set(mode) & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR):
                self._inside(event, args[0])
        elif event in _CHANGES:
            for path in args[:2]:
                self._inside(event, path)
        elif event.startswith(_FOREIGN):
            raise Escape(f"{event}{args!r}"[:300])

    def _inside(self, event, path):
        named = isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path) != os.devnull
        if named and not Path(os.fsdecode(path)).resolve().is_relative_to(self._folder):
            raise Escape(f"{event} {path!r}")


def _stop(*_):
    raise Hang


def _complete(error):
    """Whether the message can be printed anywhere and says what is wrong."""
    try:
        return bool(error.what and str(error).encode())
    except UnicodeEncodeError:
        return False


def _trace(error):
    """The error and where it was raised, the innermost place of nn2hls first."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "nn2hls" in f.filename or "converters" in f.filename]
    own = frames or traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(own[-6:]))
    return f"{type(error).__name__}: {str(error)[:200]} @ {places}".encode("ascii", "backslashreplace").decode()
