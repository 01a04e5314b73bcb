"""A design with its states in registers around it: the emulator's mantissas event after event, in Verilog and in C++."""

import itertools
import subprocess

import numpy as np
import pytest

import nn2hls
from nn2hls.emit.rtl_project import emit_closed
from nn2hls.tools.folder import data_folder
from tests.kit.kept_states import drawn, kept
from tests.kit.rtl import simulate

pytestmark = pytest.mark.filterwarnings("ignore")
EVENTS = 24
RESTARTS = np.isin(np.arange(EVENTS), [0, 7, 8, 20])


def in_a_row(design, x):
    """Mantissas of the answers, with zeros before the events that begin anew."""
    starts = [*np.flatnonzero(RESTARTS), EVENTS]
    return np.concatenate([design.predict_raw(x[a:b]).mantissas for a, b in itertools.pairwise(starts)])


CASES = {
    "unrolled": (("rnn", "gru"), {}),
    "in turns": (("gru",), {"TimeStepLoopParallelism": "Off"}),
    "shared": (("rnn",), {"ReuseFactor": 2}),
}


@pytest.mark.parametrize(("case", "simulator"), [*((c, "iverilog") for c in CASES), ("in turns", "verilator")])
def test_the_verilog_is_the_emulator(case, simulator, tmp_path):
    """Events as fast as they are taken, with some that begin anew."""
    kinds, model = CASES[case]
    levels = {"Model": {"MaxWidth": 10, **model}}
    design = nn2hls.convert(kept(kinds), {"Backend": "Verilog", "Part": "xcvu13p-flga2577-2-e", "HLSConfig": levels})
    x = drawn(EVENTS)
    from nn2hls.design.bench import mantissas_of

    vectors = {n.name: m for n, m in zip(design.graph.inputs, mantissas_of(design.graph, x), strict=True)}
    vectors[f"layer{len(kinds) - 1}"] = in_a_row(design, x)
    placed = design.sizer.placed()
    project = emit_closed(design.sizer.graph, design.options, placed, vectors, RESTARTS)
    found = simulate(project, tmp_path, EVENTS, simulator)
    assert (found.check.events, found.check.differ, found.first) == (EVENTS, 0, "")
    assert (found.check.latency, found.check.interval) == (placed.latency, max(placed.interval, placed.latency + 1))
    assert design.project.files["rtl/myproject_stateful.v"] in project.files["rtl/myproject_stateful.v"]


MAIN = """
#include "firmware/myproject.cpp"
#include "firmware/nn2hls/cast.h"
#include <cstdio>
int main() {
    long long number;
    int restart;
    while (std::scanf("%d", &restart) == 1) {
        INPUT x[6];
        OUTPUT y[2];
        for (int i = 0; i < 6; i++) {
            if (std::scanf("%lld", &number) != 1) return 1;
            const ap_int<64> bits = number;
            nn2hls::set_raw(x[i], bits);
        }
        myproject_stateful(x, restart != 0, y);
        for (int i = 0; i < 2; i++) {
            const ap_int<64> bits = nn2hls::raw(y[i]);
            std::printf("%lld ", bits.to_int64());
        }
        std::printf("\\n");
    }
}
"""


def test_the_cpp_is_the_emulator(tmp_path):
    """The first event needs no restart: registers begin with zeros."""
    design = nn2hls.convert(kept(("lstm", "gru")), {"Model": {"MaxWidth": 12, "TimeStepLoopParallelism": "Off"}})
    x = drawn(EVENTS)
    from nn2hls.design.bench import mantissas_of

    (tmp_path / "p").mkdir()
    design.project.fill(tmp_path / "p")
    main = MAIN.replace("INPUT", "x_result_t").replace("OUTPUT", "layer1_result_t")
    (tmp_path / "p" / "main.cpp").write_text(main, encoding="utf-8")
    include = ["-I", str(data_folder("firmware_lib") / "ap_types"), "-I", str(tmp_path / "p")]
    flags = ["-std=c++14", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    subprocess.run(["g++", *flags, *include, "main.cpp", "-o", "main"], cwd=tmp_path / "p", check=True)
    mantissas = mantissas_of(design.graph, x)[0].reshape(EVENTS, -1)
    restarts = RESTARTS & (np.arange(EVENTS) > 0)
    text = "\n".join(" ".join(map(str, [int(r), *row.tolist()])) for r, row in zip(restarts, mantissas, strict=True))
    run = subprocess.run([tmp_path / "p" / "main"], input=text, capture_output=True, encoding="utf-8", check=True)
    found = np.array([line.split() for line in run.stdout.splitlines()], dtype=int)
    np.testing.assert_array_equal(found, in_a_row(design, x))
