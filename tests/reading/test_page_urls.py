"""The URLs of pages: how a URL names the record, and keys that need quoting."""

import html
import re
from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.urls import path

from django_customer_history.views import HistoryView, RecordAsOfView
from tests.projects.crm.models import Code, Customer
from tests.reading.conftest import grant
from tests.reading.urls import urlpatterns as other_patterns

urlpatterns = [
    *other_patterns,
    path("by-key/<int:customer>/", HistoryView.as_view(model=Customer, pk_url_kwarg="customer")),
    path("by-name/<slug:slug>/", HistoryView.as_view(model=Customer, slug_field="name")),
    path(
        "by-other/<str:name>/",
        HistoryView.as_view(model=Customer, slug_field="name", slug_url_kwarg="name"),
    ),
    path("without/", HistoryView.as_view(model=Customer)),
    path(
        "record/<int:customer>/<uuid:entry>/",
        RecordAsOfView.as_view(model=Customer, pk_url_kwarg="customer"),
    ),
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class TestRecord:
    def test_another_keyword(self, reader, customer):
        assert b"Acme" in reader.get(f"/by-key/{customer.pk}/").content
        assert reader.get("/by-key/987654/").status_code == 404

    def test_slug(self, reader, stranger, customer):
        for url in ("/by-name/Acme/", "/by-other/Acme/"):
            assert b"Acme" in reader.get(url).content
            assert stranger.get(url).status_code == 403
        assert reader.get("/by-name/nobody/").status_code == 404

    def test_slug_of_two_records(self, reader, customer):
        Customer.objects.create(name="Acme")
        assert reader.get("/by-name/Acme/").status_code == 404

    def test_url_without_a_key(self, reader, user):
        with pytest.raises(ImproperlyConfigured, match="no keyword 'pk'"):
            reader.get("/without/")

    def test_record_as_of(self, reader, customer):
        entry = reader.get(f"/by-key/{customer.pk}/").context["page"].entries[0]
        assert reader.get(f"/record/{customer.pk}/{entry.id}/").status_code == 200
        assert reader.get(f"/record/{customer.pk + 1}/{entry.id}/").status_code == 404

    def test_the_factory_of_requests(self, user, customer):
        grant(user, "view_customer_history")
        request = RequestFactory().get("/")
        request.user = user
        view = HistoryView.as_view(model=Customer)
        assert view(request, pk=customer.pk).status_code == 200


class TestQuoting:
    @pytest.mark.parametrize("key", ["%2F", "a?b", "a#b", "a b", "100%", "ü", "a&b=c", "a;b"])
    def test_links_lead_to_the_same_record(self, key, reader, user, customer):
        grant(user, "view_code_history", "export_code_history")
        Code.objects.create(code="/", text="somebody else")
        Code.objects.create(code=key, text="the right one")
        url = f"/records/crm.code/{quote(key, safe='')}/"
        page = reader.get(url).content.decode()
        link = html.unescape(re.search(r'href="([^"]*format=csv[^"]*)"', page)[1])
        text = reader.get(link.partition("#")[0]).getvalue().decode()
        assert "the right one" in text
        assert "somebody else" not in text

    @pytest.mark.parametrize("key", ["%2F", "a?b", "a#b"])
    def test_pages_of_rest(self, key, reader, user, customer):
        grant(user, "view_code_history")
        code = Code.objects.create(code=key, text="the right one")
        Code.objects.filter(pk=code.pk).update(text="changed")
        url = f"/api/history/subjects/crm.code/{quote(key, safe='')}/?limit=1"
        first = reader.get(url).json()
        second = reader.get(first["next"]).json()
        assert [entry["kind"] for entry in second["results"]] == ["create"]
