"""A comparison while others write finds nothing that is not there."""

import threading
import time

import pytest
from django.db import connection, transaction

from django_customer_history.capture import model_replay
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.feed.seals.completeness import Completeness
from tests.projects.crm.models import Customer, Tag
from tests.seals.bypassing import bypass

WRITERS = 3

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="a database in memory has one connection"
    ),
]


def write_until(stop, number, counts):
    """Change, link, delete and create the same rows as other writers do."""
    try:
        while not stop.is_set():
            with transaction.atomic():
                customer = Customer.objects.select_for_update().order_by("pk").first()
                customer.rate = f"{counts[number] % 90}.{number}0"
                customer.save()
                tag = Tag.objects.create(name=f"{number}")
                customer.tags.add(tag)
                time.sleep(0.01)
                if counts[number] % 3 == 0:
                    customer.tags.remove(tag)
                    tag.delete()
                transaction.set_rollback(counts[number] % 5 == 0)
            counts[number] += 1
    finally:
        connection.close()


class TestConcurrentWriters:
    @pytest.mark.slow
    def test_no_false_alarm(self, customer, monkeypatch):
        log_registrations("default")
        monkeypatch.setattr(model_replay, "_PAGE", 20)
        monkeypatch.setattr(model_replay, "_KEYS", 5)
        stop, counts = threading.Event(), [0] * WRITERS
        threads = [
            threading.Thread(target=write_until, args=(stop, number, counts))
            for number in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        try:
            found = [list(Completeness(using="default").run()) for _ in range(4)]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert sum(counts) > 20
        assert found == [[]] * 4
        bypass("crm_customer", "UPDATE crm_customer SET status = 'x'")
        assert [one.text for one in Completeness(using="default").run()] == [
            f"crm.customer {customer.pk}: status differs from the log."
        ]
