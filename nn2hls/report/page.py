"""The report as one page of HTML: every number in it is one of the document, and carries its place there."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from nn2hls.figures.layout import HEIGHT, WIDTH, drawing, shortened
from nn2hls.files import own_text
from nn2hls.report import shapes
from nn2hls.report.fronts import Front, fronts, library, pictures
from nn2hls.text import number, one_line, percent
from nn2hls.tools.folder import data_folder

_TEMPLATES = "report"


def page(document: Mapping[str, Any]) -> str:
    """The page of a document that :func:`nn2hls.report.document.document` made. It loads nothing and sends nothing."""
    shown = fronts(document)
    scripts = [own_text(data_folder("templates") / _TEMPLATES / "page.js")]
    bundle = library() if shown else None
    if bundle is not None:
        scripts.insert(0, bundle)
    template = _environment().get_template("page.html.jinja")
    return str(
        template.render(
            document=document,
            show=Numbers(document),
            network=_network(document),
            shapes=shapes,
            scripts=[_inert(s) for s in scripts],
            hashes=[_hash(_inert(s)) for s in scripts],
            style=own_text(data_folder("templates") / _TEMPLATES / "page.css"),
            fronts=shown,
            pictures=_pictures(shown) if bundle is None else {},
            charts=bundle is not None,
        )
    )


def _inert(script: str) -> str:
    """A script that ends where its element ends, and nowhere else: these words stand in strings and comments only."""
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _pictures(shown: list[Front]) -> Mapping[int, str]:
    from markupsafe import Markup

    return {k: Markup(svg) for k, svg in pictures(shown).items()}  # made by matplotlib, in which names are text


# ---- numbers ---------------------------------------------------------------------------------------------------------------

KINDS: Mapping[str, Callable[[Any], str]] = {
    "count": lambda v: f"{v:,}",
    "share": lambda v: percent(v) or "",
    "part": lambda v: f"{100 * v:.1f}%",
    "off": lambda v: f"{100 * v:+.1f}%",
    "db": lambda v: f"{v:.1f} dB",
    "number": lambda v: number(v) or "",
    "score": lambda v: number(v, 5) or "",
    "ns": lambda v: f"{number(v)} ns",
    "seconds": lambda v: f"{v:.1f} s",
}


class Numbers:
    """Numbers of the document as elements: ``<data value=EXACT data-at=POINTER data-kind=KIND>for people</data>``."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def __call__(self, kind: str, *path: Any, absent: str = "–") -> Any:
        """The number at a path of keys and places, or tuples of these; ``absent`` where there is none."""
        from markupsafe import Markup

        path = tuple(step for part in path for step in (part if isinstance(part, tuple) else (part,)))
        value: Any = self._document
        for step in path:
            value = value[step]
        if value is None:
            return Markup('<span class="none">{}</span>').format(absent)
        pointer = "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
        cell = '<data value="{}" data-at="{}" data-kind="{}">{}</data>'
        return Markup(cell).format(json.dumps(value), one_line(pointer), kind, KINDS[kind](value))


# ---- template --------------------------------------------------------------------------------------------------------------


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        """Names may hold what moves a cursor, hides text or turns its direction: it is shown as an escape."""
        return value if isinstance(value, Markup) or not isinstance(value, str) else one_line(value)

    environment = Environment(
        loader=FileSystemLoader(data_folder("templates") / _TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=finalize,
    )
    environment.filters["number"] = number
    environment.filters["raw"] = Markup  # of our own files only
    return environment


def _network(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The drawing, with the lines of each box; None where there is nothing to draw."""
    layers = document["layers"]
    known = {layer["name"]: k for k, layer in enumerate(layers)}
    found = drawing([[known[name] for name in layer["inputs"]] for layer in layers])
    if found is None:
        return None
    products = {x["name"]: x["products"] for x in (document["estimate"] or {"layers": []})["layers"]}
    boxes = [
        {
            "box": box,
            "name": shortened(one_line(layer["name"])),
            "what": shortened(f"{layer['op']} · {shape(layer)}", 32),
            "type": shortened(layer["type"], 32),
            "kind": _kind(layer, bool(products.get(layer["name"]))),
        }
        for box, layer in zip(found.boxes, layers, strict=True)
    ]
    return {"drawing": found, "boxes": boxes, "width": WIDTH, "height": HEIGHT}


def _kind(layer: Mapping[str, Any], multiplies: bool) -> str:
    if not layer["inputs"]:
        return "input"
    return "products" if multiplies else "output" if layer["output"] else "other"


def shape(layer: Mapping[str, Any]) -> str:
    """A layer's shape for people."""
    return " × ".join(map(str, layer["shape"])) or "scalar"
