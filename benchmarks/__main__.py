"""`python -m benchmarks`: this package beside its peers, on every database that answers."""

import argparse
import json
import platform
import sys
from pathlib import Path

import django

from benchmarks.peers import DEFAULT, PEERS, PLAIN, peer_named
from benchmarks.report import TITLES, markdown, versions
from benchmarks.running import Plan, measure
from benchmarks.works import WORKS

URLS = {
    "sqlite": "sqlite:///benchmark.sqlite3",
    "postgresql": "postgres://postgres@127.0.0.1/postgres",
    "mysql": "mysql://root@127.0.0.1/mysql",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="*", choices=URLS, default=list(URLS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=DEFAULT)
    parser.add_argument("--works", nargs="*", choices=WORKS, default=list(WORKS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=100, help="Rows in one go.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="Entries to page in.")
    parser.add_argument("--of-the-customer", type=int, default=5_000, help="Of them, the reader's.")
    parser.add_argument("--quick", action="store_true", help="Little of everything: a look.")
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
        works=tuple(options.works),
    )


def main():
    """Print a table for each database, and write the figures down where asked."""
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
        fitting = [name for name in names if vendor in peer_named(name).vendors]
        figures = measure(
            getattr(options, f"{vendor}_url"),
            fitting,
            plan,
            tell=lambda what, vendor=vendor: print(f"{TITLES[vendor]}: {what}", file=sys.stderr),
        )
        results["databases"][vendor] = figures
        print("\n" + markdown(vendor, figures, clock=options.clock), flush=True)
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
