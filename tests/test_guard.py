"""Hostile files of every format: refused with the place and the reason, in bounded time and memory."""

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest

import nn2hls.config.config
from nn2hls import frontends
from nn2hls.config.yaml import MAX_BYTES, from_mapping, read_yaml
from nn2hls.data.files import load, load_inputs
from nn2hls.errors import ConfigError, DataError, LimitError, ModelError
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.guard import MAX_DEPTH, MAX_ITEMS, Guard
from nn2hls.ops import Constant, Input, Relu

GUARD = Guard(DataError, "The data", "Save it again.")
READERS = {
    "m.keras": (frontends.load, ModelError),
    "m.h5": (frontends.load, ModelError),
    "m.onnx": (frontends.load, ModelError),
    "m.pt2": (frontends.load, ModelError),
    "c.yml": (read_yaml, ConfigError),
    "x.npy": (load, DataError),
    "x.npz": (load, DataError),
    "x.csv": (load, DataError),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_not_opened(tmp_path, name):
    read, error = READERS[name]
    path = tmp_path / name
    for make, words in (
        (lambda: os.mkfifo(path), "named pipe"),
        (lambda: path.symlink_to("/dev/zero"), "a device"),
        (lambda: path.symlink_to(path), "symbolic links"),
        (path.mkdir, "folder"),
    ):
        make()
        with pytest.raises(error, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.mark.parametrize("name", READERS)
def test_paths_that_cannot_be(tmp_path, name):
    read, error = READERS[name]
    for path in (tmp_path / ("x" * 300 + name), tmp_path / f"a\0{name}"):
        with pytest.raises(error, match="cannot be read"):
            read(path)


def test_a_folder_that_may_not_be_listed_gives_no_hint_and_no_traceback(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(ModelError, match="does not exist"):
        frontends.load(tmp_path / "m.keras")


def test_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(bytes(100))
    monkeypatch.setattr(GUARD, "_regular", lambda *seen: None)  # it was small then
    with pytest.raises(DataError, match="at most 20 are read"):
        GUARD.read(path, 20)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} deep"),
        ('{"a":' * 900 + "1" + "}" * 900, f"more than {MAX_DEPTH} deep"),
        ("[" * 200_000, f"more than {MAX_DEPTH} deep"),
        ("[" + "0," * MAX_ITEMS + "0]", f"more than {MAX_ITEMS} items"),
        ('{"units": ' + "9" * 400 + "}", "more than 64 bits"),
        (str(1 << 64), "over 64 bits"),
        ('{"name": "\\ud800"}', "lone surrogate"),
        ('"\ud800"', "lone surrogate"),
        (b"\xff\xfe\xff", "not text"),
        (b'{"a": "\xed\xa0\x80"}', "not text"),
        ("{", "damaged"),
    ],
)
def test_json_beyond_bounds(text, words):
    with pytest.raises(DataError, match=words):
        GUARD.json(text, "a.json")


def test_json_within_bounds():
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert GUARD.json(deep, "a") == json.loads(deep)
    for value in ((1 << 64) - 1, -(1 << 63), {"a": ["\U0001f600", 1e-300]}):
        assert GUARD.json(json.dumps(value).encode(), "a") == value
    assert GUARD.json("\ufeff[1]".encode("utf-8"), "a") == GUARD.json("[1]".encode("utf-16"), "a") == [1]


def archive(compression=zipfile.ZIP_STORED, **members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in members.items():
            file.writestr(name, content, compression)
    return stream.getvalue()


def npy(header, body=b"", version=1):
    head = header.encode("latin1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(head)) + head + body


PLAIN = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2"), "damaged"),
        (npy(PLAIN.replace("(2, 2)", "(True, 2)")), "whole numbers"),
        (npy(PLAIN.replace("(2, 2)", "(-1, 2)")), "whole numbers"),
        (npy(PLAIN.replace("(2, 2)", "(10000000000000,)")), "more than"),
        (npy(PLAIN.replace("2, 2", f"{10**400},")), "more than|damaged"),
        (npy(PLAIN, bytes(24)), "asks for 32 bytes, it holds 24"),
        (npy(PLAIN.replace("<f8", "|O"), bytes(32)), "Python objects"),
        (npy(PLAIN.replace("<f8", "|V0")), "asks for"),
        (npy("[" * 3000), "damaged"),
        (npy(PLAIN, bytes(32), version=3), "records"),
    ],
)
def test_npy(tmp_path, data, words):
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(DataError, match=words):
        load(tmp_path / "x.npy")


def test_npy_in_either_order(tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    for array in (values, np.asfortranarray(values), values.astype(">i2")):
        np.save(tmp_path / "x.npy", array)
        assert load(tmp_path / "x.npy")[""].tolist() == values.tolist()


def spoiled(data, mark, place, value):
    """The bytes with one changed behind a mark."""
    at = data.index(mark) + place
    return data[:at] + bytes([value]) + data[at + 1 :]


def test_npz(tmp_path):
    good = npy(PLAIN, bytes(32))
    deflated = archive(zipfile.ZIP_DEFLATED, **{"x.npy": good * 40})
    packed = archive(zipfile.ZIP_LZMA, **{"x.npy": good * 40})
    plain = archive(**{"x.npy": good})
    for data, words in (
        (spoiled(spoiled(plain, b"PK\3\4", 6, 1), b"PK\1\2", 8, 1), "encrypted"),
        (spoiled(spoiled(plain, b"PK\3\4", 8, 93), b"PK\1\2", 10, 93), "of a kind that is not read"),
        (spoiled(deflated, b"x.npy", 8, 0xFF), "damaged"),
        (spoiled(packed, b"x.npy", 20, 0xFF), "damaged"),
        (archive(**{"x.txt": b"hello"}), "no .npy"),
        (archive(**{"x.npy": b"hello"}), "damaged or no .npy"),
        (archive(**{"x.npy": good})[:-30], "damaged"),
        (spoiled(plain, b"PK\5\6", 15, 0x7F), "table of contents"),
    ):
        (tmp_path / "x.npz").write_bytes(data)
        with pytest.raises(DataError, match=words):
            load(tmp_path / "x.npz")


def test_an_npz_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("nn2hls.data.formats.MAX_VALUES", 1000)
    half = npy(PLAIN.replace("(2, 2)", "(600,)"), bytes(4800))
    for members in ({"x.npy": bytes(1 << 20)}, {"x.npy": half, "y.npy": half}):
        (tmp_path / "x.npz").write_bytes(archive(zipfile.ZIP_DEFLATED, **members))
        with pytest.raises(DataError, match="is larger than"):
            load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,,2,3,4\n", r"x\.csv:1, column 2: Event 1 has no value here"),
        ("1,2\n,4\n", r"x\.csv:2, column 1: Event 2 has no value here"),
        ("1,2,\n", r"x\.csv:1, column 3"),
        ("# note\n\n1,5 2,5\n", r"x\.csv:3, column 2: '5 2' in event 1 is not a number\. Commas or white space"),
        ("1,2\n3,1_0\n", r"x\.csv:2, column 2: '1_0'"),
        ("a,b\n1,0x10\n", r"x\.csv:2, column 2: '0x10'"),
        ("pt,1e5\n1,2\n", r"x\.csv:1, column 1: 'pt'"),
        ("1,2\n1;2\n", r"x\.csv:2, column 1: '1;2'"),
        ("1,2\n1,2,3\n", r"x\.csv:2: Event 2 has 3 values, the first has 2"),
    ],
)
def test_tables_that_are_read_by_guessing_elsewhere(tmp_path, text, words):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        load(tmp_path / "x.csv")


def test_a_gap_in_a_table_of_tabs(tmp_path):
    (tmp_path / "x.tsv").write_text("1\t\t3\n")
    with pytest.raises(DataError, match=r"x\.tsv:1, column 2: Event 1 has no value here"):
        load(tmp_path / "x.tsv")


@pytest.mark.filterwarnings("error")
def test_tables_as_programs_write_them(tmp_path):
    for name, text in (
        ("x.csv", "a,b,c\n1,2, 3\n 4,5,6\n"),
        ("x.csv", "1_1,1_2,1_3\n1,2,3\n4,5,6\n"),
        ("x.dat", "  1 2   3e0\n4\t5 6\n"),
        ("x.tsv", "a\tb\tc\n1\t2\t3\n4\t5\t6"),
        ("x.txt", "\ufeff# note\r\n+1. 2e0 .3e1\r\n\r\n4 5 6\r\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert load(tmp_path / name)[""].tolist() == [[1, 2, 3], [4, 5, 6]], text


def test_a_header_that_counts_the_columns_is_said_to_be_an_event(tmp_path):
    (tmp_path / "x.csv").write_text("0,1,2\n4,5,6\n")
    with pytest.warns(UserWarning, match=r"x\.csv:1: this line counts the columns"):
        assert len(load(tmp_path / "x.csv")[""]) == 2


def test_calibration_data_that_no_type_holds(tmp_path):
    builder = Builder()
    graph = builder.build([builder.add("y", Relu(), [builder.add("x", Input((2,)))])])
    np.save(tmp_path / "x.npy", [[1e200, 0]])
    data = load_inputs([tmp_path / "x.npy"], {"x": (2,)})
    with pytest.raises(DataError, match=r"x: Its calibration data reaches 1e\+200"):
        nn2hls.convert(graph, calibration=data)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ReuseFactor: !!bool maybe", "'maybe' is not what its tag says"),
        ('ReuseFactor: !!int ""', "'' is not what its tag says"),
        ("ReuseFactor: !!float x", "is not what its tag says"),
        ("ReuseFactor: " + "9" * 5000, "is not what its tag says|more than 64 bits"),
        ('OutputDir: "\\ud800"', "surrogate"),
        ('"\\ud800": 1', "surrogate"),
        ("a: " + "[" * 50_000, "nests too deeply"),
        ("x" * (MAX_BYTES + 1), f"at most {MAX_BYTES} are read. Name a file of the model"),
    ],
)
def test_yaml(tmp_path, text, words):
    (tmp_path / "c.yml").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        read_yaml(tmp_path / "c.yml")
    assert "c.yml" in str(caught.value)


def test_a_config_has_a_bounded_number_of_keys_and_values(tmp_path, monkeypatch):
    """As they are composed, so that time is bounded, and again when what aliases stand for is written out."""
    monkeypatch.setattr("nn2hls.config.yaml.MAX_ITEMS", 1000)
    for text, words in (
        ("a: [" + "1," * 1000 + "1]", "more than 1000 keys and values. Set values for types of layers"),
        ("a: &a [1, 1]\nb: &b [*a, *a]\n" + "d: [" + "*b, " * 200 + "*b]", "without end through its aliases"),
    ):
        (tmp_path / "c.yml").write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_yaml(tmp_path / "c.yml")
    (tmp_path / "c.yml").write_text("a: [" + "1," * 990 + "1]")
    assert len(read_yaml(tmp_path / "c.yml").value["a"].value) == 991


def test_a_config_that_is_wrong_all_over_is_not_read_to_the_end():
    wrong = {f"k{k}": 1 for k in range(50_000)}
    with pytest.raises(ConfigError, match="100 errors, or more, in the config") as caught:
        nn2hls.config.read.read_config({"HLSConfig": {"Model": {"Precision": wrong}}})
    assert str(caught.value).count("is not a known key") == 100


def test_a_dict_as_deep_or_large_as_no_config_is():
    deep = 1
    for _ in range(900):
        deep = {"a": [deep]}
    for value, words in ((deep, "nests more than"), ({"a": 10**400}, "64 bits"), ({"a": "\ud800"}, "surrogate")):
        with pytest.raises(ConfigError, match=words):
            from_mapping(value)


def test_a_graph_is_bounded_as_it_is_built(monkeypatch):
    builder = Builder()
    with pytest.raises(LimitError, match="x: 1073741824 values come out of this layer"):
        builder.add("x", Input((1 << 30,)))
    monkeypatch.setattr("nn2hls.graph.builder.MAX_TENSORS", 10)
    builder = Builder()
    with pytest.raises(LimitError, match="12 values come out of the layers"):
        builder.add("z", Relu(), [builder.add("y", Input((6,)))])
    monkeypatch.setattr("nn2hls.graph.builder.MAX_VALUES", 5)
    with pytest.raises(LimitError, match="6 weights"):
        Builder().add("c", Constant(Const(np.zeros(6))))
    monkeypatch.setattr("nn2hls.graph.builder.MAX_LAYERS", 1)
    builder = Builder()
    with pytest.raises(LimitError, match="2 layers"):
        builder.add("r", Relu(), [builder.add("x", Input((1,)))])
