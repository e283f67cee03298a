"""What capture costs in statements: none on SQLite, none beyond the context elsewhere."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_customer_history import history
from django_customer_history.capture.statements import may_write
from django_customer_history.changes import Actor
from tests.crm.models import Customer

ANN = Actor(id="1", label="ann")


def server_statements():
    """Return how many statements MariaDB has run for this session."""
    with connection.connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])


@pytest.mark.django_db
def test_a_write_runs_the_statements_that_it_ran_without_history(customer):
    with (
        CaptureQueriesContext(
            connection,
        ) as queries,
        history.acting(user=ANN),
    ):
        Customer.objects.filter(pk=customer.pk).update(name="x")
        Customer.objects.create(name="y")
    assert len(queries) == 2


@pytest.mark.django_db
def test_mariadb_gets_the_context_once_and_again_only_when_it_changes(customer):
    if connection.vendor != "mysql":
        pytest.skip("counts the statements on the server, as only MariaDB and MySQL tell them")
    before = server_statements()
    with history.acting(user=ANN):
        for number in range(5):
            Customer.objects.filter(pk=customer.pk).update(name=str(number))
    # 5 updates, 1 hand-over, and the question itself
    assert server_statements() - before == 7


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO a VALUES (1)",
        "  update a set b = 1",
        "/* x */ DELETE FROM a",
        "WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x",
        "SELECT 1; UPDATE a SET b = 2",
        "CALL f()",
        "MERGE INTO a USING b ON 1=1 WHEN MATCHED THEN DELETE",
        "REPLACE INTO a VALUES (1)",
        "DO $$ BEGIN PERFORM f(); END $$",
    ],
)
def test_statements_that_may_write(sql):
    assert may_write(sql)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "a"."updated_at", "a"."is_deleted" FROM "a" WHERE "a"."id" = %s',
        "SELECT 1 FROM a FOR UPDATE",
        "select 1 from a for no key update of a",
        "SAVEPOINT s1",
        "RELEASE SAVEPOINT s1",
        "CREATE INDEX CONCURRENTLY update_index ON a (b)",
        "VACUUM",
    ],
)
def test_statements_that_only_read_or_change_no_row(sql):
    assert not may_write(sql)
