"""The paths from a model to its subjects, in terms of models: which foreign keys to follow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from django_customer_history.exceptions import did_you_mean
from django_customer_history.registration.registry import (
    SELF,
    Registration,
    Registry,
)


class UnreachableSubjectError(Exception):
    """A subject path does not lead to a subject model; the text says where it breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A subject path in terms of models: the foreign keys to follow, and the model they lead to."""

    foreign_keys: tuple["models.ForeignKey[Any, Any]", ...]
    target: type[models.Model]
    generic: GenericForeignKey | None = None


def routes(registration: Registration, registry: Registry) -> Iterator[Route]:
    """Yield the paths from a model to its subjects, except "self".

    Raises `UnreachableSubjectError` for a path that does not lead to a subject model.
    """
    for path in registration.subject:
        if path != SELF:
            yield from _routes(registration.model, path, registry)


def relations(registration: Registration, registry: Registry) -> list[Any]:
    """Return the many-to-many fields whose links are logged with the kinds add and remove.

    A registered through model is left out: it has entries of its own.
    """
    return [
        field
        for field in registration.model._meta.local_many_to_many
        if field.remote_field.through not in registry
        and (
            registration.tracks(field.name)
            if registration.m2m is None
            else field.name in registration.m2m
        )
    ]


def _routes(model: type[models.Model], path: str, registry: Registry) -> Iterator[Route]:
    followed: list[models.ForeignKey[Any, Any]] = []
    reached = model
    for name in path.split("__"):
        field = _field(reached, name, path)
        if isinstance(field, GenericForeignKey) and reached is model and name == path:
            yield from _generic_routes(field, registry)
            return
        if not isinstance(field, models.ForeignKey):
            raise UnreachableSubjectError(
                f"subject path {path!r} cannot follow {reached._meta.label}.{name}, because it is"
                " not a foreign key."
            )
        followed.append(field)
        reached = field.related_model
    found = registry.find(reached._meta.label_lower)
    if found is None or not found.is_subject:
        raise UnreachableSubjectError(
            f"subject path {path!r} leads to {reached._meta.label}, which is not registered with"
            ' subject="self".'
        )
    yield Route(foreign_keys=tuple(followed), target=reached)


def _field(model: type[models.Model], name: str, path: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        names = [field.name for field in model._meta.get_fields()]
        raise UnreachableSubjectError(
            f"field {name!r} in subject {path!r} does not exist in {model._meta.label}."
            f"{did_you_mean(name, names)}"
        ) from None


def _generic_routes(field: GenericForeignKey, registry: Registry) -> Iterator[Route]:
    for registration in registry:
        if registration.is_subject:
            yield Route(foreign_keys=(), target=registration.model, generic=field)


def passable_routes(registration: Registration, registry: Registry) -> list[Route]:
    """Return the paths from a model to its subjects; none if one of them leads nowhere."""
    # The system check E003 reports such a path; it must not stop capture here.
    try:
        return list(routes(registration, registry))
    except UnreachableSubjectError:
        return []
