"""Statements that capture adds: none, except for the context on MariaDB and MySQL."""

import pytest
from django.db import connection
from django.db.models import (
    Avg,
    Case,
    CharField,
    Count,
    Exists,
    F,
    Max,
    OuterRef,
    Q,
    StdDev,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import (
    Cast,
    Coalesce,
    Concat,
    ExtractYear,
    Lower,
    RowNumber,
    Substr,
    TruncMonth,
)
from django.test.utils import CaptureQueriesContext

from django_customer_history import history
from django_customer_history.backends.statements import first_word, is_select
from django_customer_history.context.resolved import NamedUser
from tests.projects.crm.models import Customer, Invoice

ANN = NamedUser(id="1", label="ann")


def server_statements():
    """Return how many statements MariaDB has run for this session."""
    with connection.connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])


class TestStatementCount:
    @pytest.mark.django_db
    def test_no_statements_are_added(self, customer):
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
    def test_context_is_sent_once(self, customer):
        if connection.vendor != "mysql":
            pytest.skip("only MariaDB and MySQL count the statements of a session")
        before = server_statements()
        with history.acting(user=ANN):
            for number in range(5):
                Customer.objects.filter(pk=customer.pk).update(name=str(number))
        # 5 updates, 1 statement with the context, and the one that reads the count
        assert server_statements() - before == 7


class TestGrammar:
    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO a VALUES (1)",
            "  update a set b = 1",
            "/* x */ DELETE FROM a",
            "/* SELECT /* nested */ SELECT */ DELETE FROM a",
            "/*!50000 DELETE FROM a */",
            "-- SELECT\nUPDATE a SET b = 1",
            "WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x",
            "WITH x AS (DELETE FROM a RETURNING b) SELECT * FROM x",
            "SELECT 1; UPDATE a SET b = 2",
            "CALL f()",
            "MERGE INTO a USING b ON 1=1 WHEN MATCHED THEN DELETE",
            "REPLACE INTO a VALUES (1)",
            "DO $$ BEGIN PERFORM f(); END $$",
            "EXECUTE f",
            "EXPLAIN ANALYZE SELECT f()",
            "VALUES (f())",
            "SET @a = f(1)",
            "",
            b"SELECT 1",
            None,
        ],
    )
    def test_may_write_by_itself(self, sql):
        assert not is_select(sql)

    @pytest.mark.parametrize(
        "sql",
        [
            'SELECT "a"."updated_at", "a"."is_deleted" FROM "a" WHERE "a"."id" = %s',
            "(SELECT 1) UNION (SELECT 2)",
            "\n  select f(1);\n",
            "/* a */ -- b\n ( select 1 )",
            "SELECT 1 FROM a FOR UPDATE",
            "WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x",
        ],
    )
    def test_writes_by_a_function_only(self, sql):
        assert is_select(sql)

    def test_long_comment_takes_no_time(self):
        assert first_word("(" * 50_000 + "/*" * 50_000 + "x") == ""

    @pytest.mark.django_db
    def test_queries_of_a_page_only_read(self, customer):
        invoices = Invoice.objects.filter(customer=OuterRef("pk")).values("pk")
        found = Customer.objects.annotate(
            invoice_count=Count("invoices", distinct=True),
            highest=Max("rate"),
            named=Lower(Concat("name", Value(" "), Coalesce("ssn", Value("")))),
            month=TruncMonth("updated_at"),
            year=ExtractYear("updated_at"),
            place=Window(RowNumber(), order_by=F("rate").desc()),
            short=Substr("name", 1, 3),
            as_text=Cast("rate", CharField(max_length=20)),
            size=Case(When(rate__gt=10, then=Value("big")), default=Value("small")),
        )
        found = found.filter(Exists(invoices) | Q(name__in=["Acme", "B"]))
        with CaptureQueriesContext(connection) as queries:
            assert [one.named for one in found.order_by("-month")[:5]] == ["acme 123-45-6789"]
            assert found.count() == 1
            assert Customer.objects.filter(name__iregex="^a").exists()
            assert Customer.objects.filter(updated_at__date__gt="2020-01-01").count() == 1
            assert Customer.objects.aggregate(Sum("rate"), Avg("rate"), StdDev("rate"))
            assert Customer.objects.select_for_update().get(name="Acme") == customer
            list(Customer.objects.dates("updated_at", "month"))
        assert [one["sql"] for one in queries if not is_select(one["sql"])] == []
