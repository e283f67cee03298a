"""The generated SQL equals the golden files. `python -m tests.backends.golden` refreshes them."""

import os

import pytest

from django_customer_history.backends.templates import fill
from tests.backends.generated import generated
from tests.backends.golden import FOLDER, REFRESH


class TestGoldenFiles:
    @pytest.mark.django_db(transaction=True)
    def test_generated_sql_is_unchanged(self):
        files = generated()
        if os.environ.get(REFRESH):
            for name, text in files.items():
                (FOLDER / name).write_text(text)
        assert files == {name: (FOLDER / name).read_text() for name in files}


class TestFill:
    def test_parts_are_indented(self):
        assert fill("BEGIN\n  {work}\nEND", work="a;\n  b;") == "BEGIN\n  a;\n    b;\nEND"

    def test_empty_line_is_removed(self):
        assert fill("a\n  {nothing}\nb", nothing="") == "a\nb"

    def test_quoted_text_keeps_its_lines(self):
        sql = "-- it's a comment\n'one\ntwo''\nthree' || \"x\ny\""
        assert fill("  {sql}", sql=sql) == "  -- it's a comment\n  'one\ntwo''\nthree' || \"x\ny\""

    def test_other_braces_stay(self):
        assert fill("'{}' {a} '{\"key\": 1}'", a="{b}") == "'{}' {b} '{\"key\": 1}'"
