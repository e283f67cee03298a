"""Attribution in requests: threads, tasks, other authentications, long reasons."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.checks import run_checks
from django.core.exceptions import BadRequest
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import InvalidContextError, ReasonTooLongError
from django_customer_history.middleware import HistoryMiddleware
from tests.projects.crm.models import Customer

ANN = NamedUser(id="1", label="ann")
BOB = NamedUser(id="2", label="bob")


class User:
    is_authenticated = True

    def __init__(self, name):
        self.pk, self.name = name, name

    def get_username(self):
        return self.name


def answer(view, **attributes):
    """Answer a request with a view; its attributes are those of the request."""
    request = RequestFactory().post("/", {"reason": attributes.pop("reason", "")})
    for name, value in attributes.items():
        setattr(request, name, value)
    return HistoryMiddleware(view)(request)


def current_user():
    return history.current().resolve().user_label


class TestThreads:
    def test_lookup_of_the_user_is_slow(self):
        """While one thread finds out who the user is, the others do the same."""
        began, seen = threading.Barrier(3, timeout=20), []

        def load():
            began.wait()
            time.sleep(0.05)
            return User("ann")

        def view(_request):
            with ThreadPoolExecutor(3) as pool:
                work = history.bind_context(current_user)
                seen.extend(one.result() for one in [pool.submit(work) for _ in range(3)])
            return HttpResponse()

        class Lazy:
            """Each thread loads the user, as each has a connection of its own."""

            is_authenticated = True
            pk = "ann"

            def get_username(self):
                return load().name

        answer(view, user=Lazy())
        assert seen == ["ann", "ann", "ann"]

    def test_lookup_that_writes(self):
        seen = []

        def load():
            seen.append(current_user())
            return User("ann")

        def view(_request):
            seen.append(current_user())
            return HttpResponse()

        answer(view, user=SimpleLazyObject(load))
        assert seen == [None, "ann"]

    @pytest.mark.django_db(transaction=True)
    def test_requests_at_the_same_time(self, customer, log, django_user_model):
        if connection.vendor == "sqlite":
            pytest.skip("an SQLite database in memory has one connection")
        users = [django_user_model.objects.create_user(name) for name in ("ann", "bob")]
        log.clear()

        async def visit(user):
            client = AsyncClient()
            await client.aforce_login(user)
            for number in range(3):
                data = {"name": f"{user.username} {number}"}
                await client.post(f"/customers/{customer.pk}/async/", data)

        @async_to_sync
        async def visits():
            await asyncio.gather(*(visit(user) for user in users))

        visits()
        written = [
            (entry.changes["name"][1].partition(" ")[0], entry.user_label)
            for entry in log.entries()
            if entry.entity_model == "crm.customer" and "name" in entry.changes
        ]
        assert len(written) == 6
        assert {name for name, _ in written} == {"ann", "bob"}
        assert all(name == label for name, label in written)

    @pytest.mark.django_db(transaction=True)
    def test_own_thread_for_each_call(self, customer, log):
        if connection.vendor == "sqlite":
            pytest.skip("an SQLite database in memory has one connection")

        def rename(name):
            Customer.objects.update(name=name)
            connection.close()

        async def work(user, name):
            with history.acting(user=user):
                await sync_to_async(rename, thread_sensitive=False)(name)

        @async_to_sync
        async def both():
            await asyncio.gather(work(ANN, "ann"), work(BOB, "bob"))

        both()
        written = log.values("user_label", "changes")
        assert sorted(label for label, _ in written) == ["ann", "bob"]
        assert all(changes["name"][1] == label for label, changes in written)


class TestAuthentications:
    def user_of(self, **attributes):
        seen = []

        def view(_request):
            seen.append(history.current().resolve())
            return HttpResponse()

        answer(view, **attributes)
        return seen[0].user_id, seen[0].user_label

    def test_user_in_request_auth(self, client):
        """As Django Ninja leaves it."""
        anonymous = type("Anonymous", (), {"is_authenticated": False})()
        assert self.user_of(user=anonymous, auth=User("ann")) == ("ann", "ann")
        assert self.user_of(auth=User("ann")) == ("ann", "ann")
        assert self.user_of(auth=NamedUser(id="k", label="key")) == ("k", "key")

    @pytest.mark.parametrize("auth", ["token", {"sub": "ann"}, None, User, object()])
    def test_auth_is_not_a_user(self, auth):
        assert self.user_of(auth=auth) == (None, None)

    def test_user_of_the_request_first(self):
        assert self.user_of(user=User("ann"), auth=User("bob")) == ("ann", "ann")

    def test_user_resolver(self, settings):
        settings.CUSTOMER_HISTORY = {"USER_RESOLVER": lambda request: request.account}
        assert self.user_of(user=User("ann"), account=User("bob")) == ("bob", "bob")
        assert self.user_of(user=User("ann"), account=None) == ("ann", "ann")

    def test_user_resolver_is_checked(self, settings):
        settings.CUSTOMER_HISTORY = {"USER_RESOLVER": "nowhere.find_user"}
        assert "customer_history.E001" in [one.id for one in run_checks()]
        settings.CUSTOMER_HISTORY = {"USER_RESOLVER": lambda request: "ann"}
        with pytest.raises(InvalidContextError, match="'ann' is not a user"):
            self.user_of()


class TestRequestIds:
    @pytest.fixture
    def ids(self, monkeypatch):
        """Return a function that runs a command and returns the IDs that it has seen."""

        def run(name, work):
            seen = []

            class Command(BaseCommand):
                def handle(self, *_args, **_options):
                    seen.extend(work())

            Command.__module__ = f"tests.commands.{name}"
            call_command(Command())
            return seen

        return run

    def test_blocks_of_a_command(self, ids):
        def work():
            yield history.current().request_id
            for _ in range(2):
                with history.acting(user=ANN):
                    yield history.current().request_id
                    with history.acting(reason="why"):
                        yield history.current().request_id
            yield history.current().request_id

        own, first, inner, second, _, again = ids("nightly", work)
        assert own is not None
        assert own == again
        assert first == inner
        assert len({own, first, second}) == 3

    def test_each_call_of_a_command(self, ids):
        def work():
            yield history.current().request_id

        assert ids("nightly", work) != ids("nightly", work)

    def test_command_in_a_command(self, ids):
        def work():
            yield history.current().request_id
            yield from ids("inner", lambda: [history.current().request_id])

        outer, inner = ids("outer", work)
        assert None not in (outer, inner)
        assert outer != inner

    def test_command_in_a_block(self, ids):
        with history.acting(user=ANN) as context:
            assert ids("nightly", lambda: [history.current().request_id]) == [context.request_id]

    def test_shell(self, ids):
        def work():
            yield history.current().request_id
            for _ in range(2):
                with history.acting(user=ANN):
                    yield history.current().request_id

        outside, first, second = ids("shell", work)
        assert outside is None
        assert None not in (first, second)
        assert first != second


class TestLongReasons:
    @pytest.fixture(autouse=True)
    def field(self, settings):
        settings.CUSTOMER_HISTORY = {"REASON_FIELD": "reason"}

    def test_longest_reason(self):
        seen = []

        def view(_request):
            seen.append(history.current().resolve().context["reason"])
            return HttpResponse()

        answer(view, reason="x" * 2_000)
        assert seen == ["x" * 2_000]

    def test_reason_of_a_request(self):
        with pytest.raises(
            ReasonTooLongError, match=r"2001 characters\. Give at most 2000"
        ) as error:
            answer(lambda _request: current_user(), reason="x" * 2_001)
        assert isinstance(error.value, BadRequest)

    @pytest.mark.django_db(transaction=True)
    def test_answer_is_400(self, customer, log):
        data = {"name": "x", "reason": "x" * 2_001}
        assert Client().post(f"/customers/{customer.pk}/", data).status_code == 400
        assert log.entries() == []

    def test_reason_of_a_block(self):
        with pytest.raises(InvalidContextError, match=r"2001 characters\. Give at most 2000"):
            history.acting(reason="x" * 2_001)

    def test_extra_of_a_block(self):
        history.acting(extra={"a": "x" * 9_000})
        with pytest.raises(InvalidContextError, match="extra has 10009 characters as JSON"):
            history.acting(extra={"a": "x" * 10_000})
