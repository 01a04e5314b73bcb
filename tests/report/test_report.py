"""The report of a project: every tool beside the estimate, verdicts, and files from strangers."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.errors import ToolError
from nn2hls.estimate.figures import estimate_figures, with_estimate
from nn2hls.report.project import Today, project_report
from nn2hls.report.text import report_markdown, report_text
from nn2hls.tools.folder import MARK
from nn2hls.tools.report import BuildReport, Check, Figures, Resources, Step
from tests.kit.networks import hls_config, mlp
from tests.kit.paths import ROOT

CLOCK = 4.0


@pytest.fixture(scope="module")
def design():
    graph = mlp(np.random.default_rng(5), (4, 6, 3))
    config = dataclasses.replace(hls_config({"Precision": "ap_fixed<12,5>"}), clock_period=CLOCK, project_name="net")
    return nn2hls.convert(graph, config)


@pytest.fixture
def folder(design, tmp_path):
    return design.write(tmp_path / "out")


def build(design, tool="bambu", **changes):
    """A tool's report with figures that are easy to compare."""
    report = BuildReport(
        tool,
        "out",
        design.project.digest,
        "2024.10",
        "xc7vx690t",
        CLOCK,
        (Step("hls", True, 12.34), Step("yosys", None, note="yosys is not here")),
        (
            Figures("hls", f"{tool} 2024.10", Resources(dsp=10, lut=2000, ff=0), 8, 1, 3.5),
            Figures("synthesis", "yosys 0.23", Resources(9, 1000, 400, 0), clock_ns=3.9),
        ),
        {"fc0": (Figures("hls", f"{tool} 2024.10", Resources(dsp=4)),), "other": (Figures("hls", "x", Resources(lut=5)),)},
        (Check("rtl", 1000, 0, 8, 1),),
    )
    return dataclasses.replace(report, **changes)


def save(folder, *reports):
    for report in reports:
        report.save(folder)


def rows(report, source, tool):
    return [r for r in report.total if r.figures.source == source and r.tool == tool]


def command(capsys, *words):
    code = main(["report", *map(str, words)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


# ---- what stands side by side ----------------------------------------------------------------------------------------------


def test_the_estimate_as_figures(design):
    estimate = design.estimate()
    (hls, synthesis), layers = estimate_figures(estimate)
    assert (hls.source, synthesis.source) == ("estimate", "estimate_synthesis")
    assert (hls.latency, hls.interval) == (estimate.latency_cycles, estimate.ii)
    assert [hls.resources.lut, synthesis.resources.lut] == [estimate.lut, estimate.synthesised.lut]
    assert sum(figures[0].resources.lut for figures in layers.values()) == estimate.lut
    assert {"fc0", "fc1"} <= set(layers) <= {n.name for n in design.graph}
    named = with_estimate(build(design), estimate)
    assert [f.source for f in named.total] == ["estimate", "estimate_synthesis", "hls", "synthesis"]
    assert [f.source for f in named.layers["fc0"]] == ["estimate", "estimate_synthesis", "hls"]
    assert list(named.layers)[-1] == "other"


def test_deviations_are_of_the_estimate_against_its_own_kind(design, folder):
    estimate = design.estimate()
    save(folder, with_estimate(build(design), estimate))
    report = project_report(folder)
    assert report.ok
    (hls,), (synthesis,), (measured,) = (rows(report, s, "bambu") for s in ("hls", "synthesis", "measured"))
    assert hls.deviations["dsp"] == pytest.approx((estimate.dsp - 10) / 10)
    assert hls.deviations["latency"] == pytest.approx((estimate.latency_cycles - 8) / 8)
    assert "ff" not in hls.deviations  # against 0 there is no share
    assert "bram" not in hls.deviations  # it says nothing of them
    assert synthesis.deviations["lut"] == pytest.approx((estimate.synthesised.lut - 1000) / 1000)
    assert synthesis.deviations["bram"] == 0
    assert measured.deviations["interval"] == estimate.ii - 1
    assert (hls.met, hls.latency_ns, synthesis.met, synthesis.latency_ns) == (True, 8 * CLOCK, True, None)
    assert rows(report, "estimate", "")[0].figures.resources.dsp == estimate.dsp


def test_missing_values_are_dashes(design, folder):
    save(folder, build(design))
    lines = report_text(project_report(folder)).splitlines()
    (line,) = (x for x in lines if x.strip().startswith("bambu 2024.10: hls"))
    assert line.split()[3:] == ["10", "2,000", "0", "-", "-", "1", "8", "32", "3.5", "yes", "250,000,000"]
    (line,) = (x for x in lines if x.strip().startswith("bambu, rtl: measured"))
    assert line.split()[3:] == ["-"] * 5 + ["1", "8", "32", "-", "-", "250,000,000"]
    (line,) = (x for x in lines if x.split()[:2] == ["yosys", "-"])
    assert line.split()[2:] == ["-", "yosys", "is", "not", "here"]


def test_all_tools_stand_side_by_side(design, folder):
    estimate = design.estimate()
    other = dataclasses.replace(estimate, report=dataclasses.replace(estimate.report, dsp=77))
    save(folder, with_estimate(build(design), estimate), with_estimate(build(design, "csim", version="g++"), estimate))
    report = project_report(folder)
    assert [t.report.tool for t in report.tools] == ["bambu", "csim"]
    assert [r.tool for r in report.total] == ["", "", "bambu", "bambu", "bambu", "csim", "csim", "csim"]
    save(folder, with_estimate(build(design, "csim"), other))  # one tool was built with other coefficients
    report = project_report(folder)
    assert {(r.tool, r.figures.resources.dsp) for r in report.total if r.figures.source == "estimate"} == {
        ("bambu", estimate.dsp),
        ("csim", 77),
    }
    assert rows(report, "hls", "csim")[0].deviations["dsp"] == pytest.approx(6.7)
    report = project_report(folder, Today("net.yml", design.project.digest, other))  # today's estimate stands for all
    assert [r.deviations["dsp"] for r in report.total if r.figures.source == "hls"] == [pytest.approx(6.7)] * 2
    assert len(rows(report, "estimate", "")) == 1


def test_bit_operations_of_a_quantised_model_are_told(design, folder):
    save(folder, build(design))
    estimate = dataclasses.replace(design.estimate(), ebops={"fc0": 1234, "fc1": 56})
    report = project_report(folder, Today("net.yml", design.project.digest, estimate))
    assert report.to_dict()["ebops"] == {"total": 1290, "layers": {"fc0": 1234, "fc1": 56}}
    for text in (report_text(report), report_markdown(report)):
        assert re.search(r"fc0\W+1,234\W+fc1\W+56\W+the whole design\W+1,290", text)
    assert "ebops" not in project_report(folder).to_dict()


def test_the_estimate_stands_against_place_and_route(design, folder):
    placed = Figures("placed", "nextpnr-ecp5 0.11", Resources(lut=1000, ff=500), clock_ns=3.0)
    save(folder, with_estimate(build(design, total=(placed,)), design.estimate()))
    (row,) = rows(project_report(folder), "placed", "bambu")
    assert row.deviations["lut"] == pytest.approx(design.estimate().synthesised.lut / 1000 - 1)


# ---- verdicts --------------------------------------------------------------------------------------------------------------


def test_verdicts(design, folder):
    late = (Figures("hls", "b", clock_ns=3.0), Figures("synthesis", "y", clock_ns=CLOCK + 0.01))
    early = (Figures("hls", "b", clock_ns=CLOCK + 1), Figures("synthesis", "y", clock_ns=CLOCK))
    cases = {
        "ok": ({}, True),
        "ok ": ({"total": early}, True),  # synthesis has the last word
        "clock NOT met": ({"total": late}, False),
        "clock NOT met ": ({"total": early[:1]}, False),
        "ok  ": ({"total": (*late, Figures("placed", "nextpnr", clock_ns=CLOCK))}, True),  # place and route after it
        "clock NOT met  ": ({"total": (*early, Figures("placed", "nextpnr", clock_ns=CLOCK + 0.01))}, False),
        "FAILED": ({"steps": (Step("hls", True), Step("simulate", False, note="it stopped"))}, False),
        "FAILED ": ({"checks": (Check("rtl", 1000, 1),)}, False),
        "FAILED  ": ({"checks": (Check("rtl", 0, 0),)}, False),
        "not run": ({"steps": (Step("hls", None),), "checks": (), "total": ()}, False),
        "STALE": ({"digest": "0" * 64}, False),
        "STALE ": ({"digest": ""}, False),
        "STALE  ": ({"steps": (Step("hls", True), Step("vsynth", None, note="stale: it was run on other sources"))}, False),
    }
    for verdict, (changes, ok) in cases.items():
        save(folder, build(design, **changes))
        report = project_report(folder)
        (tool,) = report.tools
        assert (tool.verdict, tool.ok, report.ok) == (verdict.strip(), ok, ok), changes
        assert bool(tool.fix) == (tool.verdict == "STALE")
        assert f"bambu 2024.10: {tool.verdict}" in report_text(report)


def test_a_measurement_that_contradicts_the_tool_is_told(design, folder):
    save(folder, build(design, checks=(Check("rtl", 10, 0, 9, 2), Check("csim", 10, 0))))
    report = project_report(folder)
    said = ("rtl measured latency 9, bambu 2024.10 says 8", "rtl measured II 2, bambu 2024.10 says 1")
    assert report.tools[0].contradictions == said
    assert all(f"CONTRADICTION: {line}" in report_text(report) for line in said)
    save(folder, build(design))
    assert project_report(folder).tools[0].contradictions == ()


def test_stale_says_what_to_run(capsys, design, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    save(folder, build(design), build(design, "csim"))
    assert command(capsys, "out")[0] == 0
    design = nn2hls.convert(mlp(np.random.default_rng(6), (4, 6, 3)), design.config)
    design.write(folder)
    save(folder, build(design, "csim"))
    code, out, _ = command(capsys, "out")
    assert code == 1
    assert "bambu 2024.10: STALE" in out
    assert "csim 2024.10: ok" in out
    assert "run: nn2hls build CONFIG --tool bambu -o out\n" in out


# ---- the command -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A current directory with a config whose project was built with csim."""
    monkeypatch.chdir(tmp_path)
    root = ROOT
    model = (root / "examples" / "jet_tagging" / "jet_tagger.onnx").as_posix()
    text = f"OnnxModel: {model}\nOutputDir: built\nProjectName: jets\nHLSConfig: {{Model: {{Precision: 'ap_fixed<12,5>'}}}}\n"
    Path("my net.yml").write_text(text)
    return Path("my net.yml")


@pytest.mark.long
def test_from_a_config(capsys, config):
    code, out, err = command(capsys, config)
    assert (code, out) == (1, "")
    assert "built: There is no project that nn2hls wrote. Write it: nn2hls build 'my net.yml' --tool csim" in err
    assert main(["convert", str(config)]) == 0
    capsys.readouterr()
    code, _, err = command(capsys, config)
    assert (code, "The project holds no report of a tool. Run a tool on it: nn2hls build 'my net.yml'" in err) == (1, True)
    assert main(["build", str(config)]) == 0
    capsys.readouterr()
    for words in ([config], ["built"]):
        code, out, _ = command(capsys, *words, "--json")
        document = json.loads(out)
        assert (code, document["ok"], document["name"], document["clock_ns"]) == (0, True, "jets", 5.0)
        assert document["tools"][0]["checks"][0]["events"] == 100
        assert {"fc1", "fc2", "fc3", "output"} <= {layer["name"] for layer in document["layers"]}
    text = config.read_text()
    config.write_text(text.replace("12,5", "11,5"))
    code, out, _ = command(capsys, config)
    assert (code, "my net.yml makes other sources today" in out) == (1, True)
    assert "run: nn2hls build 'my net.yml' --tool csim -o built" in out
    assert command(capsys, "built")[0] == 0  # of the folder alone nothing is wrong
    config.write_text(text)
    assert command(capsys, config)[0] == 0
    assert command(capsys, config, "--precision", "ap_fixed<11,5>")[0] == 1


def test_a_file_is_written_whole_or_not_at_all(capsys, design, folder, tmp_path, monkeypatch):
    save(folder, build(design))
    code, out, _ = command(capsys, folder, "-o", tmp_path / "new" / "r.md")
    assert (code, "1 report: bambu ok\nwrote" in out) == (0, True)
    text = (tmp_path / "new" / "r.md").read_text()
    assert command(capsys, folder, "--markdown") == (0, text, "")
    assert text.startswith("# net in ")
    assert "| bambu 2024.10: hls | 10 | 2,000 | 0 | - | - | 1 | 8 | 32 | 3.5 | yes |" in text
    save(folder, build(design, digest=""))
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert command(capsys, folder, "-o", tmp_path / "new" / "r.md")[0] == 1
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["r.md"]
    assert (tmp_path / "new" / "r.md").read_text() == text
    code, _, err = command(capsys, folder, "-o", tmp_path / "r.txt")
    assert (code, "A report is written as .md." in err, (tmp_path / "r.txt").exists()) == (2, True, False)
    code, _, err = command(capsys, folder, "--reuse", "2")
    assert (code, "--reuse: A folder's reports are as they are." in err) == (2, True)


# ---- strangers -------------------------------------------------------------------------------------------------------------

HOSTILE = "fc|1`<img src=x>*_[a](b)\x1b[31m\nnew\x00\u202e\\"


def test_names_from_models_are_shown_as_they_are(design, folder):
    layers = {HOSTILE: (Figures("hls", HOSTILE, Resources(dsp=4)),)}
    save(folder, build(design, layers=layers, version=HOSTILE, checks=(Check(HOSTILE, 1, 0),), notes=(HOSTILE,)))
    report = project_report(folder)
    text, markdown = report_text(report), report_markdown(report)
    for out in (text, markdown):
        assert all(c.isprintable() or c == "\n" for c in out)
        assert not any(line.startswith("new") for line in out.splitlines())
    shown = r"fc|1`<img src=x>*_[a](b)\x1b[31m\nnew\x00\u202e" + "\\"
    assert shown in text
    unescaped = r"(?<!\\)(?:\\\\)*"  # not behind an odd number of backslashes
    for word in ("|1", "`", "<", r"\*", "_", r"\[a"):
        pattern = unescaped + (word if word.startswith("\\") else word.replace("|", r"\|"))
        assert not [m for line in markdown.splitlines() for m in re.finditer(rf"fc\S*{pattern}", line) if "fc0" not in line], (
            word
        )
    table = [line for line in markdown.splitlines() if line.startswith("| fc")]
    assert len(table) == 1
    assert len(re.findall(r"(?<!\\)\|", table[0])) == 13


def damaged(change):
    def apply(data):
        change(data)
        return json.dumps(data)

    return apply


def put(path, value):
    """Sets a field, such as total.0.tool, or deletes it."""

    def change(data):
        *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        for step in way:
            data = data[step]
        if value is KeyError:
            del data[last]
        else:
            data[last] = value

    return damaged(change)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda d: "{", "The JSON is damaged"),
        (lambda d: "[" * 100_000, "The JSON nests more than 200 deep"),
        (lambda d: "1" * 5000, "more than 64 bits"),
        (lambda d: "[]", "The document must be an object"),
        (lambda d: "\x00\xff", "The JSON is damaged"),
        (put("steps", KeyError), ""),
        (put("tool", KeyError), "The field 'tool' is missing"),
        (put("folder", 3), "'folder' must be text, not 3"),
        (put("tool", "vitis"), "The field 'tool' must be 'bambu'"),
        (put("tool", "../bambu"), "The field 'tool' must be 'bambu'"),
        (put("steps", {}), "'steps' must be a list"),
        (put("steps.0.ok", "yes"), "'steps[0].ok' must be true or false"),
        (put("steps.0.seconds", float("nan")), "'steps[0].seconds' must be a finite number"),
        (put("steps.0.seconds", float("inf")), "'steps[0].seconds' must be a finite number"),
        (put("total.1.resources.lut", "many"), "'total[1].resources.lut' must be a whole number"),
        (put("total.0.resources.lut", -1), "'total[0].resources.lut' must be a whole number"),
        (put("total.0.resources.lut", True), "'total[0].resources.lut' must be a whole number"),
        (put("total.0.latency", 1.5), "'total[0].latency' must be a whole number"),
        (put("total.0.interval", 10**18), "'total[0].interval' must be a whole number"),
        (put("total.0.tool", KeyError), "The field 'total[0].tool' is missing"),
        (put("total.0.lutt", 4), "The field 'total[0].lutt' is not known"),
        (put("layers.fc0", 4), "'layers.fc0' must be a list, not 4"),
        (put("layers", []), "'layers' must be an object"),
        (put("checks.0.events", None), "'checks[0].events' must be a whole number"),
        (put("clock_ns", "4"), "'clock_ns' must be a finite number, not '4'"),
        (put("diggest", ""), "The field 'diggest' is not known. Did you mean 'digest'?"),
    ],
)
def test_a_damaged_report_is_named_with_its_field(capsys, design, folder, make, said):
    save(folder, build(design))
    path = folder / "reports" / "bambu.json"
    path.write_bytes(make(json.loads(path.read_text())).encode("latin-1"))
    code, out, _ = command(capsys, folder)
    assert code == 1
    if said:
        assert f"DAMAGED: {path}: " in out
        assert said in out


def test_a_saved_report_reads_back(design, folder):
    for report in (build(design), with_estimate(build(design, total=(), layers={}), design.estimate())):
        assert BuildReport.read(report.save(folder)) == report
        assert BuildReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_folder_of_someone_else(capsys, design, tmp_path):
    save(tmp_path, build(design))
    code, _, err = command(capsys, tmp_path)
    assert (code, "There is no project that nn2hls wrote." in err) == (1, True)
    with pytest.raises(ToolError, match="no project"):
        project_report(tmp_path / "nowhere")


def test_a_project_that_is_half_old_is_stale(capsys, design, folder):
    save(folder, build(design))
    (folder / ".nn2hls-writing").write_text("{}")  # stopped before the first file: all is as it was
    assert "two versions" not in report_text(project_report(folder))
    name = next(p for p in (folder / MARK).read_text().splitlines() if p.endswith("net.cpp")).split()[-1]
    (folder / name).write_text("int x;")
    report = project_report(folder)
    assert (report.ok, [t.verdict for t in report.tools]) == (False, ["STALE"])
    assert "Writing the project was interrupted: its files are of two versions. Write it again." in report_text(report)
    (folder / MARK).unlink()  # a first write that was interrupted
    code, out, err = command(capsys, folder)
    assert (code, "Traceback" in err) == (1, False)
    assert "interrupted" in out + err


def test_sources_changed_by_hand_are_told(design, folder):
    save(folder, build(design))
    name = next(p for p in (folder / MARK).read_text().splitlines() if p.endswith("net.cpp")).split()[-1]
    (folder / name).write_text("int x;")
    assert "changed by hand" in report_text(project_report(folder))
