"""The values for the menus of filters, which the database collects from many entries."""

import pytest
from django.db import DatabaseError, connection, transaction

from django_customer_history import history
from django_customer_history.capture.renames import log_field_rename
from django_customer_history.context.resolved import NamedUser
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.reading.facets import facets
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.renames import renames
from tests.factories import log_raw, log_updates
from tests.projects.crm.models import Customer, Ticket
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def timeline(user, customer):
    grant(user, "view_customer_history")
    return Timeline.of_subject(user, Customer, customer.pk)


def names(timeline):
    return {one.value for one in facets(timeline).entity_fields}


class TestCollected:
    def test_one_row_for_each_combination(self, timeline, customer):
        log_updates(customer, 300)
        recent = timeline.recent(1_000)
        assert [(one.kind, list(one.changes)) for one in recent.entries[:1]] == [
            ("update", ["rate"])
        ]
        assert (len(recent.entries), recent.is_complete) == (2, True)

    def test_only_the_newest(self, timeline, customer):
        log_updates(customer, 30)
        recent = timeline.recent(29, has_moments=True)
        assert [one.kind for one in recent.entries] == ["update"]
        assert (len(recent.moments), recent.is_complete) == (29, False)

    def test_newest_label_of_a_user(self, timeline, customer):
        for name in ("ann", "Ann Smith"):
            with history.acting(user=NamedUser(id="7", label=name)):
                Customer.objects.filter(pk=customer.pk).update(name=name)
        assert [(one.value, one.label) for one in facets(timeline).users] == [
            ("7", "Ann Smith"),
            ("system", "System"),
        ]

    def test_names_around_a_rename(self, timeline, customer, log):
        newest = timeline.queryset.latest("id")
        log_raw(newest, '{"price": ["1", "2"]}')
        log_field_rename(Customer, "price", "rate", using="default")
        Entry.objects.create(
            timestamp=newest.timestamp, kind="update", action="Update", source="web",
            subject_model="crm.customer", subject_id=str(customer.pk),
            entity_model="crm.customer", entity_id=str(customer.pk),
            changes={"price": ["2", "3"]},
        )  # fmt: skip
        renames.forget()
        only_updates = timeline.filtered(kind="update")
        assert names(only_updates) == {"crm.customer:price"}
        assert {"crm.customer:rate", "crm.customer:price"} <= names(timeline)

    def test_hidden_actions(self, timeline, customer):
        ticket = Ticket.objects.create(customer=customer)
        Ticket.objects.filter(pk=ticket.pk).update(status="closed")
        assert "Ticket Closed" in [one.value for one in facets(timeline).actions]
        ConfidentialField.objects.create(model="crm.ticket", field="status")
        shown = [one.value for one in facets(timeline).actions]
        assert "Ticket Closed" not in shown
        assert "Update" in shown


class TestOddChanges:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ('{"half \\ud800": ["a", "b"]}', "half \ud800"),
            ('{"zero \\u0000": ["a", "b"]}', "zero \x00"),
            ('{"quote \\"": ["a", "b"]}', 'quote "'),
            ('{"a": ["1", "2"], "a": ["1", "3"]}', "a"),
            ('["a"]', "(unreadable)"),
            ("null", "(unreadable)"),
        ],
    )
    def test_names(self, timeline, text, name):
        try:
            with transaction.atomic():
                log_raw(timeline.queryset.latest("id"), text)
        except DatabaseError:
            assert connection.vendor == "mysql"
            pytest.skip("the database refuses this JSON")
        assert f"crm.customer:{name}" in names(timeline)

    def test_nothing_changed(self, timeline):
        log_raw(timeline.queryset.latest("id"), "{}")
        assert "crm.customer:name" in names(timeline)

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="others check the JSON")
    def test_broken_json(self, timeline):
        log_raw(timeline.queryset.latest("id"), "{")
        assert "crm.customer:(unreadable)" in names(timeline)
