"""Every error of this package; all of them are subclasses of `HistoryError`."""

import difflib
from collections.abc import Iterable, Mapping

from django.core.exceptions import BadRequest, PermissionDenied
from django.db import IntegrityError

__all__ = [
    "AppendOnlyError",
    "CaptureError",
    "ForeignRequestError",
    "HistoryError",
    "ImportSourceError",
    "InvalidContextError",
    "InvalidCursorError",
    "InvalidFilterError",
    "NotFoundError",
    "NotRegisteredError",
    "NotSealedError",
    "NotSettledError",
    "PartitionError",
    "ReasonRequiredError",
    "ReasonTooLongError",
    "SealError",
    "StateFileError",
    "TargetError",
    "TimeLimitError",
    "UndoDeniedError",
    "UndoTooLargeError",
    "UnknownFormatError",
    "UnknownTimeZoneError",
    "UnsupportedDatabaseError",
]


class HistoryError(Exception):
    """The base class of all errors of this package."""


class AppendOnlyError(HistoryError):
    """Code tried to change or delete an entry of the log."""


class UnsupportedDatabaseError(HistoryError):
    """Changes cannot be captured in this kind of database."""


class NotSettledError(HistoryError):
    """The database cannot know which entries are settled, or its clock was set back."""


class StateFileError(HistoryError):
    """The file with the position of a follower is damaged, or belongs to another one."""


class TargetError(HistoryError):
    """A target of `history_ship` cannot be reached, is not suitable, or refused the entries."""


class SealError(HistoryError):
    """A seal cannot be made or checked: there is no key, or the log is not what was sealed."""


class NotSealedError(SealError):
    """An entry is not sealed yet, so nothing can be proved about it."""


class CaptureError(HistoryError):
    """The database refused to install, replace or remove a trigger."""


class PartitionError(HistoryError):
    """The log could not be partitioned, or partitions for the coming months not be created."""


class NotRegisteredError(HistoryError):
    """The model is not registered with `history.register()`."""


class InvalidCursorError(HistoryError):
    """The cursor is malformed, or belongs to a page with other filters."""


class InvalidFilterError(HistoryError):
    """A filter is unknown or has a wrong value.

    `errors` maps the name of each wrong filter to a text that says what is wrong.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__(" ".join(f"{name}: {text}" for name, text in self.errors.items()))


class UnknownFormatError(HistoryError):
    """The format of an export is unknown, or the library that it needs is not installed."""


class ForeignRequestError(HistoryError):
    """Another site made a browser send a request that would be recorded in the user's name."""


class ImportSourceError(HistoryError):
    """An import has nothing to read from, or no table to import for."""


class TimeLimitError(HistoryError):
    """A request searches the log for longer than `READING_TIME_LIMIT`: narrow the filters."""


class NotFoundError(HistoryError):
    """For this reader the record does not exist: the permissions of the project hide it."""


class UnknownTimeZoneError(HistoryError):
    """The function of the setting READER_TIME_ZONE returned something that is not a time zone."""


class InvalidContextError(HistoryError):
    """A value of the context cannot be recorded, or an event has no valid name or record."""


class ReasonTooLongError(InvalidContextError, BadRequest):
    """The reason that came with a request is too long. Django answers with 400."""


class UndoDeniedError(HistoryError, PermissionDenied):
    """The user lacks permissions for an undo; `permissions` names them."""

    def __init__(self, permissions: Iterable[str]) -> None:
        self.permissions = tuple(permissions)
        super().__init__(f"Missing permissions: {', '.join(self.permissions)}.")


class UndoTooLargeError(HistoryError):
    """A request has more changes than a page or an endpoint can undo at once."""


class ReasonRequiredError(HistoryError, IntegrityError):
    """A change was written without a reason, and its registration requires one.

    It is an `IntegrityError` too, because that is what the databases raise. `model` is the label
    of the model and `kind` a kind of the log, such as "update". `field` is the field that needs
    a reason; None if the whole kind needs one.
    """

    def __init__(self, *, kind: str, model: str, field: str | None = None) -> None:
        self.kind, self.model, self.field = kind, model, field
        what = model if field is None else f"{model}.{field}"
        super().__init__(
            f"A reason is required to {_VERBS[kind]} {what}. Write inside"
            ' `with history.acting(reason="..."):`, or send the reason with the request'
            " (settings REASON_HEADER and REASON_FIELD)."
        )


_VERBS: Mapping[str, str] = {
    "create": "create",
    "update": "change",
    "delete": "delete",
    "add": "add to",
    "remove": "remove from",
}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'vat_id'?" for a misspelled name; empty text if none is similar."""
    similar = difflib.get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {similar[0]!r}?" if similar else ""
