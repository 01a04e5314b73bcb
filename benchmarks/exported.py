"""The exported C++ emulator of the tagger: time of an event, beside the C++ of the HLS project compiled here."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT, Row, pairs

HLS4ML = 68.0  # microseconds of a jet of the same network in hls4ml 1.3.0's C simulation (README, Beside hls4ml)
FASTER = 20  # so many times


def rows() -> list[Row]:
    """The tagger with all its weights, 20,000 jets, one thread each."""
    import nn2hls

    design = nn2hls.convert(
        ROOT / "examples/jet_tagging/jet_tagger.keras", {"Model": {"Precision": "ap_fixed<16,6>"}}
    ).compile()
    x = np.tile(np.load(ROOT / "examples/jet_tagging/jets_test.npy"), (4, 1)).astype(np.float64)
    with tempfile.TemporaryDirectory() as folder:
        place = nn2hls.export(design, "emulator", Path(folder) / "tagger")
        name = f"{design.config.project_name}_emulator"
        flags = ["-std=c++17", "-O2", "-shared", "-fPIC"]
        subprocess.run(["g++", *flags, f"{name}.cpp", "-o", f"lib{name}.so"], cwd=place, check=True)
        sys.path.insert(0, str(place))
        library = import_module(name)
        assert np.array_equal(library.predict(x), design.csim(x))
        ratio, ours, theirs = pairs(lambda: library.predict(x), lambda: design.csim(x), times=5)
    note = f"{1e6 * theirs / len(x):.1f} us in the HLS project's C++ as csim compiles it"
    return [
        Row("an event in the exported emulator", 1e6 * ours / len(x), HLS4ML / FASTER, "us"),
        Row("the same / the HLS project's C++", ratio, 1.0, note=note),
    ]
