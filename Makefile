# `make demo` shows the package at work, `make test` tests it; both make their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed
	$(BIN)/python example_project/manage.py demo

test: $(VENV)/.installed
	$(BIN)/python -m tests.databases $(TEST_OPTIONS)

lint: $(VENV)/.linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd example_project && ../$(BIN)/python manage.py makemigrations --check --dry-run

docs: $(VENV)/.documents
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build
	@echo "Open docs/_build/index.html"

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group test
	touch $@

$(VENV)/.linters: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group lint
	touch $@

$(VENV)/.documents: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) build dist docs/_build example_project/demo.sqlite3* example_project/media
