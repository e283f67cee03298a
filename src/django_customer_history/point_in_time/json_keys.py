"""JSON fields that are logged key by key: the value from its keys, and back."""

import json
from collections.abc import Mapping
from typing import Any

from django.db import models

from django_customer_history.point_in_time.stored_rows import Text
from django_customer_history.values.comparison import parsed


def text_of_key(value: Any, key: str) -> Text:
    """Return the text of a member, as the log has it; None: the value has no such key."""
    if not isinstance(value, dict) or key not in value:
        return None
    return json.dumps(value[key], ensure_ascii=False)


def with_keys(field: models.JSONField, text: Text, changed: Mapping[str, Text]) -> Text:
    """Return the text of an object with some keys set, or removed where the text is None."""
    value = parsed(text)
    members = dict(value) if isinstance(value, dict) else {}
    for key, member in changed.items():
        if member is None:
            members.pop(key, None)
        else:
            members[key] = parsed(member)
    if not members:
        return text_without_keys(field)
    # As Django writes it, so that the text in the table is the same as before.
    return json.dumps(members, cls=field.encoder)


def text_without_keys(field: models.JSONField) -> Text:
    """Return the text of a field without keys: the log knows no other difference."""
    default = field.get_default() if field.has_default() else None
    return "{}" if isinstance(default, dict) or not field.null else None
