"""The figures as Markdown tables."""

import statistics
from importlib.metadata import version

from benchmarks.operations import OPERATIONS
from benchmarks.peers import LOWER_BOUND, OURS, PLAIN, peer_named

NOTHING = "not captured"
CLOCKS = ("wall", "processor")
BOTH = "both"
TITLES = {
    "sqlite": "SQLite (file, WAL)",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
    "mysql": "MySQL",
}


def ratios(operations, clock):
    """Return the median ratio to the plain run of the same round, by operation and package."""
    return {
        operation: {
            name: _ratio(answers[PLAIN], answers[name], clock) for name in answers if name != PLAIN
        }
        for operation, answers in operations.items()
    }


def _ratio(plain, audited, clock):
    expected = audited[-1]["expected"]
    share = audited[-1]["captured"] / expected if expected else 1
    pairs = list(zip(plain, audited, strict=True))
    clocks = CLOCKS if clock == BOTH else (clock,)
    return {
        "ratios": [statistics.median(one[by] / base[by] for base, one in pairs) for by in clocks],
        "captured": share,
    }


def versions(names):
    """Return the versions of the measured packages."""
    packages = [name for name in names if name not in (PLAIN, LOWER_BOUND)]
    distributions = {name: peer_named(name).distribution for name in packages}
    return {name: version(distribution) for name, distribution in distributions.items()}


def markdown(product, figures, *, clock=BOTH):
    """Return the table of one database; ratios of wall time come before those of processor time."""
    found = ratios(figures["operations"], clock)
    names = list(figures["bytes"])
    lines = [
        f"| {TITLES[product]} | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for operation, by_name in found.items():
        cells = [_cell(by_name[name]) for name in names]
        lines.append(f"| {OPERATIONS[operation].title} | " + " | ".join(cells) + " |")
    lines += _rows_of_statements(figures["statements"], names)
    lines += _rows_of_bytes(figures["bytes"], names)
    lines += _rows_of_pages(figures["pages"], names)
    return "\n".join(lines)


def _cell(found):
    if found["captured"] == 0:
        return NOTHING
    share = "" if found["captured"] >= 1 else f" ({found['captured']:.0%} captured)"
    return " / ".join(f"{ratio:.2f}" for ratio in found["ratios"]) + share


def _rows_of_statements(statements, names):
    for where in statements[OURS]:
        base = statements[PLAIN][where]
        cells = [f"{(statements[name][where] - base) / 10:g}" for name in names]
        yield f"| statements added to a `save()` {where} | " + " | ".join(cells) + " |"


def _rows_of_bytes(found, names):
    titles = {
        "save": "log bytes of a `save()` of 2 fields, with indexes",
        "create": "log bytes of a `create()`, with indexes",
    }
    for work, title in titles.items():
        cells = [_bytes_of_one(found[name][work]) for name in names]
        yield f"| {title} | " + " | ".join(cells) + " |"


def _bytes_of_one(found):
    return f"{found['bytes'] / found['entries']:,.0f}" if found["entries"] else NOTHING


def _rows_of_pages(pages, names):
    for which, title in (("first", "first page of 50"), ("deep", "page of 50, deep")):
        cells = [
            f"{pages[name][which]['milliseconds']:.1f} ms, {pages[name][which]['statements']} SQL"
            for name in names
        ]
        yield f"| {title} | " + " | ".join(cells) + " |"
