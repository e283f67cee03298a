"""`python -m benchmarks`: compare this package with others, on each of the databases."""

import argparse
import json
import platform
import sys
from pathlib import Path

import django

from benchmarks.operations import OPERATIONS
from benchmarks.peers import DEFAULT, PEERS, PLAIN, peer_named
from benchmarks.report import TITLES, markdown, versions
from benchmarks.running import Plan, measure

URLS = {
    "sqlite": "sqlite:///benchmark.sqlite3",
    "postgresql": "postgres://postgres@127.0.0.1/postgres",
    "mysql": "mysql://root@127.0.0.1/mysql",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="*", choices=URLS, default=list(URLS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=DEFAULT)
    parser.add_argument("--operations", nargs="*", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=100, help="Rows per operation.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="Entries in the log.")
    parser.add_argument(
        "--of-the-customer",
        type=int,
        default=5_000,
        help="Of one customer.",
    )
    parser.add_argument("--quick", action="store_true", help="Few rows and rounds.")
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall")
    parser.add_argument("--json", type=Path, help="A file for the figures of every round.")
    for name, url in URLS.items():
        parser.add_argument(f"--{name}-url", default=url)
    return parser.parse_args()


def plan_of(options):
    quick = options.quick
    return Plan(
        rounds=3 if quick else options.rounds,
        rows=20 if quick else options.rows,
        saves=200 if quick else 5_000,
        entries=2_000 if quick else options.entries,
        of_the_customer=1_000 if quick else options.of_the_customer,
        deep=800 if quick else options.of_the_customer * 4 // 5,
        operations=tuple(options.operations),
    )


def main():
    """Print a table for each database, and save the figures if `--json` is given."""
    options = arguments()
    plan = plan_of(options)
    names = [name for name in PEERS if name in {PLAIN, *options.peers}]
    results = {
        "python": platform.python_version(),
        "django": django.get_version(),
        "versions": versions(names),
        "plan": {name: getattr(plan, name) for name in plan.__dataclass_fields__},
        "databases": {},
    }
    print(f"Django {results['django']}; " + "; ".join(map(" ".join, results["versions"].items())))
    for vendor in options.databases:
        measured = [name for name in names if vendor in peer_named(name).vendors]
        figures = measure(
            getattr(options, f"{vendor}_url"),
            measured,
            plan,
            report=lambda what, vendor=vendor: print(f"{TITLES[vendor]}: {what}", file=sys.stderr),
        )
        results["databases"][vendor] = figures
        print("\n" + markdown(vendor, figures, clock=options.clock), flush=True)
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
