"""The log has the registrations of models and their changes."""

import pytest

from django_customer_history.capture import registration_log as registrations
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.masks import SSN
from django_customer_history.registration.registry import (
    Registry,
    registration_of,
)
from tests.conftest import Log
from tests.projects.crm.models import Customer, Tag

pytestmark = pytest.mark.django_db


class TestRegistrationEntries:
    def test_start_change_and_stop(self, monkeypatch):
        log_registrations("default")
        log = Log()

        def register_only(*registered):
            registry = Registry()
            for registration in (*others, *registered):
                registry.add(registration)
            monkeypatch.setattr(registrations, "registry", registry)
            log_registrations("default")

        others = [one for one in registrations.registry if one.model not in (Customer, Tag)]
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
