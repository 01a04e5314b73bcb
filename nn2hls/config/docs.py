"""Writes docs/config.md from the table of keys: ``python -m nn2hls.config.docs > docs/config.md``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from nn2hls.config.config import Config
from nn2hls.config.keys import HLS_KEYS, LEVEL_KEYS, TOP_KEYS, TYPE_KEYS, WORDS, WRITER_KEYS, Key, Place, Status
from nn2hls.config.settings import LayerSettings

_INTRO = """\
# The config

A YAML file, or the same as a dict. The words are those of hls4ml, and a YAML file of hls4ml loads as it is; see the end of this
page. Keys are read in any case, names of layers as they are written. A value of `null` is as good as none. Paths of the model
and of data start at the folder of the YAML file, `OutputDir` at the current directory. Files are read as plain values: nothing
in them is executed.

```yaml
KerasModel: tagger.keras
OutputDir: my-hls-test
ProjectName: tagger
Part: xcku115-flvb2104-2-i
ClockPeriod: 5
Backend: Vitis
HLSConfig:
  Model:
    Precision: ap_fixed<16,6>
    ReuseFactor: 1
  LayerType:
    Dense:
      Strategy: Resource
  LayerName:
    fc1:
      ReuseFactor: 4
      Precision:
        weight: ap_fixed<8,2>
        accum: ap_fixed<32,16>
```

A setting under `LayerName` comes before one under `LayerType`, and that before one under `Model`: key by key, and word by word
inside `Precision`. `LayerName` takes the name of a layer, `NAME_relu` for the activation inside the layer NAME, `NAME_input`
for the input of the design that feeds it. `LayerType` takes the framework's class (`Dense`, `Linear`, `Gemm`) or the name of
the op. Inside a recurrent layer `NAME_forget_gate` is a gate in all steps, `NAME_forget_gate_sigmoid` its function:
[layers.md](layers.md) has their names.

A type that is not named is derived. A bare type, or `default`, names the types of input, weight, bias and result; accumulators
and tables stay derived until they are named. `auto` asks for the derived type where an outer block names one. Only where the
Precision of Model has the word `default`, as in the files that hls4ml writes with `auto` at every name, is it as there: `auto`
of inputs, weights and biases means that default. Results with `auto` are derived: they keep `TargetSQNR` within `MaxWidth`,
where hls4ml takes as many bits as could be needed; raise these two to have as many.

An `accum` that holds every sum exactly, as the one above does for up to 256 inputs, goes with any reuse factor. A narrower one
is cast to after each addition, in an order that takes `ReuseFactor: 1`.

A key that is unknown, misspelt or in the wrong place is an error with its line; so are names of layers that the model does not
have.
"""

_HLS4ML = """\
## What hls4ml writes

The `hls4ml_config.yml` of a project of hls4ml 1.3.0 loads. A Keras model lies beside it, an ONNX model is part of it. A PyTorch
module is pickled into it, and no pickle is opened: write the name of a .pt2 file in its place, or give the module itself to
`nn2hls.convert(module, "hls4ml_config.yml")`; its `InputShape` is used. The dicts of `config_from_keras_model`,
`config_from_pytorch_model` and `config_from_onnx_model` load as well, of any granularity.

| in hls4ml | here |
|---|---|
| `_0`, `features_3`, `input_1` | PyTorch's layers `0` and `features.3`, and the first input |
| `Dense_X`, `bn_X` | X, of which hls4ml made a layer of that name |
| a layer that changes no value, such as Dropout | its settings have no effect, a note says so |
| an Add that became a bias, X | the type of its result is that of the product; nothing else of it has an effect |
| a constant of an ONNX model | must have no type of its own: name it as weight or bias of the layer that reads it |
| `ResourceUnrolled` | `Resource`: zero weights cost nothing at any reuse factor |
| `Stable` or `legacy` as Strategy | no effect: there is one softmax, the stable one |
| `exp_table_t` beside `Precision: {exp_table: ..}` | the first, as in hls4ml |
| `ac_fixed<8,3,true>`, `ac_int<8,false>` | `ap_fixed<8,3>`, `ap_uint<8>`, as for the Quartus back end |
| `float`, `half`, `ap_float<..>` | refused: a design computes in fixed point |
"""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _default(key: Key) -> str:
    fields = {f.name: f for c in (Config, LayerSettings) for f in dataclasses.fields(c)}
    field = fields.get(key.field)
    if field is None or field.default in (None, dataclasses.MISSING):
        return ""
    return f"`{field.default}`"


def _honoured(keys: Iterable[Key]) -> str:
    rows = [(f"`{k.name}`", k.values, _default(k), k.help) for k in keys if k.status is Status.HONOURED]
    return _table(("key", "value", "default", "what it does"), rows)


_PLACES = {
    Place.TOP: "top",
    Place.HLS: "HLSConfig",
    Place.MODEL: "Model",
    Place.LAYER: "layer",
    Place.WORD: "Precision",
    Place.WRITER: "WriterConfig",
}


def _others(status: Status) -> str:
    keys = [k for k in (*TOP_KEYS, *WRITER_KEYS, *HLS_KEYS, *LEVEL_KEYS, *WORDS, *TYPE_KEYS) if k.status is status]
    return _table(
        ("key", "where", "why" if status is Status.OBSOLETE else "what to do"),
        ((f"`{k.name}`", ", ".join(n for p, n in _PLACES.items() if p in k.places), k.help) for k in keys),
    )


def page() -> str:
    """The text of docs/config.md."""
    parts = [
        _INTRO,
        "## Top of the file\n",
        _honoured(TOP_KEYS),
        "## HLSConfig\n",
        _honoured(HLS_KEYS),
        "## HLSConfig: Model, and the blocks under LayerType and LayerName\n",
        "`Calibration` stands under `Model` only.\n",
        _honoured(LEVEL_KEYS),
        "## Words of Precision\n",
        "Each is also a key of its own beside `Precision`, with `_t`: `table_t`, `accum_t`, `exp_table_t`.\n",
        _table(("word", "what it types"), ((f"`{k.name}`", k.help) for k in WORDS if k.status is Status.HONOURED)),
        _HLS4ML,
        "## Keys of hls4ml without effect\n",
        "They are read, and a note names them.\n",
        _others(Status.OBSOLETE),
        "## Keys of hls4ml that are refused\n",
        _others(Status.REFUSED),
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
