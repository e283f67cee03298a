"""The context as a block and as a decorator, in threads and in tasks of asyncio."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection

from django_customer_history import history
from django_customer_history.context.current import (
    Context,
    RequestContext,
    current,
    pausing,
    use_context,
)
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import InvalidContextError
from tests.projects.crm.models import Customer

ANN = NamedUser(id="1", label="ann")
BOB = NamedUser(id="2", label="bob")


def rename(name):
    Customer.objects.update(name=name)


async def arename(name):
    await Customer.objects.aupdate(name=name)


def current_user():
    return history.current().resolve().user_label


class TestDecorator:
    def test_each_call_is_a_block(self):
        seen = []

        @history.acting(user=ANN)
        def work(depth):
            seen.append((current_user(), history.current().request_id))
            if depth:
                work(depth - 1)

        work(1)
        work(0)
        assert [label for label, _ in seen] == ["ann"] * 3
        (_, outer), (_, nested), (_, later) = seen
        assert outer == nested
        assert later != outer
        assert current_user() is None

    def test_coroutine_function(self):
        @history.acting(user=ANN)
        async def work():
            await asyncio.sleep(0)
            return current_user()

        @history.action("Named")
        async def named():
            await asyncio.sleep(0)
            return history.current().action

        assert asyncio.run(work()) == "ann"
        assert asyncio.run(named()) == "Named"
        assert work.__name__ == "work"
        assert asyncio.iscoroutinefunction(work)

    def test_concurrent_calls(self):
        async def work(user, turns):
            @history.acting(user=user)
            async def body():
                seen = set()
                for _ in range(turns):
                    await asyncio.sleep(0)
                    seen.add(current_user())
                return seen

            return await body()

        async def both():
            return await asyncio.gather(work(ANN, 20), work(BOB, 30))

        assert asyncio.run(both()) == [{"ann"}, {"bob"}]

    def test_generator_is_refused(self):
        with pytest.raises(InvalidContextError, match=r"rows is a generator function, which a"):

            @history.acting(user=ANN)
            def rows():
                yield

        with pytest.raises(InvalidContextError, match=r"is a generator function"):

            @history.acting(user=ANN)
            async def async_rows():
                yield

    def test_decorated_method(self):
        class Service:
            name = "service"

            @history.acting(user=ANN)
            def work(self):
                return self.name, current_user()

        assert Service().work() == ("service", "ann")


class TestBlock:
    def test_async_with_block(self):
        async def work():
            async with history.acting(user=ANN) as context:
                await asyncio.sleep(0)
                return current_user(), context is history.current()

        assert asyncio.run(work()) == ("ann", True)

    def test_block_entered_twice(self):
        block = history.acting(user=ANN)
        with block:
            with block:
                assert current_user() == "ann"
            assert current_user() == "ann"
        assert current_user() is None

    def test_block_in_several_threads(self):
        block, all_inside = history.acting(user=ANN), threading.Barrier(3)

        def work(number):
            with history.acting(user=NamedUser(id="9", label=f"u{number}")), block:
                all_inside.wait()
                inside = current_user()
                all_inside.wait()
            return inside, current_user()

        with ThreadPoolExecutor(max_workers=3) as pool:
            # Twice, because the pool keeps its threads.
            for _ in range(2):
                assert set(pool.map(work, range(3))) == {("ann", None)}
        assert current_user() is None

    def test_block_in_several_tasks(self):
        block = history.acting(user=ANN)

        async def work(turns):
            with history.acting(user=BOB):
                async with block:
                    await asyncio.sleep(0)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    inside = current_user()
                await asyncio.sleep(0)
                between = current_user()
            return inside, between, current_user()

        async def all_of_them():
            async with block:
                found = await asyncio.gather(*(work(turns) for turns in (3, 1, 2)))
                return found, current_user()

        assert asyncio.run(all_of_them()) == ([("ann", "bob", "ann")] * 3, "ann")
        assert current_user() is None

    def test_block_ended_elsewhere(self):
        block = history.acting(user=ANN)
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(block.__enter__).result()
            with pytest.raises(InvalidContextError, match="thread or task in which it began"):
                block.__exit__(None, None, None)
            pool.submit(block.__exit__, None, None, None).result()
            assert pool.submit(current_user).result() is None

    def test_user_and_impersonator(self):
        with history.acting(user=BOB, impersonator=ANN, reason="support call"):
            resolved = history.current().resolve()
        assert resolved.user_label == "bob"
        assert resolved.context == {
            "impersonator": {"id": "1", "label": "ann"},
            "reason": "support call",
        }


class TestGenerators:
    """A generator runs in the context of the code that reads it and does not change it."""

    def test_block_in_a_generator(self):
        def labels():
            yield current_user()
            with history.acting(user=ANN):
                inside = current_user()
            yield inside
            yield current_user()

        with history.acting(user=BOB):
            assert list(labels()) == ["bob", "ann", "bob"]
        assert current_user() is None

    def test_two_generators_in_turn(self):
        def labels(user):
            for _ in range(2):
                with history.acting(user=user):
                    found = current_user()
                yield found

        pairs = list(zip(labels(ANN), labels(BOB), strict=True))
        assert pairs == [("ann", "bob"), ("ann", "bob")]
        assert current_user() is None

    def test_async_generator(self):
        async def labels():
            async with history.acting(user=ANN):
                inside = current_user()
            yield inside
            yield current_user()

        async def read():
            async with history.acting(user=BOB):
                return [label async for label in labels()]

        assert asyncio.run(read()) == ["ann", "bob"]


class TestNestedValues:
    def test_inner_values_win(self):
        with history.acting(user=ANN, source="web", reason="a", extra={"x": 1, "y": 1}):
            with history.acting(reason="b", extra={"y": 2, "z": 3}):
                inner = history.current().resolve()
            outer = history.current().resolve()
        assert (inner.user_label, inner.source) == ("ann", "web")
        assert inner.context == {"x": 1, "y": 2, "z": 3, "reason": "b"}
        assert outer.context == {"x": 1, "y": 1, "reason": "a"}

    def test_none_removes_a_value(self):
        with (
            history.acting(user=ANN, ip_address="203.0.113.9", reason="a", impersonator=BOB),
            history.acting(user=None, ip_address=None, reason=None, impersonator=None),
        ):
            resolved = history.current().resolve()
        assert (resolved.user_label, resolved.ip_address, resolved.context) == (None, None, None)

    @pytest.mark.parametrize("reason", ["", " \n", None])
    def test_blank_reason_is_ignored(self, reason):
        with history.acting(user=ANN, reason=reason):
            assert history.current().resolve().context is None

    def test_request_id_as_text(self):
        text = "019aac7c-0000-7000-8000-000000000001"
        with history.acting(request_id=text) as context:
            assert context.request_id == UUID(text)
            with history.acting(user=ANN) as inner:
                assert inner.request_id == UUID(text)

    def test_anonymous_user_is_the_system(self):
        with history.acting(user=AnonymousUser()):
            assert current_user() is None

    def test_extra_is_copied(self):
        extra = {"job": "nightly"}
        with history.acting(extra=extra):
            extra["job"] = "changed"
            assert history.current().resolve().context == {"job": "nightly"}


SOURCES = "web, api, admin, workflow, integration, import, command, migration, task, system"
NOT_A_DICT = 'is not a dict with text as keys. Give one, such as {"ticket": "T-1043"}.'
NOT_JSON = "Use text, numbers, booleans, None, lists and dicts."


class TestWrongValues:
    """A value that cannot be recorded is an error at the call, not at the next write."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"user": 5},
                "5 is not a user. Give a user, a NamedUser, or None for System.",
            ),
            (
                {"user": "ann"},
                "'ann' is not a user. Give a user, a NamedUser, or None for System.",
            ),
            (
                {"user": Customer(pk=1, name="Acme")},
                "<Customer: Acme> is not a user. Give a user, a NamedUser, or None for System.",
            ),
            (
                {"user": AnonymousUser},
                "<class 'django.contrib.auth.models.AnonymousUser'> is not a user. Give a user, a"
                " NamedUser, or None for System.",
            ),
            (
                {"user": User(username="new")},
                "User <User: new> is not saved, so it has no key. Save it first.",
            ),
            (
                {"user": NamedUser(id=5, label="ann")},
                "NamedUser(id=5, label='ann') is not valid. Give the id as text or None, and the"
                " label as text.",
            ),
            (
                {"user": NamedUser(id="5", label="")},
                "NamedUser(id='5', label='') is not valid. Give the id as text or None, and the"
                " label as text.",
            ),
            (
                {"impersonator": 5},
                "5 is not a user. Give a user, a NamedUser, or None for System.",
            ),
            (
                {"source": "wbe"},
                "Source 'wbe' does not exist. Did you mean 'web'? The sources are:"
                f' {SOURCES}. Add your own to CUSTOMER_HISTORY["SOURCES"].',
            ),
            (
                {"source": None},
                f"Source None does not exist. The sources are: {SOURCES}. Add your own to"
                ' CUSTOMER_HISTORY["SOURCES"].',
            ),
            (
                {"source": []},
                f"Source [] does not exist. The sources are: {SOURCES}. Add your own to"
                ' CUSTOMER_HISTORY["SOURCES"].',
            ),
            (
                {"ip_address": "203.0.113"},
                "ip_address='203.0.113' is not an IP address. Give text such as '203.0.113.9', or"
                " None.",
            ),
            (
                {"ip_address": 5},
                "ip_address=5 is not an IP address. Give text such as '203.0.113.9', or None.",
            ),
            (
                {"request_id": "4711"},
                "request_id='4711' is not a UUID. Give a UUID or its text, or leave it out.",
            ),
            (
                {"request_id": 4711},
                "request_id=4711 is not a UUID. Give a UUID or its text, or leave it out.",
            ),
            (
                {"request_id": None},
                "request_id=None is not a UUID. Give a UUID or its text, or leave it out.",
            ),
            ({"reason": 5}, "reason=5 is not text. Give text, or None."),
            ({"extra": []}, f"extra=[] {NOT_A_DICT}"),
            ({"extra": "ticket"}, f"extra='ticket' {NOT_A_DICT}"),
            ({"extra": {5: "x"}}, f"extra={{5: 'x'}} {NOT_A_DICT}"),
            (
                {"extra": {"reason": "x"}},
                "extra has the reserved name 'reason'. Use the argument reason of acting()"
                " instead.",
            ),
            (
                {"extra": {"x": 1, "impersonator": "x"}},
                "extra has the reserved name 'impersonator'. Use the argument impersonator of"
                " acting() instead.",
            ),
            (
                {"extra": {"at": {1}}},
                "extra={'at': {1}} cannot be stored as JSON: Object of type set is not JSON"
                f" serializable. {NOT_JSON}",
            ),
            (
                {"extra": {"rate": Decimal(1)}},
                "extra={'rate': Decimal('1')} cannot be stored as JSON: Object of type Decimal is"
                f" not JSON serializable. {NOT_JSON}",
            ),
        ],
    )
    def test_message_of_wrong_value(self, arguments, message):
        with pytest.raises(InvalidContextError) as error:
            history.acting(**arguments)
        assert str(error.value) == message
        assert history.current() == Context()

    @pytest.mark.parametrize("number", [float("nan"), float("inf")])
    def test_number_that_json_lacks(self, number):
        with pytest.raises(InvalidContextError, match="cannot be stored as JSON: Out of range"):
            history.acting(extra={"rate": number})

    @pytest.mark.parametrize("name", ["sorce", "user_id", "ip", "request", "job"])
    def test_unknown_argument(self, name):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            history.acting(**{name: "x"})

    def test_positional_argument(self):
        with pytest.raises(TypeError, match="takes 0 positional arguments"):
            history.acting(ANN)

    @pytest.mark.parametrize("name", ["", "  ", "x" * 101, None, 5])
    def test_action_is_not_valid(self, name):
        with pytest.raises(InvalidContextError) as error:
            history.action(name)
        assert str(error.value) == (
            f"Action {name!r} is not valid. Give text of 1 to 100 characters, such as"
            ' "Invoice Generated".'
        )


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_sync_to_async_and_back(self, customer, log):
        @async_to_sync
        async def work():
            with history.acting(user=ANN, source="integration"):
                await arename("1")
                await sync_to_async(rename)("2")
                await sync_to_async(lambda: async_to_sync(arename)("3"))()
            await arename("4")

        work()
        assert log.values("user_label", "source") == [
            ("ann", "integration"),
            ("ann", "integration"),
            ("ann", "integration"),
            (None, "system"),
        ]

    def test_thread_insensitive_call(self, customer, log):
        if connection.vendor == "sqlite":
            pytest.skip("an SQLite database in memory lives in one connection")

        def work(name):
            rename(name)
            connection.close()

        @async_to_sync
        async def run():
            elsewhere = sync_to_async(work, thread_sensitive=False)

            async def one(user, name):
                with history.acting(user=user):
                    await elsewhere(name)

            await asyncio.gather(one(ANN, "a"), one(BOB, "b"), elsewhere("c"))
            await elsewhere("d")

        run()
        written = {
            (changes["name"][1], label) for changes, label in log.values("changes", "user_label")
        }
        assert written == {("a", "ann"), ("b", "bob"), ("c", None), ("d", None)}

    def test_gathered_coroutines(self, customer, log):
        async def work(user, names):
            with history.acting(user=user):
                for name in names:
                    await asyncio.sleep(0)
                    await arename(name)

        @async_to_sync
        async def both():
            with history.acting(source="task"):
                await asyncio.gather(work(ANN, "ace"), work(BOB, "bdf"), arename("nobody"))

        both()
        written = {
            (changes["name"][1], label) for changes, label in log.values("changes", "user_label")
        }
        assert written == {
            ("a", "ann"), ("c", "ann"), ("e", "ann"),
            ("b", "bob"), ("d", "bob"), ("f", "bob"),
            ("nobody", None),
        }  # fmt: skip
        assert set(log.values("source")) == {("task",)}
        assert len(set(log.values("request_id"))) == 1

    def test_task_is_canceled(self, customer, log):
        @async_to_sync
        async def work():
            async def wait_forever():
                with history.acting(user=ANN):
                    await arename("before")
                    await asyncio.Event().wait()

            task = asyncio.ensure_future(wait_forever())
            while not await Customer.objects.filter(name="before").aexists():
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await arename("after")

        work()
        assert log.values("user_label") == [("ann",), (None,)]

    def test_task_with_timeout(self, customer, log):
        @async_to_sync
        async def work():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    with history.acting(user=ANN):
                        await asyncio.Event().wait()
            await arename("after")

        work()
        assert log.values("user_label") == [(None,)]


class TestThreads:
    def test_thread_inherits_nothing(self):
        """A pool's thread may outlive the request that started it, so it inherits nothing."""
        seen = []
        with history.acting(user=ANN):
            for target in (current_user, history.bind_context(current_user)):
                thread = threading.Thread(target=lambda target=target: seen.append(target()))
                thread.start()
                thread.join()
        assert seen == [None, "ann"]

    def test_threads_of_a_pool(self):
        with ThreadPoolExecutor(max_workers=1) as pool:
            with history.acting(user=ANN):
                first = pool.submit(history.bind_context(current_user))
            second = pool.submit(current_user)
            with history.acting(user=BOB):
                third = pool.submit(history.bind_context(current_user))
        assert [first.result(), second.result(), third.result()] == ["ann", None, "bob"]

    def test_bound_coroutine_function(self):
        async def label():
            return current_user()

        with history.acting(user=ANN):
            bound = history.bind_context(label)
        assert asyncio.run(bound()) == "ann"

    @pytest.mark.django_db(transaction=True)
    def test_writes_in_threads(self, customer, log):
        if connection.vendor == "sqlite":
            pytest.skip("an SQLite database in memory lives in one connection")

        def work(name):
            rename(name)
            connection.close()

        with history.acting(user=ANN, source="web", ip_address="203.0.113.9") as context:
            for target, name in ((history.bind_context(work), "bound"), (work, "plain")):
                thread = threading.Thread(target=target, args=(name,))
                thread.start()
                thread.join()
        assert log.values("user_label", "source", "request_id") == [
            ("ann", "web", context.request_id),
            (None, "system", None),
        ]


class TestRequestContext:
    def test_is_the_same_in_all_threads(self):
        context = RequestContext(None)
        with use_context(context), ThreadPoolExecutor(8) as executor:
            run = history.bind_context(current)
            found = list(executor.map(lambda _number: run(), range(50)))
            assert {id(one) for one in found} == {id(current())}
        assert current().request_id is None

    def test_made_by_many_threads_at_once(self):
        for _ in range(50):
            context, barrier = RequestContext(None), threading.Barrier(4)

            def get(context=context, barrier=barrier):
                barrier.wait()
                return context.get()

            with ThreadPoolExecutor(4) as executor:
                found = [one.result() for one in [executor.submit(get) for _ in range(4)]]
            assert len({one.request_id for one in found}) == 1

    def test_has_the_pause_of_its_beginning(self):
        with pausing():
            context = RequestContext(None)
        assert context.get().pause is not None
        with pausing():
            assert RequestContext(None).get().pause is current().pause
        assert RequestContext(None).get().pause is None
