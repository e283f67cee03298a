"""Several databases: each has a log of its own, and a record is read with the log beside it."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client

from django_customer_history import health, history, masks
from django_customer_history.capture.checks import check_routers, check_triggers
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db(databases=["default", "other"])


class CrmElsewhere:
    """The models of the CRM are in the database "other"."""

    def db_for_read(self, model, **hints):
        return "other" if model._meta.app_label == "crm" else None

    db_for_write = db_for_read


class CrmElsewhereOrDefault(CrmElsewhere):
    """The same, with an answer for every other model, too."""

    def db_for_read(self, model, **hints):
        return "other" if model._meta.app_label == "crm" else "default"

    db_for_write = db_for_read


class WithoutLog:
    """A router as many projects have it: the other database is for one app alone."""

    def allow_migrate(self, db, app_label, **hints):
        return (app_label == "crm") == (db == "other")


class Replica:
    """Everything is read from the database "other", which has no migrations of its own."""

    def db_for_read(self, model, **hints):
        return "other"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_migrate(self, db, app_label, **hints):
        return db == "default"


@pytest.fixture(params=[CrmElsewhere, CrmElsewhereOrDefault])
def elsewhere(request, settings):
    settings.DATABASE_ROUTERS = [f"{__name__}.{request.param.__name__}"]


@pytest.fixture
def reader(elsewhere):
    reader = User.objects.create_user("ann")
    names = ["view_customer_history", "export_customer_history"]
    reader.user_permissions.set(Permission.objects.filter(codename__in=names))
    return User.objects.get(pk=reader.pk)


@pytest.fixture
def customer(elsewhere):
    customer = Customer.objects.create(name="Acme")
    Customer.objects.update(rate="44.99")
    return customer


class TestReading:
    def test_entries_of_a_record(self, customer):
        assert customer._state.db == "other"
        actions = [entry.action for entry in history.entries_for(customer)]
        assert actions == ["Update", "Create"]
        actions = [entry.action for entry in history.entries_for(Customer, customer.pk)]
        assert actions == ["Update", "Create"]
        assert not Entry.objects.using("default").filter(entity_model="crm.customer").exists()

    def test_record_of_the_other_database(self, settings):
        """Without a router, the record itself says where it is."""
        settings.DATABASE_ROUTERS = []
        customer = Customer.objects.using("other").create(name="Acme")
        assert [entry.action for entry in history.entries_for(customer)] == ["Create"]
        assert history.as_of(customer, datetime.now(UTC))["name"] == "Acme"

    def test_as_of(self, customer):
        assert str(history.as_of(customer, datetime.now(UTC))["rate"]) == "44.99"
        now = datetime.now(UTC)
        assert history.as_of(Customer, now, key=customer.pk)["name"] == "Acme"

    def test_events(self, customer):
        event = history.record("Envelope Signed", subject=customer)
        assert event._state.db == "other"
        assert history.entries_for(customer).first() == event

    def test_timeline(self, customer, reader):
        timeline = Timeline.of_subject(reader, Customer, customer.pk)
        entries = timeline.page().entries
        assert [entry.action for entry in entries] == ["Update", "Create"]
        assert Timeline.of_entry(reader, entries[0].id).entry(entries[0].id) == entries[0]

    def test_deleted_record(self, customer, reader):
        key = customer.pk
        customer.delete()
        timeline = Timeline.of_subject(reader, Customer, key)
        assert [one.action for one in timeline.page().entries] == ["Delete", "Update", "Create"]

    def test_page_and_rest(self, customer, reader):
        client = Client()
        client.force_login(reader)
        page = client.get(f"/customers/{customer.pk}/history/")
        assert "44.99" in page.content.decode()
        listed = client.get(f"/api/history/subjects/crm.customer/{customer.pk}/").json()
        assert [one["action"] for one in listed["results"]] == ["Update", "Create"]

    def test_export_is_logged_there(self, customer, reader):
        client = Client()
        client.force_login(reader)
        url = f"/customers/{customer.pk}/history/?format=csv"
        text = b"".join(client.get(url).streaming_content).decode()
        assert text.count("\n") >= 3
        assert history.entries_for(customer).first().action == "History Exported"

    def test_mark_of_the_default_database(self, customer, reader):
        ConfidentialField.objects.create(model="crm.customer", field="rate", mask=masks.FULL.name)
        page = Timeline.of_subject(reader, Customer, customer.pk).page()
        (change,) = page.entries[0].changes
        assert "44.99" not in repr(change)


class TestReplica:
    def test_reads_from_the_replica(self, settings):
        customer = Customer.objects.create(name="Acme")
        settings.DATABASE_ROUTERS = [f"{__name__}.Replica"]
        entries = history.entries_for(customer)
        assert (entries.db, entries.db_of_writing) == ("other", "default")
        entries = history.entries_for(Customer, customer.pk)
        assert (entries.db, entries.db_of_writing) == ("other", "default")


class TestRouterWithoutLog:
    @pytest.fixture(autouse=True)
    def router(self, settings):
        settings.DATABASE_ROUTERS = [f"{__name__}.WithoutLog"]

    def test_check_names_model_and_fix(self):
        errors = [one for one in check_routers() if one.obj is Customer]
        assert [(one.id, one.msg, one.hint) for one in errors] == [
            (
                "customer_history.E030",
                "Database 'other': changes of crm.Customer are not recorded, because the routers"
                " allow the model here, but not the log.",
                'Let allow_migrate() of your router return True for "customer_history" in'
                " 'other', then run: manage.py migrate --database other. Or let it return False"
                " for the model, if 'other' never has its rows.",
            )
        ]

    def test_health_says_the_same(self):
        (problem,) = [one for one in health.problems(using="other") if "crm.Customer " in one]
        assert problem == (
            "changes of crm.Customer are not recorded, because the routers allow the model here,"
            " but not the log"
        )

    def test_no_problem_with_the_log(self, settings):
        settings.DATABASE_ROUTERS = []
        assert check_routers() == []


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
# Django 6.1 warns of the content type of a model that a migration renames a second time.
@pytest.mark.filterwarnings("ignore:Could not rename content type:RuntimeWarning")
class TestRouterFixedLater:
    def test_recorded_but_missing(self, settings):
        """While the router refused the log, its migrations were recorded and did nothing."""
        try:
            call_command("migrate", "customer_history", "zero", database="other", verbosity=0)
            settings.DATABASE_ROUTERS = [f"{__name__}.WithoutLog"]
            call_command("migrate", "customer_history", database="other", verbosity=0)
            settings.DATABASE_ROUTERS = []
            (error,) = check_triggers(databases=["other"])
            assert error.id == "customer_history.E032"
            assert error.hint == (
                "Run: manage.py migrate customer_history zero --fake --database other, then:"
                " manage.py migrate customer_history --database other"
            )
            assert len(health.problems(using="other")) == 1
            call_command(
                "migrate", "customer_history", "zero", fake=True, database="other", verbosity=0
            )
        finally:
            call_command("migrate", database="other", verbosity=0)
        assert {one.id for one in check_triggers(databases=["other"])} == {"customer_history.W004"}
        Customer.objects.using("other").create(name="Acme")
        assert Entry.objects.using("other").filter(entity_model="crm.customer").count() == 1

    def test_never_migrated(self):
        try:
            call_command("migrate", "customer_history", "zero", database="other", verbosity=0)
            assert health.problems(using="other") == [
                "nothing is recorded, because the table 'customer_history_entry' does not exist"
            ]
        finally:
            call_command("migrate", database="other", verbosity=0)
