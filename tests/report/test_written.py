"""A written project read back, whole and damaged."""

import json
import shutil

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import ConfigError, ToolError
from tests.kit.paths import ROOT

MODEL = ROOT / "examples" / "jet_tagging" / "board_tagger.keras"
SETTINGS = {"Backend": "Verilog", "Part": "ulx3s-25", "ClockPeriod": 20, "Output": "argmax", "ProjectName": "jets"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder of a project on a board, its design)"""
    place = tmp_path_factory.mktemp("written")
    shutil.copy(MODEL, place / "net.keras")
    design = nn2hls.convert(None, {"KerasModel": str(place / "net.keras"), **SETTINGS}).on_board("ulx3s-25", port="spi")
    return design.write(place / "out"), design


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it, to be damaged."""
    shutil.copy(made[0].parent / "net.keras", tmp_path)
    return shutil.copytree(made[0], tmp_path / "out")


def test_what_was_written_is_read(made, folder):
    design, found = made[1], nn2hls.open(folder)
    assert (found.name, found.backend, found.part, found.clock_ns) == ("jets", "Verilog", design.config.part, 20)
    assert (found.version, found.digest) == (nn2hls.__version__, design.project.digest)
    assert (found.config.clock_period, found.config.project_name) == (20, "jets")
    expected = design.estimate()
    assert found.estimate["lut"] == expected.lut
    assert (found.estimate["latency_cycles"], found.estimate["ii"]) == (expected.latency_cycles, 1)
    assert [(o.what, o.path, o.state) for o in found.origins] == [("model", folder.parent / "net.keras", "as it was")]
    assert (found.board.board, found.board.port) == ("ulx3s-25", "spi")
    assert (found.damage, found.tools, found.ok) == ((), (), True)
    again = found.design()
    assert again.project.digest == found.digest
    x = np.random.default_rng(0).normal(size=(20, 16))
    assert np.array_equal(again.predict(x), design.predict(x))
    assert "no tool was run" in found.text()
    assert "on ulx3s-25, spi with 1,000,000 bits a second" in str(found)


def test_a_model_that_has_changed(folder):
    model = folder.parent / "net.keras"
    model.write_bytes(model.read_bytes() + b"x")
    found = nn2hls.open(folder)
    assert [o.state for o in found.origins] == ["changed since"]
    with pytest.raises(ConfigError, match=r"net.keras: The project was written from this file, which is changed since"):
        found.design()
    model.unlink()
    with pytest.raises(ConfigError, match="which is gone"):
        nn2hls.open(folder).design()


def _without(key):
    def damage(path):
        data = json.loads(path.read_text())
        del data[key]
        path.write_text(json.dumps(data))

    return damage


@pytest.mark.parametrize(
    ("file", "damage", "says"),
    [
        ("rtl/jets.v", lambda p: p.unlink(), "rtl/jets.v is missing. Write the project again"),
        ("rtl/jets.v", lambda p: p.write_text("module"), "rtl/jets.v was changed after it was written."),
        ("config.yml", lambda p: p.unlink(), "config.yml is missing."),
        ("config.yml", lambda p: p.write_text("Part: ["), "config.yml"),
        ("nn2hls.json", lambda p: p.unlink(), "nn2hls.json is missing."),
        ("nn2hls.json", lambda p: p.write_text("{"), "The JSON is damaged"),
        ("nn2hls.json", _without("name"), "does not describe a project"),
        (
            "nn2hls.json",
            lambda p: p.write_text(p.read_text().replace('"lut":', '"lut": "x", "ff":')),
            "no estimate that can be",
        ),
        ("nn2hls.json", lambda p: p.write_text(p.read_text().replace('"path":', '"way":')), "from which file 'model' was"),
        ("rtl/board.json", lambda p: p.write_text("[]"), "must be an object"),
        (".nn2hls-project", lambda p: p.unlink(), ".nn2hls-project is missing"),
    ],
)
def test_what_is_damaged_is_named_and_the_rest_is_read(folder, capsys, file, damage, says):
    damage(folder / file)
    found = nn2hls.open(folder)
    assert any(says in one for one in found.damage), found.damage
    assert not found.ok
    assert (found.config is None) == (file == "config.yml")
    assert (found.name == "jets") == (file != "nn2hls.json" or "estimate" in says or "which file" in says)
    if found.config is None:
        with pytest.raises(ConfigError, match="settings of this project cannot be read"):
            found.design()
    assert main(["report", str(folder)]) == 1
    assert f"DAMAGED: {found.damage[0][:30]}" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "says"), [("nowhere", "There is no such folder"), (".", "no project that nn2hls wrote")])
def test_where_nothing_is(tmp_path, name, says):
    with pytest.raises(ToolError, match=says):
        nn2hls.open(tmp_path / name)


def test_the_command_shows_a_project_that_no_tool_has_run_on(folder, capsys):
    assert main(["report", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["project"]
    assert (found["name"], found["board"], found["tools"], found["damage"]) == ("jets", "ulx3s-25", {}, [])
