"""Files that are written whole or not at all."""

import errno
import os
import stat

import numpy as np
import pytest

from nn2hls import files
from nn2hls.files import write_whole


def full_disk(file):
    file.write(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("content", ["é\n", b"\xc3\xa9\n", lambda file: file.write("é\n".encode())])
def test_the_content_is_written_and_the_folder_made(tmp_path, content):
    write_whole(tmp_path / "a" / "b" / "out.txt", content)
    assert (tmp_path / "a" / "b" / "out.txt").read_text(encoding="utf-8") == "é\n"
    assert os.listdir(tmp_path / "a" / "b") == ["out.txt"]


@pytest.mark.parametrize("step", ["content", "fsync", "replace"])
def test_a_failure_leaves_what_stood_there_and_names_the_file(tmp_path, monkeypatch, step):
    place = tmp_path / "out.npy"
    place.write_text("good")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step != "content":
        monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_whole(place, full_disk if step == "content" else "new")
    assert caught.value.filename == str(place)
    assert place.read_text() == "good"
    assert os.listdir(tmp_path) == ["out.npy"]


def test_an_error_without_a_number_is_named_too(tmp_path):
    def short(file):
        raise OSError("100 requested and 7 written")  # what NumPy says

    with pytest.raises(OSError, match="100 requested") as caught:
        write_whole(tmp_path / "x.npy", short)
    assert caught.value.filename == str(tmp_path / "x.npy")
    assert os.listdir(tmp_path) == []


def test_an_interrupt_leaves_what_stood_there(tmp_path):
    place = tmp_path / "out.txt"
    place.write_text("good")

    def interrupted(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(place, interrupted)
    assert (place.read_text(), os.listdir(tmp_path)) == ("good", ["out.txt"])


def test_permissions_stay_and_new_files_follow_the_umask(tmp_path):
    place, new = tmp_path / "secret.txt", tmp_path / "new.txt"
    place.write_text("old")
    place.chmod(0o600)
    mask = os.umask(0o027)
    try:
        write_whole(place, "new")
        write_whole(new, "new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_a_protected_file_is_not_replaced(tmp_path, monkeypatch):
    place = tmp_path / "out.txt"
    place.write_text("good")
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)  # also where the tests run as root
    with pytest.raises(PermissionError):
        write_whole(place, "new")
    assert place.read_text() == "good"


def test_a_link_keeps_its_place(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "file.txt")
    write_whole(tmp_path / "link.txt", "through")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real" / "file.txt").read_text() == "through"


def test_links_in_a_circle_are_an_error_with_the_name(tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(OSError, match="symbolic links") as caught:
        write_whole(tmp_path / "one", "text")
    assert caught.value.filename == str(tmp_path / "one")


def test_folders_are_not_replaced_and_devices_take_what_comes(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, "text")
    write_whole(os.devnull, "text")
    assert not os.path.isfile(os.devnull)


def test_arrays(tmp_path):
    write_whole(tmp_path / "x.npy", lambda file: np.save(file, np.arange(3)))
    write_whole(tmp_path / "x.csv", lambda file: np.savetxt(file, np.arange(3.0)[None], delimiter=",", fmt="%.17g"))
    assert np.load(tmp_path / "x.npy").tolist() == [0, 1, 2]
    assert (tmp_path / "x.csv").read_text() == "0,1,2\n"
