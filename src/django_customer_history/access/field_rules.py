"""What is known of a field of an entry, and what is left of its values for one reader."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django_customer_history.masks import (
    FULL,
    Mask,
)
from django_customer_history.registration.options import Display
from django_customer_history.values.decoding import decode
from django_customer_history.values.types import ValueType


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """What is known of a field of an entry, and what the reader may see of it."""

    label: str
    field: Any = None
    value_type: ValueType | None = None
    mask: Mask | None = None
    """How the value is masked; None: it is not."""
    permission: str | None = None
    """What would show the value, where it is masked or has hidden keys."""
    is_secret: bool = False
    is_forgotten: bool = False
    """Whether no registration knows the field any more."""
    is_revealable: bool = False
    """Whether the reader has that permission, and it waits for an explicit look."""
    hidden_keys: Mapping[str, Mask] | None = None
    """Paths inside a JSON value that are masked, with their masks."""
    display: Display | None = None
    """How the host writes values, where it says so; for what is not masked."""

    @property
    def is_hidden(self) -> bool:
        """Whether the reader may see nothing of the value but its mask."""
        return self.is_secret or self.mask is not None

    def redacted(self, text: str | None) -> str | None:
        """Return as much of a text of the log as the reader may see, or None."""
        if text is None or self.is_secret:
            return None
        if self.mask is not None:
            value = decode(text, self.value_type) if self.value_type is ValueType.JSON else text
            return self.mask(value if isinstance(value, str) else text)
        return _without_keys(text, self.hidden_keys) if self.hidden_keys else text


def _without_keys(text: str, hidden: Mapping[str, Mask]) -> str | None:
    try:
        value = json.loads(text)
        for path, mask in hidden.items():
            value = _without_key(value, path, mask)
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return FULL(text)


def _without_key(value: Any, path: str, mask: Mask) -> Any:
    if isinstance(value, list):
        return [_without_key(one, path, mask) for one in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for key, inner in value.items():
        if key == path:
            text = inner if isinstance(inner, str | None) else json.dumps(inner)
            shown[key] = mask(text)
        elif path.startswith(f"{key}."):
            shown[key] = _without_key(inner, path.removeprefix(f"{key}."), mask)
        else:
            shown[key] = inner
    return shown
