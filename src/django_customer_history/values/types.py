"""The types of values that the log knows."""

from enum import Enum, auto


class ValueType(Enum):
    """How a column's value becomes canonical text, the same text on every database."""

    TEXT = auto()
    INTEGER = auto()
    DECIMAL = auto()
    FLOAT = auto()
    BOOLEAN = auto()
    DATE = auto()
    DATETIME = auto()
    LOCAL_DATETIME = auto()
    TIME = auto()
    DURATION = auto()
    UUID = auto()
    BINARY = auto()
    JSON = auto()
