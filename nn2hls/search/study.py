"""The Optuna study behind a search: what was asked, what is known, and the Pareto front."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nn2hls.errors import ConfigError
from nn2hls.guard import Guard
from nn2hls.search.result import Candidate
from nn2hls.search.space import Params, Space
from nn2hls.trials.workers import require

_GUARD = Guard(ConfigError, "The storage", "Give --storage another place.")
_NEAR = 4  # losses beyond this many times the allowed one are of no interest: the sampler takes them as refused


class Study:
    """Trials of one search.

    Args:
        space: What may be asked for.
        provenance: Of the network, config and data; a stored study of another one is refused.
        seed: Of the sampler.
        max_loss: The loss against float that is allowed.
        merit: Of what was measured, better when larger.
        storage, name: See :func:`nn2hls.search`.

    Raises:
        ConfigError: The stored study is of something else, or the storage cannot be opened.
        ToolError: Optuna is not here.
    """

    def __init__(
        self,
        space: Space,
        provenance: Mapping[str, Any],
        seed: int,
        max_loss: float,
        merit: Callable[[Mapping[str, Any]], float],
        storage: str | None,
        name: str,
    ) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="IProgress not found")  # in a notebook: its bars, which nobody asks for
            optuna = self._optuna = require("optuna", "runs the search", "search")
        storage_error = require("sqlalchemy.exc", "keeps the trials", "search").SQLAlchemyError
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if storage is not None and storage.startswith("sqlite:///"):
            _GUARD.check(Path(storage.removeprefix("sqlite:///").partition("?")[0]))  # SQLite waits for a pipe for ever
        self._known: dict[str, Candidate | None] = {}
        self._merit = merit
        self._max_loss, self._provenance = max_loss, {**provenance, "space": repr(space.variables)}
        kinds = optuna.distributions
        self._distributions = {
            v.name: kinds.CategoricalDistribution(v.choices) if v.choices else kinds.IntDistribution(v.low, v.high)
            for v in space.variables
        }
        # Whatever an altered database holds instead of trials surfaces as these.
        wrong = (optuna.exceptions.OptunaError, storage_error, ImportError, ValueError, TypeError, LookupError, AttributeError)
        try:
            self._study = optuna.create_study(
                storage=storage, study_name=name, directions=["maximize", "minimize", "minimize"], load_if_exists=True
            )
        except wrong as error:
            fix = "Write it like sqlite:///search.db."
            raise ConfigError(f"The storage cannot be opened: {error}", where="--storage", fix=fix) from error
        try:
            self._check(name)
            known = self._load()
        except wrong as error:
            fix = "Give --storage another place, or --study another name."
            what = f"What is stored of the study '{name}' is damaged or of another version ({error})."
            raise ConfigError(what, where="--storage", fix=fix) from error
        self._study.sampler = optuna.samplers.TPESampler(seed=seed + known, multivariate=True, n_startup_trials=0)

    def _load(self) -> int:
        """Learn what the storage has, from earlier searches and from those that run beside this one; its number of trials."""
        trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state.is_finished():
                found = trial.user_attrs.get("found")
                made = found is not None and "error" not in found
                kept = trial.user_attrs.get("checksum"), trial.values
                if made and kept != (_checksum(trial.params, found), self._values(found)):
                    raise ValueError(f"the numbers of trial {trial.number} are not those that were measured")
                self._known.setdefault(_key(trial.params), _candidate(trial.params, found))
        return len(trials)

    def _check(self, name: str) -> None:
        mine = {k: v for k, v in self._provenance.items() if k != "seed"}
        theirs = self._study.user_attrs.get("provenance")
        if theirs is None:
            self._study.set_user_attr("provenance", mine)
        elif theirs != mine:
            other = ", ".join(k for k in mine if mine[k] != theirs.get(k))
            fix = "Give --study another name, or --storage another place."
            raise ConfigError(f"The study '{name}' was made with another {other}.", where="--storage", fix=fix)

    def _excess(self, found: Mapping[str, Any]) -> float:
        """Above zero where a design loses so much that the sampler need not look there."""
        return float(found["loss"] - _NEAR * self._max_loss)

    def _values(self, found: Mapping[str, Any]) -> list[float]:
        return [self._merit(found), float(found["cost"]), found["latency_ns"]]

    @property
    def count(self) -> int:
        """Designs that are known."""
        return len(self._known)

    def unknown(self, points: Sequence[Params]) -> list[Params]:
        """Those points that are not known yet, each once."""
        return [json.loads(k) for k in dict.fromkeys(map(_key, points)) if k not in self._known]

    def known(self, params: Params) -> Candidate | None:
        """The design of a point; None when it could not be made."""
        return self._known[_key(params)]

    def remember(self, params: Params, found: Mapping[str, Any]) -> None:
        """Keep what was measured."""
        self._known[_key(params)] = _candidate(params, found)

    def add(self, params: Params, found: Mapping[str, Any]) -> None:
        """Add a finished trial that the sampler did not ask for."""
        self.remember(params, found)
        failed = "error" in found
        trial = self._optuna.trial
        self._study.add_trial(
            trial.create_trial(
                state=trial.TrialState.FAIL if failed else trial.TrialState.COMPLETE,
                params=dict(params),
                distributions=self._distributions,
                values=None if failed else self._values(found),
                user_attrs={"found": dict(found), "provenance": self._provenance, "checksum": _checksum(params, found)},
                constraints=None if failed else {"loss": self._excess(found)},
            )
        )

    def ask(self, count: int) -> list[Any]:
        """So many trials of the sampler."""
        return [self._study.ask(fixed_distributions=self._distributions) for _ in range(count)]

    def tell(self, asked: Sequence[Any]) -> None:
        """Tell the sampler what is known of the trials it asked for."""
        states = self._optuna.trial.TrialState
        for trial in asked:
            candidate = self.known(trial.params)
            trial.set_user_attr("provenance", self._provenance)
            if candidate is None:
                self._study.tell(trial, state=states.FAIL)
            else:
                trial.set_user_attr("found", candidate.found())
                trial.set_user_attr("checksum", _checksum(trial.params, candidate.found()))
                trial.set_constraint("loss", self._excess(candidate.found()))
                self._study.tell(trial, self._values(candidate.found()))

    def designs(self) -> list[Candidate]:
        """All that could be made, here or by searches that share the storage."""
        self._load()
        return [c for c in self._known.values() if c is not None]

    def front(self) -> list[Candidate]:
        """The designs that no other one beats in loss, cost and latency at once, the cheapest first."""
        front: list[Candidate] = []
        for c in sorted(self.designs(), key=lambda c: (c.cost, c.latency_ns, c.loss)):
            if not any(f.loss <= c.loss and f.latency_ns <= c.latency_ns for f in front):
                front.append(c)
        return front


def _checksum(params: Params, found: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([dict(params), dict(found)], sort_keys=True).encode()).hexdigest()[:16]


def _key(params: Params) -> str:
    return json.dumps(dict(params), sort_keys=True)


def _candidate(params: Params, found: Mapping[str, Any] | None) -> Candidate | None:
    return None if found is None or "error" in found else Candidate(params=dict(params), **found)
