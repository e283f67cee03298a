"""What may not be seen is told by nothing beside the answers: headers, logs, sizes, links."""

import io
import json
import logging

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from django_customer_history import history
from django_customer_history.export.streaming import (
    CHUNK_SIZE,
    start_export,
)
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.reading.facets import DEPTH
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from tests.factories import log_updates
from tests.projects.crm.models import Customer, Invoice, Note, Specimen
from tests.reading.conftest import HIDDEN, SSN, grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

ADDRESSES = [
    "/customers/{key}/history/",
    "/customers/{key}/page/",
    "/api/history/",
    "/api/history/?q=" + SSN,
    "/api/history/?-q=" + SSN,
    "/api/history/?user=system&limit=1&kind=delete",
    "/api/history/?field=ssn&entity=crm.customer",
    "/api/history/?limit=0&cursor=x&kind=" + "x" * 40,
    "/api/history/facets/",
    "/api/history/facets/?q=" + SSN,
    "/api/history/export/",
    "/api/history/export/?format=ndjson&q=" + SSN,
    "/api/history/export/?format=xlsx",
    "/api/history/subjects/crm.customer/{key}/",
    "/api/history/subjects/crm.customer/{key}/facets/",
    "/api/history/subjects/crm.customer/{key}/export/?format=ndjson",
    "/api/history/entries/{entry}/",
    "/api/history/entries/{entry}/reveal/",
    "/host/customers/{key}/history/",
    "/host/customers/{key}/history/?kind=x",
    "/admin/customer_history/entry/",
    "/admin/customer_history/entry/?q=" + SSN,
    "/admin/customer_history/entry/?kind=x",
    "/admin/customer_history/entry/{entry}/change/",
    "/admin/customer_history/entry/{entry}/history/",
]


@pytest.fixture
def staff(reader, user):
    get_user_model().objects.filter(pk=user.pk).update(is_staff=True)
    return reader


@pytest.mark.parametrize("method", ["get", "head", "options", "post"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_answer_to_any_method_nor_its_headers_nor_the_logs_tell(
    address, method, staff, confidential_customer, caplog
):
    caplog.set_level(logging.INFO)
    entry = Entry.objects.filter(
        subject_id=str(confidential_customer.pk), changes__has_key="ssn"
    ).first()
    answer = getattr(staff, method)(address.format(key=confidential_customer.pk, entry=entry.id))
    content = answer.getvalue() if answer.streaming else answer.content
    heard = f"{answer.headers}\n{caplog.text}"
    for hidden in HIDDEN:
        asked = hidden in address  # The next page's link and the box repeat what was asked.
        if not asked and not answer.get("Content-Type", "").endswith("sheet"):
            if "/page/" not in address:  # The page around the tag is the host's own.
                assert hidden not in content.decode()
            assert hidden not in heard


def found(reader, query):
    return reader.get(f"/api/history/facets/?{query}").json()


def test_facets_do_not_tell_how_often_a_hidden_value_occurs(reader, user, customer):
    Customer.objects.filter(pk=customer.pk).update(ssn="555-66-7777")
    log_updates(customer, DEPTH - 3)
    Note.objects.create(customer=customer, text="seen")
    assert Entry.objects.filter(subject_model="crm.customer").count() == DEPTH
    for text in ("555-66", "seen", "no such thing"):
        assert found(reader, f"q={text}&subject=crm.customer")["complete"] is True
    Entry.objects.bulk_create(
        Entry(
            timestamp=entry.timestamp, kind="update", action="Update", source="web",
            subject_model="crm.customer", subject_id=str(customer.pk),
            entity_model="crm.customer", entity_id=str(customer.pk),
            changes={"ssn": ["555-66-7777", f"555-66-{number:04}"]},
        )
        for number, entry in enumerate([Entry.objects.first()] * (DEPTH + 1))
    )  # fmt: skip
    answers = [found(reader, f"q={text}") for text in ("555-66", "444-22", "no such thing")]
    assert all(answer == answers[0] for answer in answers)


def test_pieces_of_an_export_have_one_size_whatever_is_left_out(reader, user, customer):
    for number in range(0, 3_000, 2):
        Entry.objects.bulk_create(
            Entry(
                timestamp=customer.updated_at, kind="update", action="Update", source="web",
                subject_model="crm.customer", subject_id=str(customer.pk),
                entity_model="crm.customer", entity_id=str(customer.pk),
                changes={name: ["needle", str(number)]},
            )
            for name in ("ssn", "status")
        )  # fmt: skip
    timeline = Timeline.of_subject(user, Customer, customer.pk).filtered(q="needle")
    sizes = [len(piece) for piece in start_export(timeline, format_name="ndjson")]
    assert len(sizes) > 3
    assert set(sizes[:-1]) == {CHUNK_SIZE}
    assert sizes[-1] <= CHUNK_SIZE


@pytest.fixture
def restored():
    """Put back the registrations that a test removes."""
    before = dict(registry._registrations)
    yield
    registry._registrations.clear()
    registry._registrations.update(before)


def test_the_name_of_a_row_whose_model_is_registered_no_more_is_hidden(
    reader, user, customer, restored
):
    Invoice.objects.create(customer=customer, number="4711-secret")
    address = f"/api/history/subjects/crm.customer/{customer.pk}/"
    assert b"4711-secret" in reader.get(address).content
    history.unregister(Invoice)
    for door in (address, "/api/history/export/", f"/customers/{customer.pk}/history/"):
        answer = reader.get(door)
        content = answer.getvalue() if answer.streaming else answer.content
        assert b"4711-secret" not in content
    grant(user, "view_confidential")
    assert b"4711-secret" in reader.get(address).content


@pytest.mark.parametrize("field", ["name", "api_token"])
def test_an_address_made_of_what_is_hidden_is_left_out(field, reader, customer, monkeypatch):
    Customer.objects.filter(pk=customer.pk).update(**{field: "Zoë & Co"})

    def address(self):
        return f"/by-name/Zo%C3%AB%20%26%20Co/{self.pk}"

    monkeypatch.setattr(Customer, "get_absolute_url", address, raising=False)
    listed = f"/api/history/subjects/crm.customer/{customer.pk}/"
    before = reader.get(listed).json()["results"][0]["entity"]["url"]
    shown = f"/by-name/Zo%C3%AB%20%26%20Co/{customer.pk}"
    assert before == (None if field == "api_token" else shown)
    ConfidentialField.objects.create(model="crm.customer", field="name")
    assert "by-name" not in reader.get(listed).content.decode()


def test_a_key_inside_json_is_no_part_of_a_name_either(reader, user, monkeypatch):
    grant(user, "view_entry")
    Specimen.objects.create(json={"inner": {"colour": "mauve"}})
    monkeypatch.setattr(Specimen, "__str__", lambda self: f"the {self.json['inner']['colour']} one")
    monkeypatch.setattr(Specimen, "get_absolute_url", lambda self: "/mauve/", raising=False)
    assert "/mauve/" in reader.get("/api/history/").content.decode()
    ConfidentialField.objects.create(model="crm.specimen", field="json.inner.colour")
    assert "mauve" not in reader.get("/api/history/").content.decode()


def test_the_command_tells_nothing_where_it_refuses(confidential_customer):
    out, err = io.StringIO(), io.StringIO()
    record = f"crm.customer:{confidential_customer.pk}"
    call_command(
        "history_export", record, "--q", "auve", "--format", "ndjson", stdout=out, stderr=err
    )
    assert out.getvalue() == ""
    for hidden in HIDDEN:
        assert hidden not in err.getvalue()


def test_a_search_that_may_find_nothing_answers_as_one_that_finds_nothing(
    reader, confidential_customer
):
    answers = [
        reader.get("/api/history/", {"q": text}) for text in (SSN, "111-22-3333", "4711-secret")
    ]
    assert [json.loads(answer.content) for answer in answers] == [
        {"next": None, "previous": None, "results": []}
    ] * 3
    assert len({answer["ETag"] for answer in answers}) == 1
