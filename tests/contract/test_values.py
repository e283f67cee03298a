"""Values reach the log as canonical text: the same text on every database."""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from django_customer_history import history
from django_customer_history.values.decoding import decode
from django_customer_history.values.encoding import (
    encode,
    value_type_of,
)
from tests.projects.crm.models import Account, Contract, Customer, Dealer, Entrance, Pass, Specimen

pytestmark = pytest.mark.django_db

EXAMPLES = [
    ("big", 2**63 - 1, "9223372036854775807"),
    ("big", -(2**53) - 1, "-9007199254740993"),
    ("small", 0, "0"),
    ("binary", b"\x00\xff'\"", "00ff2722"),
    ("boolean", True, "true"),
    ("boolean", False, "false"),
    ("char", "", ""),
    ("char", 'it\'s "so" \\ 100%\n\t✓ 🚨 é', 'it\'s "so" \\ 100%\n\t✓ 🚨 é'),
    ("char", "null", "null"),
    ("date", date(2026, 2, 28), "2026-02-28"),
    ("date", date(9999, 12, 31), "9999-12-31"),
    ("datetime", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000000Z"),
    ("datetime", datetime(2026, 1, 2, 3, 4, 5, 120, tzinfo=UTC), "2026-01-02T03:04:05.000120Z"),
    (
        "datetime",
        datetime(2026, 7, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
        "2026-06-30T23:00:00.000000Z",
    ),
    ("decimal", Decimal("12.50"), "12.50"),
    ("decimal", Decimal("-0.01"), "-0.01"),
    ("decimal", Decimal("1234567890.12"), "1234567890.12"),
    ("duration", timedelta(days=2, seconds=3, microseconds=4), "172803000004"),
    ("duration", timedelta(microseconds=-1), "-1"),
    ("email", "ann@example.com", "ann@example.com"),
    ("ip", "203.0.113.9", "203.0.113.9"),
    ("ip", "2001:db8::7", "2001:db8::7"),
    ("text", "x" * 1_000_000, "x" * 1_000_000),
    ("time", time(3, 4, 5), "03:04:05.000000"),
    ("time", time(23, 59, 59, 999999), "23:59:59.999999"),
    ("file_path", "/srv/a b", "/srv/a b"),
    ("slug", "a-slug", "a-slug"),
    ("positive", 0, "0"),
    ("positive_big", 2**62, "4611686018427387904"),
    ("positive_small", 32767, "32767"),
    ("url", "https://example.com/?a=1&b=%20", "https://example.com/?a=1&b=%20"),
    (
        "uuid",
        UUID("01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f"),
        "01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f",
    ),
]


class TestDifferences:
    def test_number_and_text_differ_in_json(self, log):
        specimen = Specimen.objects.create(json=[1])
        for value in (["1"], "1", 1, True, "true"):
            Specimen.objects.filter(pk=specimen.pk).update(json=value)
        assert [json.loads(changes["json"][1]) for changes in log.changes()] == [
            [1], ["1"], "1", 1, True, "true",
        ]  # fmt: skip

    def test_null_and_empty_text_differ(self, log):
        specimen = Specimen.objects.create(char="x")
        Specimen.objects.filter(pk=specimen.pk).update(char="")
        Specimen.objects.filter(pk=specimen.pk).update(char=None)
        assert log.changes()[1:] == [{"char": ["x", ""]}, {"char": ["", None]}]

    def test_decimal_places_are_ignored(self, customer, log):
        Customer.objects.filter(pk=customer.pk).update(rate=Decimal("39.990"))
        assert log.entries() == []


class TestSecrets:
    def test_secret_value_is_not_logged(self, customer, log):
        Customer.objects.filter(pk=customer.pk).update(
            api_token="tok-123", portal_password="pw-456"
        )
        Customer.objects.filter(pk=customer.pk).update(api_token="tok-789")
        customer.delete()
        assert log.changes()[:2] == [
            {"api_token": [None, None], "portal_password": [None, None]},
            {"api_token": [None, None]},
        ]
        assert log.changes()[2]["portal_password"] == [None, None]
        text = str(log.values("changes", "entity_label", "context"))
        assert not any(secret in text for secret in ("tok-", "pw-", "s3cret"))

    def test_keys_of_secret_json(self, customer, log):
        one = Pass.objects.create(customer=customer, code="tok-1", answers={"maiden name": "Doe"})
        Pass.objects.update(answers={"maiden name": "Roe"})
        changed = {"answers.maiden name": (None, "Roe")}
        history.record("Asked", subject=customer, entity=one, changes=changed)
        one.delete()
        hidden = {"answers": [None, None]}
        created, updated, recorded, deleted = log.changes()
        assert created == deleted | {"customer": [None, str(customer.pk)]}
        assert created == {"code": [None, None], **hidden, "customer": [None, str(customer.pk)]}
        assert updated == hidden
        assert recorded == {"answers.maiden name": [None, None]}

    def test_foreign_key_to_secret_field(self, customer, log):
        one, other = (
            Pass.objects.create(customer=customer, code=code) for code in ("tok-1", "tok-2")
        )
        log.clear()
        entrance = Entrance.objects.create(held=one, gate="north")
        Entrance.objects.update(held=other)
        Entrance.objects.update(gate="south")
        history.record(
            "Opened", subject=customer, entity=entrance, changes={"held": (None, "tok-2")}
        )
        entrance.delete()
        hidden = {"held": [None, None]}
        assert log.values("action", "changes", "subject_id") == [
            ("Create", {**hidden, "gate": [None, "north"]}, str(customer.pk)),
            ("Held changed", hidden, str(customer.pk)),
            ("Update", {"gate": ["north", "south"]}, str(customer.pk)),
            ("Opened", hidden, str(customer.pk)),
            ("Delete", {**hidden, "gate": ["south", None]}, str(customer.pk)),
        ]

    def test_password_is_always_secret(self, django_user_model, log):
        user = django_user_model.objects.create_user("bob", password="open sesame")
        user.set_password("another")
        user.save()
        assert log.changes()[1] == {"password": [None, None]}


class TestText:
    @pytest.mark.parametrize(("name", "value", "text"), EXAMPLES, ids=lambda one: str(one)[:20])
    def test_canonical_text_in_the_log(self, log, name, value, text):
        specimen = Specimen.objects.create(**{name: value})
        Specimen.objects.filter(pk=specimen.pk).update(**{name: None})
        Specimen.objects.filter(pk=specimen.pk).update(**{name: value})
        specimen.delete()
        assert log.changes() == [
            {name: [None, text]},
            {name: [text, None]},
            {name: [None, text]},
            {name: [text, None]},
        ]

    @pytest.mark.parametrize(("name", "value", "text"), EXAMPLES, ids=lambda one: str(one)[:20])
    def test_canonical_text_in_python(self, name, value, text):
        value_type = value_type_of(Specimen._meta.get_field(name), use_tz=True)
        assert encode(value) == text
        assert decode(text, value_type) == value

    @pytest.mark.parametrize("value", [0.1, 1 / 3, 1e20, -2.5e-10, 100.0, 1.7976931348623157e308])
    def test_floats_come_back_exactly(self, log, value):
        Specimen.objects.create(float=value)
        (old, new) = log.only().changes["float"]
        assert old is None
        assert float(new) == value

    @pytest.mark.parametrize(
        "value", [{"a": [1, None, "é"], "b": {"c": 1.5}}, [], {}, "text", 0, False]
    )
    def test_json_comes_back_equal(self, log, value):
        specimen = Specimen.objects.create(json=value)
        Specimen.objects.filter(pk=specimen.pk).update(json=["other"])
        created, updated = log.changes()
        assert json.loads(created["json"][1]) == value
        assert json.loads(updated["json"][0]) == value

    def test_column_with_another_name(self, log):
        specimen = Specimen.objects.create()
        account = Account.objects.create(label="A", kept="K")
        Specimen.objects.filter(pk=specimen.pk).update(account=account)
        assert log.changes()[1] == {"label": [None, "A"], "kept": [None, "K"]}
        assert log.changes()[2] == {"account": [None, str(account.pk)]}

    def test_file_is_logged_as_its_name(self, log):
        dealer = Dealer.objects.create(name="D")
        contract = Contract.objects.create(dealer=dealer, scan="scans/plan.pdf")
        Contract.objects.filter(pk=contract.pk).update(
            scan="scans/new plan.pdf", photo="photos/a.png"
        )
        assert log.changes()[-1] == {
            "scan": ["scans/plan.pdf", "scans/new plan.pdf"],
            "photo": ["", "photos/a.png"],
        }
