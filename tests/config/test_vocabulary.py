"""hls4ml's words: every one of its config is honoured, noted or refused with a way out.

The table was written from hls4ml's documentation and source, not from nn2hls.config.keys.
"""

import dataclasses

import pytest

import nn2hls
from nn2hls.arith.fixed import FixedType
from nn2hls.config.read import read_config
from nn2hls.errors import ConfigError, ConversionWarning
from nn2hls.ops import Dense, Softmax

T = FixedType.parse

# --- the words, one by one ---

H, N, R = "honoured", "noted", "refused"
TYPE = "ap_fixed<9,3>"
TOP = {
    "OutputDir": [("out", H)],
    "ProjectName": [("myproject2", H)],
    "ProjectDir": [("myproject_prj", N)],
    "KerasModel": [("m.h5", H)],
    "KerasJson": [("m.json", R)],  # without weights
    "KerasH5": [("m.h5", H)],
    "OnnxModel": [("m.onnx", H)],
    "PytorchModel": [("m.pt2", H)],
    "InputShape": [([6], H), ([[6], [7]], H), ([None, 6], H), ("six", R)],
    "InputShapes": [({"x": [6]}, N)],
    "OutputShapes": [({"y": [3]}, N)],
    "Stamp": [("21f2d4ee", N)],
    "InputData": [("x.npy", H), (None, "")],
    "OutputPredictions": [("y.npy", H), (None, "")],
    "Backend": [("Vivado", H), ("vitis", H), ("Quartus", R), ("oneAPI", R), ("Catapult", R), ("VivadoAccelerator", R)],
    "Version": [("1.0.0", N)],
    "Part": [("xcku115-flvb2104-2-i", H), ("Arria10", R), (None, "")],
    "Board": [("pynq-z2", H), ("alveo-u55c", H)],
    "ClockPeriod": [(4, H), ("4", H), (4.5, H), ("fast", R)],
    "ClockUncertainty": [("27%", H), ("12.5%", H)],
    "IOType": [("io_parallel", H), ("io_stream", H), ("io_serial", R)],
    "MaximumSize": [(4096, N)],
    "TraceOutput": [(True, N), ("False", N)],
    "AcceleratorConfig": [({"Board": "pynq-z2", "Interface": "axi_stream"}, R)],
    "FIFO": [(None, ""), ("x", N)],
    "Technology": [("fpga", N)],
    "HyperoptHandshake": [(False, N)],
}
WRITER = {
    "Namespace": [(None, ""), ("nnet1", N)],
    "WriteWeightsTxt": [(True, N)],
    "WriteTar": [(False, N)],
    "TBOutputStream": [("both", N), ("stdout", N), ("file", N)],
    "WriteEmulationConstants": [(False, N)],
}
HLS = {"Flows": [(["vitis:ip"], N)], "Optimizers": [([], N)], "SkipOptimizers": [(["fuse_bias_add"], N)]}
BOTH = {
    "Precision": [
        (TYPE, H), ("auto", H), ("fixed<16,6,RND,SAT,0>", H), ("ac_fixed<8,3,true>", H), ("float", R), ("half", R),
        ("double", R), ({"default": TYPE, "maximum": "ap_fixed<24,8>"}, H), ({}, ""), (None, ""),
    ],
    "ReuseFactor": [(4, H), ("4", H), (" 4 ", H), (4.0, H), ("four", R), (0, R), (4.5, R), (True, R)],
    "Strategy": [
        ("Latency", H), ("latency", H), ("Resource", H), ("ResourceUnrolled", H), ("resource_unrolled", H), ("Unrolled", H),
        ("distributed_arithmetic", H), ("da", H), ("Stable", N), ("argmax", R), ("Banana", R),
    ],
    "BramFactor": [(1000000000, N), (0, N), ("100", N)],
    "Compression": [(True, N)],
    "ConvImplementation": [("LineBuffer", N), ("Encoded", N)],
    "ParallelizationFactor": [(1, H), (8, H)],
    "TableSize": [(1024, H), ("1024", H), (1000, R)],
    "table_size": [(1024, H)],
    "Trace": [(True, N)],
    "Implementation": [("stable", N), ("latency", N), ("legacy", N), ("argmax", R)],
    "TargetCycles": [(10, N)],
    "Static": [(True, N)],
    "RecurrentReuseFactor": [(2, N)],
    "TimeStepLoopParallelism": [("Unroll", H), ("off", H), (False, H), ("Pipeline", H), ("loop", R), (True, R)],
    "TableRangePower2": [(0, N)],
    "DepthwiseReuseFactor": [(2, N)],
    "PointwiseReuseFactor": [(2, N)],
}  # fmt: skip
MODEL = {
    "PipelineStyle": [("auto", N), ("pipeline", N), ("Dataflow", N), ("twisted", R)],
    "PipelineInterval": [(4, N)],
    "BitExact": [(None, ""), (True, N)],
    "AllowDAFallback": [(True, N)],
    "AllowV2Fallback": [(True, N)],
    "ChannelsLastConversion": [("full", N), ("internal", N), ("off", N)],
    "TransposeOutputs": [(False, N)],
    "TraceOutput": [(False, N)],
    "IOType": [("io_parallel", H), ("io_stream", H)],
}
LAYER = {"skip": [(False, N), ("false", N), (True, R)], "Skip": [(False, N)]}
LATER_WORDS = (
    "recurrent_weight recurrent_bias depthwise pointwise depthwise_accum pointwise_accum depthwise_result embeddings membrane"
)
OWN_WORDS = "weight bias accum result table exp_table inv_table scale slope shift param"
WORDS = {
    **{word: [(TYPE, H), ("auto", H), (None, ""), ("float", R)] for word in OWN_WORDS.split()},
    **{word: [(TYPE, N)] for word in f"inv_inp inp_norm {LATER_WORDS}".split()},
    "maximum": [("ap_fixed<24,8>", H), ("auto", "")],
    "default": [(TYPE, H)],
}
TYPES = {f"{word}_t": cases for word, cases in WORDS.items() if word not in ("maximum", "default")}


def hls(**blocks):
    return {"HLSConfig": blocks}


PLACES = {
    "top": (TOP, lambda key: key),
    "WriterConfig": (WRITER, lambda key: {"WriterConfig": key}),
    "HLSConfig": (HLS, lambda key: hls(**key)),
    "Model": ({**BOTH, **MODEL, **TYPES}, lambda key: hls(Model=key)),
    "layer": ({**BOTH, **LAYER, **TYPES}, lambda key: hls(LayerName={"fc1": key})),
    "type": ({**BOTH, **LAYER, **TYPES}, lambda key: hls(LayerType={"Dense": key})),
    "Precision": (WORDS, lambda key: hls(LayerName={"fc1": {"Precision": key}})),
    "Model Precision": (WORDS, lambda key: hls(Model={"Precision": key})),
}
CASES = [
    (place, word, value, outcome)
    for place, (words, _) in PLACES.items()
    for word, values in words.items()
    for value, outcome in values
]


@pytest.mark.parametrize(("place", "word", "value", "outcome"), CASES, ids=[f"{p}-{w}-{v}" for p, w, v, _ in CASES])
def test_every_word_of_hls4ml(place, word, value, outcome):
    source = PLACES[place][1]({word: value})
    if outcome == R:
        with pytest.raises(ConfigError) as error:
            read_config(source)
        assert word in str(error.value)
        assert error.value.fix or "must be" in error.value.what
        return
    config = read_config(source)
    noted = [n for n in config.notes if word.lower().removesuffix("_t") in n.lower()]
    assert bool(noted) == bool(config.notes)
    if outcome == N:
        assert len(noted) == 1
    without = read_config(PLACES[place][1]({}))
    if outcome == "":
        assert config == without
    if outcome == H:
        assert "no effect" not in "".join(config.notes)
        assert config != without or value in (5, "Vitis", "vitis", "io_parallel", "xcvu13p-flga2577-2-e")


def settings(source, layer="fc1", kind="Dense", op=Dense):
    return read_config(source).settings_for(layer, layer, kind, op)


def test_words_that_mean_another_one_here():
    assert settings({"Model": {"Strategy": "ResourceUnrolled"}}).strategy == "Resource"
    assert settings({"Model": {"Strategy": "Stable"}}).strategy == "Latency"
    assert settings({"Model": {"Precision": {"maximum": "ap_fixed<20,8>"}}}).max_width == 20
    for cap, bits in (("ap_fixed<64,8>", 53), ("ap_ufixed<1,0>", 2)):  # what MaxWidth takes
        assert settings({"Model": {"Precision": {"maximum": cap}}}).max_width == bits
    assert settings({"Model": {"ReuseFactor": "16"}}).reuse == 16
    assert settings({"Model": {"IOType": "io_parallel"}}).reuse == 1


def test_a_key_with_t_comes_before_the_word_of_precision():
    block = {"exp_table_t": TYPE, "inv_table_t": "auto", "Precision": {"exp_table": "ap_fixed<18,8>", "inv_table": "auto"}}
    config = read_config({"LayerName": {"fc1": block}})
    assert config.settings_for("fc1", "fc1", "Dense", Dense).precision == {"exp_table": T(TYPE)}
    assert config.notes == (
        "config['LayerName']['fc1']['exp_table_t']: exp_table_t, ap_fixed<9,3>, comes before exp_table of Precision, "
        "ap_fixed<18,8>.",
    )
    same = read_config({"LayerName": {"fc1": {"table_t": TYPE, "Precision": {"table": "auto", "accum": TYPE}}}})
    assert (same.settings_for("fc1", "fc1", "Dense", Dense).precision, same.notes) == (
        {"table": T(TYPE), "accum": T(TYPE)},
        (),
    )


def test_keys_of_the_top_may_stand_beside_model_in_a_dict():
    config = read_config({"Model": {"ReuseFactor": 3}, "Backend": "Vivado", "InputShape": [6]})
    assert (config.backend, config.input_shape) == ("Vivado", (6,))
    with pytest.raises(ConfigError, match="write LayerName: fc1:"):
        read_config({"Model": {}, "fc1": {"ReuseFactor": 3}})
    with pytest.raises(ConfigError, match="stands under HLSConfig: Model"):
        read_config({"Model": {}, "ReuseFactor": 3})


@pytest.mark.parametrize(("text", "signed"), [
    ("ac_fixed<8,3,true>", True), ("ac_fixed<8, 3, false>", False), ("ac_fixed<8,3>", True), ("ac_fixed<8,3,1>", True),
])  # fmt: skip
def test_ac_types(text, signed):
    assert T(text) == FixedType(8, 3, signed)
    assert T(text.replace("fixed", "int").replace(",3", "").replace(", 3", "")) == FixedType(8, 8, signed)
    modes = T("ac_fixed<8,3,false,AC_RND_CONV,AC_SAT_SYM>")
    assert str(modes) == "ap_ufixed<8,3,AP_RND_CONV,AP_SAT_SYM>"


def test_the_quantised_tagger_of_the_examples(shared):
    path = shared / "models" / "config-files" / "qkeras_3layer_config.yml"
    config = read_config(path)
    softmax = config.settings_for("softmax", "softmax", "Softmax", Softmax)
    assert softmax.precision["exp_table"] == T("ap_fixed<18,8>")
    assert (softmax.precision["inv_table"], softmax.table_size) == (T("ap_fixed<18,4>"), 1024)
    keras = shared / "models" / "keras"  # the config stood one folder higher
    moved = dataclasses.replace(config, model=keras / config.model.name, weights=keras / config.weights.name)
    with pytest.warns(ConversionWarning, match="relu1 has ap_fixed<7,1,AP_RND_CONV,AP_SAT> for 'result' in place of"):
        design = nn2hls.convert(None, moved)
    assert {str(design.graph[name].op.weight_t) for name in ("fc1", "fc2", "fc3", "output")} == {"ap_fixed<6,1>"}
    assert design.graph["relu1"].type == T("ap_fixed<7,1,AP_RND_CONV,AP_SAT>")
