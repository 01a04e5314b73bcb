"""The table of real Bambu runs is what its files say, and tells which rows are of older sources."""

import dataclasses
import json

import pytest

from benchmarks import bambu_table
from benchmarks.bambu_table import PAGE, Run, available, page_with, read_runs, render, todays_digest

MODEL = "examples/jet_tagging/jet_tagger.onnx"
RUN = Run(
    name="jets",
    model=MODEL,
    config="",
    command=f"nn2hls build {MODEL} --tool bambu --part xc7z020-1 --reuse 32 --precision ap_fixed<12,5>",
    tools={"yosys": "0.23", "bambu": "2024.10"},
    digest="a" * 64,
    interval=1,
    latency=None,
    hls={"dsp": 22, "ff": 41700},
    synthesis={"lut": 59500},
    seconds=113.4,
    megabytes=None,
    events=1000,
    differ=0,
)


def test_the_page_holds_the_table_of_the_runs():
    runs = read_runs()
    today = {r.name: todays_digest(r) for r in runs if available(r)}
    page = PAGE.read_text(encoding="utf-8")
    if len(today) == len(runs):
        assert page == page_with(render(runs, today), page)
        return
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines() if line.startswith("| ")}
    for run in runs:  # a row whose model is not here keeps the mark that it has
        seen = today.get(run.name, "other" if "**stale**" in rows[run.name] else run.digest)
        assert rows[run.name] == render([run], {run.name: seen}).splitlines()[2]


def test_a_row():
    (row,) = render([RUN], {"jets": RUN.digest}).splitlines()[2:]
    cells = row.strip("| ").split(" | ")
    assert len(cells) == len(bambu_table.HEAD)
    assert cells[2:] == [
        "bambu 2024.10, yosys 0.23",
        *["1", "-", "22", "41,700", "59,500", "-", "-", "-", "113", "-"],
        "1,000 events, all equal",
        "a" * 12,
    ]
    assert render([RUN], {}) == render([RUN], {"jets": RUN.digest})
    assert render([RUN], {"jets": "b" * 64}).splitlines()[2].endswith(f"{'a' * 12} **stale** |")
    assert "3 DIFFER" in render([dataclasses.replace(RUN, differ=3)], {})
    assert "**stale**" not in render([RUN], {"other": "b"})


def test_todays_digest_follows_the_options():
    other = dataclasses.replace(RUN, command=RUN.command.replace("12,5", "11,5"))
    assert available(RUN)
    assert len(todays_digest(RUN)) == 64
    assert todays_digest(RUN) == todays_digest(RUN) != todays_digest(other)


def test_runs_are_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(bambu_table, "RUNS", tmp_path)
    path = RUN.save()
    assert read_runs(tmp_path) == [RUN]
    for data in ({**dataclasses.asdict(RUN), "more": 1}, {**dataclasses.asdict(RUN), "name": "x"}):
        path.write_text(json.dumps(data))
        with pytest.raises(ValueError, match=r"jets\.json"):
            read_runs(tmp_path)
