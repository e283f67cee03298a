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
from tests.reading.urls import CustomerViewSet, OldFashionedViewSet

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

HOSTS = ["customers", "old"]


@pytest.fixture(params=HOSTS)
def address(request, customer):
    return f"/host/{request.param}/{customer.pk}/history/"


def is_problem(answer, status):
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "private, no-store"
    problem = json.loads(answer.content)
    assert problem["type"] == "about:blank"
    assert problem["status"] == answer.status_code == status
    return problem


def test_it_is_the_page_of_the_subject(address, reader, customer):
    Note.objects.create(customer=customer, text="t")
    answer = reader.get(f"{address}?limit=1&kind=create")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "private, no-store"
    expected = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/?limit=1&kind=create")
    page = answer.json()
    assert page["results"] == expected.json()["results"]
    assert page["previous"] is None
    following = reader.get(page["next"]).json()
    assert [entry["entity"]["label"] for entry in following["results"]] == ["Acme"]
    assert reader.get(following["previous"]).json()["results"] == page["results"]


def test_it_has_an_etag(address, reader):
    etag = reader.get(address)["ETag"]
    assert reader.get(address, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_read_only_for_everybody(address, method, reader, user):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    for client in (reader, strict, Client()):
        answer = getattr(client, method)(address)
        assert is_problem(answer, 405)["title"] == "Method Not Allowed"
        assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_anonymous_users_get_a_401(address, customer):
    answer = Client().get(address)
    assert is_problem(answer, 401)["title"] == "Unauthorized"
    assert answer["WWW-Authenticate"]


def test_a_hidden_object_has_no_history(reader):
    kept = Customer.objects.create(name="Kept from everybody")
    for key in (kept.pk, 987654):
        problem = is_problem(reader.get(f"/host/customers/{key}/history/"), 404)
        assert problem["title"] == "Not Found"
        assert "Kept" not in json.dumps(problem)
    assert reader.get(f"/api/history/subjects/crm.customer/{kept.pk}/").status_code == 200


def test_the_permission_of_the_history_is_required(address, stranger):
    is_problem(stranger.get(address), 403)


def test_other_methods_are_refused(address, reader):
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(reader, method)(address)
        is_problem(answer, 405)
        assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_head_and_options_are_not_logged(address, reader, log):
    log.clear()
    assert reader.head(address).status_code == 200
    assert reader.options(address).status_code == 200
    assert log.entries() == []


def test_all_errors_are_named_at_once(address, reader):
    problem = is_problem(reader.get(f"{address}?acton=x&limit=0&cursor=x&format=json"), 400)
    named = [error["parameter"] for error in problem["errors"]]
    assert named == ["acton", "format", "limit", "cursor"]


def test_the_projects_exception_handler_does_not_apply(address, stranger, settings):
    handler = "tests.reading.test_viewset.handled_by_the_project"
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": handler}
    is_problem(stranger.get(address), 403)
    with pytest.raises(AssertionError, match="the project's handler"):
        stranger.get("/host/customers/987654/")


def handled_by_the_project(error, context):
    raise AssertionError("the project's handler")


def test_the_projects_filters_get_no_parameters(reader, customer):
    assert reader.get(f"/host/old/{customer.pk}/?kind=create", format="json").status_code == 404
    found = reader.get(f"/host/old/{customer.pk}/history/?kind=create").json()["results"]
    assert [entry["kind"] for entry in found] == ["create"]


def test_other_actions_are_unchanged(reader, customer):
    answer = reader.post(f"/host/customers/{customer.pk}/", {})
    assert answer.status_code == 405
    assert answer["Content-Type"] == "application/json"
    assert "Cache-Control" not in answer


def test_throttles_of_project_and_history_apply(reader, customer, settings, monkeypatch):
    address = f"/host/old/{customer.pk}/history/"
    cache.clear()
    monkeypatch.setattr(UserRateThrottle, "rate", "3/hour", raising=False)
    assert [reader.get(address).status_code for _ in range(4)] == [200, 200, 200, 429]
    cache.clear()
    rates = {"customer_history": "1/hour"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    assert reader.get(address).status_code == 200
    answer = reader.get(address)
    is_problem(answer, 429)
    assert int(answer["Retry-After"]) > 0
    cache.clear()


def test_users_authenticate_as_for_the_viewset(user, customer):
    grant(user, "view_customer_history")
    token = {"Authorization": f"Token {Token.objects.create(user=user).key}"}
    client = Client(headers=token)
    assert client.get(f"/host/customers/{customer.pk}/history/").status_code == 200
    assert client.get(f"/host/old/{customer.pk}/history/").status_code == 401


def test_a_model_that_is_not_a_subject_is_an_error(reader, customer):
    note = Note.objects.create(customer=customer, text="t")
    with pytest.raises(ImproperlyConfigured, match=r"crm\.Note"):
        reader.get(f"/host/notes/{note.pk}/history/")
    assert Entry.objects.filter(entity_model="crm.note").exists()


def test_a_viewset_cannot_open_the_history_to_anonymous_users(address, monkeypatch):
    for viewset in (CustomerViewSet, OldFashionedViewSet):
        monkeypatch.setattr(viewset, "get_permissions", lambda self: [])
    is_problem(Client().get(address), 401)


def test_a_viewset_cannot_switch_the_throttle_of_the_history_off(
    address, reader, settings, monkeypatch
):
    for viewset in (CustomerViewSet, OldFashionedViewSet):
        monkeypatch.setattr(viewset, "get_throttles", lambda self: [])
    cache.clear()
    rates = {"customer_history": "1/hour"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    assert [reader.get(address).status_code for _ in range(2)] == [200, 429]
    cache.clear()
