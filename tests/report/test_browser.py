"""The page in a browser: no complaint, nothing cut off, and the same numbers, on a wide screen and on a narrow one."""

import json
import shutil

import numpy as np
import pytest

from nn2hls.cli import main
from nn2hls.report.page import KINDS
from tests.kit.cnn import cnn
from tests.kit.pages import at
from tests.kit.tools import require_tool

# Elements whose content is wider than what is shown of it and that do not scroll, and those that stand outside the page.
CLIPPED = """() => [...document.querySelectorAll("body *")].filter((e) => {
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  if (!box.width || e.closest(".skip, svg, #vg-tooltip-element")) return false;
  const hides = style.overflowX === "hidden" || style.textOverflow === "ellipsis";
  const outside = (box.right > innerWidth + 1 || box.left < -1) && !e.parentElement.closest(".scroll, .canvas, .designs");
  return outside || (hides && e.scrollWidth > e.clientWidth + 1);
}).map((e) => e.tagName + " " + e.className + " " + e.textContent.trim().slice(0, 40))"""
# Tables that a wide screen does not show whole.
WIDE = """() => [...document.querySelectorAll(".scroll:not(.designs)")].filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.getAttribute("aria-label") + " " + e.scrollWidth + " of " + e.clientWidth)"""
# Lines in the boxes of the drawing that are longer than their box.
LONG = """() => [...document.querySelectorAll(".canvas g text")].filter((e) =>
  e.getBoundingClientRect().right >
  e.parentElement.querySelector(".box").getBoundingClientRect().right).map((e) => e.textContent)"""
NUMBERS = '() => [...document.querySelectorAll("data")].map((e) => [e.dataset.at, e.dataset.kind, e.value, e.textContent])'


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    require_tool("chromium", path)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        own = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield own
        own.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page of a convolutional network in streams, with a scan and hostile names of classes."""
    import nn2hls
    from nn2hls.report.document import Gathered, document
    from nn2hls.report.given import read_scan
    from nn2hls.report.page import page

    folder, rng = tmp_path_factory.mktemp("page"), np.random.default_rng(2)
    config, x = {"IOType": "io_stream", "ClockPeriod": 4, "HLSConfig": {"Model": {}}}, rng.normal(size=(60, 6, 6, 2))
    design = nn2hls.convert(cnn(rng, classes=3), config, x)  # types from data saturate, which is a long name
    comparison = design.compare(x, rng.integers(0, 3, 60))
    points = [
        {"precision": f"ap_fixed<{8 + k},4>", "accuracy": 0.5 + k / 70, "lut": 900 + 31 * k, "ff": 7 * k, "dsp": 3, "error": ""}
        for k in range(6)
    ]
    (folder / "scan.json").write_text(json.dumps({"points": points}))
    found = Gathered(design, comparison, class_names=["<b>one</b>", "two", "three"], scans=[read_scan(folder / "scan.json")])
    (folder / "page.html").write_text(page(document(found)), encoding="utf-8")
    return folder / "page.html"


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_as_it_is_seen(browser, made, width):
    complaints = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if width == 400 else "light")
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(made.as_uri())
    page.wait_for_selector(".chart svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(LONG) == []
    if width == 1280:
        page.set_viewport_size({"width": 1160, "height": 900})  # less, since names of layers are short here
        assert page.evaluate(WIDE) == []
    document = json.loads(page.text_content("#document"))
    numbers = page.evaluate(NUMBERS)
    assert len(numbers) > 200
    for pointer, kind, value, shown in numbers:
        assert json.loads(value) == at(document, pointer)
        assert shown == KINDS[kind](json.loads(value))
    _choose(page, document)
    _slide(page, document)
    assert complaints == []
    page.close()


def _choose(page, document):
    """A layer that is chosen in the drawing, by the keyboard too, is told beside it, alone."""
    assert page.locator(".details > article:visible").count() == 1
    page.locator(".canvas a").nth(2).click()
    assert page.locator(".details > article:visible h3").all_inner_texts() == [document["layers"][2]["name"]]
    page.locator(".canvas a").nth(3).focus()
    page.keyboard.press("Enter")
    assert page.locator(".details > article:visible h3").all_inner_texts() == [document["layers"][3]["name"]]


def _slide(page, document):
    """The design that the slider stands on is marked in the table and in the charts."""
    slider = page.locator(".slider input")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator(".front tr.marked").get_attribute("data-row") == "2"
    assert document["scans"][0]["points"][2]["precision"] in page.inner_text(".slider output")
    page.wait_for_function("""() => [...document.querySelectorAll('.chart svg path[fill="#d55e00"]')].length === 2""")


@pytest.mark.long
def test_made_by_the_command(browser, tmp_path, monkeypatch, capsys):
    """From a folder of a model file: the command says what is missing, and a browser shows its page."""
    from tests.kit.paths import ROOT

    monkeypatch.chdir(tmp_path)
    data = ROOT / "examples" / "jet_tagging"
    words = ["--html", "r.html", "--input", str(data / "jets_calibration.npy"), "--classes", "g,q,w,z,t"]
    assert main(["report", str(data / "jet_tagger.h5"), *words]) == 0
    assert "missing: " in capsys.readouterr().out
    page = browser.new_page()
    page.goto((tmp_path / "r.html").as_uri())
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length === 1")
    assert "What is missing" in page.inner_text("main")
    page.close()
