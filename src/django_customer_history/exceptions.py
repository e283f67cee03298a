"""Every error of this package; all of them descend from `HistoryError`."""

from collections.abc import Mapping


class HistoryError(Exception):
    """Something about the history could not be done."""


class AppendOnlyError(HistoryError):
    """Code tried to change or remove an entry of the log."""


class UnsupportedDatabaseError(HistoryError):
    """The database is none of those on which changes can be captured."""


class CaptureError(HistoryError):
    """The database refused to install, replace or remove a trigger."""


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


class OutOfReachError(HistoryError):
    """For this reader the record does not exist: the host's own permissions say so."""


class InvalidContextError(HistoryError):
    """The context of a change was given a value that cannot be recorded."""
