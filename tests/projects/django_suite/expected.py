"""The differences that are inherent, from `differences.toml`."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

FILE = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One test of one label that ends otherwise than without the package."""

    test: str
    text: str
    """The error of the test, or what contradicts the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Differences that are inherent, and why."""

    reason: str
    tests: tuple[str, ...]
    """Names of tests; `*` stands for any part."""
    texts: tuple[str, ...]
    """One of these is in the text of the difference: another fault of the test is not hidden."""
    databases: tuple[str, ...] | None = None
    """Where the difference is inherent; None: on each database."""

    def covers(self, found: Difference, *, database: str) -> bool:
        """Return whether a difference is this one."""
        return (
            (self.databases is None or database in self.databases)
            and any(fnmatchcase(found.test, pattern) for pattern in self.tests)
            and any(text in found.text for text in self.texts)
        )


def read(file: Path = FILE) -> list[Expected]:
    """Return the differences that a file lists."""
    listed = tomllib.loads(file.read_text(encoding="utf-8")).get("difference", [])
    return [
        Expected(
            reason=one["reason"],
            tests=tuple(one["tests"]),
            texts=tuple(one["texts"]),
            databases=tuple(one["databases"]) if "databases" in one else None,
        )
        for one in listed
    ]


def unexpected(
    found: Iterable[Difference], expected: Iterable[Expected], *, database: str
) -> list[Difference]:
    """Return the differences that are not expected on a database."""
    listed = list(expected)
    return [one for one in found if not any(e.covers(one, database=database) for e in listed)]
