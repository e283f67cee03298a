"""The generated SQL equals the golden files. `python -m tests.backends.golden` refreshes them."""

import os

import pytest

from django_customer_history.backends.templates import fill
from tests.backends.generated import generated
from tests.backends.golden import FOLDER, REFRESH


@pytest.mark.django_db(transaction=True)
def test_generated_sql_is_the_golden_one():
    files = generated()
    if os.environ.get(REFRESH):
        for name, text in files.items():
            (FOLDER / name).write_text(text)
    assert files == {name: (FOLDER / name).read_text() for name in files}


class TestFill:
    def test_parts_get_the_margin_of_their_line(self):
        assert fill("BEGIN\n  {work}\nEND", work="a;\n  b;") == "BEGIN\n  a;\n    b;\nEND"

    def test_a_line_without_its_part_disappears(self):
        assert fill("a\n  {nothing}\nb", nothing="") == "a\nb"

    def test_quoted_text_keeps_its_lines(self):
        sql = "-- it's a comment\n'one\ntwo''\nthree' || \"x\ny\""
        assert fill("  {sql}", sql=sql) == "  -- it's a comment\n  'one\ntwo''\nthree' || \"x\ny\""

    def test_other_braces_stay(self):
        assert fill("'{}' {a} '{\"key\": 1}'", a="{b}") == "'{}' {b} '{\"key\": 1}'"
