"""Writers that run at the same time: `python -m tests.writers SECONDS WRITERS`.

Each writes short and long transactions, some that are rolled back, and events from Python.
"""

import sys
import threading
import time
from contextlib import contextmanager


def write_until(stop, number, *, longest=0.3):
    """Write until the event is set; `longest` is the time of a long transaction, in seconds."""
    from django.db import connection, transaction  # noqa: PLC0415 - needs settings

    from django_customer_history import history  # noqa: PLC0415
    from tests.projects.crm.models import Tag  # noqa: PLC0415

    try:
        at = 0
        while not stop.wait(0.005):
            at += 1
            with transaction.atomic():
                Tag.objects.create(name=f"{number}.{at}")
                time.sleep(longest if at % 20 == 0 else 0)
                tag = Tag.objects.create(name=f"{number}.{at}.2")
                transaction.set_rollback(at % 5 == 0)
            with transaction.atomic():
                history.record("Checked", entity=tag)
                time.sleep(longest / 10 if at % 7 == 0 else 0)
                history.record("Noted", entity=tag)
    finally:
        connection.close()


@contextmanager
def writing(writers, **options):
    """Write in several threads; yield the event that ends them. The block waits for the ends."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=write_until, args=(stop, number), kwargs=options)
        for number in range(writers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    import django

    django.setup()
    with writing(int(sys.argv[2])):
        time.sleep(float(sys.argv[1]))
