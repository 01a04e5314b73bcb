"""``OBJCACHE`` of Verilator's makefile: its library, most of the time of a small bench, is compiled once for all tests.

Only ``verilated*.cpp`` of an installation are kept, by the command, the compiler and the state of the library's files; all else
is compiled each time.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main(command, folder):
    """Run a compiler's command line, or take its object from an earlier run; the exit status."""
    source = Path(command[-1])
    if "-o" not in command or not (source.is_absolute() and source.match("verilated*.cpp")):
        return subprocess.call(command)
    result = command[command.index("-o") + 1]
    stored = Path(folder) / f"{_key(command, source)}.o"
    if stored.is_file():
        shutil.copyfile(stored, result)
        return 0
    status = subprocess.call(command)
    if status == 0:
        scratch = stored.with_suffix(f".{os.getpid()}")
        shutil.copyfile(result, scratch)
        os.replace(scratch, stored)  # others look for it at the same time
    return status


def _key(command, source):
    program = Path(shutil.which(command[0]) or command[0]).resolve()
    files = [program, *sorted(p for p in source.parent.iterdir() if p.is_file())]
    states = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return hashlib.sha256(repr((command, states)).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], sys.argv[1]))
