"""The command that a message gives installs what is missing, however nn2hls got here."""

import json
import shlex
import sys
from importlib import metadata

import pytest

from nn2hls import extras
from tests.kit.paths import ROOT


def test_in_a_checkout_it_is_the_checkout(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert extras.install("onnx") == f"pip install {shlex.quote(f'{ROOT}[onnx]')}"
    monkeypatch.chdir(ROOT)
    assert extras.install("onnx") == "pip install '.[onnx]'"
    assert extras.install() == "pip install ."


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Installs, for what pip wrote down about it."""
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "nn2hls" / "extras.py"))
    monkeypatch.chdir(tmp_path)

    def install(direct_url):
        info = tmp_path / "site-packages" / "nn2hls-1.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Name: nn2hls\nVersion: 1\n")
        (info / "direct_url.json").write_text(json.dumps(direct_url))
        if direct_url is None:
            (info / "direct_url.json").unlink()
        monkeypatch.setattr(metadata, "distribution", lambda name: metadata.PathDistribution(info))

    return install


GIT = {"url": "https://example.org/nn2hls.git", "vcs_info": {"vcs": "git", "commit_id": "f" * 40}}


@pytest.mark.parametrize(("direct_url", "target"), [
    (None, "nn2hls[onnx]"),
    (GIT, "nn2hls[onnx] @ git+https://example.org/nn2hls.git"),
    (GIT | {"vcs_info": GIT["vcs_info"] | {"requested_revision": "v1"}}, "nn2hls[onnx] @ git+https://example.org/nn2hls.git@v1"),
    ({"url": "https://example.org/nn2hls-1.tar.gz", "archive_info": {}}, "nn2hls[onnx] @ https://example.org/nn2hls-1.tar.gz"),
    ({"url": "file:///nowhere/any%20more", "dir_info": {}}, "nn2hls[onnx]"),
    ([], "nn2hls[onnx]"),
])  # fmt: skip
def test_an_installation_from_elsewhere(installed, direct_url, target):
    installed(direct_url)
    assert extras.install("onnx") == f"pip install {shlex.quote(target)}"


def test_an_installation_from_a_folder(installed, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    installed({"url": folder.as_uri(), "dir_info": {"editable": False}})
    assert extras.install("onnx") == f"pip install '{folder}[onnx]'"


def test_no_installation_at_all(installed, monkeypatch):
    def none(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", none)
    assert extras.install() == "pip install nn2hls"


def test_what_is_not_there_for_a_python(monkeypatch):
    assert extras.missing("onnx").startswith("Install it with: pip install ")
    for version, there in (((3, 13), True), ((3, 14), False), ((4, 0), False)):
        monkeypatch.setattr(sys, "version_info", version)
        assert (extras.missing("tensorflow") == f"Install it with: {extras.install('tensorflow')}.") == there
    assert "KERAS_BACKEND=torch" in extras.missing("tensorflow")
    from nn2hls.commands.doctor import find_packages

    ways = {part.name: part.get for part in find_packages()}
    assert ways["tensorflow"] == "nothing to install for this Python"
    assert ways["torch"] == extras.install("torch")


def test_extras_leave_a_users_pytorch_alone():
    tomllib = pytest.importorskip("tomllib")
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert options["torch"] == ["torch>=2.8"]
    assert "torch==2.13.0" in options["test"]
    for name, wanted in options.items():
        if name not in ("test", "dev"):
            assert not [w for w in wanted if "==" in w.partition(";")[0]], name
    end = ".".join(map(str, extras._ENDS["tensorflow"][0]))
    assert all(w.endswith(f"python_version < '{end}'") for w in options["tensorflow"])
