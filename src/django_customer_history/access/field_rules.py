"""The rule for one field of an entry: how it is shown to one reader, and how it is masked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from django_customer_history.access.hidden_keys import hidden_texts, mask_keys, mask_value
from django_customer_history.masks import Mask
from django_customer_history.registration.options import Display
from django_customer_history.values.decoding import decode
from django_customer_history.values.rendering import display_function
from django_customer_history.values.types import ValueType


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """How the values of a field are typed, labelled and masked for one reader."""

    label: str
    field: Any = None
    value_type: ValueType | None = None
    mask: Mask | None = None
    """How the value is masked; None: it is not masked."""
    permission: str | None = None
    """The permission that shows the value, if it is masked or has hidden keys."""
    permission_name: str | None = None
    """What people call that permission: `Permission.name`."""
    is_secret: bool = False
    """Whether the log never gets values of the field."""
    is_confidential: bool = False
    """Whether the value as a whole is confidential, whether the reader may see it or not."""
    is_revealable: bool = False
    """Whether the reader has that permission and may reveal the value."""
    hidden_keys: Mapping[str, Mask] | None = None
    """Masks by the path to the key inside a JSON value."""
    shown_keys: tuple[str, ...] = ()
    """Paths to confidential keys inside a JSON value that the reader may see."""
    display: Display | None = None
    """The project's own function that formats values; never called with masked ones."""

    @cached_property
    def shown(self) -> Callable[[str], str]:
        """The function that formats a value, which is not masked, for people.

        It formats equal values once. Rules are made for each page, so the language and the time
        zone stay the same.
        """
        return cache(display_function(self.field, self.value_type, own=self.display))

    @property
    def conceals(self) -> bool:
        """Whether the reader may not see the value, or a part of it."""
        return self.is_hidden or bool(self.hidden_keys)

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
            return mask_value(text, self.mask, is_json=self.value_type is ValueType.JSON)
        return mask_keys(text, self.hidden_keys) if self.hidden_keys else text

    def hidden_texts(self, text: str | None) -> list[str]:
        """Return the texts inside the text of a value that the reader may not see."""
        if not text:
            return []
        if self.is_hidden:
            return [text]
        if not self.hidden_keys:
            return []
        value = decode(text, ValueType.JSON)
        return list(hidden_texts(value, self.hidden_keys))


@dataclass(frozen=True, slots=True, eq=False)
class EntryRules:
    """The rules for the fields of an entry. Entries with the same fields share one object."""

    by_name: Mapping[str, FieldRule]

    concealing: tuple[tuple[str, FieldRule], ...] = field(init=False)
    """The fields with values that the reader may not see."""

    def __post_init__(self) -> None:
        concealing = [(name, rule) for name, rule in self.by_name.items() if rule.conceals]
        object.__setattr__(self, "concealing", tuple(concealing))
