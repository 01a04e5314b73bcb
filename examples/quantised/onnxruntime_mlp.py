"""Quantise the trained jet tagger of examples/jet_tagging with onnxruntime, 8 bits, and write onnxruntime_mlp.onnx (QDQ)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TAGGER = HERE.parent / "jet_tagging"
BATCH, KEPT = 100, 500


class Calibration:
    """Batches for the quantiser, by the name of the model's input."""

    def __init__(self, name: str, jets: np.ndarray) -> None:
        self.batches = iter([{name: jets[k : k + BATCH]} for k in range(0, len(jets), BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next one, None behind the last."""
        return next(self.batches, None)


def main() -> None:
    """Quantise, and keep onnxruntime's own answers."""
    import onnxruntime
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    source, target = TAGGER / "jet_tagger.onnx", HERE / "onnxruntime_mlp.onnx"
    jets = np.load(TAGGER / "jets_calibration.npy").astype(np.float32)
    name = onnxruntime.InferenceSession(source).get_inputs()[0].name
    forms = {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
    quantize_static(source, target, Calibration(name, jets), per_channel=True, **forms)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    test = np.load(TAGGER / "jets_test.npy").astype(np.float32)[:KEPT]
    np.save(HERE / "onnxruntime_mlp_answers.npy", onnxruntime.InferenceSession(target, options).run(None, {name: test})[0])


if __name__ == "__main__":
    main()
