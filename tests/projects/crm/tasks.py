"""Tasks that change customers."""

import time

from celery import chain, group, shared_task

from django_customer_history import history
from tests.projects.crm.models import Customer


@shared_task
def rename(name):
    Customer.objects.update(name=name)


@shared_task
def rename_in_a_row(*names):
    chain(rename.si(names[0]), *(rename.si(name) for name in names[1:])).delay()


@shared_task
def rename_in_a_group(*names):
    group(rename.s(name) for name in names).delay()


@shared_task(bind=True, max_retries=2)
def rename_after_a_retry(self, name):
    Customer.objects.update(name=f"{name} {self.request.retries}")
    if self.request.retries < 1:
        raise self.retry(countdown=0)


NEVER_LEFT = []


@shared_task
def rename_and_wait(name):
    """Write, and wait for longer than any time limit."""
    NEVER_LEFT.append(history.acting(user=None, source="import"))
    NEVER_LEFT[-1].__enter__()
    Customer.objects.update(name=name)
    time.sleep(60)


@shared_task(bind=True, autoretry_for=(RuntimeError,), max_retries=1, default_retry_delay=0)
def rename_and_fail_once(self, name):
    Customer.objects.update(name=f"{name} {self.request.retries}")
    if not self.request.retries:
        raise RuntimeError(name)


@shared_task
def rename_and_fail(name):
    NEVER_LEFT.append(history.acting(user=None, source="import"))
    NEVER_LEFT[-1].__enter__()
    Customer.objects.update(name=name)
    raise RuntimeError(name)
