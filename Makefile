# Everything runs in .venv, made on first use from Python 3.11 and pip alone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.PHONY: demo test check lint format bench clean

# Draws photographs, trains two minutes, evaluates and predicts.
demo: $(READY)
	$(BIN)/python -m unet_lightning.train experiment=demo
	$(BIN)/python -m unet_lightning.evaluate run=outputs/demo/latest
	$(BIN)/python -m unet_lightning.predict data/synthetic/seed-0-584x565/test/images/01_test.tif --run outputs/demo/latest --out predictions
	@echo "Pictures: predictions/01_test_overlay.png, predictions/01_test_mask.png and outputs/demo/latest/curves.png"
	@echo "Report: outputs/demo/latest/evaluation/synthetic-test/report.html"

# Two processes with one thread each: on two cores twice as fast as the other way round.
test: $(READY_DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Lint, types and tests: what CI runs.
check: lint test

lint: $(READY_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Half an hour on two cores; nothing else should run.
bench: $(READY)
	$(BIN)/python experiments/benchmarks/bench.py

format: $(READY_DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

# With what lint, tests and notebooks need beside it.
$(READY_DEV): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
