"""``Interface: hls4ml``: ports named and shaped as hls4ml 1.3.0 does it; the expected names were printed by it."""

import subprocess

import numpy as np
import pytest

import nn2hls
from nn2hls.config.read import read_config
from nn2hls.design.design import convert
from nn2hls.errors import LimitError, Nn2hlsError
from nn2hls.graph.builder import Builder
from nn2hls.ops import Input, Relu
from nn2hls.tools.folder import data_folder
from nn2hls.tools.gxx import find_compiler
from tests.kit.networks import mlp

HLS4ML = {"Interface": "hls4ml"}


def networks():
    """name: (a Keras model, hls4ml's signature without the sizes)."""
    from keras import Input as Start
    from keras import Model, layers

    x, x2 = Start((4,), name="inp"), Start((4,), name="more")
    dense = layers.Dense(3, name="fc1", activation="relu")(x)
    yield "inline", Model(x, layers.Dense(2, name="fc2")(dense)), "input_t inp, result_t layer4_out"
    branch = layers.ReLU(name="r1")(layers.Dense(3, name="fc1")(x))
    outputs = [layers.Dense(2, name="fc2", activation="softmax")(branch), layers.Dense(2, name="fc3")(branch)]
    yield "two outputs", Model(x, outputs), "input_t inp, layer5_t layer5_out, fc3_result_t layer6_out"
    yield "two inputs", Model([x, x2], layers.Add(name="add")([x, x2])), "input_t inp, input2_t more, result_t layer3_out"
    first, last = layers.Dense(3, name="fc1", activation="relu"), layers.Dense(2, name="fc2")
    drop, linear = layers.Dropout(0.1, name="d"), layers.Activation("linear", name="d")
    yield "dropout", Model(x, last(drop(first(x)))), "input_t inp, result_t layer5_out"
    yield "dropout first", Model(x, last(first(drop(x)))), "input_t inp, result_t layer5_out"
    yield "dropout last", Model(x, layers.Dropout(0.2)(last(drop(first(x))))), "input_t inp, result_t layer5_out"
    yield "linear", Model(x, last(linear(first(x)))), "input_t inp, result_t layer5_out"
    pair = [layers.Dense(2, name=f"fc{k}")(drop(layers.ReLU(name=f"r{k}")(x))) for k in (1, 2)]
    yield "dropout shared", Model(x, pair), "input_t inp, layer6_t layer6_out, fc2_result_t layer7_out"
    wide = Start((4, 2), name="inp")
    flat = layers.Dense(3, name="fc1")(layers.Flatten(name="fl")(wide))
    yield "reshape at the end", Model(wide, layers.Reshape((3, 1), name="rs")(flat)), "input_t inp, result_t layer3_out"


NETWORKS = ("inline", "two outputs", "two inputs", "reshape at the end", "linear")
DROPOUTS = ("dropout", "dropout first", "dropout last", "dropout shared")


@pytest.mark.parametrize("name", [*NETWORKS, *DROPOUTS])
def test_ports_are_those_of_hls4ml(name):
    pytest.importorskip("keras")
    model, wanted = next((m, w) for n, m, w in networks() if n == name)
    design = nn2hls.convert(model, HLS4ML)
    assert design.verify().equal
    assert any(n.startswith("Interface: the outputs are called layer") for n in design.notes)
    files = design.project.files
    signature = files["firmware/myproject.h"].split("void myproject(")[1].split(")")[0]
    words = [part.removeprefix("const ").split("[")[0].split() for part in signature.split(", ")]
    parts = [part.split() for part in wanted.split(", ")]
    assert [w[-1] for w in words] == [p[-1] for p in parts]
    for ours, theirs in zip(words, parts, strict=True):
        if theirs[0].startswith(("input", "result_t")):
            assert f"typedef {ours[0]} {theirs[0]};" in files["firmware/defines.h"]


def test_modules_of_pytorch_that_change_nothing_are_not_counted():
    torch = pytest.importorskip("torch")
    parts = [torch.nn.Linear(4, 3), torch.nn.Dropout(0.1), torch.nn.ReLU(), torch.nn.Linear(3, 2)]
    design = nn2hls.convert(torch.nn.Sequential(*parts).eval(), HLS4ML, example=torch.zeros(1, 4))
    assert design.interface.outputs == ("layer4_out",)


def test_inputs_are_reshaped_and_outputs_partitioned():
    code = convert(mlp(np.random.default_rng(0), (4, 6, 3)), HLS4ML).project.files["firmware/myproject.cpp"]
    assert "#pragma HLS ARRAY_RESHAPE variable=x complete dim=0\n" in code
    assert "#pragma HLS ARRAY_PARTITION variable=x complete" not in code
    assert "#pragma HLS ARRAY_PARTITION variable=layer4_out complete dim=0\n" in code
    for port in ("x", "layer4_out"):
        assert f"#pragma HLS INTERFACE ap_vld port={port}\n" in code


WRAPPER = """#include "firmware/myproject.h"
#include "firmware/nn2hls/cast.h"
#include <iostream>
int main() {
    input_t in[4];
    result_t layer4_out[3];
    for (int i = 0; i < 4; i++) nn2hls::set_raw(in[i], ap_int<16>(1000 * i - 900));
    myproject(in, layer4_out);
    for (int i = 0; i < 3; i++) std::cout << ap_int<64>(nn2hls::raw(layer4_out[i])).to_int64() << "\\n";
}
"""


@pytest.mark.parametrize("reuse", [1, 3])
def test_a_wrapper_for_hls4mls_design_runs_ours(tmp_path, reuse):
    config = {**HLS4ML, "HLSConfig": {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse}}}
    design = convert(mlp(np.random.default_rng(0), (4, 6, 3)), config)
    folder = design.write(tmp_path / "p")
    assert design.build("csim", folder).ok
    (folder / "wrapper.cpp").write_text(WRAPPER)
    types = data_folder("firmware_lib") / "ap_types"
    command = [find_compiler(), "-std=c++14", "-Wno-unknown-pragmas", "-I", str(types), "-I.", "wrapper.cpp"]
    subprocess.run([*command, "firmware/myproject.cpp", "-o", "wrapper"], cwd=folder, check=True)
    run = subprocess.run(["./wrapper"], cwd=folder, capture_output=True, text=True, check=True)
    x = (1000 * np.arange(4) - 900)[None] / 1024
    assert list(map(int, run.stdout.split())) == design.predict_raw(x).mantissas[0].tolist()


def test_layers_give_way_to_the_names_of_the_ports():
    b = Builder()
    x = b.add("x", Input((3,)))
    graph = b.build([b.add("layer3_out", Relu(), [b.add("input_t", Relu(), [x])])])
    design = convert(graph, HLS4ML)
    assert design.verify().equal
    assert "layer3_out[3]" in design.project.files["firmware/myproject.h"]


def test_a_port_too_wide_is_refused():
    b = Builder()
    graph = b.build([b.add("relu", Relu(), [b.add("x", Input((4000,)))])])
    types = {"Model": {"Precision": "ap_fixed<20,6>"}}
    with pytest.raises(LimitError, match="x: With Interface hls4ml it is one port of 80,000 bits"):
        convert(graph, {**HLS4ML, "HLSConfig": types}).project  # noqa: B018
    assert convert(graph, types).project.files


def test_the_config_keeps_the_interface(tmp_path):
    folder = convert(mlp(np.random.default_rng(0), (4, 3)), HLS4ML).write(tmp_path / "p")
    assert read_config(folder / "config.yml").interface == "hls4ml"
    with pytest.raises(Nn2hlsError, match=r"'hls4mll' is not a port layout. Did you mean 'hls4ml'"):
        read_config({"Interface": "hls4mll", "HLSConfig": {}})


def test_bambu_says_that_its_ports_are_its_own():
    config = {**HLS4ML, "Backend": "Bambu", "Part": "xc7vx690tffg1930-3"}
    design = convert(mlp(np.random.default_rng(0), (4, 3)), config)
    assert any(n.startswith("Interface: ") for n in design.notes)
    assert design.verify().equal
