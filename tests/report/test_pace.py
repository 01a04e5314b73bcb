"""What `report` says of a design in streams: events per second, the pace of every layer, and where its memories lie."""

import json

import numpy as np
import pytest

import nn2hls
from nn2hls.errors import ToolError
from nn2hls.estimate.figures import with_estimate
from nn2hls.report.project import Today, project_report
from nn2hls.report.text import report_markdown, report_text
from nn2hls.tools.report import BuildReport, Step
from tests.kit.cnn import cnn
from tests.kit.networks import mlp


def reported(graph, folder, **more):
    config = {"Part": "xc7a35tcpg236-1", "ClockPeriod": 10, "ProjectName": "net", **more}
    design = nn2hls.convert(graph, config)
    found = BuildReport("rtl", "out", design.project.digest, steps=(Step("simulate", True),), clock_ns=10.0)
    with_estimate(found, design.estimate()).save(design.write(folder))
    return design


@pytest.fixture(scope="module")
def streams(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams") / "out"
    return folder, reported(cnn(np.random.default_rng(0), (6, 6, 2)), folder, Backend="Verilog", IOType="io_stream")


def test_the_pace_and_the_memories_of_every_layer(streams):
    folder, design = streams
    estimate, report = design.estimate(), project_report(folder)
    assert set(report.courses) == {layer.name for layer in estimate.layers}
    for p in estimate.fifos.pace:
        if p.name in report.courses:
            course = report.courses[p.name]
            assert (course.first, course.rate) == (p.first, p.tokens / estimate.ii)
            assert course.lines_lut == estimate.memories[p.name].lines_lut
    assert sum(c.queues_lut for c in report.courses.values()) > 0
    assert report.to_dict()["courses"]["conv0"]["lines_lut"] == report.courses["conv0"].lines_lut > 0
    for text in (report_text(report), report_markdown(report)):
        assert "Pace and memories" in text
        assert "tokens a clock" in text


def test_events_per_second_are_of_the_interval_and_the_clock(streams):
    folder, design = streams
    report = project_report(folder, Today("c.yml", design.project.digest, design.estimate()))
    (row,) = [r for r in report.total if r.figures.source == "estimate"]
    assert row.events_per_second == pytest.approx(1e9 / (36 * 10))
    assert f"{1e9 / 360:,.0f}" in report_text(report)
    assert f"interval 36, {1e9 / 360:,.0f} events/s" in design.estimate().text()


def test_without_streams_roms_alone(tmp_path):
    graph = mlp(np.random.default_rng(1), (8, 6, 2))
    design = reported(graph, tmp_path / "out", Backend="Verilog", HLSConfig={"Model": {"ReuseFactor": 6}})
    report = project_report(tmp_path / "out")
    assert {c.first for c in report.courses.values()} == {None}
    assert report.courses["fc0"].roms_lut == design.estimate().memories["fc0"].roms_lut > 0
    assert "Memories, by the estimate" in report_text(report)
    assert "first token" not in report_text(report)


@pytest.mark.parametrize(("field", "value"), [("lines_lut", -1), ("rate", "fast"), ("more", 1)])
def test_what_others_wrote_there_is_checked(field, value, streams):
    folder, _ = streams
    data = json.loads((folder / "reports" / "rtl.json").read_text(encoding="utf-8"))
    data["courses"]["conv0"][field] = value
    with pytest.raises(ToolError, match=rf"courses\.conv0\.{field}"):
        BuildReport.from_dict(data)


def test_reports_of_before_have_none(streams):
    data = json.loads((streams[0] / "reports" / "rtl.json").read_text(encoding="utf-8"))
    assert data.pop("courses")
    assert BuildReport.from_dict(data).courses == {}
