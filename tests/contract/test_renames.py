"""Renamed models and fields keep a history that everybody can read."""

import json
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState
from django.utils import timezone

from django_customer_history import history, masks
from django_customer_history.access.checks import check_marks
from django_customer_history.access.permissions import create_permissions
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.capture.renames import (
    log_field_rename,
    log_model_rename,
    log_state_renames,
    renamed_models,
)
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registration_of, registry
from django_customer_history.registration.renames import renames
from tests.factories import registered_as
from tests.projects.crm.models import Customer, Note, Ticket
from tests.projects.evolving.models import Visit
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forgotten(db):
    # Only renames of models that the log knows are recorded, and a flush empties the log.
    log_registrations("default")
    yield
    renames.forget()


@contextmanager
def knew(model, *fields, **options):
    """Let the log know a registration of a model with more fields than today; `fields` first."""
    with registered_as(model, **options):
        log_registrations("default")
        entry = Entry.objects.filter(
            entity_model="customer_history.registration", entity_id=model._meta.label_lower
        ).latest("id")
        kept = entry.context or {}
        Entry.objects.bulk_create(
            [
                Entry(
                    timestamp=timezone.now(), kind="event", action="History Changed",
                    entity_model=entry.entity_model, entity_id=entry.entity_id, source="migration",
                    changes={"fields": [None, "[]"]},
                    context={**kept, "fields": [*kept.get("fields", ()), *fields]},
                )
            ]
        )  # fmt: skip
        yield


def logged(customer, changes, *, model="crm.customer", label=None, kind="update"):
    return Entry.objects.create(
        timestamp=timezone.now(), kind=kind, action=kind.title(), source="web",
        subject_model=model, subject_id=str(customer.pk), entity_model=model,
        entity_id=str(customer.pk), entity_label=label, changes=changes,
    )  # fmt: skip


def change_of(reader, customer, name):
    page = Timeline.of_subject(reader, Customer, customer.pk).page(limit=200)
    return next(one for entry in page.entries for one in entry.changes if one.field == name)


def shown(change):
    return change.old_display, change.new_display


@pytest.fixture
def reader(user):
    grant(user, "view_customer_history")
    return user


class TestRenamedFields:
    def test_old_entries_have_the_new_name(self, reader, customer):
        logged(customer, {"price": ["1.00", "2.00"]})
        log_field_rename(Customer, "price", "rate", using="default")
        change = change_of(reader, customer, "rate")
        assert (change.label, change.type) == ("Rate", "decimal")
        assert shown(change) == ("1.00", "2.00")

    def test_rename_is_an_entry(self, customer):
        log_field_rename(Customer, "price", "rate", using="default")
        entry = Entry.objects.latest("id")
        assert (entry.kind, entry.action) == ("event", "Field Renamed")
        assert (entry.entity_model, entry.entity_id) == ("customer_history.rename", "crm.customer")
        assert entry.changes == {"field": ["price", "rate"]}

    def test_confidential_before_and_after(self, reader, customer):
        logged(customer, {"social": [None, "111-22-3333"]})
        log_field_rename(Customer, "social", "ssn", using="default")
        change = change_of(reader, customer, "ssn")
        assert (change.masked, change.new_display) == (True, "***-**-3333")
        grant(reader, "view_confidential_customer_ssn")
        assert change_of(reader, customer, "ssn").new == "111-22-3333"

    def test_filter_by_the_new_name(self, reader, customer):
        entry = logged(customer, {"price": ["1.00", "2.00"]})
        log_field_rename(Customer, "price", "rate", using="default")
        timeline = Timeline.of_subject(reader, Customer, customer.pk)
        found = [one.id for one in timeline.filtered(field="rate").page().entries]
        assert entry.id in found
        found = [one.id for one in timeline.filtered(q="2.00").page().entries]
        assert found == [entry.id]

    def test_names_that_were_swapped(self, reader, customer):
        entry = logged(customer, {"status": [None, "a"], "search_text": [None, "b"]})
        for old, new in (("status", "tmp"), ("search_text", "status"), ("tmp", "search_text")):
            log_field_rename(Customer, old, new, using="default")
        read = Timeline.of_entry(reader, entry.id).entry(entry.id)
        assert {one.field: one.new for one in read.changes} == {"status": "b", "search_text": "a"}

    def test_new_entries_keep_their_names(self, reader, customer):
        log_field_rename(Customer, "rate", "price", using="default")
        Customer.objects.update(rate="44.99")
        assert shown(change_of(reader, customer, "rate")) == ("39.99", "44.99")

    def test_json_keys_follow(self, reader, customer):
        ticket = Ticket.objects.create(customer=customer)
        entry = Entry.objects.create(
            timestamp=timezone.now(), kind="update", action="Update", source="web",
            subject_model="crm.customer", subject_id=str(customer.pk), entity_model="crm.ticket",
            entity_id=str(ticket.pk), changes={"extra.color": [None, '"red"']},
        )  # fmt: skip
        ConfidentialField.objects.create(model="crm.ticket", field="extra.color")
        log_field_rename(Ticket, "extra", "udf", using="default")
        assert ConfidentialField.objects.get().field == "udf.color"
        read = Timeline.of_entry(reader, entry.id).entry(entry.id)
        assert [(one.field, one.new_display) for one in read.changes] == [("udf.color", "*****")]

    def test_state_of_the_record(self, customer):
        Entry.objects.filter(entity_model="crm.customer").first()
        moment = timezone.now()
        logged(customer, {"price": ["39.99", "44.99"]})
        after = timezone.now()
        log_field_rename(Customer, "price", "rate", using="default")
        assert str(history.as_of(customer, moment)["rate"]) == "39.99"
        state = history.as_of(customer, after)
        assert str(state["rate"]) == "44.99"
        assert "price" not in state

    def test_nothing_of_untracked_models(self, customer):
        count = Entry.objects.count()
        log_field_rename(Permission, "name", "title", using="default")
        log_field_rename(Customer, "rate", "rate", using="default")
        assert Entry.objects.count() == count


class TestForgottenFields:
    def test_plain_field(self, reader, customer):
        with knew(Customer, "nick", subject="self", label="name"):
            logged(customer, {"nick": ["Al", "Bo"]})
        assert shown(change_of(reader, customer, "nick")) == ("Al", "Bo")

    def test_confidential_field(self, reader, customer):
        with knew(Customer, "vat", subject="self", confidential={"vat": masks.ACCOUNT}):
            logged(customer, {"vat": [None, "1234567890"]})
        change = change_of(reader, customer, "vat")
        assert (change.masked, change.new_display) == (True, "*****7890")
        assert change.permission == "crm.view_confidential_customer_vat"

    def test_confidential_later(self, reader, customer):
        with knew(Customer, "vat", subject="self"):
            logged(customer, {"vat": [None, "1234567890"]})
        with knew(Customer, "vat", subject="self", confidential={"vat": masks.FULL}):
            pass
        assert shown(change_of(reader, customer, "vat")) == (None, "*****")

    def test_secret_field(self, reader, customer):
        with knew(Customer, "pin", subject="self", secret="pin"):
            logged(customer, {"pin": ["1", "2"]})
        assert change_of(reader, customer, "pin").type == "secret"

    def test_marked_field(self, reader, customer):
        with knew(Customer, "nick", subject="self"):
            ConfidentialField.objects.create(model="crm.customer", field="nick")
            logged(customer, {"nick": ["Al", "Bo"]})
        assert shown(change_of(reader, customer, "nick")) == ("*****", "*****")

    def test_field_that_never_was(self, reader, customer):
        logged(customer, {"never": ["Al", "Bo"]})
        assert shown(change_of(reader, customer, "never")) == ("*****", "*****")
        grant(reader, "view_confidential")
        assert shown(change_of(reader, customer, "never")) == ("Al", "Bo")

    def test_former_key_of_a_json_field(self, reader, customer):
        options = {"subject": "self", "confidential": {"data.pin": masks.FULL}}
        with knew(Customer, "data", **options):
            logged(customer, {"data": [None, '{"pin": "77777", "size": 7}']})
        change = change_of(reader, customer, "data")
        assert json.loads(change.new_display) == {"pin": "*****", "size": 7}


class TestLabels:
    def test_renamed_label_field(self, reader, customer):
        with knew(Customer, "title", subject="self", label="title"):
            old = logged(customer, {"title": ["Acme", "Acme Ltd"]}, label="Acme Ltd")
        log_registrations("default")
        log_field_rename(Customer, "title", "name", using="default")
        Customer.objects.update(name="Acme Inc")
        page = Timeline.of_subject(reader, Customer, customer.pk).page()
        labels = {one.id: one.entity.label for one in page.entries}
        assert labels[old.id] == "Acme Ltd"
        assert "*****" not in labels.values()

    def test_confidential_label_field(self, reader, customer):
        options = {"subject": "self", "confidential": {"vat": masks.FULL}}
        with knew(Customer, "vat", label=("name", "vat"), **options):
            old = logged(customer, {"rate": ["1", "2"]}, label="Acme 1234567890")
        log_registrations("default")
        new = logged(customer, {"rate": ["2", "3"]}, label="Acme")
        page = Timeline.of_subject(reader, Customer, customer.pk).page()
        labels = {one.id: one.entity.label for one in page.entries}
        assert (labels[old.id], labels[new.id]) == ("*****", "Acme")


class TestRenamedModels:
    def test_history_of_the_old_label(self, reader, customer):
        old = logged(customer, {"rate": ["1.00", "2.00"]}, model="crm.client", label="Acme")
        moment = timezone.now()
        log_model_rename("crm.client", "crm.customer", using="default")
        page = Timeline.of_subject(reader, Customer, customer.pk).page()
        read = next(one for one in page.entries if one.id == old.id)
        assert (read.entity.model, read.subject.model) == ("crm.customer", "crm.customer")
        assert read.entity.label == "Acme"
        assert [(one.field, one.masked) for one in read.changes] == [("rate", False)]
        assert old in history.entries_for(customer)
        assert str(history.as_of(customer, moment)["rate"]) == "2.00"
        every = Timeline.of_everything(reader).page(limit=200)
        assert old.id in [one.id for one in every.entries]
        assert Timeline.of_entry(reader, old.id).entry(old.id) is not None
        found = Timeline.of_everything(reader).filtered(entity=Customer).page(limit=200)
        assert old.id in [one.id for one in found.entries]

    def test_marks_and_permissions_follow(self, customer):
        permission = Permission.objects.get(codename="view_customer_history")
        Permission.objects.filter(pk=permission.pk).update(codename="view_client_history")
        ConfidentialField.objects.create(model="crm.client", field="rate")
        log_model_rename("crm.client", "crm.customer", using="default")
        assert str(ConfidentialField.objects.get()) == "crm.customer rate"
        entry = Entry.objects.filter(entity_model="customer_history.confidentialfield").latest("id")
        assert (entry.kind, entry.source) == ("update", "migration")
        assert entry.changes == {"model": ["crm.client", "crm.customer"]}
        create_permissions("default")
        permission.refresh_from_db()
        assert permission.codename == "view_customer_history"

    def test_label_of_another_model_today(self, reader, customer):
        """The former label is that of a new model now: each has its own entries."""
        note = Note.objects.create(customer=customer, text="t")
        old = logged(note, {"rate": ["1.00", "2.00"]}, model="crm.note")
        log_model_rename("crm.note", "crm.customer", using="default")
        new = logged(note, {"text": ["a", "b"]}, model="crm.note")
        assert old in Entry.objects.of_entity(Customer, note.pk)
        assert new not in Entry.objects.of_entity(Customer, note.pk)
        assert new in Entry.objects.of_entity(Note, note.pk)
        assert old not in Entry.objects.of_entity(Note, note.pk)

    def test_found_by_the_migrations(self):
        assert renamed_models({"evolving.call": "x"}, [Visit]) == [
            ("evolving.call", "evolving.visit")
        ]

    def test_found_by_the_table(self):
        """The app has another label, and the model its old table."""
        assert renamed_models({"shop.buyer": "crm_customer"}, [Customer]) == [
            ("shop.buyer", "crm.customer")
        ]
        assert renamed_models({"shop.buyer": "shop_buyer"}, [Customer]) == []
        assert renamed_models({}, [Customer]) == []

    def test_noticed_by_migrate(self, monkeypatch, customer):
        monkeypatch.delitem(registry._registrations, Customer)
        log_registrations("default")
        former = registration_of(Customer, subject="self", label="name")
        monkeypatch.setitem(registry._registrations, Customer, former)
        Entry.objects.bulk_create(
            [
                Entry(
                    timestamp=timezone.now(), kind="event", action="History Started",
                    entity_model="customer_history.registration", entity_id="shop.buyer",
                    changes={"registered": [None, "true"]}, source="migration",
                    context={"table": "crm_customer", "fields": ["name"]},
                )
            ]
        )  # fmt: skip
        log_registrations("default")
        entry = Entry.objects.filter(entity_model="customer_history.rename").latest("id")
        assert (entry.action, entry.changes) == (
            "Model Renamed",
            {"model": ["shop.buyer", "crm.customer"]},
        )
        count = Entry.objects.count()
        log_registrations("default")
        assert Entry.objects.count() == count


class TestOperations:
    def test_field_in_the_state_alone(self, customer):
        rename = migrations.RenameField("customer", "price", "rate")
        operation = migrations.SeparateDatabaseAndState(state_operations=[rename])
        migration = type("Migration", (migrations.Migration,), {"operations": [operation]})
        log_state_renames([(migration("0002", "crm"), False)], using="default")
        assert Entry.objects.latest("id").changes == {"field": ["price", "rate"]}
        log_state_renames([(migration("0002", "crm"), True)], using="default")
        assert Entry.objects.latest("id").changes == {"field": ["rate", "price"]}

    @pytest.mark.django_db(transaction=True)
    def test_rename_field(self, customer):
        log_registrations("default")
        state = ProjectState()
        fields = [("id", models.BigAutoField(primary_key=True)), ("email", models.EmailField())]
        create = migrations.CreateModel("Renamed", fields)
        rename = migrations.RenameField("Renamed", "email", "address")
        before, after = ProjectState(), None
        create.state_forwards("crm", before)
        after = before.clone()
        rename.state_forwards("crm", after)
        Entry.objects.bulk_create(
            [
                Entry(
                    timestamp=timezone.now(), kind="event", action="History Started",
                    entity_model="customer_history.registration", entity_id="crm.renamed",
                    changes={"registered": [None, "true"]}, source="migration",
                )
            ]
        )  # fmt: skip
        with connection.schema_editor() as editor:
            create.database_forwards("crm", editor, state, before)
        with connection.schema_editor() as editor:
            rename.database_forwards("crm", editor, before, after)
        entry = Entry.objects.filter(entity_model="customer_history.rename").latest("id")
        assert (entry.entity_id, entry.changes) == (
            "crm.renamed",
            {"field": ["email", "address"]},
        )
        with connection.schema_editor() as editor:
            create.database_backwards("crm", editor, after, state)


class TestMarksOfNothing:
    def test_check_names_them(self, customer):
        for model, field in (
            ("crm.customer", "rat"),
            ("crm.gone", "x"),
            ("crm.customer", "name.key"),
            ("crm.customer", "rate"),
            ("crm.specimen", "json.colour"),
        ):
            ConfidentialField.objects.create(model=model, field=field)
        found = [message.msg for message in check_marks(databases=["default"])]
        assert found == [
            "The confidential field crm.customer rat in database 'default' hides nothing: field"
            " 'rat' does not exist. Did you mean 'rate'?",
            "The confidential field crm.gone x in database 'default' hides nothing: 'crm.gone' is"
            " not a registered model." + found[1].partition("registered model.")[2],
            "The confidential field crm.customer name.key in database 'default' hides nothing:"
            " field 'name' is not a JSON field, so it has no keys.",
        ]
        assert check_marks() == []
