"""Runs blocks of Python in the project of the documents, each for itself.

Standard input is JSON, name to text; standard output is JSON, name to what is wrong.
"""

import json
import sys
import traceback

from django.apps import AppConfig
from django.conf import settings
from django.test import override_settings
from django.utils.module_loading import import_string
from scratch import models as scratch

from crm.models import Customer
from django_customer_history import (
    checks,
    history,
)
from django_customer_history.registration.registry import registry

SETTINGS = ("INSTALLED_APPS", "MIDDLEWARE", "CUSTOMER_HISTORY", "REST_FRAMEWORK")
SCOPES = {"customer_history", "customer_history_export"}


def tried(name, text):
    """Run a block and return what is wrong with it, its registrations and its settings."""
    names = {
        "__name__": scratch.__name__,
        "INSTALLED_APPS": list(settings.INSTALLED_APPS),
        "MIDDLEWARE": list(settings.MIDDLEWARE),
    }
    forget_registrations()
    try:
        exec(compile(text, name, "exec"), names)
    except Exception:  # noqa: BLE001  # whatever it is, the test shows it
        return [traceback.format_exc()]
    return [*wrong_registrations(), *wrong_settings(names)]


def forget_registrations():
    for registration in registry:
        registry.remove(registration.model)
    registry.conflicts.clear()


def wrong_registrations():
    if Customer not in registry:
        history.register(Customer, subject="self")
    return [str(one) for one in checks.check_registrations()]


def wrong_settings(names):
    given = {name: names[name] for name in SETTINGS if name in names}
    for path in given["MIDDLEWARE"]:
        import_string(path)
    for path in given["INSTALLED_APPS"]:
        AppConfig.create(path)
    scopes = given.get("REST_FRAMEWORK", {}).get("DEFAULT_THROTTLE_RATES", {})
    with override_settings(CUSTOMER_HISTORY=given.get("CUSTOMER_HISTORY", {})):
        return [*(str(one) for one in checks.check_settings()), *sorted(set(scopes) - SCOPES)]


def main():
    blocks = json.load(sys.stdin)
    json.dump({name: tried(name, text) for name, text in blocks.items()}, sys.stdout)
