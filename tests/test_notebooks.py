"""The notebooks of examples/notebooks: cleared in git, their links lead somewhere, and each runs from end to end."""

import json
import re
import shutil

import pytest

from benchmarks.notebooks import NOTEBOOKS, names, run
from tests.kit.tools import require_tool

TOOLS = {"6_rtl_and_a_board": ("verilator", "iverilog")}  # beside the compiler


def cells(name):
    found = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    return found["metadata"], found["cells"]


def source(cell):
    return "".join(cell["source"])


def test_each_is_listed():
    listed = re.findall(r"\]\(([^)]+)\.ipynb\)", (NOTEBOOKS / "README.md").read_text(encoding="utf-8"))
    assert len(listed) >= 7
    assert listed == names()


@pytest.mark.parametrize("name", names())
def test_outputs_are_cleared(name):
    metadata, found = cells(name)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    code = [cell for cell in found if cell["cell_type"] == "code"]
    assert code
    assert [(cell["outputs"], cell["execution_count"], cell["metadata"]) for cell in code] == [([], None, {})] * len(code)


@pytest.mark.parametrize("name", names())
def test_links_lead_somewhere(name):
    found = cells(name)[1]
    links = [link for cell in found if cell["cell_type"] == "markdown" for link in re.findall(r"\]\(([^)]+)\)", source(cell))]
    assert links
    assert [link for link in links if not (NOTEBOOKS / link).is_file()] == []


@pytest.mark.long
@pytest.mark.parametrize("name", names())
def test_runs(name):
    pytest.importorskip("nbclient")
    for tool in ("g++", *TOOLS.get(name, ())):
        require_tool(tool, shutil.which(tool))
    before = cells(name)[1]
    after = run(name)["cells"]
    assert [source(cell) for cell in before] == [cell["source"] for cell in after]
    kinds = {kind for cell in after for out in cell.get("outputs", ()) for kind in out.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
    said = [out["text"] for cell in after for out in cell.get("outputs", ()) if out.get("name") == "stderr"]
    assert said == []
