"""The optional packages that seals need."""

import importlib
from typing import Any

from django_customer_history.exceptions import SealError


def imported(module: str, *, extra: str = "seals") -> Any:
    """Import a module of an optional package. Raise `SealError` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SealError(
            f"Seals need the package {module.partition('.')[0]!r}, which is not installed."
            f' Run: pip install "django-customer-history[{extra}]"'
        ) from error
