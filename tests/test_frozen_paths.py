"""Frozen paths: the table in docs/explanation/architecture.md is the only list.

Each path of the table imports and is documented in docs/reference/api.md, and each path that is
documented there is in the table.
"""

import ast
import importlib
import inspect
import re

import pytest
from django.utils.module_loading import import_string

from django_customer_history import exceptions, history
from django_customer_history.migrations import _dependencies
from tests.documents import DOCS, PACKAGE


def table_of_frozen_paths():
    page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Frozen paths")[2]
    cells = re.findall(r"^\| (`django_customer_history.*?) \|", table, re.MULTILINE)
    return [path for cell in cells for path in re.findall(r"`([\w.]+)`", cell)]


def documented_paths():
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    return re.findall(r"^\.\. auto\w+:: (\S+)$", page, re.MULTILINE)


def resolved(path):
    try:
        return importlib.import_module(path)
    except ImportError:
        return import_string(path)


FROZEN = table_of_frozen_paths()


class TestPaths:
    @pytest.mark.parametrize("path", FROZEN)
    def test_path_has_a_docstring(self, path):
        assert inspect.getdoc(resolved(path))

    def test_each_path_is_listed_once(self):
        assert len(FROZEN) > 8
        assert sorted(FROZEN) == sorted(set(FROZEN))

    def test_list_and_reference_agree(self):
        assert sorted(FROZEN) == sorted(documented_paths())


class TestPublicNames:
    @pytest.mark.parametrize("name", history.__all__)
    def test_name_has_a_docstring(self, name):
        assert inspect.getdoc(getattr(history, name))

    def test_public_face_is_complete(self):
        defined = {
            name
            for name, value in vars(history).items()
            if inspect.isfunction(value) and value.__module__ == history.__name__
        }
        assert defined <= set(history.__all__)

    def test_each_error_is_public(self):
        errors = {
            name
            for name, value in vars(exceptions).items()
            if inspect.isclass(value) and value.__module__ == exceptions.__name__
        }
        assert errors == set(exceptions.__all__)
        assert all(
            issubclass(getattr(exceptions, name), exceptions.HistoryError) for name in errors
        )


class TestMigrations:
    """Migrations import from one module of the package, so that all others can move."""

    @pytest.mark.parametrize(
        "path", sorted((PACKAGE / "migrations").glob("0*.py")), ids=lambda path: path.stem
    )
    def test_imports_of_a_migration(self, path):
        text = path.read_text(encoding="utf-8")
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
        modules = {str(node.module) for node in nodes}
        assert modules <= {"django.db", _dependencies.__name__}
        # A dotted path in a text, such as of a function, would freeze a module too.
        assert set(re.findall(r"django_customer_history[\w.]+", text)) <= {_dependencies.__name__}

    def test_all_names_are_used(self):
        texts = [
            path.read_text(encoding="utf-8") for path in (PACKAGE / "migrations").glob("0*.py")
        ]
        for name in _dependencies.__all__:
            assert any(re.search(rf"\b{name}\b", text) for text in texts), name
