"""``nn2hls.export`` and its command know the same kinds."""

from hashlib import sha256

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.commands import export as command
from nn2hls.errors import ConfigError
from nn2hls.export.run import KINDS
from tests.kit.networks import mlp
from tests.kit.paths import ROOT

CONFIG = ROOT / "example-configs" / "jet_tagger_board.yml"
MODEL = ROOT / "examples" / "jet_tagging" / "jet_tagger_small.keras"


def test_the_command_offers_every_kind():
    assert tuple(KINDS) == command.KINDS


def test_another_kind_is_refused_with_the_closest_one(tmp_path):
    design = nn2hls.convert(mlp(np.random.default_rng(1), (4, 3)))
    with pytest.raises(ConfigError, match=r"'emulater'.*emulator"):
        nn2hls.export(design, "emulater", tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_folder_holds_its_origins(kind, tmp_path):
    """Version, config and digests of the files it was made from, as every project does; from them the same design again."""
    design = nn2hls.convert(None, CONFIG)
    folder = nn2hls.export(design, kind, tmp_path / "a" / "b")
    assert main(["export", kind, str(CONFIG), "-o", str(tmp_path / "a" / "c")]) == 0
    others = ["config.yml", "nn2hls.json", "README.md"]
    assert all((folder / f).read_text() == (tmp_path / "a" / "c" / f).read_text() for f in others)
    written = nn2hls.open(folder)
    assert written.ok
    assert written.version == nn2hls.__version__
    assert written.config.output_dir == design.config.output_dir
    model = next(o for o in written.origins if o.what == "model")
    assert model.path.samefile(MODEL)
    assert (model.state, model.sha256) == ("as it was", sha256(MODEL.read_bytes()).hexdigest())
    x = np.random.default_rng(0).normal(size=(50, 16))
    assert np.array_equal(written.design().predict(x), design.predict(x))
    vhdl = (folder / "rtl" / "jet_tagger_typed.vhd").read_text() if kind == "rtl" else ""
    assert not [line for line in vhdl.splitlines() if line.startswith("clock")]
