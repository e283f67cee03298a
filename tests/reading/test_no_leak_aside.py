"""Hidden values do not leak through headers, logs, sizes, labels or links either."""

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

URLS = [
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
    "/project/customers/{key}/history/",
    "/project/customers/{key}/history/?kind=x",
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


def found(reader, query):
    return reader.get(f"/api/history/facets/?{query}").json()


class TestSizes:
    def test_facets_count_no_hidden_values(self, reader, user, customer):
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

    def test_export_chunks_have_one_size(self, reader, user, customer):
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
    """Restore the registrations that a test removes."""
    before = dict(registry._registrations)
    yield
    registry._registrations.clear()
    registry._registrations.update(before)


class TestLabelsAndUrls:
    def test_label_of_an_unregistered_model(self, reader, user, customer, restored):
        Invoice.objects.create(customer=customer, number="4711-secret")
        url = f"/api/history/subjects/crm.customer/{customer.pk}/"
        assert b"4711-secret" in reader.get(url).content
        history.unregister(Invoice)
        for output in (url, "/api/history/export/", f"/customers/{customer.pk}/history/"):
            answer = reader.get(output)
            content = answer.getvalue() if answer.streaming else answer.content
            assert b"4711-secret" not in content
        grant(user, "view_confidential")
        assert b"4711-secret" in reader.get(url).content

    @pytest.mark.parametrize("field", ["name", "api_token"])
    def test_url_with_a_hidden_value(self, field, reader, customer, monkeypatch):
        Customer.objects.filter(pk=customer.pk).update(**{field: "Zoë & Co"})

        def url(self):
            return f"/by-name/Zo%C3%AB%20%26%20Co/{self.pk}"

        monkeypatch.setattr(Customer, "get_absolute_url", url, raising=False)
        list_url = f"/api/history/subjects/crm.customer/{customer.pk}/"
        before = reader.get(list_url).json()["results"][0]["entity"]["url"]
        shown = f"/by-name/Zo%C3%AB%20%26%20Co/{customer.pk}"
        assert before == (None if field == "api_token" else shown)
        ConfidentialField.objects.create(model="crm.customer", field="name")
        assert "by-name" not in reader.get(list_url).content.decode()

    def test_label_with_a_hidden_json_key(self, reader, user, monkeypatch):
        grant(user, "view_entry")
        Specimen.objects.create(json={"inner": {"colour": "mauve"}})
        monkeypatch.setattr(
            Specimen, "__str__", lambda self: f"the {self.json['inner']['colour']} one"
        )
        monkeypatch.setattr(Specimen, "get_absolute_url", lambda self: "/mauve/", raising=False)
        assert "/mauve/" in reader.get("/api/history/").content.decode()
        ConfidentialField.objects.create(model="crm.specimen", field="json.inner.colour")
        assert "mauve" not in reader.get("/api/history/").content.decode()


class TestAnswers:
    @pytest.mark.parametrize("method", ["get", "head", "options", "post"])
    @pytest.mark.parametrize("url", URLS)
    def test_headers_and_logs_of_any_method(
        self, url, method, staff, confidential_customer, caplog
    ):
        caplog.set_level(logging.INFO)
        entry = Entry.objects.filter(
            subject_id=str(confidential_customer.pk), changes__has_key="ssn"
        ).first()
        answer = getattr(staff, method)(url.format(key=confidential_customer.pk, entry=entry.id))
        content = answer.getvalue() if answer.streaming else answer.content
        headers_and_logs = f"{answer.headers}\n{caplog.text}"
        for hidden in HIDDEN:
            # The link of the next page and the search box repeat the search.
            is_searched = hidden in url
            if not is_searched and not answer.get("Content-Type", "").endswith("sheet"):
                if "/page/" not in url:  # The page around the tag belongs to the project.
                    assert hidden not in content.decode()
                assert hidden not in headers_and_logs

    def test_command_shows_no_hidden_value(self, confidential_customer):
        out, err = io.StringIO(), io.StringIO()
        record = f"crm.customer:{confidential_customer.pk}"
        call_command(
            "history_export", record, "--q", "auve", "--format", "ndjson", stdout=out, stderr=err
        )
        assert out.getvalue() == ""
        for hidden in HIDDEN:
            assert hidden not in err.getvalue()

    def test_hidden_and_absent_look_alike(self, reader, confidential_customer):
        answers = [
            reader.get("/api/history/", {"q": text}) for text in (SSN, "111-22-3333", "4711-secret")
        ]
        assert [json.loads(answer.content) for answer in answers] == [
            {"next": None, "previous": None, "results": []}
        ] * 3
        assert len({answer["ETag"] for answer in answers}) == 1
