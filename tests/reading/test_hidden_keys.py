"""A mark on a JSON key hides it in a value of any shape, in every output."""

import json

import pytest

from django_customer_history import masks
from django_customer_history.access.hidden_keys import hidden_texts, mask_keys
from django_customer_history.models import ConfidentialField, Entry
from tests.projects.crm.models import Account, Specimen
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

STARS = "*****"
SHAPES = [
    ("scalar", "mauve", STARS),
    ("number", 471147114711, STARS),
    ("boolean", True, STARS),
    ("list of scalars", ["mauve", 7], [STARS, STARS]),
    ("object", {"colour": "mauve", "size": 7}, {"colour": STARS, "size": 7}),
    ("null", {"colour": None}, {"colour": None}),
    ("value is a list", {"colour": ["mauve"]}, {"colour": STARS}),
    ("value is an object", {"colour": {"name": "mauve"}}, {"colour": STARS}),
    ("list of objects", [{"colour": "mauve"}, {"size": 7}], [{"colour": STARS}, {"size": 7}]),
    ("list of both", [{"colour": "mauve"}, "mauve"], [{"colour": STARS}, STARS]),
    ("object as text", '{"colour": "mauve", "size": 7}', '{"colour": "*****", "size": 7}'),
    ("list as text", '["mauve"]', '["*****"]'),
    ("text as text", '"mauve"', '"*****"'),
    ("text like JSON", "{mauve", STARS),
]


@pytest.mark.parametrize(
    ("value", "shown"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
class TestShapes:
    def test_mask_of_a_key(self, value, shown):
        assert json.loads(mask_keys(json.dumps(value), {"colour": masks.FULL})) == shown

    def test_in_every_output(self, value, shown, reader, user):
        grant(user, "view_account_history", "export_account_history")
        account = Account.objects.create(label="a")
        specimen = Specimen.objects.create(account=account, json={})
        Specimen.objects.filter(pk=specimen.pk).update(json=value)
        ConfidentialField.objects.create(model="crm.specimen", field="json.colour")
        subject = f"/api/history/subjects/crm.account/{account.pk}/"
        (update,) = reader.get(f"{subject}?kind=update").json()["results"]
        (change,) = update["changes"]
        assert (change["masked"], change["new"]) == (True, None)
        assert json.loads(change["new_display"]) == shown
        urls = (subject, f"{subject}export/?format=csv", f"{subject}export/?format=ndjson",
                f"/api/history/entries/{update['id']}/record/",
                f"/records/crm.account/{account.pk}/",
                f"/records/record/{update['id']}/")  # fmt: skip
        for url in urls:
            answer = reader.get(url)
            text = (answer.getvalue() if answer.streaming else answer.content).decode()
            assert answer.status_code == 200
            assert "mauve" not in text
            assert "471147114711" not in text
        for text in ("mauve", "471147114711"):
            assert reader.get(f"{subject}?q={text}").json()["results"] == []

    def test_shown_with_the_permission(self, value, shown, reader, user):
        grant(user, "view_account_history")
        account = Account.objects.create(label="a")
        ConfidentialField.objects.create(model="crm.specimen", field="json.colour")
        grant(user, "view_confidential_specimen_json__colour")
        Specimen.objects.create(account=account, json=value)
        url = f"/api/history/subjects/crm.account/{account.pk}/?entity=crm.specimen"
        changes = reader.get(url).json()["results"][0]["changes"]
        (change,) = [one for one in changes if one["field"] == "json"]
        assert (change["masked"], change["new"]) == (False, value)


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "value", "shown"),
        [
            ("a.b", {"a": {"b": "x", "c": "y"}}, {"a": {"b": STARS, "c": "y"}}),
            ("a.b", {"a": "x", "b": "y"}, {"a": STARS, "b": "y"}),
            ("a.b", {"a": [{"b": "x"}, {"c": "y"}]}, {"a": [{"b": STARS}, {"c": "y"}]}),
            ("a.b", {"a": ["x"]}, {"a": [STARS]}),
            ("a.b", {"a.b": "x"}, {"a.b": STARS}),
            ("a.b", {"a": '{"b": "x"}'}, {"a": '{"b": "*****"}'}),
            ("0.b", [{"b": "x"}], [{"b": STARS}]),
            ("0", ["x", {"b": "y"}], [STARS, {"b": STARS}]),
            ("b", {"a": {"b": "other key"}}, {"a": {"b": "other key"}}),
        ],
    )
    def test_nested_key(self, path, value, shown):
        assert json.loads(mask_keys(json.dumps(value), {path: masks.FULL})) == shown

    def test_text_that_is_not_json(self):
        assert mask_keys("mauve", {"colour": masks.FULL}) == STARS

    def test_partial_mask_of_an_object(self):
        value = json.dumps({"ssn": {"number": "987-65-4321"}})
        assert json.loads(mask_keys(value, {"ssn": masks.SSN})) == {"ssn": STARS}
        value = json.dumps({"ssn": "987-65-4321"})
        assert json.loads(mask_keys(value, {"ssn": masks.SSN})) == {"ssn": "***-**-4321"}

    def test_all_hidden_texts(self):
        value = {"a": [{"b": "x"}, "y"], "c": "z", "b": {"d": 7}}
        assert list(hidden_texts(value, ["a.b", "b"])) == ["x", "y", "7"]


class TestLabels:
    def test_name_with_a_hidden_key(self, reader, user, monkeypatch):
        grant(user, "view_account_history")
        account = Account.objects.create(label="a")
        Specimen.objects.create(account=account, json=[{"colour": "mauve"}])
        ConfidentialField.objects.create(model="crm.specimen", field="json.colour")
        monkeypatch.setattr(
            Specimen, "get_absolute_url", lambda self: f"/{self.json[0]['colour']}/", raising=False
        )
        url = f"/api/history/subjects/crm.account/{account.pk}/?entity=crm.specimen"
        (entry,) = reader.get(url).json()["results"]
        assert entry["entity"]["url"] is None

    def test_label_of_such_an_entry(self, reader, user):
        grant(user, "view_account_history")
        account = Account.objects.create(label="a")
        Entry.objects.create(
            timestamp=Entry.objects.first().timestamp, kind="update", action="Update",
            subject_model="crm.account", subject_id=str(account.pk), entity_model="crm.specimen",
            entity_id="1", entity_label="the mauve one", source="web",
            changes={"json": [None, '["mauve"]']},
        )  # fmt: skip
        grant(user, "view_entry")
        ConfidentialField.objects.create(model="crm.specimen", field="json.colour")
        url = f"/api/history/subjects/crm.account/{account.pk}/?entity=crm.specimen"
        assert b"mauve" not in reader.get(url).content


def test_key_of_a_text_field(reader, user):
    """A program can mark a key of JSON that is kept in a text field."""
    grant(user, "view_account_history")
    account = Account.objects.create(label="a")
    for text in ('{"colour": "mauve"}', "mauve"):
        Specimen.objects.create(account=account, text=text)
    ConfidentialField.objects.create(model="crm.specimen", field="text.colour")
    url = f"/api/history/subjects/crm.account/{account.pk}/?entity=crm.specimen"
    assert b"mauve" not in reader.get(url).content
