"""From the options of a registration to the rules for the changes of one table."""

from collections.abc import Iterable, Iterator, Mapping

from django_customer_history.backends.tables import (
    ActionRule,
    Event,
    ReasonRule,
    TrackedColumn,
)
from django_customer_history.registration.actions import named_actions
from django_customer_history.registration.fields import is_logged, is_part_of_key
from django_customer_history.registration.registry import (
    Registration,
    Registry,
)
from django_customer_history.registration.subject_paths import relations

_EVENTS_OF_KINDS: Mapping[str, Event] = {
    "create": "insert",
    "update": "update",
    "delete": "delete",
}
_EVENTS_OF_LINKS: Mapping[str, Event] = {"add": "insert", "remove": "delete"}


def logged_names(registration: Registration, registry: Registry) -> list[str]:
    """Return the names of the model's fields whose changes are logged, without the key."""
    meta = registration.model._meta
    return [
        *(
            field.name
            for field in meta.concrete_fields
            if not is_part_of_key(field) and is_logged(registration, field)
        ),
        *(field.name for field in relations(registration, registry)),
    ]


def action_rules(
    registration: Registration, columns: Iterable[TrackedColumn]
) -> Iterator[ActionRule]:
    """Yield the actions of the changes of a table; the first rule that matches wins."""
    by_field = {column.field: column for column in columns}
    secret = {name for name, column in by_field.items() if column.secret}
    for named in named_actions(registration, fields=by_field, secret=secret):
        yield ActionRule(
            event=_EVENTS_OF_KINDS[named.kind],
            action=named.action,
            column=None if named.field is None else by_field[named.field],
            value=named.value,
        )


def reason_rules(
    registration: Registration, columns: Iterable[TrackedColumn]
) -> Iterator[ReasonRule]:
    """Yield the changes of a table that need a reason."""
    by_field = {column.field: column for column in columns}
    kinds = registration.reason_required & _EVENTS_OF_KINDS.keys() - by_field.keys()
    for name in sorted(kinds):
        yield ReasonRule(event=_EVENTS_OF_KINDS[name])
    for name in sorted(registration.reason_required & by_field.keys()):
        yield ReasonRule(event="update", field=name, column=by_field[name])


def link_reason_rules(registration: Registration, field: str) -> Iterator[ReasonRule]:
    """Yield the changes of a many-to-many field that need a reason."""
    for kind, event in _EVENTS_OF_LINKS.items():
        if not registration.reason_required.isdisjoint({kind, field}):
            yield ReasonRule(event=event, field=field)
