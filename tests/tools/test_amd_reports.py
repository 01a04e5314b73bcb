"""Reports of AMD's tools, from fixtures written in their public formats: what is read, and what is refused with its reason."""

import os
import random
from pathlib import Path

import pytest

from nn2hls.errors import ToolError
from nn2hls.guard import MAX_REPORT
from nn2hls.tools.amd.cosim import read_cosimulation
from nn2hls.tools.amd.csynth import read_synthesis
from nn2hls.tools.amd.text import read_xml, version
from nn2hls.tools.amd.vivado import read_export, read_hierarchy, read_slack, read_utilization
from nn2hls.tools.report import Figures, Resources
from tests.kit.paths import ROOT

FIXTURES = ROOT / "tests" / "fixtures" / "amd"
VIVADO_HLS = ["2018.3", "2019.2", "2020.1"]
VITIS_HLS = ["2020.2", "2023.1", "2024.2"]


def synthesis(tool, release):
    return read_synthesis(FIXTURES / f"{tool}_hls_{release}" / "syn" / "report", "net", tool)


@pytest.mark.parametrize("release", VIVADO_HLS)
def test_synthesis_of_vivado_hls(release):
    found = synthesis("vivado", release)
    uram = None if release == "2018.3" else 0  # which had no URAM yet
    tool = f"vivado {release}"
    assert (found.version, found.part, found.clock_ns) == (release, "xc7a200tffg1156-2", 5.0)
    assert found.total == Figures("hls", tool, Resources(21, 2750, 1830, 4, uram), 12, 1, 4.312)
    assert set(found.modules) == {"fc1", "fc2_s", "write_out"}
    assert found.modules["write_out"].interval == 2  # of 1 and 2 the one to count on
    assert found.modules["fc1"] == Figures("hls", tool, Resources(15, 1500, 900, 0, uram), 5, 1, 4.101)
    assert found.modules["fc2_s"] == Figures("hls", tool, Resources(6, 720, 610, 4, uram), None, None, 3.95)


@pytest.mark.parametrize("release", VITIS_HLS)
def test_synthesis_of_vitis_hls(release):
    found = synthesis("vitis", release)
    tool = f"vitis {release}"
    assert found.total == Figures("hls", tool, Resources(17, 2044, 1211, 2, 0), 9, 1, 3.577)
    assert set(found.modules) == {"fc1", "fc2", "fc1_Pipeline_1"}
    assert found.modules["fc1"] == Figures("hls", tool, Resources(11, 1300, 700, 0, 0), 4, 1, 3.577)
    assert found.modules["fc1_Pipeline_1"].interval == 4  # of '2 ~ 4' the one to count on
    assert (found.modules["fc2"].latency, found.modules["fc2"].interval) == (None, None)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [(f"vivado_hls_{r}", (12, 1)) for r in VIVADO_HLS] + [(f"vitis_hls_{r}", (10, 2)) for r in VITIS_HLS],
)
def test_cosimulation(folder, expected):
    found = read_cosimulation(FIXTURES / folder / "sim" / "report" / "net_cosim.rpt")
    assert (found.passed, found.status) == (True, "Pass")
    assert (found.latency, found.interval) == expected


@pytest.mark.parametrize(
    ("folder", "expected", "slack"),
    [
        ("2019.2_7series", ("2019.2", Resources(20, 1402, 1701, 5, None)), -0.127),
        ("2022.2_ultrascale", ("2022.2", Resources(17, 1180, 988, 2, 0)), 1.204),
        ("2024.2_versal", ("2024.2", Resources(18, 1240, 1033, 1, 1)), None),
    ],
)
def test_vivado(folder, expected, slack):
    assert read_utilization(FIXTURES / "vivado" / folder / "vivado_synth.rpt") == expected
    assert read_slack(FIXTURES / "vivado" / folder / "vivado_timing.rpt") == slack


@pytest.mark.parametrize(("folder", "uram"), [("2019.2_7series", None), ("2022.2_ultrascale", 0)])
def test_hierarchy_adds_the_instances_of_a_module(folder, uram):
    found = read_hierarchy(FIXTURES / "vivado" / folder / "vivado_hierarchy.rpt")
    assert found["net_fc1_part"] == Resources(7, 190, 42, 0, uram)
    assert found["net_fc2"] == Resources(6, 369, 318, 2, uram)
    assert found["(top)"] == Resources(17, 1180, 988, 2, uram)  # not the row of the top without what is inside it


def test_export():
    total, modules = read_export(FIXTURES / "vitis_hls_2024.2/impl/report/verilog/export_syn.xml", "synthesis")
    assert total == Figures("synthesis", "vivado 2024.2 synthesis", Resources(17, 1203, 1010, 2, 0), clock_ns=3.21)
    assert modules == {"fc1": Resources(11, 801, 600, 0, 0)}  # an operator is no module of its own
    total, modules = read_export(FIXTURES / "vivado_hls_2019.2/impl/report/verilog/net_export.xml", "synthesis")
    assert (total.resources, total.clock_ns, modules) == (Resources(21, 1450, 1621, 4, None), 3.902, {})


CSYNTH = (FIXTURES / "vitis_hls_2023.1/syn/report/csynth.xml").read_text()
OVERALL = "PerformanceEstimates/SummaryOfOverallLatency is missing"
DAMAGED = {
    "<profile>": ("<!DOCTYPE a [<!ENTITY b 'x'>]><profile>", "document type"),
    "</profile>": ("", "It is no XML"),
    "<LUT>2044</LUT>": ("<LUT>many</LUT>", "LUT is 'many', which is no whole number"),
    "<FF>1211</FF>": ("", "AreaEstimates/Resources/FF is missing"),
    "<Worst-caseLatency>9</Worst-caseLatency>": ("<Worst-caseLatency>-9</Worst-caseLatency>", "Worst-caseLatency is '-9'"),
    "<EstimatedClockPeriod>3.577": ("<EstimatedClockPeriod>fast", "EstimatedClockPeriod is 'fast', which is no number"),
    "<Version>2023.1</Version>": ("<Version></Version>", "ReportVersion/Version is missing"),
    "<TopModelName>net": ("<TopModelName>other", "top function 'other', not 'net'"),
    "<Name>fc1</Name>": ("", "Name is missing"),
    "<Name>fc2</Name>": (f"<Name>{'x' * 500}</Name>", "which is no name"),
    "<Name>fc1_Pipeline_1</Name>": ("<Name>a\u009b31m</Name>", "Name is 'a\\x9b31m', which is no name"),
    "SummaryOfOverallLatency": ("Summary", OVERALL),
    "<AreaEstimates>": ("<AreaEstimates/><Other>", "It is no XML"),
    "AreaEstimates": ("Area", "AreaEstimates/Resources is missing"),
    "PerformanceEstimates": ("Performance", "PerformanceEstimates is missing"),
}


@pytest.mark.parametrize("old", DAMAGED)
def test_a_damaged_synthesis_report_says_what_is_wrong_and_where(tmp_path, old):
    new, words = DAMAGED[old]
    assert old in CSYNTH
    (tmp_path / "csynth.xml").write_text(CSYNTH.replace(old, new))
    with pytest.raises(ToolError) as error:
        read_synthesis(tmp_path, "net", "vitis")
    assert words in str(error.value)
    assert "csynth.xml" in error.value.where


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-7", "cp037"])
def test_a_document_type_cannot_hide_in_another_encoding(tmp_path, encoding):
    path = tmp_path / "csynth.xml"
    text = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE a [<!ENTITY b 'x'>]><a>&b;</a>"
    for content in (text.encode(encoding), text[: text.index("<!")].encode() + text[text.index("<!") :].encode(encoding)):
        path.write_bytes(content)
        with pytest.raises(ToolError):
            read_xml(path)


def test_what_is_not_read_may_stand_in_any_encoding(tmp_path):
    (tmp_path / "csynth.xml").write_bytes(CSYNTH.replace("<Loops/>", "<Loops>é</Loops>").encode("latin-1"))
    assert read_synthesis(tmp_path, "net", "vitis") == synthesis("vitis", "2023.1")


def test_reports_are_of_bounded_size_and_text(tmp_path):
    path = tmp_path / "csynth.xml"
    with path.open("wb") as file:
        file.truncate(MAX_REPORT + 1)
    with pytest.raises(ToolError, match=f"at most {MAX_REPORT} are read"):
        read_xml(path)
    path.write_bytes("<profile/>".encode("utf-16"))
    with pytest.raises(ToolError, match="no text"):
        read_xml(path)
    with pytest.raises(ToolError, match="No such file"):
        read_xml(tmp_path / "none.xml")
    with pytest.raises(ToolError, match="It is a folder"):
        read_xml(tmp_path)


COSIM = (FIXTURES / "vitis_hls_2023.1/sim/report/net_cosim.rpt").read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Verilog", "Chisel", "no language was simulated"),
        ("|   Verilog|      Pass|", "|   Verilog|        NA|", "no language was simulated"),
        ("|             10|", "|            ten|", "'ten', which is no whole number"),
        ("\n|   Verilog", "\n|   Verilog|Pass|\n|   Verilog", "has 2 columns instead of 8"),
        ("|", "", "it has no line for Verilog or VHDL"),
    ],
)
def test_a_damaged_cosimulation_report(tmp_path, old, new, words):
    assert old in COSIM
    (tmp_path / "net_cosim.rpt").write_text(COSIM.replace(old, new))
    with pytest.raises(ToolError, match=words):
        read_cosimulation(tmp_path / "net_cosim.rpt")


def test_a_cosimulation_that_fails_is_no_damage(tmp_path):
    (tmp_path / "net_cosim.rpt").write_text(COSIM.replace("Pass", "Fail").replace("             10|", "             NA|"))
    found = read_cosimulation(tmp_path / "net_cosim.rpt")
    assert (found.passed, found.status, found.latency, found.interval) == (False, "Fail", None, 2)


@pytest.mark.parametrize(
    ("reader", "file", "old", "new", "words"),
    [
        (read_utilization, "vivado_synth.rpt", "CLB LUTs", "CLB CUTs", "no line 'Slice LUTs' or 'CLB LUTs'"),
        (read_utilization, "vivado_synth.rpt", " 988 |", " 9e8 |", "CLB Registers is '9e8'"),
        (read_utilization, "vivado_synth.rpt", "|", "", "no line 'Slice LUTs'"),
        (read_slack, "vivado_timing.rpt", "WNS(ns)", "WHS(ns)", "no Design Timing Summary"),
        (read_slack, "vivado_timing.rpt", " 1.204 ", " soon ", "WNS(ns) is 'soon'"),
        (read_hierarchy, "vivado_hierarchy.rpt", "Instance", "Thing", "no table of instances"),
        (read_hierarchy, "vivado_hierarchy.rpt", " 790 |", " ??? |", "Total LUTs is '???'"),
    ],
)
def test_damaged_reports_of_vivado(tmp_path, reader, file, old, new, words):
    text = (FIXTURES / "vivado" / "2022.2_ultrascale" / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    with pytest.raises(ToolError) as error:
        reader(tmp_path / file)
    assert words in str(error.value)
    assert error.value.where == os.fspath(tmp_path / file)


@pytest.mark.parametrize(
    ("old", "new", "words"), [("<LUT>1203</LUT>", "", "AreaReport/Resources/LUT"), ("AreaReport", "A", "AreaR")]
)
def test_a_damaged_export_report(tmp_path, old, new, words):
    text = (FIXTURES / "vitis_hls_2024.2/impl/report/verilog/export_syn.xml").read_text()
    (tmp_path / "export_syn.xml").write_text(text.replace(old, new))
    with pytest.raises(ToolError, match=words):
        read_export(tmp_path / "export_syn.xml", "synthesis")


READERS = {
    "vitis_hls_2024.2/syn/report/csynth.xml": lambda path: read_synthesis(path.parent, "net", "vitis"),
    "vivado_hls_2018.3/syn/report/csynth.xml": lambda path: read_synthesis(path.parent, "net", "vivado"),
    "vitis_hls_2023.1/sim/report/net_cosim.rpt": read_cosimulation,
    "vitis_hls_2024.2/impl/report/verilog/export_syn.xml": lambda path: read_export(path, "synthesis"),
    "vivado/2022.2_ultrascale/vivado_synth.rpt": read_utilization,
    "vivado/2022.2_ultrascale/vivado_hierarchy.rpt": read_hierarchy,
    "vivado/2022.2_ultrascale/vivado_timing.rpt": read_slack,
}


@pytest.mark.parametrize("file", READERS)
def test_no_damage_makes_more_than_an_error(tmp_path, file):
    good = (FIXTURES / file).read_bytes()
    path, draw, refused = tmp_path / Path(file).name, random.Random(file), []
    marks = [b"", b"|", b"<", b">", b"-", b"9" * 30, b"\0", b"\xff", b"NA", b"~", b"&#0;", b"<LUT/>", b"\n"]
    for _ in range(300):
        start = draw.randrange(len(good))
        end = start + draw.choice([0, 1, 5, 60, len(good)])
        path.write_bytes(good[:start] + draw.choice(marks) + good[end:])
        try:
            READERS[file](path)
        except ToolError as error:
            refused.append(error.where)
    assert len(refused) > 10
    assert set(refused) == {str(path)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v2023.1 (64-bit)", "2023.1"),
        ("Vivado v2019.1.3 (64-bit)\nSW Build 2644227 on Wed Sep  4 09:44:18 MDT 2019", "2019.1.3"),
        ("****** vitis-run v2024.2 (64-bit)", "2024.2"),
        ("Built on 2020.11.12, serial 12020.1", ""),
        ("nothing", ""),
    ],
)
def test_versions(text, expected):
    assert version(text) == expected
