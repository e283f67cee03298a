"""`python -m benchmarks.shipping`: how many entries a second the feed reads and a target takes.

A log of `--entries` entries of 500 customers is read once, and written into an NDJSON file, Parquet
and Delta Lake in a temporary folder, and into each of `--targets`, such as
"nats://localhost:4222/benchmark?stream=BENCHMARK". `DATABASE_URL` names the database server. The
tables are created in a test database, which is removed.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from urllib.parse import urlsplit

from benchmarks.reading import CommandReader, filled_database
from benchmarks.writing import configure

IN_FOLDERS = ("file", "parquet", "delta")


class Stopwatch:
    """Prints entries a second: of the clock, and of the processor time of this process."""

    def __init__(self, name, count):
        self.name, self.count = name, count

    def __enter__(self):
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def __exit__(self, *_error):
        wall = self.count / (time.perf_counter() - self.wall)
        processor = self.count / (time.process_time() - self.processor)
        print(f"{self.name}: {wall:,.0f} entries a second ({processor:,.0f} of processor time)")


def measure(url, page):
    from django_customer_history.feed.messages import MESSAGE_FORMATS
    from django_customer_history.feed.targets.base import Destination
    from django_customer_history.feed.targets.targets import target_of

    destination = Destination(
        url=urlsplit(url), format=MESSAGE_FORMATS["native"], question="", alias="default"
    )
    target = target_of(destination)
    try:
        target.position()
        with Stopwatch(destination.url.scheme, len(page.entries)):
            for start in range(0, len(page.entries), target.batch):
                entries = page.entries[start : start + target.batch]
                target.write(replace(page, entries=entries, position=entries[-1].id))
    finally:
        target.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--targets", nargs="*", default=[], metavar="URL")
    arguments = parser.parse_args()
    configure()
    from django.db import connection

    with filled_database(arguments.entries):
        from django_customer_history.reading.timeline import Timeline

        with Stopwatch(f"{connection.vendor}, reading", arguments.entries):
            page = Timeline.of_everything(CommandReader()).feed(limit=arguments.entries)
        with tempfile.TemporaryDirectory() as folder:
            in_folders = [f"{kind}:{folder}/{kind}" for kind in IN_FOLDERS]
            for url in (*in_folders, *arguments.targets):
                measure(url, page)


if __name__ == "__main__":
    main()
