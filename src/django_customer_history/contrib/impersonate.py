"""django-impersonate: the real user while somebody acts as another user.

CUSTOMER_HISTORY = {
    "IMPERSONATOR_RESOLVER": "django_customer_history.contrib.impersonate.impersonator",
}
"""

from typing import Any

from django.http import HttpRequest


def impersonator(request: HttpRequest) -> Any:
    """Return the user who impersonates the request's user, or None."""
    return getattr(request, "impersonator", None)
