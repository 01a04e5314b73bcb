"""The history of an artefact: what is kept, the tree, the picture, a step again, and files that are none of ours."""

import json
import xml.dom.minidom

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import DataError
from nn2hls.history.picture import svg
from nn2hls.history.state import IN_FOLDER, history_of, keep, read
from nn2hls.history.tree import gather
from tests.kit.paths import ROOT

MODEL = ROOT / "examples" / "jet_tagging" / "jet_tagger_pruned.h5"
DATA = ROOT / "examples" / "jet_tagging"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with a model, a config and data, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tagger.h5").write_bytes(MODEL.read_bytes())
    x, y = (np.load(DATA / name, allow_pickle=False)[:60] for name in ("jets_test.npy", "jets_test_labels.npy"))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    (tmp_path / "tagger.yml").write_text("KerasModel: tagger.h5\nOutputDir: project\nBackend: Vitis\n")
    return tmp_path


def test_the_tree_of_a_pruned_and_converted_model(work, capsys):
    (work / "data.npy").write_bytes((work / "x.npy").read_bytes())
    assert (
        main(
            [
                "history",
                "tagger.h5",
                "--recipe",
                "trained, then pruned to 30 % in 7 rounds",
                "--from",
                "data.npy",
                "--seed",
                "3",
            ]
        )
        == 0
    )
    assert main(["convert", "tagger.yml"]) == 0
    assert main(["scan", "tagger.yml", "--input", "x.npy", "--labels", "y.npy", "--reuse", "1,2", "-o", "scan.csv"]) == 0
    tree = gather(work / "project")
    recipe, convert = tree.entries
    assert (recipe.state.kind, recipe.state.seed, convert.state.kind) == ("recipe", 3, "convert")
    assert convert.parents == (recipe.state.name,)
    assert {f.path for f in convert.state.inputs} == {"../tagger.yml", "../tagger.h5"}
    assert any(f.path == "firmware/defines.h" for f in convert.state.outputs)
    capsys.readouterr()
    assert main(["history", "scan.csv", "--svg", "tree.svg"]) == 0
    shown = capsys.readouterr().out
    assert "recipe: trained, then pruned to 30 % in 7 rounds" in shown
    assert "nn2hls scan tagger.yml" in shown
    assert "gave 1 file: as they were made" in shown
    xml.dom.minidom.parse(str(work / "tree.svg"))


@pytest.mark.parametrize("kind", ["convert", "scan"])
def test_a_step_again_gives_the_same(work, capsys, kind):
    words = {
        "convert": ["convert", "tagger.yml"],
        "scan": ["scan", "tagger.yml", "--input", "x.npy", "--labels", "y.npy", "--reuse", "1,2", "-o", "scan.csv"],
    }[kind]
    place = work / {"convert": "project", "scan": "scan.csv"}[kind]
    assert main(words) == 0
    (entry,) = gather(place).entries
    before = sorted(p.name for p in work.iterdir())
    assert main(["replay", str(place), entry.state.name[:6]]) == 0
    assert sorted(p.name for p in work.iterdir()) == before
    (work / "tagger.yml").write_text((work / "tagger.yml").read_text() + "HLSConfig: {Model: {MaxWidth: 9}}\n")
    capsys.readouterr()
    assert main(["replay", str(place), entry.state.name]) == 1
    shown = capsys.readouterr().out
    assert "tagger.yml is not what went in" in shown
    assert "DIFFERENT" in shown


def test_what_changed_or_went_is_told(work):
    assert main(["convert", "tagger.yml"]) == 0
    (work / "project" / "firmware" / "defines.h").write_text("")
    (work / "project" / "firmware" / "myproject.h").unlink()
    assert "1 changed, 1 gone" in gather(work / "project").text()


def test_the_same_step_is_one_state(work):
    for _ in range(2):
        assert main(["convert", "tagger.yml"]) == 0
    assert len(read(history_of(work / "project"))) == 1


def test_words_are_inert(work):
    keep(work / "tagger.h5", "recipe", ["<script>alert(1)</script>\x1b[31m\nred"], [], [work / "tagger.h5"], None)
    tree = gather(work / "tagger.h5")
    assert "<script>" not in svg(tree)
    assert "\x1b" not in tree.text() + svg(tree)
    assert len(tree.text().splitlines()) == 2


def hostile(folder, **changed):
    (state,) = json.loads((folder / IN_FOLDER).read_text())["states"]
    (folder / IN_FOLDER).write_text(json.dumps({"states": [{**state, **changed}]}))
    return gather(folder).entries[0].state.name


def test_a_history_runs_nothing_but_its_own_command_and_writes_nothing_outside(work, capsys):
    assert main(["convert", "tagger.yml"]) == 0
    name = hostile(work / "project", command=["convert", "tagger.yml", "-o", str(work / "elsewhere")])
    assert main(["replay", "project", name]) == 0
    assert not (work / "elsewhere").exists()
    for words in (["build", "tagger.yml"], ["sh", "-c", "touch made"], ["convert"], ["convert", "tagger.yml", "--evil"], []):
        assert main(["replay", "project", hostile(work / "project", command=words)]) == 1
    assert not (work / "made").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"states": 1}',
        '{"states": [{}]}',
        '{"states": [{"kind": "convert", "command": 3}]}',
        '{"states": [[]]}',
        "{",
    ],
)
def test_what_is_no_history_is_refused(work, text):
    (work / "tagger.h5.history.json").write_text(text)
    with pytest.raises(DataError, match="history"):
        gather(work / "tagger.h5")


def test_kinds_and_seeds_are_checked(work):
    assert main(["convert", "tagger.yml"]) == 0
    for changed in ({"kind": "rm"}, {"seed": "1"}, {"start": 3}, {"versions": {"a": 1}}, {"inputs": [{"path": "a"}]}):
        text = (work / "project" / IN_FOLDER).read_text()
        with pytest.raises(DataError):
            hostile(work / "project", **changed)
        (work / "project" / IN_FOLDER).write_text(text)


def test_without_a_history_it_is_said(work, capsys):
    assert main(["history", "x.npy"]) == 1
    assert "no history" in capsys.readouterr().err
    assert main(["history", "x.npy", "--seed", "1"]) == 2
    assert main(["history", "x.npy", "--recipe", "drawn", "--svg", "a.png"]) == 2
    assert main(["history", "x.npy", "--recipe", "drawn"]) == 0
    assert main(["replay", "x.npy", gather(work / "x.npy").entries[0].state.name]) == 1
    assert "made outside" in capsys.readouterr().err
    assert main(["replay", "x.npy", "zz"]) == 1


def test_python_keeps_what_the_command_line_keeps(work, capsys):
    design = nn2hls.convert(None, "tagger.yml")
    design.write("project")
    (entry,) = gather(work / "project").entries
    assert main(["convert", "tagger.yml", "-o", "other"]) == 0
    (other,) = gather(work / "other").entries
    assert (entry.state.kind, entry.state.inputs, entry.state.outputs) == ("convert", other.state.inputs, other.state.outputs)
    capsys.readouterr()
    assert main(["history", "project"]) == 0
    assert "Python: design.write('project')" in capsys.readouterr().out
    assert main(["replay", "project", entry.state.name]) == 1
    assert "nothing of a file is run as Python" in capsys.readouterr().err
    assert {f.path for f in entry.state.inputs} == {"../tagger.yml", "../tagger.h5"}
    nn2hls.convert("tagger.h5").write("alone")
    assert [f.path for f in gather(work / "alone").entries[0].state.inputs] == ["../tagger.h5"]
    nn2hls.export(design, "emulator", "exported")
    (exported,) = gather(work / "exported").entries
    assert exported.state.command == ("python", "nn2hls.export('emulator', 'exported')")
    assert all((work / "exported" / f.path).is_file() for f in exported.state.outputs)


def test_a_build_from_python_is_kept_once(work):
    design = nn2hls.convert(None, "tagger.yml")
    design.build("csim", "project", show=None)
    (entry,) = gather(work / "project").entries
    assert (entry.state.kind, entry.state.command) == ("build", ("python", "design.build('csim', 'project')"))
    assert [f.path for f in entry.state.outputs] == ["reports/csim.json"]


def test_two_spellings_of_a_folder_are_one_step(work):
    for words in (
        ["tagger.yml"],
        ["./tagger.yml", "-o", "./project/"],
        [str(work / "tagger.yml"), "-o", str(work / "project")],
    ):
        assert main(["convert", *words]) == 0
    (work / "link").symlink_to(work / "project")
    assert main(["convert", "tagger.yml", "-o", "link"]) == 0
    nn2hls.convert(None, "tagger.yml").write("project")
    assert len(read(history_of(work / "project"))) == 1
    (work / "tagger.yml").write_text("KerasModel: tagger.h5\nOutputDir: project\nBackend: Vitis\nClockPeriod: 4\n")
    assert main(["convert", "tagger.yml"]) == 0
    assert len(read(history_of(work / "project"))) == 2
