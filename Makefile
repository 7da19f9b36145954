# Two commands make what they need and say in one line where the results are: `make run` and `make test`.
# They want Python 3.11 or newer (PYTHON=python3.12 names another one) and nothing else.

SHELL := /bin/bash
PYTHON ?= python3
JOBS ?= 2
ROOM := 13
REIDKIT_OMNIGLOT ?= $(firstword $(wildcard data/omniglot ../shared/data/omniglot))

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REIDKIT := $(BIN)/reidkit
ARCHIVES := $(if $(REIDKIT_OMNIGLOT),$(wildcard $(REIDKIT_OMNIGLOT)/*.zip))
TIDY := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export REIDKIT_OMNIGLOT
# Progress bars are for people.
ifndef MAKE_TERMERR
export TQDM_DISABLE := 1
endif

.PHONY: help run demo test lint lab analyst sync lock install clean
.DEFAULT_GOAL := help

help:
	@echo "make run    every notebook at profile smoke (minutes on two cores, no GPU, no network once installed)"
	@echo "make demo   every notebook at profile demo, with figures that mean something"
	@echo "make lab    JupyterLab at the first lesson;   make analyst FILE=labels.csv   your labels in linked maps, galleries and tables"
	@echo "make test   the tests"
	@echo "make lint   style, types, import arrows;   make sync   pair notebooks with their .py;   make lock   newest versions into requirements.lock"

run: $(STAMP)
	$(call execute,smoke)

demo: $(STAMP)
	$(call execute,demo)

# Worlds, the networks that lessons start from and, where its archives lie, Omniglot first; then the notebooks, whose table and index end the run.
define execute
	$(REIDKIT) data worlds --profile $(1)
	$(REIDKIT) data networks --profile $(1)
	$(if $(ARCHIVES),$(REIDKIT) data omniglot $(foreach archive,$(ARCHIVES),--archive "$(archive)") --out .cache/reidkit/omniglot)
	$(REIDKIT) run --profile $(1) --out runs/$(1)
endef

test: $(STAMP) lint
	@mkdir -p artifacts
	@$(TIDY) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --durations 10 --junitxml artifacts/tests.xml \
	  && echo "make test: all passed; results in artifacts/tests.xml" \
	  || { echo "make test: failed; results in artifacts/tests.xml"; exit 1; }

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: $(STAMP)
	$(BIN)/jupyter lab $(firstword $(sort $(wildcard notebooks/*.ipynb)))

# ARGS="--features f.npy --images FOLDER" and what else `reidkit analyst --help` lists.
analyst: $(STAMP)
	@test -n "$(FILE)" || { echo "Name a table with labels and cameras: make analyst FILE=labels.csv"; exit 2; }
	$(REIDKIT) analyst "$(FILE)" $(ARGS)

sync: $(STAMP)
	$(BIN)/jupytext --sync notebooks/*.ipynb
	$(BIN)/python -m reidkit.lesson.pairing notebooks/*.py

# The newest versions that fit pyproject.toml, written down; commit the file when the tests pass with it.
# soupsieve 3 and 4 want Python 3.11.5; Debian 12 has 3.11.2.
lock: $(STAMP)
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]' 'soupsieve<3'
	$(BIN)/python -m pip freeze --all --exclude pip --exclude-editable > requirements.lock
	@touch $(STAMP)

install: $(STAMP)

# The lock only constrains, so that it serves every platform: what a platform does not need is not installed.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@free=$$(df -Pk . | awk 'NR == 2 {print int($$4 / 1048576)}'); test -e $@ -o "$$free" -ge $(ROOM) \
	  || { echo "An installation takes $(ROOM) GB while it is made; $$free GB are free here. Free some, or clone to another disk."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "This Python cannot make environments; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV): some minutes and 8 GB, once."
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .cache runs artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
