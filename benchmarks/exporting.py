"""`python -m benchmarks.exporting`: the time and memory of exports of a long history.

A log of `--entries` entries of 500 customers is exported in each of `--formats`, in one process
for each format. CSV and XLSX are compared with the bare library in the same process. The run
fails if a process takes more memory than `--most`: its peak above its memory after the export of
one entry, read from `/proc` on Linux. `DATABASE_URL` names the database server. The tables are
created in a test database, which is removed.
"""

import argparse
import csv
import io
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile

from benchmarks.reading import START, CommandReader, filled_database
from benchmarks.writing import configure

MOST_MEGABYTES = 64
SHEET = 1_048_576
LIBRARIES = {"csv": "a plain loop over the rows into csv.writer", "xlsx": "XlsxWriter alone"}
TEST_DATABASE = "BENCHMARK_TEST_DATABASE"


def export(name, entries):
    """Export the oldest entries and return the number of bytes."""
    from django_customer_history.export.streaming import start_export
    from django_customer_history.reading.timeline import Timeline

    timeline = Timeline.of_everything(CommandReader())
    until = START + timedelta(seconds=entries - 1)
    return sum(len(piece) for piece in start_export(timeline.filtered(to=until), format_name=name))


def write_alone(name, entries):
    """Write the same cells with the bare library, and return how many."""
    rows = cells_of(entries)
    if name == "csv":
        writer = csv.writer(io.StringIO(newline=""))
        return sum(1 for row in rows if writer.writerow(row))
    from xlsxwriter import Workbook

    with TemporaryFile() as file, Workbook(file, {"constant_memory": True}) as workbook:
        sheet = None
        for number, row in enumerate(rows):
            if number % SHEET == 0:
                sheet = workbook.add_worksheet()
            for column, cell in enumerate(row):
                sheet.write_string(number % SHEET, column, cell)
    return number


def cells_of(entries):
    """Yield the rows of the log, without names, masks and permissions."""
    from django_customer_history.models import Entry

    columns = ("timestamp", "user_label", "action", "entity_label", "entity_id")
    more = ("source", "ip_address", "subject_id", "context", "id", "kind", "primary_id")
    until = START + timedelta(seconds=entries - 1)
    log = Entry.objects.between(None, until).newest_first()
    for changes, *values in log.values_list("changes", *columns, *more).iterator(2_000):
        texts = ["" if value is None else str(value) for value in values]
        for field, (old, new) in changes.items():
            yield (*texts[:5], field, old or "", new or "", *texts[5:])


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
    if name in LIBRARIES:
        ratio = processor_time(export, name, entries) / processor_time(write_alone, name, entries)
        print(f"{ratio:.2f} times the processor time of {LIBRARIES[name]}", flush=True)
    return above


def processor_time(work, name, entries):
    """Return the seconds that this process takes for some work on at most 20,000 entries."""
    start = time.process_time()
    work(name, min(entries, 20_000))
    return time.process_time() - start


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
    with filled_database(arguments.entries):
        environment = {**os.environ, TEST_DATABASE: str(connection.settings_dict["NAME"])}
        command = [sys.executable, "-m", "benchmarks.exporting"]
        bounds = ["--entries", str(arguments.entries), "--most", str(arguments.most)]
        for name in arguments.formats:
            options = ["--measure", name, *bounds]
            done = subprocess.run([*command, *options], env=environment, check=False)
            failed += [name] if done.returncode else []
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
