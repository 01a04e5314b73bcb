"""The one table of config keys: what nn2hls honours, what has no effect any more, what it refuses and the way out."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from nn2hls.config import decision
from nn2hls.config import values as v


class Place(enum.Flag):
    """Where a key may stand."""

    TOP = enum.auto()
    HLS = enum.auto()  # HLSConfig
    MODEL = enum.auto()  # HLSConfig: Model
    LAYER = enum.auto()  # HLSConfig: LayerType: X, LayerName: X
    WORD = enum.auto()  # Precision, as a block
    WRITER = enum.auto()  # WriterConfig
    LEVEL = MODEL | LAYER


class Status(enum.Enum):
    """What happens to a key."""

    HONOURED = "honoured"
    OBSOLETE = "no effect"
    REFUSED = "refused"


@dataclass(frozen=True)
class Key:
    """One key.

    Args:
        name: The spelling in the documentation; any case is read.
        places: Where it may stand.
        help: Honoured: what it does. No effect: why. Refused: what to do instead.
        reader: Turns the value into what the config keeps; an obsolete key's reader only checks it.
        field: The field of Config or LayerSettings that keeps the value; empty for blocks, obsolete and refused keys.
        status: What happens to it.
        values: The values, for the documentation.
    """

    name: str
    places: Place
    help: str
    reader: v.Reader = v.anything
    field: str = ""
    status: Status = Status.HONOURED
    values: str = ""


def _obsolete(name: str, places: Place, why: str, reader: v.Reader = v.anything, values: str = "") -> Key:
    return Key(name, places, why, reader, status=Status.OBSOLETE, values=values)


def _refused(name: str, places: Place, way_out: str) -> Key:
    return Key(name, places, way_out, status=Status.REFUSED)


_ONE = "Model files: give exactly one of these."
_HALVES = "A separable convolution NAME is two layers: set ReuseFactor and Precision of NAME_depthwise and of NAME."

TOP_KEYS = (
    Key("Model", Place.TOP, f"A model file of any framework. {_ONE}", v.model, "model", values="file"),
    Key(
        "KerasJson", Place.TOP, f"A Keras architecture as JSON; KerasH5 has its weights. {_ONE}", v.path, "model", values="file"
    ),
    Key(
        "KerasH5", Place.TOP, "The weights of KerasJson; alone, a whole Keras model in HDF5.", v.path, "weights", values="file"
    ),
    Key("KerasModel", Place.TOP, f"A Keras model, .keras or .h5. {_ONE}", v.model, "model", values="file"),
    Key("PytorchModel", Place.TOP | Place.HLS, f"A PyTorch program, .pt2. {_ONE}", v.model, "model", values="file"),
    Key(
        "InputShape",
        Place.TOP | Place.HLS,
        "The shape of the input of a live PyTorch module; files have their own.",
        v.input_shape,
        "input_shape",
        values="such as [16]",
    ),
    Key("OnnxModel", Place.TOP, f"An ONNX model. {_ONE}", v.model, "model", values="file"),
    Key("InputData", Place.TOP, "Data to run, for the test bench; it never sets types.", v.path, "input_data", values="file"),
    Key("OutputPredictions", Place.TOP, "What the model answers to InputData.", v.path, "output_predictions", values="file"),
    Key(
        "OutputDir", Place.TOP, "The folder of the project, from the current directory.", v.path, "output_dir", values="folder"
    ),
    Key(
        "ProjectName",
        Place.TOP,
        "Name of the top function and of the project.",
        v.identifier,
        "project_name",
        values="C identifier",
    ),
    Key("Part", Place.TOP, "The device, for the project and the estimate.", v.part, "part", values="part"),
    Key("XilinxPart", Place.TOP, "An older name of Part.", v.part, "part", values="part"),
    Key("Board", Place.TOP, "A board, which stands for the part on it.", v.part, "part", values="part"),
    Key(
        "BambuDevice",
        Place.TOP,
        "What Bambu builds for in place of Part, by Bambu's name.",
        v.bambu_device,
        "bambu_device",
        values="device",
    ),
    Key("ClockPeriod", Place.TOP, "Clock period.", v.between(0.1, 100_000, "ns"), "clock_period", values="ns"),
    Key(
        "ClockUncertainty",
        Place.TOP,
        "Share of the period kept in reserve.",
        v.percent,
        "clock_uncertainty",
        values="such as 12.5%",
    ),
    Key(
        "IOType",
        Place.TOP | Place.MODEL,
        "How data enters and leaves: all of an event at once, or position by position.",
        v.io_type,
        "io_type",
        values="io_parallel, io_stream",
    ),
    Key(
        "FifoDepths",
        Place.TOP,
        "io_stream: the least depths of queues that keep the pace, or the least without deadlock.",
        v.fifo_depths,
        "fifo",
        values="fast, tight",
    ),
    Key(
        "Backend",
        Place.TOP,
        "The HLS tool the project is for, or Verilog, which nn2hls writes by itself.",
        v.backend,
        "backend",
        values="Vivado, Vitis, Bambu, Verilog",
    ),
    Key(
        "Interface",
        Place.TOP,
        "hls4ml: ports as hls4ml names and shapes them, for a wrapper that is there already. axis: AXI4-Stream (io_stream).",
        v.interface,
        "interface",
        values="nn2hls, hls4ml, axis",
    ),
    Key(
        "InputScaling",
        Place.TOP,
        "Raw inputs enter the design, and (input - mean) / std the model; several inputs by name.",
        decision.scalings,
        "input_scaling",
        values="{mean: .., std: ..} or file",
    ),
    Key(
        "Score",
        Place.TOP,
        "What leaves in place of the outputs: error of a reconstruction, mean square or divergence of a latent space.",
        decision.score,
        "score",
        values="mse, mae, radius, kl, or {kl: [z_mean, z_log_var]}",
    ),
    Key(
        "Threshold",
        Place.TOP,
        "Outputs are 1 from this number on, and 0 below it; several by name.",
        decision.thresholds,
        "threshold",
        values="number, or {OUTPUT: number}",
    ),
    Key(
        "Output",
        Place.TOP,
        "argmax: the number of the largest element leaves, and no softmax is built; several by name.",
        decision.answers,
        "output",
        values="argmax, values, or {OUTPUT: argmax}",
    ),
    Key("HLSConfig", Place.TOP, "Settings of the layers, below.", values="block"),
    Key(
        "WriterConfig", Place.TOP, "How hls4ml writes files: its keys have no effect or are refused, see below.", values="block"
    ),
    *(_obsolete(k, Place.TOP, "The model has the shapes of its inputs and outputs.") for k in ("InputShapes", "OutputShapes")),
    _obsolete("Stamp", Place.TOP, "It is the number of one of hls4ml's builds."),
    _obsolete("ProjectDir", Place.TOP, "The HLS tool works in the folder ProjectName_prj of OutputDir."),
    *(
        _obsolete(k, Place.TOP, f"It belongs to hls4ml's {name} back end.")
        for k, name in (("FIFO", "Catapult"), ("Technology", "Catapult"), ("HyperoptHandshake", "oneAPI"))
    ),
    _obsolete("Version", Place.TOP, "The tool that is found is used; see `nn2hls doctor`."),
    _obsolete("MaximumSize", Place.TOP, "The limits of the tools are checked when the project is written."),
    _obsolete("TraceOutput", Place.TOP | Place.MODEL, "`trace` and `compare` give every layer without it."),
    _refused("AcceleratorConfig", Place.TOP, "nn2hls exports an IP core; connect it in a block design, and remove this block."),
    _refused("DefaultPrecision", Place.TOP, "Write Precision under HLSConfig: Model:."),
    _refused("DefaultReuseFactor", Place.TOP, "Write ReuseFactor under HLSConfig: Model:."),
)

WRITER_KEYS = (
    _obsolete("Namespace", Place.WRITER, "Generated names begin with ProjectName, so that designs do not collide."),
    _obsolete("WriteWeightsTxt", Place.WRITER, "Weights are integer literals in the C++."),
    _obsolete("WriteTar", Place.WRITER, "The project is a folder."),
    _obsolete("TBOutputStream", Place.WRITER, "The test bench writes to a file and its verdict to the terminal."),
    _obsolete("WriteEmulationConstants", Place.WRITER, "Emulation needs no constants of its own."),
)

HLS_KEYS = (
    Key("Model", Place.HLS, "Settings of every layer.", values="block"),
    Key(
        "LayerType", Place.HLS, "Settings of a class of layers, as its framework or nn2hls calls it.", values="block of blocks"
    ),
    Key(
        "LayerName",
        Place.HLS,
        "Settings of a layer, its activation (NAME_relu) or input (NAME_input).",
        values="block of blocks",
    ),
    _obsolete("Flows", Place.HLS, "The passes are always the same; see `nn2hls passes`."),
    _obsolete("Optimizers", Place.HLS, "The passes are always the same; see `nn2hls passes`."),
    _obsolete("SkipOptimizers", Place.HLS, "The passes are always the same; see `nn2hls passes`."),
)

LEVEL_KEYS = (
    Key(
        "Precision",
        Place.LEVEL,
        "A type for input, weight, bias and result, or one type per word.",
        values="type, auto, or block of words",
    ),
    Key(
        "ReuseFactor",
        Place.LEVEL,
        "Products a multiplier does for one result; 1 is fully parallel.",
        v.whole(1, 1 << 20),
        "reuse",
        values="1, 2, ..",
    ),
    Key(
        "Strategy",
        Place.LEVEL,
        "Latency: parallel. Resource: shared multipliers, weights in memory. "
        "DistributedArithmetic: shared additions (reuse 1).",
        v.strategy,
        "strategy",
        values="Latency, Resource, DistributedArithmetic",
    ),
    Key(
        "AdderDepth",
        Place.LEVEL,
        "DistributedArithmetic: additions beyond the fewest on the longest way; more of them share more, and take clocks.",
        v.whole(0, 99),
        "adder_depth",
        values="0, 1, ..",
    ),
    Key(
        "ParallelizationFactor",
        Place.LEVEL,
        "io_stream: positions computed side by side. Unset: one where there are weights, else as many as come at once.",
        v.whole(1, 1 << 20),
        "positions",
        values="1, 2, ..",
    ),
    Key(
        "TimeStepLoopParallelism",
        Place.LEVEL,
        "Unroll: the steps of a recurrent layer stand side by side. Off: one step is built, and runs for each in turn. "
        "Unset: Off with io_stream, else Unroll.",
        v.time_steps,
        "time_steps",
        values="Unroll, Off",
    ),
    Key(
        "Weights",
        Place.LEVEL,
        "reloadable: weights and biases of Dense layers and convolutions are memories with a port for others of their types.",
        v.weights,
        "weights",
        values="fixed, reloadable",
    ),
    Key(
        "TableSize",
        Place.LEVEL,
        "Entries of each table; derived from the types when unset.",
        v.power_of_two,
        "table_size",
        values="power of two",
    ),
    Key("table_size", Place.LEVEL, "Another name of TableSize.", v.power_of_two, "table_size", values="power of two"),
    Key("MaxWidth", Place.LEVEL, "No derived type is wider.", v.whole(2, v.MAX_ACCUMULATOR), "max_width", values="bits"),
    Key(
        "TargetSQNR",
        Place.LEVEL,
        "Signal to rounding noise that derived types keep.",
        v.between(6, 240, "dB"),
        "target_sqnr",
        values="dB",
    ),
    Key("Calibration", Place.MODEL, "Data that may set types.", v.path, "calibration", values="file"),
    _obsolete("Trace", Place.LEVEL, "`trace` and `compare` give every layer without it."),
    _obsolete("Compression", Place.LEVEL, "Zero weights always cost nothing."),
    _obsolete("BramFactor", Place.LEVEL, "Weights lie inside the design; Weights: reloadable gives memories of them a port."),
    _obsolete("ConvImplementation", Place.LEVEL, "It chooses between hls4ml's streams."),
    _obsolete("PipelineStyle", Place.MODEL, "It follows from the schedule.", v.only("auto", "pipeline", "dataflow")),
    _obsolete("PipelineInterval", Place.MODEL, "It follows from ReuseFactor; `nn2hls estimate` shows it."),
    _obsolete("TargetCycles", Place.LEVEL, "Set ReuseFactor; `nn2hls estimate` shows the clocks."),
    _obsolete("BitExact", Place.MODEL, "The emulator and the C++ always agree bit for bit."),
    _obsolete("AllowDAFallback", Place.MODEL, "nn2hls has one reader per framework."),
    _obsolete("AllowV2Fallback", Place.MODEL, "nn2hls has one reader per framework."),
    _obsolete("ChannelsLastConversion", Place.MODEL, "Data keeps the model's own layout, channels first for PyTorch."),
    _obsolete("TransposeOutputs", Place.MODEL, "Outputs keep the model's own layout."),
    _obsolete("Implementation", Place.LEVEL, "There is one softmax, the stable one.", v.softmax_implementation),
    _obsolete("skip", Place.LAYER, "Softmax is part of the model: take it off there.", v.only(False)),
    _obsolete("Static", Place.LEVEL, "Every event begins with the states that the model gives."),
    _obsolete("RecurrentReuseFactor", Place.LEVEL, "ReuseFactor holds for the product with the state too."),
    *(_obsolete(k, Place.LEVEL, _HALVES) for k in ("DepthwiseReuseFactor", "PointwiseReuseFactor")),
    _obsolete("TableRangePower2", Place.LEVEL, "The table of a normalization follows from its operand; its bound is printed."),
)

# The words of Precision. A bare type, or `default`, sets these four; the others stay derived until they are named.
BARE_WORDS = ("input", "weight", "bias", "result")

PRECISION_WORDS = {
    "default": "Input, weight, bias and result, where they are not named themselves.",
    "input": "Inputs of the design.",
    "weight": "Weights.",
    "bias": "Biases.",
    "result": "What the layer hands on.",
    "accum": "The running sum. Unset: exact. Named: each addition is cast, in ascending input index.",
    "scale": "The factor of a batch normalization that stands alone.",
    "slope": "The slope of a leaky ReLU or a hard sigmoid.",
    "shift": "The offset of a hard sigmoid.",
    "bound": "The ends of a clip; threshold and value of a thresholded ReLU.",
    "level": "The values of a quantizer by thresholds.",
    "param": "All of slope, shift, bound and level that are not named themselves.",
    "factor": "1/n of an average.",
    "table": "Entries of the table of an activation.",
    "exp_table": "Entries of the exponential table of a softmax.",
    "inv_table": "Entries of the reciprocal table of a softmax.",
}

OBSOLETE_WORDS = {
    "recurrent_weight": "The sum of a gate is one, over element and state; its weights have the type weight.",
    "recurrent_bias": "The biases of a gate are one, of the type bias.",
    "state": "Name the node under LayerName: LAYER_hidden, and LAYER_cell of an LSTM.",
    "inv_inp": "The sum in a softmax is exact.",
    "inp_norm": "The differences in a softmax are exact.",
    **dict.fromkeys(("depthwise", "pointwise", "depthwise_accum", "pointwise_accum", "depthwise_result"), _HALVES),
    "embeddings": "The rows of an embedding have its type weight.",
    "membrane": "It serves spiking layers, which are not offered.",
}

WORDS = tuple(
    [Key(word, Place.WORD, meaning, v.fixed_type, word, values="type, auto") for word, meaning in PRECISION_WORDS.items()]
    + [Key("maximum", Place.WORD, "hls4ml's cap: MaxWidth is set to its width.", v.maximum, "max_width", values="cap")]
    + [_obsolete(word, Place.WORD, why, v.fixed_type) for word, why in OBSOLETE_WORDS.items()]
)

# Every word is a key of its own as well, with hls4ml's suffix.
TYPE_KEYS = tuple(
    replace(k, name=f"{k.name}_t", places=Place.LEVEL) for k in WORDS if k.name not in ("default", "input", "maximum")
)

ALL_KEYS = TOP_KEYS + WRITER_KEYS + HLS_KEYS + LEVEL_KEYS + WORDS + TYPE_KEYS


def keys_at(place: Place) -> dict[str, Key]:
    """The keys that may stand at a place, by lower-case name."""
    return {k.name.lower(): k for k in ALL_KEYS if place in k.places}
