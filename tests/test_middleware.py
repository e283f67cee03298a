"""Requests: who, through what, from where."""

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from django_customer_history import history
from django_customer_history.middleware import client_address
from tests.crm.models import Customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(user):
    client = Client(REMOTE_ADDR="203.0.113.9")
    client.force_login(user)
    return client


def test_a_form_post_bears_user_source_address_and_request(client, customer, log):
    client.post(f"/customers/{customer.pk}/", {"name": "Posted"})
    client.post(f"/customers/{customer.pk}/", {"name": "Posted again"})
    assert log.told("actor_label", "source", "ip_address") == [("ann", "web", "203.0.113.9")] * 2
    first, second = log.entries()
    assert first.request_id != second.request_id
    assert first.request_id is not None


def test_an_anonymous_visitor_is_nobody_but_has_an_address(customer, log):
    Client().post(f"/customers/{customer.pk}/", {"name": "Anonymous"})
    assert log.told("actor_id", "source", "ip_address") == [(None, "web", "127.0.0.1")]


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_view_behind_asynchronous_middleware(user, customer, log):
    @async_to_sync
    async def post():
        client = AsyncClient()
        await client.aforce_login(user)
        await client.post(f"/customers/{customer.pk}/async/", {"name": "Async"})

    post()
    assert log.told("actor_label", "source", "ip_address", "changes") == [
        ("ann", "web", "127.0.0.1", {"name": ["Acme", "Async"]})
    ]


def test_a_user_whom_only_the_rest_framework_finds_out(user, customer, log):
    client = APIClient()
    token = Token.objects.create(user=user)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    client.patch(f"/api/customers/{customer.pk}/", {"name": "By token"})
    client = APIClient()
    client.force_authenticate(user)
    client.patch(f"/api/customers/{customer.pk}/", {"name": "Forced"})
    assert log.told("actor_label", "source") == [("ann", "api"), ("ann", "api")]


def test_a_change_in_the_admin(django_user_model, customer, log):
    django_user_model.objects.create_superuser("root", password="pw")
    client = Client()
    client.login(username="root", password="pw")
    log.clear()
    response = client.post(
        f"/admin/crm/customer/{customer.pk}/change/",
        {"name": "Admin", "status": "active", "rate": "39.99", "api_token": "t"},
    )
    assert response.status_code == 302
    (entry,) = [entry for entry in log.entries() if entry.entity_model == "crm.customer"]
    assert (entry.actor_label, entry.source) == ("root", "admin")


def test_a_user_who_appears_half_way_through_the_request(user, customer, log):
    Client().post("/log-in/", {"username": "ann", "p": "pw"})
    told = [
        (entry.entity_label, entry.actor_label)
        for entry in log.entries()
        if entry.entity_model == "crm.customer"
    ]
    assert told == [("before", None), ("after", "ann")]


def test_a_block_in_a_view_overrides_the_request(client, customer, log):
    with history.acting(user=None, source="workflow"):
        client.post(f"/customers/{customer.pk}/", {"name": "Request wins inside"})
    assert log.told("actor_label", "source") == [("ann", "web")]


def test_nothing_leaks_out_of_a_request(client, customer, log):
    client.post(f"/customers/{customer.pk}/", {"name": "x"})
    with pytest.raises(KeyError):
        client.post(f"/customers/{customer.pk}/", {})
    Customer.objects.update(name="y")
    assert log.told("actor_label", "source") == [("ann", "web"), (None, "system")]


def test_a_request_that_writes_nothing_loads_no_session_and_no_user(client, customer):
    with CaptureQueriesContext(connection) as queries:
        client.get(f"/customers/{customer.pk}/read/")
    assert len(queries) == 1


class TestAddress:
    @pytest.mark.parametrize(
        ("remote", "forwarded", "address"),
        [
            ("203.0.113.9", "", "203.0.113.9"),
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not a proxy of ours: not believed
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # spoofed in front
            ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # two proxies
            ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
            ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
            ("10.0.0.1", "198.51.100.1, garbage", None),
            ("10.0.0.1", "garbage, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("::1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:203.0.113.9", "", "203.0.113.9"),
            ("", "198.51.100.1", None),
            ("unix:", "", None),
        ],
    )
    def test_the_right_address_or_none(self, remote, forwarded, address):
        request = RequestFactory().get("/", REMOTE_ADDR=remote)
        if forwarded:
            request.META["HTTP_X_FORWARDED_FOR"] = forwarded
        with override_settings(CUSTOMER_HISTORY={"TRUSTED_PROXIES": ["10.0.0.0/8", "::1"]}):
            assert client_address(request) == address

    def test_without_trusted_proxies_nobodys_header_is_believed(self):
        request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR="198.51.100.1")
        assert client_address(request) == "127.0.0.1"
