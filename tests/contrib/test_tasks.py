"""Tasks of Django with real workers: entries name the user who enqueued the task.

Django 5.2 uses the backport `django_tasks`. `TEST_REDIS_URL` is the URL of the broker of RQ.
"""

import os
import subprocess
import sys
from pathlib import Path

import django_rq
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as configured
from django.test import AsyncClient, Client
from redis.exceptions import ConnectionError as RedisConnectionError

from django_customer_history import (
    checks,
    history,
)
from django_customer_history.context.resolved import NamedUser
from tests.conftest import Log
from tests.extras import skip_missing
from tests.projects.crm import background
from tests.projects.crm.background import queued
from tests.projects.crm.models import Customer

ROOT = Path(__file__).parents[2]
ANN = NamedUser(id="1", label="ann")
BOB = NamedUser(id="2", label="bob")
WORKERS = {
    "database": ("db_worker", "--batch", "--backend", "database", "--queue-name", "*"),
    "rq": ("rqworker", configured.TASK_QUEUE, "--burst", "--job-class", "django_tasks_rq.Job"),
}


@pytest.fixture(params=WORKERS)
def backend(request, transactional_db):
    if request.param == "rq":
        queue = django_rq.get_queue(configured.TASK_QUEUE)
        try:
            queue.empty()
        except RedisConnectionError:
            skip_missing("Redis cannot be reached")
        yield request.param
        queue.delete(delete_jobs=True)
    else:
        yield request.param


@pytest.fixture
def work(backend, shared_database):
    """Return a function that runs a real worker until the queue is empty."""

    def run():
        environment = {**os.environ, "DATABASE_URL": shared_database, "LOGNAME": "deploy"}
        environment["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        done = subprocess.run(
            [sys.executable, "-m", "django", *WORKERS[backend], "--skip-checks"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    return run


def logged(log):
    entries = [one for one in log.entries() if one.entity_model == "crm.customer"]
    return entries, [(one.changes["name"][1], one.user_label, one.source) for one in entries]


class TestWorker:
    def test_context_of_the_sender(self, work, backend, user):
        log, client = Log(), Client(REMOTE_ADDR="203.0.113.9")
        client.force_login(user)
        log.clear()
        url = f"/customers/{Customer.objects.get().pk}/enqueue/"
        client.post(url, {"task": "rename", "backend": backend, "name": "by ann"})
        client.post(url, {"task": "rename_and_fail", "backend": backend, "name": "failed"})
        queued(background.rename, backend).enqueue("by nobody")
        with history.acting(user=user, source="workflow", impersonator=ANN, reason="dunning"):
            queued(background.rename_with_context, backend).enqueue("attempt")
        work()
        entries, texts = logged(log)
        assert texts == [
            ("for by ann", "ann", "web"),
            ("for failed", "ann", "web"),
            ("by ann", "ann", "task"),
            ("failed", None, "import"),
            ("by nobody", None, "task"),
            ("attempt 1", "ann", "task"),
        ]
        request, other_request, first, failed, nobody, workflow = entries
        assert (first.user_id, first.ip_address) == (str(user.pk), "203.0.113.9")
        assert first.request_id == request.request_id
        assert failed.request_id == other_request.request_id
        assert first.context == {"task": "tests.projects.crm.background.rename", "sent_from": "web"}
        assert (nobody.context, nobody.ip_address) == (
            {"task": "tests.projects.crm.background.rename"},
            None,
        )
        assert workflow.context == {
            "task": "tests.projects.crm.background.rename_with_context",
            "sent_from": "workflow",
            "reason": "dunning",
            "impersonator": {"id": "1", "label": "ann"},
        }
        assert (
            len({first.request_id, failed.request_id, nobody.request_id, workflow.request_id}) == 4
        )

    def test_nested_and_async_tasks(self, work, backend, user):
        log = Log()

        @async_to_sync
        async def post():
            client = AsyncClient()
            await client.aforce_login(user)
            url = f"/customers/{(await Customer.objects.aget()).pk}/enqueue/async/"
            log_in = {"task": "rename_async", "backend": backend, "name": "by async"}
            await client.post(url, log_in)

        with history.acting(user=ANN, source="web") as context:
            queued(background.rename_by_another, backend).enqueue("twice", backend)
        post()
        work()
        entries, texts = logged(log)
        assert sorted(texts) == [
            ("by async", "ann", "task"),
            ("twice 1", "ann", "task"),
            ("twice 2", "ann", "task"),
        ]
        twice = [one for one in entries if one.changes["name"][1].startswith("twice")]
        assert {one.request_id for one in twice} == {context.request_id}
        assert {one.context["sent_from"] for one in entries} == {"web"}

    def test_without_the_setting(self, work, backend, settings, customer):
        settings.CUSTOMER_HISTORY = {}
        log = Log()
        with history.acting(user=ANN, source="web") as context:
            queued(background.rename, backend).enqueue("x")
        work()
        ((entry,), texts) = logged(log)
        assert texts == [("x", None, "task")]
        assert entry.context == {"task": "tests.projects.crm.background.rename"}
        assert entry.request_id not in (None, context.request_id)


@pytest.mark.django_db
class TestWithoutWorker:
    def test_immediate_backend(self, customer, log):
        with history.acting(user=ANN, source="web") as context:
            result = background.rename.enqueue("at once")
            background.rename_and_fail.enqueue("failed")
            Customer.objects.update(name="after")
        assert result.kwargs == {}
        assert log.values("user_label", "source", "context") == [
            ("ann", "task", {"task": "tests.projects.crm.background.rename", "sent_from": "web"}),
            (
                None,
                "import",
                {"task": "tests.projects.crm.background.rename_and_fail", "sent_from": "web"},
            ),
            ("ann", "web", None),
        ]
        assert set(log.values("request_id")) == {(context.request_id,)}

    @pytest.mark.django_db(transaction=True)
    def test_asynchronous_calls(self, customer, log):
        @async_to_sync
        async def run():
            with history.acting(user=BOB, source="api"):
                await background.rename_async.aenqueue("enqueued")
                await background.rename_async.acall("called")
                await background.rename.acall("called in a thread")
            await Customer.objects.aupdate(name="after")

        run()
        assert log.values("user_label", "source") == [
            ("bob", "task"),
            ("bob", "task"),
            ("bob", "task"),
            (None, "system"),
        ]

    def test_call_without_a_queue(self, customer, log):
        with history.acting(user=ANN, source="web"):
            queued(background.rename, "database").call("x")
        assert log.values("user_label", "source") == [("ann", "task")]

    def test_arguments_in_dummy_backend(self):
        with history.acting(user=ANN):
            result = background.rename.using(backend="dummy").enqueue("x")
        assert (result.args, result.kwargs) == (["x"], {})


class TestSettings:
    def test_check_of_the_setting(self, settings):
        assert checks.check_tasks() == []
        settings.CUSTOMER_HISTORY = {}
        found = checks.check_tasks()
        assert [one.id for one in found] == ["customer_history.W005"] * 2
        assert "django_tasks_db.DatabaseBackend" in found[0].msg
        assert "PROPAGATE_CONTEXT_TO_TASKS" in found[0].hint
