"""The benchmarks run, and they notice a wrong log."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.peers.customer_history import CustomerHistory
from benchmarks.report import markdown
from django.db import connection

from django_customer_history import history
from tests.projects.crm.models import Customer

ROOT = Path(__file__).parent.parent


def measured_round(wall, captured, expected=10):
    return {"wall": wall, "processor": wall, "captured": captured, "expected": expected}


def url_on_this_server():
    """Return the URL of a database that no test uses. The benchmark creates and removes it."""
    return re.sub(r"/\w+(?=\?|$)", "/benchmarks", os.environ["DATABASE_URL"])


def run_module(module, *options, **environment):
    return subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestPrograms:
    @pytest.mark.slow
    def test_entries_into_targets(self, tmp_path):
        pytest.importorskip("deltalake")
        url = f"sqlite:///{tmp_path / 'log.sqlite3'}"
        done = run_module("benchmarks.shipping", "--entries", "200", DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        found = re.findall(r"^([\w, ]+): [\d,]+ entries a second", done.stdout, re.MULTILINE)
        assert found == ["sqlite, reading", "file", "parquet", "delta"]

    @pytest.mark.slow
    def test_comparison_on_sqlite(self, tmp_path):
        figures = tmp_path / "figures.json"
        options = ["--databases", "sqlite", "--peers", "customer-history", "--quick"]
        done = run_module("benchmarks", *options, "--json", str(figures))
        assert done.returncode == 0, done.stderr
        found = json.loads(figures.read_text())["databases"]["sqlite"]
        assert {one["captured"] for one in found["operations"]["save"]["customer-history"]} == {20}
        assert {one["captured"] for one in found["operations"]["save"]["plain"]} == {0}
        assert found["statements"]["customer-history"] == found["statements"]["plain"]
        assert "| `save()` of 2 fields in one transaction |" in done.stdout

    @pytest.mark.slow
    @pytest.mark.parametrize(("most", "last"), [("64", []), ("0.001", ["Failed: csv, ndjson"])])
    def test_export_over_the_memory_limit(self, most, last, tmp_path):
        options = ["--entries", "3000", "--most", most, "--formats", "csv", "ndjson"]
        # A database of its own: that of the tests is in use.
        url = f"sqlite:///{tmp_path / 'log.sqlite3'}"
        done = run_module("benchmarks.exporting", *options, DATABASE_URL=url)
        assert done.stderr.splitlines()[-1:] == last
        assert done.returncode == len(last)
        assert "3000 entries as ndjson" in done.stdout

    @pytest.mark.slow
    @pytest.mark.parametrize(("most", "last"), [("64", []), ("0.001", ["Failed: seal, verify"])])
    def test_seals_over_the_memory_limit(self, most, last, tmp_path):
        pytest.importorskip("rfc8785")
        url = f"sqlite:///{tmp_path / 'log.sqlite3'}"
        options = ["--entries", "300", "--most", most]
        done = run_module("benchmarks.sealing", *options, DATABASE_URL=url)
        assert done.stderr.splitlines()[-1:] == last
        assert done.returncode == len(last)
        found = re.findall(r"^sqlite: (seal|verify) (\d+) entries: [\d.]+ s, ", done.stdout, re.M)
        assert [name for name, _count in found] == ["seal", "verify"]
        assert found[0][1] == found[1][1]
        assert re.search(r"proof of one entry among \d+: [\d.]+ ms", done.stdout)
        assert re.search(r"save\(\) of 2 fields: [\d.]+ times nothing logged", done.stdout)

    @pytest.mark.slow
    @pytest.mark.skipif(connection.vendor != "postgresql", reason="it measures PostgreSQL")
    def test_log_of_growing_length(self):
        options = ["--customers", "50", "--rounds", "1", "--most", "1000"]
        url = url_on_this_server()
        done = run_module(
            "benchmarks.growth", "--steps", "5100", "5200", *options, DATABASE_URL=url
        )
        assert done.returncode == 0, done.stderr
        _, head, table = done.stdout.partition("| processor time, ms | 5,100 | 5,200 |\n")
        assert head
        rows = {row.split("|")[1].strip() for row in table.splitlines()}
        assert rows >= {"write", "first page", "all, user", "CSV of a customer"}

    @pytest.mark.slow
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
    def test_concurrent_writers(self):
        options = ["--seconds", "6", "--writers", "6", "--readers", "2"]
        done = run_module("benchmarks.crowd", *options, DATABASE_URL=url_on_this_server())
        assert done.returncode == 0, done.stderr
        assert "6 writers and 2 readers:" in done.stdout
        assert " 0 errors, " in done.stdout

    @pytest.mark.slow
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
    def test_lag_of_the_feed(self):
        options = ["--seconds", "2", "--rate", "50", "--writers", "2"]
        done = run_module("benchmarks.lag", *options, DATABASE_URL=url_on_this_server())
        assert done.returncode == 0, done.stderr
        times = r"[\d.]+ / [\d.]+ / [\d.]+ ms"
        assert re.search(f"from the write to the follower: {times}", done.stdout)
        assert re.search(f"a write that is followed: {times}", done.stdout)


class TestResults:
    def test_table_of_results(self):
        figures = {
            "operations": {
                "get_save": {
                    "plain": [measured_round(1, 0), measured_round(2, 0), measured_round(4, 0)],
                    "customer-history": [
                        measured_round(2, 10),
                        measured_round(2, 10),
                        measured_round(6, 10),
                    ],
                    "auditlog": [measured_round(3, 8), measured_round(6, 8), measured_round(12, 8)],
                    "reversion": [measured_round(1, 0), measured_round(2, 0), measured_round(4, 0)],
                }
            },
            "statements": {
                name: {"in a transaction": sent}
                for name, sent in (
                    ("plain", 10),
                    ("customer-history", 10),
                    ("auditlog", 30),
                    ("reversion", 11),
                )
            },
            "bytes": {
                name: {work: {"entries": 10, "bytes": 10 * size} for work in ("save", "create")}
                for name, size in (
                    ("customer-history", 400),
                    ("auditlog", 1500),
                    ("reversion", 800),
                )
            },
            "pages": {
                name: {page: {"milliseconds": 4.25, "statements": 2} for page in ("first", "deep")}
                for name in ("customer-history", "auditlog", "reversion")
            },
        }
        expected = """\
| SQLite (file, WAL) | customer-history | auditlog | reversion |
|---|---|---|---|
| get(), change, save() | 1.50 / 1.50 | 3.00 / 3.00 (80% captured) | not captured |
| statements added to a `save()` in a transaction | 0 | 2 | 0.1 |
| log bytes of a `save()` of 2 fields, with indexes | 400 | 1,500 | 800 |
| log bytes of a `create()`, with indexes | 400 | 1,500 | 800 |
| first page of 50 | 4.2 ms, 2 SQL | 4.2 ms, 2 SQL | 4.2 ms, 2 SQL |
| page of 50, deep | 4.2 ms, 2 SQL | 4.2 ms, 2 SQL | 4.2 ms, 2 SQL |"""
        assert markdown("sqlite", figures) == expected

    @pytest.mark.django_db
    def test_wrong_log_is_an_error(self):
        peer = CustomerHistory()
        mark = peer.mark()
        with history.acting(user=None, source="web"):
            Customer.objects.create(name="Ann")
        with pytest.raises(AssertionError, match="wrong user"):
            peer.check(Counter(), mark)
