# `make` checks everything; CI runs the same words.
PYTHON ?= python

.PHONY: all format lint types test slow long bench docs
all: lint types test slow

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy stemloom benchmarks
	$(PYTHON) -m pyright

test:
	$(PYTHON) -m pytest -n auto --dist worksteal

slow:
	$(PYTHON) -m pytest -n auto --dist worksteal -m slow

long:
	$(PYTHON) -m pytest -m long

bench:
	$(PYTHON) -m benchmarks --readme

docs:
	$(PYTHON) docs/errors.py
	$(PYTHON) docs/examples.py
	$(PYTHON) docs/ledger_format.py
