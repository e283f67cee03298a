"""`python -m benchmarks.exporting`: the time and memory of exports of a long history.

A log of `--entries` entries of 500 customers is exported in each of `--formats`, in one process
for each format. The run fails if a process takes more memory than `--most`: its peak above its
memory after the export of one entry, read from `/proc` on Linux. `DATABASE_URL` names the database
server. The tables are created in a test database, which is removed.
"""

import argparse
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.reading import START, CommandReader, fill
from benchmarks.writing import configure

MOST_MEGABYTES = 64
TEST_DATABASE = "BENCHMARK_TEST_DATABASE"


def export(name, entries):
    """Export the oldest entries and return the number of bytes."""
    from django_customer_history.export.streaming import start_export
    from django_customer_history.reading.timeline import Timeline

    timeline = Timeline.of_everything(CommandReader())
    until = START + timedelta(seconds=entries - 1)
    return sum(len(piece) for piece in start_export(timeline.filtered(to=until), format_name=name))


def peak():
    """Return the peak memory of this process so far, in kilobytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def measure(name, entries):
    """Print time, size and memory of an export, and return the megabytes of memory."""
    from django.db import connection

    connection.settings_dict["NAME"] = os.environ[TEST_DATABASE]
    export(name, 1)
    base, start = peak(), time.perf_counter()
    size = export(name, entries)
    seconds = time.perf_counter() - start
    above = (peak() - base) / 1024
    print(
        f"{connection.vendor}: {entries} entries as {name}: {seconds:.0f} s, {size / 1e6:.0f} MB,"
        f" {above:.1f} MB of memory above the base of {base / 1024:.0f} MB",
        flush=True,
    )
    return above


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--formats", nargs="*", default=["csv", "ndjson", "xlsx"])
    parser.add_argument(
        "--most",
        type=float,
        default=MOST_MEGABYTES,
        help="Fail if an export takes more megabytes of memory (default: %(default)s).",
    )
    parser.add_argument("--measure", metavar="FORMAT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure()
    if arguments.measure:
        if measure(arguments.measure, arguments.entries) > arguments.most:
            sys.exit(f"This is more than the limit of {arguments.most:g} MB.")
        return
    from django.db import connection

    failed = []
    original = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        from benchmarks.models import AuditedCustomer

        names = [AuditedCustomer(name=f"customer {number}") for number in range(500)]
        AuditedCustomer.objects.bulk_create(names)
        customer, *others = AuditedCustomer.objects.order_by("pk")
        fill(customer, others, arguments.entries)
        environment = {**os.environ, TEST_DATABASE: str(connection.settings_dict["NAME"])}
        command = [sys.executable, "-m", "benchmarks.exporting"]
        bounds = ["--entries", str(arguments.entries), "--most", str(arguments.most)]
        for name in arguments.formats:
            options = ["--measure", name, *bounds]
            done = subprocess.run([*command, *options], env=environment, check=False)
            failed += [name] if done.returncode else []
    finally:
        connection.creation.destroy_test_db(original, verbosity=0)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
