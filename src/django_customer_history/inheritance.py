"""Registration by inheritance: models that descend from `AuditedModel`."""

from collections.abc import Iterable

from django.db import models

from django_customer_history.models import AuditedModel
from django_customer_history.registry import OPTIONS, registration_of, registry


def register_audited_models(every_model: Iterable[type[models.Model]]) -> None:
    """Register each model that descends from `AuditedModel` with its inner `class History`."""
    for model in every_model:
        if issubclass(model, AuditedModel) and not model._meta.proxy:
            _register(model)


def _register(model: type[AuditedModel]) -> None:
    options = getattr(model, "History", object)
    given = {name: getattr(options, name) for name in dir(options) if not name.startswith("_")}
    for name in sorted(given.keys() - set(OPTIONS)):
        registry.unknown_options.append((model, name))
        del given[name]
    registry.add(registration_of(model, **given))
