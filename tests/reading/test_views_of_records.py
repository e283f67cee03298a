"""Views of records: recorded by pages, endpoints and the admin; shown only when asked for."""

from http import HTTPStatus

import pytest
from django.contrib import admin

from django_customer_history import history
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Customer
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.view_urls")]


@pytest.fixture
def visit(django_capture_on_commit_callbacks):
    def get(client, path, status=HTTPStatus.OK):
        with django_capture_on_commit_callbacks(execute=True):
            response = client.get(path)
        assert response.status_code == status
        return response

    return get


def viewed(log):
    return [
        (one.user_label, one.source, sorted(one.changes))
        for one in log.entries()
        if one.kind == "view"
    ]


class TestRecorded:
    def test_by_a_page(self, reader, customer, log, visit, settings):
        settings.TEMPLATES = [_template("{{ object.name }}")]
        visit(reader, f"/customers/{customer.pk}/")
        visit(reader, f"/customers/{customer.pk}/")
        assert viewed(log) == [("ann", "web", ["name", "ssn"])]

    def test_not_by_a_missing_page(self, reader, customer, log, visit):
        visit(reader, "/customers/999999/", HTTPStatus.NOT_FOUND)
        assert viewed(log) == []

    def test_by_an_endpoint(self, reader, customer, log, visit):
        visit(reader, "/api/customers/")
        assert viewed(log) == []
        visit(reader, f"/api/customers/{customer.pk}/")
        assert viewed(log) == [("ann", "api", [])]

    def test_by_the_admin(self, admin_client, customer, log, visit, monkeypatch):
        path = f"/admin/crm/customer/{customer.pk}/change/"
        visit(admin_client, path)
        assert viewed(log) == []
        monkeypatch.setattr(type(admin.site.get_model_admin(Customer)), "log_views", True)
        visit(admin_client, path)
        assert viewed(log) == [("admin", "admin", [])]


def _template(text):
    return {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                ("django.template.loaders.locmem.Loader", {"customer_page.html": text}),
            ]
        },
    }


@pytest.fixture
def seen(customer, log, user, django_capture_on_commit_callbacks):
    """A customer with one change and one view."""
    Customer.objects.filter(pk=customer.pk).update(rate="44.99")
    with django_capture_on_commit_callbacks(execute=True), history.acting(user=user):
        history.viewed(customer, fields=["name", "ssn"])
    return customer


class TestShown:
    def kinds(self, response):
        return [one["kind"] for one in response.json()["results"]]

    def test_over_rest(self, reader, seen):
        path = f"/api/history/subjects/crm.customer/{seen.pk}/"
        assert self.kinds(reader.get(path)) == ["update", "create"]
        assert self.kinds(reader.get(path + "?kind=view")) == ["view"]
        assert self.kinds(reader.get(path + "?kind=view&kind=update")) == ["view", "update"]
        assert self.kinds(reader.get(path + "?action=Viewed")) == ["view"]
        assert self.kinds(reader.get(path + "?kind=view&field=ssn")) == ["view"]
        assert self.kinds(reader.get(path + "?kind=view&field=rate")) == []

    def test_permalink(self, reader, seen, log):
        view = next(one for one in log.entries() if one.kind == "view")
        assert reader.get(f"/api/history/entries/{view.pk}/").json()["action"] == "Viewed"

    def test_on_the_tab(self, reader, seen):
        path = f"/customers/{seen.pk}/history/"
        assert "Viewed" not in reader.get(path).content.decode()
        page = reader.get(path + "?kind=view").content.decode()
        assert "Viewed" in page
        assert "<bdi>Name</bdi>, <bdi>Ssn</bdi>" in page

    def test_in_exports(self, reader, seen):
        path = f"/api/history/subjects/crm.customer/{seen.pk}/export/?format=csv"
        assert b"Viewed" not in b"".join(reader.get(path).streaming_content)
        assert b"Viewed" in b"".join(reader.get(path + "&kind=view").streaming_content)

    def test_in_menus(self, reader, seen):
        path = f"/api/history/subjects/crm.customer/{seen.pk}/facets/"
        assert {"value": "view", "label": "Viewed"} in reader.get(path).json()["kinds"]

    def test_in_python(self, seen, user):
        grant(user, "view_customer_history")
        timeline = Timeline.of_subject(user, Customer, seen.pk)
        assert timeline.total() == 2
        assert timeline.filtered(kind="view").total() == 1
