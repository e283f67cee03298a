"""Every error of this package; all of them descend from `HistoryError`."""


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


class InvalidContextError(HistoryError):
    """The context of a change was given a value that cannot be recorded."""
