"""Celery with a real worker and a real broker: entries name the user who sent the task.

`TEST_AMQP_URL` and `TEST_REDIS_URL` are the URLs of the brokers.
"""

import os
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from celery import current_app
from django.test import AsyncClient, Client
from kombu import Connection
from kombu.exceptions import OperationalError

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import InvalidContextError
from tests.celery_app import app_for
from tests.conftest import Log
from tests.extras import skip_missing
from tests.projects.crm.models import Customer
from tests.projects.crm.tasks import rename, rename_and_fail, rename_and_wait

BROKERS = {
    "RabbitMQ": os.environ.get("TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "Redis": os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
}
ROOT = Path(__file__).parents[2]
ANN = NamedUser(id="1", label="ann")
TIMEOUT = 40
"""Seconds to wait for the entries of a worker."""


def reachable(name):
    with Connection(BROKERS[name], connect_timeout=3) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=5)
        except OperationalError:
            skip_missing(f"{name} cannot be reached")
    return BROKERS[name]


@contextmanager
def running_worker(broker, database, path, *arguments, **environment):
    """Run a worker with its own queue and name, and send tasks to that queue."""
    broker = reachable(broker)
    queue = f"customer_history_{uuid.uuid4().hex}"
    environment = {
        **os.environ,
        **environment,
        "DATABASE_URL": database,
        "CELERY_BROKER_URL": broker,
        "CELERY_QUEUE": queue,
    }
    command = [
        sys.executable, "-m", "celery", "-A", "tests.celery_app", "worker", "--concurrency=1",
        "--queues", queue, "--hostname", queue, "--without-gossip", "--without-mingle", *arguments,
    ]  # fmt: skip
    with (path / "worker.log").open("w") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    sender, before = app_for(broker=broker, queue=queue), current_app._get_current_object()
    sender.set_default()
    try:
        yield
    finally:
        before.set_default()
        sender.close()
        worker.terminate()
        worker.wait(20)
        with Connection(broker) as connection:
            connection.default_channel.queue_delete(queue)


def wait_for_entries(log, count, path):
    """Wait until a number of customer entries are logged, and return them."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        entries = [one for one in log.entries() if one.entity_model == "crm.customer"]
        if len(entries) >= count:
            return entries
        time.sleep(0.1)
    return pytest.fail(f"{count} entries were expected:\n{(path / 'worker.log').read_text()}")


def logged(entries):
    return [(entry.changes["name"][1], entry.user_label, entry.source) for entry in entries]


def fax(request):
    """Return an unknown source."""
    return "fax"


class TestWorker:
    @pytest.mark.slow
    @pytest.mark.parametrize("broker", BROKERS)
    def test_context_of_the_sender(self, shared_database, broker, user, tmp_path):
        log, client = Log(), Client(REMOTE_ADDR="203.0.113.9")
        client.force_login(user)
        log.clear()
        url = f"/customers/{Customer.objects.get().pk}/task/"
        with running_worker(broker, shared_database, tmp_path):
            client.post(url, {"task": "rename", "names": "by ann"})
            client.post(url, {"task": "rename_and_fail", "names": "by ann, failed"})
            rename.delay("by nobody")
            with history.acting(user=user, source="workflow", impersonator=ANN, reason="dunning"):
                rename.delay("by a workflow")
            first, failed, nobody, workflow = wait_for_entries(log, 4, tmp_path)
        assert logged([first, failed, nobody, workflow]) == [
            ("by ann", "ann", "task"),
            ("by ann, failed", None, "import"),
            ("by nobody", None, "task"),
            ("by a workflow", "ann", "task"),
        ]
        assert (first.user_id, first.ip_address) == (str(user.pk), "203.0.113.9")
        assert first.context == {"task": "tests.projects.crm.tasks.rename", "sent_from": "web"}
        assert nobody.context == {"task": "tests.projects.crm.tasks.rename"}
        assert nobody.ip_address is None
        assert workflow.context == {
            "task": "tests.projects.crm.tasks.rename",
            "sent_from": "workflow",
            "reason": "dunning",
            "impersonator": {"id": "1", "label": "ann"},
        }
        requests = {one.request_id for one in (first, failed, nobody, workflow)}
        assert len(requests) == 4
        assert None not in requests

    @pytest.mark.slow
    def test_chains_and_retries(self, shared_database, user, tmp_path):
        log, client = Log(), Client()
        client.force_login(user)
        log.clear()
        url = f"/customers/{Customer.objects.get().pk}/task/"
        with running_worker("RabbitMQ", shared_database, tmp_path):
            client.post(url, {"task": "rename_in_a_row", "names": ["1", "2", "3"]})
            chained = wait_for_entries(log, 3, tmp_path)
            client.post(url, {"task": "rename_after_a_retry", "names": "try"})
            retried = wait_for_entries(log, 5, tmp_path)[3:]
        assert logged(chained) == [("1", "ann", "task"), ("2", "ann", "task"), ("3", "ann", "task")]
        assert logged(retried) == [("try 0", "ann", "task"), ("try 1", "ann", "task")]
        assert len({entry.request_id for entry in chained}) == 1
        assert len({entry.request_id for entry in retried}) == 1
        assert {entry.context["sent_from"] for entry in (*chained, *retried)} == {"web"}
        assert {entry.context["task"] for entry in chained} == {"tests.projects.crm.tasks.rename"}

    @pytest.mark.slow
    def test_groups_and_failed_tasks(self, shared_database, user, tmp_path):
        log, client = Log(), Client()
        client.force_login(user)
        log.clear()
        url = f"/customers/{Customer.objects.get().pk}/task/"
        with running_worker("Redis", shared_database, tmp_path):
            client.post(url, {"task": "rename_in_a_group", "names": ["a", "b"]})
            grouped = wait_for_entries(log, 2, tmp_path)
            client.post(url, {"task": "rename_and_fail_once", "names": "try"})
            retried = wait_for_entries(log, 4, tmp_path)[2:]
        assert {one.changes["name"][1] for one in grouped} == {"a", "b"}
        assert logged(retried) == [("try 0", "ann", "task"), ("try 1", "ann", "task")]
        for entries in (grouped, retried):
            assert {one.user_label for one in entries} == {"ann"}
            assert len({one.request_id for one in entries}) == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("limit", ["soft_time_limit", "time_limit"])
    def test_task_over_its_time_limit(self, shared_database, customer, tmp_path, limit):
        """A soft limit raises in the task; a hard limit ends its process."""
        log = Log()
        with running_worker("RabbitMQ", shared_database, tmp_path):
            with history.acting(user=ANN, source="web", ip_address="203.0.113.9"):
                rename_and_wait.apply_async(["too long"], **{limit: 1})
            wait_for_entries(log, 1, tmp_path)
            rename.delay("next")
            stopped, following = wait_for_entries(log, 2, tmp_path)
        assert logged([stopped, following]) == [
            ("too long", None, "import"),
            ("next", None, "task"),
        ]
        assert following.context == {"task": "tests.projects.crm.tasks.rename"}
        assert following.ip_address is None
        assert following.request_id != stopped.request_id

    @pytest.mark.slow
    def test_async_view_with_lazy_user(self, shared_database, user, tmp_path):
        log = Log()

        @async_to_sync
        async def post():
            client = AsyncClient()
            await client.aforce_login(user)
            url = f"/customers/{(await Customer.objects.aget()).pk}/task/async/"
            await client.post(url, {"task": "rename", "names": "by ann"})

        with running_worker("RabbitMQ", shared_database, tmp_path):
            post()
            entries = wait_for_entries(log, 1, tmp_path)
        assert logged(entries) == [("by ann", "ann", "task")]

    @pytest.mark.slow
    def test_task_sent_by_beat(self, shared_database, customer, tmp_path):
        log = Log()
        schedule = str(tmp_path / "schedule")
        arguments = ("--beat", "--schedule", schedule)
        with running_worker("Redis", shared_database, tmp_path, *arguments, CELERY_BEAT="1"):
            (entry, *_) = wait_for_entries(log, 1, tmp_path)
        assert logged([entry]) == [("by beat", None, "task")]
        assert entry.context == {"task": "tests.projects.crm.tasks.rename"}
        assert entry.user_id is None

    @pytest.mark.slow
    def test_error_reaches_the_sender(self, shared_database, user, settings, tmp_path):
        log, client = Log(), Client()
        client.force_login(user)
        log.clear()
        url = f"/customers/{Customer.objects.get().pk}/task/"
        with running_worker("Redis", shared_database, tmp_path):
            settings.CUSTOMER_HISTORY = {"SOURCE_RESOLVER": f"{__name__}.fax"}
            with pytest.raises(InvalidContextError, match="Source 'fax' does not exist"):
                client.post(url, {"task": "rename", "names": "by fax"})
            settings.CUSTOMER_HISTORY = {}
            client.post(url, {"task": "rename", "names": "by web"})
            entries = wait_for_entries(log, 1, tmp_path)
        assert logged(entries) == [("by web", "ann", "task")]


class TestEagerTask:
    @pytest.mark.django_db
    def test_context_of_an_eager_task(self, customer, log):
        with history.acting(user=ANN, source="web") as context:
            rename.apply(["at once"])
            rename_and_fail.apply(["failed"])
            Customer.objects.update(name="after")
        first, failed, after = log.entries()
        assert logged([first]) == [("at once", "ann", "task")]
        assert first.context == {"task": "tests.projects.crm.tasks.rename", "sent_from": "web"}
        assert logged([failed]) == [("failed", None, "import")]
        assert logged([after]) == [("after", "ann", "web")]
        assert {first.request_id, failed.request_id, after.request_id} == {context.request_id}
