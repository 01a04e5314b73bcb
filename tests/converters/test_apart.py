"""Work on a hostile file in a process of its own: what it finds comes back, and it can neither loop, grow nor crash us."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from nn2hls.converters import apart
from nn2hls.converters.keras import load_file
from nn2hls.errors import ModelError

h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the work is done in the same process")


def _loop(keep):
    while True:
        pass


def _crash(keep):
    os.abort()


def _grow(keep):
    return len(bytes(3 << 30))


def _refuse(keep):
    raise ModelError("Bad.", where="w", fix="Mend it.")


def _children():
    """The processes that this one started and that are not waited for, ended ones as well."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has gone meanwhile
            parents[path.parent.name] = int(path.read_text().rpartition(")")[2].split()[1])
    return {pid for pid, parent in parents.items() if parent == os.getpid()}


def test_arrays_and_words_come_back():
    arrays = [
        np.arange(6.0).reshape(2, 3),
        np.zeros((0, 3)),
        np.float64(5),
        np.ones(1 << 20, "f4"),
        np.arange(6).reshape(2, 3).T,
    ]
    word, back = apart.run(lambda keep: {"places": [keep(a) for a in arrays]}, 0, "f")
    assert word == {"places": [0, 1, 2, 3, 4]}
    assert all(b.dtype == np.float64 and b.shape == np.shape(a) and (a == b).all() for a, b in zip(arrays, back, strict=True))


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (_loop, "f: The file is damaged: it is not read within 1 s"),
        (_crash, "f: The file is damaged: it crashes"),
        (_grow, "f: The file is damaged: it is not read within 1 s and 1024 MiB"),
        (_refuse, r"w: Bad\. Mend it\."),
    ],
)
def test_limits(work, words, monkeypatch, capfd):
    monkeypatch.setattr(apart, "SECONDS", 1)
    before = _children()  # those of other tests, such as a pool of workers
    with pytest.raises(ModelError, match=words):
        apart.run(work, 0, "f")
    assert capfd.readouterr() == ("", "")
    assert _children() <= before  # none is left behind


def test_a_child_that_waits_is_ended(monkeypatch):
    monkeypatch.setattr(apart, "SECONDS", 0.01)
    monkeypatch.setattr(apart, "_limit", lambda seconds: None)
    with pytest.raises(ModelError, match="is not read within"):
        apart.run(lambda keep: os.read(os.pipe()[0], 1), 0, "f")


def test_a_defect_of_the_reader_is_not_taken_for_a_damaged_file():
    with pytest.raises(RuntimeError, match="KeyError: 'x'"):
        apart.run(lambda keep: {}["x"], 0, "f")


def test_a_zeroed_spot_in_a_heap_of_hdf5_makes_the_library_loop(tmp_path, monkeypatch):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"
        file["layers/dense/vars/0"] = np.ones((4, 3))
    data = path.read_bytes()
    spot = data.index(b"GCOL") + 16  # the first object of the global heap, which holds the text
    path.write_bytes(data[:spot] + bytes(16) + data[spot + 16 :])
    monkeypatch.setattr(apart, "SECONDS", 1)
    with pytest.raises(ModelError, match=r"m\.h5: The file is damaged: it is not read within 1 s and 1024 MiB"):
        load_file(path)
