"""Data files: the same numbers from every kind of file, and nothing unpickled."""

import pickle

import numpy as np
import pytest

from nn2hls.data.files import load, load_inputs, load_labels
from nn2hls.errors import DataError

X = np.array([[1.5, -2.0, 0.25], [4.0, 5.0, -6.5]])


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.dat", "header.csv"])
def test_every_kind_of_file_gives_the_same_numbers(tmp_path, name):
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, X)
    elif name == "x.npz":
        np.savez(path, anything=X)
    elif name == "x.dat":
        np.savetxt(path, X)
    else:
        np.savetxt(path, X, delimiter=",", header="a,b,c" if name == "header.csv" else "", comments="")
    (found,) = load_inputs([path], {"in": (3,)})
    assert np.array_equal(found, X)
    assert found.dtype == np.float64


def test_several_inputs_go_by_name_or_by_order(tmp_path):
    a, b = np.ones((4, 2)), np.zeros((4, 2))
    np.savez(tmp_path / "named.npz", b=b, a=a)
    np.savez(tmp_path / "plain.npz", a, b)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    shapes = {"a": (2,), "b": (2,)}
    for paths in (["named.npz"], ["plain.npz"], ["a.npy", "b.npy"]):
        found = load_inputs([tmp_path / p for p in paths], shapes)
        assert [f.mean() for f in found] == [1, 0]
    with pytest.raises(DataError, match="one file per input"):
        load_inputs([tmp_path / "a.npy"], shapes)
    with pytest.raises(DataError, match="holds 3 arrays"):
        load_inputs([tmp_path / "named.npz", tmp_path / "a.npy"], shapes)
    with pytest.raises(DataError, match=r"the arrays b, a. Did you mean 'b'\?"):
        load_inputs([tmp_path / "named.npz"], {"a": (2,), "bb": (2,)})
    with pytest.raises(DataError, match=r"The model has 1 input \(c\).*Give one array, or a \.npz with an array 'c'\.$"):
        load_inputs([tmp_path / "named.npz"], {"c": (2,)})
    with pytest.raises(DataError, match=r"Give a \.npz with an array of each name\.$"):  # labels come in one file
        load_labels(tmp_path / "a.npy", ["u", "v"])
    np.save(tmp_path / "b.npy", b[:3])
    with pytest.raises(DataError, match="a: 4, b: 3"):
        load_inputs([tmp_path / "a.npy", tmp_path / "b.npy"], shapes)


def test_flat_rows_take_the_shape_of_the_input(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12).reshape(2, 6))
    (found,) = load_inputs([tmp_path / "x.npy"], {"in": (2, 3)})
    assert found.tolist() == np.arange(12).reshape(2, 2, 3).tolist()


def test_events_and_labels_may_lie_in_one_file(tmp_path):
    np.savez(tmp_path / "xy.npz", y=np.array([0, 1]), x=X)
    assert np.array_equal(load_inputs([tmp_path / "xy.npz"], {"input_1": (3,)})[0], X)
    assert load_labels(tmp_path / "xy.npz", ["out"])[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((4, 2)), r"takes \(events, 3\)"),
        (np.ones(3), "without an event axis"),
        (np.ones((0, 3)), "no events"),
        (np.array([[1, np.nan, 2], [np.inf, 0, 0]]), "2 values are NaN or Inf, the first in event 0"),
        (np.array([["a", "b", "c"]]), "not numbers"),
        (np.ones((2, 3), complex), "not numbers"),
    ],
)
def test_data_that_does_not_fit_is_refused(tmp_path, array, words):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=words):
        load_inputs([tmp_path / "x.npy"], {"in": (3,)})


class Bomb:
    def __reduce__(self):
        return (open, ("owned", "w"))


def test_damaged_and_pickled_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("object.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04broken")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "empty.csv").write_text("\n")
    (tmp_path / "words.csv").write_text("1,2\n3,x\n")
    (tmp_path / "ragged.csv").write_text("1,2\n3\n")
    (tmp_path / "binary.dat").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "x.pkl").write_bytes(b"")
    words = {
        "object.npy": "Python objects",
        "raw.npy": "Python objects|damaged",
        "cut.npz": "damaged",
        "empty.npy": "damaged",
        "empty.csv": "no events",
        "words.csv": "'x' in event 2",
        "ragged.csv": "Event 2 has 1 values",
        "binary.dat": "not text",
        "x.pkl": "'.pkl' is not read",
        "none.npy": "No such file",
    }
    for name, message in words.items():
        with pytest.raises(DataError, match=message):
            load(name)
    assert not (tmp_path / "owned").exists()


def test_labels(tmp_path):
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    assert load_labels(tmp_path / "y.npy", ["out"])[0].tolist() == [0, 1]
    with pytest.raises(DataError, match="2 outputs"):
        load_labels(tmp_path / "y.npy", ["a", "b"])
    np.savez(tmp_path / "y.npz", b=np.array([1]), a=np.array([0]))
    assert [y[0] for y in load_labels(tmp_path / "y.npz", ["a", "b"])] == [0, 1]
