#!/usr/bin/env bash
# The whole loop: train, prune with retraining, quantise (types from calibration data), convert, verify, compare per class.
#   examples/jet_tagging/loop.sh [FOLDER]        needs pip install '.[test]' (PyTorch, Keras, ONNX) and a C++ compiler
set -euo pipefail
out=${1:-nn2hls-projects/loop}
here=$(dirname "$0")

mkdir -p "$out"
python "$here/train.py" --out "$out"
nn2hls config "$out/jet_tagger_pruned.keras" --calibration "$out/jets_calibration.npy" --target-agreement 99.5% -o "$out/tagger.yml"
nn2hls convert "$out/tagger.yml" -o "$out/hls"
nn2hls verify "$out/tagger.yml" --input "$out/jets_test.npy"
for network in jet_tagger jet_tagger_pruned; do # before and after pruning, each class in float and in fixed point
    nn2hls compare "$out/$network.keras" --calibration "$out/jets_calibration.npy" \
        --input "$out/jets_test.npy" --labels "$out/jets_test_labels.npy"
done
nn2hls compare "$out/tagger.yml" --input "$out/jets_test.npy" --labels "$out/jets_test_labels.npy" --plots "$out/plots"
