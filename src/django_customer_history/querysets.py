"""Questions to the log, and the refusal to change it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, Self
from uuid import UUID

from django.db import models, router

from django_customer_history.exceptions import AppendOnlyError
from django_customer_history.keys import lowest_uuid_at

if TYPE_CHECKING:
    from django_customer_history.models import Entry  # noqa: F401 - named in a base class

_REFUSAL = "The customer history is append-only: {} is refused. Nothing in it can be changed."


class EntryQuerySet(models.QuerySet["Entry"]):
    """Entries of the log. It can be read and added to, never changed."""

    def newest_first(self) -> Self:
        """Order by time, the newest first; the order is total, as the key is unique."""
        return self.order_by("-id")

    def of_subject(self, model: type[models.Model] | str, key: object) -> Self:
        """Keep what shows on the tab of one record, which need not exist any more."""
        return self.filter(subject_model=_label(model), subject_id=str(key))

    def of_entity(self, model: type[models.Model] | str, key: object) -> Self:
        """Keep what happened to one row, which need not exist any more."""
        return self.filter(entity_model=_label(model), entity_id=str(key))

    def older_than(self, key: UUID) -> Self:
        """Keep what comes after the entry `key` when read newest first."""
        return self.filter(id__lt=key)

    def newer_than(self, key: UUID) -> Self:
        """Keep what comes before the entry `key` when read newest first."""
        return self.filter(id__gt=key)

    def between(self, start: datetime | None, end: datetime | None) -> Self:
        """Keep start <= time < end; both are moments with a time zone, None: no bound."""
        entries = self
        if start is not None:
            entries = entries.filter(id__gte=lowest_uuid_at(start))
        if end is not None:
            entries = entries.filter(id__lt=lowest_uuid_at(end))
        return entries

    @property
    def db_of_writing(self) -> str:
        """The database that new entries go to: not the replica that these are read from."""
        own: Any = self
        return str(own._db or router.db_for_write(self.model, **own._hints))

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse, with `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("update()"))

    def delete(self) -> NoReturn:
        """Refuse, with `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("delete()"))

    def _raw_delete(self, using: str | None) -> NoReturn:
        raise AppendOnlyError(_REFUSAL.format("delete()"))

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse, with `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("bulk_update()"))

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        """Add entries; refuse to update those that exist."""
        if kwargs.get("update_conflicts"):
            raise AppendOnlyError(_REFUSAL.format("bulk_create(update_conflicts=True)"))
        return super().bulk_create(objs, *args, **kwargs)


def _label(model: type[models.Model] | str) -> str:
    return model.lower() if isinstance(model, str) else model._meta.label_lower
