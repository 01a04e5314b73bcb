"""A project folder is also the user's and the vendor's: nothing of theirs is lost, whatever interrupts a write."""

import errno
import itertools
import json
import os
import re
import sys
import warnings
from pathlib import Path

import pytest

from nn2hls import files
from nn2hls.errors import Nn2hlsError, ProjectWarning
from nn2hls.tools import writer as project_folder
from nn2hls.tools.folder import Project, is_interrupted, written_sources
from nn2hls.tools.mark import MARK
from nn2hls.tools.writer import JOURNAL, LOCK

COMMON = {"firmware/same.h": "// as it was\n", "firmware/net.cpp": "int old;\n"}
OLD = Project("net", {**COMMON, "firmware/layers/gone.h": "int gone;\n"}, {"nn2hls.json": '{"v": 1}\n'})
NEW = Project(
    "net", {**COMMON, "firmware/net.cpp": "int new_one;\n", "firmware/deep/fresh.h": "int f;\n"}, {"nn2hls.json": "{}\n"}
)
STEPS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.listdir", "fcntl.flock"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(files.os, "fsync", lambda handle: None)


def put(folder, texts):
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def foreign(folder):
    """Thirty files of the user and of a vendor's tool, links, an empty folder and one that cannot be written."""
    places = ["net_prj", "net_prj/solution1/syn", "firmware", "firmware/layers/mine", "reports", "."]
    put(folder, {f"{p}/result{k}.rpt": f"{p} {k}: hours of synthesis\n" for p in places for k in range(5)})
    (folder / "empty" / "inner").mkdir(parents=True)
    (folder / "firmware" / "layers" / "notes").mkdir()
    (folder / "disk").symlink_to(folder.parent)
    (folder / "firmware" / "dangling").symlink_to("nowhere")
    (folder / "net_prj").chmod(0o555)


def seen(folder):
    """What stands in a folder and is not nn2hls's: by path its content, or what kind it is."""
    ours = {*OLD.files, *NEW.files, *OLD.about, MARK, JOURNAL, LOCK}
    found = {}
    for root, folders, names in os.walk(folder):
        for path in (Path(root, n) for n in (*folders, *names)):
            relative = str(path.relative_to(folder))
            own = relative in ours or path.name.endswith((".nn2hls-new", project_folder.KEPT))
            if path.is_symlink():
                found[relative] = f"-> {os.readlink(path)}"
            elif not own and path.is_file():
                found[relative] = path.read_text()
    return found | {p: "folder" for p in ("empty/inner", "firmware/layers/notes") if (folder / p).is_dir()}


def holds(folder, project):
    """Whether every file of a project stands in the folder as it is."""
    texts = {**project.files, **project.about}
    return all((folder / p).is_file() and (folder / p).read_text() == text for p, text in texts.items())


def clean(folder):
    names = {p.name for p in folder.rglob("*")}
    return not {n for n in names if n.endswith(".nn2hls-new")} and not names & {JOURNAL, LOCK}


# ---- faults at every step --------------------------------------------------------------------------------------------------


def scenario(name, folder):
    """The folder before the write that is disturbed."""
    if name == "fresh":
        return
    OLD.write(folder)
    foreign(folder)
    if name == "edited":
        (folder / "firmware" / "net.cpp").write_text("int by_hand;\n")
        (folder / "firmware" / "layers" / "gone.h").write_text("int mine;\n")
    elif name == "old format":
        old_mark(folder)


def old_mark(folder):
    """Mark OLD as an earlier nn2hls did: without a digest per file."""
    sources = {**OLD.files, **OLD.about}
    (folder / MARK).write_text("\n".join([digest := Project("", sources).digest, *sorted(sources)]) + "\n")
    return digest


def disturbed(folder, n, mode):
    """In a child process, a write whose n-th step fails; its exit status: 0 when there are fewer steps, 4 when it went well."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    steps, reached = itertools.count(1), set()

    def step(event, arguments):
        inside = event in ("fcntl.flock", "write") or any(str(folder.parent) in str(a) for a in arguments)
        if event not in {*STEPS, "write"} or not inside:
            return
        k = next(steps)
        reached.add(k)
        if k == n or (mode == "dead disk" and k > n):
            if mode == "kill":
                os._exit(9)
            raise KeyboardInterrupt if mode == "interrupt" else OSError(errno.ENOSPC, "No space left on device")

    def halves(file, content):
        data = content.encode() if isinstance(content, str) else content
        file.write(data[: len(data) // 2])
        file.flush()
        step("write", ())
        file.write(data[len(data) // 2 :])

    files._put = halves
    sys.addaudithook(step)
    status = 3
    try:
        NEW.write(folder)
        status = 4 if n in reached else 0
    except Nn2hlsError as error:
        status = 1 if str(folder) in error.where and "No space left" in error.what else 2
    except KeyboardInterrupt:
        status = 1
    finally:
        os._exit(status)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["error", "interrupt", "dead disk", "kill"])
@pytest.mark.parametrize("name", ["fresh", "over", "edited", "old format"])
@pytest.mark.long
def test_a_fault_at_any_step_loses_nothing_and_the_next_write_completes(tmp_path, name, mode):
    interrupted = 0
    for n in itertools.count(1):
        folder = tmp_path / str(n) / "p"
        folder.parent.mkdir()
        scenario(name, folder)
        before = seen(folder)
        status = disturbed(folder, n, mode)
        assert seen(folder) == before, n
        if status == 0:
            break
        assert status in ((9,) if mode == "kill" else (1, 4)), n
        for path, text in NEW.files.items():  # whole or not at all
            place = folder / path
            assert not place.exists() or place.read_text() in {text, OLD.files.get(path), "int by_hand;\n"}, n
        state = written_sources(folder) if folder.is_dir() else None
        if state and state[1]:
            assert holds(folder, OLD if state[0] != NEW.digest else NEW), n
        if state and state[0] and not state[1] and name != "edited":
            assert is_interrupted(folder), n
        interrupted += folder.is_dir() and is_interrupted(folder)
        NEW.write(folder)
        assert holds(folder, NEW), n
        assert written_sources(folder) == (NEW.digest, True), n
        assert seen(folder) == before, n
        assert clean(folder), n
        gone = folder / "firmware" / "layers" / "gone.h"
        if name == "edited":
            assert (folder / f"firmware/net.cpp{project_folder.KEPT}").read_text() == "int by_hand;\n", n
            assert gone.read_text() == "int mine;\n", n
        else:
            assert not gone.exists(), n
    assert n > 30  # the steps of a write are seen
    assert holds(folder, NEW)
    assert mode != "kill" or interrupted > 10


def test_a_failed_first_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(file, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_put", full)
    with pytest.raises(Nn2hlsError, match=r"out/p/.*: The project cannot be written: No space left on device"):
        NEW.write(tmp_path / "out" / "p")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_becomes_full_changes_no_file(tmp_path, monkeypatch):
    """All new files are on the disk before the first one takes its place."""
    folder, real = tmp_path / "p", files._put
    OLD.write(folder)

    def full(file, content):
        if content == NEW.about["nn2hls.json"].encode():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, content)

    monkeypatch.setattr(files, "_put", full)
    with pytest.raises(Nn2hlsError, match=r"p/nn2hls.json: The project cannot be written: No space left on device"):
        NEW.write(folder)
    assert holds(folder, OLD)
    assert written_sources(folder) == (OLD.digest, True)
    assert clean(folder)


# ---- the other ways in which files were lost -------------------------------------------------------------------------------


def test_two_writers_wait_for_each_other(tmp_path):
    folder = tmp_path / "p"
    OLD.write(folder)
    foreign(folder)
    before = seen(folder)
    children = []
    for k in range(2):
        child = os.fork()
        if not child:
            try:
                for turn in range(40):
                    (OLD, NEW)[(turn + k) % 2].write(folder)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    digest, untouched = written_sources(folder)
    assert untouched
    assert holds(folder, OLD if digest == OLD.digest else NEW)
    assert seen(folder) == before
    assert clean(folder)


def test_a_writer_does_not_wait_for_ever(tmp_path, monkeypatch):
    folder = tmp_path / "p"
    OLD.write(folder)
    monkeypatch.setattr(project_folder, "PATIENCE", 0.05)
    with project_folder._locked(folder), pytest.raises(Nn2hlsError, match="Another process is writing"):
        NEW.write(folder)
    assert holds(folder, OLD)
    NEW.write(folder)
    assert holds(folder, NEW)


def test_the_lock_of_a_dead_process_holds_nobody(tmp_path):
    OLD.write(tmp_path / "p")
    (tmp_path / "p" / LOCK).touch()
    NEW.write(tmp_path / "p")
    assert clean(tmp_path / "p")


@pytest.mark.parametrize("kind", ["file", "link", "folder", "parent"])
def test_what_stands_in_the_way_is_refused_and_stays(tmp_path, kind):
    folder = tmp_path / "p"
    OLD.write(folder)
    mine = folder / "firmware" / "deep" / "fresh.h"
    if kind == "parent":
        put(folder, {"firmware/deep": "a file of mine"})
    else:
        mine.parent.mkdir()
        {"file": lambda: mine.write_text("my work"), "link": lambda: mine.symlink_to("x"), "folder": mine.mkdir}[kind]()
    before = sorted(map(str, folder.rglob("*")))
    with pytest.raises(Nn2hlsError, match=r"did not write what stands here .*firmware/deep"):
        NEW.write(folder)
    assert sorted(map(str, folder.rglob("*"))) == before
    assert written_sources(folder) == (OLD.digest, True)


def test_files_changed_by_hand_are_kept_and_named(tmp_path):
    folder = tmp_path / "p"
    OLD.write(folder)
    put(folder, {"firmware/net.cpp": "int mine;\n", "firmware/layers/gone.h": "int mine_too;\n"})
    with pytest.warns(ProjectWarning) as told:
        NEW.write(folder)
    said = "\n".join(str(w.message) for w in told)
    assert re.search(r"p: firmware/net\.cpp was changed by hand.*kept as net\.cpp\.by-hand", said)
    assert re.search(r"p: firmware/layers/gone\.h was changed by hand: it stays", said)
    assert (folder / "firmware" / "net.cpp.by-hand").read_text() == "int mine;\n"
    assert (folder / "firmware" / "layers" / "gone.h").read_text() == "int mine_too;\n"
    with pytest.raises(Nn2hlsError, match=r"did not write what stands here .*gone\.h"):  # it is the user's now
        OLD.write(folder)
    (folder / "firmware" / "layers" / "gone.h").unlink()
    put(folder, {"firmware/net.cpp": "int again;\n"})
    with pytest.warns(ProjectWarning, match=r"by-hand2"):
        OLD.write(folder)
    assert (folder / "firmware" / "net.cpp.by-hand").read_text() == "int mine;\n"
    assert (folder / "firmware" / "net.cpp.by-hand2").read_text() == "int again;\n"


def test_where_a_file_cannot_have_a_second_name_it_is_copied(tmp_path, monkeypatch):
    def none(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    OLD.write(tmp_path / "p")
    put(tmp_path / "p", {"firmware/net.cpp": "int mine;\n"})
    monkeypatch.setattr(project_folder.os, "link", none)
    with pytest.warns(ProjectWarning):
        NEW.write(tmp_path / "p")
    assert (tmp_path / "p" / "firmware" / "net.cpp.by-hand").read_text() == "int mine;\n"


def test_a_mark_of_the_old_format_is_read(tmp_path):
    folder = tmp_path / "p"
    OLD.write(folder)
    digest = old_mark(folder)
    assert written_sources(folder) == (digest, True)
    put(folder, {"firmware/layers/gone.h": "int mine;\n"})
    assert written_sources(folder) == (digest, False)
    with pytest.warns(ProjectWarning) as told:  # which of its files were changed is not known
        NEW.write(folder)
    assert any("gone.h was changed by hand" in str(w.message) for w in told)
    assert (folder / "firmware" / "layers" / "gone.h").read_text() == "int mine;\n"


@pytest.mark.parametrize("path", ["../outside.h", "/tmp/outside.h", "firmware/../../outside.h"])
def test_a_mark_that_names_files_outside_removes_none(tmp_path, path):
    folder = tmp_path / "p"
    OLD.write(folder)
    (tmp_path / "outside.h").write_text("mine")
    sha = project_folder.sha256(b"mine")
    (folder / MARK).write_text(f"{OLD.digest}\n{sha} source {path}\n" + (folder / MARK).read_text().split("\n", 1)[1])
    (folder / JOURNAL).write_text(json.dumps({"ours": {path: [sha]}}))
    NEW.write(folder)
    assert (tmp_path / "outside.h").read_text() == "mine"


def test_the_same_project_again_touches_nothing(tmp_path):
    folder = OLD.write(tmp_path / "p")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OLD.write(folder)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_links_in_a_circle_are_named(tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(Nn2hlsError, match="one: The project cannot be written: Too many levels"):
        NEW.write(tmp_path / "one")
