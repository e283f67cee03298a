"""The code of the page on tenants: which customers each user can read, on every output."""

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


class TestReaders:
    def test_manager_reads_own_company(self, seen):
        assert seen["manager"]["answers"]["Own"] == [200, 200, 200]
        assert seen["manager"]["answers"]["Gone"] == [200, 200, 200]

    def test_customers_of_other_companies(self, seen):
        for reader in ("manager", "newcomer"):
            assert seen[reader]["answers"]["Foreign"] == [404, 404, 404]
            assert seen[reader]["answers"]["Foreign gone"] == [404, 404, 404]

    def test_single_granted_customer(self, seen):
        assert seen["newcomer"]["answers"]["Shared"] == [200, 200, 403]
        assert seen["newcomer"]["answers"]["Own"] == [403, 403, 403]

    def test_anonymous_visitor(self, seen):
        assert set(map(tuple, seen["anonymous"]["answers"].values())) == {(302, 401, 401)}


class TestOutputs:
    def test_lists_and_exports(self, seen):
        assert seen["manager"]["list"] == seen["manager"]["file"] == ["Gone", "Own", "Shared"]
        assert seen["newcomer"]["list"] == []
