"""The name of a record that a backend denies stays hidden, also after its deletion."""

import pytest

from django_customer_history import history
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Note, Referral
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "tests.reading.backends.TenantBackend",
]


def texts(client, customer):
    """Return what a reader gets of a customer, and of all customers."""
    urls = (
        f"/api/history/subjects/crm.customer/{customer.pk}/?limit=200",
        f"/api/history/subjects/crm.customer/{customer.pk}/facets/",
        f"/api/history/subjects/crm.customer/{customer.pk}/export/?format=csv",
        f"/api/history/subjects/crm.customer/{customer.pk}/export/?format=ndjson",
        f"/customers/{customer.pk}/history/?filter=open",
        "/api/history/?limit=200",
        "/api/history/facets/",
        "/api/history/export/?format=csv",
        "/api/history/?q=Theirs",
    )
    for url in urls:
        answer = client.get(url)
        assert answer.status_code == 200
        yield (answer.getvalue() if answer.streaming else answer.content).decode()


@pytest.fixture
def moved(customer, user, settings):
    """A note of another tenant's customer that became a note of this one."""
    settings.AUTHENTICATION_BACKENDS = BACKENDS
    grant(user, "view_customer_history", "export_customer_history")
    theirs = Customer.objects.create(name="Theirs")
    note = Note.objects.create(customer=theirs, text="moves")
    Note.objects.filter(pk=note.pk).update(customer=customer)
    Referral.objects.create(seller=customer, buyer=theirs)
    return theirs


class TestDeniedNames:
    def test_existing_record(self, reader, customer, moved):
        assert not any("Theirs" in text for text in texts(reader, customer))

    def test_deleted_record(self, reader, customer, moved):
        key = moved.pk
        moved.delete()
        assert not any("Theirs" in text for text in texts(reader, customer))
        url = f"/api/history/subjects/crm.customer/{customer.pk}/?entity=crm.note&kind=update"
        (update,) = reader.get(url).json()["results"]
        assert update["changes"][0]["old_display"] == f"#{key}"

    def test_deleted_without_an_entry(self, reader, customer, moved):
        with history.paused(reason="nightly job"):
            moved.delete()
        assert not any("Theirs" in text for text in texts(reader, customer))

    def test_record_without_any_values(self, reader, customer, moved):
        """Nothing tells whose record it was: its name is hidden."""
        Entry.objects.create(
            timestamp=customer.updated_at, kind="event", action="Signed", source="web",
            subject_model="crm.customer", subject_id="987654", entity_model="crm.customer",
            entity_id="987654", entity_label="Theirs", changes={},
        )  # fmt: skip
        assert not any("Theirs" in text for text in texts(reader, customer))

    def test_superusers_see_it(self, reader, user, customer, moved):
        user.is_superuser = True
        user.save()
        moved.delete()
        assert all("Theirs" in text for text in list(texts(reader, customer))[:1])

    def test_own_deleted_record(self, reader, customer, moved):
        ours = Customer.objects.create(name="Ours")
        Note.objects.filter(customer=customer).update(customer=ours)
        Note.objects.update(customer=customer)
        ours.delete()
        assert "Ours" in next(texts(reader, customer))
