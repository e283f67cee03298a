"""The program that runs Django's suite finds what it should find."""

import pytest
from django.db import connection

from django_customer_history import history
from django_customer_history.backends import backend_of
from django_customer_history.capture.triggers import remove, synchronize_triggers
from tests.projects.crm.models import Customer, Tag
from tests.projects.django_suite import __main__ as program
from tests.projects.django_suite import labels
from tests.projects.django_suite.comparing import contradictions, trigger_problems
from tests.projects.django_suite.expected import Difference, Expected, read, unexpected


@pytest.fixture
def tagged():
    tag = Tag.objects.create(name="VIP")
    customer = Customer.objects.create(name="Acme")
    customer.tags.add(tag)
    return customer


def found():
    return [one for one in contradictions("default") if one.startswith(("crm.customer", "crm.tag"))]


@pytest.mark.django_db
class TestContradictions:
    def test_none_where_the_log_is_complete(self, tagged):
        tagged.name = "Beta"
        tagged.save()
        tagged.tags.clear()
        Tag.objects.all().delete()
        assert found() == []

    def test_change_that_is_not_recorded(self, tagged):
        with history.paused(reason="test"):
            Customer.objects.update(name="Beta")
        assert found() == [f"crm.customer {tagged.pk}.name is 'Beta', the log says 'Acme'"]

    def test_row_that_is_not_recorded(self, tagged):
        with history.paused(reason="test"):
            tag = Tag.objects.create(name="Hidden")
        assert found() == [
            "crm.tag has 2 rows, the log has 1",
            f"crm.tag {tag.pk} does not exist in the log",
        ]

    def test_link_that_is_not_recorded(self, tagged):
        (tag,) = tagged.tags.all()
        with history.paused(reason="test"):
            tagged.tags.clear()
        text = f"crm.customer {tagged.pk}.tags links [], the log says ['{tag.pk}']"
        assert found() == [text]


@pytest.mark.django_db(transaction=True)
class TestTriggers:
    def test_none_is_wrong(self):
        assert trigger_problems("default") == []

    def test_missing_trigger(self):
        table = Tag._meta.db_table
        installed = backend_of(connection).installed(connection)
        remove(connection, [trigger for trigger in installed if trigger.table == table])
        try:
            assert trigger_problems("default") == [f"missing on {table}"]
        finally:
            synchronize_triggers(connection)


class TestExpected:
    EXPECTED = Expected(
        reason="test",
        tests=("queries.tests.Counting.test_*",),
        texts=("!= 1",),
        databases=("SQLite",),
    )

    @pytest.mark.parametrize(
        ("test", "text", "database", "is_expected"),
        [
            ("queries.tests.Counting.test_one", "ok, failure: 2 != 1", "SQLite", True),
            ("queries.tests.Counting.test_one", "ok, failure: 2 != 1", "MySQL", False),
            ("queries.tests.Counting.test_one", "ok, failure: KeyError", "SQLite", False),
            ("queries.tests.Other.test_one", "ok, failure: 2 != 1", "SQLite", False),
        ],
    )
    def test_names_texts_and_databases(self, test, text, database, is_expected):
        one = Difference(test=test, text=text)
        left = unexpected([one], [self.EXPECTED], database=database)
        assert (left == []) is is_expected

    def test_each_difference_has_a_reason(self):
        assert all(one.reason.strip() and one.tests and all(one.texts) for one in read())


class TestGate:
    def test_labels_run_on_known_databases(self):
        names = {name for databases in labels.GATE.values() for name in databases}
        assert names == set(labels.EVERYWHERE)


class TestProgram:
    def test_it_finds_the_four_databases(self):
        assert [server.name for server in program._found()] == list(labels.EVERYWHERE)

    def test_url_of_another_kind(self):
        assert program._server("oracle://127.0.0.1/x").problem == (
            "oracle://127.0.0.1/x: there is no such kind of database"
        )
