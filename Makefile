# make test   set up .venv (once), then every check that continuous integration runs
# make demo   encode a sample, decode it, compare, package it, serve it
# make bench  a row on this commit in docs/results/history.tsv: bytes and speed of a sample
# make docs   the documentation site, in site/
# make dist   sdist and wheel in dist/, checked and tried in an empty environment
# make types  type-check the page's JavaScript (needs Node)
# make clean  remove what these made
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Installed first and by exact version: a bare "torch" would pull gigabytes of CUDA packages on Linux
# wherever a CPU build is at hand.
TORCH ?= torch==2.13.0

.PHONY: setup test lint demo bench docs dist types clean

setup: $(VENV)/.installed

$(VENV)/.torch:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet "$(TORCH)"
	touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	$(BIN)/pip install --quiet -e '.[dev]'
	$(BIN)/gvideo doctor --compile >/dev/null
	touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest

demo: $(VENV)/.installed
	PATH="$(abspath $(BIN)):$$PATH" samples/demo.sh

bench: $(VENV)/.installed
	$(BIN)/python tests/bench/history.py

docs: $(VENV)/.installed
	$(BIN)/mkdocs build --strict

dist: $(VENV)/.installed
	PYTHON=$(BIN)/python .ci/release

types:
	tests/players/check-types

clean:
	rm -rf $(VENV) build dist demo site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
