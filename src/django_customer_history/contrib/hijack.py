"""django-hijack: who really sits there while acting as another user.

CUSTOMER_HISTORY = {"IMPERSONATOR_RESOLVER": "django_customer_history.contrib.hijack.impersonator"}
"""

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest

from django_customer_history.context.resolved import NamedUser

_SESSION_KEY = "hijack_history"


def impersonator(request: HttpRequest) -> Any:
    """Return the user who hijacked the request's user, or None.

    Of several, one through the other, it is the first: the one who logged in. A user who is
    deleted has the key as name.
    """
    session = getattr(request, "session", None)
    chain = None if session is None else session.get(_SESSION_KEY)
    if not chain:
        return _about_to_hijack(request)
    model = get_user_model()
    found = model._base_manager.filter(pk=model._meta.pk.to_python(chain[0])).first()
    return found or NamedUser(id=str(chain[0]), label=str(chain[0]))


def _about_to_hijack(request: HttpRequest) -> Any:
    # The log-in as the other user has begun and the session is not written yet.
    match = request.resolver_match
    if match is None or (match.app_name, match.url_name) != ("hijack", "acquire"):
        return None
    before = getattr(request, "_cached_user", None)
    user = getattr(request, "user", None)
    return before if before is not None and user is not None and before.pk != user.pk else None
