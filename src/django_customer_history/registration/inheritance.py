"""Registration by inheritance: a base model, and the options in an inner `class History`."""

from collections.abc import Iterable

from django.db import models

from django_customer_history.registration.registry import OPTIONS, registration_of, registry


def register_subclasses(base: type[models.Model], candidates: Iterable[type[models.Model]]) -> None:
    """Register each model that inherits from `base`, with its inner `class History`.

    Proxies are left out. Unknown options become an error of the system checks.
    """
    for model in candidates:
        if issubclass(model, base) and not model._meta.proxy:
            _register(model)


def _register(model: type[models.Model]) -> None:
    options = getattr(model, "History", object)
    given = {name: getattr(options, name) for name in dir(options) if not name.startswith("_")}
    for name in sorted(given.keys() - set(OPTIONS)):
        registry.unknown_options.append((model, name))
        del given[name]
    registry.add(registration_of(model, **given))
