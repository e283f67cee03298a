"""`python -m benchmarks.lag`: how long the feed takes to return an entry, and what writers pay.

`--writers` processes save `--rate` rows a second in all. Two turns of `--seconds` alternate: in one
a follower reads the feed every 50 milliseconds, in the other nobody reads. The program prints the
time from the timestamp of each entry until the follower has it, and the time of a write in each
turn. `DATABASE_URL` names the database server.
"""

import argparse
import multiprocessing
import statistics
import time
from datetime import UTC, datetime

from benchmarks.reading import CommandReader, filled_database
from benchmarks.writing import configure

INTERVAL = 0.05
TURNS = 2


def write(number, rate, until, answers):
    """Save rows at a rate until the time is over; answer with the times of the writes."""
    from benchmarks.models import AuditedCustomer

    keys = list(AuditedCustomer.objects.values_list("pk", flat=True))
    times, due = [], time.monotonic()
    while due < until:
        start = time.monotonic()
        AuditedCustomer.objects.filter(pk=keys[len(times) % len(keys)]).update(
            status=f"{number} {len(times)}"
        )
        times.append(time.monotonic() - start)
        due += 1 / rate
        time.sleep(max(due - time.monotonic(), 0))
    answers.put(times)


def follow(position, until):
    """Read the feed until the time is over; return the seconds from each entry's timestamp."""
    from django_customer_history.reading.timeline import Timeline

    timeline, lags = Timeline.of_everything(CommandReader()), []
    while time.monotonic() < until:
        page = timeline.feed(after=position, limit=2_000)
        now = datetime.now(UTC)
        lags += [(now - entry.timestamp).total_seconds() for entry in page.entries]
        position = page.position
        time.sleep(INTERVAL)
    return lags


def turn(options, *, is_followed):
    """Run the writers for some seconds; return the times of the writes and of the feed."""
    from django.db import connections

    from django_customer_history.models import Entry

    position = Entry.objects.latest("id").id
    connections.close_all()
    fork, until = multiprocessing.get_context("fork"), time.monotonic() + options.seconds
    answers, rate = fork.Queue(), options.rate / options.writers
    writers = [
        fork.Process(target=write, args=(number, rate, until, answers))
        for number in range(options.writers)
    ]
    for writer in writers:
        writer.start()
    lags = follow(position, until) if is_followed else []
    times = [one for _ in writers for one in answers.get(timeout=options.seconds + 120)]
    for writer in writers:
        writer.join()
    return times, lags


def shown(values):
    """Return the median, the 99th percentile and the greatest of some seconds."""
    cuts = statistics.quantiles(values, n=100)
    return f"{cuts[49] * 1000:.1f} / {cuts[98] * 1000:.1f} / {max(values) * 1000:.1f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    configure()
    from django.db import connection

    alone, followed, lags = [], [], []
    with filled_database(1_000):
        for _ in range(TURNS):
            alone += turn(options, is_followed=False)[0]
            times, found = turn(options, is_followed=True)
            followed, lags = followed + times, lags + found
        written = len(followed) / options.seconds / TURNS
        print(f"{connection.vendor}, {written:,.0f} writes a second; median / 99 % / greatest")
        print(f"from the write to the follower: {shown(lags)}")
        print(f"a write that nobody follows: {shown(alone)}")
        print(f"a write that is followed: {shown(followed)}")


if __name__ == "__main__":
    main()
