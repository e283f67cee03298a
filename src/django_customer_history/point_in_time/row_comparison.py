"""Compare a row with what an entry left or found, by the texts of the log."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models

from django_customer_history.point_in_time.json_keys import text_of_key
from django_customer_history.point_in_time.stored_rows import StoredModel, Text, Texts
from django_customer_history.point_in_time.unlogged_values import is_in_log
from django_customer_history.registration.registry import Registration
from django_customer_history.values.comparison import is_same_json, is_same_text, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class RowComparison:
    """Compares rows of one model."""

    registration: Registration
    stored: StoredModel

    def differences(self, row: Texts, texts: Texts) -> Iterator[tuple[str, Text, Text]]:
        """Yield the logged fields in which a row is not as an entry left it."""
        for one in self._model._meta.concrete_fields:
            if one in one.model._meta.pk_fields or one.name not in row:
                continue
            if getattr(one, "generated", False) or not is_in_log(self.registration, one):
                continue
            if one.name in self.registration.json_keys and one.name not in texts:
                yield from self._differences_by_key(one.name, row, texts)
            elif not self.is_same(one.name, row[one.name], texts.get(one.name)):
                yield one.name, texts.get(one.name), row[one.name]

    def _differences_by_key(
        self, name: str, row: Texts, texts: Texts
    ) -> Iterator[tuple[str, Text, Text]]:
        value = parsed(row[name])
        prefix = f"{name}."
        expected = {
            key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)
        }
        if value is not None and not isinstance(value, dict):
            yield name, None, row[name]
            return
        for key in {**expected, **(value or {})}:
            current = text_of_key(value, key)
            if not is_same_json(current, expected.get(key)):
                yield f"{name}.{key}", expected.get(key), current

    def is_same(self, name: str, one: Text, other: Text) -> bool:
        """Return whether two texts are the same value of a field, or of a key of a JSON field."""
        part = self.stored.part_of(name.partition(".")[0])
        value_type = None if part is None else part.table.columns[name.partition(".")[0]].value_type
        return is_same_text(one, other, value_type)

    @property
    def _model(self) -> type[models.Model]:
        return self.registration.model
