# Every target works on a machine with Python 3.11, make and a package index.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2

# The peers' own Python, which `benchmarks/peers.sh` makes.
PEERS = build/benchmarks/torch

# The oldest TensorFlow that setup.cfg promises.
OLDEST = tensorflow==2.16.*

.PHONY: train test test-all test-torch test-oldest test-tfm zoo parity parity-detectors bench lint format clean

train: .venv/.base
	$(BIN)/python train.py

test: .venv/.test
	$(BIN)/python -m pytest -m "not slow and not model_garden" -n 2
	KERAS_BACKEND=jax $(BIN)/python -m pytest -m "any_backend and not slow" -n 2

test-all: .venv/.test
	$(BIN)/python -m pytest -m "not model_garden" -n 2
	KERAS_BACKEND=jax $(BIN)/python -m pytest -m any_backend -n 2

# PyTorch is a large download, so it has an environment of its own.
test-torch: .venv-torch/.test
	KERAS_BACKEND=torch .venv-torch/bin/python -m pytest -m "any_backend and not slow" -n 2

# The fast suite on the oldest TensorFlow, in an environment of its own.
test-oldest: .venv-oldest/.test
	.venv-oldest/bin/python -m pytest -m "not slow" -n 2

# Model Garden takes one minor version of TensorFlow, and is a large download.
test-tfm: .venv-tfm/.test
	.venv-tfm/bin/python -m pytest -m model_garden tests/integrations

# Trains the models that ship with the package, and puts them into it.
zoo: .venv/.coco
	$(BIN)/python train.py --strategy=mirrored --model_dir=runs/zoo
	$(BIN)/nonlocal-keras ship nl_c2d_tiny_longrange.local
	$(BIN)/python train.py --experiment=longrange_shapes --model_dir=runs/zoo_shapes
	$(BIN)/nonlocal-keras ship nl_mask_rcnn_tiny_fpn_longrange_shapes.local

# Full-width models of the other projects against ours; see docs/parity.md.
parity: parity-detectors
	benchmarks/parity/run.sh $(BIN)/python build/parity

# DETECTRON2 names a checkout of detectron2.
parity-detectors: .venv/.base
	benchmarks/parity/detectors/run.sh $(BIN)/python build/parity

# Hours on a quiet machine; SLOWFAST names a checkout of PySlowFast. See
# docs/benchmarks.md.
bench: .venv/.bench
	benchmarks/peers.sh $(PEERS)
	$(BIN)/python -m benchmarks.op --peer=$(PEERS)/bin/python
	$(BIN)/python -m benchmarks.model --peer=$(PEERS)/bin/python
	$(BIN)/python -m benchmarks.detection --peer=$(PEERS)/bin/python
	$(BIN)/python -m benchmarks.export.weights build/benchmarks/weights
	$(BIN)/python -m benchmarks.export build/benchmarks/weights

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-torch .venv-oldest .venv-tfm build *.egg-info .pytest_cache .ruff_cache

.venv/.base: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# The AP of detectors.
.venv/.coco: .venv/.base
	$(BIN)/python -m pip install --quiet --editable ".[coco]"
	touch $@

.venv/.test: .venv/.base
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

.venv-torch/.test: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --editable ".[test]" torch
	touch $@

.venv-oldest/.test: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --editable ".[test]" "$(OLDEST)"
	touch $@

.venv-tfm/.test: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-tfm
	.venv-tfm/bin/python -m pip install --quiet --editable ".[coco,tfm]" pytest
	touch $@

.venv/.bench: .venv/.base
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	touch $@
