"""The rule for one field of an entry: how it is shown to one reader, and how it is masked."""

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
    """How the values of a field are typed, labelled and masked for one reader."""

    label: str
    field: Any = None
    value_type: ValueType | None = None
    mask: Mask | None = None
    """How the value is masked; None: it is not masked."""
    permission: str | None = None
    """The permission that shows the value, if it is masked or has hidden keys."""
    is_secret: bool = False
    """Whether the log never gets values of the field."""
    is_unknown: bool = False
    """Whether the field is not a field of a registered model (any more)."""
    is_revealable: bool = False
    """Whether the reader has that permission and may reveal the value."""
    hidden_keys: Mapping[str, Mask] | None = None
    """Masks by the path to the key inside a JSON value."""
    display: Display | None = None
    """The project's own function that formats values; never called with masked ones."""

    @property
    def is_hidden(self) -> bool:
        """Whether the reader may not see the value, or only its masked form."""
        return self.is_secret or self.mask is not None

    def redacted(self, text: str | None) -> str | None:
        """Return the text of a value with everything masked that the reader may not see.

        None for None and for secret fields.
        """
        if text is None or self.is_secret:
            return None
        if self.mask is not None:
            value = decode(text, self.value_type) if self.value_type is ValueType.JSON else text
            return self.mask(value if isinstance(value, str) else text)
        return _mask_keys(text, self.hidden_keys) if self.hidden_keys else text


def _mask_keys(text: str, masks: Mapping[str, Mask]) -> str | None:
    try:
        value = json.loads(text)
        for path, mask in masks.items():
            value = _mask_key(value, path, mask)
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return FULL(text)


def _mask_key(value: Any, path: str, mask: Mask) -> Any:
    if isinstance(value, list):
        return [_mask_key(item, path, mask) for item in value]
    if not isinstance(value, dict):
        return value
    masked = {}
    for key, inner in value.items():
        if key == path:
            text = inner if isinstance(inner, str | None) else json.dumps(inner)
            masked[key] = mask(text)
        elif path.startswith(f"{key}."):
            masked[key] = _mask_key(inner, path.removeprefix(f"{key}."), mask)
        else:
            masked[key] = inner
    return masked
