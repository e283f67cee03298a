"""System checks of what other packages do with the log: encrypted fields and query caches."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from django.apps import apps
from django.core import checks

from django_customer_history.models import Entry
from django_customer_history.registration.fields import is_logged
from django_customer_history.registration.registry import registry


def check_encrypted_fields(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W065: a field whose ciphertext gets into the log."""
    return [
        checks.Warning(
            f"{registration.model._meta.label}.{field.name} is encrypted. The log gets its"
            " ciphertext: nobody can read it there, most packages write another one at each save,"
            " and it stays in the log when the key changes.",
            hint=f'Add secret=["{field.name}"] to the registration, so that the log says only that'
            f' the field changed. Or exclude=["{field.name}"].',
            obj=registration.model,
            id="customer_history.W065",
        )
        for registration in registry
        for field in registration.model._meta.concrete_fields
        if is_encrypted(field)
        and is_logged(registration, field)
        and not registry.keeps_secret(registration, field)
    ]


def is_encrypted(field: object) -> bool:
    """Return whether a field encrypts its values, by the names of its classes.

    There is no common base class: each package has its own, such as `EncryptedTextField`,
    `EncryptedMixin` or `TextPGPSymmetricKeyField` of `pgcrypto`.
    """
    return any(
        "encrypt" in base.__name__.lower() or "crypt" in base.__module__.partition(".")[0]
        for base in type(field).__mro__
    )


def check_caches(**_kwargs: Any) -> list[checks.CheckMessage]:
    """W066: the log is cached, so that the history misses the newest changes."""
    return [
        checks.Warning(
            f"{name} caches queries of the log. Triggers write the log, so the cache is never"
            " invalidated, and the history misses the newest changes.",
            hint=hint,
            id="customer_history.W066",
        )
        for name, (is_cached, hint) in _CACHES.items()
        if apps.is_installed(name) and is_cached()
    ]


def _is_in_cachalot() -> bool:
    loaded = import_module("cachalot.settings").cachalot_settings
    is_cachable = import_module("cachalot.utils").is_cachable
    return bool(loaded.CACHALOT_ENABLED and is_cachable(Entry._meta.db_table))


def _is_in_cacheops() -> bool:
    conf = import_module("cacheops.conf")
    profile = conf.model_profile(Entry)
    return bool(conf.settings.CACHEOPS_ENABLED and profile and profile["ops"])


_CACHES: Mapping[str, tuple[Callable[[], bool], str]] = {
    "cachalot": (
        _is_in_cachalot,
        "Add to the settings: CACHALOT_UNCACHABLE_TABLES = "
        f'["django_migrations", "{Entry._meta.db_table}"]',
    ),
    "cacheops": (_is_in_cacheops, 'Add to the setting CACHEOPS: "customer_history.*": None'),
}
