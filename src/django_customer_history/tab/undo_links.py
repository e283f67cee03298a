"""The links of a tab to the pages that undo changes, for readers who may undo."""

from uuid import UUID

from django_customer_history.access.permissions import may_undo
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.registry import registry
from django_customer_history.tab.urls import undo_names, undo_url, url_of_entry


class UndoLinks:
    """The links for one timeline. Each model of subjects is asked about once."""

    def __init__(self, timeline: Timeline, *, in_admin: bool) -> None:
        self._timeline = timeline
        self._in_admin = in_admin
        self._entry_url = url_of_entry(*undo_names("undo", in_admin=in_admin))
        self._may_undo: dict[str | None, bool] = {}

    def of_entry(self, entry: TimelineEntry) -> str | None:
        """Return the page that undoes an entry; None: the reader may not undo it."""
        label = None if entry.subject is None else entry.subject.model
        return self._entry_url(entry.id) if self._allows(label) else None

    def of_request(self, request_id: str | None) -> str | None:
        """Return the page that undoes a request on this tab."""
        model = self._timeline.model
        if request_id is None or model is None or not self._allows(model._meta.label_lower):
            return None
        try:
            key = UUID(request_id)
        except ValueError:
            return None  # Such as "-...": all other requests.
        return self._url("undo_request", key, model._meta.label_lower, self._timeline.key)

    def of_deletion(self) -> str | None:
        """Return the page that restores the subject, if it is deleted."""
        model = self._timeline.model
        if model is None or self._timeline.subject is not None:
            return None
        if not self._allows(model._meta.label_lower):
            return None
        return self._url("restore", model._meta.label_lower, self._timeline.key)

    def _allows(self, label: str | None) -> bool:
        if label not in self._may_undo:
            registration = registry.find(label or "")
            model = None if registration is None else registration.model
            subject = self._timeline.subject if model is self._timeline.model else None
            self._may_undo[label] = may_undo(self._timeline.reader, model, subject=subject)
        return self._may_undo[label]

    def _url(self, page: str, *args: object) -> str | None:
        return undo_url(page, *args, in_admin=self._in_admin)
