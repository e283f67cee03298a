"""Hidden values in texts: whether a name or a URL contains a value that a reader may not see."""

from collections.abc import Iterator

from django.db import models

from django_customer_history.access.hidden_keys import hidden_texts

SHORTEST_VALUE_IN_TEXT = 4
"""Characters: a shorter value may be part of a text by chance."""


def contains(text: str, value: str | None) -> bool:
    """Return whether a text contains a value, also if it is punctuated differently there."""
    if not value:
        return False
    letters = _letters_and_digits(value)
    return value in text or (
        len(letters) >= SHORTEST_VALUE_IN_TEXT and letters in _letters_and_digits(text)
    )


def loaded_records(
    record: models.Model, seen: dict[int, models.Model] | None = None
) -> Iterator[models.Model]:
    """Yield a record and all related records that are loaded with it, each once."""
    seen = {} if seen is None else seen
    if id(record) in seen:
        return
    seen[id(record)] = record
    yield record
    for related in list(record._state.fields_cache.values()):
        if isinstance(related, models.Model):
            yield from loaded_records(related, seen)


def texts_of(record: models.Model, name: str) -> Iterator[str]:
    """Yield the texts that a record has for a field, or for a key of a JSON field."""
    root, _, path = name.partition(".")
    value = getattr(record, root, None)
    if path:
        yield from hidden_texts(value, [path])
    elif value is not None:
        try:
            yield str(value)
        except Exception:  # noqa: BLE001 - the project's own `__str__` of a related record
            return


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
