#!/usr/bin/env bash
# A jet tagger from its .keras file to a board's bitstream: accuracy, Verilog, simulation, synthesis, place and route, packing.
# All tools come from PyPI but the simulators, Verilator or Icarus Verilog; without them the step simulate is left out.
#   examples/board.sh [BOARD [CONFIG]]        ulx3s-25 where none is named; nn2hls doctor lists them
set -euo pipefail
cd "$(dirname "$0")/.."
config=${2:-example-configs/jet_tagger_board.yml}
data=examples/jet_tagging/jets_test.npy
labels=examples/jet_tagging/jets_test_labels.npy
export YOWASP_CACHE_DIR="${YOWASP_CACHE_DIR:-$PWD/.venv/yowasp}" # what the WebAssembly of the tools is compiled to

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi
step() {
    printf '\n%s$ nn2hls %s%s\n' "$bold" "$*" "$plain"
    nn2hls "$@"
}

started=$SECONDS
step compare "$config" --input "$data" --labels "$labels"
step build "$config" --tool rtl --board "${1:-ulx3s-25}" --timeout 1200
printf '\nAll of it took %s s.\n' "$((SECONDS - started))"
