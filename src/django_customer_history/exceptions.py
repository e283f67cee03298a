"""Every error of this package; all of them descend from `HistoryError`."""

from collections.abc import Mapping

from django.db import IntegrityError


class HistoryError(Exception):
    """Something about the history could not be done."""


class AppendOnlyError(HistoryError):
    """Code tried to change or remove an entry of the log."""


class UnsupportedDatabaseError(HistoryError):
    """The database is none of those on which changes can be captured."""


class CaptureError(HistoryError):
    """The database refused to install, replace or remove a trigger."""


class PartitionError(HistoryError):
    """The log could not be divided, or the partitions of the months to come not be made."""


class NotRegisteredError(HistoryError):
    """The model has no registration."""


class InvalidCursorError(HistoryError):
    """A page was asked for with a cursor that does not fit the question."""


class InvalidFilterError(HistoryError):
    """The log was asked with filters that are unknown or malformed; `errors` names each."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__(" ".join(f"{name}: {text}" for name, text in self.errors.items()))


class UnknownFormatError(HistoryError):
    """An export was asked for in a format that is unknown or not installed."""


class ImportSourceError(HistoryError):
    """There is nothing to import from, or nowhere to import it to."""


class NotFoundError(HistoryError):
    """For this reader the record does not exist: the host's own permissions say so."""


class UnknownTimeZoneError(HistoryError):
    """The project's function for the setting READER_TIME_ZONE gave what is no time zone."""


class InvalidContextError(HistoryError):
    """The context of a change was given a value that cannot be recorded."""


class ReasonRequiredError(HistoryError, IntegrityError):
    """Something was written without a reason where its registration requires one.

    It is an `IntegrityError` too, as each database raises it. `model` is the label of the
    model, `field` the field that may not be changed without one; None: `kind` as a whole, which
    is one of the kinds of the log ("update").
    """

    def __init__(self, *, kind: str, model: str, field: str | None = None) -> None:
        self.kind, self.model, self.field = kind, model, field
        what = model if field is None else f"{model}.{field}"
        super().__init__(
            f"A reason is required to {_VERBS[kind]} {what}. Write it inside of"
            ' `with history.acting(reason="..."):`, or let the request say it: settings'
            " REASON_HEADER and REASON_FIELD."
        )


_VERBS: Mapping[str, str] = {
    "create": "create",
    "update": "change",
    "delete": "delete",
    "add": "add to",
    "remove": "remove from",
}
