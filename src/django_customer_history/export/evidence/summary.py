"""The summary of evidence: one HTML page that needs nothing else, for people who read no JSON."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, BinaryIO

from django.template.loader import get_template
from django.utils import translation

from django_customer_history.export.evidence.lines import ProvenEntry
from django_customer_history.export.streaming import filters_text
from django_customer_history.reading.timeline import Timeline

_PART = 64 * 1024
_COMMANDS = (
    "pip install django-customer-history cryptography\n"
    "python -m django_customer_history.verify FILE.zip --key"
)


@dataclass(kw_only=True)
class Summary:
    """Takes entries, then makes the page. The rows wait in a file, so that memory is bounded."""

    timeline: Timeline
    maker: str
    made: datetime
    file: BinaryIO
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, entry: ProvenEntry) -> None:
        """Add an entry. They come newest first."""
        # Times are in UTC, as in the other files.
        context = {
            "entry": entry.shown,
            "changes": entry.changes,
            "time": _utc(entry.shown.timestamp),
        }
        self.file.write(self._entry.render(context).encode("utf-8", "backslashreplace"))
        self.count += 1
        self.last = self.last or entry.shown.timestamp
        self.first = entry.shown.timestamp

    def content(
        self, *, key: str, notes: Sequence[str], digests: Mapping[str, str]
    ) -> Iterator[bytes]:
        """Yield the page. `notes` are the first and the last checkpoint."""
        mark = secrets.token_hex(16)
        page = get_template("customer_history/evidence.html").render(
            {
                "rows": mark,
                "record": record_text(self.timeline),
                "label": self.timeline.page(limit=1).subject_label,
                "filters": filters_text(self.timeline),
                "maker": self.maker,
                "made": _utc(self.made),
                "count": self.count,
                "first": self.first and _utc(self.first),
                "last": self.last and _utc(self.last),
                "commands": f"{_COMMANDS} {key}",
                "log_name": key.partition("+")[0],
                "notes": notes,
                "digests": {f"SHA-256 {name}": one for name, one in digests.items()},
                "language": translation.get_language(),
            }
        )
        head, _, foot = page.partition(mark)
        yield head.encode("utf-8", "backslashreplace")
        self.file.seek(0)
        while content := self.file.read(_PART):
            yield content
        yield foot.encode("utf-8", "backslashreplace")

    @cached_property
    def _entry(self) -> Any:
        return get_template("customer_history/evidence_entry.html")


def record_text(timeline: Timeline) -> str | None:
    """Return the record of a timeline, such as "crm.customer:42"; None: it is of all records."""
    if timeline.model is None:
        return None
    return f"{timeline.model._meta.label_lower}:{timeline.key}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
