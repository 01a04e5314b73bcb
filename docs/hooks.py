"""For the site: the notebooks as tutorials, and docstrings without roles."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "examples" / "notebooks"
KEPT = ROOT / "build" / "notebooks"  # as `make notebooks` ran them
_ROLE = re.compile(r":(?:func|class|meth|attr|mod|data):(?=<code>)")
_LINK = re.compile(r"(?<=\]\()([^)#:]+)(?=\))")


def on_page_content(html: str, **_: object) -> str:
    """The page without ``:func:`` and the like before code."""
    return _ROLE.sub("", html)


def on_files(files: Files, *, config: Any) -> Files:
    """A page for each notebook, with what it prints where it was run; nothing is run here."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        pictures: list[bytes] = []
        text = "---\nhide: [toc]\n---\n\n" + "\n\n".join(_shown(_cells(path), path.stem, pictures))
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=text + "\n"))
        for number, drawn in enumerate(pictures):
            files.append(File.generated(config, f"tutorials/{path.stem}-{number}.png", content=drawn))
    return files


def _cells(path: Path) -> list[dict[str, Any]]:
    """Those of the notebook, with outputs if it was run as it stands."""
    cells, kept = _read(path), KEPT / path.name
    ran = _read(kept) if kept.is_file() else []
    return ran if [c["source"] for c in ran] == [c["source"] for c in cells] else cells


def _read(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


def _shown(cells: list[dict[str, Any]], name: str, pictures: list[bytes]) -> Iterator[str]:
    """Each cell and output as Markdown; ``pictures`` takes the figures."""
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield _LINK.sub(_moved, source)
            continue
        yield f"```python\n{source}\n```"
        for out in _joined(cell["outputs"]):
            data = out.get("data", {})
            if "image/png" in data:
                pictures.append(base64.b64decode(data["image/png"]))
                place = f"{name}-{len(pictures) - 1}.png"
                yield f"[![What the cell above draws]({place})]({place})"
            elif "text/html" in data:
                yield f'<div class="shown" markdown="0">{"".join(data["text/html"])}</div>'
            else:
                text = "".join(out.get("text") or data.get("text/plain", ""))
                yield f"````text\n{text.rstrip()}\n````"


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs, what is printed one after the other as one."""
    found: list[dict[str, Any]] = []
    for out in outputs:
        if found and out.get("name") and found[-1].get("name") == out["name"]:
            found[-1] = {**out, "text": "".join(found[-1]["text"]) + "".join(out["text"])}
        else:
            found.append(out)
    return found


def _moved(link: re.Match[str]) -> str:
    """Where a file that a notebook names stands in the site."""
    target = (NOTEBOOKS / link[1]).resolve()
    if target.suffix == ".ipynb":
        return f"{target.stem}.md"
    return f"../{target.relative_to(ROOT / 'docs')}"
