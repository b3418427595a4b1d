# `make demo` and `make test` do everything from a fresh clone, given Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test environment lint fuzz bench bench-smoke study figures clean

environment: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(STAMP)

demo: environment ## train on the embedded digits, print the report, write pictures to demo/
	rm -rf demo
	$(BIN)/neurosim train digits --epochs 10 --out demo
	@echo; echo "Pictures: demo/*.png"

test: environment ## all tests; real data sets are used where NEUROSIM_DATA names them
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: environment ## 2,000 random networks, kernels against the slow reference
	$(BIN)/python -m tests.fuzz --cases 2000

bench: environment ## needs torch: $(BIN)/pip install -e '.[bench]'
	$(BIN)/python -m benchmarks

bench-smoke: environment
	$(BIN)/python -m benchmarks --smoke

figures: environment ## the map of docs/mapping.md; needs MNIST
	$(BIN)/neurosim train mnist --hidden 100,100,100,100 --epochs 1 --out .figures/run
	$(BIN)/neurosim price .figures/run --hardware examples/small_cores.toml --mesh .figures
	cp .figures/small_cores/map.png docs/figures/mesh.png
	rm -rf .figures

clean:
	rm -rf $(VENV) demo build dist .data
