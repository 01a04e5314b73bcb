"""What is in git is what is installed: the lists of the wheel, of the wheel made from the sdist, and of git agree.

And it works from wherever Python starts, however it was installed.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import nn2hls
from tests.kit.paths import ROOT
from tests.matrix import VERSIONS

MAPPED = {
    "nn2hls": "nn2hls",
    "converters": "nn2hls/converters",
    "templates": "nn2hls/templates",
    "firmware_lib": "nn2hls/firmware_lib",
    "example-configs": "nn2hls/example_configs",
}
BUILD = "import sys; from setuptools import build_meta as b; out = sys.argv[1]; b.build_sdist(out); b.build_wheel(out)"


def build(source: Path, out: Path) -> set[str]:
    """Build sdist and wheel of ``source`` in ``out``; the files in the wheel, without metadata."""
    done = subprocess.run([sys.executable, "-c", BUILD, out], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> tuple[Path, list[str]]:
    """A copy of what git tracks, and its names."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [name for name in listed if (ROOT / name).is_file()]
    copy = tmp_path_factory.mktemp("tree")
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    return copy, names


@pytest.mark.long
def test_the_wheel_and_the_sdist_hold_what_git_holds(tree, tmp_path):
    copy, names = tree
    expected = set()
    for name in names:
        top, _, rest = name.partition("/")
        if top in MAPPED:
            expected.add(f"{MAPPED[top]}/{rest}")
    (tmp_path / "first").mkdir()
    assert build(copy, tmp_path / "first") == expected
    (sdist,) = (tmp_path / "first").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "second").mkdir()
    assert build(tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "second") == expected


INSTALLED = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]


@pytest.fixture(scope="module", params=["checkout", "plain", "editable"])
def python(request, tree, tmp_path_factory) -> tuple[str, Path, Path]:
    """How nn2hls is installed, a checkout, and the Python of an environment of its own; what else it needs is that of ours."""
    source = tmp_path_factory.mktemp(request.param) / "checkout"
    shutil.copytree(tree[0], source)
    folder = source.parent / "venv"
    venv.EnvBuilder(symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = [p for p in sys.path if p.endswith("-packages")]
    (packages / "ours.pth").write_text("\n".join(ours) + "\n", encoding="utf-8")
    program = folder / "bin" / "python"
    if request.param != "checkout":
        target = ["--editable", str(source)] if request.param == "editable" else [str(source)]
        run(program, ["-m", "pip", "install", *INSTALLED, *target], source.parent)
    return request.param, source, program


def run(program: Path, arguments: list[str], folder: Path) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run([program, *arguments], cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
def test_it_works_from_wherever_python_starts(python, tmp_path):
    how, source, program = python
    model = "examples/jet_tagging/jet_tagger_pruned.keras"
    code = "import nn2hls, sys; d = nn2hls.convert(sys.argv[1]); print(len(d.project.files), nn2hls.__file__, *sys.modules)"
    places = [source] if how == "checkout" else [source, tmp_path]
    for place in places:
        count, file, *loaded = run(program, ["-c", code, str(source / model)], place).split()
        assert int(count) > 15
        assert source in Path(file).parents or (how, place) == ("plain", tmp_path)
        assert not {"tensorflow", "keras", "torch"} & set(loaded)
        assert "usage: nn2hls" in run(program, ["-m", "nn2hls", "--help"], place)
    run(program, ["-m", "nn2hls", "convert", model, "--output", str(tmp_path / "project")], source)
    assert (tmp_path / "project" / "firmware").is_dir()
    assert "usage: python -m benchmarks" in run(program, ["-m", "benchmarks", "--help"], source)


def test_who_cites_it_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == nn2hls.__version__
    assert citation["license"] == "Apache-2.0"


def test_versions_of_python_that_are_named_are_those_of_the_matrix():
    """A classifier is a promise: `make matrix` tests it, from the oldest that pip takes on."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)
    (oldest,) = re.findall(r'^requires-python = ">=(3\.\d+)"', text, re.M)
    assert named == list(VERSIONS[: len(named)])
    assert named[0] == oldest
