"""What is in git is what is installed: the lists of the wheel, of the wheel made from the sdist, and of git agree."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
