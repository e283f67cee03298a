"""The context as a block, as a decorator, and on its way through threads and tasks of asyncio."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import InvalidContextError
from tests.projects.crm.models import Customer

ANN = NamedUser(id="1", label="ann")
BOB = NamedUser(id="2", label="bob")


def rename(name):
    Customer.objects.update(name=name)


async def arename(name):
    await Customer.objects.aupdate(name=name)


def acts():
    return history.current().resolve().user_label


class TestDecorator:
    def test_each_call_of_a_function_is_a_block_of_its_own(self):
        seen = []

        @history.acting(user=ANN)
        def work(depth):
            seen.append((acts(), history.current().request_id))
            if depth:
                work(depth - 1)

        work(1)
        work(0)
        assert [label for label, _ in seen] == ["ann"] * 3
        (_, outer), (_, nested), (_, later) = seen
        assert outer == nested
        assert later != outer
        assert acts() is None

    def test_the_body_of_a_coroutine_function_is_inside_of_the_block(self):
        @history.acting(user=ANN)
        async def work():
            await asyncio.sleep(0)
            return acts()

        @history.action("Named")
        async def named():
            await asyncio.sleep(0)
            return history.current().action

        assert asyncio.run(work()) == "ann"
        assert asyncio.run(named()) == "Named"
        assert work.__name__ == "work"
        assert asyncio.iscoroutinefunction(work)

    def test_two_calls_at_once_do_not_mix(self):
        async def work(user, turns):
            @history.acting(user=user)
            async def body():
                seen = set()
                for _ in range(turns):
                    await asyncio.sleep(0)
                    seen.add(acts())
                return seen

            return await body()

        async def both():
            return await asyncio.gather(work(ANN, 20), work(BOB, 30))

        assert asyncio.run(both()) == [{"ann"}, {"bob"}]

    def test_a_generator_is_refused_as_its_body_would_run_outside(self):
        with pytest.raises(InvalidContextError, match=r"rows is a generator: write the block"):

            @history.acting(user=ANN)
            def rows():
                yield

        with pytest.raises(InvalidContextError, match=r"is a generator"):

            @history.acting(user=ANN)
            async def async_rows():
                yield

    def test_methods(self):
        class Service:
            name = "service"

            @history.acting(user=ANN)
            def work(self):
                return self.name, acts()

        assert Service().work() == ("service", "ann")


class TestBlock:
    def test_async_with(self):
        async def work():
            async with history.acting(user=ANN) as context:
                await asyncio.sleep(0)
                return acts(), context is history.current()

        assert asyncio.run(work()) == ("ann", True)

    def test_one_block_can_be_entered_again_and_inside_of_itself(self):
        block = history.acting(user=ANN)
        with block:
            with block:
                assert acts() == "ann"
            assert acts() == "ann"
        assert acts() is None

    def test_one_block_that_several_threads_are_inside_of_leaks_into_none(self):
        block, all_inside = history.acting(user=ANN), threading.Barrier(3)

        def work(number):
            with history.acting(user=NamedUser(id="9", label=f"u{number}")), block:
                all_inside.wait()
                inside = acts()
                all_inside.wait()
            return inside, acts()

        with ThreadPoolExecutor(max_workers=3) as pool:
            # Twice: the pool's threads go on to live.
            for _ in range(2):
                assert set(pool.map(work, range(3))) == {("ann", None)}
        assert acts() is None

    def test_one_block_that_several_tasks_are_inside_of_leaks_into_none(self):
        block = history.acting(user=ANN)

        async def work(turns):
            with history.acting(user=BOB):
                async with block:
                    await asyncio.sleep(0)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    inside = acts()
                await asyncio.sleep(0)
                between = acts()
            return inside, between, acts()

        async def all_of_them():
            async with block:
                found = await asyncio.gather(*(work(turns) for turns in (3, 1, 2)))
                return found, acts()

        assert asyncio.run(all_of_them()) == ([("ann", "bob", "ann")] * 3, "ann")
        assert acts() is None

    def test_a_block_ends_where_it_began(self):
        block = history.acting(user=ANN)
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(block.__enter__).result()
            with pytest.raises(InvalidContextError, match="thread or task that it began in"):
                block.__exit__(None, None, None)
            pool.submit(block.__exit__, None, None, None).result()
            assert pool.submit(acts).result() is None

    def test_what_is_wrong_is_told_where_the_block_begins(self, django_user_model):
        with (
            pytest.raises(InvalidContextError, match="never saved"),
            history.acting(user=django_user_model(username="new")),
        ):
            pass
        assert acts() is None

    def test_the_impersonator_stands_beside_the_user(self):
        with history.acting(user=BOB, impersonator=ANN, reason="support call"):
            resolved = history.current().resolve()
        assert resolved.user_label == "bob"
        assert resolved.context == {
            "impersonator": {"id": "1", "label": "ann"},
            "reason": "support call",
        }


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

    def test_a_thread_of_its_own_for_a_call(self, customer, log):
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
        told = {
            (changes["name"][1], label) for changes, label in log.values("changes", "user_label")
        }
        assert told == {("a", "ann"), ("b", "bob"), ("c", None), ("d", None)}

    def test_gathered_coroutines_keep_their_own(self, customer, log):
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
        told = {
            (changes["name"][1], label) for changes, label in log.values("changes", "user_label")
        }
        assert told == {
            ("a", "ann"), ("c", "ann"), ("e", "ann"),
            ("b", "bob"), ("d", "bob"), ("f", "bob"),
            ("nobody", None),
        }  # fmt: skip
        assert set(log.values("source")) == {("task",)}
        assert len(set(log.values("request_id"))) == 1

    def test_a_task_that_is_cancelled_leaves_nothing_behind(self, customer, log):
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

    def test_a_timeout_leaves_nothing_behind(self, customer, log):
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
    def test_a_thread_begins_with_nobody_and_takes_the_context_only_when_given_it(self):
        """A pool's thread may outlive the request that started it, so it inherits nothing."""
        seen = []
        with history.acting(user=ANN):
            for target in (acts, history.bind_context(acts)):
                thread = threading.Thread(target=lambda target=target: seen.append(target()))
                thread.start()
                thread.join()
        assert seen == [None, "ann"]

    def test_a_pool_serves_each_with_its_own(self):
        with ThreadPoolExecutor(max_workers=1) as pool:
            with history.acting(user=ANN):
                first = pool.submit(history.bind_context(acts))
            second = pool.submit(acts)
            with history.acting(user=BOB):
                third = pool.submit(history.bind_context(acts))
        assert [first.result(), second.result(), third.result()] == ["ann", None, "bob"]

    def test_it_carries_coroutine_functions_too(self):
        async def who():
            return acts()

        with history.acting(user=ANN):
            bind_context = history.bind_context(who)
        assert asyncio.run(bind_context()) == "ann"

    @pytest.mark.django_db(transaction=True)
    def test_what_a_thread_writes(self, customer, log):
        if connection.vendor == "sqlite":
            pytest.skip("an SQLite database in memory lives in one connection")

        def work(name):
            rename(name)
            connection.close()

        with history.acting(user=ANN, source="web", ip_address="203.0.113.9") as context:
            for target, name in ((history.bind_context(work), "bind_context"), (work, "plain")):
                thread = threading.Thread(target=target, args=(name,))
                thread.start()
                thread.join()
        assert log.values("user_label", "source", "request_id") == [
            ("ann", "web", context.request_id),
            (None, "system", None),
        ]
