"""What a benchmark does by the word behind its name: ``python -m benchmarks.NAME [WORD ARGUMENTS]``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping


def run(usage: str | None, actions: Mapping[str, Callable[..., object]]) -> None:
    """Do the action of the first word on the command line, "" where there is none, with the words behind it.

    Args:
        usage: What is printed where there is no such action or it does not take so many words.
        actions: By their words.
    """
    word, *rest = sys.argv[1:] or [""]
    if word not in actions:
        sys.exit(usage)
    try:
        inspect.signature(actions[word]).bind(*rest)
    except TypeError:
        sys.exit(usage)
    actions[word](*rest)
