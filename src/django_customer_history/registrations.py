"""That a model is registered, how, and since when, is itself in the log.

After each `migrate` the registrations are set against those that the log knows, and what
differs becomes an entry: "History Started", "History Changed", "History Stopped".
"""

import json
from collections.abc import Mapping

from django.apps import apps

from django_customer_history.masks import as_mask
from django_customer_history.recording import note
from django_customer_history.registry import Registration, registry

KIND = "customer_history.registration"
"""The entity model of these entries; their entity is the model's label."""

_STOPPED = "History Stopped"


def log_registrations(using: str) -> None:
    """Write an entry for each registration of a database's models that is not what it was."""
    known = _known(using)
    wanted = {
        registration.model._meta.label_lower: _options(registration) for registration in registry
    }
    for label in sorted(known.keys() | wanted.keys()):
        before, after = known.get(label, {}), wanted.get(label, {})
        changes = {
            name: [before.get(name), after.get(name)]
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }
        if changes:
            action = "History Changed" if before else "History Started"
            note(
                action if after else _STOPPED,
                about=(KIND, label),
                changes=changes,
                using=using,
            )


def _known(using: str) -> dict[str, dict[str, str]]:
    """Return the options of each model as the log last knew them."""
    known: dict[str, dict[str, str]] = {}
    entries = apps.get_model("customer_history", "Entry")._default_manager.using(using)
    for entry in entries.filter(entity_model=KIND).order_by("id"):
        options = known.setdefault(entry.entity_id, {})
        for name, (_old, new) in entry.changes.items():
            if new is None:
                options.pop(name, None)
            else:
                options[name] = new
    return known


def _options(registration: Registration) -> Mapping[str, str]:
    """Return the options that differ from the defaults, as JSON text in a fixed order."""
    options: dict[str, object] = {
        "subject": list(registration.subject),
        "label": list(registration.label),
        "exclude": sorted(registration.exclude),
        "only": None if registration.only is None else sorted(registration.only),
        "confidential": {
            name: as_mask(mask).name for name, mask in sorted(registration.confidential.items())
        },
        "secret": sorted(registration.secret),
        "m2m": None if registration.m2m is None else sorted(registration.m2m),
        "events": [[one.field, one.value, one.action] for one in registration.events],
        "json_keys": sorted(registration.json_keys),
    }
    given = {name: json.dumps(value) for name, value in options.items() if value}
    return {"registered": "true", **given}
