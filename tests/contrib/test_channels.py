"""Consumers of Channels and plain ASGI: entries get the user of their own connection."""

import asyncio

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.auth import AuthMiddlewareStack, login, logout
from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import InMemoryChannelLayer
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from channels.worker import Worker
from django.conf import settings as configured
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.test import Client
from django.urls import path

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.contrib.channels import HistoryConsumerMiddleware
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)


def rename(name):
    Customer.objects.update(name=name)


class Asynchronous(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "log in":
            await login(self.scope, await get_user_model().objects.aget(username="ann"))
        elif text_data == "log out":
            await logout(self.scope)
        elif text_data == "fail":
            await Customer.objects.aupdate(name="before the failure")
            raise RuntimeError(text_data)
        else:
            await Customer.objects.aupdate(name=f"{text_data} 1")
            await database_sync_to_async(rename)(f"{text_data} 2")
        await self.send(text_data="done")


class Synchronous(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        rename(text_data)
        self.send(text_data="done")


class InTheBackground(AsyncConsumer):
    async def test_rename(self, message):
        with history.acting(user=NamedUser(id="1", label="bob"), source="task"):
            await Customer.objects.aupdate(name=message["name"])


async def plain(scope, receive, send):
    """A plain ASGI consumer."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await Customer.objects.aupdate(name=event["text"])
        await send({"type": "websocket.send", "text": "done"})


def with_history(consumer):
    return HistoryConsumerMiddleware(consumer)


application = AuthMiddlewareStack(
    URLRouter(
        [
            path("async/", with_history(Asynchronous.as_asgi())),
            path("sync/", with_history(Synchronous.as_asgi())),
            path("plain/", with_history(plain)),
        ]
    )
)


def connection_of(user, url, **headers):
    raw_headers = [
        (name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()
    ]
    raw_headers += [] if user is None else headers_of(user)
    scope = {
        "type": "websocket",
        "path": f"/{url}",
        "headers": raw_headers,
        "client": ("203.0.113.9", 4711),
    }
    return ApplicationCommunicator(application, scope)


async def connect(connection):
    await connection.send_input({"type": "websocket.connect"})
    assert (await connection.receive_output(10))["type"] == "websocket.accept"


async def disconnect(connection):
    await connection.send_input({"type": "websocket.disconnect", "code": 1000})
    await connection.wait(10)


async def send_texts(connection, *texts):
    for text in texts:
        await connection.send_input({"type": "websocket.receive", "text": text})
        assert (await connection.receive_output(10))["text"] == "done"


async def post_to(application, url, user_headers, body):
    """Send a request to an application and return the status of the answer."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": url,
        "query_string": b"",
        "headers": [*user_headers, (b"content-type", b"application/x-www-form-urlencoded")],
        "client": ("203.0.113.9", 4711),
        "server": ("testserver", 80),
    }
    request = ApplicationCommunicator(application, scope)
    await request.send_input({"type": "http.request", "body": body})
    answer = await request.receive_output(10)
    while (await request.receive_output(10)).get("more_body"):
        pass
    await request.wait(10)
    return answer["status"]


def headers_of(user):
    client = Client()
    client.force_login(user)
    cookie = client.cookies[configured.SESSION_COOKIE_NAME].value
    return [(b"cookie", f"{configured.SESSION_COOKIE_NAME}={cookie}".encode())]


def logged(log, *names):
    entries = [one for one in log.entries() if one.entity_model == "crm.customer"]
    return [(one.changes["name"][1], *(getattr(one, name) for name in names)) for one in entries]


class TestConnection:
    @pytest.mark.parametrize("url", ["async/", "sync/", "plain/"])
    def test_context_of_the_connection(self, user, customer, log, url):
        connection = connection_of(user, url)
        log.clear()

        @async_to_sync
        async def talk():
            await connect(connection)
            await send_texts(connection, "x")
            await disconnect(connection)
            await Customer.objects.aupdate(name="afterwards")

        talk()
        *during, after = logged(log, "user_label", "source", "ip_address")
        assert {one[1:] for one in during} == {("ann", "web", "203.0.113.9")}
        assert after == ("afterwards", None, "system", None)
        requests = {one.request_id for one in log.entries() if one.user_label == "ann"}
        assert len(requests) == 1
        assert None not in requests

    def test_concurrent_connections(self, django_user_model, user, customer, log):
        other = django_user_model.objects.create_user("bob")
        connections = [connection_of(one, "async/") for one in (user, other, None)]
        log.clear()

        @async_to_sync
        async def talk():
            for one in connections:
                await connect(one)
            await asyncio.gather(
                *(
                    send_texts(one, *(f"{name}{turn}" for turn in range(5)))
                    for one, name in zip(connections, "abn", strict=True)
                )
            )
            for one in connections:
                await disconnect(one)

        talk()
        found = {(name[0], label) for name, label in logged(log, "user_label")}
        assert found == {("a", "ann"), ("b", "bob"), ("n", None)}
        assert len(logged(log)) == 30

    def test_login_and_logout(self, user, customer, log):
        connection = connection_of(None, "async/")

        @async_to_sync
        async def talk():
            await connect(connection)
            await send_texts(connection, "a", "log in", "b", "log out", "c")
            await disconnect(connection)

        talk()
        labels = [label for _name, label in logged(log, "user_label")]
        assert labels == [None, None, "ann", "ann", None, None]

    def test_failed_consumer(self, user, customer, log):
        connection = connection_of(user, "async/")
        log.clear()

        @async_to_sync
        async def talk():
            await connect(connection)
            await connection.send_input({"type": "websocket.receive", "text": "fail"})
            with pytest.raises(RuntimeError):
                await connection.wait(10)
            await Customer.objects.aupdate(name="afterwards")

        talk()
        assert logged(log, "user_label") == [("before the failure", "ann"), ("afterwards", None)]

    def test_canceled_consumer(self, user, customer, log):
        connection = connection_of(user, "plain/")
        log.clear()

        @async_to_sync
        async def talk():
            await connect(connection)
            await send_texts(connection, "x")
            connection.future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connection.future
            await Customer.objects.aupdate(name="afterwards")

        talk()
        assert logged(log, "user_label") == [("x", "ann"), ("afterwards", None)]

    def test_proxies_and_similar_headers(self, settings, user, customer, log):
        settings.CUSTOMER_HISTORY = {"TRUSTED_PROXIES": ["203.0.113.0/24"]}
        connection = connection_of(user, "async/", x_forwarded_for="198.51.100.1")
        connection.scope["headers"].insert(0, (b"x_forwarded_for", b"6.6.6.6"))
        log.clear()

        @async_to_sync
        async def talk():
            await connect(connection)
            await send_texts(connection, "x")
            await disconnect(connection)

        talk()
        assert {address for _name, address in logged(log, "ip_address")} == {"198.51.100.1"}


class Page(AsyncHttpConsumer):
    async def handle(self, body):
        await Customer.objects.aupdate(name=f"{self.scope['method']} {body.decode()}")
        await self.send_response(200, b"done")


class TestHttp:
    def test_user_of_http_consumer(self, user, customer, log):
        pages, headers = AuthMiddlewareStack(with_history(Page.as_asgi())), headers_of(user)
        log.clear()

        @async_to_sync
        async def visit():
            for body in (b"1", b"2"):
                assert await post_to(pages, "/", headers, body) == 200
            await Customer.objects.aupdate(name="afterwards")

        visit()
        assert logged(log, "user_label", "source", "ip_address") == [
            ("POST 1", "ann", "web", "203.0.113.9"),
            ("POST 2", "ann", "web", "203.0.113.9"),
            ("afterwards", None, "system", None),
        ]
        first, second, _ = [one.request_id for one in log.entries() if "name" in one.changes]
        assert None not in {first, second}
        assert first != second

    def test_django_application(self, user, customer, log):
        pages, headers = with_history(get_asgi_application()), headers_of(user)
        log.clear()

        @async_to_sync
        async def post():
            assert await post_to(pages, f"/customers/{customer.pk}/", headers, b"name=x") < 400

        post()
        assert logged(log, "user_label", "source") == [("x", "ann", "web")]


class Background(AsyncConsumer):
    async def rename(self, message):
        await Customer.objects.aupdate(name=message["name"])

    async def rename_for(self, message):
        with history.acting(user=NamedUser(id="1", label="bob"), source="workflow"):
            await Customer.objects.aupdate(name=message["name"])


class TestWorker:
    def test_background_worker(self, customer, log):
        @async_to_sync
        async def run():
            layer = InMemoryChannelLayer()
            channels = ProtocolTypeRouter(
                {"channel": ChannelNameRouter({"renaming": with_history(Background.as_asgi())})}
            )
            with history.acting(user=NamedUser(id=None, label="deploy"), source="command"):
                worker = asyncio.ensure_future(Worker(channels, ["renaming"], layer).handle())
            for number, kind in enumerate(("rename", "rename.for", "rename")):
                await layer.send("renaming", {"type": kind, "name": f"{number}"})
                while not await Customer.objects.filter(name=f"{number}").aexists():
                    await asyncio.sleep(0.01)
            worker.cancel()
            with pytest.raises(asyncio.CancelledError):
                await worker

        run()
        assert logged(log, "user_label", "source", "context") == [
            ("0", None, "task", {"task": "renaming"}),
            ("1", "bob", "workflow", {"task": "renaming"}),
            ("2", None, "task", {"task": "renaming"}),
        ]
        first, _second, third = [one.request_id for one in log.entries()]
        assert (first, third) == (
            None,
            None,
        )  # Messages of different senders have no common request.

    def test_block_in_a_consumer(self, customer, log):
        worker = ApplicationCommunicator(
            with_history(InTheBackground.as_asgi()), {"type": "channel", "channel": "renaming"}
        )

        @async_to_sync
        async def send():
            await worker.send_input({"type": "test.rename", "name": "x"})
            while not await Customer.objects.filter(name="x").aexists():
                await asyncio.sleep(0.01)
            await Customer.objects.aupdate(name="afterwards")
            await worker.wait()

        send()
        assert logged(log, "user_label", "source") == [
            ("x", "bob", "task"),
            ("afterwards", None, "system"),
        ]
