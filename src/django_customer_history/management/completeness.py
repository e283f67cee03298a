"""What `history_verify --complete` prints."""

from collections.abc import Iterator
from typing import Any

from django_customer_history.feed.seals.completeness import Completeness
from django_customer_history.feed.seals.findings import Finding
from django_customer_history.management.progress import ProgressBar


def complete_findings(using: str, *, stdout: Any, stderr: Any) -> Iterator[Finding]:
    """Yield how the tables of a database differ from its log, then write what was compared."""
    bar: ProgressBar | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or ProgressBar(stderr, "history_verify --complete", total)
        bar.show(done, "entries and rows")

    completeness = Completeness(using=using, show=show)
    yield from completeness.run()
    if bar is not None:
        bar.end()
    stdout.write(
        f"Compared {completeness.rows} rows with the log, and read {completeness.entries} entries."
    )
    for label, count in sorted(completeness.unlogged_rows.items()):
        stdout.write(
            f"{label}: {count} rows have no entry. They may be older than the registration."
            f" Run history_baseline {label}, so that later ones can be found."
        )
    if completeness.paused:
        stdout.write(
            f"{completeness.paused} differences are from times when the history was paused."
            ' The entries "History Paused" say by whom and why.'
        )
