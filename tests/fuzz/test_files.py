"""A short run of the files fuzzer, always of the same mutants, and proof that it sees each kind of fault."""

import os
import time
from pathlib import Path

import pytest

pytest.importorskip("h5py")
pytest.importorskip("onnx")

from nn2hls.errors import ModelError
from tests.fuzz.files import Mutants, kind, search
from tests.fuzz.sandbox import Sandbox

MUTANTS = 300


@pytest.fixture(scope="module")
def mutants(tmp_path_factory):
    return Mutants(0, tmp_path_factory.mktemp("fuzz"), [".onnx"])


@pytest.mark.long
def test_mutants_are_answered_or_refused(mutants):
    counts, found = search(mutants, range(MUTANTS), float("inf"))
    assert not found
    assert counts.total() == MUTANTS
    assert set(counts) == {"answer", "refused"}
    assert min(counts.values()) > MUTANTS // 10  # neither all harmless nor all refused at the door


def test_every_seed_itself_is_answered(mutants, monkeypatch):
    every = [*mutants.seeds, *mutants.layers]
    monkeypatch.setattr(mutants, "draw", lambda index: (every[index], every[index].files))
    assert [mutants.attempt(k) for k in range(len(every))] == ["answer"] * len(every)


@pytest.mark.long
def test_every_quantised_network_itself_is_answered(mutants, monkeypatch):
    kinds = {seed.main.partition("_")[0] for seed in mutants.quantised}
    assert {"brevitas", "hgq1", "hgq2", "onnxruntime", "pquant", "qkeras", "torchao"} <= kinds
    monkeypatch.setattr(mutants, "draw", lambda index: (mutants.quantised[index], mutants.quantised[index].files))
    assert {mutants.attempt(k) for k in range(len(mutants.quantised))} == {"answer"}


def test_a_mutant_depends_on_its_number_alone(mutants):
    assert [mutants.draw(k)[1] for k in (5, 4, 5)][::2] == [mutants.draw(5)[1]] * 2
    assert len({repr(mutants.draw(k)[1]) for k in range(20)}) > 15


def _loop():
    while True:
        pass


FAULTS = {
    "refused": lambda: _raise(ModelError("Bad.", where="a")),
    "traceback": lambda: {}["a"],
    "hang": _loop,
    "memory": lambda: bytes(3 << 30),
    "escape": lambda: Path("../outside").write_text(""),
    "crash": lambda: os.abort(),
    "answer": lambda: "answer",
}


def _raise(error):
    raise error


@pytest.mark.parametrize("outcome", FAULTS)
def test_the_sandbox_sees(outcome, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.sandbox.SECONDS", 0.2 if outcome == "hang" else 10)
    (tmp_path / "inside").mkdir()
    with Sandbox(lambda number: FAULTS[outcome](), tmp_path / "inside") as sandbox:
        assert sandbox.run(0)[0] == sandbox.run(1)[0] == outcome
    assert not (tmp_path / "outside").exists()


def test_a_worker_that_sleeps_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.sandbox.SECONDS", 0.1)
    with Sandbox(lambda number: time.sleep(1000), tmp_path) as sandbox:
        assert sandbox.run(0)[0] == "hang"


def test_findings_of_one_cause_are_one_kind():
    one = "KeyError: 'a' @ x.py:1 f < y.py:2 g"
    assert kind(one) == kind(one.replace("'a'", "'b'")) != kind(one.replace("x.py:1", "x.py:2"))
