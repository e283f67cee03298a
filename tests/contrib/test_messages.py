"""The formats of messages follow their published schemas."""

import json
from dataclasses import replace

import jsonschema
import pytest

from django_customer_history import history
from django_customer_history.feed.messages import MESSAGE_FORMATS, native_schema
from django_customer_history.models import Entry
from django_customer_history.reading.timeline import Timeline
from tests.documents import DOCS
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def entries(customer, user, django_user_model, django_capture_on_commit_callbacks):
    """Return presented entries of every kind."""
    with history.acting(user=user, source="web", ip_address="203.0.113.9", reason="moved"):
        Customer.objects.update(name="New", ssn="987-65-4321")
    history.record("Called", subject=customer, changes={"score": (None, 7)})
    with django_capture_on_commit_callbacks(execute=True):
        history.viewed(customer)
    customer.delete()
    reader = django_user_model.objects.create_superuser("root")
    # Not the feed: in a test's transaction nothing is settled.
    timeline = replace(Timeline.of_everything(reader), shows_views=True)
    found = [entry for entries in timeline.chunks() for entry in entries]
    assert {"create", "update", "event", "delete", "view"} <= {entry.kind for entry in found}
    return found


def by_kind(entries, name, kind):
    (entry,) = [one for one in entries if (one.kind, one.entity.model) == (kind, "crm.customer")]
    return json.loads(MESSAGE_FORMATS[name].encoded(entry))


class TestNative:
    def test_follows_its_schema(self, entries):
        schema = jsonschema.Draft202012Validator(native_schema())
        for entry in entries:
            schema.validate(json.loads(MESSAGE_FORMATS["native"].encoded(entry)))

    def test_published_schema(self):
        path = DOCS / "reference" / "entry.schema.json"
        assert json.loads(path.read_text(encoding="utf-8")) == native_schema()


class TestCloudEvents:
    def test_attributes(self, entries):
        event = by_kind(entries, "cloudevents", "update")
        entry = Entry.objects.get(kind="update", entity_model="crm.customer")
        assert event.pop("data")["kind"] == "update"
        assert event == {
            "specversion": "1.0",
            "id": str(entry.id),
            "source": "/customer-history",
            "type": "customer_history.entry.update",
            "subject": f"crm.customer/{entry.entity_id}",
            "time": event["time"],
            "datacontenttype": "application/json",
        }


class TestOcsf:
    def test_follows_its_schema(self, entries):
        ocsf = pytest.importorskip("ocsf_json_schema")
        schemas = ocsf.OcsfJsonSchemaEmbedded(ocsf.get_ocsf_schema("1.6.0"))
        schema = jsonschema.validators.validator_for({})(
            schemas.get_class_schema("entity_management")
        )
        for entry in entries:
            schema.validate(json.loads(MESSAGE_FORMATS["ocsf"].encoded(entry)))

    def test_update(self, entries):
        event = by_kind(entries, "ocsf", "update")
        assert (event["type_uid"], event["comment"]) == (300403, "moved")
        assert event["src_endpoint"] == {"ip": "203.0.113.9"}
        assert event["entity"]["data"]["name"] == "Acme"
        assert event["entity_result"]["data"]["name"] == "New"

    @pytest.mark.parametrize(
        ("kind", "activity"), [("create", 1), ("view", 2), ("delete", 4), ("event", 99)]
    )
    def test_activities(self, entries, kind, activity):
        event = by_kind(entries, "ocsf", kind)
        assert (event["activity_id"], event["class_uid"]) == (activity, 3004)
