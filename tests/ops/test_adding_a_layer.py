"""The code of docs/adding-a-layer.md, taken from the page and run."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

from nn2hls.tools.folder import data_folder
from tests.kit.paths import ROOT

PAGE = (ROOT / "docs" / "adding-a-layer.md").read_text(encoding="utf-8")


def code(heading):
    """The first fenced block under the heading that names a file, and that file's name."""
    found = re.search(rf"^## \d\. {heading}: `([\w/.]+)`\n.*?^```\w+\n(.*?)^```", PAGE, re.M | re.S)
    return Path(found[1]), found[2]


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page's test module, with its op and its header in place."""
    folder = tmp_path_factory.mktemp("page")
    op, header, test = (code(heading) for heading in ("The op", r"The C\+\+", "The test"))
    firmware = folder / "firmware_lib"
    shutil.copytree(data_folder("firmware_lib"), firmware)
    (firmware / header[0].relative_to("firmware_lib")).write_text(header[1], encoding="utf-8")
    for path, text in (op, test):
        (folder / path.name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nn2hls.emit.project.data_folder", lambda name: firmware if name == "firmware_lib" else data_folder(name))
        name = "nn2hls." + op[0].stem if op[0].parent.name != "ops" else f"nn2hls.ops.{op[0].stem}"
        patch.setitem(sys.modules, name, load(folder / op[0].name, name))
        patch.setitem(sys.modules, "page_test", None)
        yield load(folder / test[0].name, "page_test")


def test_the_emulator_is_the_equation(page):
    page.test_emulator_is_the_equation()


def test_the_cpp_equals_the_emulator(page):
    page.test_compiled_equals_emulated()


def test_the_schedule(page):
    page.test_it_is_two_clamps_and_a_difference()


def test_the_files_the_page_names_exist():
    root = ROOT
    new = {str(code(heading)[0]) for heading in ("The op", r"The C\+\+", "The test")}
    named = set(re.findall(r"`((?:nn2hls|converters|firmware_lib|tests)/[\w/]+\.\w+)`", PAGE))
    assert len(named - new) >= 4
    assert [n for n in named - new if not (root / n).is_file()] == []
