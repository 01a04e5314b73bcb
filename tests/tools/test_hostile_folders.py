"""What stands in a project's folder, or where results are kept, may be anybody's: read by the guard, in bounded time."""

import hashlib
import os
import stat
from types import SimpleNamespace

import numpy as np
import pytest

from nn2hls.errors import ConfigError, DataError, Nn2hlsError, ToolError
from nn2hls.guard import MAX_DEPTH, MAX_ELEMENTS, MAX_JSON, MAX_REPORT, Guard
from nn2hls.report.project import project_report, read_reports
from nn2hls.scan.record import MAX_RECORD, Record
from nn2hls.tools.amd.cosim import read_cosimulation
from nn2hls.tools.amd.run import _errors
from nn2hls.tools.amd.text import read_xml
from nn2hls.tools.amd.vivado import read_slack, read_utilization
from nn2hls.tools.folder import MANIFEST, Manifest, Project, written_sources
from nn2hls.tools.mark import MARK
from nn2hls.tools.process import PRINTED, run_logged
from nn2hls.tools.report import BuildReport
from nn2hls.tools.rtl.core import Core
from nn2hls.tools.rtl.yosys import _cells
from nn2hls.tools.writer import JOURNAL

PROJECT = Project("net", {"firmware/net.cpp": "int a;\n"}, {MANIFEST: "{}\n"})
GUARD = Guard(ToolError, "This report")
# Who reads: the file's name in a folder, how it is read, the error, the most bytes.
READERS = {
    "manifest": (MANIFEST, Manifest.read, Nn2hlsError, MAX_JSON),
    "mark": (MARK, written_sources, Nn2hlsError, MAX_REPORT),
    "report": ("reports/rtl.json", read_reports, ToolError, MAX_JSON),
    "build": ("rtl.json", lambda folder: BuildReport.read(folder / "rtl.json"), ToolError, MAX_JSON),
    "xml": ("csynth.xml", lambda folder: read_xml(folder / "csynth.xml"), ToolError, MAX_REPORT),
    "cosim": ("net.rpt", lambda folder: read_cosimulation(folder / "net.rpt"), ToolError, MAX_REPORT),
    "use": ("use.rpt", lambda folder: read_utilization(folder / "use.rpt"), ToolError, MAX_REPORT),
    "slack": ("t.rpt", lambda folder: read_slack(folder / "t.rpt"), ToolError, MAX_REPORT),
    "cells": ("stat.json", lambda folder: _cells(folder / "stat.json"), ToolError, MAX_JSON),
    "core": ("net.v", lambda folder: Core("net", folder, (), (), True).rtl_ports, ToolError, MAX_REPORT),
    "scan": ("scan.jsonl", lambda folder: Record(folder / "scan.jsonl"), DataError, MAX_RECORD),
}
TEXTS = ("manifest", "report", "build", "cells", "scan")  # those that are JSON


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_a_device_a_folder_and_a_giant_are_refused_by_name(tmp_path, reader):
    name, read, error, limit = READERS[reader]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    for make, words in (
        (lambda: os.mkfifo(path), "named pipe"),
        (lambda: path.symlink_to("/dev/zero"), "a device"),
        (lambda: path.symlink_to(path), "symbolic links"),
        (path.mkdir, "a folder"),
        (lambda: path.write_bytes(b"") or os.truncate(path, limit + 1), f"at most {limit} are read"),
    ):
        make()
        with pytest.raises(error, match=words) as caught:
            read(tmp_path)
        assert str(path) in str(caught.value)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.mark.parametrize("reader", TEXTS)
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "1" * 5000, '"\\ud800"', "{", "[]", "7", "null"]
)
def test_json_that_no_reader_can_stumble_over(tmp_path, reader, text):
    name, read, error, _ = READERS[reader]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text + "\n")
    with pytest.raises(error) as caught:
        read(tmp_path)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1), f"nests more than {MAX_DEPTH} deep"),
        ("<a>" * 200_000 + "</a>" * 200_000, f"nests more than {MAX_DEPTH} deep"),
        ("<a>" + "<b/>" * (2 * MAX_ELEMENTS) + "</a>", f"more than {MAX_ELEMENTS} elements"),
        ("<!DOCTYPE a [<!ENTITY b 'x'>]><a>&b;</a>", "document type"),
        ("<a>&b;</a>", "no XML"),
        ("<a", "no XML"),
        ("", "no XML"),
    ],
)
def test_xml_beyond_bounds(text, words):
    with pytest.raises(ToolError, match=words):
        GUARD.xml(text, "a.xml")


def test_xml_within_bounds():
    root = GUARD.xml("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH, "a.xml")
    assert len(list(root.iter("a"))) == MAX_DEPTH


def test_of_a_log_only_the_end_is_read_whatever_its_length(tmp_path):
    log = tmp_path / "tool.log"
    with log.open("wb") as file:
        file.truncate(1 << 40)  # a sparse file of 1 TiB
        file.seek(0, os.SEEK_END)
        file.write(b"\nERROR: no \xff licence\n")
    assert PRINTED.log(log, 10) == " licence\n".rjust(10, "\ufffd")
    log.write_text("x\nERROR: first\nERROR: second\n")
    assert _errors(log) == ["ERROR: first", "ERROR: second"]


def test_a_log_is_not_written_into_a_pipe(tmp_path):
    log = tmp_path / "tool.log"
    for make in (lambda: os.mkfifo(log), lambda: log.symlink_to("/dev/full")):
        make()
        with pytest.raises(OSError, match="no regular file"):
            run_logged(["true"], tmp_path, log)
        log.unlink()


@pytest.mark.parametrize("name", [MARK, JOURNAL, "firmware/net.cpp", MANIFEST])
def test_a_project_is_not_written_over_a_pipe(tmp_path, name):
    PROJECT.write(tmp_path / "p")
    path = tmp_path / "p" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(Nn2hlsError):
        Project("net", {"firmware/net.cpp": "int b;\n"}, {MANIFEST: '{"v": 2}\n'}).write(tmp_path / "p")
    assert stat.S_ISFIFO(path.lstat().st_mode)


def test_a_folder_whose_mark_cannot_be_read_is_not_called_foreign(tmp_path):
    PROJECT.write(tmp_path / "p")
    (tmp_path / "p" / MARK).unlink()
    os.mkfifo(tmp_path / "p" / MARK)
    with pytest.raises(Nn2hlsError, match="named pipe"):
        project_report(tmp_path / "p")


def test_a_study_is_not_kept_in_a_pipe(tmp_path):
    pytest.importorskip("optuna")
    from nn2hls.search.study import Study

    for make, words in ((os.mkfifo, "named pipe"), (os.mkdir, "a folder"), (lambda p: os.symlink("/dev/zero", p), "a device")):
        path = tmp_path / f"{words[-4:]}.db"
        make(path)
        with pytest.raises(ConfigError, match=words):
            Study(SimpleNamespace(variables=()), {}, 0, 0.1, lambda found: 0.0, f"sqlite:///{path}", "s")


def test_the_digest_of_a_file_is_taken_in_parts(tmp_path):

    data = np.random.default_rng(0).bytes((3 << 20) + 7)
    (tmp_path / "x").write_bytes(data)
    assert GUARD.digest(tmp_path / "x") == hashlib.sha256(data).hexdigest()
