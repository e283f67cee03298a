"""System checks of registrations: every name and option that does not fit its model."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections, models

from django_customer_history.capture.plan import planned_registrations
from django_customer_history.capture.rules import logged_names
from django_customer_history.exceptions import did_you_mean
from django_customer_history.registration.fields import secret_fields
from django_customer_history.registration.options import ROW_KINDS
from django_customer_history.registration.registry import (
    OPTIONS,
    Registration,
    concrete_model,
    label_of,
    registry,
)
from django_customer_history.registration.subject_paths import (
    UnreachablePathError,
    is_many_to_many,
    label_part,
    routes,
)
from django_customer_history.values.encoding import LONGEST_KEY, stored_field, value_type_of
from django_customer_history.values.types import ValueType


def check_registrations(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Errors and warnings about registrations that do not fit their model or each other.

    E002 to E004, E007, E009, E020, E022 to E024, E045, W020, W021 and W045.
    """
    found: list[checks.CheckMessage] = []
    for registration in registry:
        found += _unknown_names(registration)
        found += _invalid_options(registration)
        found += _unreachable_subjects(registration)
        found += _labels(registration)
        found += _swapped(registration)
        found += _secret_events(registration)
        found += _other_links(registration)
        found += _long_keys(registration)
    return [
        *found,
        *_unknown_options(),
        *_conflicts(registry.conflicts),
        *_childless(),
        *_shared_tables(),
    ]


def _unknown_names(registration: Registration) -> Iterator[checks.CheckMessage]:
    meta = registration.model._meta
    existing = {field.name for field in meta.get_fields()}
    special = _names_that_fit(registration)
    for option, names in _names_in_options(registration).items():
        fitting = special.get(option, existing)
        for name in sorted(set(names) - fitting):
            is_misspelled = name not in existing
            problem = "does not exist" if is_misspelled else _MISFITS[option]
            suggestion = did_you_mean(name, fitting) if is_misspelled else ""
            yield checks.Error(
                f"{meta.label}: field {name!r} in {option} {problem}.{suggestion}",
                hint=f"Names that {option} accepts: {', '.join(sorted(fitting)) or 'none'}.",
                obj=registration.model,
                id="customer_history.E002",
            )


def _names_in_options(registration: Registration) -> Mapping[str, Iterable[str]]:
    return {
        "label": (name for name in registration.label if "__" not in name),
        "exclude": registration.exclude,
        "only": registration.only or (),
        "confidential": registration.confidential,
        "secret": registration.secret,
        "m2m": registration.m2m or (),
        "events": (event.field for event in registration.events),
        "json_keys": registration.json_keys,
        "key_labels": registration.key_labels,
        "display": (_root(name, registration) for name in registration.display),
        "reason_required": registration.reason_required,
    }


def _names_that_fit(registration: Registration) -> Mapping[str, set[str]]:
    """Return the names that an option accepts, for the options that do not accept all fields."""
    meta = registration.model._meta
    concrete = meta.concrete_fields
    return {
        "label": {field.name for field in concrete},
        "m2m": {field.name for field in meta.many_to_many if is_many_to_many(field)},
        "events": {field.name for field in concrete} | {"create", "update", "delete"},
        "json_keys": {field.name for field in concrete if isinstance(field, models.JSONField)},
        "key_labels": set(registration.json_keys),
        "display": {field.name for field in concrete if not field.is_relation},
        "reason_required": {*ROW_KINDS, *logged_names(registration, registry)},
    }


_MISFITS: Mapping[str, str] = {
    "label": "does not have a column of its own",
    "m2m": "is not a many-to-many field",
    "events": "does not have a column of its own",
    "json_keys": "is not a JSONField",
    "key_labels": "is not in json_keys",
    "display": "is a relation, which has no value to format",
    "reason_required": "is not logged",
}
"""Why an existing field is wrong for an option."""


def _root(name: str, registration: Registration) -> str:
    """Return the field of a name, which may be a key of a JSON field."""
    root = name.partition(".")[0]
    return root if root in registration.json_keys else name


def _invalid_options(registration: Registration) -> Iterator[checks.CheckMessage]:
    for invalid in registration.invalid_options:
        yield checks.Error(
            f"{registration.model._meta.label}: {invalid.option} is {invalid.value!r}, which is"
            " not valid.",
            hint=invalid.expected,
            obj=registration.model,
            id="customer_history.E009",
        )


def _unknown_options() -> Iterator[checks.CheckMessage]:
    for model, name in registry.unknown_options:
        yield checks.Error(
            f"{model._meta.label}: option {name!r} of class History does not exist."
            f"{did_you_mean(name, OPTIONS)}",
            hint=f"The options are: {', '.join(OPTIONS)}.",
            obj=model,
            id="customer_history.E007",
        )


def _unreachable_subjects(registration: Registration) -> Iterator[checks.CheckMessage]:
    try:
        list(routes(registration, registry))
    except UnreachablePathError as error:
        # The paths that do lead to a subject are followed.
        yield checks.Error(
            f"{registration.model._meta.label}: {error}",
            hint='Give "self", or foreign keys that lead to a model registered with'
            ' subject="self".',
            obj=registration.model,
            id="customer_history.E003",
        )


def _labels(registration: Registration) -> Iterator[checks.CheckMessage]:
    """Yield E002 for a label path that leads nowhere, W021 for one that shows a key."""
    meta = registration.model._meta
    for name in registration.label:
        try:
            part = label_part(registration.model, name)
        except UnreachablePathError as error:
            if "__" in name:
                yield checks.Error(
                    f"{meta.label}: {error}",
                    hint='Give a path over foreign keys to a field, such as "field__label".',
                    obj=registration.model,
                    id="customer_history.E002",
                )
            continue
        field: Any = part.field
        if not field.is_relation:
            continue
        related, behind = field.related_model._meta, registry.find(label_of(field.related_model))
        if behind is None or not behind.label:
            yield checks.Warning(
                f"{meta.label}: label {name!r} shows the key of a {related.label}, because that"
                " model has no label.",
                hint=f'Name a field of it, such as "{name}__name". Or register'
                f" {related.label} with a label.",
                obj=registration.model,
                id="customer_history.W021",
            )


def _swapped(registration: Registration) -> Iterator[checks.CheckMessage]:
    if swapped := registration.model._meta.swapped:
        yield checks.Error(
            f"{registration.model._meta.label} is registered, but {swapped} is used instead of it,"
            " so it has no table.",
            hint=f"Register {swapped}, for example with get_user_model().",
            obj=registration.model,
            id="customer_history.E023",
        )


def _secret_events(registration: Registration) -> Iterator[checks.CheckMessage]:
    secret = {field.name for field in secret_fields(registration)}
    for event in registration.events:
        if event.field in secret and event.value is not None:
            yield checks.Error(
                f"{registration.model._meta.label}: events names a value of {event.field!r}, which"
                " is secret: the value would be in the trigger and in the name of the change.",
                hint=f'Name any change of the field instead: {{"{event.field}": "..."}}.',
                obj=registration.model,
                id="customer_history.E024",
            )


def _other_links(registration: Registration) -> Iterator[checks.CheckMessage]:
    """Yield W020 for fields that look like many-to-many fields, such as those of django-taggit."""
    meta = registration.model._meta
    for field in meta.many_to_many:
        through = getattr(field.remote_field, "through", None)
        is_wanted = registration.m2m is None and registration.tracks(field.name)
        if is_many_to_many(field) or not is_wanted or through is None:
            continue
        if concrete_model(through) not in registry:
            yield checks.Warning(
                f"{meta.label}: links of {field.name!r} are not recorded, because it is a"
                f" {type(field).__name__} and not a ManyToManyField.",
                hint=f"Register the model of the links, {through._meta.label}, whose subject may be"
                f" a generic foreign key. Or add {field.name!r} to exclude.",
                obj=registration.model,
                id="customer_history.W020",
            )


def _childless() -> Iterator[checks.CheckMessage]:
    for model in registry.of_abstract:
        if not any(issubclass(registration.model, model) for registration in registry):
            yield checks.Error(
                f"{model._meta.label} is registered, but it is abstract and no model inherits from"
                " it, so nothing is recorded.",
                hint="Register a model that has a table, or remove the registration.",
                obj=model,
                id="customer_history.E020",
            )


def _shared_tables() -> Iterator[checks.CheckMessage]:
    shared: dict[tuple[str, ...], str] = {}
    for alias in connections:
        by_table = defaultdict(list)
        for registration in planned_registrations(registry, alias):
            by_table[registration.model._meta.db_table].append(registration.model._meta.label)
        shared |= {tuple(labels): table for table, labels in by_table.items() if len(labels) > 1}
    for labels, table in shared.items():
        yield checks.Error(
            f"{' and '.join(labels)} are registered, and both have the table {table!r}, so every"
            " change is recorded for each of them.",
            hint="Register one of them.",
            id="customer_history.E022",
        )


def _long_keys(registration: Registration) -> Iterator[checks.CheckMessage]:
    for key in registration.model._meta.pk_fields:
        field = stored_field(key)
        length = getattr(field, "max_length", None)
        is_text = value_type_of(field, use_tz=settings.USE_TZ) is ValueType.TEXT
        if not is_text or (length is not None and length <= LONGEST_KEY):
            continue
        check = checks.Error if length else checks.Warning
        yield check(
            f"{registration.model._meta.label}: the key {key.name!r} may be longer than"
            f" {LONGEST_KEY} characters. A write of a row with such a key fails, because the log"
            " cannot record it.",
            hint=f"Give the field a max_length of at most {LONGEST_KEY}"
            + ("." if length else ", or silence this warning if its keys are short."),
            obj=registration.model,
            id="customer_history.E045" if length else "customer_history.W045",
        )


def _conflicts(conflicts: Iterable[Registration]) -> Iterator[checks.CheckMessage]:
    for conflict in conflicts:
        yield checks.Error(
            f"{conflict.model._meta.label} is registered twice with different options.",
            hint="Remove one of the two registrations.",
            obj=conflict.model,
            id="customer_history.E004",
        )
