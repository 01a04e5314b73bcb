"""``nn2hls.export`` and its command know the same kinds."""

import numpy as np
import pytest

import nn2hls
from nn2hls.commands import export as command
from nn2hls.errors import ConfigError
from nn2hls.export.run import KINDS
from tests.kit.networks import mlp


def test_the_command_offers_every_kind():
    assert tuple(KINDS) == command.KINDS


def test_another_kind_is_refused_with_the_closest_one(tmp_path):
    design = nn2hls.convert(mlp(np.random.default_rng(1), (4, 3)))
    with pytest.raises(ConfigError, match=r"'emulater'.*emulator"):
        nn2hls.export(design, "emulater", tmp_path / "x")
    assert not (tmp_path / "x").exists()
