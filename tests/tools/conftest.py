"""Fixtures of the tests with stand-ins for AMD's programs."""

import pytest

from tests.kit.amd_tools import installer, net_folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current directory, with a network and its config."""
    return net_folder(tmp_path, monkeypatch)


@pytest.fixture
def install(folder, monkeypatch):
    """A function that puts stand-ins of these names on the PATH."""
    return installer(folder, monkeypatch)
