"""The public hls4ml LHC jet data set (OpenML 42468, ``hls4ml_lhc_jets_hlf``), from files on disk; nothing is downloaded.

Get ``hls4ml_lhc_jets_hlf.arff`` (or its CSV) from openml.org/d/42468, then ``train.py --data PATH``. A pair of
.npy files (features in the order of ``FEATURES``; labels one-hot or as numbers) works as well: ``--data X.npy --labels y.npy``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from dataset import CLASSES, FEATURES

TARGETS = ("class", "target")


def load_public(path: Path, labels: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 16) in the order of ``FEATURES`` and class numbers (n,), from .arff, .csv or a pair of .npy files.

    Raises:
        SystemExit: The file is missing or is not that data set; the message says what is expected.
    """
    if not path.is_file():
        raise SystemExit(f"{path}: no such file. Get it from openml.org/d/42468, or leave --data out to use synthetic jets.")
    if path.suffix == ".npy":
        if labels is None:
            raise SystemExit(f"{path}: .npy files hold no labels. Name their file with --labels.")
        return _checked(path, np.load(path, allow_pickle=False), np.load(labels, allow_pickle=False))
    with path.open(encoding="utf-8") as file:
        names = _arff_names(file) if path.suffix == ".arff" else _cut(next(file))
        target = next((names.index(t) for t in TARGETS if t in names), None)
        missing = [f for f in FEATURES if f not in names] + ([] if target is not None else [TARGETS[0]])
        if missing:
            raise SystemExit(f"{path}: no column {', '.join(missing)}; is this OpenML data set 42468?")
        number = {name: str(i) for i, name in enumerate(CLASSES)}
        rows = np.loadtxt(
            file,
            delimiter=",",
            comments="%",
            usecols=[*(names.index(f) for f in FEATURES), target],
            converters={target: lambda text: float(number.get(text.strip(" '\"\n"), text))},
            encoding="utf-8",
        )
    return _checked(path, rows[:, :-1], rows[:, -1])


def _arff_names(file) -> list[str]:
    names = []
    for line in file:
        word = line.split(None, 2)
        if word and word[0].lower() == "@attribute":
            names.append(word[1].strip("'\""))
        elif word and word[0].lower() == "@data":
            break
    return names


def _cut(line: str) -> list[str]:
    return [name.strip(" '\"\n") for name in line.split(",")]


def _checked(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if x.ndim != 2 or x.shape[1] != len(FEATURES) or len(x) != len(y):
        raise SystemExit(f"{path}: features are {x.shape} and labels {y.shape}, not (n, {len(FEATURES)}) and n rows.")
    y = y.argmax(axis=1) if y.ndim == 2 else y.astype(np.int64)
    return np.asarray(x, dtype=np.float64), y
