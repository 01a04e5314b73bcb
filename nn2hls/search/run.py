"""Search per-layer types and reuse factors for accuracy, size and latency, from the estimate and the emulator alone.

First every width is lowered alone, which shows how many bits each layer can lose; designs made of these answers come next, and
Optuna goes on from there. Designs are asked for, run and told in batches of one size, so that a seed gives the same search on
any number of workers.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nn2hls.arith.fixed import FixedType
from nn2hls.compare.judge import Own
from nn2hls.config.check import bind
from nn2hls.config.config import Config
from nn2hls.config.read import read_config
from nn2hls.config.write import to_yaml
from nn2hls.errors import ConfigError, Nn2hlsError
from nn2hls.graph.graph import Graph
from nn2hls.search.result import Candidate, Held, Search
from nn2hls.search.space import Params, Space
from nn2hls.search.start import Goal, descend, sensitivity
from nn2hls.search.study import Study
from nn2hls.trials.network import Network, config_digest, size
from nn2hls.trials.ranges import parse_reuses
from nn2hls.trials.workers import Workers

__all__ = ["Candidate", "Search", "search"]

BATCH = 16
UNIFORM = FixedType(16, 6)  # what costs are compared with
_SIGMAS = 1.645  # one-sided 95 %: how sure the search data must be that the loss is kept


def search(
    model: Any,
    config: Any = None,
    *,
    x: Any,
    y: np.ndarray | None = None,
    trials: int = 300,
    max_loss: float = 0.005,
    max_latency: float | None = None,
    reuses: str | Iterable[int] = (),
    widest: int = 12,
    held_out: float = 0.5,
    seed: int = 0,
    jobs: int | None = None,
    cluster: str | None = None,
    storage: str | None = None,
    study: str = "nn2hls",
    metric: str | Own | None = None,
    threshold: float | None = None,
    target: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Search:
    """Find the designs that no other one beats in the metric, cost (LUT + 100 DSP of the HLS report) and latency at once.

    Args:
        model: As for :func:`nn2hls.convert`.
        config: As for :func:`nn2hls.convert`; its types give way, the rest holds.
        x: One array (events, *shape) per input.
        y: Labels of the first output: class numbers, one-hot, or values; without, float answers take their place.
        trials: Designs that Optuna asks for after the guided start.
        max_loss: What the chosen design may lose against float where no ``target`` is given: of accuracy, agreement, AUC or a
            metric of one's own; of MSE and MAE a share of float's.
        max_latency: Nanoseconds that the chosen design may take; None: any.
        reuses: Reuse factors to choose from for each layer; none: as the config says.
        widest: Bits that no result and no weight exceeds.
        held_out: Share of the events, drawn by ``seed``, that the search never sees.
        seed: Of the split and of the sampler.
        jobs, cluster: As for :func:`nn2hls.scan`.
        storage: Where Optuna keeps the study, such as ``sqlite:///search.db``; a study that is there goes on.
        study: Its name there.
        metric, threshold: As for :meth:`nn2hls.design.design.Design.compare`, of the first output.
        target: The score of the metric that the chosen design must reach, in dB for SQNR; None: 40 dB, or by ``max_loss``.
        progress: Called with the number of designs done and of all.

    Raises:
        ConfigError: An argument is out of range, or nothing can be converted.
        ToolError: Optuna, or what workers need, is missing.
    """
    start = time.perf_counter()
    _check(trials, max_loss, widest, held_out, seed, max_latency)
    workers = Workers(jobs, cluster)
    whole = Network.prepare(model, config, x, y, metric, threshold)
    _check_storage(storage, whole)
    seen, unseen = _split(whole, held_out, seed)
    goal = Goal(seen.judge.allowed(seen.reference, max_loss, target), max_latency)
    base, space = _without_types(seen.config), Space.of(seen, widest, parse_reuses(reuses))
    kept = Study(space, seen.provenance(base, seed), seed, goal.max_loss, _merit(seen), storage, study)
    run = _Run(seen, space, base, kept, workers, progress, trials + sum(v.high - v.low for v in space.widths()))
    found = _found(run, unseen, goal, trials)
    return dataclasses.replace(found, target=target, seed=seed, seconds=time.perf_counter() - start)


def _check_storage(storage: str | None, network: Network) -> None:
    if storage is not None and network.judge.metric.own is not None:
        what = "A stored study cannot tell which function a metric of one's own was."
        raise ConfigError(what, where="storage", fix="Leave storage out, or take a metric by its name.")


def _merit(network: Network) -> Callable[[Mapping[str, Any]], float]:
    """What the study makes large, of what was measured."""
    metric = network.judge.metric
    return lambda found: metric.merit(found["score"])


def _found(run: _Run, unseen: Network, goal: Goal, trials: int) -> Search:
    """All that a search finds.

    Raises:
        ConfigError: No design of the space can be made.
    """
    seen, kept = run.network, run.study
    uniform = _measured(seen, seen.uniform(UNIFORM, 1))
    sensitivities, first = sensitivity(run.evaluate, run.space, goal.max_loss)
    descend(run.evaluate, run.space, goal, first, trials // 2)
    run.optimise(trials - trials // 2)
    front = kept.front()
    if not front:
        raise ConfigError("No design of the space can be made.", fix="Try nn2hls convert for the reason, or wider types.")
    chosen = min(kept.designs(), key=goal.rank)
    best = run.space.config(run.base, chosen.params)
    return Search(
        front=tuple(front),
        chosen=chosen,
        config=best,
        accuracy_float=_accuracy_float(seen),
        score_float=_finite(seen.score_float),
        judge=seen.judge,
        max_loss=goal.max_loss,
        target=None,
        max_latency=goal.max_latency,
        uniform=uniform,
        held=_hold(unseen, best),
        sensitivities=tuple(sensitivities),
        events=seen.events,
        designs=kept.count,
        seconds=0.0,
        seed=0,
        space=run.space,
    )


def _check(trials: int, max_loss: float, widest: int, held_out: float, seed: int, max_latency: float | None) -> None:
    rules = (
        (trials >= 0, "trials", trials, "0 or more"),
        (0 < max_loss < 1, "max_loss", max_loss, "a share between 0 and 1, such as 0.005"),
        (3 <= widest <= 24, "widest", widest, "3 to 24 bits"),
        (0 < held_out < 1, "held_out", held_out, "a share between 0 and 1, such as 0.5"),
        (0 <= seed < 2**31, "seed", seed, "0 or more, below 2,147,483,648"),
        (max_latency is None or 0 <= max_latency < math.inf, "max_latency", max_latency, "nanoseconds, 0 or more"),
    )
    for holds, name, value, fix in rules:
        if not holds:
            raise ConfigError(f"{name} is {value}.", fix=f"Give {fix}.")


def _split(whole: Network, share: float, seed: int) -> tuple[Network, Network]:
    """The network with the events of the search, and with those that it never sees."""
    order = np.random.default_rng(seed).permutation(whole.events)
    cut = round(whole.events * (1 - share))
    if not 0 < cut < whole.events:
        raise ConfigError(f"{whole.events} events cannot be split.", fix="Give more events, or another share to hold out.")
    return whole.part(np.sort(order[:cut])), whole.part(np.sort(order[cut:]))


def _accuracy_float(network: Network) -> float | None:
    """Accuracy of float, which is 1 where its own answers are the labels; None of values."""
    if not network.judge.classes:
        return None
    return 1.0 if network.accuracy_float is None else network.accuracy_float


def _finite(score: float | None) -> float | None:
    """A score; None for an SQNR without noise."""
    return None if score == math.inf else score


def _without_types(config: Config) -> Config:
    """The config without any type: all that is left is derived, or set by the search."""

    def bare(level: Any) -> Any:
        return dataclasses.replace(level, precision={})

    return dataclasses.replace(
        config,
        model_level=bare(config.model_level),
        layer_types={k: bare(v) for k, v in config.layer_types.items()},
        layer_names={k: bare(v) for k, v in config.layer_names.items()},
    )


class _Run:
    """Evaluates batches of points and tells the study."""

    def __init__(
        self,
        network: Network,
        space: Space,
        base: Config,
        study: Study,
        workers: Workers,
        progress: Callable[[int, int], None],
        total: int,
    ) -> None:
        self.network, self.space, self.base, self.study = network, space, base, study
        self.workers, self.progress = workers, progress
        self.done, self.total = 0, total

    def evaluate(self, points: Sequence[Params]) -> list[Candidate | None]:
        """The candidates of points that were chosen here; those that the study has are not run again."""
        fresh = self.study.unknown(points)
        for params, found in zip(fresh, self._measure(fresh), strict=True):
            self.study.add(params, found)
        return [self.study.known(p) for p in points]

    def optimise(self, trials: int) -> None:
        """Let Optuna ask for ``trials`` points."""
        for first in range(0, trials, BATCH):
            asked = self.study.ask(min(BATCH, trials - first))
            fresh = self.study.unknown([a.params for a in asked])
            for params, found in zip(fresh, self._measure(fresh), strict=True):
                self.study.remember(params, found)
            self.study.tell(asked)

    def _measure(self, points: Sequence[Params]) -> Iterable[dict[str, Any]]:
        configs = [self.space.config(self.base, p) for p in points]
        for found in self.workers.map(_measured, self.network, configs):
            self.done += 1
            self.progress(self.done, max(self.total, self.done))
            yield found


def _measured(network: Network, config: Config) -> dict[str, Any]:
    """Score, its uncertain loss, and size of one design; the error if there is none."""
    judge, reference = network.judge, network.reference
    try:
        design = network.design(config)
        outputs, _ = design.run(network.inputs)
        fixed = outputs[0].reshape(reference.shape)
        loss, deviation = judge.loss(reference, fixed)
        found = size(design)
    except Nn2hlsError as error:
        return {"error": str(error)}
    accuracy, agreement = None, None
    if judge.classes:
        exact, answered = judge.answers(reference), judge.answers(fixed)
        agreement = float(np.mean(answered == exact))
        accuracy = agreement if judge.truth is None else float(np.mean(answered == judge.truth))
    return {
        "score": _finite(judge.score(reference, fixed)),
        "accuracy": accuracy,
        "loss": loss,
        "loss_bound": loss + _SIGMAS * deviation,
        "agreement": agreement,
        "cost": found["lut"] + 100 * found["dsp"],
        **found,
    }


def _hold(network: Network, config: Config) -> Held:
    """Build the design again from the text of its config, and run it on the events of ``network``.

    Raises:
        ConfigError: The text means another design: a defect of nn2hls.
    """
    again = bind(read_config(yaml.safe_load(to_yaml(config, network.graph, Path.cwd()))), network.graph)
    if config_digest(again, network.graph) != config_digest(config, network.graph):
        raise ConfigError("The written config does not read back as the design that was chosen.")
    found = _measured(network, again)
    if "error" in found:
        raise ConfigError(found["error"])
    mine = {name: found[name] for name in ("score", "accuracy", "loss", "agreement", "cost")}
    return Held(network.events, _finite(network.score_float), _accuracy_float(network), **mine)


def written(result: Search, graph: Graph, path: Path) -> str:
    """The text of the chosen config as a YAML file at ``path``."""
    return to_yaml(result.config, graph, path.absolute().parent)
