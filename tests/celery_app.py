"""The Celery app of the tests. Workers read the broker and the queue from the environment."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def app_for(*, broker, queue):
    """Return an app that uses one queue of one broker."""
    new = Celery("tests", set_as_current=False)
    new.conf.update(
        broker_url=broker,
        task_default_queue=queue,
        task_ignore_result=True,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        imports=["tests.projects.crm.tasks"],
    )
    return new


app = app_for(
    broker=os.environ.get("CELERY_BROKER_URL", "memory://"),
    queue=os.environ.get("CELERY_QUEUE", "tests"),
)
if "CELERY_BEAT" in os.environ:
    app.conf.beat_schedule = {
        "beat": {"task": "tests.projects.crm.tasks.rename", "schedule": 0.5, "args": ["by beat"]}
    }
app.set_default()
