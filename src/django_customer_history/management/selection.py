"""The models that a command is called with."""

from collections.abc import Sequence

from django.apps import apps
from django.core.management.base import CommandError
from django.db import models

from django_customer_history.exceptions import did_you_mean
from django_customer_history.registration.registry import registry


def chosen_models(labels: Sequence[str]) -> list[type[models.Model]] | None:
    """Return the models with labels such as "crm.customer"; None if no label is given.

    Raises `CommandError` for a model that does not exist or is not registered.
    """
    return [_model(label) for label in labels] or None


def _model(label: str) -> type[models.Model]:
    try:
        model: type[models.Model] = apps.get_model(label)
    except (LookupError, ValueError):
        registered = [one.model._meta.label_lower for one in registry]
        suggestion = did_you_mean(label.lower(), registered)
        raise CommandError(
            f"Model {label!r} does not exist."
            f"{suggestion or ' Give the label of a model, such as crm.customer.'}"
        ) from None
    if model not in registry:
        raise CommandError(
            f"Model {label!r} is not registered, so it has no history. Register it with"
            " history.register()."
        )
    return model
