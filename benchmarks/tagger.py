"""The jet tagger: speed against plain NumPy, memory, start-up, compilation."""

from __future__ import annotations

import itertools
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT, Row, children_cpu, fastest, measured_apart, pairs, python

EVENTS = 200_000
CONFIGS = {"auto types": "jet_tagger.yml", "ap_fixed<16,6>": "jet_tagger_fixed16.yml"}


def jets(events: int) -> np.ndarray:
    """The test jets repeated, with seeded noise of a tenth, so that no two are alike; float32 (events, 16)."""
    x = np.load(ROOT / "examples/jet_tagging/jets_test.npy", allow_pickle=False)
    rng = np.random.default_rng(1)
    x = np.resize(x, (events, x.shape[1])) + rng.normal(0, 0.1, (events, x.shape[1]))
    return np.clip(x, -8, 8).astype(np.float32)


def plain_numpy(x: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The same network as anyone would write it in float32 NumPy."""
    for kernel, bias in layers[:-1]:
        x = np.maximum(x @ kernel + bias, 0)
    kernel, bias = layers[-1]
    logits = x @ kernel + bias
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def keras_layers() -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernels and biases, float32, straight from the HDF5 file."""
    import h5py

    with h5py.File(ROOT / "examples/jet_tagging/jet_tagger_pruned.h5") as file:
        group = file["model_weights"]
        found = []
        for name in ("fc1", "fc2", "fc3", "output"):
            layer = group[name]
            names = [n.decode() if isinstance(n, bytes) else n for n in layer.attrs["weight_names"]]
            found.append(tuple(np.asarray(layer[n], dtype=np.float32) for n in names))
        return found


def convert(config: str):
    """The design of an example config."""
    import nn2hls

    return nn2hls.convert(None, config=ROOT / "example-configs" / config)


def predict_times(config: str) -> tuple[float, float, float, float]:
    """(time of ``predict`` / float32 NumPy's, the seconds of each, the share of jets of the same class), in this process."""
    x, layers, design = jets(EVENTS), keras_layers(), convert(config)
    agreement = (design.predict(x).argmax(axis=1) == plain_numpy(x, layers).argmax(axis=1)).mean()
    return *pairs(lambda: design.predict(x), lambda: plain_numpy(x, layers)), float(agreement)


def predict_rows() -> list[Row]:
    """Time of ``predict`` as a multiple of float32 NumPy's, as both come, and with one thread for each."""
    rows = []
    for words, limit, environment in (("", 1.0, {}), (", 1 thread", 1.3, {"OPENBLAS_NUM_THREADS": "1"})):
        for name, config in CONFIGS.items():
            ratio, ours, theirs, agreement = measured_apart("tagger:predict_times", config, **environment)
            note = f"{ours:.3f} s against {theirs:.3f} s, medians; same class for {agreement:.2%}"
            rows.append(Row(f"predict, {EVENTS:,} jets, {name}{words}: time / NumPy", ratio, limit, note=note))
    return rows


def peak_bytes(config: str, events: int) -> int:
    """Largest memory that ``predict`` holds beside its input and its answer."""
    x, design = jets(events), convert(config)
    design.predict(x[:1000])
    tracemalloc.start()
    answer = design.predict(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - answer.nbytes


def memory_rows() -> list[Row]:
    """Peak memory for 16 times the events."""
    rows = []
    for name, config in CONFIGS.items():
        one = {"OPENBLAS_NUM_THREADS": "1"}  # each thread holds as much
        few, many = (measured_apart("tagger:peak_bytes", config, n, **one) for n in (25_000, 400_000))
        note = f"{few / 2**20:.1f} MiB and {many / 2**20:.1f} MiB beside input and answer, with one thread"
        rows.append(Row(f"peak memory, 400,000 jets / 25,000 jets, {name}", many / few, 1.1, note=note))
    return rows


def process_rows() -> list[Row]:
    """Whole processes, the fastest of three."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("-m", "nn2hls", "convert", str(ROOT / "example-configs/jet_tagger.yml"))
        wall, cpu = min(python(*command, cwd=Path(folder))[1:] for _ in range(3))
    help_cpu = min(python("-m", "nn2hls", "--help")[2] for _ in range(5))
    bare_cpu = min(python("-c", "pass")[2] for _ in range(5))
    numpy = python("-c", "import sys, nn2hls; print(int('numpy' in sys.modules))")[0]
    return [
        Row("nn2hls convert example-configs/jet_tagger.yml, whole process", wall, 1.0, "s", note=f"CPU {cpu:.2f} s"),
        Row("nn2hls --help, CPU", help_cpu, 0.15, "s", note=f"python alone {bare_cpu:.3f} s"),
        Row("NumPy loaded by `import nn2hls`", float(numpy), 0),
    ]


def autoencoder():
    """57-40-16-8-16-40-57 with ReLU between, 6,096 He-initialised weights, as of anomaly detection on vibrations."""
    from nn2hls.graph.builder import Builder
    from nn2hls.graph.const import Const
    from nn2hls.ops import Dense, Input, Relu

    rng, builder = np.random.default_rng(2), Builder()
    sizes = (57, 40, 16, 8, 16, 40, 57)
    x = builder.add("x", Input(sizes[:1]))
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        kernel = Const(rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)).astype(np.float32))
        x = builder.add(f"fc{i + 1}", Dense(kernel, Const(np.zeros(n_out))), [x])
        if n_out != sizes[-1]:
            x = builder.add(f"relu{i + 1}", Relu(), [x])
    return builder.build([x])


def compile_rows() -> list[Row]:
    """``compile()`` of generated C++ with the flags it uses, the fastest of two; writing its text is not counted."""
    import nn2hls

    designs = {
        "the pruned tagger": (lambda: convert("jet_tagger.yml"), 2.0),
        "the tagger with all its weights": (lambda: nn2hls.convert(ROOT / "examples/jet_tagging/jet_tagger.keras"), 4.0),
        "an autoencoder of 6,096 weights": (lambda: nn2hls.convert(autoencoder()), 5.0),
    }
    rows = []
    for what, (make, limit) in designs.items():
        found = []
        for _ in range(2):
            design = make()
            assert design.project.files
            before = children_cpu()
            (wall,) = fastest(design.compile, times=1)
            found.append((children_cpu() - before, wall))
        cpu, wall = min(found)
        rows.append(Row(f"compiling the C++ of {what}: CPU", cpu, limit, "s", note=f"{wall:.2f} s"))
    return rows
