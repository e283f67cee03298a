"""Paths in terms of models: from a model to its subjects, to the parts of its label, its links."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from django_customer_history.exceptions import did_you_mean
from django_customer_history.registration.registry import (
    SELF,
    Registration,
    Registry,
    concrete_model,
    label_of,
)

if TYPE_CHECKING:
    from django.contrib.contenttypes.fields import GenericForeignKey

ForeignKeys = tuple["models.ForeignKey[Any, Any]", ...]


class UnreachablePathError(Exception):
    """A path does not lead where it has to; the text says where it breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A subject path: the foreign keys to follow, and the model they lead to."""

    foreign_keys: ForeignKeys
    target: type[models.Model]
    generic: "GenericForeignKey | None" = None
    """A generic foreign key at the end of the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPart:
    """A part of a label: the foreign keys to follow, and the field that is read there."""

    name: str
    """The path as it is registered: `name`, `field__label`."""
    foreign_keys: ForeignKeys
    model: type[models.Model]
    """The model that has the field, maybe by inheritance."""
    field: "models.Field[Any, Any]"

    @property
    def path(self) -> str:
        """The whole path, from the model to the field."""
        return "__".join(one.name for one in (*self.foreign_keys, self.field))


def routes(registration: Registration, registry: Registry) -> Iterator[Route]:
    """Yield the paths from a model to its subjects, except "self".

    Raises `UnreachablePathError` for a path that does not lead to a subject model.
    """
    for path in registration.subject:
        if path != SELF:
            yield from _routes(registration.model, path, registry)


def passable_routes(registration: Registration, registry: Registry) -> list[Route]:
    """Return the paths from a model to its subjects, without those that lead nowhere."""
    # The system check E003 reports such a path; it must not stop capture here.
    found = []
    for path in registration.subject:
        if path != SELF:
            try:
                found += list(_routes(registration.model, path, registry))
            except UnreachablePathError:
                continue
    return found


def label_part(model: type[models.Model], path: str) -> LabelPart:
    """Return the part of a label that a path leads to.

    Raises `UnreachablePathError` if a step is not a foreign key, or the end not a column.
    """
    *steps, name = path.split("__")
    followed, reached = _follow(model, steps, f"label {path!r}")
    field = _field(reached, name, f"label {path!r}")
    if not isinstance(field, models.Field) or not field.concrete or field.many_to_many:
        raise UnreachablePathError(
            f"label {path!r} cannot show {reached._meta.label}.{name}, because it does not have a"
            " column of its own."
        )
    return LabelPart(name=path, foreign_keys=followed, model=reached, field=field)


def label_parts(registration: Registration, registry: Registry) -> list[LabelPart]:
    """Return the parts of a model's label, without those that do not exist.

    A foreign key at the end of a path stands for the label of the model that it leads to.
    """
    return list(_label_parts(registration, registry, seen=()))


def _label_parts(
    registration: Registration, registry: Registry, seen: tuple[type[models.Model], ...]
) -> Iterator[LabelPart]:
    for path in registration.label:
        try:
            part = label_part(registration.model, path)
        except UnreachablePathError:
            continue  # The system check E002 reports it.
        field = part.field
        target = concrete_model(field.related_model) if field.is_relation else None
        behind = None if target is None else registry.find(label_of(target))
        if not isinstance(field, models.ForeignKey) or behind is None or not behind.label:
            yield part
        elif target not in seen:
            for inner in _label_parts(behind, registry, (*seen, registration.model)):
                yield LabelPart(
                    name=path,
                    foreign_keys=(*part.foreign_keys, field, *inner.foreign_keys),
                    model=inner.model,
                    field=inner.field,
                )


def relations(registration: Registration, registry: Registry) -> list[Any]:
    """Return the many-to-many fields whose links are logged with the kinds add and remove.

    They include those of parents. A registered through model is left out: it has entries of its
    own.
    """
    return [
        field
        for field in registration.model._meta.many_to_many
        if is_many_to_many(field)
        and concrete_model(field.remote_field.through) not in registry
        and (
            registration.tracks(field.name)
            if registration.m2m is None
            else field.name in registration.m2m
        )
    ]


def is_many_to_many(field: object) -> bool:
    """Return whether a field is a many-to-many field of Django, with a table of links.

    Other packages have fields that only look like one.
    """
    return isinstance(field, models.ManyToManyField)


def _is_generic(field: object) -> bool:
    # Its class cannot be imported before the models are loaded, but registrations can be made.
    return hasattr(field, "ct_field") and hasattr(field, "fk_field")


def _routes(model: type[models.Model], path: str, registry: Registry) -> Iterator[Route]:
    *steps, name = path.split("__")
    place = f"subject path {path!r}"
    followed, reached = _follow(model, steps, place)
    last = _field(reached, name, place)
    if _is_generic(last):
        for registration in registry:
            if registration.is_subject:
                yield Route(foreign_keys=followed, target=registration.model, generic=last)
        return
    (foreign_key,), target = _follow(reached, [name], place)
    found = registry.find(label_of(target))
    if found is None or not found.is_subject:
        raise UnreachablePathError(
            f'{place} leads to {target._meta.label}, which is not registered with subject="self".'
        )
    yield Route(foreign_keys=(*followed, foreign_key), target=target)


def _follow(
    model: type[models.Model], names: list[str], place: str
) -> tuple[ForeignKeys, type[models.Model]]:
    """Return the foreign keys of a path, and the model at its end."""
    followed: list[models.ForeignKey[Any, Any]] = []
    reached = concrete_model(model)
    for name in names:
        field = _field(reached, name, place)
        if not isinstance(field, models.ForeignKey):
            raise UnreachablePathError(
                f"{place} cannot follow {reached._meta.label}.{name}, because it is not a foreign"
                " key."
            )
        followed.append(field)
        reached = concrete_model(field.related_model)
    return tuple(followed), reached


def _field(model: type[models.Model], name: str, place: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        names = [field.name for field in model._meta.get_fields()]
        raise UnreachablePathError(
            f"field {name!r} in {place.replace('subject path', 'subject')} does not exist in"
            f" {model._meta.label}.{did_you_mean(name, names)}"
        ) from None
