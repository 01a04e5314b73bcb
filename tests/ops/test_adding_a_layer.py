"""The code of docs/adding-a-layer.md, taken from the page and run."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tests.kit.paths import ROOT

PAGE = (ROOT / "docs" / "adding-a-layer.md").read_text(encoding="utf-8")
MOST_LINES = 45  # that the page promises for the op, imports and all that follows them


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
    """The page's test module, with its op in place."""
    folder = tmp_path_factory.mktemp("page")
    op, test = (code(heading) for heading in ("The op", "The test"))
    for path, text in (op, test):
        (folder / path.name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        name = f"nn2hls.ops.{op[0].stem}"
        patch.setitem(sys.modules, name, load(folder / op[0].name, name))
        patch.setitem(sys.modules, "page_test", None)
        yield load(folder / test[0].name, "page_test")


def test_the_emulator_is_the_equation(page):
    page.test_emulator_is_the_equation()


def test_the_hardware_equals_the_emulator(page):
    page.test_hardware_equals_emulated()


def test_the_cpp_equals_the_emulator(page):
    page.test_compiled_equals_emulated()


def test_the_verilog_equals_the_emulator(page, tmp_path):
    page.test_verilog_equals_emulated(tmp_path)


def test_the_op_is_short():
    _, text = code("The op")
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES


def test_the_files_the_page_names_exist():
    new = {str(code(heading)[0]) for heading in ("The op", "The test")}
    named = set(re.findall(r"`((?:nn2hls|converters|firmware_lib|tests)/[\w/]+\.\w+)`", PAGE))
    assert len(named - new) >= 4
    assert [n for n in named - new if not (ROOT / n).is_file()] == []
