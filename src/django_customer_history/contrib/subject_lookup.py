"""Find the subjects of imported rows in Python, by the paths that triggers follow in SQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.contenttypes.models import ContentType

from django_customer_history.capture.events import Record
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from django_customer_history.registration.subject_paths import (
    Route,
    passable_routes,
)
from django_customer_history.values.encoding import encode

Row = tuple[str, Mapping[str, str | None]]
"""The key of a row, and its values as texts of the log by field."""


@dataclass(frozen=True, kw_only=True)
class SubjectLookup:
    """Follows the subject paths of one model."""

    registration: Registration
    using: str

    @property
    def fields(self) -> set[str]:
        """The names of the fields with which the paths start."""
        names: set[str] = set()
        for route in self._routes:
            generic = route.generic
            if generic is None:
                names.add(route.foreign_keys[0].name)
            else:
                names |= {generic.ct_field, generic.fk_field}
        return names

    def subjects(self, rows: Sequence[Row]) -> list[dict[int, Record]]:
        """Return the subjects of each row, by the number of the path.

        Related rows on the path are read as they are now.
        """
        found: list[dict[int, Record]] = [{} for _ in rows]
        if self.registration.is_subject:
            label = self.registration.model._meta.label_lower
            for subjects, (key, _values) in zip(found, rows, strict=True):
                subjects[0] = (label, key)
        for number, route in enumerate(self._routes, start=1):
            starts = [self._start(route, values) for _key, values in rows]
            keys = self._subject_keys(route, {start for start in starts if start is not None})
            for subjects, start in zip(found, starts, strict=True):
                if start is not None and start in keys:
                    subjects[number] = (route.target._meta.label_lower, keys[start])
        return found

    @cached_property
    def _routes(self) -> list[Route]:
        return passable_routes(self.registration, registry)

    def _start(self, route: Route, values: Mapping[str, str | None]) -> str | None:
        if route.generic is None:
            return values.get(route.foreign_keys[0].name)
        types: Any = ContentType.objects.db_manager(self.using)
        wanted = str(types.get_for_model(route.target).pk)
        is_wanted = values.get(route.generic.ct_field) == wanted
        return values.get(route.generic.fk_field) if is_wanted else None

    def _subject_keys(self, route: Route, starts: Iterable[str]) -> dict[str, str]:
        """Return the keys of the subjects by the values of the first foreign key."""
        reached = {start: start for start in starts}
        followed = route.foreign_keys
        for foreign_key, following in zip(followed, [*followed[1:], None], strict=True):
            model: Any = foreign_key.related_model
            held = foreign_key.target_field.attname
            wanted = model._meta.pk.attname if following is None else following.attname
            if reached and wanted != held:
                rows = model._base_manager.using(self.using).filter(
                    **{f"{held}__in": set(reached.values())}
                )
                texts = {
                    encode(one): encode(other) for one, other in rows.values_list(held, wanted)
                }
                reached = {
                    start: text
                    for start, place in reached.items()
                    if (text := texts.get(place)) is not None
                }
        return reached
