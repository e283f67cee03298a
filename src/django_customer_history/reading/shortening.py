"""What lists and pages show of long values and of entries with very many changes.

One entry may hold a text of megabytes, or thousands of keys of a JSON field. A list shows a part
of them and says so. The permalink of REST and the exports have everything. The values are cut here
and not by the database: masks and differences need them whole.
"""

from collections.abc import Sequence
from copy import copy
from itertools import islice

from django_customer_history.models import Entry

LONGEST_VALUE = 4_000
"""Characters of one value."""
MOST_CHANGES = 100
"""Changes of one entry."""
MOST_CHANGES_OF_A_PAGE = 1_000
"""Changes of all entries of a page; once they are used up, an entry has `FEWEST_CHANGES`."""
FEWEST_CHANGES = 5

_MARK = "…"


def shortened_entries(entries: Sequence[Entry]) -> tuple[list[Entry], dict[object, int]]:
    """Return entries with no more changes than a page shows, and how many each leaves out."""
    left, kept = MOST_CHANGES_OF_A_PAGE, []
    omitted: dict[object, int] = {}
    for entry in entries:
        count = len(entry.changes)
        most = max(FEWEST_CHANGES, min(MOST_CHANGES, left))
        left -= min(count, most)
        if count > most:
            entry, changes = copy(entry), entry.changes  # noqa: PLW2901 - the caller keeps its own
            entry.changes = dict(islice(changes.items(), most))
            omitted[entry.id] = count - most
        kept.append(entry)
    return kept, omitted


def shortened_pair(old: str | None, new: str | None) -> tuple[str | None, str | None, bool]:
    """Return two texts of a change, of long ones the part around the first difference.

    The third value is whether one of them is shortened.
    """
    if not is_long(old) and not is_long(new):
        return old, new, False
    start = 0
    if old is not None and new is not None:
        start = max(0, _common_length(old, new) - LONGEST_VALUE // 4)
    return _part(old, start), _part(new, start), True


def is_long(text: str | None) -> bool:
    """Return whether a text is longer than a list shows."""
    return text is not None and len(text) > LONGEST_VALUE


def _part(text: str | None, start: int) -> str | None:
    if text is None or len(text) <= LONGEST_VALUE:
        return text
    start = min(start, len(text) - LONGEST_VALUE)
    part = text[start : start + LONGEST_VALUE]
    return f"{_MARK if start else ''}{part}{_MARK if start + LONGEST_VALUE < len(text) else ''}"


def _common_length(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    same, different = 0, min(len(one), len(other)) + 1
    while different - same > 1:
        middle = (same + different) // 2
        # Only the part that is not known to be the same is compared.
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            different = middle
    return same
