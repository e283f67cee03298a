"""Which registered models a command is about."""

from collections.abc import Sequence

from django.apps import apps
from django.core.management.base import CommandError
from django.db import models

from django_customer_history.registration.registry import registry


def chosen_models(labels: Sequence[str]) -> list[type[models.Model]] | None:
    """Return the models with these labels, such as "crm.customer"; None for none given.

    Raises `CommandError` for what is no model, or is not registered.
    """
    return [_model(label) for label in labels] or None


def _model(label: str) -> type[models.Model]:
    try:
        model: type[models.Model] = apps.get_model(label)
    except (LookupError, ValueError):
        raise CommandError(f'{label!r} is no model. Give one like "crm.customer".') from None
    if model not in registry:
        raise CommandError(f"{label!r} is not registered, so it has no history.")
    return model
