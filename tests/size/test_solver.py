"""The solver: its dynamic programming and its answers against brute force, refusals, and the config it writes."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn2hls
from nn2hls.cli import main
from nn2hls.config.read import read_config
from nn2hls.errors import LimitError
from nn2hls.size.solution import measures
from nn2hls.size.solver import RESOURCES, Limits, Solver, _shortest
from tests.kit.networks import hls_config, mlp

TAGGER = "example-configs/jet_tagger_reuse4.yml"


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=150)
def test_dynamic_programming_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    limited = int(rng.integers(0, 4))
    sizes = rng.integers(1, 5, size=int(rng.integers(1, 5)))
    weights = [rng.integers(0, 50, n).astype(float) for n in sizes]
    tables = [rng.integers(0, 30, (n, limited)) for n in sizes]
    room = rng.integers(0, 30 * len(sizes), limited)
    within = []
    for rows in itertools.product(*(range(n) for n in sizes)):
        need = sum((t[r] for t, r in zip(tables, rows, strict=True)), np.zeros(limited, dtype=int))
        if np.all(need <= room):
            within.append(sum(w[r] for w, r in zip(weights, rows, strict=True)))
    found = _shortest(weights, tables, room)
    assert (found is None) == (not within)
    if found is not None:
        assert np.all(sum((t[r] for t, r in zip(tables, found, strict=True)), np.zeros(limited, dtype=int)) <= room)
        assert sum(w[r] for w, r in zip(weights, found, strict=True)) == min(within)


@pytest.mark.parametrize("seed", range(12))
def test_up_to_some_thousand_partial_solutions_none_is_given_up(seed):
    """Four layers of twelve factors and three limits: 1,728 partial solutions before the last layer."""
    rng = np.random.default_rng(seed)
    tables = [rng.integers(1, 1000, (12, 3)) for _ in range(4)]
    weights = [1e6 / t.sum(axis=1) + rng.random(12) for t in tables]  # what needs less costs more
    room = rng.integers(1000, 2500, 3)
    rows = np.array(list(itertools.product(range(12), repeat=4)))
    cost = sum(w[rows[:, k]] for k, w in enumerate(weights))
    need = sum(t[rows[:, k]] for k, t in enumerate(tables))
    best = cost[np.all(need <= room, axis=1)].min(initial=np.inf)
    found = _shortest(weights, tables, room)
    assert found is not None
    assert sum(w[r] for w, r in zip(weights, found, strict=True)) == pytest.approx(best, abs=0, rel=1e-12)


@pytest.fixture(scope="module")
def small():
    """A solver of a network small enough to try everything, and the whole estimates of all its designs."""
    graph = mlp(np.random.default_rng(5), (6, 8, 4), density=0.7)
    solver = Solver(nn2hls.convert(graph, hls_config({"Precision": "ap_fixed<16,6>"})).sizer)
    names = list(solver.lists)
    factors = itertools.product(*([c.reuse for c in solver.lists[n]] for n in names))
    return solver, [measures(solver.sizer.estimate(dict(zip(names, f, strict=True)))) for f in factors]


def is_best(solver, everything, limits):
    """Whether the solver's answer is the best of all designs; its answer always is what it says, and within the limits."""
    met = [e for e in everything if all(e[m] <= v for m, v in limits.items())]
    try:
        found = solver.solve(Limits(**limits))
    except LimitError:
        return not met
    answer = measures(found.estimate)
    assert answer in met
    assert answer == measures(solver.sizer.estimate(found.reuses))
    if found.fastest:
        return (answer["ii"], answer["latency"]) == min((e["ii"], e["latency"]) for e in met)
    return solver.cost(answer) <= min(map(solver.cost, met)) * 1.0001


def test_answers_are_the_best_of_all_designs(small):
    """Layers share clocks, which sums do not know: an answer may miss the best by a clock, but rarely."""
    solver, everything = small
    rng = np.random.default_rng(7)
    hits, tries = 0, 60
    for _ in range(tries):
        near = everything[rng.integers(len(everything))]  # limits in the neighbourhood of a design, met or not
        limits = {m: max(1, int(near[m] * rng.uniform(0.8, 1.5))) for m in near if rng.random() < 0.5}
        hits += is_best(solver, everything, limits)
    assert hits >= 0.97 * tries


def test_what_binds_and_what_a_step_more_would_change(small):
    solver, _ = small
    found = solver.solve(Limits(ii=4))
    assert found.estimate.ii == 4
    assert set(found.binding) == {"ii"}
    assert found.binding["ii"]["dsp"] < found.estimate.dsp
    base = measures(found.estimate)
    assert found.steps
    for step in found.steps:
        changed = measures(solver.sizer.estimate({**found.reuses, step.layer: step.other}))
        assert {m: changed[m] - base[m] for m in base} == step.change
        assert step.within == (changed["ii"] <= 4)


def test_without_a_limit_on_time_the_fastest_that_fits_is_taken(small):
    solver, everything = small
    assert solver.solve(Limits()).estimate.ii == 1
    most = sorted(e["dsp"] for e in everything)[len(everything) // 2]
    found = solver.solve(Limits(dsp=most))
    assert found.fastest
    assert found.estimate.ii == min(e["ii"] for e in everything if e["dsp"] <= most)


def test_a_refusal_names_a_limit_that_can_be_met(small):
    solver, everything = small
    with pytest.raises(LimitError, match="DSP cannot be 1: the least is") as error:
        solver.solve(Limits(dsp=1))
    least = int(str(error.value).split("DSP ")[-1].rstrip("."))
    assert least == min(e["dsp"] for e in everything)
    assert solver.solve(Limits(dsp=least)).estimate.dsp == least
    with pytest.raises(LimitError, match="With the others as they are") as error:
        solver.solve(Limits(ii=2, dsp=least))
    for word, measure in (("II", "ii"), ("DSP", "dsp")):
        value = int(str(error.value).split("With the others")[1].split(f"{word} ")[1].split(",")[0].rstrip("."))
        limits = {"ii": 2, "dsp": least, measure: value}
        assert solver.solve(Limits(**limits))
        limits[measure] -= 1
        with pytest.raises(LimitError):
            solver.solve(Limits(**limits))


@pytest.mark.long
def test_the_config_that_is_written_converts_to_what_was_promised(tmp_path, capsys):
    target = tmp_path / "chosen.yml"
    words = ["plan", TAGGER, "--target-ii", "12", "--max-dsp", "5%", "-o", str(target)]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    design = nn2hls.convert(None, target)
    assert {n.name: n.op.reuse for n in design.graph if "reuse" in n.op.uses} == found["reuse"]
    assert measures(design.estimate()) == found["figures"]
    assert found["limits"]["dsp"] == math.floor(0.05 * design.sizer.part.dsp)
    assert read_config(target).part == read_config(TAGGER).part
    assert main(words) == 2  # the file is there
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    assert "The smallest design" in capsys.readouterr().out


def test_times_are_counted_in_clocks_of_the_config(capsys):
    assert main(["plan", TAGGER, "--max-latency", "204.9ns", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["limits"]["latency"] == 40  # 5 ns
    assert found["figures"]["latency"] <= 40
    assert main(["plan", TAGGER, "--max-latency", "soon"]) == 2
    assert "75ns" in capsys.readouterr().err
    assert main(["plan", TAGGER, "--max-dsp", "1"]) == 1
    assert "the least is" in capsys.readouterr().err


def test_every_resource_has_a_limit_of_the_part(small):
    assert set(RESOURCES) <= set(small[0].solve(Limits()).limits)
