"""The models: the log, the marks of confidential fields, and a base class for tracked models."""

from datetime import datetime
from typing import Any, NoReturn, Self, TypeVar
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
    label_of,
    registration_of,
    registry,
)
from django_customer_history.registration.renames import renames
from django_customer_history.values.encoding import key_text
from django_customer_history.values.json_field import ContextField, JSONTextField
from django_customer_history.values.moments import UTCDateTimeField

_REFUSAL = "The customer history is append-only: {} is not allowed."

M = TypeVar("M", bound=models.Model)


class AppendOnlyQuerySet(models.QuerySet[M]):
    """Rows that can be added, but not changed.

    `update()`, `delete()` and their variants raise `AppendOnlyError`.
    """

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
        """Add rows. Raise `AppendOnlyError` with `update_conflicts=True`."""
        if kwargs.get("update_conflicts"):
            raise AppendOnlyError(_REFUSAL.format("bulk_create(update_conflicts=True)"))
        return super().bulk_create(objs, *args, **kwargs)


class EntryQuerySet(AppendOnlyQuerySet["Entry"]):
    """Entries of the log, without permissions and masks. They can be added, but not changed.

    `update()`, `delete()` and their variants raise `AppendOnlyError`.
    """

    def primary(self) -> Self:
        """Return each change once, without the entries that repeat it for further subjects."""
        return self.filter(primary_id=None)

    def newest_first(self) -> Self:
        """Order the entries by time, the newest first. No two entries have the same position."""
        return self.order_by("-id")

    def of_subject(self, model: type[models.Model] | str, key: object) -> Self:
        """Return the entries on the History tab of one record, which may be deleted.

        `model` is the model or its label, `"crm.customer"`; `key` is the primary key.
        """
        return self.filter(self._of_model("subject_model", model), subject_id=_key(model, key))

    def of_entity(self, model: type[models.Model] | str, key: object) -> Self:
        """Return the entries about changes of one row, which may be deleted.

        `model` is the model or its label, `"crm.invoice"`; `key` is the primary key.
        """
        return self.filter(self._of_model("entity_model", model), entity_id=_key(model, key))

    def _of_model(self, column: str, model: type[models.Model] | str) -> models.Q:
        # Entries from before a rename have the former label.
        return renames.matching(column, _label(model), using=self.db)

    def older_than(self, key: UUID) -> Self:
        """Return the entries that are older than the entry `key`."""
        return self.filter(id__lt=key)

    def newer_than(self, key: UUID) -> Self:
        """Return the entries that are newer than the entry `key`."""
        return self.filter(id__gt=key)

    def between(self, start: datetime | None, end: datetime | None) -> Self:
        """Return the entries with start <= time < end, by the index of the primary key.

        Both are datetimes; a naive one is in the zone of the setting `TIME_ZONE`, with a warning
        if `USE_TZ` is on, as for a `DateTimeField`. None means no limit.
        """
        entries = self
        if start is not None:
            entries = entries.filter(id__gte=lowest_uuid_at(start))
        if end is not None:
            entries = entries.filter(id__lt=lowest_uuid_at(end))
        return entries

    def beside(self, subject: models.Model | type[models.Model]) -> Self:
        """Return the entries of the database that has a record, or the rows of a model.

        With several databases each has a log of its own. Django's routers are asked, with the
        record as the hint `instance` or the model as the hint `subject_model`. If they name
        another database that has a log of its own, the database of the record counts.
        """
        entries: Any = self._chain()  # type: ignore[attr-defined]
        is_record = isinstance(subject, models.Model)
        entries._add_hints(**{"instance" if is_record else "subject_model": subject})
        found: Self = entries
        return found

    @property
    def db(self) -> str:
        """The alias of the database that is read."""
        own: Any = self
        if own._db or own._for_write:
            return str(super().db)
        chosen = router.db_for_read(self.model, **own._hints)
        subject_model, record = self._subject_of_hints()
        if subject_model is None:
            return chosen
        home = record._state.db if record is not None else None
        home = home or router.db_for_read(subject_model, **own._hints)
        # Without a log of its own, the chosen database is a replica.
        is_other_log = chosen != home and router.allow_migrate_model(chosen, self.model)
        return home if is_other_log else chosen

    @property
    def db_of_writing(self) -> str:
        """The alias of the database for new entries, even if these are read from a replica."""
        own: Any = self
        subject_model, _record = self._subject_of_hints()
        return str(own._db or router.db_for_write(subject_model or self.model, **own._hints))

    def _subject_of_hints(self) -> tuple[type[models.Model] | None, models.Model | None]:
        own: Any = self
        record: models.Model | None = own._hints.get("instance")
        model = type(record) if record is not None else own._hints.get("subject_model")
        return model, record


def _label(model: type[models.Model] | str) -> str:
    return model.lower() if isinstance(model, str) else label_of(model)


def _key(model: type[models.Model] | str, key: object) -> str:
    return key_text(key, model=None if isinstance(model, str) else model)


class AppendOnlyModel(models.Model):
    """A row that is written once."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add a new row. Raise `AppendOnlyError` if it is in the database already."""
        if not self._state.adding:
            raise AppendOnlyError(_REFUSAL.format("save()"))
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `AppendOnlyError`."""
        raise AppendOnlyError(_REFUSAL.format("delete()"))


class Entry(AppendOnlyModel):
    """One action on one entity, with every field that it changed.

    References to users and records are text, not foreign keys. So no deletion cascades into the
    log, and entries stay when users, records, models and apps are removed.
    """

    id = models.UUIDField(
        _("entry ID"), primary_key=True, default=time_ordered_uuid, editable=False
    )
    timestamp = UTCDateTimeField(_("timestamp"))
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
    context = ContextField(_("context"), null=True)
    primary_id = models.UUIDField(_("primary entry ID"), null=True, editable=False)

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
            ("undo_entry", "Can undo every change in the history"),
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

    @property
    def is_baseline(self) -> bool:
        """Whether the entry has what a row held when its tracking began, instead of a change."""
        return self.kind == "event" and BASELINE_KEY in (self.context or {})


class Seal(AppendOnlyModel):
    """A signed statement of what the log held. It continues the tree of the one before it."""

    id = models.BigAutoField(_("ID"), primary_key=True)
    timestamp = UTCDateTimeField(_("timestamp"))
    log_name = models.CharField(_("log name"), max_length=255)
    start = models.BigIntegerField(_("size before"))
    size = models.BigIntegerField(_("size"))
    is_late = models.BooleanField(_("late entries"), default=False)
    first_key = models.UUIDField(_("first entry ID"))
    last_key = models.UUIDField(_("last entry ID"))
    index = models.BinaryField(_("index"))
    edge = models.BinaryField(_("right edge"))
    manifest = models.TextField(_("manifest"))
    checkpoint = models.TextField(_("checkpoint"))
    timestamp_token = models.BinaryField(_("timestamp token"), null=True)
    cosignatures = models.TextField(_("cosignatures"), null=True)

    objects = AppendOnlyQuerySet["Seal"].as_manager()

    class Meta:
        app_label = "customer_history"
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        default_permissions = ()
        indexes = [  # For the seal with an entry, and the one that ends where another begins.
            models.Index(fields=["log_name", "is_late", "first_key"], name="history_seal_keys"),
            models.Index(fields=["log_name", "size"], name="history_seal_size"),
        ]

    def __str__(self) -> str:
        return f"{self.log_name} {self.size}"


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


def marks_for(using: str) -> list[ConfidentialField]:
    """Return the marks that count for a log: its database's, and those where staff sets marks."""
    aliases = dict.fromkeys([using, router.db_for_read(ConfidentialField)])
    # A replica has the marks of its primary.
    primary = [one for one in aliases if router.allow_migrate_model(one, ConfidentialField)]
    found = {
        (mark.model, mark.field, mark.mask): mark
        for alias in primary or [using]
        for mark in ConfidentialField.objects.using(alias).order_by("pk")
    }
    return list(found.values())


registry.add(registration_of(ConfidentialField, label=("model", "field")))


class Watch(models.Model):
    """A saved filter of one user, which can be delivered when entries match.

    `owner` is the key of the user as text, as in the log: users may be in another database.
    """

    NONE, EMAIL, WEBHOOK = "none", "email", "webhook"

    name = models.CharField(_("name"), max_length=100)
    owner = models.CharField(_("owner"), max_length=255, db_index=True, editable=False)
    subject_model = models.CharField(_("subject model"), max_length=100, blank=True, editable=False)
    subject_id = models.CharField(_("subject key"), max_length=255, blank=True, editable=False)
    query = models.TextField(_("filters"), blank=True, editable=False)
    delivery = models.CharField(
        _("delivery"),
        max_length=10,
        choices=[
            (NONE, _("Only saved")),
            (EMAIL, _("E-mail digest")),
            (WEBHOOK, _("Webhook")),
        ],
        default=NONE,
    )
    url = models.CharField(_("URL of the webhook"), max_length=500, blank=True)
    field = models.CharField(_("field"), max_length=255, blank=True)
    old_condition = models.CharField(
        _("condition on the old value"),
        max_length=255,
        blank=True,
        help_text=_("“= text”, “> 100” or “< 100”."),
    )
    new_condition = models.CharField(
        _("condition on the new value"),
        max_length=255,
        blank=True,
        help_text=_("“= text”, “> 100” or “< 100”."),
    )
    language = models.CharField(_("language"), max_length=35, blank=True, editable=False)
    position = models.UUIDField(_("position"), null=True, editable=False)
    problem = models.CharField(_("problem"), max_length=255, blank=True, editable=False)
    failures = models.PositiveSmallIntegerField(
        _("failed runs one after the other"), default=0, editable=False
    )
    is_disabled = models.BooleanField(_("disabled"), default=False, editable=False)

    class Meta:
        app_label = "customer_history"
        verbose_name = _("watch")
        verbose_name_plural = _("watches")
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return self.name


class AuditedModel(models.Model):
    """A base class for models that are tracked, with the options in an inner `class History`.

    The options are the keywords of `history.register()`::

        class Note(AuditedModel):
            class History:
                subject = "customer"
    """

    class Meta:
        abstract = True
