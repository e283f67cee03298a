"""The values of a row that the log does not have, for a row that is created again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone

from django_customer_history.models import Entry
from django_customer_history.point_in_time.stored_rows import Part, Text
from django_customer_history.registration.fields import field_of, is_logged
from django_customer_history.registration.registry import Registration, registry
from django_customer_history.values.encoding import AnyField

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnloggedValue:
    """The value of a field that the log does not have."""

    field: str
    is_known: bool
    """Whether there is any value for the field. Without one, somebody has to give it."""
    value: Any = None
    text: Text = None
    """The value as text of the log, if it is derived from the subject of the entry."""
    is_left_to_database: bool = False
    is_derived: bool = False
    """Whether it is certainly the former value, and so not worth a word."""


def is_in_log(registration: Registration, field: AnyField) -> bool:
    """Return whether the log has the values of a field."""
    return is_logged(registration, field) and not registry.keeps_secret(registration, field)


def unlogged_values(
    registration: Registration, part: Part, entry: Entry, *, given: Values
) -> Iterator[UnloggedValue]:
    """Yield a value for each field of a table that the log does not have.

    `given` are values that the caller has: by the name of the field, or as "app.model.field".
    """
    derived = dict(_derived(registration, entry))
    model = registration.model._meta.label_lower
    for field in part.model._meta.local_concrete_fields:
        if _comes_from_elsewhere(registration, field):
            continue
        names = [name for name in (f"{model}.{field.name}", field.name) if name in given]
        if names:
            value = given[names[0]]
            value = getattr(value, "pk", value) if field.is_relation else value
            yield UnloggedValue(field=field.name, is_known=True, value=value)
        elif field.name in derived:
            yield UnloggedValue(
                field=field.name, is_known=True, text=derived[field.name], is_derived=True
            )
        else:
            yield default_of(field)


def _comes_from_elsewhere(registration: Registration, field: AnyField) -> bool:
    """Return whether a field is a key, generated, the link to a parent, or in the log."""
    is_link = field.remote_field is not None and getattr(field.remote_field, "parent_link", False)
    return (
        field in field.model._meta.pk_fields
        or is_link
        or bool(getattr(field, "generated", False))
        or is_in_log(registration, field)
    )


def default_of(field: AnyField) -> UnloggedValue:
    """Return the value that a new row gets in a field if nobody gives one."""
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return UnloggedValue(field=field.name, is_known=True, value=_now(field), is_derived=True)
    if field.has_default():
        return UnloggedValue(field=field.name, is_known=True, value=field.get_default())
    if field.has_db_default():
        return UnloggedValue(field=field.name, is_known=True, is_left_to_database=True)
    if field.null:
        return UnloggedValue(field=field.name, is_known=True)
    has_blank = field.blank and field.empty_strings_allowed
    return UnloggedValue(field=field.name, is_known=has_blank, value="" if has_blank else None)


def _now(field: AnyField) -> Any:
    now = timezone.now()
    if isinstance(field, models.DateTimeField):
        return now
    local = timezone.localtime(now) if timezone.is_aware(now) else now
    return local.date() if isinstance(field, models.DateField) else local.time()


def _derived(registration: Registration, entry: Entry) -> Iterator[tuple[str, Text]]:
    """Yield the fields that name the subject of the entry, with their texts.

    They may be excluded from the log, but the entry is on the tab of the subject.
    """
    if entry.subject_model is None or entry.subject_id is None or len(registration.subject) != 1:
        return
    (path,) = registration.subject
    generic = next(
        (
            one
            for one in registration.model._meta.private_fields
            if one.name == path and isinstance(one, GenericForeignKey)
        ),
        None,
    )
    subject = registry.find(entry.subject_model)
    if generic is not None and subject is not None:
        content_types = ContentType.objects.db_manager(entry._state.db)
        content_type = content_types.get_for_model(subject.model)
        yield generic.ct_field, str(content_type.pk)
        yield generic.fk_field, entry.subject_id
        return
    field = field_of(registration.model, path)
    if field is not None and field.many_to_one and field.target_field.primary_key:
        yield path, entry.subject_id
