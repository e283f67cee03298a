"""Requests: who, through what, from where."""

import asyncio

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from django_customer_history import history
from django_customer_history.context.current import SOURCES
from django_customer_history.exceptions import InvalidContextError
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(user):
    client = Client(REMOTE_ADDR="203.0.113.9")
    client.force_login(user)
    return client


def test_a_form_post_bears_user_source_address_and_request(client, customer, log):
    client.post(f"/customers/{customer.pk}/", {"name": "Posted"})
    client.post(f"/customers/{customer.pk}/", {"name": "Posted again"})
    assert log.values("user_label", "source", "ip_address") == [("ann", "web", "203.0.113.9")] * 2
    first, second = log.entries()
    assert first.request_id != second.request_id
    assert first.request_id is not None


@pytest.mark.django_db(transaction=True)
def test_a_request_leaves_nothing_in_its_connection(client, customer, log):
    client.post(f"/customers/{customer.pk}/", {"name": "Posted"})
    past_django = connection.connection.cursor()
    past_django.execute("UPDATE crm_customer SET name = 'past Django'")
    past_django.close()
    client.post(f"/customers/{customer.pk}/", {"name": "Posted again"})
    assert log.values("user_label", "source") == [("ann", "web"), (None, "system"), ("ann", "web")]


def test_an_anonymous_visitor_is_nobody_but_has_an_address(customer, log):
    Client().post(f"/customers/{customer.pk}/", {"name": "Anonymous"})
    assert log.values("user_id", "source", "ip_address") == [(None, "web", "127.0.0.1")]


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_view_behind_asynchronous_middleware(user, customer, log):
    @async_to_sync
    async def post():
        client = AsyncClient()
        await client.aforce_login(user)
        await client.post(f"/customers/{customer.pk}/async/", {"name": "Async"})

    post()
    assert log.values("user_label", "source", "ip_address", "changes") == [
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
    assert log.values("user_label", "source") == [("ann", "api"), ("ann", "api")]


def test_a_session_behind_the_rest_framework_with_its_check_of_forgery(user, customer, log):
    client = APIClient(enforce_csrf_checks=True)
    client.login(username="ann", password="pw")
    log.clear()
    url = f"/api/customers/{customer.pk}/"
    refused = client.patch(url, {"name": "Forged"})
    client.cookies["csrftoken"] = token = "a" * 32
    client.patch(url, {"name": "Meant"}, HTTP_X_CSRFTOKEN=token)
    assert refused.status_code == 403
    assert log.values("user_label", "source", "changes") == [
        ("ann", "api", {"name": ["Acme", "Meant"]})
    ]


@pytest.mark.parametrize(
    ("partner", "key", "label"),
    [
        ("partner", "p-7", "Partner Seven"),
        ("nameless", None, "Passing Partner"),
        ("service", None, "billing-service"),
        ("stranger", None, None),
    ],
)
def test_users_of_an_authentication_of_the_projects_own(client, log, partner, key, label):
    """The session's user is not the one: the view does not ask for it."""
    log.clear()
    url = f"/api/partners/customers/{Customer.objects.get().pk}/"
    client.patch(url, {"name": "x"}, "application/json", HTTP_X_PARTNER=partner)
    assert log.values("user_id", "user_label", "source") == [(key, label, "api")]


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
    assert (entry.user_label, entry.source) == ("root", "admin")


def test_a_user_who_appears_half_way_through_the_request(user, customer, log):
    Client().post("/log-in/", {"username": "ann", "p": "pw"})
    told = [
        (entry.entity_label, entry.user_label)
        for entry in log.entries()
        if entry.entity_model == "crm.customer"
    ]
    assert told == [("before", None), ("after", "ann")]


def test_a_user_who_leaves_half_way_through_the_request(client, customer, log):
    client.post("/log-out/")
    told = [
        (entry.entity_label, entry.user_label)
        for entry in log.entries()
        if entry.entity_model == "crm.customer"
    ]
    assert told == [("before", "ann"), ("after", None)]


@pytest.mark.django_db(transaction=True)
def test_a_user_who_comes_and_goes_half_way_through_asynchronous_requests(user, customer, log):
    @async_to_sync
    async def visit():
        client = AsyncClient()
        assert (await client.post("/log-in/async/", {"username": "ann", "p": "pw"})).status_code
        await client.post("/log-out/async/")

    visit()
    told = [
        (entry.entity_label, entry.user_label)
        for entry in log.entries()
        if entry.entity_model == "crm.customer"
    ]
    assert told == [("before", None), ("after", "ann"), ("before", "ann"), ("after", None)]


def test_a_user_who_signs_up_is_made_by_nobody_and_acts_from_then_on(customer, log):
    Client().post("/sign-up/", {"username": "new"})
    told = [
        (entry.entity_model, entry.kind, entry.user_label)
        for entry in log.entries()
        if entry.kind == "create"
    ]
    assert told == [("auth.user", "create", None), ("crm.customer", "create", "new")]


class TestStreaming:
    def test_what_is_made_after_the_view_returned_bears_the_request(self, client, customer, log):
        response = client.get(f"/customers/{customer.pk}/stream/?names=ab")
        assert log.entries() == []
        chunks = iter(response.streaming_content)
        assert next(chunks) == b"a\n"
        Customer.objects.update(name="meanwhile")
        assert list(chunks) == [b"b\n"]
        Customer.objects.update(name="afterwards")
        told = [(entry.changes["name"][1], entry.user_label) for entry in log.entries()]
        assert told == [("a", "ann"), ("meanwhile", None), ("b", "ann"), ("afterwards", None)]
        first, _, second, _ = log.entries()
        assert first.request_id == second.request_id
        assert (first.source, first.ip_address) == ("web", "203.0.113.9")

    def test_a_stream_that_fails_leaves_nothing_behind(self, client, customer, log):
        response = client.get(f"/customers/{customer.pk}/stream/?names=a&fail")
        with pytest.raises(RuntimeError):
            list(response.streaming_content)
        Customer.objects.update(name="afterwards")
        assert log.values("user_label") == [("ann",), (None,)]

    @pytest.mark.django_db(transaction=True)
    def test_what_is_written_when_nobody_reads_on(self, client, customer, log):
        response = client.get(f"/customers/{customer.pk}/stream/?names=ab&last=closed")
        assert next(iter(response.streaming_content)) == b"a\n"
        response.close()  # It closes the connection, too; so the test has no transaction.
        Customer.objects.update(name="afterwards")
        told = [(entry.changes["name"][1], entry.user_label) for entry in log.entries()]
        assert told == [("a", "ann"), ("closed", "ann"), ("afterwards", None)]

    @pytest.mark.django_db(transaction=True)
    def test_a_reader_who_leaves_in_the_middle_of_an_asynchronous_stream(
        self, client, customer, log
    ):
        """Through Django's own ASGI handler, which cancels what it was doing."""
        cookie = f"sessionid={client.cookies['sessionid'].value}".encode()
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/customers/{customer.pk}/stream/async/",
            "query_string": b"names=a&wait&last=closed",
            "headers": [(b"cookie", cookie), (b"host", b"testserver")],
            "client": ("203.0.113.9", 4711),
        }
        log.clear()

        @async_to_sync
        async def visit():
            server = ApplicationCommunicator(get_asgi_application(), scope)
            await server.send_input({"type": "http.request"})
            assert (await server.receive_output(10))["status"] == 200
            assert (await server.receive_output(10))["body"] == b"a\n"
            await server.send_input({"type": "http.disconnect"})
            await server.wait(10)
            await Customer.objects.aupdate(name="afterwards")

        visit()
        told = log.values("user_label", "ip_address", "changes")
        assert told == [
            ("ann", "203.0.113.9", {"name": ["Acme", "a"]}),
            ("ann", "203.0.113.9", {"name": ["a", "closed"]}),
            (None, None, {"name": ["closed", "afterwards"]}),
        ]

    @pytest.mark.django_db(transaction=True)
    def test_an_asynchronous_stream(self, user, customer, log):
        @async_to_sync
        async def read():
            client = AsyncClient()
            await client.aforce_login(user)
            response = await client.get(f"/customers/{customer.pk}/stream/async/?names=ab")
            chunks = []
            async for chunk in response.streaming_content:
                chunks.append(chunk)
                await Customer.objects.aupdate(name="meanwhile")
            return chunks

        assert read() == [b"a\n", b"b\n"]
        told = [
            (entry.changes["name"][1], entry.user_label)
            for entry in log.entries()
            if entry.entity_model == "crm.customer"
        ]
        assert told == [("a", "ann"), ("meanwhile", None), ("b", "ann"), ("meanwhile", None)]


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_view_that_is_cancelled_leaves_nothing_behind(user, customer, log):
    @async_to_sync
    async def leave():
        client = AsyncClient()
        await client.aforce_login(user)
        visit = asyncio.ensure_future(client.get(f"/customers/{customer.pk}/wait/"))
        while not await Customer.objects.filter(name="waiting").aexists():
            await asyncio.sleep(0.01)
        visit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visit
        await Customer.objects.aupdate(name="afterwards")

    leave()
    told = [
        (entry.user_label, entry.source)
        for entry in log.entries()
        if entry.entity_model == "crm.customer"
    ]
    assert told == [("ann", "web"), (None, "system")]


def test_a_block_in_a_view_overrides_the_request(client, customer, log):
    with history.acting(user=None, source="workflow"):
        client.post(f"/customers/{customer.pk}/", {"name": "Request wins inside"})
    assert log.values("user_label", "source") == [("ann", "web")]


def test_nothing_leaks_out_of_a_request(client, customer, log):
    client.post(f"/customers/{customer.pk}/", {"name": "x"})
    with pytest.raises(KeyError):
        client.post(f"/customers/{customer.pk}/", {})
    Customer.objects.update(name="y")
    assert log.values("user_label", "source") == [("ann", "web"), (None, "system")]


def test_a_request_that_writes_nothing_loads_no_session_and_no_user(client, customer):
    statements = []

    def watch(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with CaptureQueriesContext(connection) as queries, connection.execute_wrapper(watch):
        before = questions()
        response = client.get(f"/customers/{customer.pk}/read/")
        after = questions()
    (read,) = [sql for sql in statements if not sql.startswith("SHOW")]
    assert read.startswith("SELECT")
    assert len(queries) == len(statements)
    assert response.wsgi_request.session.accessed is False
    assert not response.has_header("Vary")
    # MariaDB counts what it is asked, past Django's own log too: the read, and the count itself.
    assert (before, after) == (None, None) or after - before == 2


def never(request):
    """A function that a request which writes nothing does not call."""
    raise AssertionError(request)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", ["read/", "read/async/"])
def test_it_loads_none_with_every_setting_on_and_asynchronously(settings, client, customer, url):
    settings.CUSTOMER_HISTORY = {
        "SOURCE_RESOLVER": "tests.test_middleware.never",
        "IMPERSONATOR_RESOLVER": "tests.test_middleware.never",
        "REASON_HEADER": "X-Reason",
        "REASON_FIELD": "why",
        "TRUSTED_PROXIES": 1,
    }
    session, statements = client.cookies["sessionid"].value, []

    def watch(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    @async_to_sync
    async def visit():
        visitor = AsyncClient()
        visitor.cookies["sessionid"] = session
        return await visitor.get(f"/customers/{customer.pk}/{url}", headers={"X-Reason": "x"})

    with connection.execute_wrapper(watch):
        before = questions()
        response = visit()
        after = questions()
    (read,) = [sql for sql in statements if not sql.startswith("SHOW")]
    assert read.startswith("SELECT")
    assert response.asgi_request.session.accessed is False
    assert (before, after) == (None, None) or after - before == 2


def questions():
    if connection.vendor != "mysql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])


def test_a_source_of_the_project_has_a_name_of_its_own(settings, customer, log):
    settings.CUSTOMER_HISTORY = {"SOURCES": {"kiosk": "Kiosk in the hall"}}
    with history.acting(source="kiosk"):
        Customer.objects.update(name="x")
    assert log.values("source") == [("kiosk",)]
    assert SOURCES["kiosk"] == "Kiosk in the hall"
    assert SOURCES["web"] == "Web"


def test_an_unknown_source_is_an_error_and_nothing_is_written(customer, log):
    with (
        pytest.raises(InvalidContextError, match=r"'kiosk'.*web, api, .*SOURCES"),
        history.acting(source="kiosk"),
    ):
        Customer.objects.update(name="x")
    assert log.entries() == []


def choose(request):
    return request.headers.get("X-Source")


@pytest.mark.django_db(transaction=True)
def test_a_function_of_the_project_decides_the_source(settings, client, customer, log):
    settings.CUSTOMER_HISTORY = {"SOURCE_RESOLVER": "tests.test_middleware.choose"}
    client.post(f"/customers/{customer.pk}/", {"name": "1"}, HTTP_X_SOURCE="integration")
    client.post(f"/customers/{customer.pk}/", {"name": "2"})
    assert log.values("source") == [("integration",), ("web",)]
    with pytest.raises(InvalidContextError, match="'teleport'"):
        client.post(f"/customers/{customer.pk}/", {"name": "3"}, HTTP_X_SOURCE="teleport")
    customer.refresh_from_db()
    assert customer.name == "2"


def test_a_reason_is_taken_from_header_and_form_only_when_the_project_says_so(
    settings, client, customer, log
):
    def post(**headers):
        data = {"name": f"x{len(log.entries())}", "why": " by letter "}
        client.post(f"/customers/{customer.pk}/", data, **headers)

    post(HTTP_X_REASON="by phone")
    settings.CUSTOMER_HISTORY = {"REASON_HEADER": "X-Reason", "REASON_FIELD": "why"}
    post(HTTP_X_REASON="by phone")
    post()
    assert log.values("context") == [(None,), ({"reason": "by phone"},), ({"reason": "by letter"},)]


@pytest.mark.parametrize("reason", ["Kündigung", "契約終了", "plain"])
def test_a_reason_of_any_letters_arrives_as_it_was_sent(settings, client, log, reason):
    settings.CUSTOMER_HISTORY = {"REASON_HEADER": "X-Reason"}
    url = f"/customers/{Customer.objects.get().pk}/"
    # As a server of WSGI hands over what came as UTF-8.
    client.post(url, {"name": "utf-8"}, HTTP_X_REASON=reason.encode().decode("latin-1"))
    if reason.isascii() or (reason.isalpha() and max(reason) < "\u0100"):
        client.post(url, {"name": "latin-1"}, HTTP_X_REASON=reason)
    assert {context["reason"] for (context,) in log.values("context")} == {reason}


@pytest.mark.django_db(transaction=True)
def test_a_reason_of_any_letters_through_asgi(settings, user, customer, log):
    settings.CUSTOMER_HISTORY = {"REASON_HEADER": "X-Reason"}

    @async_to_sync
    async def post():
        server = ApplicationCommunicator(
            get_asgi_application(),
            {
                "type": "http",
                "method": "POST",
                "path": f"/customers/{customer.pk}/async/",
                "query_string": b"",
                "headers": [
                    (b"host", b"testserver"),
                    (b"x-reason", "Kündigung".encode()),
                    (b"content-type", b"application/x-www-form-urlencoded"),
                ],
                "client": ("203.0.113.9", 4711),
            },
        )
        await server.send_input({"type": "http.request", "body": b"name=x"})
        assert (await server.receive_output(10))["status"] == 200
        await server.receive_output(10)
        await server.wait(10)

    post()
    assert log.values("context") == [({"reason": "Kündigung"},)]


def test_a_reason_in_a_form_leaves_a_json_body_alone(settings, user, customer, log):
    settings.CUSTOMER_HISTORY = {"REASON_HEADER": "X-Reason", "REASON_FIELD": "why"}
    client = APIClient()
    client.force_authenticate(user)
    client.patch(f"/api/customers/{customer.pk}/", {"name": "1"}, HTTP_X_REASON="merged")
    client.patch(f"/api/customers/{customer.pk}/", {"name": "2"})
    assert log.values("context") == [({"reason": "merged"},), (None,)]


def test_a_request_in_a_block_begins_anew(client, customer, log):
    with history.acting(
        user=None, source="workflow", reason="outer", extra={"job": "nightly"}
    ) as outer:
        client.post(f"/customers/{customer.pk}/", {"name": "x"})
    entry = log.only()
    assert (entry.user_label, entry.source, entry.context) == ("ann", "web", None)
    assert entry.request_id != outer.request_id


class TestAddressOfEntries:
    @pytest.mark.parametrize(
        ("kept", "given", "address"),
        [
            ("full", "203.0.113.9", "203.0.113.9"),
            ("truncated", "203.0.113.9", "203.0.113.0"),
            ("truncated", "2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("truncated", "::ffff:203.0.113.9", "203.0.113.0"),
            ("none", "203.0.113.9", None),
            ("none", "2001:db8::7", None),
        ],
    )
    def test_as_much_is_kept_as_the_setting_lets(self, settings, log, kept, given, address):
        settings.CUSTOMER_HISTORY = {"IP_ADDRESS_STORAGE": kept}
        customer = Customer.objects.get()
        client = Client(REMOTE_ADDR=given)
        client.post(f"/customers/{customer.pk}/", {"name": "by request"})
        with history.acting(ip_address=given):
            Customer.objects.update(name="by block")
        assert log.values("ip_address") == [(address,), (address,)]

    def test_a_text_that_is_no_address_is_an_error(self, customer):
        with (
            pytest.raises(InvalidContextError, match="'localhost' is not an IP address"),
            history.acting(ip_address="localhost"),
        ):
            Customer.objects.update(name="x")
