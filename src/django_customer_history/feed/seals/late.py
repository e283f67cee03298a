"""Imported entries behind the last seal that no seal has yet, where an entry announces them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django_customer_history.capture.events import IMPORT_KIND, IMPORTED_FROM
from django_customer_history.feed.seals.findings import Finding
from django_customer_history.models import Entry
from django_customer_history.values.conditions import of_few


@dataclass(kw_only=True, slots=True)
class _Import:
    """An import that the log announces."""

    entry: UUID
    model: str
    first: UUID
    last: UUID
    size: int
    """How many entries it wrote."""
    found: int = 0
    is_wrong: bool = False
    """Whether the entry that announces it is not what was sealed."""


@dataclass(kw_only=True)
class LateEntries:
    """Counts unsealed entries of announced imports. An import never hides more than it wrote."""

    using: str
    _imports: list[_Import] = field(default_factory=list)

    def __post_init__(self) -> None:
        log = Entry.objects.using(self.using)
        for entry in log.filter(of_few("entity_model", IMPORT_KIND)).order_by("id").iterator():
            if (found := _import_of(entry)) is not None:
                self._imports.append(found)

    def take(self, entry: Entry) -> bool:
        """Return whether an announced import made an entry that is in no seal."""
        if IMPORTED_FROM not in (entry.context or {}) or entry.source != "import":
            return False
        for one in self._imports:
            is_within = one.first <= entry.id <= one.last and one.model == entry.entity_model
            if is_within and one.found < one.size:
                one.found += 1
                return True
        return False

    def distrust(self, entry: UUID) -> None:
        """Note that an entry is not what was sealed."""
        for one in self._imports:
            one.is_wrong = one.is_wrong or one.entry == entry

    def rest(self) -> Iterator[Finding]:
        """Yield one finding for each import with entries that are not sealed."""
        for one in self._imports:
            if not one.found:
                continue
            what = f"{one.found} entries from {one.first} to {one.last}"
            if one.is_wrong:
                text = f"{what} were inserted: the entry that announces them is wrong itself."
                yield Finding(kind="inserted", text=text, entry=one.entry)
                continue
            yield Finding(
                kind="late",
                text=f"{what} are of an import of {one.model}, as entry {one.entry} says, and in no"
                " seal yet. If the import is yours, run history_seal --late.",
                entry=one.entry,
            )


def _import_of(entry: Entry) -> _Import | None:
    """Return the import that an entry announces; None for an entry that says it in another way."""
    try:
        return _Import(
            entry=entry.id,
            model=entry.entity_id,
            first=UUID(entry.changes["first"][1]),
            last=UUID(entry.changes["last"][1]),
            size=int(entry.changes["entries"][1]),
        )
    except (KeyError, TypeError, ValueError):
        return None
