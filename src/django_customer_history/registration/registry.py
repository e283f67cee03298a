"""Which models are tracked, and how: the one list that everything else reads.

A wrong name in a registration raises nothing, because apps are still loading at that time. The
system checks report it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.expressions import Col, RawSQL
from django.db.models.sql import Query

from django_customer_history.exceptions import NotRegisteredError
from django_customer_history.masks import Mask
from django_customer_history.registration.options import (
    Display,
    EventName,
    Events,
    FieldNames,
    InvalidOption,
    KeyLabels,
    OptionReader,
)

SELF = "self"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How one model is tracked."""

    model: type[models.Model]
    subject: tuple[str, ...] = ()
    """Paths to the records whose tab shows the changes; `("self",)` for a subject model."""
    label: tuple[str, ...] = ()
    exclude: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    confidential: Mapping[str, Mask] = field(default_factory=lambda: MappingProxyType({}))
    secret: frozenset[str] = frozenset()
    m2m: tuple[str, ...] | None = None
    """Many-to-many fields to track; None: all of them."""
    events: tuple[EventName, ...] = ()
    json_keys: frozenset[str] = frozenset()
    """JSON fields whose keys are logged as fields of their own."""
    key_labels: Mapping[str, KeyLabels] = field(default_factory=lambda: MappingProxyType({}))
    """JSON field to the function that returns the labels of its keys for a reader."""
    display: Mapping[str, Display] = field(default_factory=lambda: MappingProxyType({}))
    """Field, or key of a JSON field as `field.key`, to the function that formats its values."""
    reason_required: frozenset[str] = frozenset()
    """Fields and kinds of the log whose changes the database refuses without a reason."""
    snapshots: bool | str = False
    """Whether simple-history also keeps whole rows, or the label of the app with their table."""
    invalid_options: tuple[InvalidOption, ...] = field(default=(), compare=False)
    """Values that were left out: an error of the system checks."""

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
        is_text = isinstance(model_field, models.CharField | models.TextField)
        return model_field.name in self.secret or (is_text and is_password_name(model_field.name))


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
    """Return a registration from options as people write them.

    Options of a wrong type are left out; `Registration.invalid_options` says which. Raises
    `TypeError` if `model` is not a model class.
    """
    if not (isinstance(model, type) and issubclass(model, models.Model)):
        raise TypeError(
            f"history.register() was called with {model!r}, which is not a model class. Give the"
            " class itself, such as Customer."
        )
    read = OptionReader()
    only_names = read.names_or_none("only", only)
    return Registration(
        model=concrete_model(model),
        subject=read.names("subject", subject),
        label=read.names("label", label),
        exclude=frozenset(read.names("exclude", exclude)),
        only=None if only_names is None else frozenset(only_names),
        confidential=read.masks("confidential", confidential),
        secret=frozenset(read.names("secret", secret)),
        m2m=read.names_or_none("m2m", m2m),
        events=read.events("events", events),
        json_keys=frozenset(read.names("json_keys", json_keys)),
        key_labels=read.functions("key_labels", key_labels),
        display=read.functions("display", display),
        reason_required=read.reasons("reason_required", reason_required),
        snapshots=read.snapshots("snapshots", snapshots),
        invalid_options=tuple(read.invalid),
    )


class Registry:
    """The registrations of a project, by model."""

    def __init__(self) -> None:
        self._registrations: dict[type[models.Model], Registration] = {}
        self._models: dict[str, type[models.Model]] = {}
        self.of_abstract: dict[type[models.Model], Registration] = {}
        """Registrations of abstract models: they hold for the models that inherit from these."""
        self.conflicts: list[Registration] = []
        """Second registrations with other options than the first: an error of the checks."""
        self.unknown_options: list[tuple[type[models.Model], str]] = []
        """Options of an inner `class History` that do not exist: an error of the checks."""
        self.former_tables: Mapping[str, frozenset[str]] = {}
        """During `migrate`: a table's name in the models to its names before and in between."""

    def __iter__(self) -> Iterator[Registration]:
        return iter(tuple(self._registrations.values()))

    def __len__(self) -> int:
        return len(self._registrations) + len(self.of_abstract)

    def __contains__(self, model: object) -> bool:
        return model in self._registrations

    def add(self, registration: Registration) -> None:
        """Add a registration. The same one again has no effect, a different one is a conflict.

        That of an abstract model holds for the models that inherit from it and are not registered
        themselves, from `apply_to_children` on.
        """
        is_abstract = registration.model._meta.abstract
        registrations = self.of_abstract if is_abstract else self._registrations
        first = registrations.setdefault(registration.model, registration)
        if first != registration:
            self.conflicts.append(registration)

    def remove(self, model: type[models.Model]) -> None:
        """Remove a model. The next `migrate` removes its triggers."""
        self.of_abstract.pop(model, None)
        self._registrations.pop(concrete_model(model), None)

    def apply_to_children(self, candidates: Iterable[type[models.Model]]) -> None:
        """Register the models that inherit from registered abstract models."""
        for model in candidates:
            if model._meta.proxy or model._meta.swapped or model in self._registrations:
                continue
            bases = (self.of_abstract.get(base) for base in model.__mro__[1:])
            if (nearest := next(filter(None, bases), None)) is not None:
                self.add(replace(nearest, model=model))

    def of(self, model: type[models.Model]) -> Registration:
        """Return the registration of a model or of a proxy's model, or raise an error.

        Raises `NotRegisteredError`.
        """
        try:
            return self._registrations[concrete_model(model)]
        except KeyError:
            raise NotRegisteredError(
                f"{model._meta.label} is not registered. Register it with history.register()."
            ) from None

    def keeps_secret(self, registration: Registration, field: Any) -> bool:
        """Return whether values of a field must never reach the log.

        A field that a parent and a child share is secret if one of their registrations says so. A
        foreign key with `to_field` is secret if the field that it points to is, and a generated
        field if a field that it is made of is.
        """
        if registration.is_secret(field) or self._is_secret_anywhere(field):
            return True
        target = column_behind(field)
        if target is not None and self._is_secret_anywhere(target):
            return True
        return any(self.keeps_secret(registration, source) for source in sources_of(field))

    def _is_secret_anywhere(self, field: Any) -> bool:
        found = map(self._registrations.get, _with_subclasses(field.model))
        return any(one is not None and one.is_secret(field) for one in found)

    def find(self, label: str) -> Registration | None:
        """Return the registration of the model with a label such as `crm.customer`, or None."""
        model = self._models.get(label)
        known = None if model is None else self._registrations.get(model)
        return self._search(label) if known is None else known

    def _search(self, label: str) -> Registration | None:
        for registration in self._registrations.values():
            if registration.model._meta.label_lower == label:
                self._models[label] = registration.model
                return registration
        return None


registry = Registry()


def _with_subclasses(model: type[models.Model]) -> Iterator[type[models.Model]]:
    yield model
    for one in model.__subclasses__():
        yield from _with_subclasses(one)


@checks.register("customer_history")
def check_installed(**_kwargs: Any) -> list[checks.CheckMessage]:
    """E021: registrations without the app, which would do nothing in silence.

    It is registered here, as the app that registers the other checks is the one that is missing.
    """
    if not registry or apps.is_installed("django_customer_history"):
        return []
    return [
        checks.Error(
            "Models are registered for the history, but INSTALLED_APPS does not contain"
            ' "django_customer_history", so nothing is recorded.',
            hint='Add "django_customer_history" to INSTALLED_APPS, and run migrate.',
            id="customer_history.E021",
        )
    ]


def column_behind(field: Any) -> Any:
    """Return the field that a foreign key points to, or None if that is the primary key."""
    if not (field.many_to_one or field.one_to_one):
        return None
    target = field.target_field
    return None if target.primary_key else target


def sources_of(field: Any) -> list[Any]:
    """Return the fields that a generated field is made of; none for another field."""
    if not isinstance(field, models.GeneratedField):
        return []
    generated: Any = field
    query = Query(model=generated.model, alias_cols=False)
    try:
        found = list(_columns_in(generated.expression.resolve_expression(query)))
    except FieldError:
        found = [None]  # in the middle of a migration that renames one of the fields
    # What is in raw SQL is not known.
    if None in found:
        fields = field.model._meta.local_concrete_fields
        found = [one for one in fields if not isinstance(one, models.GeneratedField)]
    return [one for one in dict.fromkeys(found) if one is not field]


def _columns_in(expression: Any) -> Iterator[Any]:
    if isinstance(expression, Col):
        yield expression.target
    elif isinstance(expression, RawSQL):
        yield None
    elif hasattr(expression, "get_source_expressions"):
        for inner in expression.get_source_expressions():
            yield from _columns_in(inner)


def concrete_model(model: Any) -> type[models.Model]:
    """Return the model that has the table: of a proxy, the model behind it."""
    concrete: type[models.Model] = model._meta.concrete_model or model
    return concrete


def label_of(model: type[models.Model]) -> str:
    """Return the label of a model's registration, such as `crm.customer`; a proxy's model's."""
    return concrete_model(model)._meta.label_lower


def is_password_name(name: str) -> bool:
    """Return whether a field with this name holds a password."""
    return name == "password" or name.endswith("_password")
