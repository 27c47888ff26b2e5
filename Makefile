# make test   set up .venv (once), then every check that continuous integration runs
# make test-oldest   the tests that meet packages of others, with the oldest versions that pyproject.toml allows
# make audit  known vulnerabilities of what is installed (asks the services of PyPI and npm)
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
# Older CPU builds are not on PyPI; with their index at hand: make test-oldest TORCH_OLDEST=torch==2.4.0
TORCH_OLDEST ?= $(TORCH)
OLDEST := .venv-oldest

.PHONY: setup test test-oldest audit lint demo bench docs dist types clean

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
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --durations=20

# uv alone resolves to the lowest versions. What the direct dependencies need themselves is as new as they allow.
$(OLDEST)/.installed: pyproject.toml
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet uv "$(TORCH_OLDEST)"
	echo "$(TORCH_OLDEST)" > $(OLDEST)/torch.txt
	$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct --system-certs \
	  --override $(OLDEST)/torch.txt -e '.[dev]'
	touch $@

# Warnings of old packages are not ours. Compiled kernels of another numba must not lie beside those of $(VENV).
test-oldest: $(OLDEST)/.installed
	NUMBA_CACHE_DIR=$(abspath $(OLDEST))/numba $(OLDEST)/bin/python -m pytest -m "not slow and not gpu" -o filterwarnings=default \
	  $(addprefix tests/,bitstream commands corpus decoder entropy evaluate golden media packager player)

audit: $(VENV)/.installed
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --local --skip-editable
	cd tests/web && npm audit
	cd tests/players && npm audit

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
	rm -rf $(VENV) $(OLDEST) build dist demo site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
