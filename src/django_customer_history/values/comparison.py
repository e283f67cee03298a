"""Whether two texts of the log are the same value."""

import json
from typing import Any

from django_customer_history.values.decoding import decode
from django_customer_history.values.types import ValueType

Text = str | None


def is_same_text(one: Text, other: Text, value_type: ValueType | None) -> bool:
    """Return whether two texts are the same value of a type; no value equals only no value.

    A column may have had other decimal places, or another width, when a text was written.
    """
    if one is None or other is None or one == other:
        return one == other
    if value_type is ValueType.JSON:
        return is_same_json(one, other)
    if value_type in (ValueType.TEXT, None):
        return False
    values = [decode(text, value_type) for text in (one, other)]
    return not isinstance(values[0], str) and bool(values[0] == values[1])


def is_same_json(one: Text, other: Text) -> bool:
    """Return whether two JSON texts have the same value; no value equals only no value."""
    if one is None or other is None:
        return one is other
    # Texts are compared and not values: in Python 1, 1.0 and True are equal.
    return one == other or _sorted(parsed(one)) == _sorted(parsed(other))


def parsed(text: Text) -> Any:
    """Return the value of a JSON text; the text itself if it is not JSON."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return text


def _sorted(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
