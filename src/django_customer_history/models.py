"""The log, one table; and the mixin that registers a model by inheritance."""

from datetime import datetime
from typing import Any, NoReturn, Self
from uuid import UUID

from django.db import models, router
from django.utils.translation import gettext_lazy as _

from django_customer_history.exceptions import AppendOnlyError
from django_customer_history.keys import lowest_uuid_at, time_ordered_uuid
from django_customer_history.labels import (
    BASELINE_KEY,
    KINDS,
    MASK_LABELS,
)
from django_customer_history.masks import FULL
from django_customer_history.registration.registry import (
    registration_of,
    registry,
)
from django_customer_history.values.json_field import JSONTextField

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


class Entry(models.Model):
    """One action on one entity, with every field that it changed.

    References are soft: text, no foreign keys. So nothing can cascade into the log, and it
    outlives users, rows, models and apps.
    """

    id = models.UUIDField(_("entry"), primary_key=True, default=time_ordered_uuid, editable=False)
    timestamp = models.DateTimeField(_("timestamp"))
    kind = models.CharField(_("kind"), max_length=10, choices=[(kind, kind) for kind in KINDS])
    action = models.CharField(_("action"), max_length=100)
    subject_model = models.CharField(_("subject model"), max_length=100, null=True)
    subject_id = models.CharField(_("subject"), max_length=255, null=True)
    entity_model = models.CharField(_("entity model"), max_length=100)
    entity_id = models.CharField(_("entity"), max_length=255)
    entity_label = models.CharField(_("entity label"), max_length=255, null=True)
    changes = JSONTextField(_("changes"), default=dict)
    user_id = models.CharField(_("user key"), max_length=255, null=True)
    user_label = models.CharField(_("user"), max_length=255, null=True)
    source = models.CharField(_("source"), max_length=32)
    ip_address = models.GenericIPAddressField(_("IP address"), null=True)
    request_id = models.UUIDField(_("request"), null=True)
    context = models.JSONField(_("context"), null=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        app_label = "customer_history"
        verbose_name = _("history entry")
        verbose_name_plural = _("history entries")
        default_permissions = ("view",)
        # Stored once by `migrate`, in no reader's language, as those of Django are.
        permissions = [
            ("view_confidential", "Can view every confidential value in the history"),
            ("export_entry", "Can export the history of everything"),
        ]
        # Each further index is paid for by every write.
        indexes = [
            models.Index(
                fields=["subject_model", "subject_id", "id"], name="customer_history_subject"
            ),
            models.Index(
                fields=["entity_model", "entity_id", "id"], name="customer_history_entity"
            ),
            models.Index(fields=["user_id", "id"], name="customer_history_user"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.entity_model} {self.entity_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new entry; refuse to change one, with `AppendOnlyError`."""
        if not self._state.adding:
            raise AppendOnlyError("An entry of the customer history cannot be changed.")
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse, with `AppendOnlyError`."""
        raise AppendOnlyError("An entry of the customer history cannot be removed.")

    @property
    def is_baseline(self) -> bool:
        """Whether it tells what a row held when its tracking began, and no change."""
        return self.kind == "event" and BASELINE_KEY in (self.context or {})


class ConfidentialField(models.Model):
    """A field, or a key of a JSON field, that staff marked confidential at run time.

    It is masked in all entries, the old ones too, for readers without its permission, which
    exists from then on.
    """

    model = models.CharField(
        _("model"), max_length=100, help_text=_('Such as "crm.customer", in lower case.')
    )
    field = models.CharField(
        _("field"),
        max_length=255,
        help_text=_('A field, such as "ssn", or a key of a JSON field, such as "udf.colour".'),
    )
    label = models.CharField(
        _("label"), max_length=100, blank=True, help_text=_("Shown instead of the field's name.")
    )
    mask = models.CharField(
        _("mask"),
        max_length=20,
        choices=list(MASK_LABELS.items()),
        default=FULL.name,
    )

    class Meta:
        app_label = "customer_history"
        verbose_name = _("confidential field")
        verbose_name_plural = _("confidential fields")
        constraints = [
            models.UniqueConstraint(
                fields=["model", "field"], name="customer_history_one_mark_a_field"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.field}"


registry.add(registration_of(ConfidentialField, label=("model", "field")))


class AuditedModel(models.Model):
    """A model that is tracked, with its options in an inner `class History`.

    The options are those of `history.register()`::

        class Note(AuditedModel):
            class History:
                subject = "customer"
    """

    class Meta:
        abstract = True
