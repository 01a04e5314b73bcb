"""How to install what is missing: the command depends on how nn2hls itself got here."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Extras that have nothing to install from some version of Python on.
_ENDS = {"tensorflow": ((3, 14), "TensorFlow has no release for this Python yet; Keras files need none, and live Keras models")}


def install(extra: str = "") -> str:
    """The command that installs nn2hls with an extra, for a sentence such as "Install it with: ..."."""
    name = f"[{extra}]" if extra else ""
    checkout = _checkout()
    if checkout is None:
        return f"pip install {shlex.quote(_from_index(name))}"
    here = checkout == Path.cwd()
    target = f".{name}" if here else f"{checkout}{name}"
    return f"pip install {shlex.quote(target)}"


def missing(extra: str) -> str:
    """A sentence: how to get what an extra brings, or that there is none for this Python."""
    if not available(extra):
        return f"{_ENDS[extra][1]} run on another back end too: KERAS_BACKEND=torch."
    return f"Install it with: {install(extra)}."


def available(extra: str) -> bool:
    """Whether an extra has something to install for this Python."""
    return extra not in _ENDS or sys.version_info[:2] < _ENDS[extra][0]


def has_solver() -> bool:
    """Whether alkaid is installed, which the extra ``da`` brings."""
    return importlib.util.find_spec("alkaid") is not None


def _checkout() -> Path | None:
    """The folder of the source that runs, or that was installed from; None for an installation from an index."""
    beside = Path(__file__).resolve().parents[1]
    if (beside / "pyproject.toml").is_file():
        return beside
    url = urlsplit(_direct_url())
    folder = Path(unquote(url.path))
    return folder if url.scheme == "file" and (folder / "pyproject.toml").is_file() else None


def _from_index(name: str) -> str:
    url = _direct_url()
    return f"nn2hls{name} @ {url}" if url.startswith(("git+", "http")) else f"nn2hls{name}"


def _direct_url() -> str:
    """Where pip installed nn2hls from (PEP 610); empty when it was an index, or pip knows nothing of it."""
    try:
        text = metadata.distribution("nn2hls").read_text("direct_url.json")
        found = json.loads(text) if text else {}
        url, vcs = str(found.get("url", "")), found.get("vcs_info", {})
    except (metadata.PackageNotFoundError, OSError, ValueError, AttributeError):
        return ""
    if not vcs:
        return url
    revision = vcs.get("requested_revision")
    return f"{vcs.get('vcs')}+{url}" + (f"@{revision}" if revision else "")
