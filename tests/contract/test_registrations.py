"""The log has the registrations of models and their changes."""

import pytest

from django_customer_history.capture import registration_log as registrations
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.capture.tracking_history import tracking_history
from django_customer_history.masks import SSN
from django_customer_history.models import Entry
from django_customer_history.registration.registry import (
    Registry,
    registration_of,
)
from tests.conftest import Log
from tests.projects.crm.models import Account, Customer, Tag

pytestmark = pytest.mark.django_db


@pytest.fixture
def register_only(monkeypatch):
    """Return a function that registers some models, and none other of those three."""
    log_registrations("default")
    changed = (Account, Customer, Tag)
    others = [one for one in registrations.registry if one.model not in changed]

    def register(*registered):
        registry = Registry()
        for registration in (*others, *registered):
            registry.add(registration)
        monkeypatch.setattr(registrations, "registry", registry)
        log_registrations("default")

    return register


class TestRegistrationEntries:
    def test_start_change_and_stop(self, register_only):
        log = Log()
        tag = registration_of(Tag)
        register_only(
            tag, registration_of(Customer, subject="self", label="name", confidential={"ssn": SSN})
        )
        log.clear()
        register_only(
            tag, registration_of(Customer, subject="self", label="name", exclude=["rate", "name"])
        )
        register_only(
            registration_of(Customer, subject="self", label="name", exclude=["name", "rate"])
        )
        register_only(
            tag, registration_of(Customer, subject="self", label="name", exclude=["name", "rate"])
        )
        written = log.values("kind", "action", "entity_model", "entity_id", "changes")
        kind = "customer_history.registration"
        assert written == [
            (
                "event",
                "History Changed",
                kind,
                "crm.customer",
                {"confidential": ['{"ssn": "ssn"}', None], "exclude": [None, '["name", "rate"]']},
            ),
            ("event", "History Stopped", kind, "crm.tag", {"registered": ["true", None]}),
            ("event", "History Started", kind, "crm.tag", {"registered": [None, "true"]}),
        ]

    def test_name_of_own_mask(self, monkeypatch):
        def initials(value):
            return "".join(word[0] for word in value.split())

        registry = Registry()
        registry.add(registration_of(Customer, subject="self", confidential={"name": initials}))
        monkeypatch.setattr(registrations, "registry", registry)
        log = Log()
        log_registrations("default")
        changes = [entry.changes for entry in log.entries() if entry.entity_id == "crm.customer"]
        assert changes[0]["confidential"][1] == '{"name": "initials"}'

    def test_no_entry_without_a_change(self):
        log_registrations("default")
        log = Log()
        log_registrations("default")
        assert log.entries() == []


def newest_key():
    """Return the key of the newest entry about the registration of accounts."""
    return Entry.objects.filter(entity_id="crm.account").latest("id").id


class TestTrackingHistory:
    """Since when the log knows each field, by the entries about the registration."""

    @pytest.fixture
    def changed(self, register_only):
        """Register the model with some options after others; return the fields known since then."""

        def change(before, after):
            register_only()
            register_only(registration_of(Account, subject="self", **before))
            register_only(registration_of(Account, subject="self", **after))
            known = tracking_history("crm.account", using="default")
            assert known.is_started
            assert set(known.known_since.values()) <= {newest_key()}
            return set(known.known_since)

        return change

    @pytest.mark.parametrize(
        ("before", "after", "fields"),
        [
            ({}, {"label": "label"}, set()),
            ({"exclude": ["ignored", "kept"]}, {"exclude": ["kept"]}, {"ignored"}),
            ({}, {"exclude": ["kept"]}, {"kept"}),
            ({"secret": ["kept"]}, {}, {"kept"}),
            ({"only": ["label"]}, {"only": ["label", "kept"]}, {"kept"}),
            ({"only": ["label", "kept"]}, {"only": ["kept"]}, {"label"}),
            ({"only": ["label"]}, {}, {"id", "label", "ignored", "kept"}),
            ({}, {"only": ["label"]}, {"id", "label", "ignored", "kept"}),
        ],
    )
    def test_changed_options(self, before, after, fields, changed):
        assert changed(before, after) == fields

    def test_a_new_field(self, register_only, monkeypatch):
        account = registration_of(Account, subject="self")
        context = registrations._context
        monkeypatch.setattr(
            registrations,
            "_context",
            lambda one: {**context(one), "fields": ["id", "ignored", "label"]},
        )
        register_only()
        register_only(account)
        monkeypatch.setattr(registrations, "_context", context)
        register_only(account)
        known = tracking_history("crm.account", using="default")
        assert known.known_since == {"kept": newest_key()}

    def test_starts_again(self, register_only):
        account = registration_of(Account, subject="self")
        register_only(account)
        assert tracking_history("crm.account", using="default").knows_all_rows
        register_only()
        stopped = tracking_history("crm.account", using="default")
        assert (stopped.is_started, stopped.knows_all_rows) == (False, False)
        Account.objects.create(label="a")
        register_only(account)
        started = tracking_history("crm.account", using="default")
        assert (started.is_started, started.knows_all_rows) == (True, False)
        assert started.since == newest_key()
        registrations.log_baselined("crm.account", using="default")
        assert tracking_history("crm.account", using="default").knows_all_rows
