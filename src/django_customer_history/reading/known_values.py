"""Values of filters that nothing in the project or in the log has: mistakes, not empty results."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import gettext

from django_customer_history.exceptions import InvalidFilterError
from django_customer_history.labels import BASELINE, DEFAULT_ACTIONS, OWN_ACTIONS, OWN_MODEL_LABELS
from django_customer_history.models import Entry, EntryQuerySet
from django_customer_history.reading.filter_values import field_name_of, guess
from django_customer_history.reading.filters import BY_NAME, SYSTEM, Filters, by_field
from django_customer_history.reading.time_limit import searching
from django_customer_history.registration.fields import field_of, secret_fields
from django_customer_history.registration.registry import registry

SEARCHED = 10_000
"""The number of newest entries in which an unknown field or action is searched."""


def check_values(filters: Filters, entries: EntryQuerySet) -> None:
    """Raise `InvalidFilterError` for a user, model, field or action that does not exist.

    `entries` are those that the reader may read, before the filters. What the project has, or
    had according to the log, is valid: an entry with it may come later.
    """
    errors = {}
    for name, values in filters.values:
        find_error = _CHECKS.get(name.removeprefix("-"))
        found = [] if find_error is None else [find_error(value, entries) for value in values]
        if any(found):
            errors[name] = " ".join(filter(None, found))
    if errors:
        raise InvalidFilterError(errors)


def _user_error(value: str, entries: EntryQuerySet) -> str:
    if value == SYSTEM or value.startswith(BY_NAME):
        return ""
    users = get_user_model()._base_manager
    try:
        if users.filter(pk=value).exists():
            return ""
    except (ValueError, ValidationError, OverflowError):
        pass  # It is not a key of a user, but the log may have had other keys.
    if Entry.objects.using(entries.db).filter(user_id=value).exists():
        return ""
    return gettext("There is no user with the key '%(value)s'.") % {"value": value}


def _model_error(value: str, entries: EntryQuerySet) -> str:
    label = value.partition(":")[0].lower()
    known = [one.model._meta.label_lower for one in registry]
    if label in known or label in OWN_MODEL_LABELS or _is_installed(label):
        return ""
    log = Entry.objects.using(entries.db)
    if log.filter(entity_model=label).exists() or log.filter(subject_model=label).exists():
        return ""
    unknown = gettext("There is no model '%(value)s'.") % {"value": label}
    return f"{unknown} {guess(label, known)}".strip()


def _field_error(value: str, entries: EntryQuerySet) -> str:
    model, name = field_name_of(value)
    root, _, path = name.partition(".")
    registrations = [
        one for one in registry if model is None or one.model._meta.label_lower == model
    ]
    for registration in registrations:
        field = field_of(registration.model, root)
        if field is not None and (not path or isinstance(field, models.JSONField)):
            return ""
    if _is_in_log(entries, by_field((model, name))):
        return ""
    known = {field.name for one in registrations for field in one.model._meta.fields}
    unknown = gettext("There is no field '%(value)s'.") % {"value": value}
    return f"{unknown} {guess(name, known)}".strip()


def _action_error(value: str, entries: EntryQuerySet) -> str:
    known = set(_actions())
    # In another case it finds nothing, but it is not a mistake about what exists.
    if value.casefold() in map(str.casefold, known):
        return ""
    if _is_in_log(entries, models.Q(action=value)):
        return ""
    unknown = gettext("There is no action '%(value)s'.") % {"value": value}
    return f"{unknown} {guess(value, known)}".strip()


_CHECKS: Mapping[str, Callable[[str, EntryQuerySet], str]] = {
    "user": _user_error,
    "entity": _model_error,
    "subject": _model_error,
    "field": _field_error,
    "action": _action_error,
}


def _actions() -> Iterator[str]:
    """Yield the names of actions that the registrations of today give."""
    yield from DEFAULT_ACTIONS.values()
    yield BASELINE
    yield from _own_actions()
    for registration in registry:
        yield from (event.action for event in registration.events)
        for field in secret_fields(registration):
            yield f"{capfirst(field.name.replace('_', ' '))} changed"


def _own_actions() -> Sequence[str]:
    # As the log has them, not in the language of the reader.
    with translation.override(None):
        return [str(one) for one in OWN_ACTIONS]


def _is_installed(label: str) -> bool:
    try:
        apps.get_model(label)
    except (LookupError, ValueError):
        return False
    return True


def _is_in_log(entries: EntryQuerySet, condition: models.Q) -> bool:
    newest = entries.newest_first()
    limits: Iterable[Entry] = newest.only("id")[SEARCHED : SEARCHED + 1]
    for limit in limits:
        entries = entries.newer_than(limit.id)
    with searching(entries.db):
        return entries.filter(condition).exists()
