"""The report as a page: each number is one of the document, names are inert, nothing is loaded, what is missing is said."""

import base64
import dataclasses
import hashlib
import json
import re

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import ToolError
from nn2hls.estimate.figures import with_estimate
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input, Relu, Softmax
from nn2hls.report import fronts, shapes
from nn2hls.report.document import Gathered, document
from nn2hls.report.given import read_scan, read_search
from nn2hls.report.page import KINDS, page
from nn2hls.report.project import project_report
from nn2hls.tools.report import BuildReport, Check, Figures, Resources, Step
from tests.kit.networks import hls_config
from tests.kit.pages import Page, at

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|'/c calc'!A0 {{7*7}} ${x} <!--",
    "\x1b[31m\u202eevil\x00",
)
PLAIN = ("first", "second", "third", "fourth")


def network(names):
    """Four layers of these names."""
    rng, builder = np.random.default_rng(3), Builder()
    x = builder.add(names[0], Input((6,)))
    x = builder.add(names[1], Dense(Const(rng.normal(size=(6, 5))), Const(rng.normal(size=5))), [x])
    x = builder.add(names[2], Relu(), [x])
    x = builder.add("fc", Dense(Const(rng.normal(size=(5, 3))), Const(rng.normal(size=3))), [x])
    return builder.build([builder.add(names[3], Softmax(0), [x])])


def design_of(names):
    return nn2hls.convert(network(names), dataclasses.replace(hls_config(), clock_period=4.0, project_name="net"))


def tool_report(design, said):
    steps = Step("hls", True, 12.34, said, "hls.log", said), Step("yosys", None, note="yosys is not here")
    total = (Figures("hls", said, Resources(dsp=10, lut=2000, ff=7), 8, 1, 3.5),)
    layers = {"fc": (Figures("hls", "bambu", Resources(dsp=4)),)}
    report = BuildReport("bambu", "out", design.project.digest, said, "xc7vx690t", 4.0, steps, total, layers)
    return with_estimate(dataclasses.replace(report, checks=(Check("rtl", 1000, 0, 8, 1),)), design.estimate())


SIZE = {"dsp": 3, "lut": 1200, "ff": 80, "bram": 0, "latency_cycles": 8, "ii": 1, "latency_ns": 40.0}


def scan_of(word):
    points = [{"network": word, "precision": f"ap_fixed<{8 + k},4>", "reuse": None, "accuracy": 0.5 + k / 50} for k in range(4)]
    points = [{**p, **SIZE, "lut": 1000 + 37 * k, "overflows": k, "error": ""} for k, p in enumerate(points)]
    return {"accuracy_float": 0.61, "points": [*points, {"network": word, "precision": "x", "reuse": 3, "error": word}]}


def search_of(word):
    front = [
        {"params": {word: k}, "accuracy": 0.7, "score": 0.7 + k / 9, "loss": 0.01, "cost": 5 + k, **SIZE, "dsp": k}
        for k in range(3)
    ]
    return {"metric": word, "front": front, "chosen": front[1]}


def gathered(names, folder):
    """Everything there can be, with ``names`` in every place for words."""
    design = design_of(names)
    rng = np.random.default_rng(4)
    found = Gathered(design, class_names=names[1:])
    found.comparison = design.compare(rng.normal(size=(50, 6)), rng.integers(0, 3, 50))
    written = design.write(folder / "net")
    tool_report(design, names[0]).save(written)
    found.project = project_report(written)
    for name, given in (("scan", scan_of(names[0])), ("search", search_of(names[0]))):
        (folder / f"{name}.json").write_text(json.dumps(given))
    found.scans, found.searches = [read_scan(folder / "scan.json")], [read_search(folder / "search.json")]
    found.commands, found.missing, found.notes = {names[0]: names[1]}, [names[2]], [names[3]]
    return found


@pytest.fixture(scope="module", autouse=True)
def _small_library():
    """The library of charts takes seconds to make; test_browser.py has the real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nn2hls.report.page.library", lambda: "window.vegaEmbed = null; // </script> <!--")
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A document with everything, and its page."""
    made = document(gathered(PLAIN, tmp_path_factory.mktemp("plain")))
    return made, page(made)


def test_every_number_is_one_of_the_document(whole):
    made, text = whole
    seen = Page(text)
    assert seen.document == json.loads(json.dumps(made))
    assert len(seen.data) > 200
    for pointer, kind, value, shown in seen.data:
        assert at(made, pointer) == value
        assert KINDS[kind](value) == shown
    shown = {pointer for pointer, *_ in seen.data}
    for part in ("estimate", "comparison", "tools", "scans", "searches"):
        assert any(pointer.startswith(f"/{part}/") for pointer in shown), part
    estimate = made["estimate"]
    for resource in ("lut", "ff", "dsp"):
        expected = {f"/estimate/layers/{k}/synthesised/{resource}" for k in range(len(estimate["layers"]))}
        assert expected <= shown


def test_bit_operations_of_a_quantised_model_stand_in_the_page(whole, monkeypatch):
    design = design_of(PLAIN)
    found = dataclasses.replace(design.estimate(), ebops={"second": 1234, "fc": 56})
    monkeypatch.setattr(type(design), "estimate", lambda *_: found)
    made = document(Gathered(design))
    shown = {pointer: text for pointer, _, _, text in Page(page(made)).data if pointer.endswith("/ebops")}
    layers = [layer["name"] for layer in made["estimate"]["layers"]]
    assert made["estimate"]["ebops"] == 1290
    assert shown["/estimate/ebops"] == "1,290"
    assert shown[f"/estimate/layers/{layers.index('second')}/ebops"] == "1,234"
    assert not [pointer for pointer, *_ in Page(whole[1]).data if pointer.endswith("/ebops")]


def test_every_layer_and_type_is_there(whole):
    made, text = whole
    seen = Page(text)
    boxes = [value for tag, name, value in seen.attributes if tag == "a" and name == "href" and value.startswith("#layer-")]
    assert boxes == [f"#layer-{k}" for k in range(len(made["layers"]))]
    ids = [value for _, name, value in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for tag, name, value in seen.attributes if tag == "a" and name == "href"}
    assert targets <= set(ids)
    for row in made["types"]:
        assert row["type"] in seen.text
        assert row["why"] in seen.text


def test_for_screen_readers(whole):
    seen = Page(whole[1])
    tags = [tag for tag, _ in seen.tags]
    assert (tags.count("h1"), tags.count("main"), tags.count("nav"), tags.count("header"), tags.count("footer")) == (1,) * 5
    heads = [names for tag, names in seen.tags if tag == "th"]
    assert len(heads) > 50
    assert all("scope" in names for names in heads)
    regions = [names for tag, names in seen.tags if tag == "div" and "role" in names]
    assert all("aria-label" in names for names in regions)
    drawn = [names for tag, names in seen.tags if tag == "svg"]
    assert all("aria-hidden" in names or "aria-label" in names for names in drawn)
    assert [name for tag, name, _ in seen.attributes if tag == "html"] == ["lang"]


def test_nothing_is_loaded_or_run_that_is_not_in_the_page(whole):
    seen = Page(whole[1])
    policy = next(value for tag, name, value in seen.attributes if tag == "meta" and name == "content" and "src" in value)
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
    run = [text for kind, text in seen.scripts if kind not in ("document", "application/json")]
    assert allowed == {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run}
    links = [v for _, name, v in seen.attributes if name in ("src", "href", "xlink:href", "action", "data", "srcset")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]


def test_names_are_inert(whole, tmp_path):
    """With names that are markup, formulas and control characters the page has the same elements as with plain ones."""
    text = page(document(gathered(HOSTILE, tmp_path)))
    seen = Page(text)

    plain = Page(whole[1])
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in plain.tags]
    assert _kinds(seen) == _kinds(plain)
    assert "img" not in {tag for tag, _ in seen.tags}
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
    shown = re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.S)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "\\x1b[31m\\u202eevil\\x00" in seen.text
    assert HOSTILE[0] in seen.text


def _kinds(seen):
    """Elements with their attributes, each once: names that are longer may be broken, which adds a class."""
    return {(tag, tuple(n for n in names if n != "class")) for tag, names in seen.tags}


def test_classes_have_their_names(whole):
    text = Page(whole[1]).text
    assert "second (0)" in text
    assert "fourth (2)" in text


# ---- parts that are missing ------------------------------------------------------------------------------------------------


def report(capsys, *words):
    code = main(["report", *map(str, words), "--json"])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, json.loads(captured.out)


@pytest.fixture
def folder(tmp_path):
    design = design_of(PLAIN)
    written = design.write(tmp_path / "net")
    tool_report(design, "bambu 1").save(written)
    return written


def test_a_folder_whose_model_was_no_file(capsys, folder, tmp_path):
    code, found = report(capsys, folder, "--html", tmp_path / "r.html")
    assert code == 0
    assert "The network" in found["missing"][0]
    assert found["tools"]["total"]
    text = Page((tmp_path / "r.html").read_text()).text
    assert found["missing"][0] in text
    assert "2,000" in text


@pytest.mark.parametrize("name", ["config.yml", "nn2hls.json", "reports/csim.json"])
def test_a_damaged_folder_shows_the_rest(capsys, folder, tmp_path, name):
    (folder / name).write_text("\x00[")
    _, found = report(capsys, folder, "--html", tmp_path / "r.html")
    assert any(name in line for line in found["missing"]), found["missing"]
    assert [t["tool"] for t in found["tools"]["tools"]] == ["bambu"]
    assert "12.3 s" in Page((tmp_path / "r.html").read_text()).text


def test_a_folder_without_its_list_of_files_is_stale(capsys, folder, tmp_path):
    (folder / ".nn2hls-project").write_text("\x00[")
    code, found = report(capsys, folder, "--html", tmp_path / "r.html")
    assert (code, found["tools"]["tools"][0]["verdict"]) == (1, "STALE")


def test_an_empty_folder(capsys, tmp_path):
    code, found = report(capsys, tmp_path, "--html", tmp_path / "r.html")
    assert (code, found["tools"], found["layers"]) == (0, None, [])
    assert len(found["missing"]) == 2
    assert "no project" in found["missing"][1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scan", "x.json"], "Add --html"),
        (["--html", "x.pdf"], "A page is written as .html"),
        (["--html", "x.html", "--markdown"], "A page is no Markdown"),
        (["--html", "x.html", "--labels", "y.npy"], "Add --input"),
        (["--html", "x.html", "--reuse", "4"], "A folder's reports are as they are"),
    ],
)
def test_options_that_do_not_fit(capsys, folder, words, said):
    code, found = report(capsys, folder, *words)
    assert code == 2
    assert said in found["error"]["what"] + found["error"]["fix"]


# ---- scans and searches of strangers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: [], "has no list 'points'"),
        (lambda d: {**d, "points": []}, "has no list 'points'"),
        (lambda d: {**d, "points": [1]}, "points[0]"),
        (lambda d: {**d, "points": [{"lut": "many"}]}, "points[0].lut"),
        (lambda d: {**d, "points": [{"latency_ns": True}]}, "points[0].latency_ns"),
        (lambda d: {**d, "points": d["points"] * 900}, "at most 2,000"),
    ],
)
def test_a_scan_that_is_none_is_refused_by_name(tmp_path, change, said):
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(change(scan_of("net"))))
    with pytest.raises(ToolError, match=re.escape(said)):
        read_scan(path)


def test_the_chosen_design_of_a_search_is_marked(tmp_path):
    data = search_of("accuracy")
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert read_search(tmp_path / "a.json")["chosen"] == 1
    (tmp_path / "b.json").write_text(json.dumps({**data, "chosen": {**data["chosen"], "cost": 1}}))
    found = read_search(tmp_path / "b.json")
    assert (found["chosen"], found["front"][3]["cost"]) == (3, 1)
    (front,) = fronts.fronts({"scans": [], "searches": [found]})
    assert (front.score, front.start) == ("accuracy", 3)


def test_a_front_has_the_points_of_its_designs(whole):
    made, text = whole
    charts = [json.loads(body) for kind, body in Page(text).scripts if kind == "application/json"]
    for chart, (key, field) in zip(charts, (("scans", "points"), ("searches", "front")), strict=True):
        designs = made[key][0][field]
        for value in chart["values"]:
            assert {k: designs[value["row"]][k] for k in fronts.MEASURES} == {k: value[k] for k in fronts.MEASURES}
    assert len(charts[0]["values"]) == 4  # the one that could not be made has no place


def test_without_the_extra_matplotlib_draws(whole, monkeypatch):
    made, _ = whole
    monkeypatch.setattr("nn2hls.report.page.library", lambda: None)
    text = page(made)
    seen = Page(text)
    assert text.count('aria-label="designs by score and cost"') == 2
    assert "vegaEmbed = null" not in text
    assert len(text) < 300_000
    assert not [v for tag, name, v in seen.attributes if name == "xlink:href" and not v.startswith("#")]


# ---- bars ------------------------------------------------------------------------------------------------------------------


def test_bars_are_in_proportion(whole):
    estimate = whole[0]["estimate"]
    bars = shapes.stack(estimate, "lut")
    luts = [x["synthesised"]["lut"] for x in estimate["layers"]]
    assert sum(b.width for b in bars) == pytest.approx(100)
    assert bars[-1].left + bars[-1].width == pytest.approx(100)
    assert [b.width * sum(luts) / 100 for b in bars] == pytest.approx([n for n in luts if n])
    times = shapes.timeline(estimate)
    assert max(b.left + b.width for b in times) == pytest.approx(100)
    assert times[0].left == 0


def test_a_range_beyond_its_type():
    found = shapes.track({"low": -3.0, "high": 1.0, "type_low": -1.0, "type_high": 1.0})
    assert (found.type.left, found.type.width, found.value.left, found.value.width) == (50, 50, 0, 100)
    assert found.zero == 75
    assert shapes.track({"low": None, "high": None, "type_low": -1.0, "type_high": 1.0}) is None


def test_layers_begin_when_their_operands_are_there(whole):
    """The start that the estimate says is the latest end of what a layer reads, within the clock that both share."""
    for backend in ("Vitis", "Verilog", "Bambu"):
        config = dataclasses.replace(hls_config(), backend=backend, clock_period=3.0)
        design = nn2hls.convert(network(PLAIN), config)
        layers = {x.name: x for x in design.estimate().layers}
        ends = {name: x.start_cycle + x.latency_cycles for name, x in layers.items()}
        for name, x in layers.items():
            before = max((ends.get(i, 0) for i in design.graph[name].inputs), default=0)
            assert abs(x.start_cycle - before) <= 1, (backend, name)
        assert design.estimate().latency_cycles in (max(ends.values()), max(ends.values()) + 1)
