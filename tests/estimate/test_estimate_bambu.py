"""The estimate for Bambu: coefficients, errors and page against the recorded builds, and sums done by hand."""

import copy

import pytest
import yaml

from benchmarks import bambu_calibration as c
from benchmarks.bambu_designs import specs
from benchmarks.bambu_table import read_runs
from nn2hls.cli import parser
from nn2hls.commands.base import make_design
from nn2hls.errors import ConfigError
from nn2hls.estimate import bambu as b
from nn2hls.estimate.estimate import estimate
from nn2hls.estimate.figures import ESTIMATE, SYNTHESIS, estimate_figures
from nn2hls.estimate.result import accuracy
from nn2hls.hardware.schedule import Kind, Operator, Schedule
from nn2hls.targets import find_part
from tests.kit.paths import ROOT

PART = find_part(c.PART)
BY = {
    "parallel": {
        "ns": {"adder": 1.0, "cast": 3.0},
        "lut": {"adder_bit": 2.0, "cast_bit": 1.0},
        "ff": {"cut_lut": 0.5},
    },
    "reused": {"clocks": {"step_bit": 0.1, "layer": 3.0}, "lut": {"logic_bit": 2.0, "cast_bit": 1.0}, "ff": {"kept_bit": 3.0}},
}
ADD = Operator(Kind.ADD, (12,))
CLAMP = Operator(Kind.SELECT, (12, 2))
SUMS = Schedule(
    operators=(Operator(Kind.ADD, (12,), 10), CLAMP),
    path=(ADD, ADD, ADD, CLAMP),
    results=10,
)
STEPS = Schedule(
    ii=4,
    operators=(Operator(Kind.SELECT, (8, 4), 3), Operator(Kind.MUL, (8, 6), 3), Operator(Kind.ADD, (16,), 3)),
    path=(Operator(Kind.ROM, (2, 9)), Operator(Kind.SELECT, (8, 4)), Operator(Kind.MUL, (8, 6)), ADD, CLAMP),
    results=20,
    state=64,
)


def design(*schedules, ns=5.0, part=PART):
    names = [f"l{k}" for k in range(len(schedules))]
    reads = {name: (before,) for before, name in zip(["x", *names], names, strict=False)}
    return b.bambu_design(list(zip(names, schedules, strict=True)), reads, {"x": 32}, part, ns, BY)


def test_a_pipeline_by_hand():
    """Three adders and a choice: 6 ns, so one clock edge at 5 ns; it keeps half of what the LUTs of one of the four answer."""
    found = design(SUMS)
    assert (found.latency, found.ii) == (1, 1)
    layer = found.layers["l0"]
    assert layer.cost.lut == 10 * 12 * 2 + 12
    assert layer.ff == layer.cost.lut * 0.5 / 4
    assert layer.cost.dsp == 0
    assert design(SUMS, SUMS).latency == 2  # 12 ns
    assert design(SUMS, ns=10.0).latency == 0


def test_a_slower_part_takes_more_clocks():
    assert design(SUMS, SUMS, part=find_part("xc7z020clg484-1")).latency > 2


def test_steps_by_hand():
    """4 steps x 14 bits x 0.1, and the layer: 8.6 clocks, and one more for the event."""
    found = design(STEPS)
    assert (found.latency, found.ii) == (10, 9)
    layer = found.layers["l0"]
    assert (layer.cost.dsp, layer.cost.lut, layer.ff) == (3, 2 * (3 * 8 + 3 * 16 + 64), 3 * (32 + 64))
    assert design(STEPS, STEPS).ii == 17  # 17.2: one layer after the other


@pytest.mark.parametrize(
    ("widths", "slices"), [((16, 16), 1), ((8, 6), 1), ((4, 4), 0), ((24, 17), 1), ((25, 17), 2), ((26, 26), 4)]
)
def test_dsp_slices_of_a_product(widths, slices):
    assert b.dsp_slices(Operator(Kind.MUL, widths, 1), (25, 18)) == slices
    assert b.dsp_slices(Operator(Kind.MUL_CONST, widths, 1), (25, 18)) == 0


# ---- the record ------------------------------------------------------------------------------------------------------------


def test_the_record_is_whole_and_half_of_it_held_out():
    done = c.recorded()
    assert list(done) == [s.name for s in specs()]
    assert len(done) >= 24
    for spec in specs():
        entry = done[spec.name]
        assert entry["design"] == spec.to_dict()
        assert entry["events"] == 1000
        assert len(entry["digest"]) == len(entry["rtl"]) == 64
        assert entry["tools"]["bambu"]
    groups = {s.group for s in specs()}
    for group in groups:
        halves = [s.held_out for s in specs() if s.group == group]
        assert 2 * sum(halves) == len(halves), group


def test_the_coefficients_are_those_of_the_fitting_half():
    stored = yaml.safe_load((ROOT / "nn2hls" / "targets" / "bambu_costs.yml").read_text(encoding="utf-8"))
    found = c.fit()
    assert stored["part"] == found["part"]
    for structure, figures in found["coefficients"].items():
        for figure, terms in figures.items():
            assert stored["coefficients"][structure][figure] == pytest.approx(terms, rel=2e-3), (structure, figure)


def test_held_out_designs_do_not_enter_the_fit(monkeypatch):
    before = c.fit()
    spoilt = copy.deepcopy(c.recorded())
    for spec in specs():
        if spec.held_out:
            spoilt[spec.name] |= {"lut": 10**6, "ff": 10**6, "latency": 900, "ii": 900}
    monkeypatch.setattr(c, "recorded", lambda: spoilt)
    assert c.fit() == before
    for spec in specs():
        spoilt[spec.name]["lut"] *= 2
    assert c.fit() != before


def test_the_page_holds_the_output():
    """When it does not: `python -m benchmarks.bambu_calibration page`, which also says how many records are stale."""
    page = c.PAGE.read_text(encoding="utf-8")
    assert f"{c.BEGIN}\n```\n{c.quoted()}\n```\n{c.END}" in page


@pytest.mark.parametrize(
    ("structure", "figure", "median"),
    [("parallel", "lut", 0.15), ("parallel", "ff", 0.35), ("reused", "lut", 0.32), ("reused", "ff", 0.40)],
)
def test_errors_of_the_held_out_half(structure, figure, median):
    some = [r for r in c.rows() if c.STRUCTURES[structure](r.spec) and r.spec.held_out]
    assert len(some) >= 5
    off = sorted(abs(e) for e in c.errors(some, figure))
    assert off[len(off) // 2] <= median


# ---- in the estimate -------------------------------------------------------------------------------------------------------


def test_the_estimate_for_bambu_is_that_of_yosys():
    spec = specs()[0]
    found = spec.design.estimate()
    row = next(r for r in c.rows() if r.spec == spec)
    said = row.predicted()
    assert (found.tool, found.latency_cycles, found.ii) == ("bambu", said["latency"], said["ii"])
    assert found.lut == pytest.approx(said["lut"], abs=3)
    assert found.report == found.synthesised
    assert "after yosys" in found.text()
    assert "HLS report" not in found.text()


def test_other_networks_that_were_built_are_near_their_estimate():
    """As docs/estimation.md says of them; none of them was fitted."""
    runs = [r for r in read_runs() if r.name in ("residual", "tables", "two_by_two")]
    assert len(runs) == 3
    for run in runs:
        args = parser()[0].parse_args(run.command.split()[1:])
        args.config, args.backend = ROOT / (run.config or run.model), "Bambu"
        found = make_design(args).estimate()
        assert found.ii == run.interval == 1
        assert 2 <= run.latency - found.latency_cycles <= 3
        assert 0.7 <= run.synthesis["lut"] / found.lut <= 1.05
        assert 2 <= run.synthesis["ff"] / found.ff <= 7


def test_of_bambu_itself_only_clocks_are_expected():
    total, _ = estimate_figures(specs()[0].design.estimate())
    by_source = {f.source: f for f in total}
    assert by_source[ESTIMATE].resources.lut is None
    assert by_source[ESTIMATE].interval == 1
    assert by_source[SYNTHESIS].resources.lut > 0


def test_the_bands_beside_the_figures_are_the_errors_of_the_held_out_half():
    found = c.words()
    for spec, structure in ((specs()[0], "parallel"), (specs()[-1], "reused")):
        said = accuracy(spec.design.estimate())
        assert {f: said["synthesised"][f] for f in ("dsp", "lut", "ff")} == {
            f: found[structure][f] for f in ("dsp", "lut", "ff")
        }
        assert said["report"]["latency"] == found[structure]["latency"]


def test_an_unknown_tool_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match="bambu"):
        estimate([("a", SUMS)], PART, 5, "catapult")
