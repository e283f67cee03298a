"""Registration by inheritance: a base model, and the options in an inner `class History`."""

from collections.abc import Iterable

from django.db import models

from django_customer_history.registration.registry import OPTIONS, registration_of, registry


def register_subclasses(base: type[models.Model], candidates: Iterable[type[models.Model]]) -> None:
    """Register each model that inherits from `base`, with the options of its `class History`.

    Proxies are left out. The system check E007 reports unknown options.
    """
    for model in candidates:
        if issubclass(model, base) and not model._meta.proxy:
            _register(model)


def _register(model: type[models.Model]) -> None:
    inner_class = getattr(model, "History", object)
    options = {
        name: getattr(inner_class, name) for name in dir(inner_class) if not name.startswith("_")
    }
    for name in sorted(options.keys() - set(OPTIONS)):
        registry.unknown_options.append((model, name))
        del options[name]
    registry.add(registration_of(model, **options))
