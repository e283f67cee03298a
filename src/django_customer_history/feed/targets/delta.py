"""A table of Delta Lake.

Exactly once: the commit that adds the entries has the position, and a transaction number of this
application.
"""

from typing import Any
from uuid import UUID

from django_customer_history.exceptions import StateFileError
from django_customer_history.feed.targets.base import Destination, Target, imported
from django_customer_history.feed.targets.columns import table_of
from django_customer_history.reading.entries import FeedPage

_EXTRA = "delta"
_APPLICATION = "django-customer-history"
_POSITION, _QUESTION = "history_position", "history_question"


class DeltaTable(Target):
    """Appends to a table. `delta:/folder`, `delta+s3://bucket/folder`."""

    batch = 20_000
    has_columns = True

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination)
        self._delta: Any = imported("deltalake", extra=_EXTRA)
        self._errors: Any = imported("deltalake.exceptions", extra=_EXTRA)
        _, _, scheme = destination.url.scheme.partition("+")
        url = destination.url._replace(scheme=scheme).geturl()
        self._place = url if scheme else str(destination.path)
        self._number = 0

    def position(self) -> UUID | None:
        """Return the position in the newest commit that has one."""
        try:
            if not self._delta.DeltaTable.is_deltatable(self._place):
                return None
            table = self._delta.DeltaTable(self._place)
            self._number = table.transaction_version(_APPLICATION) or 0
            commits = table.history()
        except (self._errors.DeltaError, OSError) as error:
            raise self.unusable(error) from error
        commit = next((one for one in commits if _POSITION in one), None)
        if commit is None:
            raise StateFileError(
                f"{self.destination.name} has no commit of this command in its log. Give the path"
                " of a new table."
            )
        if commit[_QUESTION] != self.destination.question:
            raise StateFileError(
                f"{self.destination.name} belongs to another reader, database or filter"
                f" ({commit[_QUESTION]}). Use a table for each."
            )
        return UUID(commit[_POSITION])

    def write(self, page: FeedPage) -> None:
        """Append the entries and their position in one commit, unless the page has no entries."""
        if not page.entries:
            return
        self._number += 1
        commit = self._delta.CommitProperties(
            custom_metadata={
                _POSITION: str(page.position),
                _QUESTION: self.destination.question,
            },
            app_transactions=[self._delta.Transaction(_APPLICATION, self._number)],
        )
        try:
            self._delta.write_deltalake(
                self._place, table_of(page.entries), mode="append", commit_properties=commit
            )
        except (self._errors.DeltaError, OSError) as error:
            raise self.unusable(error) from error
