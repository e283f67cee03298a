"""Requests: the user, the source, the IP address and the reason."""

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


class TestAuthentication:
    def test_user_of_rest_framework(self, user, customer, log):
        client = APIClient()
        token = Token.objects.create(user=user)
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        client.patch(f"/api/customers/{customer.pk}/", {"name": "By token"})
        client = APIClient()
        client.force_authenticate(user)
        client.patch(f"/api/customers/{customer.pk}/", {"name": "Forced"})
        assert log.values("user_label", "source") == [("ann", "api"), ("ann", "api")]

    def test_session_in_rest_framework(self, user, customer, log):
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
    def test_own_authentication(self, client, log, partner, key, label):
        """The view does not use the session, so the user of the session is not logged."""
        log.clear()
        url = f"/api/partners/customers/{Customer.objects.get().pk}/"
        client.patch(url, {"name": "x"}, "application/json", HTTP_X_PARTNER=partner)
        assert log.values("user_id", "user_label", "source") == [(key, label, "api")]

    def test_user_of_the_admin(self, django_user_model, customer, log):
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

    def test_login_during_a_request(self, user, customer, log):
        Client().post("/log-in/", {"username": "ann", "p": "pw"})
        written = [
            (entry.entity_label, entry.user_label)
            for entry in log.entries()
            if entry.entity_model == "crm.customer"
        ]
        assert written == [("before", None), ("after", "ann")]

    def test_logout_during_a_request(self, client, customer, log):
        client.post("/log-out/")
        written = [
            (entry.entity_label, entry.user_label)
            for entry in log.entries()
            if entry.entity_model == "crm.customer"
        ]
        assert written == [("before", "ann"), ("after", None)]

    @pytest.mark.django_db(transaction=True)
    def test_login_in_async_views(self, user, customer, log):
        @async_to_sync
        async def visit():
            client = AsyncClient()
            assert (await client.post("/log-in/async/", {"username": "ann", "p": "pw"})).status_code
            await client.post("/log-out/async/")

        visit()
        written = [
            (entry.entity_label, entry.user_label)
            for entry in log.entries()
            if entry.entity_model == "crm.customer"
        ]
        assert written == [("before", None), ("after", "ann"), ("before", "ann"), ("after", None)]

    def test_sign_up_during_a_request(self, customer, log):
        Client().post("/sign-up/", {"username": "new"})
        written = [
            (entry.entity_model, entry.kind, entry.user_label)
            for entry in log.entries()
            if entry.kind == "create"
        ]
        assert written == [("auth.user", "create", None), ("crm.customer", "create", "new")]


class TestStreaming:
    def test_stream_after_the_view(self, client, customer, log):
        response = client.get(f"/customers/{customer.pk}/stream/?names=ab")
        assert log.entries() == []
        chunks = iter(response.streaming_content)
        assert next(chunks) == b"a\n"
        Customer.objects.update(name="meanwhile")
        assert list(chunks) == [b"b\n"]
        Customer.objects.update(name="afterwards")
        written = [(entry.changes["name"][1], entry.user_label) for entry in log.entries()]
        assert written == [("a", "ann"), ("meanwhile", None), ("b", "ann"), ("afterwards", None)]
        first, _, second, _ = log.entries()
        assert first.request_id == second.request_id
        assert (first.source, first.ip_address) == ("web", "203.0.113.9")

    def test_exception_in_a_stream(self, client, customer, log):
        response = client.get(f"/customers/{customer.pk}/stream/?names=a&fail")
        with pytest.raises(RuntimeError):
            list(response.streaming_content)
        Customer.objects.update(name="afterwards")
        assert log.values("user_label") == [("ann",), (None,)]

    @pytest.mark.django_db(transaction=True)
    def test_stream_closed_early(self, client, customer, log):
        response = client.get(f"/customers/{customer.pk}/stream/?names=ab&last=closed")
        assert next(iter(response.streaming_content)) == b"a\n"
        response.close()  # This closes the connection too, so the test has no transaction.
        Customer.objects.update(name="afterwards")
        written = [(entry.changes["name"][1], entry.user_label) for entry in log.entries()]
        assert written == [("a", "ann"), ("closed", "ann"), ("afterwards", None)]

    @pytest.mark.django_db(transaction=True)
    def test_async_stream_closed_early(self, client, customer, log):
        """The ASGI handler of Django cancels the stream."""
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
        written = log.values("user_label", "ip_address", "changes")
        assert written == [
            ("ann", "203.0.113.9", {"name": ["Acme", "a"]}),
            ("ann", "203.0.113.9", {"name": ["a", "closed"]}),
            (None, None, {"name": ["closed", "afterwards"]}),
        ]

    @pytest.mark.django_db(transaction=True)
    def test_asynchronous_stream(self, user, customer, log):
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
        written = [
            (entry.changes["name"][1], entry.user_label)
            for entry in log.entries()
            if entry.entity_model == "crm.customer"
        ]
        assert written == [("a", "ann"), ("meanwhile", None), ("b", "ann"), ("meanwhile", None)]


def fail_if_called(request):
    """A resolver that a request without writes must not call."""
    raise AssertionError(request)


class TestRequestsWithoutWrites:
    def test_no_statements_are_added(self, client, customer):
        statements = []

        def watch(execute, sql, params, many, context):
            statements.append(sql)
            return execute(sql, params, many, context)

        with CaptureQueriesContext(connection) as queries, connection.execute_wrapper(watch):
            before = count_server_statements()
            response = client.get(f"/customers/{customer.pk}/read/")
            after = count_server_statements()
        (read,) = [sql for sql in statements if not sql.startswith("SHOW")]
        assert read.startswith("SELECT")
        assert len(queries) == len(statements)
        assert response.wsgi_request.session.accessed is False
        assert not response.has_header("Vary")
        # MariaDB counts all statements: the read, and the statement that asks for the count.
        assert (before, after) == (None, None) or after - before == 2

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("url", ["read/", "read/async/"])
    def test_no_setting_adds_statements(self, settings, client, customer, url):
        settings.CUSTOMER_HISTORY = {
            "SOURCE_RESOLVER": "tests.test_middleware.fail_if_called",
            "IMPERSONATOR_RESOLVER": "tests.test_middleware.fail_if_called",
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
            before = count_server_statements()
            response = visit()
            after = count_server_statements()
        (read,) = [sql for sql in statements if not sql.startswith("SHOW")]
        assert read.startswith("SELECT")
        assert response.asgi_request.session.accessed is False
        assert (before, after) == (None, None) or after - before == 2


def count_server_statements():
    if connection.vendor != "mysql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])


def choose(request):
    return request.headers.get("X-Source")


class TestSources:
    def test_source_of_the_project(self, settings, customer, log):
        settings.CUSTOMER_HISTORY = {"SOURCES": {"kiosk": "Kiosk in the hall"}}
        with history.acting(source="kiosk"):
            Customer.objects.update(name="x")
        assert log.values("source") == [("kiosk",)]
        assert SOURCES["kiosk"] == "Kiosk in the hall"
        assert SOURCES["web"] == "Web"

    def test_source_is_unknown(self, customer, log):
        with (
            pytest.raises(InvalidContextError, match=r"'kiosk'.*web, api, .*SOURCES"),
            history.acting(source="kiosk"),
        ):
            Customer.objects.update(name="x")
        assert log.entries() == []

    @pytest.mark.django_db(transaction=True)
    def test_source_resolver(self, settings, client, customer, log):
        settings.CUSTOMER_HISTORY = {"SOURCE_RESOLVER": "tests.test_middleware.choose"}
        client.post(f"/customers/{customer.pk}/", {"name": "1"}, HTTP_X_SOURCE="integration")
        client.post(f"/customers/{customer.pk}/", {"name": "2"})
        assert log.values("source") == [("integration",), ("web",)]
        with pytest.raises(InvalidContextError, match="'teleport'"):
            client.post(f"/customers/{customer.pk}/", {"name": "3"}, HTTP_X_SOURCE="teleport")
        customer.refresh_from_db()
        assert customer.name == "2"


class TestReasons:
    def test_reason_from_header_and_form(self, settings, client, customer, log):
        def post(**headers):
            data = {"name": f"x{len(log.entries())}", "why": " by letter "}
            client.post(f"/customers/{customer.pk}/", data, **headers)

        post(HTTP_X_REASON="by phone")
        settings.CUSTOMER_HISTORY = {"REASON_HEADER": "X-Reason", "REASON_FIELD": "why"}
        post(HTTP_X_REASON="by phone")
        post()
        assert log.values("context") == [
            (None,),
            ({"reason": "by phone"},),
            ({"reason": "by letter"},),
        ]

    @pytest.mark.parametrize("reason", ["Kündigung", "契約終了", "plain"])
    def test_reason_in_any_script(self, settings, client, log, reason):
        settings.CUSTOMER_HISTORY = {"REASON_HEADER": "X-Reason"}
        url = f"/customers/{Customer.objects.get().pk}/"
        # A WSGI server decodes the bytes of UTF-8 as Latin-1.
        client.post(url, {"name": "utf-8"}, HTTP_X_REASON=reason.encode().decode("latin-1"))
        if reason.isascii() or (reason.isalpha() and max(reason) < "\u0100"):
            client.post(url, {"name": "latin-1"}, HTTP_X_REASON=reason)
        assert {context["reason"] for (context,) in log.values("context")} == {reason}

    @pytest.mark.django_db(transaction=True)
    def test_reason_in_any_script_asgi(self, settings, user, customer, log):
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

    def test_reason_field_and_json_body(self, settings, user, customer, log):
        settings.CUSTOMER_HISTORY = {"REASON_HEADER": "X-Reason", "REASON_FIELD": "why"}
        client = APIClient()
        client.force_authenticate(user)
        client.patch(f"/api/customers/{customer.pk}/", {"name": "1"}, HTTP_X_REASON="merged")
        client.patch(f"/api/customers/{customer.pk}/", {"name": "2"})
        assert log.values("context") == [({"reason": "merged"},), (None,)]


class TestRequests:
    def test_posts_of_one_form(self, client, customer, log):
        client.post(f"/customers/{customer.pk}/", {"name": "Posted"})
        client.post(f"/customers/{customer.pk}/", {"name": "Posted again"})
        assert (
            log.values("user_label", "source", "ip_address") == [("ann", "web", "203.0.113.9")] * 2
        )
        first, second = log.entries()
        assert first.request_id != second.request_id
        assert first.request_id is not None

    @pytest.mark.django_db(transaction=True)
    def test_connection_after_a_request(self, client, customer, log):
        client.post(f"/customers/{customer.pk}/", {"name": "Posted"})
        driver_cursor = connection.connection.cursor()
        driver_cursor.execute("UPDATE crm_customer SET name = 'past Django'")
        driver_cursor.close()
        client.post(f"/customers/{customer.pk}/", {"name": "Posted again"})
        assert log.values("user_label", "source") == [
            ("ann", "web"),
            (None, "system"),
            ("ann", "web"),
        ]

    def test_anonymous_visitor(self, customer, log):
        Client().post(f"/customers/{customer.pk}/", {"name": "Anonymous"})
        assert log.values("user_id", "source", "ip_address") == [(None, "web", "127.0.0.1")]

    @pytest.mark.django_db(transaction=True)
    def test_async_view_and_middleware(self, user, customer, log):
        @async_to_sync
        async def post():
            client = AsyncClient()
            await client.aforce_login(user)
            await client.post(f"/customers/{customer.pk}/async/", {"name": "Async"})

        post()
        assert log.values("user_label", "source", "ip_address", "changes") == [
            ("ann", "web", "127.0.0.1", {"name": ["Acme", "Async"]})
        ]

    @pytest.mark.django_db(transaction=True)
    def test_canceled_async_view(self, user, customer, log):
        @async_to_sync
        async def cancel_visit():
            client = AsyncClient()
            await client.aforce_login(user)
            visit = asyncio.ensure_future(client.get(f"/customers/{customer.pk}/wait/"))
            while not await Customer.objects.filter(name="waiting").aexists():
                await asyncio.sleep(0.01)
            visit.cancel()
            with pytest.raises(asyncio.CancelledError):
                await visit
            await Customer.objects.aupdate(name="afterwards")

        cancel_visit()
        written = [
            (entry.user_label, entry.source)
            for entry in log.entries()
            if entry.entity_model == "crm.customer"
        ]
        assert written == [("ann", "web"), (None, "system")]

    def test_block_in_a_view(self, client, customer, log):
        with history.acting(user=None, source="workflow"):
            client.post(f"/customers/{customer.pk}/", {"name": "Request wins inside"})
        assert log.values("user_label", "source") == [("ann", "web")]

    def test_no_context_after_a_request(self, client, customer, log):
        client.post(f"/customers/{customer.pk}/", {"name": "x"})
        with pytest.raises(KeyError):
            client.post(f"/customers/{customer.pk}/", {})
        Customer.objects.update(name="y")
        assert log.values("user_label", "source") == [("ann", "web"), (None, "system")]

    def test_request_inside_a_block(self, client, customer, log):
        with history.acting(
            user=None, source="workflow", reason="outer", extra={"job": "nightly"}
        ) as outer:
            client.post(f"/customers/{customer.pk}/", {"name": "x"})
        entry = log.only()
        assert (entry.user_label, entry.source, entry.context) == ("ann", "web", None)
        assert entry.request_id != outer.request_id


class TestAddressOfEntries:
    @pytest.mark.parametrize(
        ("storage", "given", "address"),
        [
            ("full", "203.0.113.9", "203.0.113.9"),
            ("truncated", "203.0.113.9", "203.0.113.0"),
            ("truncated", "2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("truncated", "::ffff:203.0.113.9", "203.0.113.0"),
            ("none", "203.0.113.9", None),
            ("none", "2001:db8::7", None),
        ],
    )
    def test_ip_address_storage(self, settings, log, storage, given, address):
        settings.CUSTOMER_HISTORY = {"IP_ADDRESS_STORAGE": storage}
        customer = Customer.objects.get()
        client = Client(REMOTE_ADDR=given)
        client.post(f"/customers/{customer.pk}/", {"name": "by request"})
        with history.acting(ip_address=given):
            Customer.objects.update(name="by block")
        assert log.values("ip_address") == [(address,), (address,)]

    def test_invalid_ip_address(self, customer):
        with (
            pytest.raises(InvalidContextError, match="'localhost' is not an IP address"),
            history.acting(ip_address="localhost"),
        ):
            Customer.objects.update(name="x")
