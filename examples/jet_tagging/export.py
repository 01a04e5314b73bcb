"""Write one PyTorch tagger as .keras, .h5, .onnx and .pt2 with the same float32 constants and layer names.

TensorFlow is not needed. What the exporters add about the machine (stack traces with paths) is removed.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import torch


def export_all(model: torch.nn.Module, stem: Path) -> None:
    """Write ``stem`` with the four endings.

    Raises:
        AssertionError: A file does not hold the model's constants.
    """
    export_keras(model, stem)
    example, batch = (torch.zeros(2, 16),), torch.export.Dim("batch")
    program = torch.export.export(model, example, dynamic_shapes=({0: batch},))
    export_onnx(program, stem.with_suffix(".onnx"))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, stem.with_suffix(".pt2"))


def export_keras(model: torch.nn.Module, stem: Path) -> None:
    """Keras 3 files, whatever back end Keras runs on; Keras keeps kernels as (inputs, outputs)."""
    dense = model.dense()
    layers = [keras.Input((16,), name="inputs")]
    for name, layer in dense.items():
        activation = "softmax" if name == "output" else "relu"
        layers.append(keras.layers.Dense(layer.out_features, activation=activation, name=name))
    twin = keras.Sequential(layers, name="jet_tagger")
    for name, layer in dense.items():
        twin.get_layer(name).set_weights([layer.weight.detach().numpy().T, layer.bias.detach().numpy()])
    twin.save(stem.with_suffix(".keras"))
    twin.save(stem.with_suffix(".h5"))
    again = keras.saving.load_model(stem.with_suffix(".keras"))
    for name, layer in dense.items():
        kernel = keras.ops.convert_to_numpy(again.get_layer(name).kernel)
        assert np.array_equal(kernel, layer.weight.detach().numpy().T), name


def export_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    """The file of PyTorch's own exporter; nodes carry the names of their modules."""
    torch.onnx.export(program, input_names=["inputs"], output_names=["probabilities"], external_data=False, verbose=False).save(
        path
    )
    model = onnx.load(path)
    for node in model.graph.node:
        scopes = {p.key: p.value for p in node.metadata_props}["pkg.torch.onnx.name_scopes"]
        node.name = scopes.strip("[]").split(", ")[1].strip("'")
        del node.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    kept = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, value in program.state_dict.items():
        assert np.array_equal(kept[name], value.detach().numpy()), name
