"""The files fuzzer: models, configs and data of every format, mutated, are answered or refused by an Nn2hlsError.

Each mutant is drawn from (seed, index) alone, so that ``--only SEED:INDEX`` repeats it. It is read, converted and asked for a
prediction in a process with limits: no traceback, no more than 10 s and 2 GB, nothing written outside its folder.
"""

import argparse
import random
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import nn2hls
from nn2hls.converters import keras, onnx, pytorch  # noqa: F401 -- imported before the workers are forked
from nn2hls.data.files import load_inputs, load_labels
from tests.fuzz.sandbox import Sandbox
from tests.fuzz.seed_files import MUTATED, layer_seeds, quantised_seeds, seeds

FAULTS = ("traceback", "hang", "memory", "escape", "crash")


class Mutants:
    """The mutants of one seed of the generator; each is written to a folder and tried there.

    Args:
        formats: Of the files that hold one layer each.
    """

    def __init__(self, seed, folder, formats=MUTATED):
        self.seed, self.folder = seed, Path(folder)
        self.seeds = seeds(self.folder)
        self.layers, self.quantised = layer_seeds(self.folder, formats), quantised_seeds()
        self.graph = nn2hls.load(self._write(self.seeds[1], self.seeds[1].files))

    def draw(self, index):
        """The seed, and its files with one or more mutated; a third each are of single layers and of quantised networks."""
        rng = random.Random(f"{self.seed}:{index}")
        chosen = rng.choice(rng.choice((self.seeds, self.layers, self.quantised)))
        files = dict(chosen.files)
        names = sorted(chosen.mutate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of archives that name a member twice
            for name in rng.sample(names, rng.randint(1, len(names))):
                files[name] = chosen.mutate[name](rng, files[name])
        return chosen, files

    def _write(self, chosen, files):
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        return self.folder / chosen.main

    def save(self, index, folder):
        """Write the files of one mutant to a folder of the user's."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.draw(index)[1].items():
            (folder / name).write_bytes(content)

    def attempt(self, index):
        """Read, convert and run one mutant; the word is ``answer`` when all of it went well."""
        chosen, files = self.draw(index)
        path = self._write(chosen, files)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix in (".npy", ".npz", ".csv", ".tsv"):
                load_labels(path, ["y"])
                data = load_inputs([path], {"x": (4,)})
                design = nn2hls.convert(self.graph, calibration=data)
            elif path.suffix == ".yml":
                design = nn2hls.convert(None, config=path)
            else:
                weights = None if chosen.weights is None else self.folder / chosen.weights
                design = nn2hls.convert(nn2hls.load(path, weights=weights))
            x = [np.linspace(-2, 2, 3 * int(np.prod(n.shape))).reshape(3, *n.shape) for n in design.graph.inputs]
            design.predict(x)
            repr(design)
        return "answer"


def kind(detail):
    """What findings of one cause have in common."""
    head, _, place = detail.partition(" @ ")
    return re.sub(r"[\d']+.*", "", head)[:60] + " @ " + place.split(" < ")[0]


def search(mutants, indices, seconds, report=print):
    """Try mutants until the time is up; how often each outcome came, and the first finding of each kind."""
    counts, found, until = Counter(), {}, time.monotonic() + seconds
    with Sandbox(mutants.attempt, mutants.folder) as sandbox:
        for index in indices:
            if time.monotonic() > until:
                break
            outcome, detail = sandbox.run(index)
            counts[outcome] += 1
            if outcome in FAULTS and (outcome, kind(detail)) not in found:
                found[outcome, kind(detail)] = f"{mutants.seed}:{index} {outcome}: {detail}"
                report(found[outcome, kind(detail)])
    return counts, list(found.values())


def main(arguments):
    """The command line; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz files", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="SEED:INDEX", help="repeat one mutant")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="with --only: write its files there")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        seed, _, only = (args.only or f"{args.seed}:").partition(":")
        mutants = Mutants(int(seed), folder)
        if only and args.save:
            mutants.save(int(only), args.save)
        start = time.monotonic()
        if only:
            with Sandbox(mutants.attempt, mutants.folder) as sandbox:
                outcome, detail = sandbox.run(int(only))
            print(outcome, detail)
            return int(outcome in FAULTS)
        counts, found = search(mutants, range(sys.maxsize), args.seconds, lambda text: print(text, flush=True))
        rate = 3600 * counts.total() / (time.monotonic() - start)
        print(", ".join(f"{n} {word}" for word, n in counts.most_common()), f"({rate:,.0f} an hour)")
    return int(bool(found))
