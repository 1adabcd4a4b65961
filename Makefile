# Each target that runs code makes its own virtual environment under .venv/; beside make that takes Python 3.11+ with venv and a package index.
PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?=
# Tests wait most of their time for servers, so three processes keep two cores busy.
TEST_PROCESSES ?= 3
PACKAGES := statemachine informers manifests controller serving envtest operators benchmarks cli
SOURCES := setup.cfg pyproject.toml $(shell find $(PACKAGES) -type f -not -name '*.pyc' -not -name '.*')
BIN := .venv/test/bin

.DEFAULT_GOAL := help
.PHONY: help up test check unit bench guard crds reference clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

up: .venv/up/.installed ## train, validate and serve a model on this machine (ARGS=--once to stop after one checked prediction)
	@exec .venv/up/bin/windlass up $(ARGS)

test: check unit ## everything: the checks, then the tests against the installed wheel

check: .venv/test/.installed ## lint, format, types, layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(foreach package,$(PACKAGES),-p windlass.$(package))
	$(BIN)/mypy tests/typing/api.py docs/tutorial/greeting.py
	$(BIN)/lint-imports
	$(BIN)/windlass crd check --folder manifests/generated
	$(BIN)/python docs/reference/generate.py --check
	$(BIN)/windlass bundle --check

unit: .venv/test/.installed .venv/peers/.installed
	$(BIN)/pytest --numprocesses=$(TEST_PROCESSES) --dist=worksteal $(PYTEST_ARGS)

bench: .venv/test/.installed ## the measurements behind our claims
	@for script in tests/benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

guard: .venv/test/.installed ## fail if something has become slower than its band allows
	@$(BIN)/python tests/benchmarks/guard.py $(ARGS)

crds: .venv/test/.installed ## write manifests/generated/ and manifests/deploy/ anew from the code
	$(BIN)/windlass crd generate --folder manifests/generated
	$(BIN)/windlass bundle

reference: .venv/test/.installed ## write the pages of docs/reference/ that follow from the code anew
	$(BIN)/python docs/reference/generate.py

clean: ## remove what the other targets made
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# `build/` is removed first because setuptools would pack files that have been deleted since.
.venv/wheel/.built: $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "windlass needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@rm -rf build windlass.egg-info .venv/wheel && mkdir -p .venv/wheel
	@test -x .venv/build/bin/python || $(PYTHON) -m venv .venv/build
	.venv/build/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir .venv/wheel .
	@rm -rf build windlass.egg-info && touch $@

# Not compiled beforehand: few of the modules are ever imported.
.venv/peers/.installed: tests/peers.txt
	@test -x .venv/peers/bin/python || $(PYTHON) -m venv .venv/peers
	.venv/peers/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement tests/peers.txt
	@touch $@

# Nor are the tests' libraries, torch among them: compiling all of them takes longer than unpacking them.
.venv/%/.installed: .venv/wheel/.built
	@test -x .venv/$*/bin/python || $(PYTHON) -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check $(if $(filter test,$*),--no-compile) "$$(ls $(CURDIR)/.venv/wheel/*.whl)[$*]"
	@.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .venv/wheel/*.whl
	@touch $@
