"""The models: the log, the marks of confidential fields, and a base class for tracked models."""

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
from django_customer_history.values.encoding import key_text
from django_customer_history.values.json_field import JSONTextField

_REFUSAL = "The customer history is append-only: {} is not allowed on its entries."


class EntryQuerySet(models.QuerySet["Entry"]):
    """Entries of the log, without permissions and masks. They can be added, but not changed.

    `update()`, `delete()` and their variants raise `AppendOnlyError`.
    """

    def newest_first(self) -> Self:
        """Order the entries by time, the newest first. No two entries have the same position."""
        return self.order_by("-id")

    def of_subject(self, model: type[models.Model] | str, key: object) -> Self:
        """Return the entries on the History tab of one record, which may be deleted.

        `model` is the model or its label, `"crm.customer"`; `key` is the primary key.
        """
        return self.filter(subject_model=_label(model), subject_id=key_text(key))

    def of_entity(self, model: type[models.Model] | str, key: object) -> Self:
        """Return the entries about changes of one row, which may be deleted.

        `model` is the model or its label, `"crm.invoice"`; `key` is the primary key.
        """
        return self.filter(entity_model=_label(model), entity_id=key_text(key))

    def older_than(self, key: UUID) -> Self:
        """Return the entries that are older than the entry `key`."""
        return self.filter(id__lt=key)

    def newer_than(self, key: UUID) -> Self:
        """Return the entries that are newer than the entry `key`."""
        return self.filter(id__gt=key)

    def between(self, start: datetime | None, end: datetime | None) -> Self:
        """Return the entries with start <= time < end, by the index of the primary key.

        Both are datetimes; a naive one is in UTC. None means no limit.
        """
        entries = self
        if start is not None:
            entries = entries.filter(id__gte=lowest_uuid_at(start))
        if end is not None:
            entries = entries.filter(id__lt=lowest_uuid_at(end))
        return entries

    @property
    def db_of_writing(self) -> str:
        """The alias of the database for new entries, even if these are read from a replica."""
        own: Any = self
        return str(own._db or router.db_for_write(self.model, **own._hints))

    def update(self, **kwargs: Any) -> NoReturn:
        """Raise `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("update()"))

    def delete(self) -> NoReturn:
        """Raise `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("delete()"))

    def _raw_delete(self, using: str | None) -> NoReturn:
        raise AppendOnlyError(_REFUSAL.format("delete()"))

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("bulk_update()"))

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        """Add entries. Raise `AppendOnlyError` with `update_conflicts=True`."""
        if kwargs.get("update_conflicts"):
            raise AppendOnlyError(_REFUSAL.format("bulk_create(update_conflicts=True)"))
        return super().bulk_create(objs, *args, **kwargs)


def _label(model: type[models.Model] | str) -> str:
    return model.lower() if isinstance(model, str) else model._meta.label_lower


class Entry(models.Model):
    """One action on one entity, with every field that it changed.

    References to users and records are text, not foreign keys. So no deletion cascades into the
    log, and entries stay when users, records, models and apps are removed.
    """

    id = models.UUIDField(
        _("entry ID"), primary_key=True, default=time_ordered_uuid, editable=False
    )
    timestamp = models.DateTimeField(_("timestamp"))
    kind = models.CharField(_("kind"), max_length=10, choices=[(kind, kind) for kind in KINDS])
    action = models.CharField(_("action"), max_length=100)
    subject_model = models.CharField(_("subject model"), max_length=100, null=True)
    subject_id = models.CharField(_("subject key"), max_length=255, null=True)
    entity_model = models.CharField(_("entity model"), max_length=100)
    entity_id = models.CharField(_("entity key"), max_length=255)
    entity_label = models.CharField(_("entity label"), max_length=255, null=True)
    changes = JSONTextField(_("changes"), default=dict)
    user_id = models.CharField(_("user key"), max_length=255, null=True)
    user_label = models.CharField(_("user label"), max_length=255, null=True)
    source = models.CharField(_("source"), max_length=32)
    ip_address = models.GenericIPAddressField(_("IP address"), null=True)
    request_id = models.UUIDField(_("request ID"), null=True)
    context = models.JSONField(_("context"), null=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        app_label = "customer_history"
        verbose_name = _("history entry")
        verbose_name_plural = _("history entries")
        default_permissions = ("view",)
        # Like the names of Django's own permissions: stored once by `migrate`, not translated.
        permissions = [
            ("view_confidential", "Can view every confidential value in the history"),
            ("export_entry", "Can export the history of everything"),
        ]
        # Every write has to update every index: no more than reading needs.
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
        """Add a new entry. Raise `AppendOnlyError` if the entry is in the log already."""
        if not self._state.adding:
            raise AppendOnlyError(_REFUSAL.format("save()"))
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("delete()"))

    @property
    def is_baseline(self) -> bool:
        """Whether the entry has what a row held when its tracking began, instead of a change."""
        return self.kind == "event" and BASELINE_KEY in (self.context or {})


class ConfidentialField(models.Model):
    """The mark of staff that a field, or a key of a JSON field, is confidential.

    Its values are masked in all entries, old and new, for readers without its permission. The
    permission is created with the mark.
    """

    model = models.CharField(
        _("model"), max_length=100, help_text=_('For example "crm.customer", in lower case.')
    )
    field = models.CharField(
        _("field"),
        max_length=255,
        help_text=_('A field like "ssn", or a key of a JSON field like "udf.color".'),
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
    """A base class for models that are tracked, with the options in an inner `class History`.

    The options are the keywords of `history.register()`::

        class Note(AuditedModel):
            class History:
                subject = "customer"
    """

    class Meta:
        abstract = True
