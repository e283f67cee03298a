"""`python -m benchmarks`: compare this package with others, on each of the databases."""

import argparse
import json
import platform
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import django

from benchmarks.operations import OPERATIONS
from benchmarks.peers import DEFAULT, PEERS, PLAIN, peer_named
from benchmarks.report import BOTH, CLOCKS, TITLES, markdown, versions
from benchmarks.running import Plan, measure

URLS = {
    "sqlite": "sqlite:///benchmark.sqlite3",
    "postgresql": "postgres://postgres@127.0.0.1/postgres",
    "mariadb": "mysql://root@127.0.0.1/mysql",
    "mysql": "mysql://root@127.0.0.1:3406/mysql",
}
VENDORS = {"mariadb": "mysql"}
"""What Django calls the vendor, where it has another name."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--databases", nargs="*", choices=URLS, help="Default: each that can be reached."
    )
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
    parser.add_argument("--clock", choices=[*CLOCKS, BOTH], default=BOTH)
    parser.add_argument("--json", type=Path, help="A file for the figures of every round.")
    for name, url in URLS.items():
        parser.add_argument(f"--{name}-url", default=url)
    return parser.parse_args()


def is_reachable(url):
    server = urlsplit(url)
    if not server.hostname:
        return True
    port = server.port or {"postgres": 5432, "mysql": 3306}[server.scheme]
    try:
        socket.create_connection((server.hostname, port), timeout=3).close()
    except OSError:
        return False
    return True


def chosen(options):
    """Return the databases to measure; say which ones cannot be reached."""
    if options.databases:
        return options.databases
    urls = {name: getattr(options, f"{name}_url") for name in URLS}
    for name, url in urls.items():
        if not is_reachable(url):
            print(f"{TITLES[name]}: not measured, no server at {url}", file=sys.stderr)
    return [name for name, url in urls.items() if is_reachable(url)]


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
    for product in chosen(options):
        measured = [
            name for name in names if VENDORS.get(product, product) in peer_named(name).vendors
        ]
        figures = measure(
            getattr(options, f"{product}_url"),
            measured,
            plan,
            report=lambda what, product=product: print(
                f"{TITLES[product]}: {what}", file=sys.stderr
            ),
        )
        results["databases"][product] = figures
        print("\n" + markdown(product, figures, clock=options.clock), flush=True)
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
