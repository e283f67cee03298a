"""The models of this package, for the parts that are loaded before any model."""

from typing import Any

from django.apps import apps

APP_LABEL = "customer_history"


def own_model(name: str) -> Any:
    """Return a model of this package, such as `Entry`.

    Unlike `apps.get_model()`, it also finds the model while a test has taken the app out of the
    app registry, as `available_apps` does: tables are tracked all the same. Raises `LookupError`
    if the app was never in `INSTALLED_APPS`.
    """
    return apps.all_models[APP_LABEL].get(name.lower()) or apps.get_model(APP_LABEL, name)
