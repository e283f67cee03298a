"""`HistoryMixin`: the objects of the project's viewset, everything else as at `/subjects/`."""

import json

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework.throttling import UserRateThrottle

from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Note
from tests.reading.conftest import grant
from tests.reading.urls import CustomerViewSet, PagedViewSet

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

ROUTES = ["customers", "paged"]


@pytest.fixture(params=ROUTES)
def url(request, customer):
    return f"/project/{request.param}/{customer.pk}/history/"


def check_problem(answer, status):
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "private, no-store"
    problem = json.loads(answer.content)
    assert problem["type"] == "about:blank"
    assert problem["status"] == answer.status_code == status
    return problem


class TestHistoryPage:
    def test_equals_the_subject_endpoint(self, url, reader, customer):
        Note.objects.create(customer=customer, text="t")
        answer = reader.get(f"{url}?limit=1&kind=create")
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/json"
        assert answer["Cache-Control"] == "private, no-store"
        expected = reader.get(
            f"/api/history/subjects/crm.customer/{customer.pk}/?limit=1&kind=create"
        )
        page = answer.json()
        assert page["results"] == expected.json()["results"]
        assert page["previous"] is None
        following = reader.get(page["next"]).json()
        assert [entry["entity"]["label"] for entry in following["results"]] == ["Acme"]
        assert reader.get(following["previous"]).json()["results"] == page["results"]

    def test_page_has_an_etag(self, url, reader):
        etag = reader.get(url)["ETag"]
        assert reader.get(url, headers={"If-None-Match": etag}).status_code == 304

    def test_head_and_options_log_nothing(self, url, reader, log):
        log.clear()
        assert reader.head(url).status_code == 200
        assert reader.options(url).status_code == 200
        assert log.entries() == []

    def test_names_all_errors_at_once(self, url, reader):
        problem = check_problem(reader.get(f"{url}?acton=x&limit=0&cursor=x&format=json"), 400)
        named = [error["parameter"] for error in problem["errors"]]
        assert named == ["acton", "format", "limit", "cursor"]


def handled_by_the_project(error, context):
    raise AssertionError("the project's handler")


class TestProjectSettings:
    def test_ignores_the_exception_handler(self, url, stranger, settings):
        handler = "tests.reading.test_viewset.handled_by_the_project"
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": handler}
        check_problem(stranger.get(url), 403)
        with pytest.raises(AssertionError, match="the project's handler"):
            stranger.get("/project/customers/987654/")

    def test_ignores_the_viewsets_filters(self, reader, customer):
        assert (
            reader.get(f"/project/paged/{customer.pk}/?kind=create", format="json").status_code
            == 404
        )
        found = reader.get(f"/project/paged/{customer.pk}/history/?kind=create").json()["results"]
        assert [entry["kind"] for entry in found] == ["create"]

    def test_other_actions_are_unchanged(self, reader, customer):
        answer = reader.post(f"/project/customers/{customer.pk}/", {})
        assert answer.status_code == 405
        assert answer["Content-Type"] == "application/json"
        assert "Cache-Control" not in answer

    def test_model_must_be_a_subject(self, reader, customer):
        note = Note.objects.create(customer=customer, text="t")
        with pytest.raises(ImproperlyConfigured, match=r"crm\.Note"):
            reader.get(f"/project/notes/{note.pk}/history/")
        assert Entry.objects.filter(entity_model="crm.note").exists()


class TestAccess:
    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_is_read_only_for_everybody(self, url, method, reader, user):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user)
        for client in (reader, strict, Client()):
            answer = getattr(client, method)(url)
            assert check_problem(answer, 405)["title"] == "Method Not Allowed"
            assert answer["Allow"] == "GET, HEAD, OPTIONS"

    def test_anonymous_users_get_a_401(self, url, customer):
        answer = Client().get(url)
        assert check_problem(answer, 401)["title"] == "Unauthorized"
        assert answer["WWW-Authenticate"]

    def test_hidden_object_has_no_history(self, reader):
        hidden = Customer.objects.create(name="Hidden from all users")
        for key in (hidden.pk, 987654):
            problem = check_problem(reader.get(f"/project/customers/{key}/history/"), 404)
            assert problem["title"] == "Not Found"
            assert "Hidden" not in json.dumps(problem)
        assert reader.get(f"/api/history/subjects/crm.customer/{hidden.pk}/").status_code == 200

    def test_history_permission_is_required(self, url, stranger):
        check_problem(stranger.get(url), 403)

    def test_rejects_other_methods(self, url, reader):
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(reader, method)(url)
            check_problem(answer, 405)
            assert answer["Allow"] == "GET, HEAD, OPTIONS"

    def test_uses_viewset_authentication(self, user, customer):
        grant(user, "view_customer_history")
        token = {"Authorization": f"Token {Token.objects.create(user=user).key}"}
        client = Client(headers=token)
        assert client.get(f"/project/customers/{customer.pk}/history/").status_code == 200
        assert client.get(f"/project/paged/{customer.pk}/history/").status_code == 401

    def test_viewset_cannot_open_access(self, url, monkeypatch):
        for viewset in (CustomerViewSet, PagedViewSet):
            monkeypatch.setattr(viewset, "get_permissions", lambda self: [])
        check_problem(Client().get(url), 401)


class TestThrottling:
    def test_project_and_history_rates(self, reader, customer, settings, monkeypatch):
        url = f"/project/paged/{customer.pk}/history/"
        cache.clear()
        monkeypatch.setattr(UserRateThrottle, "rate", "3/hour", raising=False)
        assert [reader.get(url).status_code for _ in range(4)] == [200, 200, 200, 429]
        cache.clear()
        rates = {"customer_history": "1/hour"}
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
        assert reader.get(url).status_code == 200
        answer = reader.get(url)
        check_problem(answer, 429)
        assert int(answer["Retry-After"]) > 0
        cache.clear()

    def test_viewset_cannot_switch_it_off(self, url, reader, settings, monkeypatch):
        for viewset in (CustomerViewSet, PagedViewSet):
            monkeypatch.setattr(viewset, "get_throttles", lambda self: [])
        cache.clear()
        rates = {"customer_history": "1/hour"}
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
        assert [reader.get(url).status_code for _ in range(2)] == [200, 429]
        cache.clear()
