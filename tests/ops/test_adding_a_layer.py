"""The code of docs/adding-a-layer.md, taken from the page and run."""

import importlib.util
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import nn2hls
from nn2hls.converters.lower import pooling
from tests.kit.onnx_tools import model
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


# --- the second example: a window, no op file ---


def second():
    """(the text of the section, its code)."""
    section = PAGE.split("## 4. A layer with a window: no op file\n")[1]
    return section, re.search(r"^```python\n(.*?)^```", section, re.M | re.S)[1]


def test_the_second_example_is_the_code_that_runs():
    assert inspect.getsource(pooling.lp_pool) == second()[1]


def test_the_second_example_counts_the_files_it_touches():
    section, _ = second()
    listed = re.findall(r"^\| `([\w/]+\.py)`", section, re.M)
    assert int(re.search(r"It touches (\d+) files", section)[1]) == len(listed) == 7
    rooms = (ROOT / "converters", ROOT / "nn2hls", ROOT / "tests" / "kit")
    files = [p for room in rooms for p in room.rglob("*.py")]
    touched = [p for p in files if re.search(r"lp_pool|\bLpPool\b", p.read_text(encoding="utf-8"))]
    assert sorted(listed) == sorted(str(p.relative_to(ROOT)) for p in touched)


@pytest.mark.parametrize("p", [1, 2])
def test_the_second_example_equals_its_cpp(p):
    node = helper.make_node("LpPool", ["x"], ["y"], kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 1], p=p)
    rng = np.random.default_rng(p)
    x = rng.normal(size=(40, 2, 5, 4)).astype(np.float32)
    design = nn2hls.convert(model([node], {"x": ["N", 2, 5, 4]}, opset=18), calibration=x)
    float_answer, fixed = design.predict_float(x), design.predict(x)
    assert np.abs(fixed - float_answer).max() < 0.02 * np.abs(float_answer).max()
    design.compile()
    np.testing.assert_array_equal(design.csim_raw(x).mantissas, design.predict_raw(x).mantissas)
