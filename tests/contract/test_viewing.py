"""Who looked at a record: one entry for each reader, record and interval."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone

from django_customer_history import history
from django_customer_history.backends import backend_of
from django_customer_history.exceptions import InvalidContextError, NotRegisteredError
from tests.projects.crm.models import Customer, Note

pytestmark = pytest.mark.django_db

READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "postgresql": (
        "SET default_transaction_read_only = on",
        "SET default_transaction_read_only = off",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
}


@pytest.fixture
def ann():
    return get_user_model().objects.create_user("ann")


@pytest.fixture
def look(django_capture_on_commit_callbacks):
    """View a record, and let the transaction of the test pass as committed."""

    def view(record, **options):
        with django_capture_on_commit_callbacks(execute=True):
            history.viewed(record, **options)

    return view


def views(log):
    return [one for one in log.entries() if one.kind == "view"]


class TestViewed:
    def test_view_is_an_entry(self, customer, ann, log, look):
        with history.acting(user=ann, source="web", ip_address="203.0.113.9"):
            look(customer)
        (entry,) = views(log)
        assert (entry.action, entry.kind, entry.changes) == ("Viewed", "view", {})
        assert (entry.subject_model, entry.subject_id) == ("crm.customer", str(customer.pk))
        assert (entry.entity_model, entry.entity_id) == ("crm.customer", str(customer.pk))
        assert (entry.user_label, entry.source, entry.ip_address) == ("ann", "web", "203.0.113.9")
        assert timezone.now() - entry.timestamp < timedelta(minutes=1)

    def test_same_view_is_logged_once(self, customer, ann, log, look):
        with history.acting(user=ann):
            look(customer)
            look(customer)
        assert len(views(log)) == 1

    def test_each_reader_is_logged(self, customer, ann, log, look):
        for user in (ann, None):
            with history.acting(user=user):
                look(customer)
                look(customer)
        assert [one.user_label for one in views(log)] == ["ann", None]

    def test_other_fields_are_another_view(self, customer, log, look):
        look(customer, fields=["name"])
        look(customer, fields=["name", "ssn"])
        look(customer, fields=["ssn"])
        assert [sorted(one.changes) for one in views(log)] == [["name"], ["name", "ssn"]]

    def test_interval_of_zero(self, customer, log, look, settings):
        settings.CUSTOMER_HISTORY = {"VIEW_INTERVAL": 0}
        look(customer)
        look(customer)
        assert len(views(log)) == 2

    def test_one_statement(self, customer, look, django_assert_num_queries):
        with django_assert_num_queries(1):
            look(customer)
        with django_assert_num_queries(1):
            look(customer)

    def test_of_a_record_without_a_tab(self, customer, log, look):
        note = Note.objects.create(customer=customer, text="Call back.")
        look(note)
        (entry,) = views(log)
        assert (entry.subject_model, entry.entity_model) == (None, "crm.note")

    def test_context_is_that_of_the_view(self, customer, ann, log):
        with history.acting(user=ann), transaction.atomic():
            history.viewed(customer)
        assert views(log) == []  # The transaction of the test is still open.


class TestMisuse:
    def test_unknown_field(self, customer):
        with pytest.raises(
            InvalidContextError, match=r"has no field 'statsu'\. Did you mean 'status'"
        ):
            history.viewed(customer, fields=["statsu"])

    def test_unsaved_record(self):
        with pytest.raises(InvalidContextError, match="is not saved"):
            history.viewed(Customer(name="x"))

    def test_unregistered_model(self):
        with pytest.raises(NotRegisteredError, match="is not registered"):
            history.viewed(Session.objects.create(session_key="x", expire_date=timezone.now()))


class TestReadOnly:
    @pytest.mark.django_db(transaction=True)
    def test_nothing_fails(self, customer, log, caplog):
        begin, end = READ_ONLY[backend_of(connection).vendors[0]]
        with connection.cursor() as cursor:
            cursor.execute(begin)
        try:
            with caplog.at_level(logging.WARNING):
                history.viewed(customer)
        finally:
            with connection.cursor() as cursor:
                cursor.execute(end)
        assert views(log) == []
        assert caplog.messages == [
            f"Database 'default' is read-only: a view of crm.customer {customer.pk} is not logged."
        ]

    @pytest.mark.django_db(transaction=True)
    def test_after_a_read_only_transaction(self, customer, log):
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has no read-only transactions.")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                connection.cursor().execute("SET TRANSACTION READ ONLY")
            history.viewed(customer)
        assert len(views(log)) == 1
