"""What convert says was saved, against counting, and against the generated C++ itself."""

import json
import math
import re

import numpy as np
import pytest

import nn2hls
from nn2hls.cli import main
from nn2hls.graph.builder import Builder
from nn2hls.graph.const import Const
from nn2hls.ops import Dense, Input
from nn2hls.size.savings import document, savings, stream_savings, text
from tests.kit.cnn import cnn
from tests.kit.networks import hls_config, mlp
from tests.slow.products import distinct_products


def config_values(design, member):
    """The values of a member of every layer's config in the C++."""
    found = {}
    for path, body in design.project.files.items():
        match = re.search(rf"\b{member} = (\d+)", body) if path.startswith("firmware/layers/") else None
        if match:
            found[path.split("/")[-1].removesuffix(".h")] = int(match[1])
    return found


def rom_words(design, layer):
    """Entries of a layer's ROM in the C++ and their bits."""
    body = design.project.files[f"firmware/layers/{layer}.h"]
    match = re.search(r"ap_uint<(\d+)> \w+_rom\[(\d+)\] = \{([^}]*)\}", body)
    values = [v for v in match[3].replace("\n", " ").split(",") if v.strip()]
    assert len(values) == int(match[2])
    return len(values), int(match[1])


def check_reused(design, reuse):
    found = {s.layer: s for s in savings(design.sizer, design.float_graph)}
    in_code = config_values(design, "multipliers")
    for name, saving in found.items():
        nonzero = int(np.count_nonzero(design.graph[name].op.weight.array))
        assert saving.nonzero == nonzero
        assert saving.products == design.float_graph[name].op.weight.array.size
        assert saving.multipliers == in_code[name] == math.ceil(nonzero / reuse)
        words, bits = rom_words(design, name)
        assert saving.rom_bits == words * bits
    return found


@pytest.mark.parametrize("reuse", [4, 7])
def test_multipliers_and_rom_are_those_of_the_code(reuse):
    graph = mlp(np.random.default_rng(3), density=0.3)
    check_reused(nn2hls.convert(graph, hls_config({"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse})), reuse)


def test_the_public_pruned_tagger_has_a_quarter_of_its_1205_products(shared):
    folder = shared / "models" / "keras"
    config = {
        "KerasJson": str(folder / "KERAS_3layer.json"),
        "KerasH5": str(folder / "KERAS_3layer_70pruned_retrained_weights.h5"),
        "HLSConfig": {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 4}},
    }
    found = check_reused(nn2hls.convert(None, config), 4)
    assert sum(s.nonzero for s in found.values()) == 1205
    assert sum(s.multipliers for s in found.values()) == sum(math.ceil(n / 4) for n in (431, 469, 227, 78))


def test_our_pruned_tagger_too():
    design = nn2hls.convert(None, "example-configs/jet_tagger_reuse4.yml")
    found = check_reused(design, 4)
    assert sum(s.nonzero for s in found.values()) < 0.31 * sum(s.products for s in found.values())


def test_without_reuse_shifts_and_shared_products_are_no_multipliers():
    graph = mlp(np.random.default_rng(4), (10, 12, 6), density=0.5)
    design = nn2hls.convert(graph, hls_config({"Precision": "ap_fixed<8,3>"}))
    for saving in savings(design.sizer, design.float_graph):
        op = design.graph[saving.layer].op
        assert saving.multipliers == distinct_products(op.weight.array).multipliers < saving.nonzero
        assert saving.rom_bits == 0
        n_in, n_out = design.float_graph[saving.layer].op.weight.array.shape
        assert saving.neurons == n_out - sum(column.any() for column in op.weight.array.T)
        assert saving.inputs == n_in - sum(row.any() for row in op.weight.array)


def test_convert_prints_it(tmp_path, capsys):
    words = ["convert", "example-configs/jet_tagger_reuse4.yml", "-o", str(tmp_path / "out")]
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["savings"]
    design = nn2hls.convert(None, "example-configs/jet_tagger_reuse4.yml")
    assert printed == document(savings(design.sizer, design.float_graph))
    assert main(words) == 0
    out = capsys.readouterr().out
    assert text(savings(design.sizer, design.float_graph)) in out
    assert f"{printed['total']['nonzero']:,}" in out


@pytest.mark.parametrize("reuse", [1, 3])
def test_products_of_every_position_count_and_multipliers_once_with_reuse(reuse):
    builder = Builder()
    x = builder.add("x", Input((3, 4)))
    weight = np.array([[0.6875, 0.0], [0.0, 0.6875], [0.0, 0.8125], [0.0, 0.8125]])  # 11 and 13 sixteenths: three digits
    graph = builder.build([builder.add("fc", Dense(Const(weight), Const(np.zeros(2))), [x])])
    design = nn2hls.convert(graph, hls_config({"Precision": "ap_fixed<16,6>", "ReuseFactor": reuse}))
    (found,) = savings(design.sizer, design.float_graph)
    assert (found.products, found.nonzero) == (24, 12)
    assert found.multipliers == (12 if reuse == 1 else 2)


def test_a_layer_of_biases_alone_needs_nothing_at_any_reuse_factor():
    builder = Builder()
    x = builder.add("x", Input((4,)))
    graph = builder.build([builder.add("fc", Dense(Const(np.zeros((4, 3))), Const(np.array([0.5, -1.0, 0.25]))), [x])])
    one, three = (nn2hls.convert(graph, hls_config({"ReuseFactor": reuse})) for reuse in (1, 3))
    assert savings(three.sizer, three.float_graph)[0].rom_bits == 0
    assert "_rom" not in three.project.files["firmware/layers/fc.h"]
    assert three.estimate().layers == one.estimate().layers


@pytest.mark.parametrize("backend", ["Vitis", "Verilog"])
def test_what_is_saved_in_streams(backend):
    """Products of all positions; multipliers of those side by side; additions of one core."""
    graph = cnn(np.random.default_rng(0), size=(6, 6, 2), channels=(3,), density=0.4)
    layers = {"conv0": {"ParallelizationFactor": 3}, "fc": {"ReuseFactor": 3}}
    level = {"Model": {"Precision": "ap_fixed<16,6>"}, "LayerName": layers}
    design = nn2hls.convert(graph, {"IOType": "io_stream", "Backend": backend, "HLSConfig": level})
    found = {s.layer: s for s in stream_savings(design.streams, design.float_graph)}
    weight = design.graph["conv0"].op.linear[0]
    assert found["conv0"].products == 36 * 18 * 3
    assert found["conv0"].nonzero == 36 * np.count_nonzero(weight)
    fc = found["fc"]
    assert (fc.reuse, fc.nonzero, fc.multipliers) == (3, 54, 18)
    assert fc.rom_bits == 54 * design.graph["fc"].op.weight_t.width  # it adds up what comes
    if backend == "Vitis":
        alone = nn2hls.convert(graph, {"IOType": "io_stream", "HLSConfig": {"Model": level["Model"]}})
        one = {s.layer: s for s in stream_savings(alone.streams, alone.float_graph)}["conv0"]
        assert found["conv0"].multipliers == 3 * one.multipliers > 0
    else:
        assert design.additions.layers[0].by["DistributedArithmetic"].bits < design.additions.layers[0].by["Latency"].bits
    assert [x.layer for x in design.additions.layers] == ["conv0"]
