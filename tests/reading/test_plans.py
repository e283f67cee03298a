"""Each page of a long log is read through the index for it, without a scan or a sort."""

import re

import pytest
from django.core.management.color import no_style
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.facets import facets, menu_facets
from django_customer_history.reading.timeline import Timeline
from tests.factories import (
    KEY_EXPRESSIONS,
    KEY_PREFIX,
    MOMENT,
    TEN_TO_THE_FIFTH,
    entry_key,
    log_100_000_updates,
    log_updates,
)
from tests.projects.crm.models import Customer

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

PRIMARY = {
    "sqlite": "sqlite_autoindex_customer_history_entry_1",
    "postgresql": "customer_history_entry_pkey",
    "mysql": "PRIMARY",
}
POSITIONS = {"first": None, "deep": (100_000, False), "deep, back": (100_000, True)}


def rows_of(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def plan_on_sqlite(sql):
    details = [row["detail"] for row in rows_of(f"EXPLAIN QUERY PLAN {sql}")]
    ways = ["scan" for one in details if one.startswith("SCAN") and "INDEX" not in one]
    ways += ["sort" for one in details if "TEMP B-TREE" in one]
    found = (re.search(r"USING (?:COVERING )?INDEX (\w+)", one) for one in details)
    return [one[1] for one in found if one is not None], ways


def plan_on_postgresql(sql):
    (found,) = rows_of(f"EXPLAIN (FORMAT JSON) {sql}")
    nodes, indexes, ways = [found["QUERY PLAN"][0]["Plan"]], [], []
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        ways += {"Seq Scan": ["scan"], "Sort": ["sort"]}.get(node["Node Type"], [])
        indexes += [node["Index Name"]] if "Index Name" in node else []
    return indexes, ways


def plan_on_mysql(sql):
    explain = "EXPLAIN" if connection.mysql_is_mariadb else "EXPLAIN FORMAT=TRADITIONAL"
    rows = rows_of(f"{explain} {sql}")
    ways = ["scan" for row in rows if row["type"] == "ALL"]
    ways += ["sort" for row in rows if "filesort" in (row["Extra"] or "")]
    return [row["key"] for row in rows], ways


PLANS = {
    "sqlite": plan_on_sqlite,
    "postgresql": plan_on_postgresql,
    "mysql": plan_on_mysql,
}


@pytest.fixture
def long_history(customer):
    log_100_000_updates(customer)
    analyze()
    return customer


def analyze():
    """Update the statistics of the planner. MariaDB and MySQL do so by themselves."""
    if connection.vendor in ("postgresql", "sqlite"):
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customer_history_entry")


def plan_of_a_page(timeline, position):
    """Return the plan of the statement that reads the entries of a page."""
    cursor = None
    if position is not None:
        number, is_newer = position
        found = Cursor(key=entry_key(number), is_newer=is_newer)
        cursor = found.write(question=timeline.question)
    with CaptureQueriesContext(connection) as captured:
        page = timeline.page(cursor=cursor, limit=50)
    assert len(page.entries) == 50
    table = connection.ops.quote_name("customer_history_entry")
    statement = next(
        one["sql"]
        for one in captured
        if f"FROM {table}" in one["sql"] and "ORDER BY" in one["sql"] and "LIMIT" in one["sql"]
    )
    return PLANS[connection.vendor](statement)


class TestPlans:
    @pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS)
    def test_of_one_subject(self, position, long_history, django_user_model):
        admin = django_user_model.objects.create_superuser("root")
        timeline = Timeline.of_subject(admin, Customer, long_history.pk)
        assert plan_of_a_page(timeline, position) == (["customer_history_subject"], [])

    @pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS)
    def test_of_everything(self, position, long_history, django_user_model):
        admin = django_user_model.objects.create_superuser("root")
        timeline = Timeline.of_everything(admin)
        assert plan_of_a_page(timeline, position) == ([PRIMARY[connection.vendor]], [])

    def test_of_one_record(self, long_history, django_user_model):
        other = Customer.objects.create(name="Bolt")
        log_updates(other, 60)
        admin = django_user_model.objects.create_superuser("root")
        timeline = Timeline.of_everything(admin).filtered(entity=f"crm.customer:{other.pk}")
        assert plan_of_a_page(timeline, None) == (["customer_history_entity"], [])

    @pytest.mark.parametrize("is_alone", [False, True])
    def test_of_marks_and_registrations(self, is_alone, customer, django_user_model):
        """Each page reads them. They are few, in a log that has almost only one model, or one."""
        if is_alone:
            if connection.vendor != "sqlite":
                pytest.skip("the others have statistics of each frequent value")
            flush = connection.ops.sql_flush(no_style(), ["customer_history_entry"])
            connection.ops.execute_sql_flush(flush)
        log_100_000_updates(customer)
        analyze()
        admin = django_user_model.objects.create_superuser("root")
        with CaptureQueriesContext(connection) as captured:
            Timeline.of_subject(admin, Customer, customer.pk).page(limit=50)
        (sql,) = (one["sql"] for one in captured if "'customer_history.rename'" in one["sql"])
        indexes, ways = PLANS[connection.vendor](sql)
        assert set(indexes) == {"customer_history_entity"}
        assert "scan" not in ways


SHARED_LOG = """
INSERT INTO customer_history_entry (
  id, timestamp, kind, action, subject_model, subject_id, entity_model, entity_id, changes,
  user_id, source
)
SELECT {key}, %s, 'update', 'Update', 'crm.customer', {customer}, 'crm.customer', {customer},
  '{{}}', {user}, 'web'
FROM {numbers}
"""


@pytest.fixture
def shared_log(customer):
    """A log of 100,000 entries about a hundred customers by a hundred users, none by the way."""
    number = "(d0.n + d1.n + d2.n + d3.n + d4.n)"
    text = "CHAR" if connection.vendor == "mysql" else "text"
    sql = SHARED_LOG.format(
        key=KEY_EXPRESSIONS[connection.vendor].format(f"{number} + 1"),
        customer=f"CAST({customer.pk} + {number} %% 100 AS {text})",
        # 1,000 entries of each customer, ten of them by each user.
        user=f"CAST(FLOOR({number} / 100) %% 100 AS {text})"
        if connection.vendor == "mysql"
        else f"CAST({number} / 100 %% 100 AS {text})",
        numbers=TEN_TO_THE_FIFTH,
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [KEY_PREFIX, connection.ops.adapt_datetimefield_value(MOMENT)])
    analyze()
    return customer


class TestTwoIndexes:
    @pytest.mark.parametrize(
        ("query", "count"),
        [({"user": "3"}, 10), ({"user": ["3", "4"]}, 20), ({"not_user": "3"}, 50)],
    )
    def test_a_record_by_a_user(self, query, count, shared_log, django_user_model):
        admin = django_user_model.objects.create_superuser("root")
        timeline = Timeline.of_subject(admin, Customer, shared_log.pk).filtered(**query)
        with CaptureQueriesContext(connection) as captured:
            page = timeline.page(limit=50)
        assert len(page.entries) == count
        conditions = {one["sql"]: one["sql"].partition(" WHERE ")[2] for one in captured}
        subject = connection.ops.quote_name("subject_id")
        plans = [
            PLANS[connection.vendor](sql)[0]
            for sql, condition in conditions.items()
            if f"{subject} = " in condition
        ]
        assert len(plans) >= 2
        assert set(map(tuple, plans)) == {("customer_history_subject",)}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL compiles queries")
class TestCompilation:
    """PostgreSQL expects many rows in each range of keys, and would compile the query for them."""

    @pytest.mark.parametrize("read", [facets, menu_facets])
    @pytest.mark.parametrize("is_of_subject", [True, False], ids=["subject", "everything"])
    def test_of_menus(self, read, is_of_subject, long_history, django_user_model):
        admin = django_user_model.objects.create_superuser("root")
        timeline = (
            Timeline.of_subject(admin, Customer, long_history.pk)
            if is_of_subject
            else Timeline.of_everything(admin)
        )
        compiled = {}

        def note(execute, sql, params, many, context):
            if "customer_history_entry" in sql and ("GROUP BY" in sql or "LIMIT" not in sql):
                driver = context["connection"].connection
                compiled[sql] = driver.execute("SHOW jit").fetchone()[0]
            return execute(sql, params, many, context)

        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL jit = on")
        with connection.execute_wrapper(note):
            assert read(timeline).fields
        grouped = [setting for sql, setting in compiled.items() if "GROUP BY" in sql]
        assert grouped == ["off"] * (2 if read is menu_facets and is_of_subject else 1)
        (other,) = (sql for sql, setting in compiled.items() if setting == "on")
        # It finds the few entries about marks and registrations by an index.
        assert '"entity_model" IN (' in other.partition(" WHERE ")[2]
