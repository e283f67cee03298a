"""The page on tenants, carried out: who gets what of whose customers, at every way out."""

import json

import pytest

from tests.documents import DOCS, blocks_of, run_documented_python, skip_unless_sqlite


@pytest.fixture(scope="module")
def seen():
    skip_unless_sqlite()
    blocks = [one.text for one in blocks_of(DOCS / "how-to/tenants.md") if one.language == "python"]
    code = "import django; django.setup(); import tenants; tenants.main()"
    done = run_documented_python("-c", code, stdin=json.dumps(blocks))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_who_may_read_the_history_reads_that_of_the_own_company_also_of_what_is_gone(seen):
    assert seen["manager"]["answers"]["Own"] == [200, 200, 200]
    assert seen["manager"]["answers"]["Gone"] == [200, 200, 200]


def test_customers_of_others_are_out_of_reach_also_when_they_are_gone(seen):
    for reader in ("manager", "newcomer"):
        assert seen[reader]["answers"]["Foreign"] == [404, 404, 404]
        assert seen[reader]["answers"]["Foreign gone"] == [404, 404, 404]


def test_a_single_customer_is_granted_to_who_may_read_no_other(seen):
    assert seen["newcomer"]["answers"]["Shared"] == [200, 200, 403]
    assert seen["newcomer"]["answers"]["Own"] == [403, 403, 403]


def test_anonymous_visitors_are_asked_to_log_in(seen):
    assert set(map(tuple, seen["anonymous"]["answers"].values())) == {(302, 401, 401)}


def test_lists_and_files_have_nothing_of_others(seen):
    assert seen["manager"]["list"] == seen["manager"]["file"] == ["Gone", "Own", "Shared"]
    assert seen["newcomer"]["list"] == []
