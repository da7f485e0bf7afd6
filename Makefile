# Every target sets up what it needs; the first run installs, the next ones find the stamp.
#
#   TORCH_INDEX   an extra package index for the torch install alone, for example
#                 https://download.pytorch.org/whl/cpu, which spares Linux the CUDA libraries
#   EXTRAS        extras to install beside the usual ones, for example sign or sign,oci
#   GPU_EXTRA     what speeds a training up on a GPU: cuda where there is an nvidia-smi; GPU_EXTRA= leaves it out
#   PYTHON        the Python (3.11 or newer) that .venv is made from

TORCH_INDEX ?=
EXTRAS ?=
GPU_EXTRA := $(if $(shell command -v nvidia-smi 2>/dev/null),cuda)
PYTHON ?= python3
BIN := .venv/bin
# Byte code is written for what is imported, which is little of what is installed.
PIP := $(BIN)/python -m pip install --no-compile -c constraints.txt

# Idle OpenMP threads sleep instead of spinning: two processes on two cores would starve each other.
export OMP_WAIT_POLICY := PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help setup setup-all test test-all test-gpu check fix docs demo bench bench-leaves bench-generate bench-train bench-flat bench-nights bench-release bench-report bench-evaluate clean

help:
	@echo "make demo       a contributor's journey: new leaf, check, diff, run, report, release"
	@echo "make test       the tests, without the slow ones"
	@echo "make test-all   all tests; test-gpu: those that want a GPU"
	@echo "make docs       write docs/rules.md and docs/cli.md from the code"
	@echo "make check      ruff, mypy, import-linter, graft check, graft fix --check; changes nothing"
	@echo "make fix        let ruff mend and format the code, and graft fix the leaves"
	@echo "make bench      the figures in benchmarks/README.md; bench-leaves: those of check and its like"
	@echo "make bench-generate  what generation costs, beside three peers in environments of their own"
	@echo "make bench-nights    twenty nights of runs beside one joint run; some 20 minutes"
	@echo "make bench-evaluate  what an exam costs, beside generate one by one and lm-eval; some minutes"
	@echo "make bench-train  what training costs, beside transformers and TRL; bench-flat: one leaf over many"
	@echo "make bench-release  what publishing and verifying a release costs, beside copying and sha256sum"
	@echo "make bench-report  what the report of a large exam weighs, and how long a browser takes to open it"
	@echo "make setup      install what the pipelines need; setup-all: tests, linters and what slow tests need"
	@echo "make clean      remove .venv, caches, build products and runs/demo; runs and releases stay"

setup: .venv/.pipelines

setup-all: .venv/.all .venv/.browser .venv/.suites .venv/.registry .venv/.llama-cpp

.venv/.pipelines: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Graft needs Python 3.11 or newer; name one with make PYTHON=python3.12 …" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
	  echo "No virtual environment could be made; on Debian install python3-venv." >&2; exit 1; }
	@echo "Installing torch and the pipelines' libraries into .venv (once, a few minutes)"
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	$(PIP) --quiet --editable '.[pipelines,author,serve$(EXTRAS:%=,%)$(GPU_EXTRA:%=,%)]'
	@# Once for all, also for who forbids Python to write byte code later.
	@$(BIN)/python -c 'import pipelines.backends.local, pipelines.run, pipelines.training, pipelines.train.adapter, pipelines.train.scratch'
	@touch $@

.venv/.all: .venv/.pipelines
	@echo "Installing what tests and linters need"
	$(PIP) --quiet --editable '.[pipelines,test,dev]'
	@touch $@

# lm-eval, for public suites: pandas, scikit-learn and more, which `make test` can do without.
.venv/.suites: .venv/.all
	@echo "Installing lm-eval for public suites"
	$(PIP) --quiet --editable '.[suites]'
	@touch $@

# What slow tests need: shellcheck; for the HTML report a Chromium with its driver, and axe, which looks
# for what shuts people out. Another system's packages are left to its owner; the tests then say what is missing.
.venv/.browser: .venv/.pipelines
	@command -v apt-get >/dev/null || exit 0; \
	  missing=$$(command -v chromium google-chrome chromium-browser | grep -q . || echo chromium; \
	    command -v chromedriver >/dev/null || echo chromium-driver; command -v npm >/dev/null || echo npm; \
	    command -v shellcheck >/dev/null || echo shellcheck); \
	  test -z "$$missing" || { \
	    echo "Installing for the slow tests:" $$missing; \
	    sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	    $$sudo apt-get update -qq && $$sudo apt-get install -qq -y --no-install-recommends $$missing; } || \
	    echo "They could not be installed; slow tests will fail." >&2
	@npm install --silent --no-save --prefix .venv/axe axe-core@4.14.1 || \
	  echo "axe could not be installed; the slow tests of the report will fail." >&2
	@touch $@

# A real OCI registry for the slow tests of that target: Debian's, unpacked and not installed, so that no
# service starts here.
.venv/.registry: .venv/.pipelines
	@command -v apt-get >/dev/null || exit 0; cd .venv && { apt-get download -qq docker-registry || { \
	    sudo=$$(test "$$(id -u)" = 0 || echo sudo); $$sudo apt-get update -qq && \
	    apt-get download -qq docker-registry; }; } && \
	  dpkg-deb -x docker-registry_*.deb registry && rm docker-registry_*.deb || \
	  echo "docker-registry could not be had; the slow tests of the OCI target will fail." >&2
	@touch $@

# What runs GGUF files for the slow tests; pip keeps the wheel that it builds.
.venv/.llama-cpp: .venv/.pipelines
	@echo "Building llama-cpp-python for the slow tests (once, a quarter of an hour on two cores)"
	$(PIP) --quiet --editable '.[pipelines,llama-cpp]' || \
	  echo "llama-cpp-python could not be built; the slow tests of GGUF files will fail." >&2
	@touch $@

test: .venv/.all
	$(BIN)/python -m pytest -m "not slow and not cuda" -n 2 --dist loadfile --no-loadscope-reorder

test-all: .venv/.all .venv/.browser .venv/.suites .venv/.registry .venv/.llama-cpp
	$(BIN)/python -m pytest -m "not cuda" -n 2 --dist loadfile --no-loadscope-reorder

test-gpu: .venv/.all
	$(BIN)/python -m pytest -m cuda

check: .venv/.all
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/graft check
	$(BIN)/graft fix --check

fix: .venv/.all
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/graft fix

docs: .venv/.all
	$(BIN)/python scripts/regenerate_docs.py

demo: .venv/.pipelines
	$(BIN)/python scripts/demo.py

bench: .venv/.pipelines
	$(BIN)/python benchmarks/run.py

bench-leaves: .venv/.all
	$(BIN)/python benchmarks/leaves.py

bench-generate: .venv/.all
	$(BIN)/python benchmarks/generate.py

bench-nights: .venv/.all
	$(BIN)/python benchmarks/nights.py

bench-train: .venv/.all
	$(BIN)/python benchmarks/train.py

bench-evaluate: .venv/.suites
	$(BIN)/python benchmarks/evaluate.py

bench-flat: .venv/.all
	$(BIN)/python benchmarks/flat.py

bench-release: .venv/.all
	$(BIN)/python benchmarks/release.py

bench-report: .venv/.all .venv/.browser
	$(BIN)/python benchmarks/report.py

clean:
	rm -rf .venv build dist runs/demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	rm -rf .hypothesis ./*.egg-info
	find pipelines tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
