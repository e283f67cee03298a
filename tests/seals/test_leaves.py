"""The leaf of an entry is the same on every database, and shows no value."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from django_customer_history.feed.seals.leaves import LeafFormat
from django_customer_history.feed.seals.packages import imported
from django_customer_history.models import Entry
from django_customer_history.verify import value_hash

SECRET = bytes(range(32))
FORM = LeafFormat(secret=SECRET)
KEY = UUID("01936f5c-7a00-7abc-8000-00000000002a")


def entry(**columns):
    values = {
        "id": KEY,
        "timestamp": datetime(2026, 11, 27, 9, 30, 15, 120, tzinfo=UTC),
        "kind": "update",
        "action": "Update",
        "subject_model": "crm.customer",
        "subject_id": "42",
        "entity_model": "crm.customer",
        "entity_id": "42",
        "changes": {"name": ["Acme", "Acmé"]},
        "user_id": "7",
        "source": "web",
        "ip_address": "2001:db8::1",
        "request_id": UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2"),
        "context": {"reason": "typing error", "count": 3, "b": [True, None], "a": 1.0},
    }
    return Entry(**{**values, **columns})


EXPECTED = (
    '{"action":"@action","changes":{"name":["@old","@new"]},'
    '"context":{"a":"@a","b":"@b","count":"@count","reason":"@reason"},'
    '"entity_id":"42","entity_model":"crm.customer",'
    '"id":"01936f5c-7a00-7abc-8000-00000000002a",'
    '"ip_address":"2001:0db8:0000:0000:0000:0000:0000:0001","kind":"update",'
    '"request_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","source":"web","subject_id":"42",'
    '"subject_model":"crm.customer","timestamp":"2026-11-27T09:30:15.000120Z","user_id":"7"}'
)


def salted(side, field, value):
    content = KEY.bytes + b"\0" + side.encode() + b"\0" + field.encode()
    salt = hmac.digest(SECRET, content, "sha256")[:16]
    return base64.b64encode(hashlib.sha256(salt + value.encode()).digest()).decode()


class TestLeaf:
    def test_bytes_of_a_leaf(self):
        expected = EXPECTED
        for mark, side, field, value in (
            ("@old", "old", "name", "Acme"),
            ("@new", "new", "name", "Acmé"),
            ("@action", "action", "", "Update"),
            ("@reason", "context", "reason", '"typing error"'),
            ("@count", "context", "count", "3"),
            ("@a", "context", "a", "1"),
            ("@b", "context", "b", "[true,null]"),
        ):
            expected = expected.replace(f'"{mark}"', f'"{salted(side, field, value)}"')
        assert FORM.leaf(entry()) == b"\x01" + expected.encode()

    def test_hash_of_a_leaf_is_pinned(self):
        """What is sealed once must be verified for years: a change of this hash breaks logs."""
        digest = hashlib.sha256(b"\x00" + FORM.leaf(entry())).hexdigest()
        assert digest == "5ae547f8dbf6a8cf24e308e132dda5144986e304a85d01509c3c527c67ed2179"

    @pytest.mark.django_db
    def test_same_hash_from_each_database(self):
        """An address, a time, JSON and keys have other forms in each of them."""
        entry().save()
        stored = Entry.objects.get(id=KEY)
        assert FORM.leaf(stored) == FORM.leaf(entry())

    @pytest.mark.parametrize(
        "columns",
        [
            {"context": {"a": 1, "b": [True, None], "count": 3.0, "reason": "typing error"}},
            {"ip_address": "2001:0DB8:0:0:0:0:0:1"},
            {"changes": {"name": ["Acme", "Acmé"]}, "entity_label": None},
        ],
    )
    def test_forms_of_the_same_value(self, columns):
        assert FORM.leaf(entry(**columns)) == FORM.leaf(entry())

    def test_stored_forms_of_changes(self):
        """A creation may store values or pairs."""
        alone = entry(kind="create", changes={"name": "Acme", "vat": None})
        pairs = entry(kind="create", changes={"vat": [None, None], "name": [None, "Acme"]})
        assert FORM.leaf(alone) == FORM.leaf(pairs)
        (first, second) = json.loads(FORM.leaf(alone)[1:])["changes"]["name"]
        assert (first, second) == (None, salted("new", "name", "Acme"))

    @pytest.mark.parametrize(
        "context",
        [
            {"large": 2**64},
            {"infinite": float("inf")},
            {"half": "\ud83d", "\udc00": 1},
            {"control": "\x00\x1f\x7f\u2028"},
        ],
    )
    def test_values_json_has_no_form_for(self, context):
        assert json.loads(FORM.leaf(entry(context=context))[1:])["context"]

    def test_half_a_character_in_a_value(self):
        one, other = (entry(changes={"name": [None, text]}) for text in ("\ud83d", "\\ud83d"))
        assert FORM.leaf(one) != FORM.leaf(other)

    def test_same_value_has_two_hashes(self):
        """Nobody can see which values are equal."""
        changes = {"name": ["Acme", "Acme"], "label": ["Acme", "Acme"]}
        found = json.loads(FORM.leaf(entry(changes=changes))[1:])["changes"]
        assert len({*found["name"], *found["label"]}) == 4

    def test_value_is_disclosed_with_its_salt(self):
        leaf = json.loads(FORM.leaf(entry())[1:])
        assert value_hash(FORM.salt(KEY, "name", "old"), "Acme") == leaf["changes"]["name"][0]
        reason = FORM.salt(KEY, "reason", "context")
        assert value_hash(reason, '"typing error"') == leaf["context"]["reason"]


class TestFastForms:
    """What takes less time than the libraries has the same result."""

    @pytest.mark.parametrize(
        "value",
        [
            {"b": 1, "a": [True, None, '\x00\x1f\x7f\u2028"\\/']},
            {"é": "ž", "z": "\uffff", "": {}},
            {"\U0001f600": 1, "\uffff": 2, "\ue000": "\U0001f600"},
            {"float": [1.0, 1e21, 1e-7, 0.1, -0.0, 5e-324]},
            {"large": [2**53 - 1, -(2**53) + 1]},
            "\u00e9\U0001f600",
            None,
            [],
        ],
    )
    def test_canonical_json(self, value):
        stored = entry(context={"one": value})
        disclosed = FORM.disclosed(stored, columns=["context.one"])["context"]["one"][1]
        assert disclosed.encode() == imported("rfc8785").dumps(value)

    def test_order_of_columns_and_fields(self):
        """Keys of a leaf are in the order of UTF-16."""
        changes = {"\uffff": ["a", None], "\U0001f600": ["b", None], "a": [None, None]}
        leaf = FORM.leaf(entry(changes=changes))[1:]
        assert leaf == imported("rfc8785").dumps(json.loads(leaf))
        assert list(json.loads(leaf)["changes"]) == ["a", "\U0001f600", "\uffff"]

    @pytest.mark.parametrize("field", ["name", "", "\ud83d", "x" * 200])
    def test_salt(self, field):
        content = KEY.bytes + b"\x00old\x00" + field.encode("utf-8", "surrogatepass")
        assert FORM.salt(KEY, field, "old") == hmac.digest(SECRET, content, "sha256")[:16]
