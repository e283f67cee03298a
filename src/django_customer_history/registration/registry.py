"""Which models are tracked, and how: the one list that everything else asks.

Registering never fails for a wrong name: apps are still loading then. What does not fit is
found by the system checks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db import models

from django_customer_history.exceptions import NotRegisteredError
from django_customer_history.masks import Mask
from django_customer_history.values.encoding import encode

SELF = "self"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventName:
    """What people call a change: of a field, of a field to a value, or of a whole kind."""

    field: str
    """A field's name, or one of the kinds `create`, `update` and `delete`."""
    value: str | None
    """The field's new value as canonical text; None: any."""
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How one model is tracked."""

    model: type[models.Model]
    subject: tuple[str, ...] = ()
    """Paths to the records on whose tab the changes show; `("self",)` for a subject model."""
    label: tuple[str, ...] = ()
    exclude: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    confidential: Mapping[str, Mask] = field(default_factory=lambda: MappingProxyType({}))
    secret: frozenset[str] = frozenset()
    m2m: tuple[str, ...] | None = None
    """Many-to-many fields to track; None: all of them."""
    events: tuple["EventName", ...] = ()
    json_keys: frozenset[str] = frozenset()
    """JSON fields of which each key is logged as a field of its own."""
    key_labels: Mapping[str, "KeyLabels"] = field(default_factory=lambda: MappingProxyType({}))
    """JSON field to what names its keys for a reader."""
    display: Mapping[str, "Display"] = field(default_factory=lambda: MappingProxyType({}))
    """Field, or key of a JSON field as `field.key`, to what writes its values for people."""
    reason_required: frozenset[str] = frozenset()
    """Fields, and kinds of the log, that are not written without a reason."""
    snapshots: bool | str = False
    """Whether simple-history keeps whole rows too; a text: in the app with that label."""

    @property
    def is_subject(self) -> bool:
        """Whether rows of this model have a History tab of their own."""
        return SELF in self.subject

    def tracks(self, name: str, *, auto_now: bool = False) -> bool:
        """Return whether changes of the field `name` are logged."""
        if self.only is not None:
            return name in self.only
        return name not in self.exclude and not auto_now

    def is_secret(self, model_field: models.Field) -> bool:  # type: ignore[type-arg]
        """Return whether values of the field must never reach the log."""
        holds_text = isinstance(model_field, models.CharField | models.TextField)
        return model_field.name in self.secret or (
            holds_text and is_password_name(model_field.name)
        )


KeyLabels = Callable[[Any], Mapping[str, Any]]
"""Takes the reader; returns what people call the keys, as far as it knows."""

Display = Callable[[Any], Any]
"""Takes a value, never None and never a masked one; returns the text for people."""

FieldNames = str | Iterable[str] | None

Events = Mapping[str, str | Mapping[Any, str]]

OPTIONS = (
    "subject",
    "label",
    "exclude",
    "only",
    "confidential",
    "secret",
    "m2m",
    "events",
    "json_keys",
    "key_labels",
    "display",
    "reason_required",
    "snapshots",
)

ROW_KINDS: frozenset[str] = frozenset({"create", "update", "delete", "add", "remove"})
"""The kinds of entries that a change of a row, or of a link between rows, makes."""


def registration_of(
    model: type[models.Model],
    *,
    subject: FieldNames = None,
    label: FieldNames = None,
    exclude: FieldNames = None,
    only: FieldNames = None,
    confidential: Mapping[str, Mask] | None = None,
    secret: FieldNames = None,
    m2m: FieldNames = None,
    events: Events | None = None,
    json_keys: FieldNames = None,
    key_labels: Mapping[str, KeyLabels] | None = None,
    display: Mapping[str, Display] | None = None,
    reason_required: FieldNames | bool = None,
    snapshots: bool | str = False,
) -> Registration:
    """Return a registration from options as people write them: one name or several."""
    return Registration(
        model=model._meta.concrete_model or model,
        subject=_several(subject),
        label=_several(label),
        exclude=frozenset(_several(exclude)),
        only=None if only is None else frozenset(_several(only)),
        confidential=MappingProxyType(dict(confidential or {})),
        secret=frozenset(_several(secret)),
        m2m=None if m2m is None else _several(m2m),
        events=tuple(_event_names(events or {})),
        json_keys=frozenset(_several(json_keys)),
        key_labels=MappingProxyType(dict(key_labels or {})),
        display=MappingProxyType(dict(display or {})),
        reason_required=_what_requires_a_reason(given=reason_required),
        snapshots=snapshots,
    )


class Registry:
    """The registrations of a project, by model."""

    def __init__(self) -> None:
        self._registrations: dict[type[models.Model], Registration] = {}
        self.conflicts: list[Registration] = []
        """Second registrations with other options than the first: an error of the checks."""
        self.unknown_options: list[tuple[type[models.Model], str]] = []
        """Options of an inner `class History` that do not exist: an error of the checks."""
        self.former_tables: Mapping[str, frozenset[str]] = {}
        """While `migrate` runs: table of today to the names that it bears on the way there."""

    def __iter__(self) -> Iterator[Registration]:
        return iter(tuple(self._registrations.values()))

    def __contains__(self, model: object) -> bool:
        return model in self._registrations

    def add(self, registration: Registration) -> None:
        """Add a registration; the same once more is nothing, another one is a conflict."""
        first = self._registrations.setdefault(registration.model, registration)
        if first != registration:
            self.conflicts.append(registration)

    def remove(self, model: type[models.Model]) -> None:
        """Forget a model; its triggers go with the next `migrate`."""
        self._registrations.pop(model, None)

    def of(self, model: type[models.Model]) -> Registration:
        """Return the registration of a model, or raise `NotRegisteredError`."""
        try:
            return self._registrations[model]
        except KeyError:
            raise NotRegisteredError(
                f"{model._meta.label} has no history. Register it with history.register()."
            ) from None

    def keeps_secret(self, registration: Registration, field: Any) -> bool:
        """Return whether values of a field must never reach the log.

        A foreign key with `to_field` holds a value of the other row: it is secret where that is.
        """
        if registration.is_secret(field):
            return True
        target = column_behind(field)
        behind = None if target is None else self.find(label_of(target.model))
        return behind is not None and behind.is_secret(target)

    def find(self, label: str) -> Registration | None:
        """Return the registration of the model called `crm.customer`, if there is one."""
        for registration in self._registrations.values():
            if registration.model._meta.label_lower == label:
                return registration
        return None


registry = Registry()


def column_behind(field: Any) -> Any:
    """Return the field whose values a foreign key holds, where that is no primary key; or None."""
    if not (field.many_to_one or field.one_to_one):
        return None
    target = field.target_field
    return None if target.primary_key else target


def label_of(model: type[models.Model]) -> str:
    """Return the label under which a model would be registered, `crm.customer`: no proxy's."""
    return (model._meta.concrete_model or model)._meta.label_lower


def _event_names(events: Events) -> Iterator[EventName]:
    for name, meaning in events.items():
        if isinstance(meaning, str):
            yield EventName(field=name, value=None, action=meaning)
        else:
            for value, action in meaning.items():
                yield EventName(field=name, value=encode(value), action=action)


def _what_requires_a_reason(*, given: FieldNames | bool) -> frozenset[str]:
    if isinstance(given, bool):
        return ROW_KINDS if given else frozenset()
    return frozenset(_several(given))


def _several(names: FieldNames) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def is_password_name(name: str) -> bool:
    """Return whether a field of that name holds a password."""
    return name == "password" or name.endswith("_password")
