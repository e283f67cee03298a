# `make demo` shows the package at work, `make test` tests it. Both create their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo demo-large test test-all package bench lint messages docs links clean

demo: $(VENV)/.installed
	$(BIN)/python example_project/manage.py demo

demo-large: $(VENV)/.installed
	$(BIN)/python example_project/manage.py demo --customers 3000

# The fast tests on every database that can be reached: make test TEST_OPTIONS='-k "rest or export"'
test: $(VENV)/.installed
	$(BIN)/python -m tests.databases $(TEST_OPTIONS)

# The slow tests too: the browser, memory, 100,000 rows, other processes, partitions.
test-all: $(VENV)/.linters $(VENV)/.documents
	$(BIN)/python -m tests.databases --slow $(TEST_OPTIONS)

package: $(VENV)/.packagers
	$(BIN)/python -m pytest -m packaging tests/packaging

lint: $(VENV)/.linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files "*.html" | xargs $(BIN)/djade --check --target-version 5.2
	git ls-files | xargs $(BIN)/codespell
	cd example_project && ../$(BIN)/python manage.py makemigrations --check --dry-run

messages: $(VENV)/.installed
	$(BIN)/python -m tests.catalogues $(LANGUAGES)

bench: $(VENV)/.peers
	$(BIN)/python -m benchmarks $(BENCH_OPTIONS)

docs: $(VENV)/.documents
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build
	@echo "Open docs/_build/index.html"

links: $(VENV)/.documents
	$(BIN)/python -m sphinx -b linkcheck -q docs docs/_build/links
	$(BIN)/python -m sphinx -b linkcheck -q -C -D extensions=myst_parser -D root_doc=README \
		-D "include_patterns=*.md" -D linkcheck_anchors=0 . docs/_build/links-of-the-root

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group test
	touch $@

$(VENV)/.packagers: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group package
	touch $@

$(VENV)/.linters: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group lint
	touch $@

$(VENV)/.peers: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group bench
	touch $@

$(VENV)/.documents: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) .django_suite build dist docs/_build example_project/demo.sqlite3* example_project/media
