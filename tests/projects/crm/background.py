"""Django tasks that change customers."""

from importlib import import_module

from django.conf import settings

from django_customer_history import history
from tests.projects.crm.models import Customer

task = import_module(settings.TASKS_PACKAGE).task


def queued(a_task, backend):
    """Return a task that goes to the worker of a test."""
    return a_task.using(backend=backend, queue_name=settings.TASK_QUEUE)


@task
def rename(name):
    Customer.objects.update(name=name)


@task
async def rename_async(name):
    await Customer.objects.aupdate(name=name)


@task(takes_context=True)
def rename_with_context(context, name):
    Customer.objects.update(name=f"{name} {context.attempt}")


@task
def rename_and_fail(name):
    NEVER_LEFT.append(history.acting(user=None, source="import"))
    NEVER_LEFT[-1].__enter__()
    Customer.objects.update(name=name)
    raise RuntimeError(name)


@task
def rename_by_another(name, backend):
    Customer.objects.update(name=f"{name} 1")
    queued(rename, backend).enqueue(f"{name} 2")


NEVER_LEFT = []
