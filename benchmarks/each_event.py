"""The jet tagger after ``model.quantize("int8")`` of Keras: how many jets are right, and in the same class as Keras has them.

python -m benchmarks.each_event
"""

from __future__ import annotations

import numpy as np

from benchmarks.measure import ROOT


def main() -> None:
    """Print the shares of all test jets."""
    import keras

    import nn2hls

    folder = ROOT / "examples/jet_tagging"
    x, labels = (np.load(folder / f"jets_test{end}.npy", allow_pickle=False) for end in ("", "_labels"))
    model = keras.models.load_model(folder / "jet_tagger.keras")
    model.quantize("int8")
    design = nn2hls.convert(nn2hls.load(model))
    answers = {"Keras": model.predict(x, verbose=0), "predict_float": design.predict_float(x), "predict": design.predict(x)}
    classes = {name: answer.argmax(axis=1) for name, answer in answers.items()}
    for name, found in classes.items():
        print(f"{name:14} right {np.mean(found == labels):7.2%}   as Keras {np.mean(found == classes['Keras']):7.2%}")


if __name__ == "__main__":
    main()
