"""Train a small network on jet images of 8 x 8 with Brevitas, all scales powers of two, and write brevitas_cnn.onnx (QONNX)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "jet_particles"))
from particles import CLASSES, images

HERE = Path(__file__).parent
PIXELS, EVENTS, STEPS, BATCH, KEPT = 8, 10000, 1500, 100, 200


def network():
    """A convolution of 3 x 3 with 6 filters, ReLU of 4 bits, a maximum of 2 x 2, then the classes; weights of 4 bits."""
    import brevitas.nn as q
    from brevitas import quant
    from torch import nn

    weights = {"weight_quant": quant.Int8WeightPerTensorFixedPoint, "weight_bit_width": 4, "bias_quant": quant.Int16Bias}
    given = {"bit_width": 8, "act_quant": quant.Int8ActPerTensorFixedPoint, "return_quant_tensor": True}
    relu = {"bit_width": 4, "act_quant": quant.Uint8ActPerTensorFixedPoint, "return_quant_tensor": True}
    return nn.Sequential(
        q.QuantIdentity(**given),
        q.QuantConv2d(1, 6, 3, padding=1, bias=True, **weights),
        q.QuantReLU(**relu),
        nn.MaxPool2d(2),
        nn.Flatten(),
        q.QuantLinear(6 * (PIXELS // 2) ** 2, len(CLASSES), bias=True, **weights),
    )


def main() -> None:
    """Train, export, and keep some events with Brevitas' own answers."""
    import torch
    from brevitas.export import export_qonnx

    torch.set_num_threads(1)
    torch.manual_seed(1)
    x, labels = images(EVENTS, 1, PIXELS)
    x, labels = torch.from_numpy(np.moveaxis(x, -1, 1).astype(np.float32)), torch.from_numpy(labels)
    module, rng = network(), np.random.default_rng(1)
    optimiser = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(STEPS):
        batch = rng.integers(0, EVENTS, BATCH)
        loss = torch.nn.functional.cross_entropy(module(x[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    module.eval()
    test, truth = images(KEPT, 2, PIXELS)
    test = np.moveaxis(test, -1, 1).astype(np.float32)
    with torch.no_grad():
        answers = module(torch.from_numpy(test)).numpy()
    print(f"accuracy {np.mean(answers.argmax(axis=1) == truth):.3f}")
    export_qonnx(module, args=torch.from_numpy(test[:1]), export_path=str(HERE / "brevitas_cnn.onnx"), dynamo=False)
    np.save(HERE / "brevitas_cnn_images.npy", test)
    np.save(HERE / "brevitas_cnn_answers.npy", answers)


if __name__ == "__main__":
    main()
