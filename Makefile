# otel_kit: every habit of the project as one word. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check stack stack-build stack-test bench redaction-score test-versions clean

help:  ## list what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(STAMP)  ## make the virtual environment in .venv

$(STAMP): pyproject.toml
	@echo "setting up $(VENV) (about a minute the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## run the example shop for DEMO_SECONDS (30) and show what it emitted
	@$(BIN)/python -m examples.shop

test: $(STAMP)  ## run the tests
	@$(BIN)/python -m pytest -n 2

test-slow: $(STAMP)  ## run the slow tests
	@$(BIN)/python -m pytest -n 2 -m slow

check: $(STAMP)  ## types and style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

stack-build: $(STAMP)  ## build collector, Jaeger, Prometheus and log store with Go (kept in the cache)
	@$(BIN)/python -m deploy.stack build

stack: $(STAMP)  ## run the four programs as plain processes, until Ctrl-C
	@$(BIN)/python -m deploy.stack up

stack-test: $(STAMP)  ## test the shipped configuration against the real four programs
	@$(BIN)/python -m pytest -m stack tests/stack

bench: $(STAMP)  ## measure against the stock SDK and write benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

redaction-score: $(STAMP)  ## score the redaction on the project's corpus, into docs/redaction-score.md
	@$(BIN)/python -m tests.corpus --score > docs/redaction-score.md

test-versions: $(STAMP)  ## lowest and newest dependencies, each Python that is installed
	@$(BIN)/python -m tests.versions

clean:  ## remove what was made here
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
