# nn2hls: every target makes .venv by itself and installs only what it needs; a second run installs nothing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
FUZZ_SECONDS ?= 3600
FUZZ_SEED ?= $(shell date +%Y%m%d)
BOARD ?= ulx3s-25
CONFIG ?= example-configs/jet_tagger_board.yml
CPP := $(shell git ls-files 'firmware_lib/*.h' 'firmware_lib/*.cpp' 'tests/*.h' 'tests/*.cpp' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help dist demo board test matrix fuzz lint types format bench networks notebooks docs site clean

help: ## this list
	@echo "nn2hls: trained neural networks to verified, sized FPGA designs"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile
	@echo; echo "PYTHON=python3.12 make ... uses that interpreter for .venv (3.10 or newer)."

demo: $(STAMPS)/demo ## convert, emulate, compare, size, compile and verify a jet tagger (installs the core and h5py)
	@PATH="$(abspath $(BIN)):$$PATH" examples/demo.sh

board: $(STAMPS)/board ## a jet tagger from .keras to the bitstream of a board, with tools of PyPI (BOARD=ice40-hx8k: another one)
	@PATH="$(abspath $(BIN)):$$PATH" examples/board.sh $(BOARD) $(CONFIG)

test: $(STAMPS)/test ## all tests (installs PyTorch, TensorFlow, Keras, ONNX; ARGS="-m 'not long'" leaves the long ones out)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

matrix: ## the core on every Python from 3.10 to 3.14 that is on this machine, each in an environment of its own
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m tests.matrix

fuzz: $(STAMPS)/test ## random networks, damaged files and tests for hours, with new seeds (FUZZ_SECONDS=3600 FUZZ_SEED=1)
	$(BIN)/python -m tests.fuzz numbers --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) --jobs 2
	$(BIN)/python -m tests.fuzz files --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)
	NN2HLS_HYPOTHESIS=fuzz $(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: $(STAMPS)/dev types ## ruff, clang-format and the strict type checker; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(if $(CPP),$(BIN)/clang-format --dry-run -Werror $(CPP))

# The type checker does not see the mapped packages of an editable installation, so it gets a copy.
types: $(STAMPS)/dev ## the strict type checker alone, on an installed copy
	rm -rf build $(VENV)/typed
	$(PIP) --no-deps --target $(VENV)/typed .
	cd $(VENV)/typed && ../bin/mypy --config-file ../../pyproject.toml --cache-dir ../mypy

format: $(STAMPS)/dev ## let ruff and clang-format rewrite the files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(if $(CPP),$(BIN)/clang-format -i $(CPP))

bench: $(STAMPS)/demo ## measure speed and size against the limits the project promises
	$(BIN)/python -m benchmarks

networks: $(STAMPS)/demo ## run every network of the field again and write docs/networks.md; needs g++, Verilator and Icarus
	$(BIN)/python -m benchmarks.networks --page docs/networks.md

notebooks: $(STAMPS)/test ## run the notebooks; `make site` then shows what they print and draw
	$(BIN)/python -m benchmarks.notebooks --out build/notebooks

docs: $(STAMPS)/demo ## write the generated pages of docs/ again
	$(BIN)/python -m nn2hls.config.docs > docs/config.md
	$(BIN)/python -m nn2hls.converters.catalogue > docs/layers.md
	$(BIN)/python -m nn2hls.commands.docs > docs/cli.md

site: $(STAMPS)/site ## the documentation as a site in build/site, every warning an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

dist: $(STAMPS)/dist ## wheel and source distribution in dist/, checked as an index would
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

clean: ## remove .venv, caches and generated projects
	rm -rf $(VENV) build dist nn2hls-projects *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON): not found. Install Python 3.10 or newer, or name one: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON) is older than 3.10. Name a newer one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) -m venv failed. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(STAMPS)/demo: EXTRA := keras
$(STAMPS)/board: EXTRA := keras,open
$(STAMPS)/test: EXTRA := test
$(STAMPS)/dev: EXTRA := dev
$(STAMPS)/site: EXTRA := docs
$(STAMPS)/dist: EXTRA := dist
$(STAMPS)/demo $(STAMPS)/board $(STAMPS)/test $(STAMPS)/dev $(STAMPS)/site $(STAMPS)/dist: pyproject.toml | $(BIN)/python
	@echo "installing nn2hls[$(EXTRA)] into $(VENV)"
	@$(PIP) --editable '.[$(EXTRA)]'
	@mkdir -p $(STAMPS) && touch $@
