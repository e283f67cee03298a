"""Stored routines and COPY: their entries have the context of the caller."""

import pytest
from django.db import connection, transaction
from django.db.models import CharField, F, Func

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from tests.projects.crm.models import Tag

ANN = NamedUser(id="1", label="ann")
BOB = NamedUser(id="2", label="bob")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="SQLite has no stored routines and no COPY"
    ),
]

ROUTINES = {
    "postgresql": [
        """CREATE FUNCTION renamed(wanted text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN UPDATE crm_customer SET name = wanted; RETURN wanted; END $$""",
        """CREATE PROCEDURE rename_all(wanted text) LANGUAGE plpgsql AS $$
        BEGIN UPDATE crm_customer SET name = wanted; END $$""",
    ],
    "mysql": [
        """CREATE FUNCTION renamed(wanted VARCHAR(100)) RETURNS VARCHAR(100)
        DETERMINISTIC BEGIN UPDATE crm_customer SET name = wanted; RETURN wanted; END""",
        """CREATE PROCEDURE rename_all(wanted VARCHAR(100))
        BEGIN UPDATE crm_customer SET name = wanted; END""",
    ],
}
DROP = {
    "postgresql": ["DROP FUNCTION renamed(text)", "DROP PROCEDURE rename_all(text)"],
    "mysql": ["DROP FUNCTION renamed", "DROP PROCEDURE rename_all"],
}


@pytest.fixture(autouse=True)
def routines():
    run(*ROUTINES[connection.vendor])
    yield
    run(*DROP[connection.vendor])


def run(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def fetch_all(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def callproc(wanted):
    # `callproc` calls a function on PostgreSQL, and a procedure on other databases.
    name = "renamed" if connection.vendor == "postgresql" else "rename_all"
    with connection.cursor() as cursor:
        cursor.callproc(name, [wanted])


def call(wanted):
    run(f"CALL rename_all('{wanted}')")


def select(wanted):
    assert list(fetch_all("SELECT renamed(%s)", wanted)) == [(wanted,)]


def function_in_a_queryset(wanted):
    # A function may not write to the table that its statement reads on MariaDB.
    calls = Func(F("name"), function="renamed", output_field=CharField())
    renamed = Tag.objects.create(name=wanted)
    Tag.objects.annotate(called=calls).get(pk=renamed.pk)


CALLS = [callproc, call, select, function_in_a_queryset]


class TestRoutines:
    @pytest.mark.parametrize("execute", CALLS)
    def test_user_of_a_routine(self, execute, customer, log):
        with history.acting(user=ANN):
            execute("1")
        with history.acting(user=BOB):
            execute("2")
        execute("3")
        assert names_and_users(log) == [("1", "ann"), ("2", "bob"), ("3", None)]

    @pytest.mark.parametrize("execute", CALLS)
    def test_users_in_one_transaction(self, execute, customer, log):
        with transaction.atomic():
            with history.acting(user=ANN):
                execute("1")
            with history.acting(user=BOB):
                execute("2")
            execute("3")
        assert names_and_users(log) == [("1", "ann"), ("2", "bob"), ("3", None)]

    def test_routines_while_paused(self, customer, log):
        with history.paused(reason="a sync"):
            callproc("1")
            select("2")
        assert [entry.action for entry in log.entries()] == ["History Paused", "History Resumed"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="COPY is PostgreSQL's")
class TestOnPostgreSQL:
    def test_user_of_each_copy(self, customer, log):
        with history.acting(user=ANN):
            copy("urgent")
        with transaction.atomic():
            with history.acting(user=BOB):
                copy("late")
            copy("new")
        assert [entry.changes["name"][1] for entry in log.entries()] == ["urgent", "late", "new"]
        assert log.values("user_label") == [("ann",), ("bob",), (None,)]

    def test_copy_with_query_log(self, customer, log):
        connection.force_debug_cursor = True
        try:
            with history.acting(user=ANN):
                copy("urgent")
        finally:
            connection.force_debug_cursor = False
        assert log.values("user_label") == [("ann",)]

    def test_copy_to_the_client(self, customer):
        with (
            history.acting(user=ANN),
            connection.cursor() as cursor,
            cursor.copy("COPY (SELECT name FROM crm_customer) TO STDOUT") as rows,
        ):
            assert [bytes(row) for row in rows] == [b"Acme\n"]

    def test_routine_in_server_side_cursor(self, customer, log):
        Tag.objects.create(name="1")
        calls = Func(F("name"), function="renamed", output_field=CharField())
        with history.acting(user=ANN):
            rows = Tag.objects.annotate(called=calls).iterator(chunk_size=1)
            assert [row.called for row in rows] == ["1"]
        assert names_and_users(log) == [("1", "ann")]


def copy(name):
    with connection.cursor() as cursor, cursor.copy("COPY crm_tag (name) FROM STDIN") as rows:
        rows.write_row([name])


def names_and_users(log):
    customers = [entry for entry in log.entries() if entry.entity_model == "crm.customer"]
    return [(entry.changes["name"][1], entry.user_label) for entry in customers]
