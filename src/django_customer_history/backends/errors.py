"""Errors that a trigger raises, as the exceptions that Python code sees."""

import re

from django.db import IntegrityError

from django_customer_history.backends.entries import REASON_REQUIRED
from django_customer_history.exceptions import ReasonRequiredError

_NAMES = r"(?P<model>\w+\.\w+)(?:\.(?P<field>\w+))?"
_MISSING_REASON = re.compile(REASON_REQUIRED.format(r"(?P<kind>\w+)", _NAMES))


def translate_error(error: IntegrityError) -> IntegrityError:
    """Return this package's exception for a database error, or the same error if there is none."""
    found = _MISSING_REASON.search(str(error))
    return error if found is None else ReasonRequiredError(**found.groupdict())
