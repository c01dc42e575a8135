# Python 3.11+ and make are all that a fresh machine needs; everything else is installed into .venv.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make constraints"

.PHONY: help install demo test check format bench corpora constraints wheel clean

help:
	@echo "make demo         a console with invented contacts, and tasks that appear while you watch"
	@echo "make test         the tests; some of them: make test ARGS='tests/domain -k events'"
	@echo "make check        linters, types, import contract, pinned packages"
	@echo "make format       put the code into shape"
	@echo "make bench        figures as ratios to yardsticks, written to build/bench.json"
	@echo "make corpora      how many real mails are understood; needs the corpora (CLYTIE_CORPORA)"
	@echo "make constraints  pin the packages again after a change of pyproject.toml (UPGRADE=1: to their newest)"
	@echo "make wheel        build the installable package into dist/"
	@echo "make clean        remove .venv and what was built; your data in var/ stays"

install: $(STAMP)

$(STAMP): constraints-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Clytie needs Python 3.11 or newer; set PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: install
	$(BIN)/clytie demo $(ARGS)

test: install
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/clytie/test_constraints.py

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install
	$(BIN)/python -m benchmarks $(ARGS)

corpora: install
	$(BIN)/python -m tests.corpora $(ARGS)

constraints: install
	$(COMPILE) $(if $(UPGRADE),--upgrade) --output-file constraints.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --group dev --constraint constraints.txt --output-file constraints-dev.txt

wheel: install
	$(BIN)/python -m hatchling build --target wheel --directory dist

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
