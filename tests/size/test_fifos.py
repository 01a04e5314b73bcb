"""FIFO depths: without loss, and the smallest; judged by a slow simulation clock by clock."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import nn2hls
from nn2hls.size.actors import Actor, Take, Timing, actors
from nn2hls.size.deadlock import needed, stuck, tight
from nn2hls.size.fifos import fifos
from nn2hls.size.self_timed import run
from nn2hls.size.traces import depths, trace
from nn2hls.streams.plan import plan
from tests.kit.clocked import clocked
from tests.kit.networks_of_layers import network


def drawn(rng, processes):
    """A random network: windows, joins, forks, bursts, slow cores."""
    found, tokens = [], {}
    for k in range(int(rng.integers(1, 3))):
        n = int(rng.integers(1, 9))
        found.append(Actor(f"in{k}", f"in{k}", (), n, np.arange(n), n))
        tokens[f"in{k}"] = n
    for k in range(processes):
        names = rng.choice(list(tokens), size=min(len(tokens), int(rng.integers(1, 4))), replace=False)
        takes = tuple(Take(str(n), tokens[str(n)], int(rng.integers(0, 4))) for n in names)
        steps = max(t.start + t.tokens for t in takes) + int(rng.integers(0, 3))
        fires = np.sort(rng.choice(steps, size=int(rng.integers(1, steps + 1)), replace=False))
        gives, latency = int(rng.integers(1, 3)), int(rng.integers(1, 5))
        spacing = max(gives, int(rng.integers(1, 4)))
        found.append(Actor(f"p{k}", f"p{k}", takes, steps, fires, steps, gives, spacing, latency, int(rng.integers(1, 9))))
        tokens[f"p{k}"] = found[-1].tokens
    read = {t.value for a in found for t in a.takes}
    ends = [n for n in tokens if n not in read] or [found[-1].name]
    return [*found, *(Actor("", n, (Take(n, tokens[n]),), tokens[n], np.empty(0, int), tokens[n]) for n in ends)]


def ends(steps, found):
    return [own[-1] for own, a in zip(steps, found, strict=True) if not a.name]


@pytest.mark.parametrize("seed", range(40))
def test_a_run_is_what_happens_clock_by_clock(seed):
    rng = np.random.default_rng(seed)
    found = drawn(rng, int(rng.integers(1, 7)))
    timing = Timing(write=int(rng.integers(1, 3)), free=int(rng.integers(1, 3)))
    held = tight(found)
    held = {edge: n + int(rng.integers(0, 3)) for edge, n in held.items()}
    ran = run(found, held, timing, 3)
    done, written, _ = clocked(found, held, timing.write, timing.free, events=3)
    assert ran.complete
    assert done
    assert {n: list(w) for n, w in ran.written.items()} == {n: w for n, w in written.items() if n}


@pytest.mark.parametrize("seed", range(60))
def test_tight_never_gets_stuck_and_less_does(seed):
    rng = np.random.default_rng(seed)
    found = drawn(rng, int(rng.integers(1, 8)))
    held = tight(found)
    assert clocked(found, held, events=3)[0]
    assert clocked(found, held, events=3, stalls=0.5, rng=rng)[0]
    assert not stuck(found, held)
    least = needed(found)
    for edge, depth in held.items():
        if depth > 1:
            less = {**held, edge: depth - 1}
            assert stuck(found, less)
            assert depth > least[edge] or not clocked(found, less, events=3)[0]


@pytest.mark.parametrize("seed", range(40))
def test_a_schedule_is_kept(seed):
    """With the depths of the schedule, pipelines that never stand still are not later in any output."""
    rng = np.random.default_rng(seed)
    found = drawn(rng, int(rng.integers(1, 8)))
    timing = Timing(write=int(rng.integers(1, 3)), free=int(rng.integers(1, 3)))
    planned = trace(found, timing, 4)
    for k, actor in enumerate(found):
        gaps = np.diff(planned.steps[k].reshape(-1))
        assert np.all(gaps >= 1)
        fired = planned.steps[k][:, actor.fires].reshape(-1)
        assert np.all(np.diff(fired) >= actor.spacing)
        for take in actor.takes:
            number = next(n for n, a in enumerate(found) if a.name == take.value)
            assert np.all(planned.taken(k, take) >= planned.written(number) + timing.write)
    held = depths(planned, timing)
    for (value, reader), depth in held.items():
        number = next(n for n, a in enumerate(found) if a.name == value)
        written = planned.written(number).reshape(-1)
        k, take = next((k, t) for k, a in enumerate(found) for t in a.takes if (t.value, a.name) == (value, reader))
        freed = planned.taken(k, take).reshape(-1) + timing.free
        assert np.all(written[depth:] >= freed[: max(0, len(freed) - depth)])
        assert depth == 1 or np.any(written[depth - 1 :] < freed[: len(freed) - depth + 1])


def test_who_sends_less_than_it_reads_is_early():
    """A pooling before a layer that wants all of it: its four tokens wait in place of the sixteen that it reads."""
    slow = Actor("x", "x", (), 16, np.arange(16), 16, spacing=4, bits=8)
    pool = Actor("pool", "pool", (Take("x", 16),), 16, np.arange(3, 16, 4), 16, bits=8)
    last = Actor("last", "last", (Take("pool", 4),), 4, np.array([3]), 4)
    found = [slow, pool, last, Actor("", "last", (Take("last", 1),), 1, np.empty(0, int), 1)]
    assert depths(trace(found, Timing()), Timing())["x", "pool"] == 1


class Residual(nn.Module):
    """Blocks of two convolutions beside a skip, and a global pooling."""

    def __init__(self, blocks):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 2, 3, padding=1), nn.Linear(2, 2)
        self.inner = nn.ModuleList([nn.Conv2d(2, 2, 3, padding=1) for _ in range(2 * blocks)])

    def forward(self, x):
        x = torch.relu(self.first(x))
        for one, two in zip(self.inner[::2], self.inner[1::2], strict=True):
            x = torch.relu(x + two(torch.relu(one(x))))
        return self.last(x.mean((2, 3)))


def planned(model, shape, positions=None):
    torch.manual_seed(3)
    types = {"HLSConfig": {"Model": {"Precision": "ap_fixed<8,3>"}}}
    design = nn2hls.convert(model.eval(), types, example=torch.randn((1, *shape)))
    return plan(design.graph, design.emulator.ranges, positions)


@pytest.fixture(scope="module")
def residual():
    torch.manual_seed(3)
    return planned(Residual(1), (1, 6, 6))


def measured(found, held, events=5):
    """(interval, latency) clock by clock; None in a deadlock."""
    done, written, steps = clocked(found, held, events=events)
    if not done:
        return None
    own = [np.array(s).reshape(events, -1)[:, -1] for s, a in zip(steps, found, strict=True) if not a.name]
    last = np.max(own, axis=0)
    return int(last[-1] - last[-2]), int(last[0] - min(written[a.name][0] for a in found if a.name and not a.takes))


def test_without_loss_and_one_less_loses(residual):
    timing = Timing({p.name: 3 for p in residual.processes})
    found, made = actors(residual, timing), fifos(residual, timing)
    endless = measured(found, dict.fromkeys(made.depths, 10**6))
    assert (made.interval, made.latency) == measured(found, made.depths) == endless
    assert made.interval == max(a.interval for a in found)
    deep = [edge for edge, depth in made.depths.items() if depth > 1]
    assert max(made.depths.values()) > 6  # the skip holds more than a row
    for edge in deep:
        less = measured(found, {**made.depths, edge: made.depths[edge] - 1})
        assert less is None or less > endless or less[1] > endless[1], edge


def test_tight_of_a_network_is_smaller_and_runs(residual):
    timing = Timing({p.name: 3 for p in residual.processes})
    found, loose, made = actors(residual, timing), fifos(residual, timing), fifos(residual, timing, tight=True)
    assert made.memory < loose.memory
    assert made.interval >= loose.interval
    assert measured(found, made.depths) == (made.interval, made.latency)
    assert clocked(found, made.depths, stalls=0.4, rng=np.random.default_rng(0))[0]


def test_events_that_overlap():
    """Where the next event enters while the last firings go on, convolutions with padding take a clock a pixel."""
    network = planned(Residual(1), (1, 6, 6))
    timing = {p.name: 3 for p in network.processes}
    found = actors(network, Timing(timing, overlap=True))
    window = next(a for a in found if a.turn < a.steps)
    assert window.interval == window.turn == 36
    made, apart = fifos(network, Timing(timing, overlap=True)), fifos(network, Timing(timing))
    assert (made.interval, apart.interval) == (36, 43)
    assert made.latency == apart.latency
    ran = run(found, made.depths, Timing(timing, overlap=True), 4)
    for actor in found:
        for take in actor.takes:  # in order, a clock at least between two
            assert np.all(np.diff(ran.taken[take.value, actor.name]) >= 1)
    skip = max(made.depths, key=lambda e: made.depths[e])
    less = run(found, {**made.depths, skip: made.depths[skip] - 1}, Timing(timing, overlap=True), 6)
    more = run(found, made.depths, Timing(timing, overlap=True), 6)
    output = network.outputs[0]
    assert not less.complete or less.taken[output, ""][-1] > more.taken[output, ""][-1]


@pytest.mark.long
def test_thirty_layers_on_a_picture():
    """The skips of all blocks are alike; one place less in any of them loses."""
    torch.manual_seed(3)
    network = planned(Residual(15), (1, 32, 32))
    timing = Timing({p.name: 4 for p in network.processes})
    found, made = actors(network, timing), fifos(network, timing)
    skips = [edge for edge, depth in made.depths.items() if depth > 32]
    assert len(skips) == 15
    assert len({made.depths[edge] for edge in skips}) == 1
    assert made.interval == max(a.interval for a in found)
    ran = run(found, {**made.depths, skips[7]: made.depths[skips[7]] - 1}, timing, 3)
    assert max(ran.taken[network.outputs[0], ""]) > max(run(found, made.depths, timing, 3).taken[network.outputs[0], ""])


@pytest.mark.parametrize("name", ["jet images", "u-net", "particle transformer", "interaction network"])
def test_networks_of_layers(name):
    model, shape = network(name)
    found = planned(model, shape)
    made = fifos(found, Timing({p.name: 2 for p in found.processes}))
    assert (made.interval, made.latency) == measured(actors(found, Timing({p.name: 2 for p in found.processes})), made.depths)
    assert {p.name for p in made.pace} == set(found.streams)
    slowest = max(made.pace, key=lambda p: p.busy)
    assert slowest.busy == 1.0
    assert made.bottleneck == slowest.name
    document = json.loads(json.dumps(made.to_dict()))
    assert document["interval"] == made.interval
    assert f"{made.bottleneck} is the slowest" in str(made)
