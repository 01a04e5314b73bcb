#!/usr/bin/env bash
# One network through everything: convert, emulate, compare with float, size, compile the C++, check every bit. Needs g++ or clang++.
set -euo pipefail
cd "$(dirname "$0")/.."
config=example-configs/jet_tagger.yml
data=examples/jet_tagging/jets_test.npy
labels=examples/jet_tagging/jets_test_labels.npy
out=nn2hls-projects

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi
step() {
    printf '\n%s$ nn2hls %s%s\n' "$bold" "$*" "$plain"
    nn2hls "$@"
}

started=$SECONDS
step convert "$config"
step emulate "$config" --input "$data" --output "$out/jet_tagger_predictions.npy"
step compare "$config" --input "$data" --labels "$labels"
step estimate "$config"
step build "$config" --tool csim
step verify "$config"
printf '\nAll of it took %s s. Written: %s/jet_tagger/ (firmware/ is the C++,\nbuild_prj.tcl runs Vivado or Vitis HLS) and the predictions beside it.\n' "$((SECONDS - started))" "$out"
printf 'Try next: nn2hls estimate example-configs/jet_tagger_reuse4.yml; nn2hls --help\n'
