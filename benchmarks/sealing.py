"""`python -m benchmarks.sealing`: the time and memory to seal a long log, verify it and prove.

A log of `--entries` entries of 500 customers is sealed and verified, each in a process of its own
on one core, and compared with a plain loop in the same process that reads the same rows and hashes
their JSON with SHA-256. Then single entries are proved. Saves are measured before there is a seal
and afterwards. The run fails if a process takes more memory than `--most`: its peak above its
memory at the start, read from `/proc` on Linux. `DATABASE_URL` names the database server. The
tables are created in a test database, which is removed.
"""

import argparse
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import time

from benchmarks.exporting import MOST_MEGABYTES, TEST_DATABASE, peak
from benchmarks.meters import Clock, bytes_of
from benchmarks.reading import filled_database
from benchmarks.writing import configure
from benchmarks.writing import measure as measure_writing

KEY = "BENCHMARK_SEAL_KEY"
PROOFS = 200


def seal(key):
    """Seal the log, and return the number of entries."""
    from django_customer_history.feed.seals.sealing import seal_log

    return sum(one.size - one.start for one in seal_log(key, using="default"))


def verify(key):
    """Verify the log, and return the number of entries."""
    from django_customer_history.feed.seals.verification import Verification

    verification = Verification(key=key, using="default")
    for finding in verification.run():
        sys.exit(finding.text)
    return verification.entries


def hash_alone(count):
    """Read the same rows, and hash their JSON in a plain loop."""
    from django_customer_history.models import Entry

    hashed, rows = 0, Entry.objects.order_by("id").values_list()[:count]
    for row in rows.iterator(2_000):
        hashed += len(hashlib.sha256(json.dumps(row, default=str).encode()).digest())
    return hashed


def prove(key):
    """Print the time of the proof of one entry: with nothing in memory, and after others."""
    from django_customer_history.feed.seals.proofs import SealedLog
    from django_customer_history.models import Entry, Seal

    size = Seal.objects.latest("id").size
    numbers = random.Random(7).sample(range(size), min(PROOFS, size))
    keys = Entry.objects.order_by("id").values_list("id", flat=True)
    entries = [Entry.objects.get(id=keys[number]) for number in numbers]

    def timed(log, entry):
        start, processor = time.perf_counter(), time.process_time()
        log.proof(entry)
        return (time.perf_counter() - start) * 1e3, (time.process_time() - processor) * 1e3

    alone = [timed(SealedLog(key=key, using="default"), entry) for entry in entries]
    log = SealedLog(key=key, using="default")
    many = [timed(log, entry) for entry in Entry.objects.order_by("id")[:1_000]]
    wall, processor = (statistics.median(times) for times in zip(*alone, strict=True))
    following = statistics.mean(processor for _wall, processor in many)
    print(
        f"proof of one entry among {size}: {wall:.1f} ms, {processor:.1f} ms of processor time;"
        f" of each of {len(many)} entries that follow each other: {following:.2f} ms",
        flush=True,
    )


def measure(name, key, most):
    """Print time and memory of some work. Exit with an error if it takes too much memory."""
    from django.db import connection

    connection.settings_dict["NAME"] = os.environ[TEST_DATABASE]
    if name == "prove":
        prove(key)
        return
    hash_alone(1)
    base, start, processor = peak(), time.perf_counter(), time.process_time()
    count = {"seal": seal, "verify": verify}[name](key)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    above = (peak() - base) / 1024
    print(
        f"{connection.vendor}: {name} {count} entries: {seconds:.1f} s,"
        f" {processor / count * 1e6:.1f} s of processor time a million,"
        f" {above:.1f} MB of memory above the base of {base / 1024:.0f} MB",
        flush=True,
    )
    start = time.process_time()
    hash_alone(sample := min(count, 50_000))
    alone = (time.process_time() - start) / sample
    print(f"{processor / count / alone:.2f} times the processor time of a plain loop", flush=True)
    if above > most:
        sys.exit(f"This is more than the limit of {most:g} MB.")


def ratio_of_a_save():
    """Return the processor time of a save as a ratio to nothing logged."""
    from django.db import connection

    clock = Clock(connection)
    figures = measure_writing(15, 100, ["save_two_fields"], clock=lambda: clock.now()[1])
    return figures["save_two_fields"][2]


def sealed_bytes(entries):
    """Print how much the seals take."""
    from django.db import connection

    from django_customer_history.models import Seal

    size = bytes_of(connection, [Seal._meta.db_table])
    print(f"{size / entries:.1f} bytes of seals for each entry")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument(
        "--most",
        type=float,
        default=MOST_MEGABYTES,
        help="Fail if a process takes more megabytes of memory (default: %(default)s).",
    )
    parser.add_argument("--measure", metavar="WORK", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure()
    from django_customer_history.feed.seals.keys import SealKey

    if arguments.measure:
        measure(arguments.measure, SealKey.read(os.environ[KEY]), arguments.most)
        return
    from django.db import connection

    with filled_database(arguments.entries):
        environment = {**os.environ, KEY: SealKey.new("example.com/history").text()}
        environment[TEST_DATABASE] = str(connection.settings_dict["NAME"])
        command = [sys.executable, "-m", "benchmarks.sealing", "--most", str(arguments.most)]
        before, failed = ratio_of_a_save(), []
        for name in ("seal", "verify", "prove"):
            done = subprocess.run([*command, "--measure", name], env=environment, check=False)
            failed += [name] if done.returncode else []
        after = ratio_of_a_save()
        print(f"save() of 2 fields: {before:.2f} times nothing logged; with seals: {after:.2f}")
        sealed_bytes(arguments.entries)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
