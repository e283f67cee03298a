"""What a trigger refused, as the error that Python code sees."""

import re

from django.db import IntegrityError

from django_customer_history.backends.entries import REASON_REQUIRED
from django_customer_history.exceptions import ReasonRequiredError

_NAMES = r"(?P<model>\w+\.\w+)(?:\.(?P<field>\w+))?"
_REFUSED = re.compile(REASON_REQUIRED.format(r"(?P<kind>\w+)", _NAMES))


def translate_error(error: IntegrityError) -> IntegrityError:
    """Return the error of this package that a database's error stands for, else itself."""
    found = _REFUSED.search(str(error))
    return error if found is None else ReasonRequiredError(**found.groupdict())
